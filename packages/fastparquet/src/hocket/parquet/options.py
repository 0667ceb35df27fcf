"""What a reader may be told beside what to read: threads, memory, checks."""

from __future__ import annotations

import os
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import dataclass

__all__ = [
    "THREADS_VARIABLE",
    "ReadOptions",
    "available_memory_nbytes",
    "check_switch",
    "is_switch",
    "thread_count",
]

#: Environment variable with the number of threads of readers that are not told one.
THREADS_VARIABLE: Final = "HOCKET_PARQUET_THREADS"

_MOST_THREADS: Final = 1024
#: Where Linux says how much memory a container may take, in its newer way and its older one.
_CONTAINER_LIMITS: Final = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a reader works, whatever it reads.

    Parameters
    ----------
    verify_checksums
        Whether to compare pages with their CRC where the file has one.
    threads
        How many threads may decode at once; None for as many as the process may use processors
        (or what `THREADS_VARIABLE` says).
    memory_limit
        How many bytes may be decoded for a result, before it becomes Python objects or other
        dtypes; None for the memory of the machine, or of the container.
    """

    verify_checksums: bool = True
    threads: int | None = None
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        threads, limit = self.threads, self.memory_limit
        if threads is not None and not (_is_number(threads) and 1 <= threads <= _MOST_THREADS):
            raise InvalidOption(
                f"threads is {threads!r}; it has to be a number from 1 to {_MOST_THREADS}, or None"
            )
        if limit is not None and not (_is_number(limit) and limit >= 0):
            raise InvalidOption(
                f"memory_limit is {limit!r}; it has to be a whole number of bytes, or None"
            )


def is_switch(value: Any) -> bool:
    """Whether a value says yes or no: a bool of Python's or NumPy's, or 1 or 0."""
    return isinstance(value, Real | np.bool_) and value in (0, 1)


def check_switch(name: str, value: Any, *, may_be_none: bool) -> None:
    """Make sure that an option says yes or no, or nothing where that may be.

    Raises
    ------
    InvalidOption
        It says something else.
    """
    if not (is_switch(value) or (may_be_none and value is None)):
        allowed = "True, False or None" if may_be_none else "True or False"
        raise InvalidOption(f"{name} is {value!r}; it has to be {allowed}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def thread_count(wanted: int | None) -> int:
    """Return how many threads to use: as told, as the environment says, or one a processor."""
    if wanted is not None:
        return wanted
    text = os.environ.get(THREADS_VARIABLE, "")
    if text:
        if not text.isdecimal() or not 1 <= int(text) <= _MOST_THREADS:
            raise InvalidOption(
                f"{THREADS_VARIABLE} is {text!r}; it has to be a number from 1 to {_MOST_THREADS}"
            )
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def available_memory_nbytes(limit: int | None) -> int:
    """Return the bytes that a result may take: as told, or what the machine or container has."""
    return _memory_nbytes() if limit is None else limit


@cache
def _memory_nbytes() -> int:
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        found = 1 << 62
    for place in _CONTAINER_LIMITS:
        try:
            text = Path(place).read_text("ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal():
            found = min(found, int(text))
    return found
