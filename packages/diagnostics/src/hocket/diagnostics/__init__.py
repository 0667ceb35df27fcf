"""Live diagnostics for hocket's schedulers and workers."""
