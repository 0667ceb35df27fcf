"""Memory that each thread reads into, again and again.

What was read is decoded before the thread reads on, and nothing of it is kept. New memory for each
read would have to be cleared by the system first, which takes as long as reading.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from hocket.parquet.memory import new_array

__all__ = ["drop_read_buffer", "read_buffer"]

_Array = np.ndarray[Any, Any]

#: Larger reads get memory of their own.
_LARGEST_NBYTES: Final = 64 << 20
_SPARE_NBYTES: Final = 64

_OF_THREADS: Final = threading.local()


def read_buffer(nbytes: int) -> _Array | None:
    """Return bytes of this thread to read into, with 64 more behind them; None if too many."""
    if nbytes > _LARGEST_NBYTES:
        return None
    found: _Array | None = getattr(_OF_THREADS, "buffer", None)
    if found is None or len(found) < nbytes + _SPARE_NBYTES:
        drop_read_buffer()
        found = _OF_THREADS.buffer = new_array(nbytes + (nbytes >> 2) + _SPARE_NBYTES, np.uint8)
    return found[:nbytes]


def drop_read_buffer() -> None:
    """Let go of this thread's memory."""
    _OF_THREADS.buffer = None
