"""How much memory a read may take: asked before it is taken, counted while values come in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from hocket.parquet.decode.target import Target
from hocket.parquet.errors import LimitExceeded

__all__ = ["MemoryBudget"]

#: What a value of varying size takes at the least: an offset, or a pointer to an object.
_POINTER_NBYTES: Final = 8
_REMEDY: Final = "read fewer columns or rows, or one row group at a time, or raise memory_limit"


class MemoryBudget:
    """The bytes that are decoded for one result.

    Parameters
    ----------
    limit_nbytes
        How many there may be.
    """

    def __init__(self, limit_nbytes: int) -> None:
        self.limit_nbytes = limit_nbytes
        self._taken_nbytes = 0
        self._lock = threading.Lock()

    def reserve(
        self, rows: int, columns: Sequence[tuple[Sequence[Target], bool]], *, partitions: int = 0
    ) -> None:
        """Refuse a result that cannot be held, before any memory is taken for it.

        Parameters
        ----------
        rows
            How many rows it has.
        columns
            Of each column, what its leaves are decoded to, and whether it is nested.
        partitions
            How many columns come from directories: a code for each row, of one byte or more.
        """
        sizes = [
            0 if is_nested or not leaves else leaves[0].item_size for leaves, is_nested in columns
        ]
        # Offsets or pointers belong to values whose size is not known yet.
        least = rows * (partitions + sum(size or _POINTER_NBYTES for size in sizes))
        if least > self.limit_nbytes:
            raise LimitExceeded(
                f"{rows:,} rows of {len(columns) + partitions} columns take {least:,} bytes or "
                f"more, and the limit is {self.limit_nbytes:,}: {_REMEDY}"
            )
        self._taken_nbytes += rows * (partitions + sum(sizes))

    def take(self, nbytes: int) -> None:
        """Count what values turned out to take. They are there already, but no more will be."""
        with self._lock:
            self._taken_nbytes += nbytes
            taken = self._taken_nbytes
        if taken > self.limit_nbytes:
            raise LimitExceeded(
                f"the values so far take {taken:,} bytes, and the limit is {self.limit_nbytes:,}: "
                f"{_REMEDY}"
            )
