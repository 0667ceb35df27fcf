"""Lists of dates, times, instants and time spans, none missing, to arrays; nothing is rounded."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import fixed_array
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import UNITS_PER_SECOND, TypeKind, ValueType
from hocket.parquet.intake.zone_names import zone_name

__all__ = ["dates_of", "durations_of", "intervals_of", "is_interval", "times_of", "timestamps_of"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]

_PER_SECOND: Final = {**UNITS_PER_SECOND, "ps": 10**12, "fs": 10**15, "as": 10**18}
_SECONDS: Final = {"W": 7 * 86_400, "D": 86_400, "h": 3600, "m": 60}
#: Time spans of fewer days fit into microseconds of 64 bits.
_PLAIN_DAYS: Final = 106_751_991
_LEAST, _MOST = -(1 << 63) + 1, (1 << 63) - 1
_PARTS: Final = ("months", "days", "nanoseconds")


def dates_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return days; instants count for a day if dates are asked for and they are at midnight."""
    for slot, value in enumerate(values):
        if isinstance(value, datetime) and (value.tzinfo is not None or value.time() != time()):
            raise SlotError(slot, f"{described(value)} is no date: it is within a day, or zoned")
        if not isinstance(value, (date, np.datetime64)):
            raise SlotError(slot, f"{described(value)} is no date")
        if isinstance(value, np.datetime64) and value.astype("M8[D]") != value:
            raise SlotError(slot, f"{described(value)} is no date: it is within a day")
    days = np.array(values, "M8[D]").view(np.int64)
    outside = np.flatnonzero(days != days.astype(np.int32))
    if outside.size:
        slot = int(outside[0])
        raise SlotError(slot, f"{described(values[slot])} does not fit the 32 bits of a date")
    return wanted or ValueType(TypeKind.DATE), fixed_array(days.astype(np.int32))


def times_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return times of the day: microseconds, or what is asked for."""
    unit = "us" if wanted is None else wanted.unit
    counts = []
    for slot, value in enumerate(values):
        if not isinstance(value, time):
            raise SlotError(
                slot, f"{described(value)} is no time of the day; spans are of type 'duration'"
            )
        if value.tzinfo is not None:
            raise SlotError(
                slot, f"{described(value)} has a time zone, which Parquet's times cannot have"
            )
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        counts.append(seconds * 1_000_000 + value.microsecond)
    microseconds = np.array(counts, np.int64)
    if unit == "ns":
        microseconds *= 1000
    elif unit == "ms":
        rest = np.flatnonzero(microseconds % 1000)
        if rest.size:
            slot = int(rest[0])
            raise SlotError(slot, f"{described(values[slot])} is finer than milliseconds")
        microseconds = (microseconds // 1000).astype(np.int32)
    return wanted or ValueType(TypeKind.TIME, unit=unit), fixed_array(microseconds)


def timestamps_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return instants, or local times: microseconds, or nanoseconds if any value has such."""
    zone = _zone_of(values)
    counts, unit = _counts(values, None if wanted is None else wanted.unit, "M8")
    if wanted is None:
        found = ValueType(TypeKind.TIMESTAMP, unit=unit, timezone=zone)
        return found, fixed_array(counts)
    if (zone is None) != (wanted.timezone is None):
        told = "no time zone" if zone is None else f"the time zone {zone}"
        raise SlotError(
            0,
            f"{described(values[0])} has {told}, and {wanted} is asked for; use tz_localize or "
            "tz_convert first, or ask for the other kind",
        )
    return wanted, fixed_array(counts)


def durations_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return time spans: microseconds, or nanoseconds if any value has such."""
    for slot, value in enumerate(values):
        if not isinstance(value, (timedelta, np.timedelta64)):
            raise SlotError(slot, f"{described(value)} is no time span")
    counts, unit = _counts(values, None if wanted is None else wanted.unit, "m8")
    return wanted or ValueType(TypeKind.DURATION, unit=unit), fixed_array(counts)


def _zone_of(values: list[Any]) -> str | None:
    """Return the zone that all instants are told in; UTC if in several; None if in none."""
    zones: dict[Any, int] = {}
    for slot, value in enumerate(values):
        if isinstance(value, np.datetime64):
            # What datetime cannot hold comes as such, with zones or without.
            continue
        if not isinstance(value, date):
            raise SlotError(slot, f"{described(value)} is no timestamp")
        zones.setdefault(getattr(value, "tzinfo", None), slot)
    if None in zones and len(zones) > 1:
        slot = max(zones.values())
        raise SlotError(
            slot,
            f"{described(values[slot])} is among others, of which some have a time zone and some "
            "have none; give all one, with tz_localize",
        )
    if not zones or None in zones:
        return None
    names = {zone_name(zone) for zone in zones}
    name = names.pop()
    return "UTC" if names or name is None else name


def _counts(values: list[Any], wanted: str | None, letter: str) -> tuple[_Array, str]:
    """Return counts of a unit, and the unit: the wanted one, or the one that holds all values."""
    if wanted in (None, "us") and all(_is_plain(value) for value in values):
        # What NumPy converts at once, and what fits into microseconds of 64 bits.
        return np.array(values, f"{letter}[us]").view(np.int64), "us"
    pairs = [_count(value) for value in values]
    unit = _unit_of(pairs) if wanted is None else wanted
    counts = np.empty(len(pairs), np.int64)
    for slot, (count, own) in enumerate(pairs):
        scaled, rest = _scaled(count, own, unit)
        if rest or not _LEAST <= scaled <= _MOST:
            why = "is finer than" if rest else "does not fit 64 bits of"
            raise SlotError(slot, f"{described(values[slot])} {why} {unit}; ask for another unit")
        counts[slot] = scaled
    return counts, unit


def _is_plain(value: date | timedelta) -> bool:
    kind = type(value)
    if isinstance(value, timedelta):
        return kind is timedelta and -_PLAIN_DAYS < value.days < _PLAIN_DAYS
    return kind is date or (kind is datetime and getattr(value, "tzinfo", None) is None)


def _unit_of(pairs: list[tuple[int, str]]) -> str:
    """Return microseconds, or what is finer or coarser if that does not hold all values."""
    for unit in ("us", "ms", "s"):
        scaled = [_scaled(count, own, unit) for count, own in pairs]
        if all(not rest and _LEAST <= count <= _MOST for count, rest in scaled):
            return unit
        if unit == "us" and any(rest for _, rest in scaled):
            return "ns"
    return "us"


def _scaled(count: int, own: str, unit: str) -> tuple[int, int]:
    return divmod(count * _PER_SECOND[unit], _PER_SECOND[own])


def _count(value: Any) -> tuple[int, str]:
    """Return a value as a count of its unit since 1970, in UTC."""
    own = getattr(value, "asm8", value)
    if isinstance(own, datetime):
        if own.tzinfo is not None:
            own = own.astimezone(UTC).replace(tzinfo=None)
        own = np.datetime64(own, "us")
    elif isinstance(own, date):
        own = np.datetime64(own, "D")
    elif isinstance(own, timedelta):
        seconds = own.days * _SECONDS["D"] + own.seconds
        return seconds * 1_000_000 + own.microseconds, "us"
    unit, steps = np.datetime_data(own.dtype)
    if unit in ("Y", "M"):
        return int(own.astype("M8[D]").astype(np.int64)) * _SECONDS["D"], "s"
    count = int(own.astype(np.int64)) * steps
    return (count * _SECONDS[unit], "s") if unit in _SECONDS else (count, unit)


def is_interval(value: Any) -> bool:
    """Whether a value is a time span of three parts, as the reader and pyarrow give it."""
    return getattr(value, "_fields", None) == _PARTS


def intervals_of(values: list[Any], wanted: ValueType | None = None) -> _Built:
    """Return time spans of months, days and milliseconds."""
    parts = []
    for slot, value in enumerate(values):
        if not isinstance(value, tuple) or len(value) != 3:
            raise SlotError(slot, f"{described(value)} is no (months, days, nanoseconds)")
        months, days, nanoseconds = value
        milliseconds, rest = divmod(nanoseconds, 1_000_000)
        if rest or not all(0 <= part < 1 << 32 for part in (months, days, milliseconds)):
            raise SlotError(
                slot,
                f"{described(value)} is no interval of Parquet: those have months, days and "
                "milliseconds, none of which is negative or broken",
            )
        parts.append((months, days, milliseconds))
    array = np.array(parts, "<u4").reshape(-1, 3).view("V12").reshape(-1)
    return wanted or ValueType(TypeKind.INTERVAL), fixed_array(array)
