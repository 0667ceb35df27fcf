"""The worker's shell: threads, sockets and the clock around its machine. It decides nothing."""

from __future__ import annotations

from hocket.worker.shell.current import CurrentTask, current_task
from hocket.worker.shell.process import run_worker
from hocket.worker.shell.worker import Worker

__all__ = ["CurrentTask", "Worker", "current_task", "run_worker"]
