"""Partitions as Arrow columns: dictionary arrays with one code for all rows of a row group."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.arrow_arrays import ArrowArray, bitmap
from hocket.parquet.assemble.arrow_types import ArrowField
from hocket.parquet.dataset.partitions import Partition

__all__ = ["partition_array", "partition_field"]

_FORMATS: Final = {"i": "l", "f": "g", "b": "b"}
_UNITS: Final = {"s": "s", "ms": "m", "us": "u", "ns": "n"}


def partition_field(partition: Partition) -> ArrowField:
    """Return the Arrow field of a partition."""
    values = ArrowField(partition.name, _format(partition.values.dtype), nullable=False)
    return ArrowField(partition.name, "i", nullable=True, dictionary=values)


def partition_array(field: ArrowField, partition: Partition, code: int, count: int) -> ArrowArray:
    """Return a partition's column in rows of one file.

    Parameters
    ----------
    field
        Its field.
    partition
        The partition.
    code
        Which of its values the rows have; -1 for null.
    count
        How many rows there are.
    """
    assert field.dictionary is not None
    values = ArrowArray(field.dictionary, len(partition.values), 0, _buffers(partition.values))
    codes = np.full(count, max(code, 0), np.int32)
    if code >= 0:
        return ArrowArray(field, count, 0, (None, codes), dictionary=values)
    bits, _ = bitmap(np.zeros(count, np.bool_))
    return ArrowArray(field, count, count, (bits, codes), dictionary=values)


def _format(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "mM":
        unit = _UNITS[np.datetime_data(dtype)[0]]
        return f"ts{unit}:" if dtype.kind == "M" else f"tD{unit}"
    return _FORMATS.get(dtype.kind, "U")


def _buffers(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any] | None, ...]:
    if values.dtype == object:
        raws = [str(value).encode() for value in values]
        data = np.frombuffer(b"".join(raws) or b"\0", np.uint8)
        return None, np.cumsum([0, *map(len, raws)], dtype=np.int64), data
    if values.dtype.kind == "b":
        return None, bitmap(values)[0]
    return None, np.ascontiguousarray(values)
