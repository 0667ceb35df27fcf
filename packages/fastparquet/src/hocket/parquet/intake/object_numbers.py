"""Lists of Python's and NumPy's booleans and numbers, none missing, to arrays."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import fixed_array
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.records import replace

__all__ = ["booleans_of", "float_array", "floats_of", "integers_of", "slot_where"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_EXACT_MAX: Final = 1 << 53
_BOOLEAN: Final = ValueType(TypeKind.BOOLEAN)
_DOUBLE: Final = ValueType(TypeKind.FLOAT, bits=64)


def slot_where(values: list[Any], is_wrong: Callable[[Any], bool]) -> int:
    """Return the first slot whose value is wrong; it is known that there is one."""
    return next(slot for slot, value in enumerate(values) if is_wrong(value))


def booleans_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return booleans; 0 and 1 count for such if they are asked for."""
    if wanted is not None:
        for slot, value in enumerate(values):
            is_boolean = isinstance(value, (bool, np.bool_))
            if not is_boolean and not (isinstance(value, Real) and value in (0, 1)):
                raise SlotError(slot, f"{described(value)} is no boolean; give True or False")
    return _BOOLEAN, fixed_array(np.array(values, np.bool_))


def integers_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return integers: of the width that is asked for, or of 64 bits."""
    if wanted is None:
        for is_signed in (True, False):
            try:
                array = np.array(values, np.int64 if is_signed else np.uint64)
            except OverflowError:
                continue
            return ValueType(TypeKind.INTEGER, bits=64, is_signed=is_signed), fixed_array(array)
        raise _too_large(values)
    whole = [_whole(slot, value, wanted) for slot, value in enumerate(values)]
    dtype = np.dtype(f"{'i' if wanted.is_signed else 'u'}{wanted.bits // 8}")
    try:
        return wanted, fixed_array(np.array(whole, dtype))
    except OverflowError:
        limits = np.iinfo(dtype)
        slot = slot_where(whole, lambda value: not limits.min <= value <= limits.max)
        raise SlotError(
            slot, f"{described(values[slot])} does not fit {wanted}; ask for a wider type"
        ) from None


def _too_large(values: list[Any]) -> SlotError:
    """Return the error of integers that 64 bits do not hold, with a sign or without."""
    least, most = -(1 << 63), (1 << 64) - 1
    slot = next((i for i, value in enumerate(values) if not least <= value <= most), None)
    remedy = "ask for a decimal, types={...: 'decimal(38, 0)'}, or for floats, 'float64'"
    if slot is None:
        slot = slot_where(values, lambda value: value < 0)
        return SlotError(
            slot,
            f"{described(values[slot])} is negative, and other values are beyond 2**63: no "
            f"integer of 64 bits holds both; {remedy}",
        )
    return SlotError(slot, f"{described(values[slot])} does not fit 64 bits; {remedy}")


def _whole(slot: int, value: Any, wanted: ValueType) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Integral, Real, Decimal)):
        raise SlotError(slot, f"{described(value)} is no number, and {wanted} is asked for")
    try:
        whole = int(value)  # type: ignore[arg-type]  # what a Real is, int takes
    except (ValueError, OverflowError):
        whole = None
    if whole is None or whole != value:
        raise SlotError(
            slot, f"{described(value)} is no whole number, and {wanted} is asked for; round first"
        )
    return whole


def floats_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return floats; integers that a float cannot hold are an error."""
    values_type = _DOUBLE if wanted is None else wanted
    for slot, value in enumerate(values):
        # (A float is the rule, and the first question.)
        if isinstance(value, (float, np.floating)):
            continue
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, Decimal)):
            raise SlotError(slot, f"{described(value)} is no number, and a float is asked for")
        if wanted is None and int(float(value)) != value:
            raise SlotError(
                slot,
                f"{described(value)} is among floats, and none is equal to it; ask for "
                "types={...: 'float64'} to have the nearest",
            )
    try:
        array = np.array([float(value) for value in values], np.float64)
    except OverflowError:
        slot = slot_where(values, lambda value: abs(value) > np.finfo("f8").max)
        raise SlotError(slot, f"{described(values[slot])} is larger than any float") from None
    return values_type, float_array(array, values_type.bits)


def float_array(values: _Array, bits: int) -> ValueArray:
    """Return floats of a width, each the nearest one."""
    with np.errstate(over="ignore"):
        narrowed = values.astype(f"f{bits // 8}", copy=False)
    array = fixed_array(narrowed)
    if bits != 16:
        return array
    # Parquet's halves are two bytes.
    assert array.values is not None
    return replace(array, values=array.values.view("V2"))
