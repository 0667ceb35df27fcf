"""Time zones by the names that files give them; no name makes this open anything but a zone."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

__all__ = ["timezone_of", "tzinfo_of"]

_OFFSET: Final = r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})"
_UTC_NAMES: Final = {"UTC", "utc", "Z", "+00:00", "-00:00"}


def timezone_of(name: str) -> Any:
    """Return what pandas takes for a time zone: "UTC", a name, or a fixed offset.

    Names that no zone has are taken for UTC: that is what the values are counted in.
    """
    zone = tzinfo_of(name)
    if zone is UTC:
        return "UTC"
    # Named, pandas makes of it the kind of zone that it would make of the name elsewhere.
    return name if isinstance(zone, ZoneInfo) else zone


@lru_cache(maxsize=256)
def tzinfo_of(name: str) -> tzinfo:
    """Return a time zone by its name."""
    if name in _UTC_NAMES:
        return UTC
    offset = re.fullmatch(_OFFSET, name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(sign * timedelta(minutes=minutes)) if minutes < 24 * 60 else UTC
    if name.startswith("dateutil/") or len(name) > 100:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # ZoneInfoNotFoundError is a KeyError; names that leave the folder are a ValueError.
        return UTC
