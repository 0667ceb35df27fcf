"""Frames come back whole and in order, however the bytes arrive; what is no frame is refused."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import LimitExceeded, RemoteProtocolError
from hocket.protocol.framing import (
    HEADER_NBYTES,
    Frame,
    FrameKind,
    FrameReader,
    encode_header,
    parse_header,
)

U64_MAX = (1 << 64) - 1

frames = st.builds(
    Frame,
    kind=st.sampled_from(FrameKind).map(int),
    flags=st.just(0),
    sequence=st.integers(0, U64_MAX),
    acknowledged=st.integers(0, U64_MAX),
    payload=st.binary(max_size=200),
)


def wire(frame: Frame) -> bytes:
    header = encode_header(frame.kind, frame.sequence, frame.acknowledged, len(frame.payload))
    return header + frame.payload


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 5000), max_size=20))
def test_frames_come_back_at_any_split(sent, cuts):
    reader = FrameReader(200)
    received = []
    for piece in split(b"".join(map(wire, sent)), cuts):
        received += reader.feed(piece)
    assert received == sent
    assert not reader.mid_frame


@given(st.lists(frames, min_size=1, max_size=3))
def test_frames_come_back_byte_by_byte(sent):
    reader = FrameReader(200)
    received = []
    for byte in b"".join(map(wire, sent)):
        received += reader.feed(bytes([byte]))
    assert received == sent


@given(frames)
def test_a_frame_may_come_as_any_kind_of_bytes(frame):
    for kind in (bytes, bytearray, memoryview):
        assert FrameReader(200).feed(kind(wire(frame))) == [frame]


@given(st.lists(frames, max_size=4), st.lists(st.integers(0, 5000), max_size=10))
def test_frames_before_a_fault_come_back_at_any_split(sent, cuts):
    reader = FrameReader(200)
    received = []
    stream = b"".join(map(wire, sent)) + b"x" * HEADER_NBYTES
    with contextlib.suppress(RemoteProtocolError):
        for piece in split(stream, cuts):
            received += reader.feed(piece)
    assert received == sent
    with pytest.raises(RemoteProtocolError):
        reader.raise_fault()
    with pytest.raises(RemoteProtocolError):
        reader.feed(wire(Frame(FrameKind.MESSAGES, 0, 1, 0, b"")))


def test_the_reader_does_not_keep_the_memory_it_was_given():
    buffer = bytearray(wire(Frame(FrameKind.MESSAGES, 0, 1, 0, b"abc")))
    reader = FrameReader(200)
    (frame,) = reader.feed(memoryview(buffer))
    reader.feed(memoryview(buffer)[:10])
    buffer[:] = bytes(len(buffer))
    assert frame.payload == b"abc"


def test_the_layout_is_what_the_docstring_says():
    header = encode_header(FrameKind.MESSAGES, 7, 5, 3)
    assert header == struct.pack("!3sBBBHQQQ", b"HKT", 1, 1, 0, 0, 7, 5, 3)
    assert len(header) == HEADER_NBYTES == 32


@given(frames, st.integers(0, 7), st.integers(1, 255))
def test_a_wrong_byte_in_what_is_fixed_is_refused(frame, place, difference):
    data = bytearray(wire(frame))
    data[place] ^= difference
    if place == 4 and 0 < data[4] <= max(FrameKind):
        assert FrameReader(200).feed(data)[0].kind == data[4]
        return
    with pytest.raises(RemoteProtocolError):
        FrameReader(200).feed(data)


@pytest.mark.parametrize("length", [1001, 1 << 32, 1 << 60, U64_MAX])
def test_a_frame_that_is_announced_too_long_is_refused_before_memory_is_taken(length):
    header = encode_header(FrameKind.MESSAGES, 1, 0, length)
    reader = FrameReader(1000)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded) as caught:
            reader.feed(header)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert (caught.value.asked, caught.value.limit) == (length, 1000)


def test_memory_grows_with_what_came_and_not_with_what_was_announced():
    reader = FrameReader(1 << 40)
    tracemalloc.start()
    try:
        assert reader.feed(encode_header(FrameKind.MESSAGES, 1, 0, 1 << 40) + b"x" * 1000) == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert reader.mid_frame


@given(st.binary(max_size=300), st.booleans())
def test_garbage_raises_nothing_but_our_errors(data, looks_right):
    if looks_right:
        data = b"HKT\x01\x01\0\0\0" + data
    with contextlib.suppress(RemoteProtocolError, LimitExceeded):
        frames = FrameReader(1000).feed(data)
        assert sum(HEADER_NBYTES + len(frame.payload) for frame in frames) <= len(data)


def test_a_header_can_be_read_at_any_place():
    data = b"..." + encode_header(FrameKind.DATA, 0, 0, 9)
    assert parse_header(data, 3, 10).payload_nbytes == 9
    assert parse_header(data, 3, 10).kind == FrameKind.DATA
