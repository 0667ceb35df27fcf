"""Types as users write them: "decimal(12, 2)", "list<string>", "timestamp(us, Europe/Paris)"."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.value_types import (
    DIGITS_MAX,
    UNITS_PER_SECOND,
    TypeKind,
    ValueType,
)

__all__ = ["parse_type"]

_TEXT_LENGTH_MAX: Final = 100_000
_DEPTH_MAX: Final = 60
_TOKEN: Final = re.compile(r"\s*(?:([<>,:])|\(([^()]*)\)|([A-Za-z_]\w*)|`([^`]+)`)")
_KNOWN: Final = (
    "bool, int8 to int64, uint8 to uint64, float16 to float64, string, json, enum, bson, binary, "
    "binary(n), uuid, decimal(p, s), date, time(unit), timestamp(unit, zone), int96, "
    "duration(unit), interval, variant, geometry(crs), geography(crs, algorithm), list<t>, "
    "map<k, v>, struct<name: t, ...>, null"
)
_ALGORITHMS: Final = ("spherical", "vincenty", "thomas", "andoyer", "karney")

_Arguments = list[str]


@lru_cache(maxsize=1024)
def parse_type(text: str) -> ValueType:
    """Return what a type's text means.

    Parameters
    ----------
    text
        The name of a type; numbers, units and zones in parentheses; in angle brackets the types
        that it is made of. Names of members that are no plain words are put into backticks.
    """
    if not isinstance(text, str) or len(text) > _TEXT_LENGTH_MAX:
        raise InvalidOption(f"{text!r:.80} is no type; those are {_KNOWN}")
    parser = _Parser(text)
    parsed = parser.type(0)
    parser.end()
    return parsed


class _Parser:
    """Reads a type from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _error(self, what: str) -> InvalidOption:
        return InvalidOption(f"{what} in the type {self._text!r}; types are {_KNOWN}")

    def _next(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _take(self, sign: str) -> bool:
        found = self._next()
        if found is None or found[1] != sign:
            return False
        self._at = found.end()
        return True

    def _want(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"{sign!r} is missing at character {self._at}")

    def _word(self) -> str:
        found = self._next()
        word = None if found is None else (found[3] or found[4])
        if found is None or word is None:
            raise self._error(f"a name is missing at character {self._at}")
        self._at = found.end()
        return word

    def _arguments(self) -> _Arguments:
        found = self._next()
        if found is None or found[2] is None:
            return []
        self._at = found.end()
        return [each.strip() for each in found[2].split(",")]

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._text[self._at :].strip():
            raise self._error(f"{self._text[self._at :].strip()!r} is too much")

    def type(self, depth: int) -> ValueType:
        """Read a type."""
        if depth > _DEPTH_MAX:
            raise self._error(f"there are more than {_DEPTH_MAX} levels")
        word = self._word().lower()
        if word in ("list", "map", "struct"):
            return self._nested(word, depth)
        make = _MAKERS.get(word)
        if make is None:
            raise self._error(f"{word!r} is no type")
        arguments = self._arguments()
        try:
            return make(arguments)
        except (ValueError, IndexError, TypeError):
            raise self._error(f"{word}({', '.join(arguments)}) makes no sense") from None

    def _nested(self, word: str, depth: int) -> ValueType:
        if word == "map" and not self._take("<"):
            # What keys and values are shows in the data.
            return ValueType(TypeKind.MAP)
        if word == "map":
            key = self.type(depth + 1)
            self._want(",")
            children: tuple[ValueType, ...] = (key, self.type(depth + 1))
            self._want(">")
            return ValueType(TypeKind.MAP, children=children)
        self._want("<")
        if word == "list":
            children = (self.type(depth + 1),)
            self._want(">")
            return ValueType(TypeKind.LIST, children=children)
        names: list[str] = []
        members: list[ValueType] = []
        while True:
            names.append(self._word())
            self._want(":")
            members.append(self.type(depth + 1))
            if not self._take(","):
                break
        self._want(">")
        if len(set(names)) < len(names):
            raise self._error("two members have one name")
        return ValueType(TypeKind.STRUCT, names=tuple(names), children=tuple(members))


_Maker = Callable[[_Arguments], ValueType]


def _plain(values: ValueType) -> _Maker:
    def make(arguments: _Arguments) -> ValueType:
        if arguments:
            raise ValueError
        return values

    return make


def _binary(arguments: _Arguments) -> ValueType:
    nbytes = int(_only(arguments)) if arguments else 0
    if arguments and not 1 <= nbytes < 1 << 31:
        raise ValueError
    return ValueType(TypeKind.BYTES, nbytes=nbytes)


def _only(arguments: _Arguments) -> str:
    (argument,) = arguments
    return argument


def _decimal(arguments: _Arguments) -> ValueType:
    if not arguments:
        # How many digits there are shows in the data.
        return ValueType(TypeKind.DECIMAL)
    precision, scale = int(arguments[0]), int(arguments[1]) if len(arguments) == 2 else 0
    if len(arguments) > 2 or not 0 <= scale <= precision or not 1 <= precision <= DIGITS_MAX:
        raise ValueError
    return ValueType(TypeKind.DECIMAL, precision=precision, scale=scale)


def _unit(text: str, *, allowed: tuple[str, ...] = tuple(UNITS_PER_SECOND)) -> str:
    if text not in allowed:
        raise ValueError
    return text


def _time(arguments: _Arguments) -> ValueType:
    unit = _unit(_only(arguments), allowed=("ms", "us", "ns")) if arguments else "us"
    return ValueType(TypeKind.TIME, unit=unit)


def _timestamp(arguments: _Arguments) -> ValueType:
    unit = _unit(arguments[0], allowed=("ms", "us", "ns")) if arguments else "us"
    zone = arguments[1] if len(arguments) == 2 else None
    if len(arguments) > 2 or zone == "":
        raise ValueError
    return ValueType(TypeKind.TIMESTAMP, unit=unit, timezone=zone)


def _duration(arguments: _Arguments) -> ValueType:
    return ValueType(TypeKind.DURATION, unit=_unit(_only(arguments)) if arguments else "us")


def _geometry(arguments: _Arguments) -> ValueType:
    return ValueType(TypeKind.GEOMETRY, crs=_only(arguments) if arguments else None)


def _geography(arguments: _Arguments) -> ValueType:
    crs = arguments[0] if arguments else None
    algorithm = arguments[1] if len(arguments) == 2 else None
    if len(arguments) > 2 or (algorithm is not None and algorithm not in _ALGORITHMS):
        raise ValueError
    return ValueType(TypeKind.GEOGRAPHY, crs=crs or None, algorithm=algorithm)


def _number(kind: TypeKind, bits: int, *, is_signed: bool = True) -> _Maker:
    return _plain(ValueType(kind, bits=bits, is_signed=is_signed))


_TEXT: Final = _plain(ValueType(TypeKind.TEXT))
_BOOLEAN: Final = _plain(ValueType(TypeKind.BOOLEAN))
_MAKERS: Final[dict[str, _Maker]] = {
    "null": _plain(ValueType(TypeKind.NULL)),
    "bool": _BOOLEAN,
    "boolean": _BOOLEAN,
    **{f"int{bits}": _number(TypeKind.INTEGER, bits) for bits in (8, 16, 32, 64)},
    **{f"uint{b}": _number(TypeKind.INTEGER, b, is_signed=False) for b in (8, 16, 32, 64)},
    **{f"float{bits}": _number(TypeKind.FLOAT, bits) for bits in (16, 32, 64)},
    "int": _number(TypeKind.INTEGER, 64),
    "half": _number(TypeKind.FLOAT, 16),
    "float": _number(TypeKind.FLOAT, 64),
    "double": _number(TypeKind.FLOAT, 64),
    "string": _TEXT,
    "str": _TEXT,
    "text": _TEXT,
    "utf8": _TEXT,
    "enum": _plain(ValueType(TypeKind.ENUM)),
    "json": _plain(ValueType(TypeKind.JSON)),
    "bson": _plain(ValueType(TypeKind.BSON)),
    "binary": _binary,
    "bytes": _binary,
    "uuid": _plain(ValueType(TypeKind.UUID)),
    "decimal": _decimal,
    "date": _plain(ValueType(TypeKind.DATE)),
    "time": _time,
    "timestamp": _timestamp,
    "int96": _plain(ValueType(TypeKind.TIMESTAMP, unit="ns", stored_unit="int96")),
    "duration": _duration,
    "interval": _plain(ValueType(TypeKind.INTERVAL)),
    "variant": _plain(ValueType(TypeKind.VARIANT)),
    "geometry": _geometry,
    "geography": _geography,
}
