"""Snappy in a kernel: what another library compresses, and what no library would."""

from __future__ import annotations

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.parquet.kernels import faults
from hocket.parquet.kernels.faults import fault_of, page_of
from hocket.parquet.kernels.library import address


class Damaged(Exception):
    """What the slow reader says."""


def varint(value):
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def literal(data, extra=0):
    """Write bytes as they are; `extra` bytes of length more than needed."""
    if len(data) <= 60 and not extra:
        return bytes([len(data) - 1 << 2]) + data
    nbytes = max(extra, (max(len(data) - 1, 1).bit_length() + 7) // 8)
    return bytes([59 + nbytes << 2]) + (len(data) - 1).to_bytes(nbytes, "little") + data


def repeat(kind, length, offset):
    if kind == 1:
        return bytes([1 | length - 4 << 2 | offset >> 8 << 5, offset & 255])
    return bytes([kind | length - 1 << 2]) + offset.to_bytes(2 * kind - 2, "little")


def slow_read(stream, size):
    """Decompress what follows the size."""
    made, at = bytearray(), 0
    while at < len(stream):
        tag = stream[at]
        kind = tag & 3
        at += 1
        length = (tag >> 2) + 1
        width = (max(length - 60, 0), 1, 2, 4)[kind]
        number = int.from_bytes(stream[at : at + width], "little")
        at += width
        if kind == 0:
            length = number + 1 if width else length
            if length > len(stream) - at:
                raise Damaged(faults.TRUNCATED)
            if length > size - len(made):
                raise Damaged(faults.SIZE_OUTSIDE)
            made += stream[at : at + length]
            at += length
            continue
        if at > len(stream):
            raise Damaged(faults.TRUNCATED)
        if kind == 1:
            length, number = 4 + (tag >> 2 & 7), number | tag >> 5 << 8
        if not 0 < number <= len(made) or length > size - len(made):
            raise Damaged(faults.SIZE_OUTSIDE)
        for _ in range(length):
            made.append(made[-number])
    if len(made) != size:
        raise Damaged(faults.TRUNCATED)
    return bytes(made)


def decompress(run_kernel, stream, size, *, is_checked=True):
    answer, (found,) = run_kernel(
        "decompress_snappy",
        stream,
        lambda at, end, room: (at, end, room(size, 64), size),
        is_checked=is_checked,
    )
    return answer, found.tobytes()


@st.composite
def streams(draw):
    """The elements of a stream and its size; they may be cut, changed or wrong."""
    made, size = b"", 0
    for _ in range(draw(st.integers(0, 8))):
        if size == 0 or draw(st.booleans()):
            data = draw(st.binary(min_size=1, max_size=20) | st.binary(min_size=60, max_size=70))
            made += literal(data, draw(st.sampled_from([0, 0, 1, 2, 3, 4])))
            size += len(data)
        else:
            kind = draw(st.sampled_from([1, 2, 3]))
            length = draw(st.integers(4, 11) if kind == 1 else st.integers(1, 64))
            offset = draw(st.integers(1, size + draw(st.sampled_from([0, 0, 0, 1]))))
            made += repeat(kind, length, offset)
            size += length
    stream = bytearray(made)
    damage = draw(st.sampled_from(["none", "none", "cut", "byte", "size"]))
    if damage == "cut":
        del stream[draw(st.integers(0, len(stream))) :]
    elif damage == "byte" and stream:
        stream[draw(st.integers(0, len(stream) - 1))] = draw(st.integers(0, 255))
    elif damage == "size":
        size = max(size + draw(st.integers(-3, 3)), 0)
    return bytes(stream), size


@settings(max_examples=400)
@given(streams())
def test_any_stream_is_read_as_a_slow_reader_does(run_kernel, drawn):
    stream, size = drawn
    answer, found = decompress(run_kernel, varint(size) + stream, size)
    try:
        wanted = slow_read(stream, size)
    except Damaged as damage:
        wanted = damage.args[0]
    assert (found if answer == 0 else fault_of(answer)) == wanted


@pytest.mark.parametrize("offset", range(1, 40))
def test_every_offset_and_length(run_kernel, offset):
    for length in range(1, 65):
        start = bytes(range(40))
        stream = literal(start) + repeat(2, length, offset) + literal(b"end")
        answer, found = decompress(
            run_kernel, varint(43 + length) + stream, 43 + length, is_checked=False
        )
        assert answer == 0
        assert found == slow_read(stream, 43 + length)


@pytest.mark.parametrize("kind", ["random", "few", "runs", "text", "ramp"])
@pytest.mark.parametrize("size", [0, 1, 59, 60, 61, 300, 70_000, 200_000])
def test_what_another_library_compresses(run_kernel, kind, size):
    random = np.random.default_rng(size)
    data = {
        "random": lambda: random.integers(0, 256, size, np.uint8),
        "few": lambda: random.choice(random.normal(size=20), size // 8 + 1),
        "runs": lambda: np.repeat(random.integers(0, 9, size // 50 + 1, np.uint8), 50),
        "text": lambda: np.array(random.choice([b"one ", b"other", b"word; "], size // 4 + 1)),
        "ramp": lambda: np.arange(size // 8 + 1),
    }[kind]().tobytes()[:size]
    compressed = bytes(cramjam.snappy.compress_raw(data))
    assert decompress(run_kernel, compressed, size, is_checked=False) == (0, data)


def test_another_size_than_the_page_has(run_kernel):
    stream = bytes(cramjam.snappy.compress_raw(b"twelve bytes"))
    for size in (11, 13):
        assert fault_of(decompress(run_kernel, stream, size)[0]) == faults.COUNT_MISMATCH
    assert fault_of(decompress(run_kernel, b"", 0)[0]) == faults.TRUNCATED
    answer, _ = decompress(run_kernel, b"\xff" * 10 + b"\x01", 12)
    assert fault_of(answer) == faults.VARINT_TOO_LONG


@pytest.mark.parametrize("wrong", [None, 0, 2])
def test_many_pages_at_once(run_kernel, wrong):
    plain = [b"one page" * 9, b"", b"another"]
    pages = [bytes(cramjam.snappy.compress_raw(each)) for each in plain]
    table = np.zeros((3, 4), np.int64)

    def arguments(at, _end, room):
        for page, each in enumerate(plain):
            # Behind each page are the spare bytes that the others are, too.
            begin = at + sum(map(len, pages[:page]))
            size = len(each) + (page == wrong)
            table[page] = begin, begin + len(pages[page]), room(len(each), 64), size
        return address(table), 3

    answer, rooms = run_kernel(
        "decompress_snappy_pages", b"".join(pages), arguments, is_checked=False
    )
    if wrong is None:
        assert answer == 0
        assert [each.tobytes() for each in rooms] == plain
    else:
        assert (fault_of(answer), page_of(answer)) == (faults.COUNT_MISMATCH, wrong)
