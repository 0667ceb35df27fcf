"""Later data in the columns that the first data had: converted where nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.errors import SchemaMismatch
from hocket.parquet.intake.arrow_fields import is_boolean, is_variant
from hocket.parquet.intake.arrow_texts import arrow_text
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.casting import cast_numbers, first_wrong
from hocket.parquet.intake.made_arrays import (
    fixed_array,
    missing_array,
    missing_of,
    offsets_of_lengths,
)
from hocket.parquet.intake.object_decimals import decimal_array
from hocket.parquet.intake.slot_errors import SlotError
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.records import replace

__all__ = ["Fitting"]

_Array = np.ndarray[Any, Any]
_Convert = Callable[[ValueArray], ValueArray]

_NUMBERS: Final = {
    "c": ValueType(TypeKind.INTEGER, bits=8),
    "s": ValueType(TypeKind.INTEGER, bits=16),
    "i": ValueType(TypeKind.INTEGER, bits=32),
    "l": ValueType(TypeKind.INTEGER, bits=64),
    "C": ValueType(TypeKind.INTEGER, bits=8, is_signed=False),
    "S": ValueType(TypeKind.INTEGER, bits=16, is_signed=False),
    "I": ValueType(TypeKind.INTEGER, bits=32, is_signed=False),
    "L": ValueType(TypeKind.INTEGER, bits=64, is_signed=False),
    "e": ValueType(TypeKind.FLOAT, bits=16),
    "f": ValueType(TypeKind.FLOAT, bits=32),
    "g": ValueType(TypeKind.FLOAT, bits=64),
}
#: Types that are held alike.
_ALIKE: Final = {
    "U": "u",
    "vu": "u",
    "Z": "z",
    "vz": "z",
    "w:0": "z",
    "tiM": "tin",
    "tiD": "tin",
    "+L": "+l",
    "+vl": "+l",
    "+vL": "+l",
}
_PER_SECOND: Final = {"s": 1, "m": 1_000, "u": 1_000_000, "n": 1_000_000_000}
_DAY_SECONDS: Final = 86_400


class Fitting:
    """Makes arrays of later columns fit to the first ones.

    Parameters
    ----------
    fields, types
        The first columns.
    later_fields, later_types
        The later ones, in any order.

    Raises
    ------
    SchemaMismatch
        There is no way that loses nothing.
    """

    def __init__(
        self,
        fields: Sequence[WriteField],
        types: Sequence[ArrowType],
        later_fields: Sequence[WriteField],
        later_types: Sequence[ArrowType],
    ) -> None:
        places = {field.name: at for at, field in enumerate(later_fields)}
        self._fields = tuple(fields)
        self._places: list[int | None] = []
        self._converters: list[_Convert | None] = []
        for field, first in zip(fields, types, strict=True):
            at = places.pop(field.name, None)
            if at is None and not field.nullable:
                raise SchemaMismatch(
                    "the column is missing in later data, and cannot have missing values; give it, "
                    "or write the first data with has_nulls=True",
                    column=field.name,
                )
            if at is None:
                raise SchemaMismatch(
                    "the column is missing in later data; give it one, of missing values if there "
                    "are no others",
                    column=field.name,
                )
            self._places.append(at)
            self._converters.append(_converter(first, later_types[at], field.name))
        for name in places:
            raise SchemaMismatch(
                "the column is only in later data; drop it, or give it to the first data too",
                column=name,
            )

    def arrays(self, batch: list[ValueArray]) -> list[ValueArray]:
        """Return the arrays of a later batch, in the order of the first columns."""
        made: list[ValueArray] = []
        for at, convert, field in zip(self._places, self._converters, self._fields, strict=True):
            assert at is not None
            array = batch[at]
            try:
                made.append(array if convert is None else convert(array))
            except SlotError as error:
                raise SchemaMismatch(
                    f"row {error.slot:,} of later data: {error.reason}", column=field.name
                ) from None
        return made


def _converter(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    """Return what makes arrays of one type fit another; None if they do."""
    values = _values_of(later)
    convert = _plain_converter(_values_of(first), values, path)
    if convert is None or values is later:
        return convert
    inner = convert

    def of_dictionary(array: ValueArray) -> ValueArray:
        if array.kind is not ArrayKind.DICTIONARY:
            return inner(array)
        assert array.dictionary is not None
        return replace(array, dictionary=inner(array.dictionary))

    return of_dictionary


def _values_of(arrow: ArrowType) -> ArrowType:
    """Return the type of the values that codes or runs stand for."""
    if arrow.dictionary is not None:
        return _values_of(arrow.dictionary)
    return _values_of(arrow.children[1]) if arrow.format == "+r" else arrow


def _layout(arrow: ArrowType) -> str:
    if is_boolean(arrow):
        return "b"
    layout = arrow.format
    return "+l" if layout.startswith("+w:") else _ALIKE.get(layout, layout)


def _mismatch(first: ArrowType, later: ArrowType, path: str, remedy: str = "") -> SchemaMismatch:
    told = remedy or "convert it first, or ask for one type for all, with types={...}"
    return SchemaMismatch(
        f"it is {arrow_text(later)} in later data, and {arrow_text(first)} in the first; {told}",
        column=path,
    )


def _plain_converter(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    mine, theirs = _layout(first), _layout(later)
    if theirs == "n":
        return lambda array: missing_array(array.length)
    if mine == "n":
        return _only_missing(first, later, path)
    if mine.startswith("+") and theirs.startswith("+"):
        return _nested(first, later, path)
    if mine == theirs and (mine == "z" or arrow_text(first) == arrow_text(later)):
        # Of well-known binary, for one, it may be said only once what it is.
        return None
    if mine[:2] in ("ts", "tt", "tD", "td") and theirs[0] == "t":
        return _time(first, later, path)
    return _converted_values(first, later, path)


def _converted_values(first: ArrowType, later: ArrowType, path: str) -> _Convert:
    """Return what makes other numbers or byte strings of such."""
    mine, theirs = _layout(first), _layout(later)
    if mine in _NUMBERS and theirs in _NUMBERS:
        return _number(_NUMBERS[mine], _NUMBERS[theirs])
    if mine.startswith("d:") and theirs.startswith("d:"):
        return _decimal(mine, theirs)
    if theirs == "z" and mine.startswith("w:") and not later.extension:
        return _fixed(int(mine[2:]))
    if mine == "z" and theirs.startswith("w:") and not first.extension:
        return _unfixed
    raise _mismatch(first, later, path)


def _only_missing(first: ArrowType, later: ArrowType, path: str) -> _Convert:
    def convert(array: ValueArray) -> ValueArray:
        missing = missing_of(array)
        if array.length and (missing is None or not missing.all()):
            raise _mismatch(
                first,
                later,
                path,
                "the first data had no values in this column: say what it is to hold, with "
                f"types={{{path!r}: {arrow_text(later)!r}}}",
            )
        return missing_array(array.length)

    return convert


def _number(mine: ValueType, theirs: ValueType) -> _Convert:
    def convert(array: ValueArray) -> ValueArray:
        if array.kind is ArrayKind.NULL:
            return array
        made = cast_numbers(theirs, array, mine)
        if mine.kind is TypeKind.FLOAT:
            _check_exact(array, theirs, made, mine)
        return made

    return convert


def _numbers(array: ValueArray, kind: ValueType) -> _Array:
    values = array.values
    assert values is not None
    return values.view(np.float16) if kind.kind is TypeKind.FLOAT and kind.bits == 16 else values


def _check_exact(array: ValueArray, theirs: ValueType, made: ValueArray, mine: ValueType) -> None:
    before, after = _numbers(array, theirs), _numbers(made, mine)
    with np.errstate(invalid="ignore"):
        wrong = (after.astype(before.dtype) != before) & (before == before)  # noqa: PLR0124  NaN
    slot = first_wrong(wrong, array)
    if slot is not None:
        raise SlotError(slot, f"{before[slot].item()!r} is no {mine}, which the first data is")


def _time(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    mine, theirs = first.format, later.format
    is_day = mine == "tdD"
    if theirs == "tdm" and is_day:
        return lambda array: _counted(array, 1, _DAY_SECONDS * 1000, "i4", "days")
    if mine == "tdm" and theirs == "tdD":
        return lambda array: _counted(array, _DAY_SECONDS * 1000, 1, "i8", "milliseconds")
    is_stamp = mine.startswith("ts")
    if theirs == "tdD" and is_stamp and not first.timezone:
        day = _DAY_SECONDS * _PER_SECOND[mine[2]]
        return lambda array: _counted(array, day, 1, "i8", arrow_text(first))
    if mine[:2] != theirs[:2] or mine[:2] == "td":
        raise _mismatch(first, later, path)
    if is_stamp and bool(first.timezone) != bool(later.timezone):
        raise _mismatch(
            first, later, path, "use tz_localize or tz_convert, so that all have a zone or none"
        )
    up, down = _PER_SECOND[mine[2]], _PER_SECOND[theirs[2]]
    if up == down:
        return None
    factor, divisor = max(up // down, 1), max(down // up, 1)
    dtype = "i4" if mine in ("tts", "ttm") else "i8"
    return lambda array: _counted(array, factor, divisor, dtype, arrow_text(first))


def _counted(array: ValueArray, factor: int, divisor: int, dtype: str, told: str) -> ValueArray:
    """Return counts of another unit; those that do not fit are an error."""
    if array.kind is ArrayKind.NULL:
        return array
    values = array.values
    assert values is not None
    wide = values.astype(np.int64)
    with np.errstate(over="ignore"):
        counts = wide * np.int64(factor) if factor > 1 else wide // divisor
    wrong = (counts // factor if factor > 1 else counts * divisor) != wide
    narrow = counts.astype(dtype)
    wrong |= narrow != counts
    slot = first_wrong(wrong, array)
    if slot is not None:
        raise SlotError(
            slot, f"the time {int(values[slot])} does not fit {told}, which the first data is"
        )
    return replace(fixed_array(narrow), nulls=array.nulls)


def _decimal(mine: str, theirs: str) -> _Convert:
    precision, scale = (int(each) for each in mine[2:].split(",")[:2])
    theirs_scale = int(theirs[2:].split(",")[1])

    def convert(array: ValueArray) -> ValueArray:
        if array.kind is ArrayKind.NULL:
            return array
        numbers = _integers(array)
        missing = missing_of(array)
        made: list[int] = []
        for slot, number in enumerate(numbers):
            if missing is not None and missing[slot]:
                made.append(0)
                continue
            shifted, rest = number * 10 ** max(scale - theirs_scale, 0), 0
            if theirs_scale > scale:
                shifted, rest = divmod(number, 10 ** (theirs_scale - scale))
            if rest or abs(shifted) >= 10**precision:
                raise SlotError(
                    slot,
                    f"a decimal with {theirs_scale} digits after the point does not fit "
                    f"decimal({precision}, {scale}), which the first data is; ask for a wider "
                    "one, with types={...}",
                )
            made.append(shifted)
        return replace(decimal_array(made, precision), nulls=array.nulls)

    return convert


def _integers(array: ValueArray) -> list[int]:
    values = array.values
    assert values is not None
    if values.dtype.kind == "i":
        return list(map(int, values.tolist()))
    raw, width = values.tobytes(), values.dtype.itemsize
    return [
        int.from_bytes(raw[at : at + width], "little", signed=True)
        for at in range(0, len(raw), width)
    ]


def _fixed(nbytes: int) -> _Convert:
    def convert(array: ValueArray) -> ValueArray:
        if array.kind is ArrayKind.NULL:
            return array
        assert array.offsets is not None
        assert array.values is not None
        slot = first_wrong(np.diff(array.offsets) != nbytes, array)
        if slot is not None:
            raise SlotError(slot, f"it is not {nbytes} bytes long, as all in the first data are")
        places = array.offsets[:-1, None] + np.arange(nbytes)
        missing = missing_of(array)
        if missing is not None:
            places[missing] = 0
        padded = array.values if array.values.size >= nbytes else np.zeros(nbytes, np.uint8)
        made = fixed_array(padded[places].view(f"V{nbytes}").reshape(-1))
        return replace(made, nulls=array.nulls)

    return convert


def _unfixed(array: ValueArray) -> ValueArray:
    if array.kind is ArrayKind.NULL:
        return array
    assert array.values is not None
    width = array.values.dtype.itemsize
    return ValueArray(
        ArrayKind.STRINGS,
        array.length,
        array.nulls,
        values=np.ascontiguousarray(array.values).view(np.uint8),
        offsets=offsets_of_lengths(np.full(array.length, width)),
    )


def _nested(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    mine, theirs = _layout(first), _layout(later)
    if mine != theirs or is_variant(first) != is_variant(later):
        raise _mismatch(first, later, path)
    if is_variant(first):
        if [child.name for child in first.children] != [child.name for child in later.children]:
            raise _mismatch(first, later, path)
        return None
    if mine == "+s":
        return _struct(first, later, path)
    ((mine_child,), (theirs_child,)) = first.children, later.children
    # The entries of maps are called whatever their maker likes.
    inner = (
        _pair(mine_child, theirs_child, path)
        if mine == "+m"
        else _converter(mine_child, theirs_child, f"{path}.element")
    )
    if inner is None:
        return None
    convert = inner
    return lambda array: (
        array
        if array.kind is ArrayKind.NULL
        else replace(array, children=tuple(map(convert, array.children)))
    )


def _pair(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    converters = [
        _converter(mine, theirs, f"{path}.{name}")
        for name, mine, theirs in zip(("key", "value"), first.children, later.children, strict=True)
    ]
    return _of_members([0, 1], converters) if any(converters) else None


def _struct(first: ArrowType, later: ArrowType, path: str) -> _Convert | None:
    places = {child.name: at for at, child in enumerate(later.children)}
    order: list[int | None] = []
    converters: list[_Convert | None] = []
    for child in first.children:
        at = places.pop(child.name, None)
        inner = f"{path}.{child.name}"
        if at is None and not child.nullable:
            raise SchemaMismatch(
                "the member is missing in later data, and cannot have missing values", column=inner
            )
        order.append(at)
        converters.append(None if at is None else _converter(child, later.children[at], inner))
    for name in places:
        raise SchemaMismatch(
            "the member is only in later data; drop it, or name it for the first, with "
            "types={...: 'struct<...>'}",
            column=f"{path}.{name}",
        )
    if order == list(range(len(later.children))) and not any(converters):
        return None
    return _of_members(order, converters)


def _of_members(order: Sequence[int | None], converters: list[_Convert | None]) -> _Convert:
    def convert(array: ValueArray) -> ValueArray:
        if array.kind is ArrayKind.NULL:
            return array
        if array.kind is ArrayKind.DICTIONARY:
            assert array.dictionary is not None
            return replace(array, dictionary=convert(array.dictionary))
        members = []
        for at, each in zip(order, converters, strict=True):
            child = missing_array(array.length) if at is None else array.children[at]
            members.append(child if each is None else each(child))
        return replace(array, children=tuple(members))

    return convert
