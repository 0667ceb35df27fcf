"""Runs the whole Parquet reader with kernels that know which arrays there are.

`install`, called before anything else of `hocket.parquet` is imported, makes each kernel run as it
is written, in Python, in a memory of just those arrays whose addresses were taken and that are
still alive. A load or store outside of them is a `KernelTrespass`, where compiled code would have
read or broken whatever lies there.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import Any

import numpy as np

from hocket.parquet.kernels import library
from hocket.parquet.kernels.checked import CheckedMemory, KernelTrespass

__all__ = ["LivingMemory", "install"]


class LivingMemory(CheckedMemory):
    """The arrays of this process whose addresses were taken.

    (Until others lie there: that an array has gone cannot be seen. A weak reference would tell, but
    with one an array cannot be resized.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._begins: list[int] = []
        self._ends: dict[int, int] = {}
        self._lock = threading.Lock()

    def address(self, array: np.ndarray[Any, Any]) -> int:
        """Return an array's address, and allow the memory that it is a part of."""
        whole: Any = array
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        start: int = whole.__array_interface__["data"][0]
        end = start + whole.nbytes
        with self._lock:
            if start < end and self._ends.get(start) != end:
                self._forget(start, end)
                insort(self._begins, start)
                self._ends[start] = end
        place: int = array.__array_interface__["data"][0]
        return place

    def _forget(self, start: int, end: int) -> None:
        """Drop what has lain where now another array does: it is gone."""
        first = bisect_left(self._begins, start)
        if first and self._ends[self._begins[first - 1]] > start:
            first -= 1
        last = bisect_left(self._begins, end)
        for begin in self._begins[first:last]:
            del self._ends[begin]
        del self._begins[first:last]

    def _check(self, start: int, nbytes: int, *, is_write: bool) -> None:
        with self._lock:
            at = bisect_right(self._begins, start) - 1
            begin = self._begins[at] if at >= 0 else 0
            end = self._ends.get(begin, 0)
        if nbytes and (start + nbytes > end or nbytes < 0):
            kind = "writes" if is_write else "reads"
            raise KernelTrespass(f"{kind} {nbytes} bytes at {start - begin} of {end - begin}")


class CheckedKernels:
    """All kernels as attributes, as `library.Kernels` has them."""

    def __init__(self, memory: LivingMemory) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name.startswith("_"):
            raise AttributeError(name)
        function = self._memory.kernel(name)
        setattr(self, name, function)
        return function


def install(memory: LivingMemory | None = None) -> None:
    """Put checked kernels in the place of all others. Call it before the reader is imported.

    Parameters
    ----------
    memory
        Where they run; a new one, unless told.
    """
    memory = memory or LivingMemory()
    changed: Any = library
    changed.address = memory.address
    changed.KERNEL = CheckedKernels(memory)
    changed.expect = lambda *_: None
    # Not as written: what is only done with compiled kernels is to be seen, too.
    changed.origin = lambda *_: library.COMPILED_HERE
