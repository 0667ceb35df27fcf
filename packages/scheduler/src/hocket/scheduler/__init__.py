"""The scheduler: pure names only; the part that opens sockets is ``hocket.scheduler.shell``."""

from __future__ import annotations

from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.tables import Limits

__all__ = ["Limits", "SchedulerMachine"]
