"""Plain values, booleans, values in byte streams, and conversions of what was stored."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.source import convert as numbers


@pytest.mark.parametrize("size", [1, 2, 4, 8, 12, 16, 5])
def test_plain_values_are_copied(run_kernel, size):
    stream = bytes(range(11 * size)) + b"rest"
    answer, (values,) = run_kernel(
        "decode_fixed", stream, lambda at, end, room: (at, end, size, room(11 * size), 11)
    )
    assert (answer, values.tobytes()) == (11 * size, stream[: 11 * size])
    answer, _ = run_kernel(
        "decode_fixed", stream[:-5], lambda at, end, room: (at, end, size, room(11 * size), 11)
    )
    assert fault_of(answer) == faults.TRUNCATED


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=90))
def test_booleans_are_bits(run_kernel, flags):
    stream = np.packbits(np.array(flags, bool), bitorder="little").tobytes()
    count = len(flags)
    answer, (found,) = run_kernel(
        "decode_booleans", stream + b"x", lambda at, end, room: (at, end, room(count), count)
    )
    assert (answer, found.tolist()) == (len(stream), flags)
    if flags:
        answer, _ = run_kernel(
            "decode_booleans", stream[:-1], lambda at, end, room: (at, end, room(count), count)
        )
        assert fault_of(answer) == faults.TRUNCATED


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        (b"\x04\x00\x00\x00\x03\x05\x0a\x01", 8),
        (b"\x04\x00\x00\x00\x03\x05\x0a\x01more", 8),
        (b"\x05\x00\x00\x00\x03\x05\x0a\x01", -faults.SIZE_OUTSIDE),
        (b"\x03\x00\x00\x00\x03\x05\x0a\x01", -faults.TRUNCATED),
        (b"\x04\x00\x00", -faults.TRUNCATED),
        (b"\x04\x00\x00\x00\x03\x05\x0a\x02", -faults.LEVEL_ABOVE_MAXIMUM),
    ],
)
def test_booleans_in_runs_have_their_length_in_front(run_kernel, stream, answer):
    found, (flags,) = run_kernel(
        "decode_boolean_runs", stream, lambda at, end, room: (at, end, room(12), 12)
    )
    assert found == answer
    if answer > 0:
        assert flags.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1]


@settings(max_examples=100)
@given(st.sampled_from([1, 2, 3, 4, 7, 8, 12, 16]), st.integers(0, 70))
def test_streams_of_bytes_are_put_together(run_kernel, size, count):
    values = np.random.default_rng(count).integers(0, 256, (count, size), np.uint8)
    stream = values.T.tobytes()

    def decode(stream):
        return run_kernel(
            "decode_split",
            stream,
            lambda at, end, room: (at, end, size, room(count * size), count),
        )

    answer, (found,) = decode(stream)
    assert (answer, found.tobytes()) == (len(stream), values.tobytes())
    assert fault_of(decode(stream + b"x")[0]) == faults.COUNT_MISMATCH
    if stream:
        assert fault_of(decode(stream[:-1])[0]) == faults.COUNT_MISMATCH


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_long_streams_of_bytes(run_kernel, size):
    values = np.random.default_rng(size).integers(0, 256, (10_007, size), np.uint8)
    _, (found,) = run_kernel(
        "decode_split",
        values.T.tobytes(),
        lambda at, end, room: (at, end, size, room(values.size), 10_007),
        is_checked=False,
    )
    assert found.tobytes() == values.tobytes()


# ----------------------------------------------------------------------------------- conversions


def convert(run_kernel, conversion, stored, width, item_size, count):
    answer, (values,) = run_kernel(
        "convert",
        stored,
        lambda at, _end, room: (conversion, at, room(count * item_size), count, width),
    )
    return answer, values


@settings(max_examples=50)
@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-128, 127), max_size=20))
def test_wider_integers(run_kernel, values):
    count = len(values)
    stored = np.array(values, np.int32)
    for conversion, factor in [(numbers.WIDEN_64, 1), (numbers.DAYS_TO_SECONDS, 86400)]:
        answer, found = convert(run_kernel, conversion, stored.tobytes(), 4, 8, count)
        assert answer == 0
        assert found.view(np.int64).tolist() == [value * factor for value in values]
    for kind in (np.int32, np.int64):
        stored = np.array(values, kind)
        answer, found = convert(
            run_kernel, numbers.WIDEN_128, stored.tobytes(), stored.itemsize, 16, count
        )
        raw = found.tobytes()
        assert [
            int.from_bytes(raw[i * 16 : i * 16 + 16], "little", signed=True) for i in range(count)
        ] == values


@pytest.mark.parametrize(("conversion", "bits"), [(numbers.NARROW_8, 8), (numbers.NARROW_16, 16)])
def test_narrow_integers_are_checked(run_kernel, conversion, bits):
    fitting = [0, 1, -1, -(1 << bits - 1), (1 << bits) - 1, (1 << bits - 1) - 1]
    stored = np.array(fitting, np.int32).tobytes()
    answer, found = convert(run_kernel, conversion, stored, 4, bits // 8, 6)
    assert answer == 0
    assert found.tobytes() == np.array(fitting).astype(f"i{bits // 8}").tobytes()
    for wrong in (-(1 << bits - 1) - 1, 1 << bits, 1 << 30, -(1 << 31), (1 << 31) - 1):
        stored = np.array([0, wrong, 1], np.int32).tobytes()
        answer, _ = convert(run_kernel, conversion, stored, 4, bits // 8, 3)
        assert fault_of(answer) == faults.VALUE_RANGE


#: Days before the epoch that Spark writes, with negative nanoseconds, when its sums overflow.
SPARK_DAYS = range(106_751_991, 109_192_581)

UNITS = {
    numbers.INT96_TO_SECONDS: 10**9,
    numbers.INT96_TO_MILLIS: 10**6,
    numbers.INT96_TO_MICROS: 10**3,
    numbers.INT96_TO_NANOS: 1,
}


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(UNITS)),
    st.integers(-(1 << 31), (1 << 31) - 1)
    | st.integers(2_400_000, 2_600_000)
    | st.integers(2_333_834, 2_333_838)
    | st.integers(2_547_337, 2_547_341)
    | st.integers(2_440_588 - 106_751_993, 2_440_588 - 106_751_989)
    | st.integers(2_440_588 + 106_751_989, 2_440_588 + 106_751_993),
    st.integers(0, 86_399_999_999_999) | st.integers(-(1 << 63), (1 << 63) - 1),
)
def test_timestamps_of_96_bits(run_kernel, conversion, day, nanos):
    stored = nanos.to_bytes(8, "little", signed=True) + day.to_bytes(4, "little", signed=True)
    answer, found = convert(run_kernel, conversion, stored * 2, 12, 8, 2)
    exact = (day - 2_440_588) * 86_400 * 10**9 + nanos
    if nanos < 0 and UNITS[conversion] >= 1000 and 2_440_588 - day in SPARK_DAYS:
        exact = ((exact // 1000 + (1 << 63)) % (1 << 64) - (1 << 63)) * 1000
    exact //= UNITS[conversion]
    if -(1 << 63) < exact < 1 << 63:
        assert (answer, found.view(np.int64).tolist()) == (0, [exact, exact])
    else:
        assert fault_of(answer) == faults.VALUE_RANGE


DIVISORS = {
    numbers.WIDE_TICKS: 1,
    numbers.WIDE_TICKS_BY_THOUSAND: 10**3,
    numbers.WIDE_TICKS_BY_MILLION: 10**6,
    numbers.WIDE_TICKS_BY_BILLION: 10**9,
}
#: The last numbers that fit, and the first that do not.
EDGES = [sign * (1 << 63) * by for by in DIVISORS.values() for sign in (-1, 1)]


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(DIVISORS)),
    st.integers(-(1 << 95), (1 << 95) - 1)
    | st.integers(-(1 << 64), 1 << 64)
    | st.builds(
        lambda edge, more: edge + more, st.sampled_from(EDGES), st.integers(-(10**9), 10**9)
    ),
)
def test_counts_of_96_bits(run_kernel, conversion, ticks):
    stored = ticks.to_bytes(12, "little", signed=True)
    answer, found = convert(run_kernel, conversion, stored * 2, 12, 8, 2)
    wanted = ticks // DIVISORS[conversion]
    if -(1 << 63) < wanted < 1 << 63:
        assert (answer, found.view(np.int64).tolist()) == (0, [wanted, wanted])
    else:
        assert fault_of(answer) == faults.VALUE_RANGE


def test_a_timestamp_before_the_epoch(run_kernel):
    moment = dt.datetime(1969, 7, 20, 20, 17, 40, 500_001, dt.UTC)
    days = (moment.date() - dt.date(1970, 1, 1)).days + 2_440_588
    nanos = (
        (moment - dt.datetime(1969, 7, 20, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000
    )
    stored = nanos.to_bytes(8, "little") + days.to_bytes(4, "little")
    for conversion, unit in [(numbers.INT96_TO_SECONDS, "s"), (numbers.INT96_TO_MICROS, "us")]:
        _, found = convert(run_kernel, conversion, stored, 12, 8, 1)
        assert found.view(f"M8[{unit}]")[0] == np.datetime64(moment.replace(tzinfo=None), unit)


@settings(max_examples=200)
@given(
    st.sampled_from(
        [
            (numbers.BIG_ENDIAN_32, 4),
            (numbers.BIG_ENDIAN_64, 8),
            (numbers.BIG_ENDIAN_128, 16),
            (numbers.BIG_ENDIAN_256, 32),
        ]
    ),
    st.data(),
)
def test_big_endian_integers(run_kernel, kind, data):
    conversion, size = kind
    width = data.draw(st.integers(0, size))
    values = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=9))
    stored = b"".join(values)
    answer, found = convert(run_kernel, conversion, stored, width, size, len(values))
    assert answer == 0
    assert found.tobytes() == b"".join(
        int.from_bytes(each, "big", signed=True).to_bytes(size, "little", signed=True)
        for each in values
    )
    answer, _ = convert(run_kernel, conversion, bytes(size + 1), size + 1, size, 1)
    assert fault_of(answer) == faults.VALUE_RANGE


@settings(max_examples=200)
@given(
    st.integers(0, 18),
    st.lists(
        st.integers(-(1 << 63), (1 << 63) - 1)
        | st.integers(-(1 << 54), 1 << 54)
        | st.integers(-99_999, 99_999),
        min_size=1,
        max_size=12,
    ),
)
@example(18, [-(1 << 63), (1 << 63) - 1, (1 << 53) + 1, -(1 << 53) - 1])
def test_decimals_become_the_nearest_doubles(run_kernel, scale, values):
    for width, whole in [(8, values), (4, [value >> 32 for value in values])]:
        stored = np.array(whole, f"i{width}").tobytes()
        answer, (found,) = run_kernel(
            "decimals_to_float",
            stored,
            lambda at, _end, room, width=width: (
                at,
                width,
                room(8 * len(values)),
                len(values),
                scale,
            ),
        )
        assert answer == 0
        wanted = [float(Fraction(value, 10**scale)) for value in whole]
        assert found.view(np.float64).tolist() == wanted


@pytest.mark.parametrize("scale", [-1, 19])
def test_scales_beyond_64_bits(run_kernel, scale):
    answer, _ = run_kernel(
        "decimals_to_float", bytes(8), lambda at, _end, room: (at, 8, room(8), 1, scale)
    )
    assert fault_of(answer) == faults.VALUE_RANGE


def test_booleans_and_copies(run_kernel):
    _, found = convert(run_kernel, numbers.BOOLEAN_BYTES, b"\x05\x01", 1, 1, 10)
    assert found.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 1, 0]
    _, found = convert(run_kernel, numbers.COPY, bytes(range(12)), 4, 4, 3)
    assert found.tolist() == list(range(12))
