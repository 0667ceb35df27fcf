"""The worker's shell: threads, sockets and the clock around its machine. It decides nothing."""

from __future__ import annotations

from hocket.worker.shell.gpu_places import find_gpus
from hocket.worker.shell.process import LOST_SCHEDULER, run_worker
from hocket.worker.shell.worker import Worker

__all__ = ["LOST_SCHEDULER", "Worker", "find_gpus", "run_worker"]
