"""Integers as differences: of every width, wrapping around, and as in the format's examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import delta_of_integers, encode_delta
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.delta_encoding import SCRATCH_NBYTES
from hocket.parquet.metadata.schema import PhysicalType

DTYPES = {32: np.int32, 64: np.int64}


def decoded(stream, bits, count):
    source = np.concatenate([stream, np.zeros(64, np.uint8)])
    made = np.zeros(count + 16, DTYPES[bits])
    begin, end = address(source), address(source) + stream.size
    kernel = getattr(KERNEL, f"decode_delta_{bits}")
    assert kernel(begin, end, address(made), count) == end
    return made[:count].tolist()


def run(values, capacity, *, is_checked=True):
    return run_encoder(
        "encode_delta",
        lambda source, room: (
            source(values),
            values.itemsize,
            values.size,
            room(capacity),
            capacity,
            room(SCRATCH_NBYTES),
        ),
        is_checked=is_checked,
    )


@st.composite
def integers(draw, bits):
    limit = 1 << bits - 1
    some = draw(st.lists(st.integers(-limit, limit - 1), max_size=10))
    step = draw(st.integers(0, bits - 1))
    many = draw(st.sampled_from([0, 1, 31, 32, 33, 127, 128, 129, 130, 200, 257]))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    steps = random.integers(-(1 << step), 1 << step, many, np.int64)
    walk = np.int64(draw(st.integers(-limit, limit - 1))) + np.cumsum(steps)
    return np.array([*some, *walk.astype(DTYPES[bits]).tolist()], DTYPES[bits])


@pytest.mark.parametrize("bits", [32, 64])
@settings(max_examples=80)
@given(st.data())
def test_integers_come_back(bits, data):
    values = data.draw(integers(bits))
    stream = delta_of_integers(values)
    assert decoded(stream, bits, values.size) == values.tolist()
    # Differences of 32-bit integers have no more bits than those.
    blocks = (values.size + 127) // 128
    assert stream.size <= 24 + blocks * (14 + 16 * bits)
    answer, (room, _) = run(values, stream.size + 2000)
    assert room[:answer].tobytes() == stream.tobytes()


@pytest.mark.parametrize("bits", [32, 64])
def test_every_bit_width(bits):
    random = np.random.default_rng(bits)
    for width in range(bits + 1):
        steps = [int(random.integers(0, 1 << 63)) * 2 % (1 << width) for _ in range(400)]
        total, values = 0, []
        for step in steps:
            total += step - 5
            values.append((total + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1))
        stream = delta_of_integers(np.array(values, DTYPES[bits]))
        assert decoded(stream, bits, 400) == values
        # Three blocks and a bit, of which no field has more bits than it needs.
        assert stream.size <= 24 + 4 * 14 + 416 * max(width, 1) // 8


@pytest.mark.parametrize("bits", [32, 64])
def test_differences_wrap_around(bits):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    values = np.array([low, high, low, 0, high, low + 1, -1] * 40, DTYPES[bits])
    assert decoded(delta_of_integers(values), bits, values.size) == values.tolist()
    # From the highest to the lowest is one step up.
    stairs = np.array([high - 1, high, low, low + 1] * 32 + [high - 1], DTYPES[bits])
    assert decoded(delta_of_integers(stairs), bits, 129) == stairs.tolist()


def test_the_examples_of_the_format():
    ramp = delta_of_integers(np.arange(1, 6))
    assert ramp.tobytes() == b"\x80\x01\x04\x05\x02" + b"\x02" + bytes(4)
    zigzag = delta_of_integers(np.array([7, 5, 3, 1, 2, 3, 4, 5]))
    tail = b"\x03\x02\0\0\0" + b"\xc0\x3f" + bytes(6)
    assert zigzag.tobytes() == b"\x80\x01\x04\x08\x0e" + tail


def test_nothing():
    stream = delta_of_integers(np.empty(0, np.int32))
    assert stream.tobytes() == b"\x80\x01\x04\x00\x00"
    assert decoded(stream, 32, 0) == []


def test_a_range_of_values():
    values = np.arange(1000, dtype=np.int64) ** 2
    dense = DenseValues(leaf(PhysicalType.INT64), 1000, values)
    assert decoded(encode_delta(dense, 100, 900), 64, 800) == values[100:900].tolist()


@given(st.data())
def test_too_little_room_is_noticed(data):
    values = data.draw(integers(64))
    capacity = data.draw(st.integers(32, 3000))
    answer, _ = run(values, capacity, is_checked=False)
    assert answer > 0 or fault_of(answer) == faults.NO_SPACE


def test_only_integers_of_4_and_8_bytes():
    assert fault_of(run(np.arange(10, dtype=np.int16), 1000)[0]) == faults.ENCODING_UNFIT
