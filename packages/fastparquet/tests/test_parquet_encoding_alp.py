"""Floating-point numbers as decimal integers: bit for bit what the formula of the format says."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of

DTYPES = {4: np.float32, 8: np.float64}


def vector_of(size, exponent, factor, least, fields, width, exceptions):
    """Write a vector; exceptions are pairs of a position and the bytes of a value."""
    made = struct.pack("<BBH", exponent, factor, len(exceptions))
    made += least.to_bytes(size, "little", signed=True) + bytes([width])
    packed = sum(field << i * width for i, field in enumerate(fields))
    made += packed.to_bytes(-(-len(fields) * width // 8), "little")
    made += b"".join(struct.pack("<H", at) for at, _ in exceptions)
    return made + b"".join(raw for _, raw in exceptions)


def page_of(count, vectors, log_size, *, mode=0, integers=0):
    made = struct.pack("<BBBi", mode, integers, log_size, count)
    at = 4 * len(vectors)
    for vector in vectors:
        made += struct.pack("<I", at)
        at += len(vector)
    return made + b"".join(vectors)


def numbers_of(size, exponent, factor, least, fields, exceptions):
    """Return the numbers of a vector by the formula, each step in their own precision."""
    real = DTYPES[size]
    bits = 8 * size
    values = []
    for field in fields:
        whole = (least + field + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        up, down = real(f"1e{factor}"), real(f"1e-{exponent}")
        values.append(real(whole) * up * down)
    made = np.array(values, real)
    for at, raw in exceptions:
        made[at : at + 1] = np.frombuffer(raw, real)
    return made.tobytes()


@st.composite
def vectors(draw, size, many):
    width = draw(st.integers(0, 8 * size))
    exponent = draw(st.integers(0, 10 if size == 4 else 18))
    factor = draw(st.integers(0, exponent))
    half = 1 << 8 * size - 1
    least = draw(st.integers(-half, half - 1) | st.integers(-1000, 1000))
    field = st.integers(0, (1 << width) - 1)
    fields = draw(st.lists(field, min_size=many, max_size=many))
    raw = st.binary(min_size=size, max_size=size)
    exceptions = draw(st.lists(st.tuples(st.integers(0, many - 1), raw), max_size=min(many, 4)))
    return size, exponent, factor, least, fields, exceptions, width


def decode(run_kernel, stream, size, count, *, is_checked=True):
    answer, (values,) = run_kernel(
        "decode_alp",
        stream,
        lambda at, end, room: (at, end, size, room(size * count), count),
        is_checked=is_checked,
    )
    return answer, values.tobytes()


@pytest.mark.parametrize("size", [4, 8])
@settings(max_examples=150)
@given(st.data())
def test_numbers_are_those_of_the_formula(run_kernel, size, data):
    log_size = data.draw(st.sampled_from([3, 4]))
    count = data.draw(st.integers(0, 40))
    made, wanted = [], b""
    for first in range(0, count, 1 << log_size):
        *parts, width = data.draw(vectors(size, min(1 << log_size, count - first)))
        *head, exceptions = parts
        made.append(vector_of(*head, width, exceptions))
        wanted += numbers_of(*parts)
    stream = page_of(count, made, log_size)
    with np.errstate(all="ignore"):
        assert decode(run_kernel, stream, size, count) == (len(stream), wanted)


@pytest.mark.parametrize("size", [4, 8])
def test_every_power_and_every_width(run_kernel, size):
    random = np.random.default_rng(size)
    for width in range(8 * size + 1):
        for exponent in range((10 if size == 4 else 18) + 1):
            factor = int(random.integers(0, exponent + 1))
            fields = [int(random.integers(0, 1 << 63)) * 2 % (1 << width) for _ in range(70)]
            head = (size, exponent, factor, -(width << width // 2) - 3, fields)
            stream = page_of(70, [vector_of(*head, width, [])], 10)
            wanted = numbers_of(*head, [])
            found = decode(run_kernel, stream, size, 70, is_checked=False)
            assert found == (len(stream), wanted)


def test_the_example_of_the_format(run_kernel):
    nan = struct.pack("<d", float("nan"))
    fields = [11665, 11665, 21665, 0]
    vector = vector_of(8, 4, 3, 3335, fields, 15, [(1, nan)])
    assert len(vector) == 31
    stream = page_of(4, [vector], 10)
    answer, values = decode(run_kernel, stream, 8, 4)
    assert answer == len(stream)
    assert values == struct.pack("<dddd", 1500.0, float("nan"), 2500.0, 333.5)


GOOD = vector_of(8, 4, 3, 5, [1, 2, 3], 7, [(2, bytes(8))])


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (page_of(3, [GOOD], 10)[:6], faults.TRUNCATED),
        (page_of(3, [GOOD], 10)[:9], faults.TRUNCATED),
        (page_of(3, [GOOD], 10)[:-1], faults.TRUNCATED),
        (page_of(3, [GOOD[:12]], 10), faults.TRUNCATED),
        (page_of(4, [GOOD], 10), faults.COUNT_MISMATCH),
        (page_of(-3, [GOOD], 10), faults.COUNT_MISMATCH),
        (page_of(3, [GOOD], 2), faults.ALP_HEADER),
        (page_of(3, [GOOD], 16), faults.ALP_HEADER),
        (page_of(3, [GOOD], 10, mode=1), faults.ALP_HEADER),
        (page_of(3, [GOOD], 10, integers=1), faults.ALP_HEADER),
        (page_of(3, [b"\x03\x04" + GOOD[2:]], 10), faults.ALP_HEADER),
        (page_of(3, [b"\x13\x04" + GOOD[2:]], 10), faults.ALP_HEADER),
        (page_of(3, [GOOD[:2] + b"\x04" + GOOD[3:]], 10), faults.ALP_HEADER),
        (page_of(3, [vector_of(8, 4, 3, 5, [1, 2, 3], 7, [(3, bytes(8))])], 10), faults.ALP_HEADER),
        (page_of(3, [GOOD[:12] + b"\x41" + GOOD[13:]], 10), faults.BIT_WIDTH),
        (page_of(3, [GOOD], 10)[:7] + b"\x05" + page_of(3, [GOOD], 10)[8:], faults.ALP_HEADER),
    ],
)
def test_pages_that_make_no_sense(run_kernel, stream, fault):
    assert decode(run_kernel, page_of(3, [GOOD], 10), 8, 3)[0] > 0
    assert fault_of(decode(run_kernel, stream, 8, 3)[0]) == fault


@settings(max_examples=150)
@given(st.sampled_from([4, 8]), st.data())
def test_damage_stays_within_bounds(run_kernel, size, data):
    made = []
    for _ in range(2):
        *head, exceptions, width = data.draw(vectors(size, 8))
        made.append(vector_of(*head, width, exceptions))
    stream = bytearray(page_of(16, made, 3))
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    del stream[data.draw(st.integers(0, len(stream)) | st.just(len(stream))) :]
    answer, _ = decode(run_kernel, bytes(stream), size, 16)
    assert answer <= len(stream)
