"""Column rings: so many rows and no more, read from a cursor on.

A ring is filled once, however many readers there are; each reader keeps a cursor, which is the
number of rows that were ever appended before the one it wants next.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["ColumnRing", "Kind", "Rows"]

#: What a column holds: floats, integers, text.
Kind = Literal["float", "integer", "text"]

_TYPECODES: Final = {"float": "d", "integer": "q"}


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


class ColumnRing:
    """A bounded table that only grows at its end.

    Parameters
    ----------
    columns
        Kinds by name, in order.
    rows_max
        Rows that are kept. (Up to twice as many are held for a while, so that trimming is cheap.)
    """

    __slots__ = ("_base", "_columns", "_lists", "kinds", "rows_max")

    def __init__(self, columns: Mapping[str, Kind], rows_max: int) -> None:
        self.kinds: Final = dict(columns)
        self.rows_max: Final = rows_max
        self._columns: dict[str, Any] = {
            name: [] if kind == "text" else array(_TYPECODES[kind])
            for name, kind in columns.items()
        }
        self._lists = tuple(self._columns.values())
        self._base = 0

    def __len__(self) -> int:
        return min(len(self._lists[0]), self.rows_max)

    @property
    def begin(self) -> int:
        """The cursor of the oldest row."""
        return self.end - len(self)

    @property
    def end(self) -> int:
        """The cursor after the newest row: how many rows were ever appended."""
        return self._base + len(self._lists[0])

    def append(self, *values: Any) -> None:
        """Append a row, given in the order of the columns."""
        for column, value in zip(self._lists, values, strict=True):
            column.append(value)
        if len(self._lists[0]) > 2 * self.rows_max:
            self._trim()

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
        columns = {name: column[offset:] for name, column in self._columns.items()}
        return Rows(begin, end, begin - wanted, columns)

    def last(self, column: str) -> Any:
        """Return the newest value of a column, or None."""
        values = self._columns[column]
        return values[-1] if values else None

    def _trim(self) -> None:
        surplus = len(self._lists[0]) - self.rows_max
        for column in self._lists:
            del column[:surplus]
        self._base += surplus
