"""Levels, flags and codes in runs: as a slow reader of the format reads them, damaged ones too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address


class Damaged(Exception):
    """What the slow reader says."""


def varint(value):
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def packed(values, width):
    """Pack values, a multiple of 8 of them."""
    groups = -(-len(values) // 8)
    return sum(v << i * width for i, v in enumerate(values)).to_bytes(groups * width, "little")


def stream_of(runs, width):
    """Write runs: (values,) is packed, (value, count) repeats."""
    made = b""
    for run in runs:
        if len(run) == 1:
            made += varint(-(-len(run[0]) // 8) << 1 | 1) + packed(run[0], width)
        else:
            made += varint(run[1] << 1) + run[0].to_bytes(-(-width // 8), "little")
    return made


def slow_read(stream, width, count):
    """Return `count` values and the offset behind them."""
    values, at = [], 0
    while len(values) < count:
        header = shift = 0
        while True:
            if at == len(stream):
                raise Damaged(faults.TRUNCATED)
            header |= (stream[at] & 127) << shift
            shift += 7
            at += 1
            if stream[at - 1] < 128:
                break
            if shift > 63:
                raise Damaged(faults.VARINT_TOO_LONG)
        if header & (1 << 64) - 1 >= 1 << 32:
            raise Damaged(faults.VARINT_TOO_LONG)
        if header < 2:
            raise Damaged(faults.RUN_EMPTY)
        wanted = count - len(values)
        if header & 1:
            wanted = min(wanted, (header >> 1) * 8)
            if -(-wanted * width // 8) > len(stream) - at:
                raise Damaged(faults.TRUNCATED)
            bits = int.from_bytes(stream[at:], "little")
            values += [bits >> i * width & (1 << width) - 1 for i in range(wanted)]
            at = min(at + (header >> 1) * width, len(stream))
        else:
            nbytes = -(-width // 8)
            if nbytes > len(stream) - at:
                raise Damaged(faults.TRUNCATED)
            wanted = min(wanted, header >> 1)
            values += [int.from_bytes(stream[at : at + nbytes], "little")] * wanted
            at += nbytes
    return values, at


@st.composite
def streams(draw, widths):
    """A width, a number of values, and a stream that may be cut, changed or random."""
    width = draw(widths)
    value = st.integers(0, (1 << width) - 1)
    run = st.one_of(
        st.tuples(st.lists(value, min_size=1, max_size=40)),
        st.tuples(value, st.integers(1, 50)),
    )
    runs = draw(st.lists(run, max_size=6))
    stream = bytearray(stream_of(runs, width))
    total = sum(-(-len(r[0]) // 8) * 8 if len(r) == 1 else r[1] for r in runs)
    count = draw(st.integers(0, total) | st.just(total))
    damage = draw(st.sampled_from(["none", "none", "cut", "byte", "random", "long"]))
    if damage == "cut":
        del stream[draw(st.integers(0, len(stream))) :]
    elif damage == "byte" and stream:
        stream[draw(st.integers(0, len(stream) - 1))] = draw(st.integers(0, 255))
    elif damage == "random":
        stream[:] = draw(st.binary(max_size=30))
    elif damage == "long":
        count += draw(st.integers(1, 20))
    return width, count, bytes(stream)


def expected(stream, width, count, limit):
    """Return values and the offset behind, or (None, faults that are right)."""
    try:
        values, at = slow_read(stream, width, count)
    except Damaged as damage:
        # A value that is too large may be seen before the end of the bytes is.
        return None, damage.args[0]
    if any(value >= limit for value in values):
        return None, 0
    return values, at


@settings(max_examples=250)
@given(streams(st.integers(1, 8)), st.integers(0, 255))
def test_levels_are_those_of_a_slow_reader(run_kernel, drawn, maximum):
    width, count, stream = drawn
    answer, (levels,) = run_kernel(
        "decode_levels", stream, lambda at, end, room: (at, end, width, room(count), count, maximum)
    )
    values, at = expected(stream, width, count, maximum + 1)
    if values is None:
        assert fault_of(answer) in {at, faults.LEVEL_ABOVE_MAXIMUM}
    else:
        assert (answer, levels.tolist()) == (at, values)


@settings(max_examples=150)
@given(streams(st.just(1)))
def test_flags_are_those_of_a_slow_reader(run_kernel, drawn):
    _, count, stream = drawn
    answer, (flags,) = run_kernel(
        "decode_flags_position", stream, lambda at, end, room: (at, end, room(count), count)
    )
    values, at = expected(stream, 1, count, 2)
    if values is None:
        assert fault_of(answer) in {at, faults.LEVEL_ABOVE_MAXIMUM}
    else:
        assert (answer, flags.tolist()) == (at, values)


@settings(max_examples=250)
@given(streams(st.integers(1, 32)), st.integers(0, 100) | st.sampled_from([1 << 20, 1 << 32]))
def test_codes_are_those_of_a_slow_reader(run_kernel, drawn, limit):
    width, count, stream = drawn
    limit = min(limit, 1 << 31)
    answer, (codes,) = run_kernel(
        "decode_codes",
        stream,
        lambda at, end, room: (at, end, width, room(4 * count), count, limit),
    )
    values, at = expected(stream, width, count, limit)
    if values is None:
        assert fault_of(answer) in {at, faults.DICTIONARY_INDEX}
    else:
        assert (answer, codes.view(np.int32).tolist()) == (at, values)


@settings(max_examples=150)
@given(streams(st.integers(1, 32)))
def test_skipping_ends_where_reading_does(run_kernel, drawn):
    width, count, stream = drawn
    answer, _ = run_kernel("skip_runs", stream, lambda at, end, _room: (at, end, width, count))
    values, at = expected(stream, width, count, 1 << 33)
    assert (fault_of(answer) if values is None else answer) == at


@pytest.mark.parametrize("width", range(1, 33))
def test_many_packed_values_of_each_width(run_kernel, width):
    values = np.random.default_rng(width).integers(0, 1 << min(width, 31), 1003).tolist()
    stream = stream_of([(values,), (values[5], 100)], width)
    answer, (codes,) = run_kernel(
        "decode_codes",
        stream,
        lambda at, end, room: (at, end, width, room(4 * 1106), 1106, 1 << 31),
        is_checked=False,
    )
    wanted = [*values, *[0] * 5, *[values[5]] * 98]
    assert answer == len(stream)
    assert codes.view(np.int32).tolist() == wanted


def test_a_run_may_be_longer_than_wanted_and_wider_than_it_should(run_kernel):
    stream = varint(1000 << 1) + b"\x03"
    answer, (levels,) = run_kernel(
        "decode_levels", stream, lambda at, end, room: (at, end, 2, room(5), 5, 3)
    )
    assert (answer, levels.tolist()) == (3, [3] * 5)
    for maximum, byte in [(2, b"\x03"), (3, b"\x04"), (3, b"\xff")]:
        answer, _ = run_kernel(
            "decode_levels",
            varint(1000 << 1) + byte,
            lambda at, end, room, maximum=maximum: (at, end, 2, room(5), 5, maximum),
        )
        assert fault_of(answer) == faults.LEVEL_ABOVE_MAXIMUM


def test_widths_beyond_those_of_the_format(run_kernel):
    for name, width in [("decode_levels", 9), ("decode_levels", -1), ("decode_codes", 33)]:
        answer, _ = run_kernel(
            name,
            bytes(100),
            lambda at, end, room, width=width: (at, end, width, room(40), 10, 1),
        )
        assert fault_of(answer) == faults.BIT_WIDTH


def test_no_bits_are_zeros_and_need_no_bytes(run_kernel):
    for name, size in [("decode_levels", 1), ("decode_codes", 4)]:
        answer, (zeros,) = run_kernel(
            name, b"", lambda at, end, room, size=size: (at, end, 0, room(9 * size), 9, 1)
        )
        assert answer == 0
        assert not zeros.any()
    answer, _ = run_kernel("decode_codes", b"", lambda at, end, room: (at, end, 0, room(4), 1, 0))
    assert fault_of(answer) == faults.DICTIONARY_INDEX


@pytest.mark.parametrize(
    ("stream", "width", "count", "constant"),
    [
        (varint(9 << 1) + b"\x01", 1, 9, 1),
        (varint(9 << 1) + b"\x01", 1, 10, -1),
        (varint(9 << 1) + b"\x05", 3, 1, 5),
        (varint(9 << 1), 1, 9, -1),
        (varint(9 << 1 | 1) + bytes(9), 1, 9, -1),
        (b"", 1, 1, -1),
        (b"\x00\x01", 1, 0, -1),
        (b"", 0, 7, 0),
    ],
)
def test_constant_levels_are_seen(run_kernel, stream, width, count, constant):
    answer, _ = run_kernel(
        "levels_are_constant", stream, lambda at, end, _room: (at, end, width, count)
    )
    assert answer == constant


@settings(max_examples=150)
@given(st.integers(1, 8), st.data())
def test_deprecated_packing_has_the_highest_bit_first(run_kernel, width, data):
    levels = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=50))
    maximum = data.draw(st.integers(0, 255))
    bits = "".join(f"{level:0{width}b}" for level in levels)
    nbytes = -(-len(bits) // 8)
    stream = int(bits.ljust(nbytes * 8, "0") or "0", 2).to_bytes(nbytes, "big")
    count = len(levels)
    answer, (found,) = run_kernel(
        "decode_packed_levels",
        stream,
        lambda at, end, room: (at, end, width, room(count), count, maximum),
    )
    if max(levels, default=0) > maximum:
        assert fault_of(answer) == faults.LEVEL_ABOVE_MAXIMUM
    else:
        assert (answer, found.tolist()) == (nbytes, levels)
    if stream:
        answer, _ = run_kernel(
            "decode_packed_levels",
            stream[:-1],
            lambda at, end, room: (at, end, width, room(count), count, maximum),
        )
        assert fault_of(answer) == faults.TRUNCATED


def test_levels_are_counted():
    levels = np.random.default_rng(1).integers(0, 4, 1001).astype(np.uint8)
    assert KERNEL.count_equal(address(levels), 1001, 3) == (levels == 3).sum()


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xff" * 9 + b"\x01", -1),
        (b"\x80" * 9 + b"\x01", -(1 << 63)),
    ],
)
def test_integers_of_variable_length(run_kernel, encoded, value):
    assert run_kernel("varint_value", encoded, lambda at, end, _: (at, end))[0] == value
    assert run_kernel("varint_position", encoded, lambda at, end, _: (at, end))[0] == len(encoded)
    cut, _ = run_kernel("varint_position", encoded[:-1], lambda at, end, _: (at, end))
    assert fault_of(cut) == faults.TRUNCATED
    long, _ = run_kernel("varint_position", b"\x80" * 10 + b"\x01", lambda at, end, _: (at, end))
    assert fault_of(long) == faults.VARINT_TOO_LONG
