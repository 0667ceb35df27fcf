"""The check that byte strings are UTF-8."""

from __future__ import annotations

from hocket.parquet.kernels.faults import INVALID_UTF8
from hocket.parquet.kernels.language import helper, inlined, kernel, load_8, load_64

__all__ = ["ascii_length", "check_text", "check_texts"]

_HIGH = -0x7F7F7F7F7F7F7F80


@helper
def ascii_length(data: int, start: int, nbytes: int) -> int:
    """Return how many bytes from `start` on are certainly ASCII, blocks only."""
    at = start
    while nbytes - at >= 64:
        seen = load_64(data, at) | load_64(data, at + 8)
        seen |= load_64(data, at + 16) | load_64(data, at + 24)
        seen |= load_64(data, at + 32) | load_64(data, at + 40)
        seen |= load_64(data, at + 48) | load_64(data, at + 56)
        if seen & _HIGH != 0:
            return at
        at += 64
    return at


@inlined
def _is_continuation(byte: int) -> int:
    return byte & 0xC0 == 0x80


@inlined
def _sequence_length(data: int, at: int, left: int) -> int:
    """Return how long the sequence of a code point is, or 0 if it is none."""
    first = load_8(data, at)
    if first < 0x80:
        return 1
    second = load_8(data, at + 1)
    if first < 0xC2 or left < 2 or second & 0xC0 != 0x80:
        return 0
    if first < 0xE0:
        return 2
    if left < 3 or load_8(data, at + 2) & 0xC0 != 0x80:
        return 0
    if first < 0xF0:
        # No longer forms than needed, no surrogates.
        if (first == 0xE0 and second < 0xA0) or (first == 0xED and second > 0x9F):
            return 0
        return 3
    if left < 4 or load_8(data, at + 3) & 0xC0 != 0x80 or first > 0xF4:
        return 0
    if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F):
        return 0
    return 4


@kernel
def check_text(data: int, nbytes: int) -> int:
    """Return 0 if bytes are UTF-8, or a fault. 8 bytes behind the end must be readable."""
    at = 0
    while at < nbytes:
        at = ascii_length(data, at, nbytes)
        stop = min(at + 64, nbytes)
        while at < stop:
            length = _sequence_length(data, at, nbytes - at)
            if length == 0:
                return -INVALID_UTF8
            at += length
    return 0


@kernel
def check_texts(offsets: int, count: int, data: int) -> int:
    """Return 0 if each of these strings is UTF-8, or a fault."""
    start = load_64(offsets, 0)
    nbytes = load_64(offsets, count * 8) - start
    base = data + start
    if ascii_length(base, 0, nbytes) == nbytes:
        return 0
    fault = check_text(base, nbytes)
    if fault < 0:
        return fault
    # The whole is; then no string may begin inside of a code point.
    inside = 0
    for index in range(count):
        at = load_64(offsets, index * 8) - start
        if at < nbytes:
            inside |= load_8(base, at) & 0xC0 == 0x80
    return -INVALID_UTF8 if inside else 0
