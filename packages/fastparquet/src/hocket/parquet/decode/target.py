"""What the values of a column are decoded to: the size of an item, and how it is made.

A target says nothing about pandas or Arrow: only how many bytes a value takes in the result and how
they come from those of the file. Who wants a certain array makes the target for it; who wants
everything without loss takes `natural_target`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np

from hocket.parquet.metadata.schema import LogicalKind, LogicalType, PhysicalType, SchemaNode
from hocket.parquet.records import dataclass, replace

__all__ = [
    "NAN_32",
    "NAN_64",
    "NAT",
    "UNITS",
    "Conversion",
    "Target",
    "byte_string_target",
    "categorical_target",
    "coarser_targets",
    "in_unit",
    "natural_target",
    "physical_width",
    "time_units",
]

#: Bit patterns for null slots: not a number, in singles and doubles, and pandas' missing time.
NAN_32: Final = 0x7FC00000
NAN_64: Final = 0x7FF8000000000000
NAT: Final = -(1 << 63)


class Conversion(IntEnum):
    """How an item of the result comes from a value of the file. Kernels know these numbers."""

    COPY = 0
    #: int32 to its lowest byte or two; other values than these can hold are an error.
    NARROW_8 = 1
    NARROW_16 = 2
    #: int32 to int64.
    WIDEN_64 = 3
    #: int32 or int64 to 16 bytes, little-endian.
    WIDEN_128 = 4
    #: Days as int32 to seconds as int64.
    DAYS_TO_SECONDS = 5
    #: Julian day and nanoseconds (12 bytes) to time since 1970; an error if it does not fit.
    INT96_TO_SECONDS = 6
    INT96_TO_MILLIS = 7
    INT96_TO_MICROS = 8
    INT96_TO_NANOS = 9
    #: Big-endian two's complement of any length to so many bits, little-endian.
    BIG_ENDIAN_32 = 10
    BIG_ENDIAN_64 = 11
    BIG_ENDIAN_128 = 12
    BIG_ENDIAN_256 = 13
    #: Bits to bytes of 0 or 1.
    BOOLEAN_BYTES = 14
    #: Counts of 96 bits, little-endian, to int64, in the same unit or in coarser ones.
    WIDE_TICKS = 15
    WIDE_TICKS_BY_THOUSAND = 16
    WIDE_TICKS_BY_MILLION = 17
    WIDE_TICKS_BY_BILLION = 18


@dataclass(frozen=True, slots=True)
class Target:
    """What a value becomes.

    Parameters
    ----------
    item_size
        Bytes of an item in the result; 0 for byte strings (offsets and data).
    dtype
        NumPy's type of the items; None for byte strings.
    conversion
        How an item is made.
    null_bits
        What stands in the slot of a null: a pattern of up to 8 bytes. Wider items are all zeros.
    keep_dictionary
        Codes and a dictionary are wanted, not values.
    check_utf8
        Byte strings have to be UTF-8.
    """

    item_size: int
    dtype: np.dtype[Any] | None
    conversion: Conversion = Conversion.COPY
    null_bits: int = 0
    keep_dictionary: bool = False
    check_utf8: bool = False


_INTEGERS: Final = {
    (8, True): "i1",
    (16, True): "i2",
    (32, True): "i4",
    (64, True): "i8",
    (8, False): "u1",
    (16, False): "u2",
    (32, False): "u4",
    (64, False): "u8",
}
_NARROWING: Final = {1: Conversion.NARROW_8, 2: Conversion.NARROW_16}
_WIDTHS: Final = {
    PhysicalType.INT32: 4,
    PhysicalType.INT64: 8,
    PhysicalType.INT96: 12,
    PhysicalType.FLOAT: 4,
    PhysicalType.DOUBLE: 8,
}
_TEXT: Final = frozenset({LogicalKind.STRING, LogicalKind.ENUM, LogicalKind.JSON})


_PLAIN_TARGETS: Final = {
    PhysicalType.BOOLEAN: Target(1, np.dtype("?"), Conversion.BOOLEAN_BYTES),
    PhysicalType.FLOAT: Target(4, np.dtype("f4"), null_bits=NAN_32),
    PhysicalType.DOUBLE: Target(8, np.dtype("f8"), null_bits=NAN_64),
    PhysicalType.INT96: Target(8, np.dtype("i8"), Conversion.INT96_TO_NANOS, NAT),
}
#: So many decimal digits fit into 16 bytes.
_DIGITS_OF_16_BYTES: Final = 38


def physical_width(leaf: SchemaNode) -> int:
    """Return the bytes of a value as PLAIN stores it; 0 for booleans and byte strings."""
    if leaf.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        return leaf.type_length
    return 0 if leaf.physical is None else _WIDTHS.get(leaf.physical, 0)


_INT96_UNITS: Final = (
    ("ns", Conversion.INT96_TO_NANOS),
    ("us", Conversion.INT96_TO_MICROS),
    ("ms", Conversion.INT96_TO_MILLIS),
    ("s", Conversion.INT96_TO_SECONDS),
)
#: Units of times, the finest first.
UNITS: Final = ("ns", "us", "ms", "s")
_WIDE_TICKS: Final = (
    Conversion.WIDE_TICKS,
    Conversion.WIDE_TICKS_BY_THOUSAND,
    Conversion.WIDE_TICKS_BY_MILLION,
    Conversion.WIDE_TICKS_BY_BILLION,
)


def time_units(leaf: SchemaNode) -> tuple[tuple[str, Conversion], ...]:
    """Return how timestamps of 12 bytes can be decoded: unit and conversion for each of `UNITS`.

    A value that does not fit into 64 bits in one unit does in a coarser one. None is finer than the
    unit of the column. Empty for columns of anything else.
    """
    kind = leaf.logical.kind
    if leaf.physical is PhysicalType.INT96:
        return () if kind is LogicalKind.UNKNOWN else _INT96_UNITS
    if leaf.physical is PhysicalType.FIXED_LEN_BYTE_ARRAY and kind is LogicalKind.TIMESTAMP:
        own = UNITS.index(leaf.logical.unit)
        return tuple(
            (UNITS[max(at, own)], _WIDE_TICKS[max(at - own, 0)]) for at in range(len(UNITS))
        )
    return ()


def coarser_targets(leaf: SchemaNode, target: Target) -> list[Target]:
    """Return the targets of timestamps of 12 bytes in coarser units than that of one of them."""
    units = [in_unit(target, *step) for step in time_units(leaf)]
    return units[units.index(target) + 1 :] if target in units else []


def in_unit(target: Target, unit: str, conversion: Conversion) -> Target:
    """Return a target of timestamps in one of the `time_units` of their column."""
    dtype = target.dtype
    if dtype is not None and dtype.kind == "M":
        dtype = np.dtype(f"M8[{unit}]")
    return replace(target, dtype=dtype, conversion=conversion)


def byte_string_target(leaf: SchemaNode) -> Target:
    """Return the target of byte strings, checked to be UTF-8 where the schema says text."""
    return Target(0, None, check_utf8=leaf.logical.kind in _TEXT)


def categorical_target(leaf: SchemaNode) -> Target:
    """Return the natural target with codes and a dictionary in place of values."""
    return replace(natural_target(leaf), keep_dictionary=True)


def natural_target(leaf: SchemaNode) -> Target:
    """Return what holds every value of a column without loss.

    Integers get the width that the schema says; dates stay days and times stay counts of their
    unit, timestamps of 12 bytes with four of these less; INT96 becomes nanoseconds; decimals of
    byte strings become two's complement of 16 or 32 bytes; other fixed-length values stay bytes.
    """
    physical, logical = leaf.physical, leaf.logical
    assert physical is not None
    found = _PLAIN_TARGETS.get(physical)
    if found is not None:
        return found
    if physical is PhysicalType.INT32 or physical is PhysicalType.INT64:
        return _integer_target(physical, logical)
    if physical is PhysicalType.FIXED_LEN_BYTE_ARRAY:
        return _fixed_length_target(leaf)
    if logical.kind is LogicalKind.DECIMAL:
        return _decimal_target(16 if logical.precision <= _DIGITS_OF_16_BYTES else 32)
    return byte_string_target(leaf)


def _integer_target(physical: PhysicalType, logical: LogicalType) -> Target:
    width = _WIDTHS[physical]
    code = f"i{width}"
    if logical.kind is LogicalKind.INTEGER:
        stated = _INTEGERS.get((logical.bit_width, logical.is_signed), code)
        stated_width = np.dtype(stated).itemsize
        # Only INT32 can be narrowed; what the schema cannot mean is left as it is stored.
        if stated_width == width or (width == 4 and stated_width < 4):
            code = stated
    dtype = np.dtype(code)
    missing = NAT if logical.kind is LogicalKind.TIMESTAMP and width == 8 else 0
    conversion = Conversion.COPY if dtype.itemsize == width else _NARROWING[dtype.itemsize]
    return Target(dtype.itemsize, dtype, conversion, missing)


def _decimal_target(item_size: int) -> Target:
    conversion = Conversion.BIG_ENDIAN_128 if item_size == 16 else Conversion.BIG_ENDIAN_256
    return Target(item_size, np.dtype(f"V{item_size}"), conversion)


def _fixed_length_target(leaf: SchemaNode) -> Target:
    kind, width = leaf.logical.kind, leaf.type_length
    if kind is LogicalKind.TIMESTAMP:
        return Target(8, np.dtype("i8"), Conversion.WIDE_TICKS, NAT)
    if kind is LogicalKind.FLOAT16 and width == 2:
        return Target(2, np.dtype("f2"), null_bits=0x7E00)
    if kind is LogicalKind.DECIMAL and 0 < width <= 32:
        return _decimal_target(16 if width <= 16 else 32)
    return Target(width, np.dtype(f"V{width}"))
