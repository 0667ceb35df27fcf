"""Floating-point numbers as decimal integers: bit for bit the same, and small where they can be."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import encode_alp
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.alp_encoding import SCRATCH_NBYTES
from hocket.parquet.metadata.schema import PhysicalType

DTYPES = {4: np.float32, 8: np.float64}
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e308, 1e-40, 2.0**51, -(2.0**53)]


def encode(values):
    physical = PhysicalType.FLOAT if values.itemsize == 4 else PhysicalType.DOUBLE
    return encode_alp(DenseValues(leaf(physical), values.size, values), 0, values.size)


def decoded(stream, values):
    """Return the bits that our decoder makes of a page."""
    source = np.concatenate([stream, np.zeros(64, np.uint8)])
    made = np.zeros(values.size + 16, values.dtype)
    begin, end = address(source), address(source) + stream.size
    assert KERNEL.decode_alp(begin, end, values.itemsize, address(made), values.size) == end
    return made[: values.size].tobytes()


@st.composite
def numbers(draw, size):
    decimal = st.builds(
        lambda whole, digits: whole / 10**digits, st.integers(-(10**9), 10**9), st.integers(0, 12)
    )
    width = 8 * size
    drawn = st.one_of(decimal, st.floats(width=width), st.sampled_from(SPECIAL))
    made = draw(st.lists(drawn, max_size=30))
    bits = draw(st.lists(st.binary(min_size=size, max_size=size), max_size=3))
    with np.errstate(over="ignore"):
        values = np.array(made, np.float64).astype(DTYPES[size])
    return np.concatenate([values, np.frombuffer(b"".join(bits), DTYPES[size])])


@pytest.mark.parametrize("size", [4, 8])
@settings(max_examples=40)
@given(st.data())
def test_numbers_come_back_bit_for_bit(size, data):
    values = data.draw(numbers(size))
    stream = encode(values)
    assert decoded(stream, values) == values.tobytes()


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("count", [1, 3, 41])
def test_within_bounds(size, count):
    random = np.random.default_rng(count)
    values = (random.integers(-1000, 1000, count) / 100).astype(DTYPES[size])
    with np.errstate(over="ignore"):
        values[1::9] = np.array(SPECIAL).astype(DTYPES[size])[: len(values[1::9])]
    stream = encode(values)
    capacity = stream.size + 300
    answer, (room, _) = run_encoder(
        "encode_alp",
        lambda source, room: (
            source(values),
            size,
            count,
            room(capacity),
            capacity,
            room(SCRATCH_NBYTES),
        ),
    )
    assert room[:answer].tobytes() == stream.tobytes()
    assert decoded(stream, values) == values.tobytes()


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 1023, 1024, 1025, 5000])
def test_several_vectors(size, count):
    random = np.random.default_rng(count)
    values = (random.integers(0, 100_000, count) / 100).astype(DTYPES[size])
    values[::97] = random.random(len(values[::97]))
    stream = encode(values)
    assert decoded(stream, values) == values.tobytes()
    assert struct.unpack("<BBBi", stream[:7].tobytes()) == (0, 0, 10, count)


def test_decimals_of_two_digits_take_the_bits_of_their_integers():
    values = np.random.default_rng(5).integers(0, 1 << 14, 8192) / 100
    # 14 bits each, and a header and an offset for each of 8 vectors.
    assert encode(values).size <= 8192 * 14 // 8 + 7 + 8 * (13 + 4) + 10 * 8192 // 100


def test_whole_numbers_up_to_2_to_the_51():
    values = np.arange(2048) * 2.0**40 - 2.0**50
    stream = encode(values)
    assert decoded(stream, values) == values.tobytes()
    # No exceptions in either vector.
    first = struct.unpack("<I", stream[7:11].tobytes())[0]
    assert stream[7 + first + 2 : 7 + first + 4].tolist() == [0, 0]


def test_the_example_of_the_format():
    values = np.array([1500.0, math.nan, 2500.0, 333.5])
    stream = encode(values)
    assert decoded(stream, values) == values.tobytes()
    # The page's header, an offset, and a vector as long as the format's.
    assert stream.size == 7 + 4 + 31


def test_constant_numbers_take_no_bits():
    values = np.full(1024, 19.99)
    assert encode(values).size == 7 + 4 + 13


def test_what_is_no_decimal_is_an_exception():
    values = np.random.default_rng(2).random(1024) * 1e-200
    stream = encode(values)
    assert decoded(stream, values) == values.tobytes()
    assert stream.size <= 7 + 4 + 13 + 1024 * 10


@pytest.mark.parametrize("capacity", [32, 39, 43, 60, 100, 500])
def test_too_little_room_is_noticed(capacity):
    values = np.random.default_rng(2).random(100)
    answer, _ = run_encoder(
        "encode_alp",
        lambda source, room: (
            source(values),
            8,
            100,
            room(capacity),
            capacity,
            room(SCRATCH_NBYTES),
        ),
        is_checked=False,
    )
    assert fault_of(answer) == faults.NO_SPACE
    assert fault_of(KERNEL.encode_alp(0, 2, 5, 0, 100, 0)) == faults.ENCODING_UNFIT
