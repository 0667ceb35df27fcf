"""Lists of decimals, none missing, to two's complement with one number of digits for all."""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from numbers import Integral
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import fixed_array
from hocket.parquet.intake.object_bytes import joined
from hocket.parquet.intake.object_numbers import slot_where
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import DIGITS_MAX, TypeKind, ValueType

__all__ = ["decimal_array", "decimals_of"]

_Built = tuple[ValueType, ValueArray]

_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
#: A number of more digits than that is not shifted by powers of ten: it would take all memory.
_EXPONENT_MAX: Final = 10_000


def decimals_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return decimals: with as many digits as are needed, or with those that are asked for."""
    decimals = values
    if any(type(value) is not Decimal for value in values):
        decimals = [_decimal(slot, value) for slot, value in enumerate(values)]
    exponents = [value.as_tuple().exponent for value in decimals]
    for slot, exponent in enumerate(exponents):
        if not isinstance(exponent, int) or abs(exponent) > _EXPONENT_MAX:
            raise SlotError(
                slot,
                f"{described(values[slot])} is no decimal of so many digits before or after the "
                "point: replace it by None, or store floats",
            )
    if wanted is None or not wanted.precision:
        scale = max((-exponent for exponent in exponents), default=0)
        scale = max(scale, 0)
        numbers = _unscaled(decimals, scale)
        digits = max((len(str(abs(number))) for number in _extremes(numbers)), default=1)
        precision = max(digits, scale, 1)
        if precision > DIGITS_MAX:
            slot = slot_where(numbers, lambda number: len(str(abs(number))) > DIGITS_MAX)
            raise SlotError(
                slot, f"{described(values[slot])} takes {precision} digits; {DIGITS_MAX} is most"
            )
        wanted = ValueType(TypeKind.DECIMAL, precision=precision, scale=scale)
        return wanted, decimal_array(numbers, precision)
    return wanted, _as_wanted(values, decimals, wanted)


def _as_wanted(values: list[Any], decimals: list[Decimal], wanted: ValueType) -> ValueArray:
    numbers = _unscaled(decimals, wanted.scale)
    power = Decimal(-wanted.scale)
    limit = 10**wanted.precision
    for slot, (number, value) in enumerate(zip(numbers, decimals, strict=True)):
        if abs(number) >= limit:
            raise SlotError(
                slot,
                f"{described(values[slot])} has more than the {wanted.precision - wanted.scale} "
                f"digits before the point that {wanted} has",
            )
        if Decimal(number).scaleb(power, _EXACT) != value:
            raise SlotError(
                slot,
                f"{described(values[slot])} has more than the {wanted.scale} digits after the "
                f"point that {wanted} has; round first",
            )
    return decimal_array(numbers, wanted.precision)


def _decimal(slot: int, value: Any) -> Decimal:
    """Return a number as a decimal; a float as the shortest one that is read as this float."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, (bool, np.bool_)):
        raise SlotError(slot, f"{described(value)} is no decimal")
    if isinstance(value, Integral):
        return Decimal(int(value))
    if isinstance(value, (float, np.floating, str)):
        text = value if isinstance(value, str) else str(value)
        try:
            return Decimal(text)
        except InvalidOperation:
            pass
    raise SlotError(slot, f"{described(value)} is no decimal")


def _unscaled(decimals: list[Decimal], scale: int) -> list[int]:
    """Return values times a power of ten; digits below are dropped."""
    power = Decimal(scale)
    return [int(value.scaleb(power, _EXACT)) for value in decimals]


def _extremes(numbers: list[int]) -> tuple[int, ...]:
    return (min(numbers), max(numbers)) if numbers else ()


def decimal_array(numbers: list[int], precision: int) -> ValueArray:
    """Return the array of unscaled decimals of so many digits."""
    if precision <= 18:
        return fixed_array(np.array(numbers, np.int32 if precision <= 9 else np.int64))
    if precision > 76:
        return joined([_shortest(number) for number in numbers])
    width = 16 if precision <= 38 else 32
    raw = b"".join([number.to_bytes(width, "little", signed=True) for number in numbers])
    return fixed_array(np.frombuffer(raw, f"V{width}"))


def _shortest(number: int) -> bytes:
    positive = number if number >= 0 else ~number
    return number.to_bytes(positive.bit_length() // 8 + 1, "big", signed=True)
