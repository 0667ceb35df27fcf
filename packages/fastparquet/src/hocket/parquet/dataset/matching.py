"""Predicates tried on decoded columns: a mask of the slots that fulfil them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.keys import Family, Key, KeyDomain
from hocket.parquet.dataset.predicates import Predicate, Shape
from hocket.parquet.decode.column import SPARE_NBYTES, ColumnData, padded_bytes
from hocket.parquet.decode.target import UNITS, Conversion
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.records import replace

__all__ = ["match", "stored_domain"]

_Array = np.ndarray[Any, Any]

_UNITS: Final = {
    Conversion.DAYS_TO_SECONDS: "s",
    Conversion.INT96_TO_SECONDS: "s",
    Conversion.INT96_TO_MILLIS: "ms",
    Conversion.INT96_TO_MICROS: "us",
    Conversion.INT96_TO_NANOS: "ns",
}
#: So many members are compared one by one; more are looked up.
_FEW: Final = 8


def stored_domain(domain: KeyDomain, conversion: Conversion) -> KeyDomain:
    """Return the domain of a column's values as they were decoded."""
    unit = _UNITS.get(conversion)
    if conversion > Conversion.WIDE_TICKS:
        unit = UNITS[UNITS.index(domain.unit) + conversion - Conversion.WIDE_TICKS]
    return domain if unit is None else replace(domain, unit=unit)


def match(predicate: Predicate, column: ColumnData) -> _Array:
    """Return which slots of a column fulfil a predicate.

    Parameters
    ----------
    predicate
        In the domain of the leaf, as the file stores it.
    column
        With its validity, if values are missing.

    Returns
    -------
    numpy.ndarray
        A new array of bool.
    """
    shape = predicate.shape
    if shape in (Shape.NULL, Shape.PRESENT):
        return _match_null(column, is_null=shape is Shape.NULL)
    if predicate.is_never:
        return np.zeros(column.count, np.bool_)
    if column.codes is not None:
        assert column.dictionary is not None
        # One more for the code of nulls, -1.
        wanted = np.zeros(column.dictionary.count + 1, np.bool_)
        wanted[:-1] = match(predicate, column.dictionary)
        found: _Array = wanted[column.codes]
        return found
    predicate = predicate.in_domain(stored_domain(predicate.domain, column.target.conversion))
    mask = _match_values(predicate, column)
    if column.valid is not None:
        mask &= column.valid
    return mask


def _match_null(column: ColumnData, *, is_null: bool) -> _Array:
    if column.valid is not None:
        return ~column.valid if is_null else column.valid.copy()
    if column.codes is not None and column.null_count:
        missing: _Array = column.codes < 0
        return missing if is_null else ~missing
    return np.full(column.count, (column.null_count > 0) == is_null, np.bool_)


def _match_values(predicate: Predicate, column: ColumnData) -> _Array:
    if column.values is None:
        if predicate.domain.family is Family.DECIMAL:
            return _match_decimal_strings(predicate, column)
        return _match_strings(predicate, column)
    values = column.values
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    if values.dtype.kind == "V":
        return _match_wide(predicate, values)
    if values.dtype.kind == "f":
        return _match_floats(predicate, values)
    if values.dtype.kind in "mM":
        values = values.view(np.int64)
    return _match_integers(predicate, values)


# ------------------------------------------------------------------------- numbers of a dtype


def _match_integers(predicate: Predicate, values: _Array) -> _Array:
    limits = np.iinfo(values.dtype)
    least, most = int(limits.min), int(limits.max)
    if predicate.shape is not Shape.WITHIN:
        members = [
            key for key in predicate.members if isinstance(key, int) and least <= key <= most
        ]
        found = _among(values, np.array(members, values.dtype))
        return found if predicate.shape is Shape.AMONG else ~found
    low, high = predicate.low, predicate.high
    if low is not None and predicate.low_is_open:
        low += 1
    if high is not None and predicate.high_is_open:
        high -= 1
    if (low is not None and low > most) or (high is not None and high < least):
        return np.zeros(len(values), np.bool_)
    mask: _Array | None = None
    if low is not None and low > least:
        mask = values >= values.dtype.type(low)
    if high is not None and high < most:
        below = values <= values.dtype.type(high)
        mask = below if mask is None else np.logical_and(mask, below, out=mask)
    return np.ones(len(values), np.bool_) if mask is None else mask


def _match_floats(predicate: Predicate, values: _Array) -> _Array:
    scalar = values.dtype.type
    if predicate.shape is not Shape.WITHIN:
        mask = _among(values, np.array(predicate.members, values.dtype))
        return mask if predicate.shape is Shape.AMONG else ~mask
    if predicate.low is not None:
        low = scalar(predicate.low)
        mask = values > low if predicate.low_is_open else values >= low
    else:
        high = scalar(predicate.high)
        mask = values < high if predicate.high_is_open else values <= high
    return np.asarray(mask)


def _among(values: _Array, members: _Array) -> _Array:
    if len(members) > _FEW:
        return np.isin(values, members)
    mask = np.zeros(len(values), np.bool_)
    for member in members:
        mask |= values == member
    return mask


# ------------------------------------------------------------------------------ wider values


def _match_wide(predicate: Predicate, values: _Array) -> _Array:
    """Compare decimals of 16 or 32 bytes, or byte strings of one length."""
    width = values.dtype.itemsize
    if predicate.domain.family is Family.DECIMAL:
        words = np.ascontiguousarray(values).view(np.uint64).reshape(len(values), width // 8)
        words = words[:, ::-1].copy()
        # With its sign turned, the highest word orders as an unsigned number.
        words[:, 0] ^= np.uint64(1 << 63)
        return _match_words(predicate, words, lambda key: _words_of_integer(key, width))
    lengths = [width, *(len(key) for key in _keys_of(predicate))]
    padded = -(-max(lengths) // 8) * 8
    buffer = np.zeros((len(values), padded), np.uint8)
    if width:
        raw = np.ascontiguousarray(values).view(np.uint8)
        buffer[:, :width] = raw.reshape(len(values), width)
    words = buffer.view(">u8").astype(np.uint64)
    return _match_words(predicate, words, lambda key: _words_of_bytes(key, padded, width))


def _keys_of(predicate: Predicate) -> list[Key]:
    ends = [key for key in (predicate.low, predicate.high) if key is not None]
    return [*ends, *predicate.members]


def _words_of_integer(key: Key, width: int) -> tuple[list[int], int]:
    """Return the words of a number, highest first, and on which side of all values it lies."""
    limit = 1 << (8 * width - 1)
    if not isinstance(key, int) or not -limit <= key < limit:
        return [0] * (width // 8), (1 if key > 0 else -1) * 2
    raw = (key + limit).to_bytes(width, "big")
    return [int.from_bytes(raw[at : at + 8], "big") for at in range(0, width, 8)], 0


def _words_of_bytes(key: bytes, padded: int, width: int) -> tuple[list[int], int]:
    raw = key.ljust(padded, b"\0")
    words = [int.from_bytes(raw[at : at + 8], "big") for at in range(0, padded, 8)]
    # Of byte strings that begin alike, the longer one is above.
    return words, (len(key) > width) - (len(key) < width)


def _match_words(predicate: Predicate, words: _Array, words_of: Any) -> _Array:
    def signs(key: Key) -> _Array:
        key_words, side = words_of(key)
        if abs(side) == 2:
            return np.full(len(words), -side, np.int8)
        result = np.zeros(len(words), np.int8)
        for column, word in enumerate(key_words):
            undecided = result == 0
            result[undecided & (words[:, column] < np.uint64(word))] = -1
            result[undecided & (words[:, column] > np.uint64(word))] = 1
        result[result == 0] = -side
        return result

    return _match_signs(predicate, signs, len(words))


def _match_signs(predicate: Predicate, signs: Any, count: int) -> _Array:
    """Try a predicate, given a function from a key to the signs of the values against it."""
    if predicate.shape is not Shape.WITHIN:
        mask = np.zeros(count, np.bool_)
        for member in predicate.members:
            mask |= signs(member) == 0
        return mask if predicate.shape is Shape.AMONG else ~mask
    if predicate.low is not None:
        sign = signs(predicate.low)
        return np.asarray(sign > 0 if predicate.low_is_open else sign >= 0)
    sign = signs(predicate.high)
    return np.asarray(sign < 0 if predicate.high_is_open else sign <= 0)


# ------------------------------------------------------------------------------ byte strings


def _match_strings(predicate: Predicate, column: ColumnData) -> _Array:
    assert column.offsets is not None
    assert column.data is not None
    result = np.empty(column.count, np.int8)
    offsets, data = address(column.offsets), address(column.data)
    if predicate.shape is not Shape.WITHIN:
        ends = np.cumsum([0, *(len(key) for key in predicate.members)], dtype=np.int64)
        keys = _padded(b"".join(predicate.members))
        KERNEL.find_strings(
            offsets,
            data,
            column.count,
            address(ends),
            address(keys),
            len(predicate.members),
            address(result),
        )
        mask = result.view(np.bool_)
        return mask if predicate.shape is Shape.AMONG else ~mask

    def signs(key: bytes) -> _Array:
        padded = _padded(key)
        count, nbytes = column.count, len(key)
        KERNEL.order_strings(offsets, data, count, address(padded), nbytes, address(result))
        return np.subtract(result, 1, out=result)

    return _match_signs(predicate, signs, column.count)


def _padded(key: bytes) -> _Array:
    result = padded_bytes(len(key) + SPARE_NBYTES)[: len(key)]
    result[:] = np.frombuffer(key, np.uint8)
    return result


def _match_decimal_strings(predicate: Predicate, column: ColumnData) -> _Array:
    """Compare decimals of varying length one by one; files with them are rare."""
    assert column.offsets is not None
    assert column.data is not None
    raw = column.data.tobytes() if column.data.flags.contiguous else bytes(column.data)
    ends = column.offsets.tolist()
    mask = np.zeros(column.count, np.bool_)
    for index in range(column.count):
        key = int.from_bytes(raw[ends[index] : ends[index + 1]], "big", signed=True)
        mask[index] = predicate.holds(key)
    return mask
