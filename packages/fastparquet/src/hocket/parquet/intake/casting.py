"""Arrays of one type as arrays of another one that was asked for; nothing is rounded or wrapped."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.intake.made_arrays import fixed_array, missing_of
from hocket.parquet.intake.object_numbers import float_array
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.records import replace

__all__ = ["cast_numbers", "cast_type", "first_wrong"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_NUMBERS: Final = {TypeKind.INTEGER, TypeKind.FLOAT, TypeKind.BOOLEAN}
#: What differs in meaning, and not in how it is held.
_SAME_BYTES: Final = {
    TypeKind.TEXT: {TypeKind.TEXT, TypeKind.ENUM, TypeKind.BYTES},
    TypeKind.BYTES: {TypeKind.BYTES, TypeKind.BSON, TypeKind.GEOMETRY, TypeKind.GEOGRAPHY},
}


def first_wrong(wrong: _Array, array: ValueArray) -> int | None:
    """Return the first slot that is wrong and there."""
    missing = missing_of(array)
    if missing is not None:
        wrong = wrong & ~missing
    found = np.flatnonzero(wrong)
    return int(found[0]) if found.size else None


def cast_type(found: ValueType, array: ValueArray, wanted: ValueType) -> _Built | None:
    """Return an array as a wanted type has it; None if its values have to be looked at one by one.

    Parameters
    ----------
    found, array
        What there is.
    wanted
        The type to have.
    """
    if found == wanted:
        return wanted, array
    if array.kind is ArrayKind.NULL:
        return wanted, array
    if found.kind in _NUMBERS and wanted.kind in _NUMBERS and array.kind is ArrayKind.FIXED:
        return wanted, cast_numbers(found, array, wanted)
    if found.kind is wanted.kind is TypeKind.TIMESTAMP:
        # The file's unit is the wanted one; the values stay what they are.
        stored = wanted.stored_unit or wanted.unit
        zone = wanted.timezone if found.timezone is None else found.timezone
        if wanted.timezone is None and found.timezone is not None:
            raise SlotError(
                0, f"it has the time zone {zone}, and {wanted} has none; use tz_localize(None)"
            )
        made = replace(found, stored_unit=stored, timezone=zone, is_lossy=wanted.is_lossy)
        return made, array
    is_same = wanted.kind in _SAME_BYTES.get(found.kind, ()) and array.kind is ArrayKind.STRINGS
    if is_same and not wanted.nbytes:
        return wanted, array
    return None


def cast_numbers(found: ValueType, array: ValueArray, wanted: ValueType) -> ValueArray:
    """Return booleans, integers or floats as another such type that holds all of them."""
    assert array.values is not None
    values = array.values
    if found.kind is TypeKind.FLOAT and found.bits == 16:
        values = values.view(np.float16)
    if wanted.kind is TypeKind.FLOAT:
        # Whoever asks for floats gets the nearest ones.
        return replace(float_array(values, wanted.bits), nulls=array.nulls)
    dtype = _dtype_of(wanted)
    if values.dtype == dtype:
        return array
    with np.errstate(invalid="ignore"):
        converted = values.astype(dtype)
    if values.dtype.kind in "iu" and dtype.kind in "iu":
        # Of equal bits, those of another sign are other numbers.
        wrong = (converted < 0) != (values < 0)
        wrong |= converted.astype(values.dtype) != values
    else:
        wrong = converted != values
        if values.dtype.kind == "f" and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            wrong |= ~((values >= float(limits.min)) & (values < float(limits.max) + 1))
    slot = first_wrong(wrong, array)
    if slot is not None:
        raise SlotError(slot, f"{described(values[slot].item())} does not fit {wanted}")
    return replace(fixed_array(converted), nulls=array.nulls)


def _dtype_of(wanted: ValueType) -> np.dtype[Any]:
    if wanted.kind is TypeKind.BOOLEAN:
        return np.dtype(np.bool_)
    return np.dtype(f"{'i' if wanted.is_signed else 'u'}{wanted.bits // 8}")
