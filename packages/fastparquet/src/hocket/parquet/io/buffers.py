"""Arrays of bytes with room behind them.

Kernels load eight bytes at a time and more, wherever a value lies; so each array that they read
from is followed by `PADDING_NBYTES` bytes that may be read and are zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import LimitExceeded

__all__ = ["PADDING_NBYTES", "padded", "padded_copy"]

PADDING_NBYTES: Final = 64


def padded(nbytes: int) -> NDArray[np.uint8]:
    """Allocate an array of bytes, not initialised, with zeros behind its end.

    NumPy asks for huge pages itself where an array is big enough to profit.
    """
    try:
        whole = np.empty(nbytes + PADDING_NBYTES, np.uint8)
    except MemoryError as error:
        raise LimitExceeded(f"{nbytes:,} bytes of memory are wanted at once") from error
    whole[nbytes:] = 0
    return whole[:nbytes]


def padded_copy(data: bytes | bytearray | memoryview | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy bytes into an array of their own with zeros behind its end."""
    source = np.frombuffer(data, np.uint8)
    copy = padded(source.size)
    copy[:] = source
    return copy
