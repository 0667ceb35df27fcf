"""Arrays of a leaf's values to lists of Python objects, exact, one function a kind of value.

Each function converts all slots; which of them are missing is the caller's to know. A value that
the Python type cannot hold (a date after the year 9999) becomes the NumPy scalar that can.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd

from hocket.parquet.errors import CorruptFile, LimitExceeded

__all__ = [
    "Interval",
    "bytes_list",
    "date_list",
    "decimal_list",
    "decimals_of_bytes",
    "fixed_bytes_list",
    "integers_of_words",
    "interval_list",
    "json_list",
    "text_list",
    "time_list",
    "timedelta_list",
    "timestamp_list",
    "uuid_list",
]

_Array = np.ndarray[Any, Any]

#: Rows of text that are decoded together: their bytes stay in the cache.
_BLOCK_ROWS: Final = 8192
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
#: Longer decimals would take long to convert; no precision needs as much.
_DECIMAL_NBYTES: Final = 4096
_DAY_MICROSECONDS: Final = 86_400_000_000
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LEAST_NS: Final = -(1 << 63) + 86_400_000_000_000 + 1
_MOST_NS: Final = (1 << 63) - 86_400_000_000_000
_FIRST_DAY: Final = -719_162
_LAST_DAY: Final = 2_932_896


class Interval(NamedTuple):
    """A time span of three parts that cannot be told in terms of each other."""

    months: int
    days: int
    nanoseconds: int


def text_list(offsets: _Array, data: _Array) -> list[str]:
    """Decode UTF-8 byte strings.

    Many are decoded in one call and then cut, which is several times as fast as one by one.
    """
    texts: list[str] = []
    for first in range(0, len(offsets) - 1, _BLOCK_ROWS):
        bounds = offsets[first : first + _BLOCK_ROWS + 1]
        begin = int(bounds[0])
        piece = data[begin : int(bounds[-1])]
        raw = piece.tobytes()
        cuts = bounds - begin
        if raw.isascii():
            text = raw.decode("ascii")
        else:
            text = _decoded(raw)
            starts = (piece & 0xC0) != 0x80
            inner = cuts[cuts < piece.size]
            if not starts[inner].all():
                raise CorruptFile("a string begins or ends inside a UTF-8 character")
            characters = np.zeros(piece.size + 1, np.int64)
            np.cumsum(starts, out=characters[1:])
            cuts = characters[cuts]
        texts += [text[start:stop] for start, stop in pairwise(cuts.tolist())]
    return texts


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorruptFile(
            f"a string is not UTF-8 (byte 0x{raw[error.start]:02x}); "
            'strings="bytes" reads the column as it is'
        ) from error


def bytes_list(offsets: _Array, data: _Array) -> list[bytes]:
    """Return byte strings as bytes."""
    results: list[bytes] = []
    for first in range(0, len(offsets) - 1, _BLOCK_ROWS):
        bounds = offsets[first : first + _BLOCK_ROWS + 1]
        begin = int(bounds[0])
        raw = data[begin : int(bounds[-1])].tobytes()
        results += [raw[start:stop] for start, stop in pairwise((bounds - begin).tolist())]
    return results


def fixed_bytes_list(values: _Array) -> list[bytes]:
    """Return the items of an array as bytes, each of full width."""
    width = values.dtype.itemsize
    if width == 0:
        return [b""] * len(values)
    raw = values.tobytes()
    return [raw[at : at + width] for at in range(0, len(raw), width)]


def json_list(texts: list[str], valid: _Array | None) -> list[Any]:
    """Decode JSON documents."""
    present = [True] * len(texts) if valid is None else valid.tolist()
    try:
        return [
            json.loads(text) if there else None for text, there in zip(texts, present, strict=True)
        ]
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"a value is not JSON: {error}") from error


def uuid_list(values: _Array) -> list[UUID]:
    """Return items of 16 bytes as UUIDs."""
    return [UUID(bytes=each) for each in fixed_bytes_list(values)]


def integers_of_words(values: _Array) -> list[int]:
    """Return integers, or little-endian two's complement of a multiple of 8 bytes, as ints."""
    if values.dtype.kind in "iu":
        return list(values.tolist())
    width = values.dtype.itemsize
    words = np.ascontiguousarray(values).view("<i8").reshape(-1, width // 8)
    lowest = words[:, 0]
    # Most decimals of many digits are small.
    if (words[:, 1:] == (lowest >> 63)[:, None]).all():
        return list(lowest.tolist())
    raw = values.tobytes()
    return [
        int.from_bytes(raw[at : at + width], "little", signed=True)
        for at in range(0, len(raw), width)
    ]


def decimal_list(values: _Array, scale: int) -> list[Decimal]:
    """Return unscaled values as decimals with so many digits after the point."""
    power = Decimal(-scale)
    return [Decimal(integer).scaleb(power, _EXACT) for integer in integers_of_words(values)]


def decimals_of_bytes(raws: list[bytes], scale: int) -> list[Decimal]:
    """Return big-endian two's complement of any length as decimals."""
    power = Decimal(-scale)
    longest = max(map(len, raws), default=0)
    if longest > _DECIMAL_NBYTES:
        raise LimitExceeded(
            f"a decimal takes {longest:,} bytes; at most {_DECIMAL_NBYTES} are read"
        )
    return [Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(power, _EXACT) for raw in raws]


def date_list(days: _Array) -> list[Any]:
    """Return days since 1970 as dates; outside of the years 1 to 9999 as NumPy's."""
    dates = days.astype("M8[D]")
    results: list[Any] = dates.tolist()
    outside = (days < _FIRST_DAY) | (days > _LAST_DAY)
    for index in np.flatnonzero(outside).tolist():
        results[index] = dates[index]
    return results


def timestamp_list(counts: _Array, unit: str, zone: tzinfo | None = None) -> list[Any]:
    """Return counts of a unit since 1970 as datetimes; nanoseconds as pandas' timestamps.

    Parameters
    ----------
    counts
        Integers.
    unit
        "s", "ms", "us" or "ns".
    zone
        The time zone that the results are told in; None for times without one. What datetime
        cannot hold becomes `numpy.datetime64` in UTC.
    """
    if unit == "ns":
        return _nanosecond_timestamps(counts, zone)
    counts = counts.astype(np.int64)
    stamps = counts.view(f"M8[{unit}]")
    per_day = 86_400 * _PER_SECOND[unit]
    # A day less on each side leaves room for any zone.
    slack = 0 if zone is None else 1
    day = counts // per_day
    outside = (day < _FIRST_DAY + slack) | (day > _LAST_DAY - slack)
    if outside.any():
        stamps = stamps.copy()
        stamps[outside] = 0
    results: list[Any] = stamps.astype("M8[us]").tolist()
    if zone is not None:
        results = [_in_zone(each, zone) for each in results]
    for index in np.flatnonzero(outside).tolist():
        results[index] = counts[index : index + 1].view(f"M8[{unit}]")[0]
    return results


def _in_zone(stamp: datetime, zone: tzinfo) -> datetime:
    stamp = stamp.replace(tzinfo=UTC)
    return stamp if zone is UTC else stamp.astimezone(zone)


def _nanosecond_timestamps(counts: _Array, zone: tzinfo | None) -> list[Any]:
    counts = counts.astype(np.int64)
    stamps = counts.view("M8[ns]")
    if zone is None:
        return list(pd.DatetimeIndex(stamps).astype(object))
    # Near to the limits the clock of a zone may be past them.
    outside = (counts < _LEAST_NS) | (counts > _MOST_NS)
    told = pd.DatetimeIndex(np.where(outside, 0, counts).view("M8[ns]"))
    results: list[Any] = list(told.tz_localize("UTC").tz_convert(zone).astype(object))
    for index in np.flatnonzero(outside).tolist():
        results[index] = stamps[index]
    return results


def time_list(counts: _Array, unit: str) -> list[Any]:
    """Return counts of a unit since midnight as times; what a time cannot hold as NumPy's."""
    wide = counts.astype(np.int64)
    if unit == "ns":
        microseconds, rest = np.divmod(wide, 1000)
        outside = rest != 0
    else:
        microseconds = wide * (1_000_000 // _PER_SECOND[unit])
        outside = np.abs(wide) > _DAY_MICROSECONDS
    outside |= (microseconds < 0) | (microseconds >= _DAY_MICROSECONDS)
    microseconds[outside] = 0
    results: list[Any] = [each.time() for each in microseconds.view("M8[us]").tolist()]
    for index in np.flatnonzero(outside).tolist():
        results[index] = wide[index : index + 1].view(f"m8[{unit}]")[0]
    return results


def timedelta_list(counts: _Array, unit: str) -> list[Any]:
    """Return counts of a unit as time spans; nanoseconds as pandas' own."""
    spans = counts.astype(np.int64).view(f"m8[{unit}]")
    if unit == "ns":
        results: list[Any] = pd.TimedeltaIndex(spans).astype(object).tolist()
        return results
    results = spans.tolist()
    # NumPy hands out the count where a timedelta would overflow.
    return [spans[at] if isinstance(each, int) else each for at, each in enumerate(results)]


def interval_list(values: _Array) -> list[Interval]:
    """Return the 12 bytes of Parquet's intervals as months, days and nanoseconds."""
    parts = np.ascontiguousarray(values).view("<u4").reshape(-1, 3).tolist()
    return [Interval(months, days, millis * 1_000_000) for months, days, millis in parts]
