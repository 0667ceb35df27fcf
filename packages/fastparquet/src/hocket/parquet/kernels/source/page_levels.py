"""Levels of one page: where they are, what they say, and which slots hold a value."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    ENCODING_UNFIT,
    FIRST_REPETITION,
    LEVEL_ABOVE_MAXIMUM,
    LEVEL_LENGTHS,
)
from hocket.parquet.kernels.language import (
    fill,
    helper,
    inlined,
    load_8,
    load_32,
    load_64,
    store_64,
)
from hocket.parquet.kernels.source.hybrid import (
    count_equal,
    decode_flags,
    decode_levels,
    decode_packed_levels,
    levels_are_constant,
)
from hocket.parquet.kernels.source.job import (
    DEFINITIONS,
    FLAGS_SCRATCH,
    HAS_VALID,
    KEEP_LEVELS,
    LEVELS,
    MAX_DEFINITION,
    MAX_REPETITION,
    PAGE_ROWS,
    REPETITIONS,
    SLOT_DEFINITION,
    SLOTS,
    VALID,
)
from hocket.parquet.kernels.source.pages import (
    DATA_PAGE_V2,
    DEFINITION_ENCODING,
    DEFINITION_NBYTES,
    END_ADDRESS,
    LEVELS_ADDRESS,
    REPETITION_ENCODING,
    REPETITION_NBYTES,
    TYPE,
    VALUES,
    VALUES_ADDRESS,
)
from hocket.parquet.kernels.source.slots import valid_of_levels

__all__ = ["read_levels"]

_RLE: Final = 3
_BIT_PACKED: Final = 4


@inlined
def _bit_width_of(maximum: int) -> int:
    width = 0
    while maximum >> width != 0:
        width += 1
    return width


@helper
def _bounds(source: int, end: int, encoding: int, bit_width: int, count: int) -> tuple[int, int]:
    """Return where levels of a page of version 1 begin, and where they end (negative: a fault)."""
    if encoding == _RLE:
        if end - source < 4:
            return source, -LEVEL_LENGTHS
        nbytes = load_32(source, 0)
        source += 4
        if nbytes > end - source:
            return source, -LEVEL_LENGTHS
        return source, source + nbytes
    if encoding == _BIT_PACKED:
        nbytes = (count * bit_width + 7) >> 3
        if nbytes > end - source:
            return source, -LEVEL_LENGTHS
        return source, source + nbytes
    return source, -ENCODING_UNFIT


@helper
def _decode(
    source: int, end: int, encoding: int, maximum: int, destination: int, count: int
) -> int:
    """Decode levels to bytes; return 0 or more, or a fault."""
    width = _bit_width_of(maximum)
    if encoding == _BIT_PACKED:
        return decode_packed_levels(source, end, width, destination, count, maximum)
    return decode_levels(source, end, width, destination, count, maximum)


@inlined
def _begin_flags(job: int, slots: int) -> None:
    """Have flags from now on: all slots so far hold a value."""
    if load_64(job, HAS_VALID * 8) == 0:
        valid = load_64(job, VALID * 8)
        if valid != 0:
            fill(valid, 1, slots)
        store_64(job, HAS_VALID * 8, 1)


@inlined
def _all_alike(job: int, slots: int, count: int, flag: int) -> None:
    """Note that all of a page's slots hold values, or that none does."""
    if flag == 0:
        _begin_flags(job, slots)
    if load_64(job, HAS_VALID * 8) != 0:
        valid = load_64(job, VALID * 8)
        if valid != 0:
            fill(valid + slots, flag, count)


@helper
def _flat_levels(
    job: int, source: int, end: int, encoding: int, count: int
) -> tuple[int, int, int]:
    """Read definition levels of a page without repetition, each of which has a slot.

    Return how many slots hold a value (negative: a fault), how many there are, and the address of
    their flags, if some do and some do not.
    """
    slots = load_64(job, SLOTS * 8)
    maximum = load_64(job, MAX_DEFINITION * 8)
    kept = load_64(job, DEFINITIONS * 8)
    if kept != 0:
        kept += load_64(job, LEVELS * 8)
    level = -1
    if encoding == _RLE:
        level = levels_are_constant(source, end, _bit_width_of(maximum), count)
    if level > maximum:
        return -LEVEL_ABOVE_MAXIMUM, 0, 0
    if level >= 0:
        if kept != 0:
            fill(kept, level, count)
        flag = 1 if level == maximum else 0
        _all_alike(job, slots, count, flag)
        return flag * count, count, 0
    flags = load_64(job, FLAGS_SCRATCH * 8)
    if load_64(job, VALID * 8) != 0:
        _begin_flags(job, slots)
        flags = load_64(job, VALID * 8) + slots
    if maximum == 1 and encoding == _RLE and kept == 0:
        answer, present = decode_flags(source, end, flags, count)
    else:
        levels = kept if kept != 0 else flags
        answer = _decode(source, end, encoding, maximum, levels, count)
        present = 0
        if answer >= 0:
            _, present = valid_of_levels(levels, count, 0, maximum, flags)
    if answer < 0:
        return answer, 0, 0
    return present, count, flags


@helper
def _nested_levels(
    job: int, source: int, end: int, encoding: int, count: int
) -> tuple[int, int, int]:
    """Read definition levels of a page with repetition, as `_flat_levels` does."""
    slots = load_64(job, SLOTS * 8)
    maximum = load_64(job, MAX_DEFINITION * 8)
    levels = load_64(job, DEFINITIONS * 8)
    if load_64(job, KEEP_LEVELS * 8) != 0:
        levels += load_64(job, LEVELS * 8)
    answer = _decode(source, end, encoding, maximum, levels, count)
    if answer < 0:
        return answer, 0, 0
    flags = load_64(job, FLAGS_SCRATCH * 8)
    if load_64(job, VALID * 8) != 0:
        _begin_flags(job, slots)
        flags = load_64(job, VALID * 8) + slots
    found, present = valid_of_levels(
        levels, count, load_64(job, SLOT_DEFINITION * 8), maximum, flags
    )
    return present, found, flags


@helper
def _read_repetitions(job: int, row: int, position: int, end: int) -> int:
    """Read a page's repetition levels; return the position behind them, or a fault."""
    count = load_64(row, VALUES * 8)
    maximum = load_64(job, MAX_REPETITION * 8)
    encoding = _RLE
    source = position
    if load_64(row, TYPE * 8) == DATA_PAGE_V2:
        after = position + load_64(row, REPETITION_NBYTES * 8)
    else:
        encoding = load_64(row, REPETITION_ENCODING * 8)
        source, after = _bounds(position, end, encoding, _bit_width_of(maximum), count)
        if after < 0:
            return after
    levels = load_64(job, REPETITIONS * 8)
    if load_64(job, KEEP_LEVELS * 8) != 0:
        levels += load_64(job, LEVELS * 8)
    answer = _decode(source, after, encoding, maximum, levels, count)
    if answer < 0:
        return answer
    if load_64(job, LEVELS * 8) == 0 and load_8(levels, 0) != 0:
        return -FIRST_REPETITION
    store_64(job, PAGE_ROWS * 8, count_equal(levels, count, 0))
    return after


@helper
def _read_definitions(job: int, row: int, position: int, end: int) -> tuple[int, int, int, int]:
    """Read a page's definition levels; return what `read_levels` does."""
    count = load_64(row, VALUES * 8)
    encoding = _RLE
    source = position
    if load_64(row, TYPE * 8) == DATA_PAGE_V2:
        after = position + load_64(row, DEFINITION_NBYTES * 8)
    else:
        encoding = load_64(row, DEFINITION_ENCODING * 8)
        width = _bit_width_of(load_64(job, MAX_DEFINITION * 8))
        source, after = _bounds(position, end, encoding, width, count)
        if after < 0:
            return after, 0, 0, 0
    slots = count
    if load_64(job, MAX_REPETITION * 8) > 0:
        present, slots, flags = _nested_levels(job, source, after, encoding, count)
    else:
        present, slots, flags = _flat_levels(job, source, after, encoding, count)
    return present, slots, flags, after


@helper
def read_levels(job: int, row: int) -> tuple[int, int, int, int]:
    """Read the levels of a data page that has values.

    Parameters
    ----------
    job
        What to decode, and how far that is.
    row
        The page's row in the table.

    Returns
    -------
    tuple of int
        How many slots hold a value (negative: a fault), how many there are, the address of the
        slots' flags (0 if all or none holds a value), and where values begin.
    """
    count = load_64(row, VALUES * 8)
    position = load_64(row, LEVELS_ADDRESS * 8)
    end = load_64(row, END_ADDRESS * 8)
    is_v2 = load_64(row, TYPE * 8) == DATA_PAGE_V2
    if is_v2:
        end = position + load_64(row, REPETITION_NBYTES * 8) + load_64(row, DEFINITION_NBYTES * 8)
    if load_64(job, MAX_REPETITION * 8) > 0:
        position = _read_repetitions(job, row, position, end)
        if position < 0:
            return position, 0, 0, 0
    else:
        store_64(job, PAGE_ROWS * 8, count)
        if is_v2:
            position += load_64(row, REPETITION_NBYTES * 8)
    present = count
    slots = count
    flags = 0
    if load_64(job, MAX_DEFINITION * 8) > 0:
        present, slots, flags, position = _read_definitions(job, row, position, end)
    else:
        _all_alike(job, load_64(job, SLOTS * 8), count, 1)
    if is_v2:
        position = load_64(row, VALUES_ADDRESS * 8)
    return present, slots, flags, position
