"""Byte strings behind delta-encoded lengths and shared prefixes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of


def varint(value):
    value &= (1 << 64) - 1
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def integers(values):
    """Delta-encode, with 32 bits for every difference."""
    made = varint(128) + varint(1) + varint(len(values))
    made += varint((values[0] << 1 ^ values[0] >> 63) if values else 0)
    for first in range(1, len(values), 128):
        some = np.diff(values[first - 1 : first + 128]).astype("<i4")
        made += b"\x00\x20" + some.tobytes().ljust(512, b"\x00")
    return made


def with_lengths(strings):
    return integers([len(each) for each in strings]) + b"".join(strings)


def shared(one, other):
    """Return how many bytes at the beginning are the same."""
    many = 0
    while one[many : many + 1] == other[many : many + 1] != b"":
        many += 1
    return many


def with_prefixes(strings, prefixes=None):
    """Encode strings, with the longest prefixes unless told."""
    before = [b"", *strings[:-1]]
    if prefixes is None:
        pairs = zip(before, strings, strict=True)
        prefixes = [shared(a, b) for a, b in pairs]
    return integers(prefixes) + with_lengths(
        [each[n:] for each, n in zip(strings, prefixes, strict=True)]
    )


def decode(run_kernel, name, stream, count, capacity, position=0):
    answer, (offsets, data) = run_kernel(
        name,
        stream,
        lambda at, end, room: (
            at,
            end,
            count,
            room(8 * count + 8),
            room(capacity, 64),
            position,
            capacity,
        ),
    )
    return answer, offsets.view(np.int64).tolist(), data.tobytes()


STRINGS = st.lists(
    st.binary(max_size=9) | st.text("ab", max_size=90).map(str.encode), min_size=1, max_size=40
)


@settings(max_examples=100)
@given(STRINGS, st.integers(0, 20))
@pytest.mark.parametrize(
    ("name", "encode"),
    [("decode_delta_length_strings", with_lengths), ("decode_delta_strings", with_prefixes)],
)
def test_strings_come_back(run_kernel, name, encode, strings, position):
    stream = encode(strings)
    total = sum(map(len, strings))
    arguments = (run_kernel, name, stream, len(strings), position + total, position)
    answer, offsets, data = decode(*arguments)
    assert answer == len(stream)
    assert offsets == np.cumsum([position, *map(len, strings)]).tolist()
    assert data[position:] == b"".join(strings)
    if total:
        answer, offsets, _ = decode(*arguments[:4], position + total - 1, position)
        assert fault_of(answer) == faults.NO_SPACE


@settings(max_examples=100)
@given(STRINGS)
def test_strings_of_prefixes_are_measured(run_kernel, strings):
    count = len(strings)
    answer, _ = run_kernel(
        "measure_delta_strings",
        with_prefixes(strings),
        lambda at, end, room: (at, end, count, room(8 * count + 8)),
    )
    assert answer == sum(map(len, strings))


def test_no_strings_at_all(run_kernel):
    for name, stream in [
        ("decode_delta_length_strings", b""),
        ("decode_delta_strings", b""),
        ("decode_delta_length_strings", integers([])),
        ("decode_delta_strings", integers([]) * 2),
    ]:
        answer, offsets, _ = decode(run_kernel, name, stream, 0, 0, 0)
        assert (answer, offsets) == (len(stream), [0])


@pytest.mark.parametrize(
    ("lengths", "fault"),
    [
        ([1, -1, 1], faults.STRING_LENGTH),
        ([5, 6, 1], faults.STRING_LENGTH),
        ([(1 << 31) - 1] * 3, faults.STRING_LENGTH),
        ([5, 5], faults.COUNT_MISMATCH),
        ([1, 2, 3, 4], faults.COUNT_MISMATCH),
    ],
)
def test_lengths_that_cannot_be(run_kernel, lengths, fault):
    stream = integers(lengths) + b"elevenbytes"
    answer, _, _ = decode(run_kernel, "decode_delta_length_strings", stream, 3, 100)
    assert fault_of(answer) == fault
    stream = integers([0] * 3) + stream
    answer, _, _ = decode(run_kernel, "decode_delta_strings", stream, 3, 100)
    assert fault_of(answer) == fault


@pytest.mark.parametrize("prefixes", [[1, 0, 0], [0, 4, 0], [0, 0, -1], [0, 3, 1 << 30]])
def test_prefixes_that_cannot_be(run_kernel, prefixes):
    stream = integers(prefixes) + with_lengths([b"abc", b"", b"abc"])
    answer, _, _ = decode(run_kernel, "decode_delta_strings", stream, 3, 100)
    assert fault_of(answer) == faults.DELTA_PREFIX


@settings(max_examples=200)
@given(STRINGS, st.data())
def test_damage_stays_within_bounds(run_kernel, strings, data):
    name, encode = data.draw(
        st.sampled_from(
            [("decode_delta_length_strings", with_lengths), ("decode_delta_strings", with_prefixes)]
        )
    )
    stream = bytearray(encode(strings))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place] = data.draw(st.integers(0, 255))
    del stream[data.draw(st.integers(0, len(stream)) | st.just(len(stream))) :]
    count = len(strings)
    # The data is not looked at: what lies behind its end is anything.
    answer, (offsets, _) = run_kernel(
        name,
        bytes(stream),
        lambda at, end, room: (at, end, count, room(8 * count + 8), room(0, 364), 0, 300),
    )
    if answer >= 0:
        ends = offsets.view(np.int64).tolist()
        assert answer <= len(stream)
        assert ends == sorted(ends)
        assert ends[-1] <= 300


@settings(max_examples=100)
@given(st.integers(1, 40), st.integers(0, 30), st.data())
def test_values_of_one_width(run_kernel, width, count, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = [rng.integers(0, 3, width, np.uint8).tobytes() for _ in range(count)]

    def decoded(stream, size):
        return run_kernel(
            "decode_delta_fixed",
            stream,
            lambda at, end, room: (at, end, count, size, room(size * count), room(8 * count)),
        )

    stream = with_prefixes(values) if values else b""
    answer, (found, _) = decoded(stream, width)
    assert answer == len(stream)
    assert found.tobytes() == b"".join(values)
    if count:
        assert fault_of(decoded(stream, width + 1)[0]) == faults.STRING_LENGTH
        assert fault_of(decoded(stream, width - 1)[0]) == faults.STRING_LENGTH
