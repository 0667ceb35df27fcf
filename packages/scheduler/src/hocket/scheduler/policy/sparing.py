"""Workers with GPUs are spared what needs none, as long as threads of others have nothing to do.

It is a preference and no more: when those are busy, plain tasks go wherever they begin first. So
nobody waits for it, and a cluster whose workers are all of one kind knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.core.resource_names import GPU
from hocket.protocol.messages import THREADS

if TYPE_CHECKING:
    from hocket.scheduler.state import Options, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["has_kinds", "is_plain", "is_spare"]


def has_kinds(tables: Tables) -> bool:
    """Tell whether some workers have GPUs and others have none."""
    return 0 < tables.gpu_workers_count < len(tables.workers)


def is_plain(options: Options) -> bool:
    """Tell whether a task with these options takes a thread, and no GPU."""
    return GPU not in options.resources and options.executor == THREADS


def is_spare(worker: Worker) -> bool:
    """Tell whether a worker has no GPU, and a thread with nothing to do."""
    return not worker.has_gpus and worker.free_threads_count > 0
