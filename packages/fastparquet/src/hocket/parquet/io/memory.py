"""Bytes that are in memory already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.source import Source

__all__ = ["MemorySource"]


class MemorySource(Source):
    """A buffer: bytes, bytearray, memoryview, mmap, NumPy array, Arrow buffer.

    Parameters
    ----------
    data
        The buffer. What is read is a copy: the buffer's owner may change it at any time.
    name
        Its description, for messages.
    """

    def __init__(self, data: Any, name: str | None = None) -> None:
        view = memoryview(data)
        if not view.c_contiguous:
            raise InvalidOption("the buffer's bytes do not lie in one piece; copy it first")
        self._data = np.frombuffer(view, np.uint8)
        super().__init__(name or f"<{type(data).__name__}>", self._data.size)

    def _fill(self, offset: int, destination: NDArray[np.uint8]) -> None:
        destination[:] = self._data[offset : offset + destination.size]

    def __reduce__(self) -> tuple[Any, ...]:
        return MemorySource, (self._data.tobytes(), self.name)
