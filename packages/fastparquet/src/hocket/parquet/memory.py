"""Memory for large arrays: in large pages, and kept a while for the next ones.

The system clears memory before it hands it out, which takes about as long as decoding into it; and
what a program lets go of is often wanted again at once: by the next row group, the next file. So
blocks that nothing refers to any more are kept, up to a limit, and marked as free: the system may
take their pages back whenever it wants some, without asking.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
import time
from collections import deque
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import InvalidOption, LimitExceeded
from hocket.parquet.options import available_memory_nbytes

__all__ = ["KEPT_VARIABLE", "BlockPool", "discard", "new_array"]

_Array = np.ndarray[Any, Any]

#: Environment variable: how many bytes to keep at most.
KEPT_VARIABLE: Final = "HOCKET_PARQUET_KEPT_NBYTES"

#: Smaller arrays are NumPy's own.
_LEAST_NBYTES: Final = 1 << 20
_LARGE_PAGE_NBYTES: Final = 1 << 21
#: Of the memory there is, so much may be kept: one part of so many.
_KEPT_PART: Final = 8
#: What was not wanted again for so long is given back, as soon as any other block comes or goes.
_KEPT_S: Final = 10.0

#: Elsewhere the system would not take back what is kept.
_CAN_KEEP: Final = all(
    hasattr(mmap, name) for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE", "MAP_ANONYMOUS")
)


class _Block:
    """Memory that an array lies in; when the last view of the array is gone, so is this."""

    __slots__ = ("_map", "_nbytes", "_pool")

    def __init__(self, pool: BlockPool, mapping: mmap.mmap, nbytes: int) -> None:
        self._pool = pool
        self._map = mapping
        self._nbytes = nbytes

    def __del__(self) -> None:
        self._pool.put(self._map)

    def discard(self, start: int, nbytes: int) -> None:
        """Give back the large pages that lie wholly in a range of addresses."""
        offset = start - self.__array_interface__["data"][0]
        first = -(-offset // _LARGE_PAGE_NBYTES) * _LARGE_PAGE_NBYTES
        size = (offset + nbytes) // _LARGE_PAGE_NBYTES * _LARGE_PAGE_NBYTES - first
        if size > 0:
            self._map.madvise(mmap.MADV_DONTNEED, first, size)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        start = np.frombuffer(self._map, np.uint8).__array_interface__["data"][0]
        return {
            "data": (start, False),
            "shape": (self._nbytes,),
            "typestr": "|u1",
            "version": 3,
        }


class BlockPool:
    """Blocks of memory that are free.

    Parameters
    ----------
    limit_nbytes
        How many bytes are kept at most.
    """

    def __init__(self, limit_nbytes: int) -> None:
        self._limit = limit_nbytes
        self._lock = threading.Lock()
        #: Free blocks by their size, with the time since when they are, the oldest first.
        self._free: dict[int, deque[tuple[float, mmap.mmap]]] = {}
        self._total = 0
        self._looked = time.monotonic()
        #: Blocks on their way there: they come from any thread, at any moment, lock or no lock.
        self._coming: deque[mmap.mmap] = deque()

    @property
    def kept_nbytes(self) -> int:
        """How many bytes are kept."""
        self._settle()
        return self._total

    def array(self, nbytes: int) -> _Array:
        """Return an array of bytes, not set.

        Parameters
        ----------
        nbytes
            How many.
        """
        page = _LARGE_PAGE_NBYTES if nbytes >= _LARGE_PAGE_NBYTES else mmap.PAGESIZE
        size = (nbytes + page - 1) // page * page
        found = self._take(size)
        if found is None:
            found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            whole = nbytes // _LARGE_PAGE_NBYTES * _LARGE_PAGE_NBYTES
            if whole:
                # Not the last page, of which only a part is wanted.
                found.madvise(mmap.MADV_HUGEPAGE, 0, whole)
        return np.asarray(_Block(self, found, nbytes))

    def put(self, block: mmap.mmap) -> None:
        """Take a block back.

        Parameters
        ----------
        block
            What nothing refers to any more.
        """
        if len(block) <= self._limit:
            block.madvise(mmap.MADV_FREE)
            self._coming.append(block)
            self._settle()

    def _settle(self) -> None:
        """Put what has come among the free blocks, unless somebody is at it already."""
        if self._lock.acquire(blocking=False):
            try:
                self._sort_in()
            finally:
                self._lock.release()

    def _sort_in(self) -> None:
        now = time.monotonic()
        while self._coming:
            block = self._coming.popleft()
            self._free.setdefault(len(block), deque()).append((now, block))
            self._total += len(block)
        while self._total > self._limit:
            self._pop(min(self._free, key=lambda size: self._free[size][0][0]))
        if now - self._looked > _KEPT_S / 10:
            self._looked = now
            for size in list(self._free):
                while size in self._free and now - self._free[size][0][0] > _KEPT_S:
                    self._pop(size)

    def _pop(self, size: int, at: int = 0) -> mmap.mmap:
        """Return a block of just this size: the oldest, or the youngest (-1)."""
        blocks = self._free[size]
        _, block = blocks.popleft() if at == 0 else blocks.pop()
        if not blocks:
            del self._free[size]
        self._total -= size
        return block

    def _take(self, size: int) -> mmap.mmap | None:
        """Return a free block of about this size."""
        with self._lock:
            self._sort_in()
            most = size + (size >> 3)
            best = min((each for each in self._free if size <= each <= most), default=0)
            return self._pop(best, -1) if best else None


def _limit_nbytes() -> int:
    text = os.environ.get(KEPT_VARIABLE, "")
    if not text:
        return available_memory_nbytes(None) // _KEPT_PART
    if not text.isdecimal():
        raise InvalidOption(f"{KEPT_VARIABLE} is {text!r}; it has to be a whole number of bytes")
    return int(text)


class _OfProcess:
    """The pool of this process, made when first wanted; forked ones begin with an empty one."""

    pool: BlockPool | None = None

    @classmethod
    def get(cls) -> BlockPool:
        if cls.pool is None:
            cls.pool = BlockPool(_limit_nbytes())
        return cls.pool

    @classmethod
    def forget(cls) -> None:
        cls.pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_OfProcess.forget)


def new_array(shape: int | tuple[int, ...], dtype: Any) -> _Array:
    """Return a new array, not set; memory that is not there is a `LimitExceeded`.

    Parameters
    ----------
    shape
        How many items, in each direction.
    dtype
        Their type.
    """
    dtype = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else int(shape)
    nbytes = count * dtype.itemsize
    is_kept = _CAN_KEEP and nbytes >= _LEAST_NBYTES and not dtype.hasobject
    pool = _OfProcess.get() if is_kept else None
    try:
        if pool is not None:
            found: _Array = pool.array(nbytes).view(dtype)
            return found.reshape(shape)
        return np.empty(shape, dtype)
    except (MemoryError, OverflowError, OSError, ValueError) as error:
        raise LimitExceeded(
            f"{count:,} items of {dtype.itemsize} bytes are wanted at once, and there is no memory "
            "for them"
        ) from error


def discard(part: _Array) -> None:
    """Give back what memory can be of an array, or of a part of one; its values are lost.

    Parameters
    ----------
    part
        Contiguous. What `new_array` did not make in large pages stays as it is.
    """
    owner: Any = part
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, _Block):
        owner.discard(part.__array_interface__["data"][0], part.nbytes)
