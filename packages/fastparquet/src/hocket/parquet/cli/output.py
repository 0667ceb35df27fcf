"""Lines, aligned tables and JSON on standard output.

What files say may be anything: characters that a terminal would obey are written as escapes.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Container, Iterable, Sequence
from typing import Any, Final, TextIO

__all__ = [
    "MISSING",
    "Output",
    "count_of",
    "nbytes_of",
    "number_of",
    "printable",
    "shortened",
    "table",
]

#: What stands where a file tells nothing.
MISSING: Final = "-"

_GAP: Final = "  "
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class Output:
    """Writes to a stream what its encoding can hold.

    Parameters
    ----------
    stream
        Where to; standard output unless told.
    width
        Columns of text that a table may have; 0 for any number. Unless told, as many as the
        terminal has, and any number where the stream is none.
    """

    def __init__(self, stream: TextIO | None = None, width: int | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        if width is None:
            width = shutil.get_terminal_size().columns if self._stream.isatty() else 0
        self.width = width

    def line(self, text: str = "") -> None:
        """Write a line."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Write several lines."""
        for text in texts:
            self.line(text)

    def json(self, value: Any, *, is_line: bool = False) -> None:
        """Write a value as JSON: over several lines, or in one."""
        self.line(json.dumps(value, indent=None if is_line else 2, allow_nan=False))

    def table(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], right: Container[str] = ()
    ) -> None:
        """Write a table; see `table`."""
        self.lines(table(titles, rows, right, width=self.width))

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write names and what belongs to them, one pair a line."""
        widest = max((_width(name) for name, _ in pairs), default=0)
        for name, text in pairs:
            self.line(f"{name}{' ' * (widest - _width(name))}{_GAP}{text}")

    def flush(self) -> None:
        """Hand over what was written."""
        self._stream.flush()


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Container[str] = (),
    *,
    width: int = 0,
) -> list[str]:
    """Return the lines of a table.

    Parameters
    ----------
    titles
        The names of the columns.
    rows
        The cells of each row, which hold no line breaks.
    right
        Titles of columns that are aligned to the right.
    width
        What a line may take; 0 for anything. A wider table is cut into several, one below the
        other, each of which begins with the first column.
    """
    widths = [
        max([_width(title), *(_width(row[at]) for row in rows)]) for at, title in enumerate(titles)
    ]
    lines: list[str] = []
    for places in _blocks(widths, width):
        if lines:
            lines.append("")
        for row in (titles, *rows):
            cells = []
            for at in places:
                blanks = " " * (widths[at] - _width(row[at]))
                is_right = titles[at] in right
                cells.append(f"{blanks}{row[at]}" if is_right else f"{row[at]}{blanks}")
            lines.append(_GAP.join(cells).rstrip())
    return lines


def _blocks(widths: Sequence[int], width: int) -> list[list[int]]:
    """Return which columns stand next to each other."""
    if not widths:
        return []
    blocks = [[0]]
    used = widths[0]
    for at in range(1, len(widths)):
        used += len(_GAP) + widths[at]
        if width and used > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0] + len(_GAP) + widths[at]
        blocks[-1].append(at)
    return blocks


def _width(text: str) -> int:
    """Return how many places of a line a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def printable(text: str) -> str:
    """Return a text with escapes for all that is not to be seen: line breaks, control codes."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


def shortened(text: str, most: int) -> str:
    """Return a text with dots in place of its end, if it is longer than that."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def nbytes_of(count: int | None) -> str:
    """Return a number of bytes in a unit that makes it short."""
    if count is None:
        return MISSING
    if abs(count) < 1024:
        return f"{count} B"
    value, unit = float(count), 0
    while abs(value) >= 999.95 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    return f"{value:.1f} {_UNITS[unit]}"


def count_of(count: int | None) -> str:
    """Return a number with commas between its thousands."""
    return MISSING if count is None else f"{count:,}"


def number_of(count: int, what: str) -> str:
    """Return how many there are of something, in words."""
    plural = {"index": "indexes"}.get(what, f"{what}s")
    return f"{count_of(count)} {what if count == 1 else plural}"
