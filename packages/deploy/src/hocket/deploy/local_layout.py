"""How many workers with how many threads each a cluster on this machine has."""

from __future__ import annotations

import os
from typing import Final

from hocket.deploy.arguments import check_count

__all__ = ["cores_count", "layout"]

#: Up to so many cores each gets a worker of its own.
_CORES_ONE_EACH: Final = 4


def layout(n_workers: int | None, threads: int | None, cores: int) -> tuple[int, int]:
    """Return how many workers with how many threads each suit what was asked and the machine.

    Raises
    ------
    SettingsError
        A number is none, or too small.
    """
    if n_workers is not None:
        check_count("n_workers", n_workers, least=0)
    if threads is not None:
        check_count("threads_per_worker", threads, least=1)
    if n_workers is None and threads is None:
        # Few processes, that still use several interpreters well: the smallest divisor of the
        # number of cores that is at least its square root.
        n_workers = cores
        if cores > _CORES_ONE_EACH:
            n_workers = next(
                one for one in range(1, cores + 1) if cores % one == 0 and one**2 >= cores
            )
    if n_workers is None:
        assert threads is not None
        n_workers = max(1, cores // threads)
    if threads is None:
        threads = max(1, cores // max(1, n_workers))
    return n_workers, threads


def cores_count() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
