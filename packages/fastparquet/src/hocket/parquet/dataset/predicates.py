"""One condition on the values of one column, ready to be tried against bounds and against values.

Every comparison comes down to one of five shapes: within a range, among some values, outside of
them, null, not null. Nulls are within nothing, among nothing and outside of nothing.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

from hocket.parquet.dataset.filters import Condition
from hocket.parquet.dataset.keys import Family, Key, KeyDomain
from hocket.parquet.errors import InvalidFilter
from hocket.parquet.records import dataclass

__all__ = ["Bounds", "Predicate", "Shape", "predicate_of"]


class Shape(Enum):
    """What a predicate asks."""

    WITHIN = "within"
    AMONG = "among"
    OUTSIDE = "outside"
    NULL = "null"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of some values without reading them.

    Parameters
    ----------
    low, high
        No value is below or above these; None if it is not known.
    null_count
        How many are null; None if it is not known.
    count
        How many there are, nulls counted.
    may_be_nan
        Whether values that are not a number can be among them.
    """

    low: Key | None
    high: Key | None
    null_count: int | None
    count: int
    may_be_nan: bool = False


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition in terms of keys.

    Parameters
    ----------
    condition
        As the user wrote it.
    domain
        What the keys are keys of.
    shape
        What is asked.
    low, high
        The range, of `Shape.WITHIN`; None for no bound. Both belong to it unless they are open.
    low_is_open, high_is_open
        Whether the bound itself does not belong to the range.
    members
        The values, of `Shape.AMONG` and `Shape.OUTSIDE`, sorted, each once.
    """

    condition: Condition
    domain: KeyDomain
    shape: Shape
    low: Key | None = None
    high: Key | None = None
    low_is_open: bool = False
    high_is_open: bool = False
    members: tuple[Key, ...] = ()

    @property
    def is_never(self) -> bool:
        """Whether no value can fulfil it."""
        if self.shape is Shape.AMONG:
            return not self.members
        if self.shape is not Shape.WITHIN or self.low is None or self.high is None:
            return False
        open_end = self.low_is_open or self.high_is_open
        return bool(self.low > self.high or (open_end and self.low == self.high))

    def in_domain(self, domain: KeyDomain) -> Predicate:
        """Return the same condition for keys of another unit."""
        return self if domain == self.domain else predicate_of(self.condition, domain)

    def is_possible(self, bounds: Bounds) -> bool:
        """Tell whether one of the values could fulfil it."""
        nulls, count = bounds.null_count, bounds.count
        if count == 0 or self.is_never:
            return False
        if self.shape is Shape.NULL:
            return nulls is None or nulls > 0
        return (nulls is None or nulls < count) and self._is_possible_value(bounds)

    def _is_possible_value(self, bounds: Bounds) -> bool:
        """Tell whether a value that is not null could fulfil it."""
        low, high = bounds.low, bounds.high
        if self.shape is Shape.WITHIN:
            return not (self._is_above(high) or self._is_below(low))
        if self.shape is Shape.AMONG:
            return any(
                (low is None or member >= low) and (high is None or member <= high)
                for member in self.members
            )
        if self.shape is Shape.OUTSIDE:
            only_one = low is not None and low == high and not bounds.may_be_nan
            return not (only_one and low in self.members)
        return True

    def is_certain(self, bounds: Bounds) -> bool:
        """Tell whether all of the values must fulfil it."""
        nulls, count = bounds.null_count, bounds.count
        if self.shape is Shape.NULL:
            return nulls is not None and nulls >= count
        return nulls == 0 and self._is_certain_value(bounds)

    def _is_certain_value(self, bounds: Bounds) -> bool:
        """Tell whether all values that are not null must fulfil it."""
        low, high = bounds.low, bounds.high
        if self.shape is Shape.PRESENT or (self.shape is Shape.OUTSIDE and not self.members):
            return True
        if low is None or high is None:
            return False
        if self.shape is Shape.OUTSIDE:
            return all(member < low or member > high for member in self.members)
        if self.shape is Shape.AMONG:
            return not bounds.may_be_nan and low == high and low in self.members
        return not bounds.may_be_nan and self.holds(low) and self.holds(high)

    def holds(self, key: Key) -> bool:
        """Tell whether one value that is not null fulfils it."""
        if self.shape is Shape.WITHIN:
            if isinstance(key, float) and math.isnan(key):
                return False
            return not (self._is_above(key) or self._is_below(key))
        if self.shape is Shape.AMONG:
            return key in self.members
        if self.shape is Shape.OUTSIDE:
            return key not in self.members
        return self.shape is Shape.PRESENT

    def _is_above(self, key: Key | None) -> bool:
        """Tell whether the range begins above a key."""
        if key is None or self.low is None:
            return False
        return bool(self.low > key or (self.low_is_open and self.low == key))

    def _is_below(self, key: Key | None) -> bool:
        """Tell whether the range ends below a key."""
        if key is None or self.high is None:
            return False
        return bool(self.high < key or (self.high_is_open and self.high == key))


def predicate_of(condition: Condition, domain: KeyDomain) -> Predicate:
    """Bring a condition into keys of a column.

    Raises
    ------
    InvalidFilter
        A value does not compare with those of the column.
    """
    operator = condition.operator
    if operator in ("is null", "is not null"):
        return Predicate(condition, domain, Shape.NULL if operator == "is null" else Shape.PRESENT)
    if operator == "~":
        if domain.family is not Family.BOOLEAN:
            raise InvalidFilter(
                f"{condition}: only booleans can be negated, and these are {domain.family}",
                column=condition.column,
            )
        return Predicate(condition, domain, Shape.AMONG, members=(0,))
    if operator in ("==", "!=", "in", "not in"):
        values = condition.value if operator in ("in", "not in") else (condition.value,)
        keys = [_key(condition, domain, value) for value in values]
        members = {key for key, is_exact in keys if is_exact and key == key}  # noqa: PLR0124
        shape = Shape.AMONG if operator in ("==", "in") else Shape.OUTSIDE
        return Predicate(condition, domain, shape, members=tuple(sorted(members)))
    key, is_exact = _key(condition, domain, condition.value)
    if key != key:  # noqa: PLR0124
        return Predicate(condition, domain, Shape.AMONG)
    # A key that is not exact stands for a value between it and the next.
    if operator in ("<", "<="):
        is_open = operator == "<" and is_exact
        return Predicate(condition, domain, Shape.WITHIN, high=key, high_is_open=is_open)
    is_open = operator == ">" or not is_exact
    return Predicate(condition, domain, Shape.WITHIN, low=key, low_is_open=is_open)


def _key(condition: Condition, domain: KeyDomain, value: Any) -> tuple[Key, bool]:
    try:
        return domain.key(value)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFilter(
            f"{condition}: {value!r} does not compare with {domain.family}: {error}",
            column=condition.column,
        ) from error
