"""Values of fixed width as they stand, and booleans."""

from __future__ import annotations

from hocket.parquet.kernels.faults import SIZE_OUTSIDE, TRUNCATED
from hocket.parquet.kernels.language import copy, helper, kernel, load_32
from hocket.parquet.kernels.source.hybrid import decode_flags, flags_of_bits

__all__ = ["decode_boolean_runs", "decode_booleans", "decode_fixed"]


@kernel
def decode_fixed(source: int, end: int, item_size: int, destination: int, count: int) -> int:
    """Copy values; return the position behind them, or a fault."""
    nbytes = count * item_size
    if nbytes > end - source:
        return -TRUNCATED
    copy(destination, source, nbytes)
    return source + nbytes


@kernel
def decode_booleans(source: int, end: int, destination: int, count: int) -> int:
    """Write a byte of 0 or 1 for each bit; return the position behind them, or a fault."""
    nbytes = (count + 7) >> 3
    if nbytes > end - source:
        return -TRUNCATED
    flags_of_bits(source, destination, count)
    return source + nbytes


@kernel
def decode_boolean_runs(source: int, end: int, destination: int, count: int) -> int:
    """Decode booleans out of runs, with their length in front; return the position behind them."""
    stop, _ = _decode_boolean_runs(source, end, destination, count)
    return stop


@helper
def _decode_boolean_runs(source: int, end: int, destination: int, count: int) -> tuple[int, int]:
    if end - source < 4:
        return -TRUNCATED, 0
    nbytes = load_32(source, 0)
    if nbytes > end - source - 4:
        return -SIZE_OUTSIDE, 0
    stop = source + 4 + nbytes
    position, ones = decode_flags(source + 4, stop, destination, count)
    if position < 0:
        return position, 0
    return stop, ones
