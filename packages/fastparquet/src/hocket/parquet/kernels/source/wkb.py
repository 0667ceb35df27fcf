"""Where geometries are, and of which kinds: a walk through well-known binary, as ISO has it."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import SIZE_OUTSIDE, TRUNCATED, VALUE_RANGE
from hocket.parquet.kernels.language import (
    helper,
    inlined,
    kernel,
    load_8,
    load_32,
    load_64,
    reverse_bytes_32,
    reverse_bytes_64,
    store_64,
)

__all__ = ["KINDS", "bounds_of_geometries"]

#: Where in the result the kinds are, as bits: behind the bounds of four axes.
KINDS: Final = 64

_POINT: Final = 1
_LINE: Final = 2
_POLYGON: Final = 3
_MOST_KIND: Final = 7
#: Kinds with z have a thousand more, those with m two thousand, with both three.
_STEP: Final = 1000

_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 63) - 1
_SIGN: Final = 0x7FFFFFFFFFFFFFFF
_INFINITY: Final = 0x7FF0000000000000


@inlined
def _unsigned(data: int, at: int, order: int) -> int:
    number = load_32(data, at)
    return number if order == 1 else reverse_bytes_32(number)


@helper
def _take_points(data: int, at: int, end: int, count: int, order: int, dims: int, box: int) -> int:
    """Widen bounds by some points; return where they end."""
    size = 16 + 8 * (dims & 1) + 8 * (dims >> 1)
    if count > (end - at) // size:
        return -TRUNCATED
    for _ in range(count):
        axis = 0
        while axis < 4:
            # Those without z have m in its place.
            if axis < 2 or dims & (axis - 1) != 0:
                bits = load_64(data, at)
                if order == 0:
                    bits = reverse_bytes_64(bits)
                at += 8
                # What is no number stands for no point at all.
                if bits & _SIGN <= _INFINITY:
                    ordered = bits ^ _SIGN if bits < 0 else bits
                    if ordered < load_64(box, 16 * axis):
                        store_64(box, 16 * axis, ordered)
                    if ordered > load_64(box, 16 * axis + 8):
                        store_64(box, 16 * axis + 8, ordered)
            axis += 1
    return at


@helper
def _walk(data: int, at: int, end: int, box: int) -> int:
    """Widen bounds by a geometry and all that it is made of."""
    left = 1
    is_first = 1
    while left > 0:
        if end - at < 5:
            return -TRUNCATED
        order = load_8(data, at)
        if order > 1:
            return -VALUE_RANGE
        number = _unsigned(data, at + 1, order)
        kind = number % _STEP
        dims = number // _STEP
        if kind < 1 or kind > _MOST_KIND or dims > 3:
            return -VALUE_RANGE
        at += 5
        left -= 1
        if is_first == 1:
            store_64(box, KINDS, load_64(box, KINDS) | 1 << (dims * 8 + kind))
            is_first = 0
        if kind == _POINT:
            at = _take_points(data, at, end, 1, order, dims, box)
        else:
            if end - at < 4:
                return -TRUNCATED
            count = _unsigned(data, at, order)
            at += 4
            if kind == _LINE:
                at = _take_points(data, at, end, count, order, dims, box)
            elif kind == _POLYGON:
                ring = 0
                while ring < count and at >= 0:
                    if end - at < 4:
                        return -TRUNCATED
                    points = _unsigned(data, at, order)
                    at = _take_points(data, at + 4, end, points, order, dims, box)
                    ring += 1
            else:
                # Parts follow each other, however deep they are.
                if count > (end - at) // 5:
                    return -TRUNCATED
                left += count
        if at < 0:
            return at
    return 0


@kernel
def bounds_of_geometries(offsets: int, count: int, data: int, nbytes: int, box: int) -> int:
    """Write the bounds of geometries, and of which kinds they are.

    Bounds of x, y, z and m are 64-bit numbers in the order of the doubles, the least and the most
    of each; where there is none, the least is larger. At `KINDS` a bit stands for each kind.
    """
    for axis in range(4):
        store_64(box, 16 * axis, _MOST)
        store_64(box, 16 * axis + 8, _LEAST)
    store_64(box, KINDS, 0)
    for index in range(count):
        begin = load_64(offsets, index * 8)
        end = load_64(offsets, index * 8 + 8)
        if begin < 0 or end < begin or end > nbytes:
            return -SIZE_OUTSIDE
        answer = _walk(data, begin, end, box)
        if answer < 0:
            return answer
    return 0
