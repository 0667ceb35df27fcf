"""The worker: pure names only; what opens sockets and starts threads is ``hocket.worker.shell``."""

from __future__ import annotations

from hocket.worker.machine import Answer, WorkerMachine

__all__ = ["Answer", "WorkerMachine"]
