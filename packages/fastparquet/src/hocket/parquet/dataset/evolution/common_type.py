"""The narrowest type of a column that holds the values of two others, each of them exactly.

What is held exactly is a matter of types but for one pair: integers of 64 bits and floats become
doubles, and each integer is looked at when it is read. Text and bytes become bytes; everything
becomes what it is beside columns of nulls. Nothing is held by text, and no instant by local time.
"""

from __future__ import annotations

from typing import Final, Self

from hocket.parquet.decode.target import UNITS, natural_target
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.records import dataclass

__all__ = ["LeafShape", "common_shape"]

_FIXED: Final = PhysicalType.FIXED_LEN_BYTE_ARRAY
_NONE: Final = LogicalType(LogicalKind.NONE)
_TEXT: Final = frozenset({LogicalKind.STRING, LogicalKind.ENUM, LogicalKind.JSON})
_UNTOLD: Final = frozenset({LogicalKind.NONE, LogicalKind.UNRECOGNISED})
_BYTES: Final = frozenset({PhysicalType.BYTE_ARRAY, _FIXED})
#: Integers of so many bits are all floats of so many bytes, too.
_EXACT_BITS: Final = {2: 8, 4: 16, 8: 64}
_FLOATS: Final = {
    4: (PhysicalType.FLOAT, 0, _NONE),
    8: (PhysicalType.DOUBLE, 0, _NONE),
    2: (_FIXED, 2, LogicalType(LogicalKind.FLOAT16)),
}
#: Decimal digits of integers, by bits and sign.
_DIGITS: Final = {
    (8, True): 3,
    (16, True): 5,
    (32, True): 10,
    (64, True): 19,
    (8, False): 3,
    (16, False): 5,
    (32, False): 10,
    (64, False): 20,
}
_MOST_DIGITS: Final = 76


@dataclass(frozen=True, slots=True)
class LeafShape:
    """What the values of a leaf are stored as, and what they mean.

    Parameters
    ----------
    physical, type_length, logical
        As in `SchemaNode`.
    """

    physical: PhysicalType
    type_length: int
    logical: LogicalType

    @classmethod
    def of(cls, leaf: SchemaNode) -> Self:
        """Return that of a leaf."""
        assert leaf.physical is not None
        return cls(leaf.physical, leaf.type_length, leaf.logical)

    @property
    def kind(self) -> LogicalKind:
        """The kind of the logical type."""
        return self.logical.kind

    @property
    def is_null(self) -> bool:
        """Whether there are no values at all."""
        return self.kind is LogicalKind.UNKNOWN

    def integer(self) -> tuple[int, bool] | None:
        """Return the bits of integers, and whether they have a sign; None for all else."""
        if self.physical not in (PhysicalType.INT32, PhysicalType.INT64) or (
            self.kind not in _UNTOLD and self.kind is not LogicalKind.INTEGER
        ):
            return None
        dtype = natural_target(self.leaf()).dtype
        assert dtype is not None
        return 8 * dtype.itemsize, dtype.kind == "i"

    def float_nbytes(self) -> int:
        """Return the bytes of floats; 0 for all else."""
        if self.kind is LogicalKind.FLOAT16 and self.type_length == 2:
            return 2
        return {PhysicalType.FLOAT: 4, PhysicalType.DOUBLE: 8}.get(self.physical, 0)

    def digits(self) -> tuple[int, int] | None:
        """Return the digits of decimals or integers before and after the point; None for others."""
        if self.kind is LogicalKind.DECIMAL:
            return self.logical.precision - self.logical.scale, self.logical.scale
        whole = self.integer()
        return None if whole is None else (_DIGITS[whole], 0)

    def time(self) -> tuple[LogicalKind, str, bool] | None:
        """Return the kind of times, their unit, and whether they are instants; None for others."""
        logical = self.logical
        if self.kind is LogicalKind.DATE:
            return LogicalKind.TIMESTAMP, "D", False
        if self.physical is PhysicalType.INT96 and not self.is_null:
            return LogicalKind.TIMESTAMP, "ns", False
        if self.kind in (LogicalKind.TIME, LogicalKind.TIMESTAMP) and self.physical is not _FIXED:
            return self.kind, logical.unit, logical.is_utc
        return None

    def leaf(self) -> SchemaNode:
        """Return a leaf of this shape that stands nowhere."""
        return SchemaNode(
            name="",
            parent=None,
            repetition=Repetition.REQUIRED,
            field_id=None,
            logical=self.logical,
            converted_type=None,
            physical=self.physical,
            type_length=self.type_length,
            max_definition=0,
            max_repetition=0,
            slot_definition=0,
            column_index=0,
        )


def common_shape(first: LeafShape, second: LeafShape) -> LeafShape | None:
    """Return the narrowest shape that holds the values of two; None if there is none."""
    if first == second or second.is_null:
        return first
    if first.is_null:
        return second
    for rule in (_integers, _floats, _decimals, _times, _byte_strings):
        found = rule(first, second)
        if found is not None:
            return found
    return None


def _integers(first: LeafShape, second: LeafShape) -> LeafShape | None:
    one, other = first.integer(), second.integer()
    if one is None or other is None:
        return None
    if one == other:
        return first
    is_signed = one[1] or other[1]
    # With a sign, unsigned integers take twice as many bits.
    bits = max(size if signed == is_signed else 2 * size for size, signed in (one, other))
    if bits > 64:
        return None
    for shape, own in ((first, one), (second, other)):
        if own == (bits, is_signed):
            return shape
    physical = PhysicalType.INT64 if bits == 64 else PhysicalType.INT32
    logical = _NONE
    if not is_signed or bits < 32:
        logical = LogicalType(LogicalKind.INTEGER, bit_width=bits, is_signed=is_signed)
    return LeafShape(physical, 0, logical)


def _floats(first: LeafShape, second: LeafShape) -> LeafShape | None:
    nbytes = max(first.float_nbytes(), second.float_nbytes())
    if not nbytes:
        return None
    for shape in (first, second):
        whole = shape.integer()
        if whole is not None:
            nbytes = next(
                each for each in (2, 4, 8) if each >= nbytes and whole[0] <= _EXACT_BITS[each]
            )
        elif not shape.float_nbytes():
            return None
    return LeafShape(*_FLOATS[nbytes])


def _decimals(first: LeafShape, second: LeafShape) -> LeafShape | None:
    one, other = first.digits(), second.digits()
    if one is None or other is None or LogicalKind.DECIMAL not in (first.kind, second.kind):
        return None
    scale = max(one[1], other[1])
    precision = max(one[0], other[0]) + scale
    if precision > _MOST_DIGITS:
        return None
    logical = LogicalType(LogicalKind.DECIMAL, precision=precision, scale=scale)
    if precision <= 18:
        return LeafShape(PhysicalType.INT32 if precision <= 9 else PhysicalType.INT64, 0, logical)
    return LeafShape(_FIXED, 16 if precision <= 38 else 32, logical)


def _times(first: LeafShape, second: LeafShape) -> LeafShape | None:
    one, other = first.time(), second.time()
    if one is None or other is None or (one[0], one[2]) != (other[0], other[2]):
        return None
    kind, is_utc = one[0], one[2]
    units = [unit for _, unit, _ in (one, other) if unit != "D"]
    if not units:
        return first
    unit = min(units, key=UNITS.index)
    logical = LogicalType(kind, unit=unit, is_utc=is_utc)
    is_short = kind is LogicalKind.TIME and unit == "ms"
    return LeafShape(PhysicalType.INT32 if is_short else PhysicalType.INT64, 0, logical)


def _byte_strings(first: LeafShape, second: LeafShape) -> LeafShape | None:
    if first.physical not in _BYTES or second.physical not in _BYTES:
        return None
    kinds = {first.kind, second.kind}
    if kinds <= _TEXT:
        return LeafShape(PhysicalType.BYTE_ARRAY, 0, LogicalType(LogicalKind.STRING))
    if len(kinds - _UNTOLD) == 2 or kinds & _NUMBERS:
        return None
    if first.kind == second.kind and first.kind not in _UNTOLD:
        return None
    if (first.physical, first.type_length) == (second.physical, second.type_length):
        return LeafShape(first.physical, first.type_length, _NONE)
    return LeafShape(PhysicalType.BYTE_ARRAY, 0, _NONE)


#: Kinds of byte strings whose bytes are no text and no plain bytes.
_NUMBERS: Final = frozenset(
    {LogicalKind.DECIMAL, LogicalKind.FLOAT16, LogicalKind.INTERVAL, LogicalKind.TIMESTAMP}
)
