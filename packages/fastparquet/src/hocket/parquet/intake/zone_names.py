"""The names of time zones, as files have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

__all__ = ["zone_name"]


def zone_name(zone: tzinfo) -> str | None:
    """Return the name of a time zone; None if it has none that others understand.

    Parameters
    ----------
    zone
        Of the standard library, of pytz or of dateutil.
    """
    if zone is UTC:
        return "UTC"
    # zoneinfo's and pytz's own names of zones.
    named: Any = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(named, str):
        return named
    if isinstance(zone, timezone) or _is_fixed(zone):
        offset = zone.utcoffset(datetime(2000, 1, 1))  # noqa: DTZ001 - the zone is asked about it
        return None if offset is None else _offset_name(offset)
    place = getattr(zone, "_filename", None)
    if isinstance(place, str) and "zoneinfo/" in place:
        return place.split("zoneinfo/", 1)[1]
    return None


def _is_fixed(zone: tzinfo) -> bool:
    """Whether a zone of another library is a fixed offset."""
    return type(zone).__name__ in ("_FixedOffset", "tzoffset", "tzutc", "FixedOffset")


def _offset_name(offset: timedelta) -> str | None:
    minutes, rest = divmod(offset, timedelta(minutes=1))
    if rest:
        return None
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
