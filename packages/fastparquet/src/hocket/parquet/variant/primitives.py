"""Variant's primitive types to Python values."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np

from hocket.parquet.errors import CorruptFile, UnsupportedFeature

__all__ = ["read_scalar"]

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  the type has no time zone
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MICROSECONDS: Final = 86_400_000_000
_LARGEST_SCALE: Final = 38
_NOT_A_TIME: Final = -(1 << 63)
_BINARY: Final = 15
_STRING: Final = 16


def read_scalar(data: bytes, start: int, end: int) -> tuple[Any, int]:
    """Read a value that is neither array nor object.

    Parameters
    ----------
    data
        Bytes with the value in them.
    start, end
        Where the value begins, and where what holds it ends.

    Returns
    -------
    tuple
        The value and the position after it.
    """
    header = data[start]
    found = _BY_HEADER.get(header)
    if found is None:
        return _read_sized(header >> 2, data, start + 1, end)
    nbytes, convert = found
    stop = start + 1 + nbytes
    if stop > end:
        raise CorruptFile(
            f"a value in a Variant takes {nbytes} bytes, and there are {end - start - 1}"
        )
    return convert(data[start + 1 : stop]), stop


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorruptFile(
            f"a string in a Variant is not UTF-8 (byte 0x{raw[error.start]:02x})"
        ) from error


def _read_sized(kind: int, data: bytes, start: int, end: int) -> tuple[Any, int]:
    if kind not in (_BINARY, _STRING):
        raise UnsupportedFeature(
            f"a Variant has a value of the primitive type {kind}, which this version does not know"
        )
    first = start + 4
    nbytes = int.from_bytes(data[start:first], "little") if first <= end else 0
    stop = first + nbytes
    if stop > end:
        raise CorruptFile(
            f"a string in a Variant claims {nbytes:,} bytes, and there are {max(end - first, 0):,}"
        )
    raw = data[first:stop]
    return (_text(raw) if kind == _STRING else raw), stop


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _decimal(raw: bytes) -> Decimal:
    if raw[0] > _LARGEST_SCALE:
        raise CorruptFile(f"a decimal in a Variant has {raw[0]} digits after the point")
    # By way of text nothing is rounded.
    return Decimal(f"{_signed(raw[1:])}E-{raw[0]}")


def _date(raw: bytes) -> Any:
    days = _signed(raw)
    try:
        return date.fromordinal(_EPOCH_DAY + days)
    except (ValueError, OverflowError):
        return np.datetime64(days, "D")


def _time(raw: bytes) -> time:
    microseconds = _signed(raw)
    if not 0 <= microseconds < _DAY_MICROSECONDS:
        raise CorruptFile(f"a time of day in a Variant is {microseconds:,} microseconds")
    return (_EPOCH + timedelta(microseconds=microseconds)).time()


def _timestamp(epoch: datetime) -> Callable[[bytes], Any]:
    def convert(raw: bytes) -> Any:
        microseconds = _signed(raw)
        try:
            return epoch + timedelta(microseconds=microseconds)
        except OverflowError:
            return np.datetime64(_no_gap(microseconds), "us")

    return convert


def _timestamp_of_nanoseconds(zone: Any) -> Callable[[bytes], Any]:
    def convert(raw: bytes) -> Any:
        import pandas as pd  # noqa: PLC0415 - seldom needed

        return pd.Timestamp(_no_gap(_signed(raw)), unit="ns", tz=zone)

    return convert


def _no_gap(count: int) -> int:
    if count == _NOT_A_TIME:
        raise UnsupportedFeature(
            "a Variant has the timestamp -2**63, by which NumPy and pandas mean that there is none"
        )
    return count


#: By number: how many bytes, and what they mean.
_FIXED: Final[dict[int, tuple[int, Callable[[bytes], Any]]]] = {
    0: (0, lambda _: None),
    1: (0, lambda _: True),
    2: (0, lambda _: False),
    3: (1, _signed),
    4: (2, _signed),
    5: (4, _signed),
    6: (8, _signed),
    7: (8, lambda raw: struct.unpack("<d", raw)[0]),
    8: (5, _decimal),
    9: (9, _decimal),
    10: (17, _decimal),
    11: (4, _date),
    12: (8, _timestamp(_EPOCH_UTC)),
    13: (8, _timestamp(_EPOCH)),
    14: (4, lambda raw: struct.unpack("<f", raw)[0]),
    17: (8, _time),
    18: (8, _timestamp_of_nanoseconds("UTC")),
    19: (8, _timestamp_of_nanoseconds(None)),
    20: (16, lambda raw: UUID(bytes=raw)),
}

#: By the first byte: types of a fixed size, and strings of less than 64 bytes.
_BY_HEADER: Final = {kind << 2: found for kind, found in _FIXED.items()} | {
    nbytes << 2 | 1: (nbytes, _text) for nbytes in range(64)
}
