"""Flatbuffers, written from the front: each table before what it refers to."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hocket.parquet.records import dataclass, field

__all__ = ["Scalar", "Table", "flatbuffer"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number in a table.

    Parameters
    ----------
    layout
        As `struct` writes it: ``"B"``, ``"h"``, ``"i"`` or ``"q"``.
    value
        The number.
    """

    layout: str
    value: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Parameters
    ----------
    fields
        By the numbers that the format's schema gives them: numbers, texts, tables, or lists of
        tables. What is None is left out.
    """

    fields: Mapping[int, Any] = field(default_factory=dict)


_REFERENCE: Final = Scalar("I", 0)


def flatbuffer(root: Table) -> bytes:
    """Return the bytes of a table and all below it.

    Parameters
    ----------
    root
        The table.
    """
    writer = _Writer()
    writer.append(b"\0\0\0\0")
    writer.point(0, root)
    return bytes(writer.data)


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, raw: bytes, alignment: int = 1) -> int:
        """Add bytes, and return where they begin."""
        self.data += bytes(-len(self.data) % alignment)
        at = len(self.data)
        self.data += raw
        return at

    def point(self, at: int, target: Any) -> None:
        """Write something, and a reference to it."""
        struct.pack_into("<I", self.data, at, self._written(target) - at)

    def _written(self, target: Any) -> int:
        if isinstance(target, Table):
            return self._table(target)
        if isinstance(target, (str, bytes)):
            raw = target if isinstance(target, bytes) else target.encode("utf-8", "replace")
            return self.append(struct.pack("<I", len(raw)) + raw + b"\0", 4)
        return self._tables(target)

    def _tables(self, tables: Sequence[Table]) -> int:
        at = self.append(struct.pack("<I", len(tables)) + bytes(4 * len(tables)), 4)
        for index, each in enumerate(tables):
            self.point(at + 4 + 4 * index, each)
        return at

    def _table(self, table: Table) -> int:
        present = {number: value for number, value in table.fields.items() if value is not None}
        scalars = {
            number: value if isinstance(value, Scalar) else _REFERENCE
            for number, value in present.items()
        }
        places: dict[int, int] = {}
        size = alignment = 4
        for number in sorted(scalars, key=lambda each: -struct.calcsize(scalars[each].layout)):
            width = struct.calcsize(scalars[number].layout)
            alignment = max(alignment, width)
            size += -size % width
            places[number] = size
            size += width
        count = max(places, default=-1) + 1
        offsets = [places.get(number, 0) for number in range(count)]
        # Tables could share this; but some readers do not look before what refers to a table.
        description = self.append(struct.pack(f"<{count + 2}H", 4 + 2 * count, size, *offsets), 2)
        at = self.append(bytes(size), alignment)
        struct.pack_into("<i", self.data, at, at - description)
        for number, place in places.items():
            struct.pack_into(
                f"<{scalars[number].layout}", self.data, at + place, scalars[number].value
            )
        for number, value in present.items():
            if not isinstance(value, Scalar):
                self.point(at + places[number], value)
        return at
