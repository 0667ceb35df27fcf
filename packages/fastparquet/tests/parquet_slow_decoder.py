"""Decoded columns without files: leaves of any type, and what a decoder would make of values.

Values are those that a file stores: ints, floats, bytes, for INT96 pairs of a Julian day and
nanoseconds; None is null.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from hocket.parquet.assemble.column_builder import Place
from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.assemble.pandas_types import plan_column
from hocket.parquet.assemble.value_kinds import NO_HINT
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Conversion
from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.nesting.fields import field_of

EPOCH_JULIAN_DAY = 2_440_588
DAY_NS = 86_400 * 10**9
ANYWHERE = Place(None, None, wants_valid=True)
_INT96 = {
    Conversion.INT96_TO_MILLIS: 10**6,
    Conversion.INT96_TO_MICROS: 10**3,
    Conversion.INT96_TO_NANOS: 1,
}


def leaf(
    physical,
    kind=LogicalKind.NONE,
    *,
    name="x",
    required=False,
    length=0,
    index=0,
    **logical,
):
    """Return a column right below the root."""
    root = SchemaNode(
        name="schema",
        parent=None,
        repetition=Repetition.REQUIRED,
        field_id=None,
        logical=LogicalType(LogicalKind.NONE),
        converted_type=None,
        physical=None,
        type_length=0,
        max_definition=0,
        max_repetition=0,
        slot_definition=0,
        column_index=-1,
    )
    return SchemaNode(
        name=name,
        parent=root,
        repetition=Repetition.REQUIRED if required else Repetition.OPTIONAL,
        field_id=None,
        logical=LogicalType(kind, **logical),
        converted_type=None,
        physical=physical,
        type_length=length,
        max_definition=0 if required else 1,
        max_repetition=0,
        slot_definition=0,
        column_index=index,
    )


def decoded(node, target, values, place=ANYWHERE, *, dictionary=True):
    """Return what a decoder makes of stored values."""
    nulls = sum(value is None for value in values)
    column = ColumnData(node, target, len(values), nulls, row_count=len(values))
    if place.valid is not None:
        place.valid[:] = [value is not None for value in values]
        column.valid = place.valid
    elif nulls and place.wants_valid:
        column.valid = np.array([value is not None for value in values])
    if target.keep_dictionary and dictionary:
        present = list(dict.fromkeys(value for value in values if value is not None))
        codes = {value: code for code, value in enumerate(present)}
        column.codes = np.array([codes.get(value, -1) for value in values], np.int32)
        plain = replace(target, keep_dictionary=False)
        column.dictionary = decoded(node, plain, present)
    elif target.item_size == 0:
        parts = [value or b"" for value in values]
        column.offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        column.data = np.frombuffer(b"".join(parts) + bytes(64), np.uint8)[: column.offsets[-1]]
    else:
        missing = struct.pack("<Q", target.null_bits & (2**64 - 1)).ljust(32, b"\0")
        raw = b"".join(
            missing[: target.item_size] if value is None else _item(node, target, value)
            for value in values
        )
        column.values = np.frombuffer(raw, target.dtype).copy()
        if place.values is not None:
            place.values[:] = column.values
            column.values = place.values
    return column


def _item(node, target, value):
    size, conversion = target.item_size, target.conversion
    if conversion in _INT96:
        days, nanos = value
        count = ((days - EPOCH_JULIAN_DAY) * DAY_NS + nanos) // _INT96[conversion]
        if not -(2**63) < count < 2**63:
            raise CorruptFile("a value does not fit into the type that was asked for")
        return struct.pack("<q", count)
    if conversion is Conversion.DAYS_TO_SECONDS:
        return struct.pack("<q", value * 86_400)
    if isinstance(value, bytes):
        if conversion is Conversion.COPY:
            return value
        return int.from_bytes(value, "big", signed=True).to_bytes(size, "little", signed=True)
    if isinstance(value, float):
        return struct.pack("<f" if node.physical is PhysicalType.FLOAT else "<d", value)
    return (int(value) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def plan(node, *, hint=NO_HINT, null_free=False, **options):
    """Return the plan of one column."""
    return plan_column(
        node.name, field_of(node), PandasOptions(**options), hint=hint, null_free=null_free
    )


def frame(columns, *, hint=NO_HINT, null_free=False, dictionary=True, **options):
    """Return the frame of columns: pairs of a leaf and the values of each row group."""
    plans = [plan(node, hint=hint, null_free=null_free, **options) for node, _ in columns]
    counts = [len(part) for part in columns[0][1]]
    builder = FrameBuilder(plans, counts)
    fill(builder, columns, dictionary=dictionary)
    return builder.finish()


def fill(builder, columns, *, dictionary=True):
    """Put the values of all columns into a builder, the last row group first."""
    for at, (node, parts) in enumerate(columns):
        for row_group in reversed(range(len(parts))):

            def decode(_leaf, target, place, node=node, values=parts[row_group]):
                return decoded(node, target, values, place, dictionary=dictionary)

            builder.fill(at, row_group, decode)


def series(node, *parts, **options):
    """Return one column of a frame."""
    return frame([(node, list(parts))], **options).iloc[:, 0]
