"""The footer's key ``ARROW:schema``: what Arrow's readers are told that Parquet cannot say.

Its value is the message that Arrow's IPC format has for a schema, in base64. With it pyarrow,
polars and we give back dictionaries, durations, time zones, large and fixed-size types, and
extension types. (`hocket.parquet.assemble.arrow_hints` reads it.)
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hocket.parquet.intake.arrow_fields import is_boolean
from hocket.parquet.intake.arrow_type import FIELD_ID, ArrowType
from hocket.parquet.intake.flatbuffer import Scalar, Table, flatbuffer
from hocket.parquet.records import replace

__all__ = ["arrow_schema_value", "needs_arrow_schema", "stored_type"]

_VERSION_5: Final = Scalar("h", 4)
_SCHEMA_HEADER: Final = Scalar("B", 1)

# Numbers of types.
_INT, _FLOAT, _DECIMAL, _DATE, _TIME, _TIMESTAMP = 2, 3, 7, 8, 9, 10
_STRUCT, _FIXED, _FIXED_LIST, _MAP, _DURATION = 13, 15, 16, 17, 18

_INTEGERS: Final = {
    "c": (8, 1),
    "C": (8, 0),
    "s": (16, 1),
    "S": (16, 0),
    "i": (32, 1),
    "I": (32, 0),
    "l": (64, 1),
    "L": (64, 0),
}
_FLOATS: Final = {"e": 0, "f": 1, "g": 2}
_UNITS: Final = {"s": 0, "m": 1, "u": 2, "n": 3}
#: Types without parameters.
_SIMPLE: Final = {
    "n": 1,
    "z": 4,
    "u": 5,
    "b": 6,
    "+l": 12,
    "+s": _STRUCT,
    "Z": 19,
    "U": 20,
    "+L": 21,
    "vz": 23,
    "vu": 24,
    "+vl": 25,
    "+vL": 26,
}

#: What readers make of columns without being told.
_EXPECTED: Final = frozenset(
    {*_INTEGERS, *_FLOATS, "n", "b", "u", "z", "tdD", "ttm", "ttu", "ttn", "+l", "+s", "+m"}
    | {"tsm:", "tsu:", "tsn:", "tsm:UTC", "tsu:UTC", "tsn:UTC"}
)
#: What formats become by being stored. List views would stop polars; few functions of pyarrow take
#: string views, and who writes some (polars does always) does not ask for them.
_STORED: Final = {
    "tiM": "w:12",
    "tiD": "w:12",
    "tin": "w:12",
    "w:0": "z",
    "tdm": "tdD",
    "tts": "ttm",
    "vu": "u",
    "vz": "z",
    "+vl": "+l",
    "+vL": "+L",
}
#: Extension types that Parquet has logical types for.
_TOLD_BY_PARQUET: Final = frozenset(
    {"arrow.uuid", "arrow.json", "arrow.bool8", "arrow.parquet.variant", "geoarrow.wkb"}
)


def needs_arrow_schema(types: Sequence[ArrowType]) -> bool:
    """Whether anything of these types is lost without the key.

    Parameters
    ----------
    types
        The columns.
    """
    return any(map(_loses, types))


def arrow_schema_value(
    types: Sequence[ArrowType], metadata: Mapping[str, str | bytes] | None = None
) -> str:
    """Return the value of the key.

    Parameters
    ----------
    types
        All columns of the file, in their order.
    metadata
        The other keys of the footer: pyarrow takes those of Arrow's schema for them.
    """
    count = iter(range(1 << 62))
    pairs = [Table({0: key, 1: value}) for key, value in (metadata or {}).items()]
    fields = [_field(stored_type(each), count) for each in types]
    schema = Table({0: Scalar("h", 0), 1: fields, 2: pairs or None})
    message = flatbuffer(Table({0: _VERSION_5, 1: _SCHEMA_HEADER, 2: schema, 3: Scalar("q", 0)}))
    message += bytes(-len(message) % 8)
    framed = b"\xff\xff\xff\xff" + struct.pack("<i", len(message)) + message
    return base64.b64encode(framed).decode("ascii")


def stored_type(arrow: ArrowType) -> ArrowType:
    """Return what a column is when it has been stored: run-end encoding, for one, is gone."""
    layout = arrow.format
    if layout == "+r":
        values = arrow.children[1]
        nullable = arrow.nullable or values.nullable
        metadata = {**values.metadata, **arrow.metadata}
        return stored_type(replace(values, name=arrow.name, nullable=nullable, metadata=metadata))
    if arrow.dictionary is not None and arrow.dictionary.format[0] in "+nbt":
        # Values that are nested, or of which no reader makes dictionaries.
        values = replace(arrow.dictionary, name=arrow.name, nullable=arrow.nullable)
        return stored_type(replace(values, metadata=arrow.metadata))
    if is_boolean(arrow):
        return replace(arrow, format="b", metadata=_without_extension(arrow))
    if layout.startswith("tss:"):
        layout = f"tsm:{arrow.timezone}"
    children = tuple(map(stored_type, arrow.children))
    return replace(arrow, format=_STORED.get(layout, layout), children=children)


def _without_extension(arrow: ArrowType) -> dict[str, bytes]:
    return {
        key: value
        for key, value in arrow.metadata.items()
        if not key.startswith("ARROW:extension:")
    }


def _loses(arrow: ArrowType) -> bool:
    if arrow.extension and arrow.extension not in _TOLD_BY_PARQUET:
        return True
    stored = stored_type(arrow)
    layout = stored.format
    if (
        stored.dictionary is not None
        or stored.has_sorted_keys
        or set(_without_extension(stored)) - {FIELD_ID}
    ):
        return True
    if layout.startswith("d:"):
        told = layout[2:].split(",")
        expected = 128 if int(told[0]) <= 38 else 256
        return (int(told[2]) if len(told) > 2 else 128) != expected
    is_expected = layout in _EXPECTED or layout.startswith("w:")
    return not is_expected or any(map(_loses, stored.children))


def _field(arrow: ArrowType, count: Iterator[int]) -> Table:
    dictionary = None
    values = arrow
    if arrow.dictionary is not None:
        values = arrow.dictionary
        dictionary = Table(
            {
                0: Scalar("q", next(count)),
                1: _integer(arrow.format),
                2: Scalar("B", arrow.is_ordered),
            }
        )
    number, told = _type(values)
    metadata = [Table({0: key, 1: value}) for key, value in arrow.metadata.items()]
    return Table(
        {
            0: arrow.name,
            1: Scalar("B", arrow.nullable),
            2: Scalar("B", number),
            3: told,
            4: dictionary,
            5: [_field(child, count) for child in values.children],
            6: metadata or None,
        }
    )


def _integer(layout: str) -> Table:
    bits, is_signed = _INTEGERS[layout]
    return Table({0: Scalar("i", bits), 1: Scalar("B", is_signed)})


def _type(arrow: ArrowType) -> tuple[int, Table]:
    """Return the number of a type, and what more there is to tell of it."""
    layout = arrow.format
    head, _, rest = layout.partition(":")
    if layout in _SIMPLE:
        return _SIMPLE[layout], Table()
    if layout == "+m":
        return _MAP, Table({0: Scalar("B", arrow.has_sorted_keys)})
    if head in ("w", "+w"):
        return _FIXED if head == "w" else _FIXED_LIST, Table({0: Scalar("i", int(rest))})
    return _time(head, rest) if layout.startswith("t") else _number(layout, rest)


def _number(layout: str, rest: str) -> tuple[int, Table]:
    if layout in _INTEGERS:
        return _INT, _integer(layout)
    if layout in _FLOATS:
        return _FLOAT, Table({0: Scalar("h", _FLOATS[layout])})
    told = [int(each) for each in rest.split(",")]
    precision, scale, bits = told if len(told) == 3 else (*told, 128)
    numbers = (precision, scale, bits)
    return _DECIMAL, Table({at: Scalar("i", each) for at, each in enumerate(numbers)})


def _time(head: str, rest: str) -> tuple[int, Table]:
    kind, unit = head[:2], head[2:]
    if kind == "td":
        return _DATE, Table({0: Scalar("h", 0 if unit == "D" else 1)})
    number = Scalar("h", _UNITS[unit])
    if kind == "tt":
        return _TIME, Table({0: number, 1: Scalar("i", 32 if unit in "sm" else 64)})
    if kind == "tD":
        return _DURATION, Table({0: number})
    return _TIMESTAMP, Table({0: number, 1: rest or None})
