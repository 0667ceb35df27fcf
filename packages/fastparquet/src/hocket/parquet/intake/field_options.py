"""Options that hold for columns of any origin: numbers of fields, and how timestamps are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.arrays.write_field import NO_LOGICAL, Storing, WriteField, WriteKind
from hocket.parquet.errors import ColumnMissing, ValueOutOfRange
from hocket.parquet.intake.casting import first_wrong
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.value_types import UNITS_PER_SECOND
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType
from hocket.parquet.records import replace

__all__ = ["applied", "array_converter", "counted_per_second"]

_Convert = Callable[[ValueArray], ValueArray]


def applied(fields: Sequence[WriteField], options: IntakeOptions) -> tuple[WriteField, ...]:
    """Return fields as the caller wants them.

    Parameters
    ----------
    fields
        What data became.
    options
        What the caller wants.
    """
    if options.field_ids:
        known = set()
        for path, _ in _paths(fields, ""):
            known.add(path)
        for path in options.field_ids:
            if path not in known:
                raise ColumnMissing(f"field_ids names {path!r}, and there is no such column")
    return tuple(_applied(each, each.name, options) for each in fields)


def _paths(fields: Sequence[WriteField], above: str) -> Iterator[tuple[str, WriteField]]:
    for field in fields:
        path = f"{above}{field.name}"
        yield path, field
        yield from _paths(field.children, f"{path}.")


def _applied(field: WriteField, path: str, options: IntakeOptions) -> WriteField:
    number = options.field_ids.get(path, field.field_id)
    children = tuple(_applied(each, f"{path}.{each.name}", options) for each in field.children)
    if number != field.field_id or children != field.children:
        field = replace(field, field_id=number, children=children)
    if field.logical.kind is LogicalKind.TIMESTAMP:
        return _timestamp(field, options)
    return field


def counted_per_second(field: WriteField) -> int:
    """Return how many counts of a timestamp field's arrays a second has."""
    stored = UNITS_PER_SECOND[field.logical.unit]
    if field.storing is Storing.TIMES:
        return stored // field.factor
    return stored * field.factor if field.storing is Storing.DIVIDED else stored


def _timestamp(field: WriteField, options: IntakeOptions) -> WriteField:
    if options.times == "int96":
        return replace(
            field,
            physical=PhysicalType.INT96,
            logical=NO_LOGICAL,
            storing=Storing.INT96,
            factor=1,
            is_lossy=False,
        )
    unit = options.coerce_timestamps
    if unit is None:
        return field
    mine, theirs = counted_per_second(field), UNITS_PER_SECOND[unit]
    logical = LogicalType(LogicalKind.TIMESTAMP, unit=unit, is_utc=field.logical.is_utc)
    storing, factor = Storing.AS_IS, 1
    if theirs > mine:
        storing, factor = Storing.TIMES, theirs // mine
    elif theirs < mine:
        storing, factor = Storing.DIVIDED, mine // theirs
    return replace(
        field,
        logical=logical,
        storing=storing,
        factor=factor,
        is_lossy=options.allow_truncated_timestamps,
    )


def array_converter(
    fields: Sequence[WriteField], options: IntakeOptions
) -> Callable[[list[ValueArray]], list[ValueArray]] | None:
    """Return what makes the arrays that the wanted fields need; None if they are that.

    Parameters
    ----------
    fields
        What data became, before `applied`.
    options
        What the caller wants.
    """
    if options.times != "int96":
        return None
    converters = [_nanoseconds(each, each.name) for each in fields]
    if not any(converters):
        return None

    def convert(arrays: list[ValueArray]) -> list[ValueArray]:
        return [
            array if each is None else each(array)
            for array, each in zip(arrays, converters, strict=True)
        ]

    return convert


_NANOSECONDS: Final = UNITS_PER_SECOND["ns"]


def _nanoseconds(field: WriteField, path: str) -> _Convert | None:
    """Return what makes nanoseconds of all timestamps in a field; None if there is nothing to."""
    if field.kind is WriteKind.LEAF:
        if field.logical.kind is not LogicalKind.TIMESTAMP:
            return None
        factor = _NANOSECONDS // counted_per_second(field)
        return None if factor == 1 else lambda array: _multiplied(array, factor, path)
    inner = [_nanoseconds(each, f"{path}.{each.name}") for each in field.children]
    if not any(inner):
        return None
    return lambda array: _inside(array, inner)


def _inside(array: ValueArray, converters: list[_Convert | None]) -> ValueArray:
    if array.kind is ArrayKind.DICTIONARY:
        assert array.dictionary is not None
        return replace(array, dictionary=_inside(array.dictionary, converters))
    children = array.children
    if array.kind is ArrayKind.LIST and len(converters) == 2:
        # A map: its entries are structs of the two.
        return replace(array, children=(_inside(children[0], converters),))
    made = tuple(
        child if each is None else each(child)
        for child, each in zip(children, converters, strict=True)
    )
    return replace(array, children=made) if children else array


def _multiplied(array: ValueArray, factor: int, path: str) -> ValueArray:
    if array.kind is ArrayKind.NULL:
        return array
    if array.kind is ArrayKind.DICTIONARY:
        assert array.dictionary is not None
        return replace(array, dictionary=_multiplied(array.dictionary, factor, path))
    values: np.ndarray[Any, Any] | None = array.values
    assert values is not None
    with np.errstate(over="ignore"):
        made = values * np.int64(factor)
    slot = first_wrong(made // factor != values, array)
    if slot is not None:
        raise ValueOutOfRange(
            f"row {slot:,}: the timestamp {values[slot]} does not fit the nanoseconds of "
            'times="int96"; write times="int64"',
            column=path,
        )
    return replace(array, values=made)
