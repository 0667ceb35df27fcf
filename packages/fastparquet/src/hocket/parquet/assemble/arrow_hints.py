"""What an Arrow writer said about its columns that Parquet's own schema cannot say.

The footer's key ``ARROW:schema`` holds a Flatbuffers message: a tree of fields. Read here is what
changes how values are to be understood: durations (Parquet has none), names of time zones, and
which columns had dictionaries. The bytes are anybody's: each position is checked, and what makes no
sense is no hint.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Final

from hocket.parquet.records import dataclass

__all__ = ["ArrowHint", "parse_arrow_schema"]

_UNITS: Final = ("s", "ms", "us", "ns")
_TIMESTAMP: Final = 10
_DURATION: Final = 18
_SCHEMA_HEADER: Final = 1
_DEPTH_MAX: Final = 64
_NBYTES_MAX: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class ArrowHint:
    """A field as Arrow had it.

    Parameters
    ----------
    name
        Its name.
    type_id
        The number of its type in Arrow's format (10 is a timestamp, 18 a duration).
    unit
        Of timestamps and durations: "s", "ms", "us" or "ns".
    timezone
        Of timestamps; None for local ones.
    is_dictionary, ordered
        Whether its values were encoded by a dictionary, and whether that had an order.
    children
        The fields in it.
    extension
        The name and the metadata of its extension type, as text; None if it has none.
    """

    name: str
    type_id: int
    unit: str = ""
    timezone: str | None = None
    is_dictionary: bool = False
    ordered: bool = False
    children: tuple[ArrowHint, ...] = ()
    extension: tuple[str, str] | None = None

    @property
    def duration_unit(self) -> str | None:
        """The unit of a duration; None for all else."""
        return self.unit if self.type_id == _DURATION else None


class _MalformedError(Exception):
    """A position outside of the message."""


def parse_arrow_schema(text: str | bytes | None) -> dict[str, ArrowHint]:
    """Return the top-level fields by name, from the value of the key ``ARROW:schema``.

    Of several fields with one name, none is there. Empty if the value makes no sense.
    """
    if text is None or len(text) > _NBYTES_MAX:
        return {}
    try:
        raw = base64.b64decode(text, validate=False)
        hints = _fields_of(raw)
    except (binascii.Error, ValueError, _MalformedError, struct.error):
        return {}
    names = [hint.name for hint in hints]
    if len(set(names)) == len(names):
        return {hint.name: hint for hint in hints}
    return {hint.name: hint for hint in hints if names.count(hint.name) == 1}


def _fields_of(raw: bytes) -> tuple[ArrowHint, ...]:
    reader = _Reader(raw)
    start = 8 if raw[:4] == b"\xff\xff\xff\xff" else 4
    message = reader.follow(start)
    if reader.scalar(message, 1, "<B", 0) != _SCHEMA_HEADER:
        return ()
    schema = reader.table(message, 2)
    if schema is None:
        return ()
    return tuple(reader.hint(each, 1) for each in reader.tables(schema, 1))


class _Reader:
    """A walk through a Flatbuffers message that never leaves it, nor visits more than it holds."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        # A field takes 16 bytes at least; tables that point at each other would never end.
        self._visits_left = len(raw) // 16
        # The same text could be pointed at again and again.
        self._text_nbytes_left = 4 * len(raw)
        # Tables of one shape share the description of where their fields are.
        self._layouts: dict[int, tuple[int, ...]] = {}

    def unpack(self, layout: str, at: int) -> int:
        if at < 0:
            raise _MalformedError
        # What is past the end is a struct.error.
        value: int = struct.unpack_from(layout, self._raw, at)[0]
        return value

    def follow(self, at: int) -> int:
        """Return the position that an offset points at."""
        return at + self.unpack("<I", at)

    def place(self, table: int, field: int) -> int | None:
        """Return where a field of a table stands; None if it has its default."""
        at = table - self.unpack("<i", table)
        offsets = self._layouts.get(at)
        if offsets is None:
            count = max(self.unpack("<H", at) // 2 - 2, 0)
            offsets = struct.unpack_from(f"<{count}H", self._raw, at + 4)
            self._layouts[at] = offsets
        if field >= len(offsets) or not offsets[field]:
            return None
        return table + offsets[field]

    def scalar(self, table: int, field: int, layout: str, default: int) -> int:
        at = self.place(table, field)
        return default if at is None else self.unpack(layout, at)

    def table(self, table: int, field: int) -> int | None:
        at = self.place(table, field)
        return None if at is None else self.follow(at)

    def text(self, table: int, field: int) -> str | None:
        at = self.table(table, field)
        if at is None:
            return None
        length = self.unpack("<I", at)
        self._text_nbytes_left -= length
        if length > len(self._raw) - at - 4 or self._text_nbytes_left < 0:
            raise _MalformedError
        return self._raw[at + 4 : at + 4 + length].decode("utf-8", "replace")

    def tables(self, table: int, field: int) -> list[int]:
        at = self.table(table, field)
        if at is None:
            return []
        count = self.unpack("<I", at)
        self._visits_left -= count
        if self._visits_left < 0:
            raise _MalformedError
        return [self.follow(at + 4 + 4 * index) for index in range(count)]

    def hint(self, field: int, depth: int) -> ArrowHint:
        if depth > _DEPTH_MAX:
            raise _MalformedError
        type_id = self.scalar(field, 2, "<B", 0)
        described = self.table(field, 3)
        unit, timezone = "", None
        if described is not None and type_id in (_TIMESTAMP, _DURATION):
            default = 0 if type_id == _TIMESTAMP else 1
            number = self.scalar(described, 0, "<h", default)
            unit = _UNITS[number] if 0 <= number < len(_UNITS) else ""
            timezone = self.text(described, 1) if type_id == _TIMESTAMP else None
        dictionary = self.table(field, 4)
        return ArrowHint(
            name=self.text(field, 0) or "",
            type_id=type_id,
            unit=unit,
            timezone=timezone or None,
            is_dictionary=dictionary is not None,
            ordered=dictionary is not None and self.scalar(dictionary, 2, "<B", 0) == 1,
            children=tuple(self.hint(child, depth + 1) for child in self.tables(field, 5)),
            extension=self.extension(field),
        )

    def extension(self, field: int) -> tuple[str, str] | None:
        pairs = {self.text(pair, 0): self.text(pair, 1) for pair in self.tables(field, 6)}
        name = pairs.get("ARROW:extension:name")
        return None if not name else (name, pairs.get("ARROW:extension:metadata") or "")
