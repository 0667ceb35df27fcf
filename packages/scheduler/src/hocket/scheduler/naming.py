"""Which workers are meant by names, and what is said where nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.scheduler.state import Worker
    from hocket.scheduler.tables import Tables

__all__ = ["choose_workers", "enumerate_names", "say_nobody"]

_NAMES_SHOWN: Final = 5


def choose_workers(tables: Tables, names: Sequence[str]) -> list[Worker]:
    """Return the workers that one of these is the name, address or host of; all if none is given.

    They come in the order in which they joined.
    """
    workers = tables.workers.values()
    if not names:
        return list(workers)
    wanted = frozenset(names)
    return [worker for worker in workers if worker.answers_to(wanted)]


def say_nobody(names: Sequence[str]) -> str:
    """Return why there is no worker to choose."""
    if names:
        return f"no worker answers to {enumerate_names(names)}"
    return "the cluster has no workers yet; wait for them with wait_for_workers(1)"


def enumerate_names(names: Sequence[str], count_max: int = _NAMES_SHOWN) -> str:
    """Return names as a text; of many, the first and a count."""
    shown = ", ".join(names[:count_max])
    more_count = len(names) - count_max
    return f"{shown} and {more_count} more" if more_count > 0 else shown
