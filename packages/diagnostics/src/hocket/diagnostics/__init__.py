"""Live diagnostics: pages for schedulers and workers, reports, metrics."""

from __future__ import annotations

from hocket.diagnostics.panels import Panel, panel
from hocket.diagnostics.visuals import page, plot, table

__all__ = ["Panel", "page", "panel", "plot", "table"]
