"""Byte strings, plain and out of dictionaries, and the check of their text."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of

STRINGS = st.lists(st.binary(max_size=12) | st.binary(min_size=60, max_size=140), max_size=12)


def plain(strings):
    return b"".join(len(each).to_bytes(4, "little") + each for each in strings)


def joined(strings, start=0):
    """Return the offsets and the bytes of strings."""
    ends = np.cumsum([start, *map(len, strings)])
    return ends.astype(np.int64), b"".join(strings)


def decode(run_kernel, stream, count, capacity, position=0):
    answer, (offsets, data) = run_kernel(
        "decode_byte_arrays",
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
    return answer, offsets.view(np.int64), data.tobytes()


@settings(max_examples=150)
@given(STRINGS, st.integers(0, 30), st.binary(max_size=5))
def test_plain_strings_become_offsets_and_bytes(run_kernel, strings, position, tail):
    stream = plain(strings) + tail
    size = position + len(stream) - 4 * len(strings)
    answer, offsets, data = decode(run_kernel, stream, len(strings), size, position)
    ends, whole = joined(strings, position)
    assert answer == len(stream) - len(tail)
    assert (offsets == ends).all()
    assert data[position : ends[-1]] == whole
    total, _ = run_kernel(
        "total_of_byte_arrays", stream, lambda at, end, _: (at, end, len(strings))
    )
    # An answer within the source is taken for a place in it.
    assert total == len(whole)


def slow_total(stream, count):
    at = 0
    for _ in range(count):
        if len(stream) - at < 4:
            return None
        at += 4 + int.from_bytes(stream[at : at + 4], "little")
        if at > len(stream):
            return None
    return at - 4 * count


@settings(max_examples=150)
@given(STRINGS, st.data())
def test_damaged_strings_are_refused(run_kernel, strings, data):
    stream = bytearray(plain(strings))
    count = len(strings) + data.draw(st.integers(0, 2))
    if stream and data.draw(st.booleans()):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del stream[data.draw(st.integers(0, len(stream))) :]
    stream = bytes(stream)
    # There is no more space than a page of that size can need. The data is not looked at: what lies
    # behind its end is anything.
    capacity = max(len(stream) - 4 * count, 0)
    answer, (offsets, _) = run_kernel(
        "decode_byte_arrays",
        stream,
        lambda at, end, room: (
            at,
            end,
            count,
            room(8 * count + 8),
            room(0, capacity + 64),
            0,
            capacity,
        ),
    )
    total = slow_total(stream, count)
    measured, _ = run_kernel("total_of_byte_arrays", stream, lambda at, end, _: (at, end, count))
    if total is None:
        assert fault_of(answer) in {faults.TRUNCATED, faults.STRING_LENGTH}
        assert fault_of(measured) in {faults.TRUNCATED, faults.STRING_LENGTH}
    else:
        assert (answer, measured) == (total + 4 * count, total)
        assert offsets.view(np.int64)[-1] == total


def test_a_string_that_takes_the_lengths_behind_it(run_kernel):
    # It ends where the page does, and yet there is no space for it beside those that must follow.
    for length in (36, 33, 200):
        stream = length.to_bytes(4, "little") + bytes(36)
        answer, _ = run_kernel(
            "decode_byte_arrays",
            stream,
            lambda at, end, room: (at, end, 10, room(88), room(0, 64), 0, 0),
        )
        assert fault_of(answer) == faults.STRING_LENGTH


def test_too_little_space_is_no_damage_and_nothing_is_written(run_kernel):
    stream = plain([b"one", b"two"])
    answer, offsets, _ = decode(run_kernel, stream, 2, 9, position=4)
    assert fault_of(answer) == faults.NO_SPACE
    assert len(set(offsets.tolist())) == 1
    answer, offsets, data = decode(run_kernel, stream, 2, 10, position=4)
    assert (answer, offsets.tolist(), data[4:]) == (len(stream), [4, 7, 10], b"onetwo")


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=100), min_size=1, max_size=8), st.data())
def test_strings_of_codes(run_kernel, entries, data):
    codes = data.draw(st.lists(st.integers(0, len(entries) - 1), max_size=30))
    position = data.draw(st.integers(0, 9))
    table, whole = joined(entries)
    strings = [entries[code] for code in codes]
    numbers = np.array(codes, np.int32)
    source = table.tobytes() + numbers.tobytes() + whole
    at_codes = table.nbytes
    total, _ = run_kernel(
        "total_of_codes",
        source,
        lambda at, _end, _room: (at + at_codes, len(codes), at, len(entries)),
    )
    ends, wanted = joined(strings, position)
    assert total == len(wanted)
    answer, (offsets, found) = run_kernel(
        "gather_strings",
        source,
        lambda at, end, room: (
            at + at_codes,
            len(codes),
            at,
            end - len(whole),
            room(8 * len(codes) + 8),
            room(position + total, 64),
            position,
        ),
    )
    assert answer == position + total
    assert (offsets.view(np.int64) == ends).all()
    assert found[position:].tobytes() == wanted


@pytest.mark.parametrize("wrong", [2, -1, 1 << 30, -(1 << 31)])
def test_codes_of_strings_are_checked(run_kernel, wrong):
    table, whole = joined([b"one", b"two"])
    codes = np.array([0, 1, wrong, 1], np.int32)
    answer, _ = run_kernel(
        "total_of_codes",
        table.tobytes() + codes.tobytes() + whole,
        lambda at, _end, _room: (at + table.nbytes, 4, at, 2),
    )
    assert fault_of(answer) == faults.DICTIONARY_INDEX


# ------------------------------------------------------------------------------------------ text


def is_text(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


PIECES = st.one_of(
    st.text(max_size=3).map(str.encode),
    st.sampled_from([b"plain text, " * 12, b"x" * 64, b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90"]),
    st.binary(max_size=3),
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=6))
def test_text_is_checked_as_python_does(run_kernel, pieces):
    data = b"".join(pieces)
    answer, _ = run_kernel("check_text", data, lambda at, _end, _room: (at, len(data)))
    assert answer == (0 if is_text(data) else -faults.INVALID_UTF8)


@pytest.mark.parametrize("lead", range(0x80, 0x100))
def test_every_pair_of_first_bytes(run_kernel, lead):
    for second in range(256):
        for tail in (b"", b"\x80", b"\x80\x80", b"a"):
            data = bytes([lead, second]) + tail
            answer, _ = run_kernel(
                "check_text", data, lambda at, end, _: (at, end - at), is_checked=False
            )
            assert (answer == 0) == is_text(data), data


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=6), st.lists(st.integers(0, 200), max_size=5))
def test_each_string_must_be_text(run_kernel, pieces, cuts):
    data = b"".join(pieces)
    cuts = sorted(min(cut, len(data)) for cut in cuts)
    offsets = np.array([0, *cuts, len(data)], np.int64)
    strings = [data[a:b] for a, b in itertools.pairwise(offsets)]
    answer, _ = run_kernel(
        "check_texts",
        offsets.tobytes() + data,
        lambda at, _end, _room: (at, len(strings), at + offsets.nbytes),
    )
    assert (answer == 0) == all(map(is_text, strings))
