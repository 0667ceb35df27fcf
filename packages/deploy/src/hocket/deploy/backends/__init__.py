"""Batch systems: how each is asked for jobs, looked at, and told to end them; no I/O."""
