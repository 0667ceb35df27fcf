"""Python values to Variants: the mirror of `hocket.parquet.variant.decoding`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import numpy as np

from hocket.parquet.variant.encoding import NULL, array_of, object_of
from hocket.parquet.variant.names import names_of

__all__ = ["NotVariant", "encode"]

_DEEPEST: Final = 500
_SHORT_NBYTES: Final = 63
_DIGITS_MAX: Final = 38
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
#: What pandas has for missing values.
_MISSING: Final = ("NaTType", "NAType")
_INTEGERS: Final = ((8, 3), (16, 4), (32, 5), (64, 6))


class NotVariant(ValueError):
    """A value has no form among Variants."""


def encode(value: Any) -> tuple[bytes, bytes]:
    """Return a value's metadata and its encoded form.

    Parameters
    ----------
    value
        None, a boolean, number, text, byte string, time, UUID, list, or a dict with texts as keys,
        of such in turn.
    """
    names: dict[str, None] = {}
    _collect(value, names, 0)
    metadata = _metadata(tuple(sorted(names, key=str.encode)))
    return metadata, _encoded(value, metadata)


def _collect(value: Any, names: dict[str, None], depth: int) -> None:
    """Gather the names of all fields in a value."""
    if isinstance(value, (Mapping, list, tuple, np.ndarray)):
        if depth == _DEEPEST:
            raise NotVariant(f"it is nested more than {_DEEPEST} levels deep")
        elements: Iterable[Any] = value
        if isinstance(value, Mapping):
            for name in value:
                if not isinstance(name, str):
                    raise NotVariant(f"the key {repr(name)[:60]} is no text")
                names[name] = None
            elements = value.values()
        for each in elements:
            _collect(each, names, depth + 1)


@lru_cache(maxsize=1024)
def _metadata(names: tuple[str, ...]) -> bytes:
    """Return the dictionary of names, which are sorted and differ."""
    raws = [name.encode() for name in names]
    nbytes = sum(map(len, raws))
    width = max(1, (max(nbytes, len(raws)).bit_length() + 7) // 8)
    header = 1 | 1 << 4 | (width - 1) << 6
    parts = [bytes([header]), len(raws).to_bytes(width, "little")]
    at = 0
    for raw in [b"", *raws]:
        at += len(raw)
        parts.append(at.to_bytes(width, "little"))
    return b"".join([*parts, *raws])


def _encoded(value: Any, metadata: bytes) -> bytes:
    if value is None or type(value).__name__ in _MISSING:
        return NULL
    if isinstance(value, Mapping):
        fields = {name: _encoded(each, metadata) for name, each in value.items()}
        return object_of(names_of(metadata), fields)
    if isinstance(value, (list, tuple, np.ndarray)):
        return array_of([_encoded(each, metadata) for each in value])
    make = _MAKERS.get(type(value))
    if make is None:
        make = next((found for known, found in _BASES if isinstance(value, known)), None)
    if make is None:
        raise NotVariant(f"a {type(value).__qualname__} has no form among Variants")
    raw: bytes = make(value)
    return raw


def _head(kind: int) -> bytes:
    return bytes([kind << 2])


def _boolean(value: Any) -> bytes:
    return _head(1 if value else 2)


def _integer(value: Any) -> bytes:
    number = int(value)
    for bits, kind in _INTEGERS:
        if -(1 << bits - 1) <= number < 1 << bits - 1:
            return _head(kind) + number.to_bytes(bits // 8, "little", signed=True)
    return _decimal(Decimal(number))


def _float(value: Any) -> bytes:
    return _head(7) + struct.pack("<d", value)


def _single(value: Any) -> bytes:
    return _head(14) + struct.pack("<f", value)


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise NotVariant(f"the decimal {value} is no number")
    if exponent > _DIGITS_MAX or -exponent > _DIGITS_MAX:
        raise NotVariant(f"the decimal {value} has more than {_DIGITS_MAX} digits")
    number: int = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    if number >= 10**_DIGITS_MAX:
        raise NotVariant(f"the decimal {value} has more than {_DIGITS_MAX} digits")
    kind, width = (8, 4) if number < 10**9 else (9, 8) if number < 10**18 else (10, 16)
    signed = -number if sign else number
    return _head(kind) + bytes([max(-exponent, 0)]) + signed.to_bytes(width, "little", signed=True)


def _date(value: date) -> bytes:
    return _head(11) + struct.pack("<i", value.toordinal() - _EPOCH_DAY)


def _datetime(value: datetime) -> bytes:
    nanosecond = getattr(value, "nanosecond", 0)
    is_local = value.tzinfo is None
    if not is_local:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if nanosecond:
        # A Timestamp of pandas.
        count = int(value.asm8.astype("M8[ns]").astype(np.int64))  # type: ignore[attr-defined]
        return _head(18 + is_local) + struct.pack("<q", count)
    plain = value if type(value) is datetime else value.to_pydatetime()  # type: ignore[attr-defined]
    count = int(np.datetime64(plain, "us").astype(np.int64))
    return _head(12 + is_local) + struct.pack("<q", count)


def _datetime64(value: np.datetime64) -> bytes:
    if np.isnat(value):
        return NULL
    unit = np.datetime_data(value.dtype)[0]
    if unit in ("Y", "M", "W", "D"):
        return _head(11) + struct.pack("<i", int(value.astype("M8[D]").astype(np.int64)))
    kind, into = (19, "ns") if unit in ("ns", "ps", "fs", "as") else (13, "us")
    converted = value.astype(f"M8[{into}]")
    # What wraps around does not come back.
    if converted.astype(value.dtype) != value:
        raise NotVariant(f"the time {value} does not fit 64 bits of {into}")
    return _head(kind) + struct.pack("<q", int(converted.astype(np.int64)))


def _time(value: time) -> bytes:
    if value.tzinfo is not None:
        raise NotVariant(f"the time {value} has a time zone")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return _head(17) + struct.pack("<q", seconds * 1_000_000 + value.microsecond)


def _text(value: str) -> bytes:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise NotVariant("a text has half a surrogate pair") from None
    if len(raw) <= _SHORT_NBYTES:
        return bytes([len(raw) << 2 | 1]) + raw
    return _head(16) + len(raw).to_bytes(4, "little") + raw


def _binary(value: Any) -> bytes:
    raw = bytes(value)
    return _head(15) + len(raw).to_bytes(4, "little") + raw


def _uuid(value: UUID) -> bytes:
    return _head(20) + value.bytes


_Maker = Callable[[Any], bytes]
_MAKERS: Final[dict[type, _Maker]] = {
    bool: _boolean,
    int: _integer,
    float: _float,
    str: _text,
    bytes: _binary,
    Decimal: _decimal,
    datetime: _datetime,
    date: _date,
    time: _time,
    UUID: _uuid,
}
#: What they are subclasses of; the first that fits counts.
_BASES: Final[tuple[tuple[type | tuple[type, ...], _Maker], ...]] = (
    ((bool, np.bool_), _boolean),
    ((int, np.integer), _integer),
    (np.float32, _single),
    (np.float16, _single),
    ((float, np.floating), _float),
    (str, _text),
    ((bytes, bytearray, memoryview), _binary),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, _date),
    (np.datetime64, _datetime64),
    (time, _time),
    (UUID, _uuid),
)
