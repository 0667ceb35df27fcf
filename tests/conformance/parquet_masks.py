"""Filters on the columns of a table, and the rows that they should keep, found one by one."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

__all__ = ["conditions_of", "keeps"]

_ORDERED: Final = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def keys_of(column: pa.ChunkedArray) -> list[Any]:
    """Return values that compare as those of the column do, None for null."""
    kind = column.type
    if pa.types.is_temporal(kind):
        storage = pa.int32() if kind.bit_width == 32 else pa.int64()
        column = pa.chunked_array([each.cast(storage) for each in column.chunks], storage)
    return column.to_pylist()


def _value_of(kind: pa.DataType, key: Any) -> Any:
    """Return what a user would write for a key."""
    if pa.types.is_date(kind):
        return np.datetime64(key, "D")
    if pa.types.is_timestamp(kind):
        return np.datetime64(key, kind.unit)
    if pa.types.is_temporal(kind):
        return np.timedelta64(key, kind.unit)
    return key


def _shifted(kind: pa.DataType, key: Any) -> Any:
    """Return a key near another."""
    if isinstance(key, bool) or key is None:
        return key
    if isinstance(key, str):
        return key + "a"
    if isinstance(key, bytes):
        return key[:-1]
    if isinstance(key, Decimal):
        return key.next_plus() if kind.precision <= 28 else key
    return key + 1


def comparable(table: pa.Table) -> pa.Table:
    """Return the columns of a table, and members of structs, that can be compared."""
    found = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        _collect(name, array, found)
    return pa.table(found)


def _collect(name: str, array: pa.Array, found: dict[str, pa.Array]) -> None:
    if pa.types.is_struct(array.type):
        for part, values in zip(array.type, array.flatten(), strict=True):
            _collect(f"{name}.{part.name}", values, found)
    elif pa.types.is_dictionary(array.type):
        found[name] = array.dictionary.take(array.indices)
    elif not pa.types.is_nested(array.type):
        found[name] = array


@st.composite
def _condition(draw: Any, table: pa.Table) -> tuple[Any, ...]:
    names = table.column_names
    name = draw(st.sampled_from(names))
    if pa.types.is_null(table[name].type) or draw(st.integers(0, 9)) == 0:
        return (name, draw(st.sampled_from(["is null", "is not null"])))
    kind = table.schema.field(name).type
    present = table[name].drop_null()
    keys = keys_of(present.slice(0, 200)) or [_default(kind)]
    limits = (-(1 << 63), 1 << 63) if pa.types.is_temporal(kind) else (-(1 << 70), 1 << 70)
    near = [_shifted(kind, key) for key in keys[:3]]
    if not pa.types.is_floating(kind):
        near = [key for key in near if not isinstance(key, int) or limits[0] < key < limits[1]]
    choice = st.sampled_from(keys + near)
    sign = draw(st.sampled_from([*_ORDERED, "in", "not in"]))
    if sign in _ORDERED:
        return (name, sign, _value_of(kind, draw(choice)))
    members = draw(st.lists(choice, max_size=5))
    return (name, sign, [_value_of(kind, member) for member in members])


def _default(kind: pa.DataType) -> Any:
    if pa.types.is_decimal(kind):
        return Decimal(0)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return ""
    if pa.types.is_boolean(kind):
        return False
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bytes(4) if is_bytes or pa.types.is_fixed_size_binary(kind) else 0


def conditions_of(table: pa.Table) -> st.SearchStrategy[list[Any]]:
    """Filters: conditions that hold together, or alternatives of such."""
    columns = comparable(table)
    if not columns.num_columns:
        return st.just([])
    both = st.lists(_condition(columns), min_size=1, max_size=2)
    return st.one_of(both, st.lists(both, min_size=1, max_size=2))


def keeps(table: pa.Table, filters: list[Any]) -> np.ndarray:
    """Say which rows fulfil filters."""
    table = comparable(table) if filters else table
    alternatives = filters if filters and isinstance(filters[0], list) else [filters]
    kept = np.zeros(table.num_rows, bool)
    for conditions in alternatives:
        together = np.ones(table.num_rows, bool)
        for condition in conditions:
            together &= _holds(table, condition)
        kept |= together
    return kept


def _holds(table: pa.Table, condition: tuple[Any, ...]) -> np.ndarray:
    name, sign, *rest = condition
    column = table[name]
    present = column.is_valid().to_numpy()
    if not rest:
        return ~present if sign == "is null" else present
    kind = column.type
    keys = keys_of(column)
    value = [_key_of(kind, each) for each in rest[0]] if "in" in sign else _key_of(kind, rest[0])
    if sign in _ORDERED:
        compare = _ORDERED[sign]
        return np.array([key is not None and compare(key, value) for key in keys], bool)
    # Not `in`: it takes an object that is not-a-number for equal to itself.
    among = [key is not None and any(key == member for member in value) for key in keys]
    return np.array(among, bool) if sign == "in" else present & ~np.array(among, bool)


def _key_of(kind: pa.DataType, value: Any) -> Any:
    return int(value.astype(np.int64)) if pa.types.is_temporal(kind) else value
