"""Memory for received buffers: one block for each message, every buffer on a multiple of 64 bytes.

64 bytes are a cache line and the widest vector register, and what Arrow recommends.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hocket.core.errors import LimitExceeded
from hocket.core.units import GIB, MIB

__all__ = ["ALIGNMENT_NBYTES", "DATA_NBYTES_MAX", "allocate", "available_nbytes"]

ALIGNMENT_NBYTES: Final = 64

#: What one data message may carry. No host that we know of could hold more in one value, so a
#: larger announcement is a mistake or an attack; what memory there is limits it further.
DATA_NBYTES_MAX: Final = 256 * GIB

#: From here on memory comes in pages straight from the system: it is not cleared twice, and it goes
#: back when the last buffer of the block is let go.
_PAGES_NBYTES_MIN: Final = MIB
#: Huge pages save most of the page faults: measured, 100 MB cost both ends together 37 ms of CPU,
#: without them 75, and 92 in a bytearray, which is cleared first.
_HUGE_PAGES_NBYTES_MIN: Final = 4 * MIB
#: Below this nobody asks how much memory there is.
_MEMORY_CHECK_NBYTES_MIN: Final = 64 * MIB


def allocate(sizes: Iterable[int]) -> list[memoryview]:
    """Return writable buffers of these sizes in bytes, slices of one new block.

    Raises
    ------
    LimitExceeded
        The sum is over `DATA_NBYTES_MAX`, or over the memory that there is.
    """
    starts = []
    total = 0
    sizes = list(sizes)
    for size in sizes:
        starts.append(total)
        total += -(-size // ALIGNMENT_NBYTES) * ALIGNMENT_NBYTES
    if not total:
        return [memoryview(bytearray()) for _ in sizes]
    _refuse_excess(total)
    block = _block(total)
    return [block[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _refuse_excess(nbytes: int) -> None:
    what = "the size of the buffers that a peer announces"
    if nbytes > DATA_NBYTES_MAX:
        raise LimitExceeded(what=what, limit=DATA_NBYTES_MAX, asked=nbytes)
    if nbytes >= _MEMORY_CHECK_NBYTES_MIN:
        available = available_nbytes()
        if available is not None and nbytes > available:
            raise LimitExceeded(what=what + " (available memory)", limit=available, asked=nbytes)


def _block(nbytes: int) -> memoryview:
    """Return an aligned, writable block."""
    if nbytes >= _PAGES_NBYTES_MIN:
        try:
            pages = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise LimitExceeded(
                what=f"the size of the buffers that a peer announces ({error.strerror})",
                limit=0,
                asked=nbytes,
            ) from None
        if nbytes >= _HUGE_PAGES_NBYTES_MIN and hasattr(mmap, "MADV_HUGEPAGE"):
            pages.madvise(mmap.MADV_HUGEPAGE)
        return memoryview(pages)
    raw = bytearray(nbytes + ALIGNMENT_NBYTES - 1)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(raw)) % ALIGNMENT_NBYTES
    return memoryview(raw)[start : start + nbytes]


def available_nbytes() -> int | None:
    """Return how much memory may still be used, as far as the system says; None if it does not."""
    found = [
        int(line.split()[1]) * 1024
        for line in _read(Path("/proc/meminfo")).splitlines()
        if line.startswith("MemAvailable:")
    ]
    group = Path("/sys/fs/cgroup")
    limit, used = _read(group / "memory.max").strip(), _read(group / "memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        # The page cache counts as used, and gives way.
        inactive = 0
        for line in _read(group / "memory.stat").splitlines():
            if line.startswith("inactive_file "):
                inactive = int(line.split()[1])
        found.append(max(0, int(limit) - int(used) + inactive))
    return min(found, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
