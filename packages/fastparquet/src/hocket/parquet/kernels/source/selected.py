"""Some rows of many column chunks in one call: of each page only what is wanted is decoded.

As with `small_chunks`, what is not plain or not sound is answered by a fault, and read again in the
usual way.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    COUNT_MISMATCH,
    DICTIONARY_INDEX,
    NO_SPACE,
    PAGE_TYPE,
    TRUNCATED,
)
from hocket.parquet.kernels.language import (
    helper,
    kernel,
    load_8,
    load_64,
    shift_right,
    store_8,
    store_32,
    store_64,
)
from hocket.parquet.kernels.source.convert import convert
from hocket.parquet.kernels.source.dictionary import put_item
from hocket.parquet.kernels.source.hybrid import (
    read_run,
    repeated_value,
    run_end,
    values_of_run,
)
from hocket.parquet.kernels.source.job import (
    CONVERSION,
    DICTIONARY,
    DICTIONARY_COUNT,
    HAS_VALID,
    ITEM_SIZE,
    KEEP_CODES,
    NULL_BITS,
    PHYSICAL,
    VALID,
    VALUE_SIZE,
)
from hocket.parquet.kernels.source.page_levels import read_levels
from hocket.parquet.kernels.source.pages import (
    DATA_PAGE,
    DATA_PAGE_V2,
    DICTIONARY_PAGE,
    ENCODING,
    END_ADDRESS,
    FIRST_VALUE,
    PAGE_COLUMNS,
    TYPE,
    VALUES,
)
from hocket.parquet.kernels.source.slots import fill_nulls
from hocket.parquet.kernels.source.small_chunk_table import (
    CHUNK_COLUMNS,
    CHUNK_DESTINATION,
    CHUNK_RESULT,
    CHUNK_ROW_COUNT,
    CHUNK_ROWS,
    CHUNK_VALID,
    WORK_JOB,
    WORK_PAGE_ITEMS,
    WORK_PAGE_ITEMS_CAPACITY,
    WORK_PAGES,
    WORK_PLACES,
)
from hocket.parquet.kernels.source.small_chunks import (
    place_page,
    prepare_job,
    read_dictionary,
    scan_small_chunk,
)
from hocket.parquet.kernels.source.values import (
    DELTA_BYTE_ARRAY,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE_DICTIONARY,
    bit_width_of_codes,
    decode_values,
)

__all__ = ["decode_selected_chunks"]

_CHUNK_NBYTES: Final = CHUNK_COLUMNS * 8
_ROW_NBYTES: Final = PAGE_COLUMNS * 8
_BOOLEAN: Final = 0
_COPY: Final = 0
#: Where one value of so many is wanted, or more, all of the page are decoded.
_DENSE: Final = 4


@helper
def _find_places(flags: int, rows: int, count: int, first: int, present: int, places: int) -> int:
    """Write which of a page's values each row has, -1 for null; return how many nulls there are.

    Parameters
    ----------
    flags
        A byte for each slot; 0 if all slots, or none, hold a value.
    rows, count
        The wanted rows, all of this page.
    first
        The first row of the page.
    present
        How many of its slots hold a value.
    places
        The result, 8 bytes each.
    """
    nulls = 0
    seen = 0
    last = 0
    for index in range(count):
        slot = load_64(rows, index * 8) - first
        place = slot
        if present == 0:
            place = -1
        elif flags != 0:
            for at in range(last, slot):
                seen += load_8(flags, at)
            last = slot
            place = seen
            if load_8(flags, slot) == 0:
                place = -1
        if place < 0:
            nulls += 1
        store_64(places, index * 8, place)
    return nulls


@helper
def _pick_coded(
    job: int, source: int, end: int, places: int, count: int, present: int, to: int
) -> int:
    """Fetch items of the dictionary by codes that are read one by one; return 0 or a fault."""
    bit_width = bit_width_of_codes(job, source, end)
    if bit_width < 0:
        return bit_width
    limit = load_64(job, DICTIONARY_COUNT * 8)
    dictionary = load_64(job, DICTIONARY * 8)
    item_size = load_64(job, ITEM_SIZE * 8)
    keeps_codes = load_64(job, KEEP_CODES * 8)
    mask = (1 << bit_width) - 1
    position = source + 1
    first = 0
    stop = 0
    header = 0
    codes = position
    for index in range(count):
        place = load_64(places, index * 8)
        if place < 0:
            continue
        code = 0
        if bit_width > 0:
            while place >= stop:
                first = stop
                header, position = read_run(position, end)
                if position < 0:
                    return position
                many = min(values_of_run(header), present - first)
                codes = position
                position = run_end(position, end, bit_width, header, many)
                if position < 0:
                    return position
                stop = first + many
            if header & 1:
                bit = (place - first) * bit_width
                code = shift_right(load_64(codes, bit >> 3), bit & 7) & mask
            else:
                code = repeated_value(codes, bit_width)
        if code >= limit:
            return -DICTIONARY_INDEX
        if keeps_codes != 0:
            store_32(to, index * 4, code)
        else:
            put_item(to, index * item_size, dictionary, code, item_size)
    return 0


@helper
def _pick_plain(job: int, source: int, end: int, places: int, count: int, to: int) -> int:
    """Fetch plain values one by one; return 0 or a fault."""
    item_size = load_64(job, ITEM_SIZE * 8)
    size = load_64(job, VALUE_SIZE * 8)
    conversion = load_64(job, CONVERSION * 8)
    is_boolean = load_64(job, PHYSICAL * 8) == _BOOLEAN
    for index in range(count):
        place = load_64(places, index * 8)
        if place < 0:
            continue
        if is_boolean:
            if place >= (end - source) * 8:
                return -TRUNCATED
            store_8(to, index, (load_8(source, place >> 3) >> (place & 7)) & 1)
        else:
            if (place + 1) * size > end - source:
                return -TRUNCATED
            if conversion == _COPY:
                put_item(to, index * item_size, source, place, item_size)
            else:
                at = source + place * size
                answer = convert(conversion, at, to + index * item_size, 1, size)
                if answer < 0:
                    return answer
    return 0


@helper
def _pick_decoded(
    job: int, row: int, source: int, work: int, count: int, present: int, to: int
) -> int:
    """Decode all values of a page and fetch some; return 0 or a fault."""
    item_size = load_64(job, ITEM_SIZE * 8)
    if present > load_64(work, WORK_PAGE_ITEMS_CAPACITY * 8) // item_size:
        return -NO_SPACE
    items = load_64(work, WORK_PAGE_ITEMS * 8)
    end = load_64(row, END_ADDRESS * 8)
    answer = decode_values(job, source, end, load_64(row, ENCODING * 8), items, present)
    if answer < 0:
        return answer
    places = load_64(work, WORK_PLACES * 8)
    for index in range(count):
        place = load_64(places, index * 8)
        if place >= 0:
            put_item(to, index * item_size, items, place, item_size)
    return 0


@helper
def _put_nulls(job: int, places: int, count: int, to: int, valid: int) -> int:
    """Make the slots of nulls, and flags if they are wanted; return 0."""
    item_size = load_64(job, ITEM_SIZE * 8)
    null_bits = load_64(job, NULL_BITS * 8)
    for index in range(count):
        is_present = 1
        if load_64(places, index * 8) < 0:
            is_present = 0
            fill_nulls(to + index * item_size, item_size, 1, null_bits)
        if valid != 0:
            store_8(valid, index, is_present)
    return 0


@helper
def _decode_selected_page(
    job: int, row: int, work: int, rows: int, count: int, to: int, valid: int
) -> int:
    """Decode some rows of a page; return how many nulls are among them, or a fault."""
    present, _, flags, source = read_levels(job, row)
    if present < 0:
        return present
    places = load_64(work, WORK_PLACES * 8)
    first = load_64(row, FIRST_VALUE * 8)
    nulls = _find_places(flags, rows, count, first, present, places)
    if nulls < count:
        encoding = load_64(row, ENCODING * 8)
        end = load_64(row, END_ADDRESS * 8)
        is_dense = count * _DENSE >= present
        is_coded = encoding == RLE_DICTIONARY or encoding == PLAIN_DICTIONARY
        if not is_coded and load_64(job, KEEP_CODES * 8) != 0:
            return -NO_SPACE
        if encoding == PLAIN:
            answer = _pick_plain(job, source, end, places, count, to)
        elif is_coded and not is_dense:
            answer = _pick_coded(job, source, end, places, count, present, to)
        else:
            answer = _pick_decoded(job, row, source, work, count, present, to)
        if answer < 0:
            return answer
    _put_nulls(job, places, count, to, valid)
    return nulls


@helper
def _decode_selected_chunk(chunk: int, work: int) -> int:
    """Decode the wanted rows of a chunk; return how many nulls are among them, or a fault."""
    pages = scan_small_chunk(chunk, work)
    if pages < 0:
        return pages
    job = load_64(work, WORK_JOB * 8)
    prepare_job(job, chunk, work)
    # Flags are written by row, not by slot of a page.
    store_64(job, VALID * 8, 0)
    store_64(job, HAS_VALID * 8, 0)
    table = load_64(work, WORK_PAGES * 8)
    rows = load_64(chunk, CHUNK_ROWS * 8)
    wanted = load_64(chunk, CHUNK_ROW_COUNT * 8)
    to = load_64(chunk, CHUNK_DESTINATION * 8)
    valid = load_64(chunk, CHUNK_VALID * 8)
    item_size = load_64(job, ITEM_SIZE * 8)
    done = 0
    nulls = 0
    # Room behind the dictionary, of which codes tell.
    used = 0
    for page in range(pages):
        row = table + page * _ROW_NBYTES
        kind = load_64(row, TYPE * 8)
        if kind == DICTIONARY_PAGE:
            if page > 0:
                return -PAGE_TYPE
            used = place_page(row, chunk, work, 0)
            if used < 0:
                return used
            answer = read_dictionary(job, chunk, row, work)
            if answer < 0:
                return answer
        elif kind == DATA_PAGE or kind == DATA_PAGE_V2:
            begin = load_64(row, FIRST_VALUE * 8)
            stop = begin + load_64(row, VALUES * 8)
            here = done
            least = begin
            while done < wanted and load_64(rows, done * 8) < stop:
                if load_64(rows, done * 8) < least:
                    return -COUNT_MISMATCH
                least = load_64(rows, done * 8) + 1
                done += 1
            if done > here:
                if load_64(row, ENCODING * 8) == DELTA_BYTE_ARRAY:
                    return -NO_SPACE
                answer = place_page(row, chunk, work, used)
                if answer < 0:
                    return answer
                flags = 0
                if valid != 0:
                    flags = valid + here
                answer = _decode_selected_page(
                    job, row, work, rows + here * 8, done - here, to + here * item_size, flags
                )
                if answer < 0:
                    return answer
                nulls += answer
    if done != wanted:
        return -COUNT_MISMATCH
    return nulls


@kernel
def decode_selected_chunks(chunks: int, count: int, work: int) -> int:
    """Decode some rows of chunks; what came of each is written into its row.

    Parameters
    ----------
    chunks, count, work
        As for `decode_small_chunks`; the wanted rows of each chunk have to be in order.

    Returns
    -------
    int
        0.
    """
    for index in range(count):
        chunk = chunks + index * _CHUNK_NBYTES
        store_64(chunk, CHUNK_RESULT * 8, _decode_selected_chunk(chunk, work))
    return 0
