"""Lists of lists, dicts and the like, none missing, to lists, maps and structs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, ValuesView
from itertools import chain
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import (
    list_array,
    missing_of,
    offsets_of_lengths,
    struct_array,
)
from hocket.parquet.intake.object_numbers import slot_where
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.metadata.schema import DEPTH_MAX
from hocket.parquet.records import replace

__all__ = [
    "Make",
    "is_list",
    "is_struct",
    "lists_of",
    "maps_of",
    "object_array",
    "structs_of",
    "too_deep",
]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]
#: Makes an array of the values that are in another one, of a type that may be asked for.
Make = Callable[[_Array, ValueType | None], _Built]

_TEXTS: Final = (str, bytes, bytearray, memoryview)
#: What has elements, and a length that tells how many.
_SIZED: Final = {list, tuple, np.ndarray, set, frozenset}
_NUMBER_KINDS: Final = "biufMm"


def object_array(values: Sequence[Any]) -> _Array:
    """Return a one-dimensional array of objects, whatever those are."""
    return np.fromiter(values, object, count=len(values))


def is_list(kind: type) -> bool:
    """Whether values of a Python type become lists."""
    if issubclass(kind, (list, tuple, np.ndarray, set, frozenset)):
        return not is_struct(kind)
    if issubclass(kind, _TEXTS):
        return False
    # Columns and arrays of pandas can be elements, too.
    return issubclass(kind, Sequence) or hasattr(kind, "to_numpy")


def is_struct(kind: type) -> bool:
    """Whether values of a Python type become structs."""
    return issubclass(kind, Mapping) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def too_deep(values: Iterable[Any]) -> SlotError:
    """Return the error of the first value that is nested without end, or almost so.

    Parameters
    ----------
    values
        Some of a column of objects, at which Python's stack was at its end.
    """
    for slot, value in enumerate(values):
        inside = [(value, 0)]
        while inside:
            each, depth = inside.pop()
            if depth > DEPTH_MAX:
                return SlotError(
                    slot,
                    f"{described(value)} holds itself, or is nested more than {DEPTH_MAX} levels "
                    "deep, which no schema can be",
                )
            members = each.values() if isinstance(each, Mapping) else each
            if isinstance(members, (list, tuple, set, frozenset, ValuesView)):
                inside += ((member, depth + 1) for member in members)
    return SlotError(0, f"values are nested more than {DEPTH_MAX} levels deep")


def lists_of(values: list[Any], wanted: ValueType | None, make: Make) -> _Built:
    """Return lists."""
    types = set(map(type, values))
    for each in types:
        if not is_list(each):
            slot = slot_where(values, lambda value: not is_list(type(value)))
            raise SlotError(slot, f"{described(values[slot])} is no list")
    inner = wanted.children[0] if wanted is not None else None
    if not types <= _SIZED:
        values = [value.to_numpy() if hasattr(value, "to_numpy") else value for value in values]
    try:
        offsets = offsets_of_lengths(list(map(len, values)))
    except TypeError:
        slot = slot_where(values, lambda value: getattr(value, "ndim", 1) == 0)
        raise SlotError(
            slot, f"{described(values[slot])} is an array without axes; take its .item()"
        ) from None
    flat = _joined(values, int(offsets[-1]))
    try:
        element, array = make(flat, inner)
    except SlotError as error:
        raise error.inside(offsets) from None
    return ValueType(TypeKind.LIST, children=(element,)), list_array(array, offsets)


def _joined(values: list[Any], count: int) -> _Array:
    """Return all elements in one array."""
    if values and all(type(value) is np.ndarray for value in values):
        kinds = {(value.dtype, value.shape[1:]) for value in values}
        (dtype, _), *others = kinds
        if not others and dtype.kind in _NUMBER_KINDS:
            return np.concatenate(values)
    return np.fromiter(chain.from_iterable(values), object, count=count)


def structs_of(values: list[Any], wanted: ValueType | None, make: Make) -> _Built:
    """Return structs: with all members that any value has, missing where a value has not."""
    rows: list[Mapping[str, Any]] = values
    if set(map(type, values)) != {dict}:
        rows = [_members(slot, value) for slot, value in enumerate(values)]
    names: Sequence[str] = list(dict.fromkeys(chain.from_iterable(rows)))
    if not all(isinstance(name, str) for name in names):
        raise _not_text(rows)
    if wanted is not None:
        _check_members(rows, wanted)
        names = wanted.names
    if not names:
        raise SlotError(
            0,
            f"{described(values[0]) if values else 'an empty dict'} has no members, nor has any "
            "other value, and Parquet has no structs without; ask for types={...: 'json'}",
        )
    members = []
    for index, name in enumerate(names):
        inner = None if wanted is None else wanted.children[index]
        try:
            members.append(make(object_array([row.get(name) for row in rows]), inner))
        except SlotError as error:
            raise error.within(name) from None
    found = ValueType(
        TypeKind.STRUCT, names=tuple(names), children=tuple(kind for kind, _ in members)
    )
    return found, struct_array([array for _, array in members], len(values))


def _members(slot: int, value: Any) -> Mapping[str, Any]:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if not isinstance(value, Mapping):
        raise SlotError(slot, f"{described(value)} is no dict")
    return value


def _not_text(rows: list[Mapping[str, Any]]) -> SlotError:
    """Return the error of the first row with a key that is no text."""
    slot = slot_where(rows, lambda row: not all(isinstance(key, str) for key in row))
    key = next(key for key in rows[slot] if not isinstance(key, str))
    return SlotError(
        slot,
        f"{described(rows[slot])} has the key {described(key)}, and the members of a struct have "
        "texts for names; ask for types={...: 'map'}",
    )


def _check_members(rows: list[Mapping[str, Any]], wanted: ValueType) -> None:
    known = set(wanted.names)
    for slot, row in enumerate(rows):
        if not row.keys() <= known:
            other = next(name for name in row if name not in known)
            raise SlotError(
                slot,
                f"{described(row)} has the member {other!r}, which {wanted} does not have; "
                "name it among types={...: 'struct<...>'}",
            )


def maps_of(values: list[Any], wanted: ValueType | None, make: Make) -> _Built:
    """Return maps of dicts, or of lists of pairs."""
    items = [_items(slot, value) for slot, value in enumerate(values)]
    offsets = offsets_of_lengths(list(map(len, items)))
    pairs = list(chain.from_iterable(items))
    inner = wanted.children if wanted is not None and wanted.children else (None, None)
    parts = []
    for index, each in enumerate(inner):
        try:
            parts.append(make(object_array([pair[index] for pair in pairs]), each))
        except SlotError as error:
            raise error.inside(offsets) from None
    (key, keys), (value, entries) = parts
    missing = missing_of(keys)
    if missing is not None and missing.any():
        slot = int(np.flatnonzero(missing)[0])
        raise SlotError(slot, "a key of a map is missing").inside(offsets)
    if key.kind is TypeKind.NULL:
        # There is no map with anything in it: keys have to be something.
        key, keys = make(object_array([]), ValueType(TypeKind.TEXT))
    entry = struct_array((keys, entries), len(pairs))
    found = ValueType(TypeKind.MAP, children=(key, value))
    return replace(found, children=(key, value)), list_array(entry, offsets)


def _items(slot: int, value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple, np.ndarray)):
        pairs = list(value)
        if all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
            return pairs
    raise SlotError(slot, f"{described(value)} is no dict, and no list of pairs of key and value")
