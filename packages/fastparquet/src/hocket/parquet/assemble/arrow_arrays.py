"""Columns as Arrow arrays: the buffers of Arrow's columnar format, shared with what was decoded."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.arrow_types import ArrowField
from hocket.parquet.assemble.variant_bytes import variant_bytes
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import CorruptFile, LimitExceeded
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.nesting.assembly import FieldData
from hocket.parquet.records import dataclass

__all__ = ["ArrowArray", "arrow_array", "bitmap"]

_Array = np.ndarray[Any, Any]

_MOST_INT32: Final = (1 << 31) - 1


@dataclass(slots=True)
class ArrowArray:
    """The values of an Arrow field, some rows of them.

    Parameters
    ----------
    field
        What they are.
    length
        How many there are.
    null_count
        How many are missing.
    buffers
        The buffers of the field's format, as Arrow's columnar format orders them; the first of most
        is a bitmap of what is there, None if all is.
    children
        The arrays of the field's children.
    dictionary
        The values that codes stand for.
    """

    field: ArrowField
    length: int
    null_count: int
    buffers: tuple[_Array | None, ...]
    children: tuple[ArrowArray, ...] = ()
    dictionary: ArrowArray | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of all buffers together."""
        own = sum(buffer.nbytes for buffer in self.buffers if buffer is not None)
        if self.dictionary is not None:
            own += self.dictionary.nbytes
        return own + sum(child.nbytes for child in self.children)


def bitmap(valid: _Array) -> tuple[_Array, int]:
    """Return a byte a value as a bit a value, lowest first, and how many are true."""
    valid = np.ascontiguousarray(valid).view(np.uint8)
    # Arrow likes buffers of whole 64-bit words; the last byte's spare bits are 0.
    bits = np.zeros(-(-len(valid) // 64) * 8, np.uint8)
    ones = KERNEL.bitmap_of_bytes(address(valid), len(valid), address(bits))
    return bits, ones


def arrow_array(field: ArrowField, data: FieldData) -> ArrowArray:
    """Return nested data as Arrow arrays; all but validity, booleans and intervals is shared.

    Parameters
    ----------
    field
        The Arrow field of the data's own field.
    data
        Its values, decoded to the field's targets.
    """
    if data.column is not None:
        return column_array(field, data.column)
    validity, nulls = _validity(field, data.valid, data.null_count)
    if field.format == "+s":
        children = _children(field, data) if field.stored is None else _whole_variants(field, data)
        return ArrowArray(field, data.length, nulls, (validity,), children)
    assert data.offsets is not None
    if field.format != "+m":
        return ArrowArray(
            field, data.length, nulls, (validity, data.offsets), _children(field, data)
        )
    if data.offsets.itemsize != 4:
        raise LimitExceeded(
            f"a map has {int(data.offsets[-1])} entries in one row group, more than Arrow's can "
            "have; read fewer rows at once"
        ).located(column=data.field.node.dotted)
    (entries_field,) = field.children
    members = _children(entries_field, data)
    # All values of the type UNKNOWN are missing, and the column may not count them; of others the
    # array does not, since keys have no bitmap.
    missing = max(data.children[0].null_count, members[0].null_count)
    if missing:
        raise CorruptFile(
            f"{missing} keys of a map are missing, and Arrow's maps need them; "
            "read the column into Python values instead"
        ).located(column=data.children[0].field.representative.dotted)
    entries = ArrowArray(entries_field, data.children[0].length, 0, (None,), members)
    return ArrowArray(field, data.length, nulls, (validity, data.offsets), (entries,))


def _whole_variants(field: ArrowField, data: FieldData) -> tuple[ArrowArray, ...]:
    """Return metadata and values of Variants that the file has in more columns than these two."""
    assert field.stored is not None
    metadata, value = field.children
    (at,) = (index for index, each in enumerate(field.stored.children) if each is metadata)
    raws = variant_bytes(data)
    offsets = np.zeros(len(raws) + 1, np.int64)
    np.cumsum([len(raw) for raw in raws], out=offsets[1:])
    buffers = (None, offsets, np.frombuffer(b"".join(raws), np.uint8))
    return arrow_array(metadata, data.children[at]), ArrowArray(value, len(raws), 0, buffers)


def _children(field: ArrowField, data: FieldData) -> tuple[ArrowArray, ...]:
    return tuple(
        arrow_array(child, each) for child, each in zip(field.children, data.children, strict=True)
    )


def _validity(field: ArrowField, valid: _Array | None, nulls: int) -> tuple[_Array | None, int]:
    # What cannot be missing has no bitmap, even where all of its parent is missing.
    if valid is None or not nulls or not field.nullable:
        return None, 0
    bits, ones = bitmap(valid)
    return bits, len(valid) - ones


def column_array(field: ArrowField, column: ColumnData) -> ArrowArray:
    """Return a decoded leaf as an Arrow array.

    Parameters
    ----------
    field
        Its Arrow field, for whose target it was decoded.
    column
        The values.
    """
    if field.format == "n":
        return ArrowArray(field, column.count, column.count, ())
    if field.dictionary is not None:
        return _dictionary_array(field, column)
    validity, nulls = _validity(field, column.valid, column.null_count)
    if column.codes is not None:
        raise TypeError(f"{column.leaf.dotted} was decoded to codes, and its values are wanted")
    return ArrowArray(field, column.count, nulls, (validity, *_buffers(field, column)))


def _buffers(field: ArrowField, column: ColumnData) -> tuple[_Array, ...]:
    if field.format in ("U", "Z"):
        assert column.offsets is not None
        assert column.data is not None
        return np.ascontiguousarray(column.offsets), np.ascontiguousarray(column.data)
    assert column.values is not None
    values = np.ascontiguousarray(column.values)
    if field.format == "b":
        return (bitmap(values)[0],)
    if field.format == "tin":
        return (_intervals(column, values),)
    return (values,)


def _intervals(column: ColumnData, values: _Array) -> _Array:
    """Return months, days and milliseconds as Arrow has them: months, days and nanoseconds."""
    parts = values.view("<u4").reshape(-1, 3)
    if parts.size and int(parts[:, :2].max()) > _MOST_INT32:
        raise CorruptFile(
            f"an interval has {int(parts[:, :2].max())} months or days, more than Arrow's can have"
        ).located(column=column.leaf.dotted)
    result = np.empty(len(parts), np.dtype([("months", "<i4"), ("days", "<i4"), ("ns", "<i8")]))
    result["months"] = parts[:, 0]
    result["days"] = parts[:, 1]
    result["ns"] = parts[:, 2]
    result["ns"] *= 1_000_000
    return result


def _dictionary_array(field: ArrowField, column: ColumnData) -> ArrowArray:
    assert field.dictionary is not None
    codes, values = column.codes, column.dictionary
    nulls = column.null_count
    if codes is None or values is None:
        # Too many values for a dictionary: each slot's value is its own.
        codes, values = np.arange(column.count, dtype=np.int32), column
        values = ColumnData(
            column.leaf,
            column.target,
            column.count,
            0,
            values=column.values,
            offsets=column.offsets,
            data=column.data,
        )
    elif nulls:
        # Codes of missing values are -1, which not every reader leaves alone.
        codes = np.maximum(codes, 0)
    validity = None
    if column.valid is not None and nulls:
        validity, ones = bitmap(column.valid)
        nulls = column.count - ones
    dictionary = column_array(field.dictionary, values)
    return ArrowArray(
        field, column.count, nulls, (validity, np.ascontiguousarray(codes)), dictionary=dictionary
    )
