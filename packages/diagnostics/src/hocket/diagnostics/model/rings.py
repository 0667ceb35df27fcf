"""Rings of rows: so many and no more, read as columns from a cursor on.

A ring is filled once, however many readers there are; each reader keeps a cursor, which is the
number of rows that were ever appended before the one it wants next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

__all__ = ["ColumnRing", "EventRing", "Kind", "Ring", "Rows"]

#: What a column holds: floats, integers, text.
Kind = Literal["float", "integer", "text"]

_TYPECODES: Final = {"float": "d", "integer": "q"}
#: Rows that wait for being put into the columns, at most.
_FRESH_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a ring.

    Attributes
    ----------
    begin, end
        Cursors of the first row and of the one after the last.
    lost
        Rows that were asked for and are no longer there.
    columns
        Values by column, in arrays or lists that are the reader's own.
    """

    begin: int
    end: int
    lost: int
    columns: dict[str, Sequence[Any]]

    def __len__(self) -> int:
        return self.end - self.begin


class Ring(ABC):
    """A bounded table that only grows at its end.

    Parameters
    ----------
    columns
        Kinds by name, in order.
    rows_max
        Rows that are kept. (Up to twice as many are held for a while, so that trimming is cheap.)
    """

    __slots__ = ("_base", "kinds", "rows_max")

    def __init__(self, columns: Mapping[str, Kind], rows_max: int) -> None:
        self.kinds: Final = dict(columns)
        self.rows_max: Final = rows_max
        #: How many rows are no longer held.
        self._base = 0

    @property
    @abstractmethod
    def _held(self) -> int:
        """How many rows are held."""

    @abstractmethod
    def _values(self, column: str, begin: int, end: int | None = None) -> Sequence[Any]:
        """Return values of held rows, in a list or array that is the caller's own."""

    @abstractmethod
    def append(self, *values: Any) -> None:
        """Append a row."""

    def __len__(self) -> int:
        return min(self._held, self.rows_max)

    @property
    def begin(self) -> int:
        """The cursor of the oldest row."""
        return self.end - len(self)

    @property
    def end(self) -> int:
        """The cursor after the newest row: how many rows were ever appended."""
        return self._base + self._held

    def read(self, cursor: int = 0, rows_max: int | None = None) -> Rows:
        """Return the rows from a cursor on; if they are too many, the newest of them.

        Parameters
        ----------
        cursor
            Of the first row wanted. One from the future (of another ring's life) reads all.
        rows_max
            Rows returned at most; None: all.
        """
        end = self.end
        wanted = 0 if cursor > end else max(cursor, 0)
        begin = max(wanted, self.begin)
        if rows_max is not None:
            begin = max(begin, end - rows_max)
        offset = begin - self._base
        columns = {name: self._values(name, offset) for name in self.kinds}
        return Rows(begin, end, begin - wanted, columns)

    def first(self, column: str) -> Any:
        """Return the oldest value of a column, or None."""
        offset = self.begin - self._base
        return next(iter(self._values(column, offset, offset + 1)), None)

    def last(self, column: str) -> Any:
        """Return the newest value of a column, or None."""
        return next(iter(self._values(column, max(self._held - 1, 0))), None)


class ColumnRing(Ring):
    """A ring that keeps columns, and is given a row's values in their order."""

    __slots__ = ("_columns", "_lists")

    def __init__(self, columns: Mapping[str, Kind], rows_max: int) -> None:
        super().__init__(columns, rows_max)
        self._columns: dict[str, Any] = {name: _column(kind) for name, kind in columns.items()}
        self._lists = tuple(self._columns.values())

    @property
    def _held(self) -> int:
        return len(self._lists[0])

    def _values(self, column: str, begin: int, end: int | None = None) -> Sequence[Any]:
        values: Sequence[Any] = self._columns[column][begin:end]
        return values

    def append(self, *values: Any) -> None:
        """Append a row, given in the order of the columns."""
        for column, value in zip(self._lists, values, strict=True):
            column.append(value)
        if len(self._lists[0]) > 2 * self.rows_max:
            surplus = len(self._lists[0]) - self.rows_max
            for column in self._lists:
                del column[:surplus]
            self._base += surplus


class EventRing(Ring):
    """A ring that keeps events as they are, and makes columns of them when it is read.

    To append one costs next to nothing, so it is for those that are many. A column is the event's
    attribute of that name, unless told otherwise.

    Parameters
    ----------
    columns, rows_max
        As of any ring.
    makers
        By column: what makes its value of an event.
    """

    __slots__ = ("_events", "_makers")

    def __init__(
        self,
        columns: Mapping[str, Kind],
        rows_max: int,
        makers: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        super().__init__(columns, rows_max)
        self._events: list[Any] = []
        self._makers = {name: makers.get(name) or attrgetter(name) for name in columns}

    @property
    def _held(self) -> int:
        return len(self._events)

    def _values(self, column: str, begin: int, end: int | None = None) -> Sequence[Any]:
        made = map(self._makers[column], self._events[begin:end])
        kind = self.kinds[column]
        return list(made) if kind == "text" else array(_TYPECODES[kind], made)

    def append(self, *values: Any) -> None:
        """Append an event."""
        events = self._events
        events.append(values[0])
        if len(events) > 2 * self.rows_max:
            surplus = len(events) - self.rows_max
            del events[:surplus]
            self._base += surplus


def _column(kind: Kind) -> Any:
    return [] if kind == "text" else array(_TYPECODES[kind])
