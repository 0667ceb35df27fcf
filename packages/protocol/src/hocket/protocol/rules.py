"""Rules that fields of messages may have to keep; :mod:`hocket.protocol.checks` says which do.

Each returns a test, which raises `RemoteProtocolError` with the names of the class and the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any, Final

from hocket.core.errors import RemoteProtocolError

__all__ = [
    "DIGEST_NBYTES",
    "KEY_LENGTH_MAX",
    "NAME_LENGTH_MAX",
    "Rule",
    "amounts",
    "check_name",
    "counts",
    "counts_of_names",
    "digests",
    "equal",
    "equal_or_empty",
    "finite",
    "in_range",
    "index_lists",
    "indices",
    "key",
    "key_lists",
    "keys",
    "misfit",
    "name",
    "name_lists",
    "names",
    "not_negative",
    "not_negative_if_given",
    "resources",
    "short",
    "size_lists",
]

#: Longer keys are not names of anything any more; the longest that dask's users make are of a few
#: hundred characters.
KEY_LENGTH_MAX: Final = 4096
#: Names of workers and resources, addresses, hosts, labels of functions.
NAME_LENGTH_MAX: Final = 1024
#: Of a function's blob (BLAKE2b).
DIGEST_NBYTES: Final = 16

#: A test of a message.
Rule = Callable[[Any], None]


def misfit(message: Any, field: str, what: str) -> RemoteProtocolError:
    """Return the error that says what does not fit."""
    return RemoteProtocolError(reason=f"{type(message).__name__}.{field} does not fit: {what}")


def equal(*fields: str) -> Rule:
    """Test that all these columns have the length of the first."""
    columns = attrgetter(*fields)

    def test(message: Any) -> None:
        lengths = list(map(len, columns(message)))
        first = lengths[0]
        if lengths.count(first) != len(lengths):
            field, length = next(
                each for each in zip(fields, lengths, strict=True) if each[1] != first
            )
            raise misfit(message, field, f"it has {length} rows, {fields[0]} has {first}")

    return test


def equal_or_empty(first: str, *fields: str) -> Rule:
    """Test that each of these columns is empty or has the length of the first."""
    columns = attrgetter(first, *fields)

    def test(message: Any) -> None:
        lengths = list(map(len, columns(message)))
        rows = lengths[0]
        for index, length in enumerate(lengths):
            if length and length != rows:
                what = f"it has {length} rows, {first} has {rows}"
                raise misfit(message, fields[index - 1], what)

    return test


def short(length_max: int, *fields: str) -> Rule:
    """Test that no text in these columns is longer than this."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            if column and max(map(len, column)) > length_max:
                longest = max(map(len, column))
                what = f"a text of {longest} characters is over the limit of {length_max}"
                raise misfit(message, field, what)

    return test


def keys(*fields: str) -> Rule:
    """Test that no key in these columns is absurdly long."""
    return short(KEY_LENGTH_MAX, *fields)


def names(*fields: str) -> Rule:
    """Test that no name in these columns is absurdly long."""
    return short(NAME_LENGTH_MAX, *fields)


def key(field: str) -> Rule:
    """Test that a key is not absurdly long."""

    def test(message: Any) -> None:
        _check_key(message, field, getattr(message, field))

    return test


def key_lists(field: str) -> Rule:
    """Test lists of keys."""

    def test(message: Any) -> None:
        for key in chain.from_iterable(getattr(message, field)):
            _check_key(message, field, key)

    return test


def _check_key(message: Any, field: str, key: str) -> None:
    if len(key) > KEY_LENGTH_MAX:
        what = f"a text of {len(key)} characters is over the limit of {KEY_LENGTH_MAX}"
        raise misfit(message, field, what)


def name(field: str) -> Rule:
    """Test that a text is not longer than a name may be."""

    def test(message: Any) -> None:
        check_name(message, field, getattr(message, field))

    return test


def check_name(message: Any, field: str, name: str) -> None:
    """Refuse a name that is absurdly long."""
    if len(name) > NAME_LENGTH_MAX:
        what = f"a text of {len(name)} characters is over the limit of {NAME_LENGTH_MAX}"
        raise misfit(message, field, what)


def name_lists(field: str) -> Rule:
    """Test lists of names."""

    def test(message: Any) -> None:
        for name in chain.from_iterable(getattr(message, field)):
            check_name(message, field, name)

    return test


def digests(*fields: str) -> Rule:
    """Test a digest, or a column of them."""

    def test(message: Any) -> None:
        for field in fields:
            value = getattr(message, field)
            for digest in (value,) if isinstance(value, bytes) else value:
                if len(digest) != DIGEST_NBYTES:
                    what = f"a digest of {len(digest)} bytes instead of {DIGEST_NBYTES}"
                    raise misfit(message, field, what)

    return test


def counts(*fields: str) -> Rule:
    """Test that no whole number in these columns is negative."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            if column and min(column) < 0:
                raise misfit(message, field, f"{min(column)} is negative")

    return test


def amounts(*fields: str) -> Rule:
    """Test that no number in these columns is negative, infinite or no number."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            # A sum of numbers one of which is not finite is not finite.
            if column and not (isfinite(sum(column)) and min(column) >= 0):
                raise misfit(message, field, "an amount is negative or not finite")

    return test


def finite(field: str) -> Rule:
    """Test that no number in this column is infinite or no number."""

    def test(message: Any) -> None:
        if not isfinite(sum(getattr(message, field))):
            raise misfit(message, field, "a number is not finite")

    return test


def not_negative(*fields: str) -> Rule:
    """Test that none of these numbers is negative, infinite or no number."""
    numbers = attrgetter(*fields) if len(fields) > 1 else None

    def test(message: Any) -> None:
        values = numbers(message) if numbers else (getattr(message, fields[0]),)
        for field, value in zip(fields, values, strict=True):
            if not 0 <= value < float("inf"):
                raise misfit(message, field, f"{value} is not an amount")

    return test


def not_negative_if_given(field: str) -> Rule:
    """Test that a number is None, or neither negative, infinite nor no number."""

    def test(message: Any) -> None:
        value = getattr(message, field)
        if value is not None and not 0 <= value < float("inf"):
            raise misfit(message, field, f"{value} is not an amount")

    return test


def resources(field: str) -> Rule:
    """Test amounts by name."""

    def test(message: Any) -> None:
        resources = getattr(message, field)
        for name, amount in resources.items():
            check_name(message, field, name)
            if not 0 <= amount < float("inf"):
                raise misfit(message, field, f"{amount} of {name!r} is not an amount")

    return test


def in_range(message: Any, field: str, indices: Sequence[int], rows: int) -> None:
    """Refuse indices that do not lie in so many rows."""
    if indices and not 0 <= min(indices) <= max(indices) < rows:
        raise misfit(message, field, f"an index does not lie in 0 to {rows - 1}")


def indices(field: str, target: str) -> Rule:
    """Test that these are indices into another column."""

    def test(message: Any) -> None:
        in_range(message, field, getattr(message, field), len(getattr(message, target)))

    return test


def index_lists(field: str, target: str) -> Rule:
    """Test that each row is a list of indices into another column."""

    def test(message: Any) -> None:
        indices = list(chain.from_iterable(getattr(message, field)))
        in_range(message, field, indices, len(getattr(message, target)))

    return test


def size_lists(field: str) -> Rule:
    """Test that each row is a list of sizes, or None."""

    def test(message: Any) -> None:
        rows: Iterable[list[int] | None] = getattr(message, field)
        sizes = list(chain.from_iterable(row for row in rows if row is not None))
        if sizes and min(sizes) < 0:
            raise misfit(message, field, f"a size of {min(sizes)} bytes")

    return test


def counts_of_names(field: str) -> Rule:
    """Test counts by name."""

    def test(message: Any) -> None:
        for name, count in getattr(message, field).items():
            check_name(message, field, name)
            if count < 0:
                raise misfit(message, field, f"{count} is no count of {name!r}")

    return test
