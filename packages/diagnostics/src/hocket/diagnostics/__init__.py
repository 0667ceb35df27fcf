"""Live diagnostics: pages for schedulers and workers, reports, metrics."""

from __future__ import annotations

from hocket.diagnostics.visuals import page, plot, table

__all__ = ["page", "plot", "table"]
