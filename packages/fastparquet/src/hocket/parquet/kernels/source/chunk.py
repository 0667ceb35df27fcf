"""Pages of a column chunk, several in one call: levels, values, and room for nulls."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import ENCODING_UNFIT, ENCODING_UNKNOWN, NO_SPACE, PLACE
from hocket.parquet.kernels.language import helper, inlined, kernel, load_64, store_64
from hocket.parquet.kernels.source.delta_strings import (
    decode_delta_length_strings,
    decode_delta_strings,
    measure_delta_strings,
)
from hocket.parquet.kernels.source.dictionary import decode_codes
from hocket.parquet.kernels.source.job import (
    CHECK_UTF8,
    DATA,
    DATA_CAPACITY,
    DATA_NBYTES,
    DATA_WANTED,
    DESTINATION,
    DICTIONARY,
    DICTIONARY_COUNT,
    DICTIONARY_DATA,
    ITEM_SIZE,
    LEVELS,
    NEXT_PAGE,
    NULL_BITS,
    PAGE_ROWS,
    PAGE_STOP,
    PAGE_TABLE,
    PRESENT,
    ROWS_FOUND,
    SLOTS,
    VALUES_SCRATCH,
)
from hocket.parquet.kernels.source.page_levels import read_levels
from hocket.parquet.kernels.source.pages import (
    DATA_PAGE,
    DATA_PAGE_V2,
    ENCODING,
    END_ADDRESS,
    PAGE_COLUMNS,
    TYPE,
    VALUES,
)
from hocket.parquet.kernels.source.slots import fill_nulls, spread_items, spread_offsets
from hocket.parquet.kernels.source.strings import (
    decode_byte_arrays,
    gather_strings,
    total_of_codes,
)
from hocket.parquet.kernels.source.text import check_texts
from hocket.parquet.kernels.source.values import (
    ALP,
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH_BYTE_ARRAY,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE_DICTIONARY,
    bit_width_of_codes,
    decode_values,
)

__all__ = ["decode_fixed_pages", "decode_string_pages"]

_ROW_NBYTES: Final = PAGE_COLUMNS * 8


@inlined
def _has_values(row: int) -> bool:
    kind = load_64(row, TYPE * 8)
    if kind != DATA_PAGE and kind != DATA_PAGE_V2:
        return False
    return load_64(row, VALUES * 8) > 0


@inlined
def _advance(job: int, row: int, slots: int, present: int) -> None:
    store_64(job, SLOTS * 8, load_64(job, SLOTS * 8) + slots)
    store_64(job, PRESENT * 8, load_64(job, PRESENT * 8) + present)
    store_64(job, ROWS_FOUND * 8, load_64(job, ROWS_FOUND * 8) + load_64(job, PAGE_ROWS * 8))
    store_64(job, LEVELS * 8, load_64(job, LEVELS * 8) + load_64(row, VALUES * 8))


@helper
def _fixed_page(job: int, row: int) -> int:
    """Decode one page to items of fixed size; return 0 or a fault."""
    present, slots, flags, source = read_levels(job, row)
    if present < 0:
        return present
    item_size = load_64(job, ITEM_SIZE * 8)
    to = load_64(job, DESTINATION * 8) + load_64(job, SLOTS * 8) * item_size
    if present > 0:
        end = load_64(row, END_ADDRESS * 8)
        answer = decode_values(job, source, end, load_64(row, ENCODING * 8), to, present)
        if answer < 0:
            return answer
    if present < slots:
        null_bits = load_64(job, NULL_BITS * 8)
        if present == 0:
            fill_nulls(to, item_size, slots, null_bits)
        else:
            spread_items(to, item_size, flags, slots, present, null_bits)
    _advance(job, row, slots, present)
    return 0


@kernel
def decode_fixed_pages(job: int) -> int:
    """Decode pages to items of fixed size, or to codes.

    Parameters
    ----------
    job
        Address of the numbers that `hocket.parquet.kernels.source.job` names.

    Returns
    -------
    int
        0, or a fault with the page's number in the table.
    """
    page = load_64(job, NEXT_PAGE * 8)
    stop = load_64(job, PAGE_STOP * 8)
    table = load_64(job, PAGE_TABLE * 8)
    while page < stop:
        row = table + page * _ROW_NBYTES
        if _has_values(row):
            answer = _fixed_page(job, row)
            if answer < 0:
                return answer - page * PLACE
        page += 1
        store_64(job, NEXT_PAGE * 8, page)
    return 0


# ---------------------------------------------------------------------------------- byte strings


@inlined
def _no_space(job: int, wanted: int) -> int:
    store_64(job, DATA_WANTED * 8, wanted)
    return -NO_SPACE


@helper
def _coded_strings(job: int, source: int, end: int, offsets: int, count: int) -> int:
    """Decode codes and fetch their byte strings; return 0 or a fault."""
    bit_width = bit_width_of_codes(job, source, end)
    if bit_width < 0:
        return bit_width
    codes = load_64(job, VALUES_SCRATCH * 8)
    many = load_64(job, DICTIONARY_COUNT * 8)
    answer = decode_codes(source + 1, end, bit_width, codes, count, many)
    if answer < 0:
        return answer
    dictionary = load_64(job, DICTIONARY * 8)
    total = total_of_codes(codes, count, dictionary, many)
    if total < 0:
        return total
    begin = load_64(job, DATA_NBYTES * 8)
    if begin + total > load_64(job, DATA_CAPACITY * 8):
        return _no_space(job, begin + total)
    data = load_64(job, DATA * 8)
    bytes_of_dictionary = load_64(job, DICTIONARY_DATA * 8)
    gather_strings(codes, count, dictionary, bytes_of_dictionary, offsets, data, begin)
    return 0


@helper
def _decode_strings(
    job: int, source: int, end: int, encoding: int, offsets: int, count: int
) -> int:
    """Decode a page's byte strings, without gaps; return 0 or a fault."""
    if encoding == RLE_DICTIONARY or encoding == PLAIN_DICTIONARY:
        return _coded_strings(job, source, end, offsets, count)
    data = load_64(job, DATA * 8)
    begin = load_64(job, DATA_NBYTES * 8)
    capacity = load_64(job, DATA_CAPACITY * 8)
    answer = -ENCODING_UNFIT
    wanted = begin + end - source
    if encoding == PLAIN:
        answer = decode_byte_arrays(source, end, count, offsets, data, begin, capacity)
    elif encoding == DELTA_LENGTH_BYTE_ARRAY:
        answer = decode_delta_length_strings(source, end, count, offsets, data, begin, capacity)
    elif encoding == DELTA_BYTE_ARRAY:
        answer = decode_delta_strings(source, end, count, offsets, data, begin, capacity)
        if answer == -NO_SPACE:
            total = measure_delta_strings(source, end, count, offsets)
            if total < 0:
                return total
            wanted = begin + total
    elif encoding > ALP or encoding == 1:
        answer = -ENCODING_UNKNOWN
    if answer == -NO_SPACE:
        return _no_space(job, wanted)
    if answer >= 0 and load_64(job, CHECK_UTF8 * 8) != 0:
        answer = check_texts(offsets, count, data)
    return min(answer, 0)


@helper
def _string_page(job: int, row: int) -> int:
    """Decode one page to offsets and bytes; return 0 or a fault."""
    found = load_64(job, SLOTS * 8)
    present, slots, flags, source = read_levels(job, row)
    if present < 0:
        return present
    offsets = load_64(job, DESTINATION * 8) + found * 8
    if present > 0:
        end = load_64(row, END_ADDRESS * 8)
        answer = _decode_strings(job, source, end, load_64(row, ENCODING * 8), offsets, present)
        if answer < 0:
            return answer
        store_64(job, DATA_NBYTES * 8, load_64(offsets, present * 8))
    if present < slots:
        if present == 0:
            fill_nulls(offsets, 8, slots + 1, load_64(job, DATA_NBYTES * 8))
        else:
            spread_offsets(offsets, flags, slots, present)
    _advance(job, row, slots, present)
    return 0


@kernel
def decode_string_pages(job: int) -> int:
    """Decode pages to byte strings: offsets and bytes.

    Parameters
    ----------
    job
        As for `decode_fixed_pages`; `DESTINATION` is where the offset of the first slot goes.

    Returns
    -------
    int
        0, or a fault with the page's number in the table. After ``-NO_SPACE`` the call is made
        again with more space.
    """
    page = load_64(job, NEXT_PAGE * 8)
    stop = load_64(job, PAGE_STOP * 8)
    table = load_64(job, PAGE_TABLE * 8)
    while page < stop:
        row = table + page * _ROW_NBYTES
        if _has_values(row):
            answer = _string_page(job, row)
            if answer < 0:
                return answer - page * PLACE
        page += 1
        store_64(job, NEXT_PAGE * 8, page)
    return 0
