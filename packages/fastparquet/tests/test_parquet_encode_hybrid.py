"""Levels, codes and booleans to runs and groups: they come back, in no more bytes than packed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import encode_booleans_rle
from hocket.parquet.encode.levels import (
    encode_hybrid,
    encode_levels,
    histogram_of_levels,
)
from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.schema import PhysicalType


@st.composite
def fields(draw, width, pieces=12, longest=40):
    """Stretches of one value, and of all kinds of values."""
    value = st.integers(0, (1 << width) - 1)
    run = st.tuples(value, st.integers(1, longest)).map(lambda drawn: [drawn[0]] * drawn[1])
    made = draw(st.lists(run | st.lists(value, max_size=20), max_size=pieces))
    return [field for piece in made for field in piece]


def padded(stream):
    return np.concatenate([stream, np.zeros(64, np.uint8)])


def decoded(stream, width, count):
    """Return what our decoder makes of a stream, which it must use up."""
    source, made = padded(stream), np.zeros(count + 16, np.uint32)
    begin, end = address(source), address(source) + stream.size
    answer = KERNEL.decode_codes(begin, end, width, address(made), count, 1 << width)
    assert answer == end
    return made[:count].tolist()


def runs_of(stream, width):
    """Return the runs of a stream: how many values each has, and whether they are packed."""
    runs, at = [], 0
    while at < len(stream):
        header = shift = 0
        while True:
            header |= (stream[at] & 127) << shift
            shift += 7
            at += 1
            if stream[at - 1] < 128:
                break
        assert 2 <= header < 1 << 31
        runs.append(((header >> 1) * 8, True) if header & 1 else (header >> 1, False))
        at += (header >> 1) * width if header & 1 else (width + 7) // 8
    assert at == len(stream)
    return runs


def assert_sound(stream, width, values):
    """Check that a stream has just these values, and not many more bytes than they have packed."""
    assert decoded(stream, width, len(values)) == values
    many = sum(count for count, _ in runs_of(stream.tolist(), width))
    assert len(values) <= many < len(values) + 8
    groups = (len(values) + 7) // 8
    assert stream.size <= groups * width + groups // 32 + 2


@settings(max_examples=150)
@given(st.data())
def test_levels_come_back(data):
    width = data.draw(st.integers(1, 8))
    values = data.draw(fields(width))
    stream = encode_levels(np.array(values, np.uint8), (1 << width) - 1)
    assert_sound(stream, width, values)
    capacity = stream.size + 200
    answer, (room,) = run_encoder(
        "encode_hybrid_levels",
        lambda source, room: (
            source(np.array(values, np.uint8)),
            len(values),
            width,
            room(capacity),
            capacity,
        ),
    )
    assert room[:answer].tobytes() == stream.tobytes()


@settings(max_examples=150)
@given(st.data())
def test_codes_come_back(data):
    width = data.draw(st.integers(1, 32))
    values = data.draw(fields(width))
    stream = encode_hybrid(np.array(values, np.uint32), width)
    assert_sound(stream, width, values)
    capacity = stream.size + 200
    answer, (room,) = run_encoder(
        "encode_hybrid_codes",
        lambda source, room: (
            source(np.array(values, np.uint32)),
            len(values),
            width,
            room(capacity),
            capacity,
        ),
    )
    assert room[:answer].tobytes() == stream.tobytes()


@pytest.mark.parametrize("width", range(1, 33))
@pytest.mark.parametrize("longest", [1, 9, 30, 3000])
def test_many_values_of_every_width(width, longest):
    random = np.random.default_rng(width)
    # Runs of about as many values as make them pay, or not.
    lengths = random.integers(1, longest + 1, 40_000 // longest + 8)
    values = np.repeat(random.integers(0, 1 << width, lengths.size), lengths)[:20_003]
    assert_sound(encode_hybrid(values.astype(np.uint32), width), width, values.tolist())
    if width <= 8:
        levels = values.astype(np.uint8)
        stream = encode_levels(levels, (1 << width) - 1)
        assert stream.tobytes() == encode_hybrid(levels.astype(np.uint32), width).tobytes()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("between", [0, 1, 7, 8, 9])
def test_short_runs_never_cost_more_than_they_save(width, between):
    for length in (8, 15, 16, 17, 23, 24, 25, 40, 41, 47, 48, 49):
        values = []
        for index in range(60):
            values += [index % 2] * length + [(index + at) % 2 for at in range(between)]
        assert_sound(encode_hybrid(np.array(values, np.uint32), width), width, values)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000, 100_003])
def test_one_value_is_one_run(count):
    assert len(encode_levels(np.ones(count, np.uint8), 1)) <= 4
    assert runs_of(encode_levels(np.full(count, 3, np.uint8), 3).tolist(), 2) == [(count, False)]
    codes = encode_hybrid(np.full(count, 70_000, np.uint32), 17)
    assert runs_of(codes.tolist(), 17) == [(count, False)]


def test_literals_are_few_enough_for_all_readers():
    random = np.random.default_rng(3)
    stream = encode_levels(random.integers(0, 2, 100_000).astype(np.uint8), 1)
    assert max(count for count, is_packed in runs_of(stream.tolist(), 1) if is_packed) <= 8192


def test_nothing():
    assert encode_levels(np.empty(0, np.uint8), 3).size == 0
    assert encode_levels(np.zeros(9, np.uint8), 0).size == 0
    assert encode_hybrid(np.empty(0, np.uint32), 7).size == 0


@given(st.data())
def test_too_little_room_is_noticed(data):
    width = data.draw(st.integers(1, 32))
    values = data.draw(fields(width))
    needed = encode_hybrid(np.array(values, np.uint32), width).size
    capacity = data.draw(st.integers(32, 32 + needed))
    answer, _ = run_encoder(
        "encode_hybrid_codes",
        lambda source, room: (
            source(np.array(values, np.uint32)),
            len(values),
            width,
            room(capacity),
            capacity,
        ),
    )
    assert fault_of(answer) == faults.NO_SPACE if answer < 0 else answer == needed


@pytest.mark.parametrize("width", [0, 33])
def test_widths_that_there_are_not(width):
    for name in ("encode_hybrid_levels", "encode_hybrid_codes"):
        answer = getattr(KERNEL, name)(0, 0, width, 0, 100)
        assert fault_of(answer) == faults.BIT_WIDTH


@given(st.lists(st.booleans(), max_size=200))
def test_booleans_in_runs(flags):
    values = np.array(flags, np.uint8)
    stream = encode_booleans_rle(
        DenseValues(leaf(PhysicalType.BOOLEAN), len(flags), values), 0, len(flags)
    )
    source, made = padded(stream), np.zeros(len(flags), np.uint8)
    begin, end = address(source), address(source) + stream.size
    assert KERNEL.decode_boolean_runs(begin, end, address(made), len(flags)) == end
    assert made.tolist() == values.tolist()


@given(st.lists(st.integers(0, 4), max_size=50))
def test_histogram(levels):
    found = histogram_of_levels(np.array(levels, np.uint8), 4)
    assert found == tuple(levels.count(level) for level in range(5))
    assert histogram_of_levels(np.zeros(len(levels), np.uint8), 0) == (len(levels),)
