"""Memory that encoders write into, and what they leave in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array

__all__ = ["encoded"]

_Array = np.ndarray[Any, Any]


def encoded(
    kernel: str, source: _Array, *numbers: int, capacity: int, scratch_nbytes: int = 0
) -> _Array:
    """Call an encoding kernel, and return the bytes that it wrote.

    Parameters
    ----------
    kernel
        Its name. It takes the source's address, numbers, the address of its room, how many bytes
        that has and, if it wants one, the address of a scratch; and answers how many bytes it
        wrote.
    source
        Contiguous.
    *numbers
        What it is told of the source.
    capacity
        At most so many bytes are written.
    scratch_nbytes
        How large a scratch it needs.
    """
    room = new_array(capacity, np.uint8)
    arguments = [address(source), *numbers, address(room), capacity]
    if scratch_nbytes:
        scratch = np.empty(scratch_nbytes, np.uint8)
        arguments.append(address(scratch))
    answer = getattr(KERNEL, kernel)(*arguments)
    if answer < 0:
        raise error_of(answer)
    return room[:answer]
