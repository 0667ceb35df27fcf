"""INT96 as Spark writes it: years after 287,564 overflow when written, and back when read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.decode.target import Conversion

DAY_US = 86_400 * 10**6
EPOCH_JULIAN_DAY = 2_440_588
#: The last microsecond that 64 bits hold when they count from Julian day 0.
LAST_US = 2**63 - 1 - EPOCH_JULIAN_DAY * DAY_US


def spark(micros):
    """Return the 12 bytes that Spark writes, whose arithmetic is Java's."""
    julian = (micros + EPOCH_JULIAN_DAY * DAY_US + 2**63) % 2**64 - 2**63
    days = abs(julian) // DAY_US * (1 if julian >= 0 else -1)
    return struct.pack("<qi", (julian - days * DAY_US) * 1000, days)


@pytest.fixture(scope="module")
def convert(run_kernel):
    def call(values, conversion, *, is_checked=True):
        source = b"".join(map(spark, values))
        answer, rooms = run_kernel(
            "convert",
            source,
            lambda at, _, room: (conversion, at, room(8 * len(values)), len(values), 12),
            is_checked=is_checked,
        )
        return answer, rooms[0][: 8 * len(values)].view(np.int64).tolist()

    return call


VALUES = [0, -1, 1_704_141_296_123_456, 9_089_380_393_200_000_000, LAST_US, LAST_US + 1, 2**63 - 1]


def test_every_microsecond_of_spark_comes_back(convert):
    assert convert(VALUES, Conversion.INT96_TO_MICROS) == (0, VALUES)
    assert convert(VALUES, Conversion.INT96_TO_MILLIS) == (0, [each // 1000 for each in VALUES])
    assert convert(VALUES, Conversion.INT96_TO_SECONDS) == (0, [each // 10**6 for each in VALUES])


def test_nanoseconds_cannot_hold_them(convert):
    for value in VALUES[3:]:
        assert convert([value], Conversion.INT96_TO_NANOS)[0] < 0


@given(st.integers(-(10**18), 2**63 - 1))
def test_any_microsecond_of_spark_comes_back(convert, micros):
    # But those whose overflowed count ends with a day: nothing tells them from a day long ago.
    if micros <= LAST_US or (micros + EPOCH_JULIAN_DAY * DAY_US - 2**64) % DAY_US:
        result = convert([micros], Conversion.INT96_TO_MICROS, is_checked=False)
        assert result == (0, [micros])
