"""Memory that each thread keeps for the next chunk that it decodes.

Pages are decompressed into it, and levels and values wait in it until they go to their place; so
decoding touches the same few megabytes again and again, which stay in the processor's cache.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from hocket.parquet.kernels.library import address
from hocket.parquet.kernels.source.pages import PAGE_COLUMNS
from hocket.parquet.kernels.source.thrift import STACK_NBYTES
from hocket.parquet.memory import new_array

__all__ = ["KEPT_NBYTES", "Scratch", "scratch_of_thread"]

_Array = np.ndarray[Any, Any]

#: A buffer that grew larger than this is not kept for the next chunk.
KEPT_NBYTES: Final = 24 << 20
_SPARE_NBYTES: Final = 64
_PAGE_ROWS: Final = 64


class Scratch:
    """Buffers that grow when they have to, and numbers that go to and from kernels."""

    def __init__(self) -> None:
        self._buffers: dict[str, tuple[_Array, int]] = {}
        self.state = np.zeros(64, np.int64)
        self.state_address = address(self.state)
        self._stack = np.zeros(STACK_NBYTES, np.uint8)
        self.stack_address = address(self._stack)
        self.page_rows = np.empty((_PAGE_ROWS, PAGE_COLUMNS), np.int64)
        self.page_rows_address = address(self.page_rows)

    def more_page_rows(self) -> _Array:
        """Return a table of pages twice as long, with what the old one holds."""
        longer = new_array(2 * self.page_rows.size, np.int64).reshape(-1, PAGE_COLUMNS)
        longer[: len(self.page_rows)] = self.page_rows
        self.page_rows = longer
        self.page_rows_address = address(longer)
        return longer

    def buffer(self, name: str, nbytes: int) -> tuple[_Array, int]:
        """Return bytes (at least so many, and some spare ones) and their address.

        What an earlier buffer of that name held is lost.
        """
        found = self._buffers.get(name)
        if found is None or len(found[0]) < nbytes + _SPARE_NBYTES:
            self._buffers.pop(name, None)
            larger = new_array(nbytes + (nbytes >> 2) + _SPARE_NBYTES, np.uint8)
            found = self._buffers[name] = larger, address(larger)
        return found

    def trim(self) -> None:
        """Let go of what grew too large to be kept."""
        large = [name for name, (data, _) in self._buffers.items() if len(data) > KEPT_NBYTES]
        for name in large:
            del self._buffers[name]
        if self.page_rows.nbytes > KEPT_NBYTES:
            self.page_rows = np.empty((_PAGE_ROWS, PAGE_COLUMNS), np.int64)
            self.page_rows_address = address(self.page_rows)


_OF_THREADS: Final = threading.local()


def scratch_of_thread() -> Scratch:
    """Return the scratch memory of the thread that asks."""
    found: Scratch | None = getattr(_OF_THREADS, "scratch", None)
    if found is None:
        found = _OF_THREADS.scratch = Scratch()
    return found
