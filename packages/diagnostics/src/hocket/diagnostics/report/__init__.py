"""Reports: what a recording of the feed holds, as one file that needs nothing else."""

from __future__ import annotations

from hocket.diagnostics.report.writing import write_report

__all__ = ["write_report"]
