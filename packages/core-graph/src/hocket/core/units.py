"""Amounts of bytes and of time: constants, strict parsing of text with units, and formatting.

Inside hocket a size is always an ``int`` of bytes (``..._nbytes``) and a time always a ``float`` of
seconds (``..._s``). Text with a unit exists only at the doors: settings, command lines, messages to
people. Units of bytes follow IEC 80000-13: ``KiB`` is 1024 bytes, ``kB`` is 1000.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, TypeGuard

from hocket.core.errors import SettingsError

__all__ = [
    "GIB",
    "KIB",
    "MIB",
    "NBYTES_MAX",
    "SECONDS_MAX",
    "TIB",
    "format_bytes",
    "format_seconds",
    "parse_bytes",
    "parse_seconds",
]

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
TIB: Final = 1 << 40

#: The largest amount of bytes that can be named: 1024 PiB, well inside a signed 64-bit integer.
NBYTES_MAX: Final = 1 << 60

#: The longest finite time that can be named, some 317 years.
SECONDS_MAX: Final = 10**10

_BYTE_UNITS: Final[dict[str, int]] = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "PB": 10**15,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": TIB,
    "PiB": 1 << 50,
}
_BYTE_FACTORS: Final = {unit.lower(): factor for unit, factor in _BYTE_UNITS.items()}
_BYTES_ALLOWED: Final = (
    "it must be a whole number of bytes, or text such as '64 KiB', with one of "
    + ", ".join(_BYTE_UNITS)
)

_SECOND_FACTORS: Final[dict[str, Fraction]] = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_SECONDS_ALLOWED: Final = (
    "it must be a number of seconds, not negative, or text such as '500 ms', with one of ns, us,"
    " ms, s, min, h, d"
)

# The counts of digits bound what a hostile text can make us compute.
_AMOUNT: Final = re.compile(
    r"\s*(?P<number>[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?)\s*(?P<unit>[A-Za-zµ]*)\s*"
)
_TEXT_LENGTH_MAX: Final = 100


def parse_bytes(value: object, *, name: str = "nbytes", source: str = "code") -> int:
    """Return an amount of bytes, given as a number or as text with a unit.

    Parameters
    ----------
    value
        A whole number of bytes, or text: a decimal number and a unit, case ignored, with or
        without a space (``"2 GiB"``, ``"1.5MB"``); a number alone is bytes. A fraction of a byte
        is rounded to the nearest byte.
    name, source
        What the amount is for and where it comes from; they go into the error.

    Returns
    -------
    int
        Bytes, from 0 to `NBYTES_MAX`.

    Raises
    ------
    SettingsError
        The value is no amount of bytes.
    """
    amount: Fraction | None = None
    if isinstance(value, str):
        amount = _amount(value, _BYTE_FACTORS, "b")
    elif _is_number(value) and value == int(value):
        amount = Fraction(int(value))
    if amount is None or not 0 <= amount <= NBYTES_MAX:
        raise SettingsError(name=name, value=value, allowed=_BYTES_ALLOWED, source=source)
    return round(amount)


def parse_seconds(
    value: object, *, name: str = "time_s", source: str = "code", infinite: bool = False
) -> float:
    """Return a time in seconds, given as a number or as text with a unit.

    Parameters
    ----------
    value
        Seconds, or text: a decimal number and a unit with or without a space (``"500ms"``,
        ``"2 min"``); a number alone is seconds.
    name, source
        What the time is for and where it comes from; they go into the error.
    infinite
        Whether infinity (``math.inf`` or ``"inf"``) is allowed.

    Returns
    -------
    float
        Seconds, from 0 to `SECONDS_MAX`, or infinity.

    Raises
    ------
    SettingsError
        The value is no time that is allowed.
    """
    seconds: float | Fraction | None = None
    if isinstance(value, str):
        if infinite and value.strip().lower() == "inf":
            return math.inf
        seconds = _amount(value, _SECOND_FACTORS, "s")
    elif infinite and isinstance(value, float) and value == math.inf:
        return math.inf
    elif _is_number(value):
        seconds = value
    if seconds is None or not 0 <= seconds <= SECONDS_MAX:
        allowed = _SECONDS_ALLOWED + (", or 'inf'" if infinite else "")
        raise SettingsError(name=name, value=value, allowed=allowed, source=source)
    return float(seconds)


def format_bytes(nbytes: float) -> str:
    """Return bytes for people to read: ``"64 KiB"``, ``"1.5 GiB"``, ``"1000 B"``.

    At most two decimals are shown, so the text may stand for an amount up to half a per cent off;
    an amount that is a multiple of its unit is shown exactly. `parse_bytes` reads it back.

    Parameters
    ----------
    nbytes
        Bytes, 0 or more.
    """
    for unit in ("PiB", "TiB", "GiB", "MiB", "KiB"):
        if nbytes >= _BYTE_UNITS[unit]:
            return f"{_shortest(nbytes / _BYTE_UNITS[unit])} {unit}"
    return f"{round(nbytes)} B"


def format_seconds(time_s: float) -> str:
    """Return a time for people to read: ``"500 ms"``, ``"1.5 s"``, ``"2 min"``, ``"inf"``.

    At most two decimals are shown. `parse_seconds` reads it back.

    Parameters
    ----------
    time_s
        Seconds, 0 or more; infinity is allowed.
    """
    if time_s == math.inf:
        return "inf"
    if time_s == 0:
        return "0 s"
    for unit in ("d", "h", "min", "s", "ms", "us"):
        factor = _SECOND_FACTORS[unit]
        if time_s >= float(factor):
            return f"{_shortest(time_s / float(factor))} {unit}"
    return f"{_shortest(time_s * 1e9)} ns"


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _amount(text: str, factors: Mapping[str, int | Fraction], unit_default: str) -> Fraction | None:
    """Return the number in a text times the factor of its unit, or None where it is neither."""
    match = _AMOUNT.fullmatch(text) if len(text) <= _TEXT_LENGTH_MAX else None
    if match is None:
        return None
    factor = factors.get(match["unit"].lower() or unit_default)
    return None if factor is None else Fraction(match["number"]) * factor


def _shortest(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
