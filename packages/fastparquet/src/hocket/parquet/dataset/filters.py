"""Filters as users write them, checked and brought into one form.

A filter is a list of alternatives, each a list of conditions that hold together, each a tuple
``(column, operator, value)``. A flat list of conditions is one alternative.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hocket.parquet.errors import InvalidFilter
from hocket.parquet.records import dataclass

__all__ = ["Condition", "Filter", "parse_filters"]

_OPERATORS: Final = {
    "==": "==",
    "=": "==",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "in": "in",
    "not in": "not in",
    "is null": "is null",
    "is not null": "is not null",
    "~": "~",
}
_WITHOUT_VALUE: Final = frozenset({"is null", "is not null", "~"})
_OF_MANY: Final = frozenset({"in", "not in"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Parameters
    ----------
    column
        Dotted path of a column, or name of a partition.
    operator
        One of ``== != < <= > >= in``, ``not in``, ``is null``, ``is not null``, ``~``.
    value
        As the user gave it; a tuple for ``in`` and ``not in``, None for those that take none.
    """

    column: str
    operator: str
    value: Any

    def __str__(self) -> str:
        if self.operator in _WITHOUT_VALUE:
            return f"({self.column!r}, {self.operator!r})"
        return f"({self.column!r}, {self.operator!r}, {self.value!r})"


#: Alternatives of conditions that hold together. One of no conditions holds always.
Filter = tuple[tuple[Condition, ...], ...]


def parse_filters(filters: Any) -> Filter:
    """Check what a user gave as filters.

    Parameters
    ----------
    filters
        A list of tuples, or a list of lists of tuples; None or an empty list for no filter.

    Returns
    -------
    Filter
        Empty if there is nothing to filter.
    """
    if filters is None:
        return ()
    if isinstance(filters, (str, bytes, dict)) or not isinstance(filters, Iterable):
        raise InvalidFilter(
            f"filters are {filters!r}; they have to be a list of tuples (column, operator, value)"
        )
    items = list(filters)
    if not items:
        return ()
    if _is_bare(items):
        raise InvalidFilter(f"filters are {filters!r}; put the tuple into a list: [{filters!r}]")
    if all(isinstance(item, list) for item in items) and not any(_is_bare(item) for item in items):
        return tuple(tuple(_condition(each) for each in item) for item in items)
    if any(isinstance(item, list) and not _is_bare(item) for item in items):
        raise InvalidFilter(
            f"filters mix tuples and lists: {filters!r}; "
            "they have to be a list of tuples, or a list of lists of tuples"
        )
    return (tuple(_condition(item) for item in items),)


def _is_bare(item: Any) -> bool:
    """Tell whether something is a condition and not a list of them."""
    return (
        isinstance(item, (list, tuple))
        and len(item) in (2, 3)
        and isinstance(item[0], str)
        and isinstance(item[1], str)
    )


def _condition(item: Any) -> Condition:
    if not isinstance(item, (list, tuple)) or len(item) not in (2, 3):
        raise InvalidFilter(f"{item!r} is no condition; it has to be (column, operator, value)")
    column, operator = item[0], item[1]
    value = item[2] if len(item) == 3 else None
    if not isinstance(column, str):
        raise InvalidFilter(f"the column of {item!r} is no string")
    canonical = None
    if isinstance(operator, str):
        canonical = _OPERATORS.get(" ".join(operator.lower().split()))
    if canonical is None:
        known = ", ".join(dict.fromkeys(_OPERATORS))
        raise InvalidFilter(f"{operator!r} in {item!r} is no operator; those are {known}")
    if canonical in _WITHOUT_VALUE:
        # Fastparquet looks at no value of "~", and wants one.
        if value is not None and canonical != "~":
            raise InvalidFilter(f"{item!r}: {canonical!r} takes no value")
        return Condition(column, canonical, None)
    if len(item) == 2:
        raise InvalidFilter(f"{item!r} has no value; it has to be (column, operator, value)")
    if canonical in _OF_MANY:
        return Condition(column, canonical, _members(item, value))
    if _is_missing(value):
        raise InvalidFilter(
            f"{item!r} compares with a null, which nothing is equal to; "
            f"use ({column!r}, 'is null') or ({column!r}, 'is not null')"
        )
    return Condition(column, canonical, value)


def _members(item: Any, value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise InvalidFilter(f"the value of {item!r} is no list or set")
    members = tuple(value)
    if any(_is_missing(member) for member in members):
        raise InvalidFilter(
            f"{item!r} compares with a null, which nothing is equal to; "
            f"add an alternative [({item[0]!r}, 'is null')]"
        )
    return members


def _is_missing(value: Any) -> bool:
    """Tell None, NaT and NA; not the floating-point number NaN, which is a value."""
    return value is None or type(value).__name__ in {"NaTType", "NAType"}
