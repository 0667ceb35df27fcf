"""Cells of tables as people read them; the name of a column says its unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from hocket.core.units import format_bytes

__all__ = ["format_cell", "unit_of"]

#: Columns that are times of day, not durations.
_TIMES: Final = frozenset({"time_s", "since_s", "start_s", "stop_s"})
#: In place of what is not known.
_UNKNOWN: Final = "\N{EN DASH}"
_TIMES_MS: Final = frozenset({"time_ms", "start_ms", "stop_ms", "left", "right"})


def unit_of(column: str) -> str:
    """Return the unit that a column's name tells: ``time``, ``bytes``, ``rate``, ``seconds``..."""
    if column in _TIMES or column in _TIMES_MS:
        return "time"
    for ending, unit in (
        ("nbytes_per_s", "rate"),
        ("nbytes", "bytes"),
        ("_per_s", "per second"),
        ("_s", "seconds"),
        ("_part", "part"),
        ("cpu", "cores"),
    ):
        if column.endswith(ending):
            return unit
    return ""


def format_cell(column: str, value: Any) -> str:  # noqa: PLR0911 - one for each unit
    """Return the value of a column as text; what is not known is a dash."""
    if value is None or value != value:  # noqa: PLR0124 - so is what is not a number
        return _UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    unit = unit_of(column)
    if unit == "time":
        return _format_time(value / 1000 if column in _TIMES_MS else value)
    if unit in {"bytes", "rate"}:
        if value < 0:
            return _UNKNOWN
        return format_bytes(round(value)) + ("/s" if unit == "rate" else "")
    if unit == "seconds":
        return _format_duration(value)
    if unit == "part":
        return f"{100 * value:.0f} %"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _format_time(time_s: float) -> str:
    try:
        moment = datetime.fromtimestamp(time_s, UTC)
    except (OverflowError, OSError, ValueError):
        return _UNKNOWN
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _format_duration(duration_s: float) -> str:
    if duration_s < 0:
        return _UNKNOWN
    if duration_s < 0.001:
        return f"{duration_s * 1e6:.0f} µs"
    if duration_s < 1:
        return f"{duration_s * 1e3:.1f} ms"
    if duration_s < 120:
        return f"{duration_s:.2f} s"
    minutes, seconds = divmod(int(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
