"""NumPy arrays of one dtype to what can be written; numbers and times share their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import (
    fixed_array,
    list_array,
    offsets_of_lengths,
    strings_array,
    struct_array,
    with_missing,
)
from hocket.parquet.intake.object_nested import Make
from hocket.parquet.intake.object_numbers import float_array
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import UNITS_PER_SECOND, TypeKind, ValueType

__all__ = ["array_of_dtype", "missing_times"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_DAYS: Final = ("Y", "M", "W", "D")
_SECONDS: Final = ("h", "m", "s")
_FINE: Final = ("ps", "fs", "as")


def array_of_dtype(
    values: _Array, make: Make, *, missing: _Array | None, nan_is_missing: bool
) -> _Built:
    """Return the type and the array of a NumPy array that does not hold objects.

    Parameters
    ----------
    values
        Rows are along the first axis; further axes become lists.
    make
        What makes arrays of the members of structured values.
    missing
        True for rows that have no value, whatever is in `values`; None if there are none.
    nan_is_missing
        Whether NaN stands for a missing value. NaT always does.
    """
    if values.ndim > 1:
        return _lists(values, make, missing)
    dtype = values.dtype
    if dtype.names is not None:
        return _structs(values, make, missing)
    if dtype.kind == "f":
        return _floats(values, missing, nan_is_missing=nan_is_missing)
    if dtype.kind == "T":
        # NumPy's text of any length has no memory that could be shared.
        return make(values.astype(object), None)
    take = _TAKERS.get(dtype.kind)
    if take is None:
        remedy = "store the real and the imaginary part as two columns"
        raise SlotError(
            0,
            f"the dtype {dtype} has no Parquet type; "
            f"{remedy if dtype.kind == 'c' else 'convert it first'}",
        )
    return take(values, missing)


def _booleans(values: _Array, missing: _Array | None) -> _Built:
    return ValueType(TypeKind.BOOLEAN), fixed_array(values, missing)


def _integers(values: _Array, missing: _Array | None) -> _Built:
    bits, is_signed = 8 * values.dtype.itemsize, values.dtype.kind == "i"
    found = ValueType(TypeKind.INTEGER, bits=bits, is_signed=is_signed)
    return found, fixed_array(values, missing)


def _raw(values: _Array, missing: _Array | None) -> _Built:
    width = values.dtype.itemsize
    if not width:
        empty = strings_array(b"", np.zeros(len(values) + 1, np.int64))
        return ValueType(TypeKind.BYTES), with_missing(empty, missing)
    return ValueType(TypeKind.BYTES, nbytes=width), fixed_array(values, missing)


def _floats(values: _Array, missing: _Array | None, *, nan_is_missing: bool) -> _Built:
    bits = 8 * values.dtype.itemsize
    if bits > 64:
        narrowed = values.astype(np.float64)
        different = np.flatnonzero((narrowed != values) & ~np.isnan(values))
        if different.size:
            slot = int(different[0])
            raise SlotError(
                slot, f"{described(values[slot])} has more digits than 64 bits; use float64"
            )
        values, bits = narrowed, 64
    if nan_is_missing:
        missing = _either(np.isnan(values), missing)
    array = with_missing(float_array(values, bits), missing)
    return ValueType(TypeKind.FLOAT, bits=bits), array


def _either(found: _Array, missing: _Array | None) -> _Array | None:
    """Return slots that are missing for one reason or the other; None if there is none."""
    if missing is not None:
        found |= missing
    return found if found.any() else None


def missing_times(values: _Array, missing: _Array | None = None) -> _Array | None:
    """Return which of an array's times are missing: NaT, and what is known to be; None if none."""
    return _either(np.isnat(values), missing)


def _times(values: _Array, missing: _Array | None) -> _Built:
    missing = missing_times(values, missing)
    unit, steps = np.datetime_data(values.dtype)
    is_span = values.dtype.kind == "m"
    if not is_span and unit in _DAYS:
        days = _in_unit(values, "D", missing).view(np.int64)
        narrow = days.astype(np.int32)
        wrong = narrow != days
        if missing is not None:
            wrong &= ~missing
        if wrong.any():
            slot = int(np.flatnonzero(wrong)[0])
            raise SlotError(slot, f"{described(values[slot])} does not fit the 32 bits of a date")
        return ValueType(TypeKind.DATE), fixed_array(narrow, missing)
    wanted = "ns" if unit in _FINE else unit if unit in UNITS_PER_SECOND else "s"
    if unit == "generic" or (is_span and unit in ("Y", "M")):
        raise SlotError(0, f"the dtype {values.dtype} has no unit of a fixed length; convert it")
    if wanted != unit or steps != 1:
        values = _in_unit(values, wanted, missing)
    counts = values.view(values.dtype.str.replace(values.dtype.kind + "8", "i8").split("[")[0])
    kind = TypeKind.DURATION if is_span else TypeKind.TIMESTAMP
    return ValueType(kind, unit=wanted), fixed_array(counts, missing)


def _in_unit(values: _Array, unit: str, missing: _Array | None) -> _Array:
    """Return times in another unit; what does not fit it is an error."""
    converted = values.astype(f"{values.dtype.kind}8[{unit}]")
    # What wraps around, or is cut, does not come back.
    wrong = converted.astype(values.dtype) != values
    if missing is not None:
        wrong &= ~missing
    if wrong.any():
        slot = int(np.flatnonzero(wrong)[0])
        raise SlotError(slot, f"{described(values[slot])} does not fit 64 bits of {unit}")
    return converted


def _texts(values: _Array, missing: _Array | None) -> _Built:
    """Return text or byte strings of NumPy's fixed width, without what fills them up."""
    is_text = values.dtype.kind == "U"
    raw = np.char.encode(values, "utf-8") if is_text and values.size else values.astype("S")
    raw = np.ascontiguousarray(raw)
    width = raw.dtype.itemsize
    lengths = np.char.str_len(raw).astype(np.int64) if raw.size else np.zeros(0, np.int64)
    found = ValueType(TypeKind.TEXT if is_text else TypeKind.BYTES)
    matrix = raw.view(np.uint8).reshape(-1, width) if width and raw.size else np.zeros((0, 1), "u1")
    data = matrix[np.arange(matrix.shape[1]) < lengths[:, None]] if raw.size else matrix[:, 0]
    return found, with_missing(strings_array(data, offsets_of_lengths(lengths)), missing)


def _lists(values: _Array, make: Make, missing: _Array | None) -> _Built:
    """Return the further axes of an array as lists."""
    rows, width = values.shape[:2]
    flat = np.ascontiguousarray(values).reshape(rows * width, *values.shape[2:])
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    try:
        element, array = make(flat, None)
    except SlotError as error:
        raise error.inside(offsets) from None
    made = with_missing(list_array(array, offsets), missing)
    return ValueType(TypeKind.LIST, children=(element,)), made


def _structs(values: _Array, make: Make, missing: _Array | None) -> _Built:
    names = values.dtype.names
    assert names is not None
    if not names:
        raise SlotError(0, f"the dtype {values.dtype} has no members, and Parquet wants some")
    members = []
    for name in names:
        try:
            members.append(make(values[name], None))
        except SlotError as error:
            raise error.within(name) from None
    found = ValueType(TypeKind.STRUCT, names=names, children=tuple(kind for kind, _ in members))
    made = struct_array([array for _, array in members], len(values))
    return found, with_missing(made, missing)


_TAKERS: Final[dict[str, Callable[[_Array, _Array | None], _Built]]] = {
    "b": _booleans,
    "i": _integers,
    "u": _integers,
    "M": _times,
    "m": _times,
    "S": _texts,
    "U": _texts,
    "V": _raw,
}
