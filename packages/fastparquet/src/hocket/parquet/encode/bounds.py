"""The least and largest of a leaf's values, as statistics and the column index tell them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.strings import check_strings
from hocket.parquet.encode.written_chunk import ValueBounds
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import bounds as kernel
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["bounds_of", "cut_bounds", "has_order", "merge_bounds"]

_Array = np.ndarray[Any, Any]

_UNORDERED: Final = {
    LogicalKind.INTERVAL,
    LogicalKind.GEOMETRY,
    LogicalKind.GEOGRAPHY,
    LogicalKind.VARIANT,
    LogicalKind.UNKNOWN,
    # As fixed bytes. Those of 64 bits are integers.
    LogicalKind.TIMESTAMP,
}
_TEXT: Final = {LogicalKind.STRING, LogicalKind.ENUM, LogicalKind.JSON}

_NUMBERS: Final = {
    PhysicalType.BOOLEAN: kernel.BOOLEAN,
    PhysicalType.INT32: kernel.SIGNED_32,
    PhysicalType.INT64: kernel.SIGNED_64,
    PhysicalType.FLOAT: kernel.FLOAT_32,
    PhysicalType.DOUBLE: kernel.FLOAT_64,
}
_UNSIGNED: Final = {
    kernel.SIGNED_32: kernel.UNSIGNED_32,
    kernel.SIGNED_64: kernel.UNSIGNED_64,
}
_WIDTHS: Final = {
    kernel.BOOLEAN: 1,
    kernel.SIGNED_32: 4,
    kernel.UNSIGNED_32: 4,
    kernel.SIGNED_64: 8,
    kernel.UNSIGNED_64: 8,
    kernel.FLOAT_16: 2,
    kernel.FLOAT_32: 4,
    kernel.FLOAT_64: 8,
}
_FLOATS: Final = {kernel.FLOAT_16: "<e", kernel.FLOAT_32: "<f", kernel.FLOAT_64: "<d"}
_SIGN: Final = 1 << 63
#: Code points of surrogates, which are in no text.
_SURROGATES: Final = (0xD800, 0xDFFF)
_LAST_CODE_POINT: Final = 0x10FFFF


def has_order(node: SchemaNode) -> bool:
    """Tell whether values of a column have an order, and so bounds.

    Parameters
    ----------
    node
        The column.
    """
    if node.physical in _NUMBERS:
        return node.logical.kind is not LogicalKind.UNKNOWN
    return node.physical is not PhysicalType.INT96 and node.logical.kind not in _UNORDERED


def bounds_of(
    values: DenseValues, start: int, stop: int, *, most_nbytes: int | None
) -> ValueBounds:
    """Return the least and the largest of some values.

    Parameters
    ----------
    values
        The values. With codes, only entries that the codes name count.
    start, stop
        Which of them.
    most_nbytes
        How long bounds of byte strings may be; longer ones are cut, the upper one made larger, so
        that they still are bounds. Text stays text. None: they are never cut.
    """
    node = values.node
    number = _number_kind(node)
    if start == stop or not has_order(node):
        return ValueBounds(nan_count=0 if number in _FLOATS else None)
    if number is not None:
        return _bounds_of_numbers(values, start, stop, number)
    places = np.empty(2, np.int64)
    answer = _find_bytes(values, start, stop, places)
    if answer < 0:
        raise error_of(answer)
    low, high = (_bytes_at(values, int(at)) for at in places)
    whole = ValueBounds(low, high)
    return whole if most_nbytes is None else cut_bounds(node, whole, most_nbytes)


def cut_bounds(node: SchemaNode, bounds: ValueBounds, most_nbytes: int) -> ValueBounds:
    """Return bounds that are no longer than told, if they can be.

    Parameters
    ----------
    node
        The column. Only bounds of byte strings are cut.
    bounds
        Those that it has.
    most_nbytes
        How long they may be.
    """
    low, high = bounds.minimum, bounds.maximum
    if low is None or high is None or max(len(low), len(high)) <= most_nbytes:
        return bounds
    if node.physical is not PhysicalType.BYTE_ARRAY or node.logical.kind is LogicalKind.DECIMAL:
        # Readers take for granted that bounds of fixed bytes are as long as each value.
        return bounds
    is_text = node.logical.kind in _TEXT
    least = _cut_down(low, most_nbytes, is_text=is_text)
    most = _cut_up(high, most_nbytes, is_text=is_text)
    return ValueBounds(
        least,
        most,
        bounds.is_minimum_exact and least == low,
        bounds.is_maximum_exact and most == high,
        bounds.nan_count,
    )


def merge_bounds(node: SchemaNode, bounds: Iterable[ValueBounds]) -> ValueBounds:
    """Return bounds of all values of which there are bounds of parts.

    Parameters
    ----------
    node
        The column.
    bounds
        Of each part; those of parts without values, or with NaN alone, have none.
    """
    parts = list(bounds)
    number = _number_kind(node)
    order = _order_of(node, number)
    nan_count = sum(each.nan_count or 0 for each in parts) if number in _FLOATS else None
    lows = [each for each in parts if each.minimum is not None]
    highs = [each for each in parts if each.maximum is not None]
    if not lows or not highs:
        return ValueBounds(nan_count=nan_count)
    low = min((each.minimum for each in lows if each.minimum is not None), key=order)
    high = max((each.maximum for each in highs if each.maximum is not None), key=order)
    return ValueBounds(
        low,
        high,
        any(each.minimum == low and each.is_minimum_exact for each in lows),
        any(each.maximum == high and each.is_maximum_exact for each in highs),
        nan_count,
    )


def _number_kind(node: SchemaNode) -> int | None:
    """Return which numbers of the kernel's a column has, or None for bytes."""
    if node.logical.kind is LogicalKind.FLOAT16:
        return kernel.FLOAT_16
    number = None if node.physical is None else _NUMBERS.get(node.physical)
    if number is not None and not node.logical.is_signed:
        return _UNSIGNED.get(number, number)
    return number


def _order_of(node: SchemaNode, number: int | None) -> Callable[[bytes], Any]:
    """Return what makes bounds comparable."""
    if number in _FLOATS:
        form = _FLOATS[number]
        return lambda raw: struct.unpack(form, raw)[0]
    if number is not None:
        is_signed = number in _UNSIGNED
        return lambda raw: int.from_bytes(raw, "little", signed=is_signed)
    if node.logical.kind is LogicalKind.DECIMAL:
        return lambda raw: int.from_bytes(raw, "big", signed=True)
    return lambda raw: raw


# --------------------------------------------------------------------------------------- numbers


def _bounds_of_numbers(values: DenseValues, start: int, stop: int, number: int) -> ValueBounds:
    some = values.values[start:stop]
    if values.codes is not None:
        some = values.values[_used(values, start, stop)]
    found = np.empty(2, np.int64)
    skipped = KERNEL.bounds_of_numbers(number, address(some), len(some), address(found))
    low, high = found.tolist()
    if number not in _FLOATS:
        return ValueBounds(_bytes_of_number(low, number), _bytes_of_number(high, number))
    if values.codes is not None and skipped:
        skipped = _count_of_nan(values, start, stop, number)
    if low > high:
        return ValueBounds(nan_count=skipped)
    # Readers that compare numbers take the two zeros for one.
    least, most = _bytes_of_number(low, number), _bytes_of_number(high, number)
    zero = bytes(_WIDTHS[number])
    negative_zero = zero[:-1] + b"\x80"
    return ValueBounds(
        negative_zero if least == zero else least,
        zero if most == negative_zero else most,
        nan_count=skipped,
    )


def _bytes_of_number(mapped: int, number: int) -> bytes:
    """Return the bytes of a number that the kernel mapped to an integer."""
    width = _WIDTHS[number]
    if number in _FLOATS and mapped < 0:
        mapped ^= (1 << (8 * width - 1)) - 1
    elif number == kernel.UNSIGNED_64:
        mapped ^= -_SIGN
    return (mapped & ((1 << (8 * width)) - 1)).to_bytes(width, "little")


def _count_of_nan(values: DenseValues, start: int, stop: int, number: int) -> int:
    """Count the codes of entries that are no numbers."""
    assert values.codes is not None
    flags = np.isnan(values.values.view(_FLOATS[number]))
    return int(np.count_nonzero(flags[values.codes[start:stop]]))


# --------------------------------------------------------------------------------- byte strings


def _used(values: DenseValues, start: int, stop: int) -> _Array:
    """Return which entries the codes name, or the codes themselves where those are fewer."""
    assert values.codes is not None
    codes = values.codes[start:stop]
    entry_count = len(values.values if values.offsets is None else values.offsets[1:])
    flags = np.zeros(entry_count, np.uint8)
    answer = KERNEL.mark_codes(address(codes), len(codes), address(flags), entry_count)
    if answer < 0:
        raise error_of(answer)
    return codes if len(codes) < entry_count else np.flatnonzero(flags).astype(np.uint32)


def _find_bytes(values: DenseValues, start: int, stop: int, places: _Array) -> int:
    """Write which of the values, or of the entries, are the least and the largest."""
    data, offsets = values.values, values.offsets
    used = None if values.codes is None else _used(values, start, stop)
    first = 0
    if used is not None:
        chosen = address(used), len(used)
    else:
        chosen = 0, stop - start
        first = start
        if offsets is None:
            data = data[start:stop]
        else:
            offsets = offsets[start : stop + 1]
    is_decimal = values.node.logical.kind is LogicalKind.DECIMAL
    if offsets is None:
        source = data.itemsize, int(is_decimal), address(data), data.nbytes
        answer = KERNEL.bounds_of_fixed(*source, *chosen, len(data), address(places))
    else:
        check_strings(offsets, data)
        entry_count = len(offsets) - 1
        if is_decimal:
            ends = address(offsets), address(data)
            answer = KERNEL.bounds_of_decimals(*ends, *chosen, entry_count, address(places))
        else:
            strings = address(offsets), address(data), data.nbytes
            answer = KERNEL.bounds_of_strings(*strings, *chosen, entry_count, address(places))
    places += first
    return answer


def _bytes_at(values: DenseValues, at: int) -> bytes:
    if values.offsets is None:
        return values.values[at : at + 1].tobytes()
    return values.values[int(values.offsets[at]) : int(values.offsets[at + 1])].tobytes()


# --------------------------------------------------------------------------------------- cutting


def _cut_down(raw: bytes, most_nbytes: int, *, is_text: bool) -> bytes:
    """Return what is not above a byte string, and not longer than that if it can be."""
    if len(raw) <= most_nbytes:
        return raw
    if not is_text:
        return raw[:most_nbytes]
    text = _whole_text(raw, most_nbytes)
    return raw if text is None else text.encode()


def _cut_up(raw: bytes, most_nbytes: int, *, is_text: bool) -> bytes:
    """Return what is not below a byte string, and not longer than that if it can be."""
    if len(raw) <= most_nbytes:
        return raw
    if not is_text:
        kept = raw[:most_nbytes].rstrip(b"\xff")
        return kept[:-1] + bytes([kept[-1] + 1]) if kept else raw
    text = _whole_text(raw, most_nbytes)
    while text:
        code = ord(text[-1]) + 1
        text = text[:-1]
        if code == _SURROGATES[0]:
            code = _SURROGATES[1] + 1
        if code <= _LAST_CODE_POINT:
            made = (text + chr(code)).encode()
            if len(made) <= most_nbytes:
                return made
    return raw


def _whole_text(raw: bytes, most_nbytes: int) -> str | None:
    """Return the first characters of text, at most so many bytes; None if it is no text."""
    end = most_nbytes
    # Not within a character.
    while end > 0 and raw[end] & 0xC0 == 0x80:
        end -= 1
    try:
        return raw[:end].decode()
    except UnicodeDecodeError:
        return None
