"""Calls of the kernels that read Thrift's compact protocol, from Python.

A struct is read into one `Fields`: what kind each field is, and its value or where it lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.faults import THRIFT_FIELD_MISSING, THRIFT_TYPE, error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I64,
    LIST,
    SCAN_ITEM,
    STACK_NBYTES,
    STRUCT,
    TRUE,
)

__all__ = ["Fields", "checked", "padded", "read_items", "read_struct", "read_structs", "scratch"]

#: Readable bytes after the end of what kernels read.
PADDING_NBYTES: Final = 64


def padded(data: bytes | bytearray | memoryview) -> np.ndarray[Any, Any]:
    """Return bytes as an array that has zeros after its end, which kernels may read."""
    nbytes = len(data)
    array = np.zeros(nbytes + PADDING_NBYTES, dtype=np.uint8)
    array[:nbytes] = np.frombuffer(data, dtype=np.uint8)
    return array[:nbytes]


def scratch() -> np.ndarray[Any, Any]:
    """Return memory that kernels keep nested structures in."""
    return np.empty(STACK_NBYTES, dtype=np.uint8)


def checked(answer: int, what: str) -> int:
    """Return a kernel's answer, raise if it is a fault.

    Parameters
    ----------
    answer
        The answer.
    what
        What was read, for errors.
    """
    if answer < 0:
        raise CorruptFile(f"{error_of(answer).reason}: in {what}")
    return answer


class Fields:
    """The fields of a struct, by their numbers.

    Parameters
    ----------
    data
        The bytes that the struct is in, padded.
    items
        Three numbers for each field, as the kernel `scan_struct` writes them.
    what
        Name of the struct, for errors.
    """

    __slots__ = ("data", "items", "what")

    def __init__(self, data: np.ndarray[Any, Any], items: list[list[int]], what: str) -> None:
        self.data = data
        self.items = items
        self.what = what

    def has(self, field: int) -> bool:
        """Tell whether a field is there."""
        return self.items[field][0] != 0

    def integer(self, field: int) -> int | None:
        """Return an integer, None if it is missing."""
        kind, value, _ = self.items[field]
        if kind == 0:
            return None
        if not BYTE <= kind <= I64:
            raise self._mistyped(field)
        return value

    def required(self, field: int) -> int:
        """Return an integer that must be there."""
        value = self.integer(field)
        if value is None:
            raise self.missing(field)
        return value

    def boolean(self, field: int) -> bool | None:
        """Return a boolean, None if it is missing."""
        kind, value, _ = self.items[field]
        if kind == 0:
            return None
        if kind not in {TRUE, FALSE}:
            raise self._mistyped(field)
        return value == 1

    def binary(self, field: int) -> bytes | None:
        """Return a byte string, None if it is missing."""
        kind, at, nbytes = self.items[field]
        if kind == 0:
            return None
        if kind != BINARY:
            raise self._mistyped(field)
        return self.data[at : at + nbytes].tobytes()

    def double(self, field: int) -> float | None:
        """Return a double, None if it is missing."""
        kind, at, _ = self.items[field]
        if kind == 0:
            return None
        if kind != DOUBLE:
            raise self._mistyped(field)
        return float(self.data[at : at + 8].view("<f8")[0])

    def struct_at(self, field: int) -> int | None:
        """Return where a struct begins, None if it is missing."""
        return self._at(field, STRUCT)

    def list_at(self, field: int) -> int | None:
        """Return where a list's header is, None if it is missing."""
        return self._at(field, LIST)

    def _at(self, field: int, wanted: int) -> int | None:
        kind, at, _ = self.items[field]
        if kind == 0:
            return None
        if kind != wanted:
            raise self._mistyped(field)
        return at

    def missing(self, field: int) -> CorruptFile:
        """Return the error that a required field is not there."""
        words = error_of(-THRIFT_FIELD_MISSING).reason
        return CorruptFile(f"{words}: {field} of {self.what}")

    def _mistyped(self, field: int) -> CorruptFile:
        words = error_of(-THRIFT_TYPE).reason
        return CorruptFile(f"{words}: {field} of {self.what}")


def read_struct(data: np.ndarray[Any, Any], at: int, count: int, what: str) -> tuple[Fields, int]:
    """Return the fields of a struct with numbers below a count, and where it ends.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where it begins.
    count
        Highest number of a field and 1.
    what
        Name of the struct, for errors.
    """
    items = np.zeros((count, SCAN_ITEM), dtype=np.int64)
    stack = scratch()
    end = KERNEL.scan_struct(address(data), len(data), at, address(items), count, address(stack))
    return Fields(data, items.tolist(), what), checked(end, what)


def read_items(data: np.ndarray[Any, Any], at: int, what: str) -> np.ndarray[Any, Any]:
    """Return a row of three numbers for each element of a list, as `scan_list` writes them.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where its header is.
    what
        What the list is, for errors.
    """
    stack = scratch()
    base, end = address(data), len(data)
    count = checked(KERNEL.scan_list(base, end, at, 0, -1, address(stack)), what)
    items = np.empty((count, SCAN_ITEM), dtype=np.int64)
    if count:
        checked(KERNEL.scan_list(base, end, at, address(items), count, address(stack)), what)
    return items


def read_structs(data: np.ndarray[Any, Any], at: int, count: int, what: str) -> Iterator[Fields]:
    """Yield the fields of each struct of a list.

    Parameters
    ----------
    data
        The bytes that it is in, padded.
    at
        Where the list's header is.
    count
        Highest number of a field and 1.
    what
        Name of the structs, for errors.
    """
    for kind, first, _ in read_items(data, at, f"a list of {what}").tolist():
        if kind != STRUCT:
            raise CorruptFile(f"{error_of(-THRIFT_TYPE).reason}: a list of {what}")
        yield read_struct(data, first, count, what)[0]
