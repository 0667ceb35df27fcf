"""How much memory a process uses, in two ways that answer two questions."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tracemalloc
from pathlib import Path

__all__ = ["memory_nbytes", "peak_nbytes"]


def memory_nbytes(how: str) -> int:
    """Return bytes: "traced" are those of objects alive, "resident" those that the kernel sees.

    Tracing tells what the objects need, if it was started; residence tells what the process costs,
    with what the allocators keep. Garbage is collected first. "" asks for nothing.
    """
    if not how:
        return 0
    gc.collect()
    if how == "traced":
        return tracemalloc.get_traced_memory()[0]
    if sys.platform != "linux":
        raise SystemExit("resident memory is read from /proc, which only Linux has")
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_nbytes(pid: int) -> int:
    """Return the most memory that a process has had at once, resident, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
