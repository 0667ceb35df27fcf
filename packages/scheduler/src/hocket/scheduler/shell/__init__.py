"""The scheduler's shell: sockets and the clock around the machine. It decides nothing."""

from __future__ import annotations

from hocket.scheduler.shell.process import run_scheduler
from hocket.scheduler.shell.server import Scheduler

__all__ = ["Scheduler", "run_scheduler"]
