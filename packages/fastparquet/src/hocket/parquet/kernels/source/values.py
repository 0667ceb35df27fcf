"""Values of one page, dense, to items of fixed size: by encoding, and converted."""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.faults import (
    BIT_WIDTH,
    DICTIONARY_MISSING,
    ENCODING_UNFIT,
    ENCODING_UNKNOWN,
    NEEDLESS_LENGTHS,
    TRUNCATED,
)
from hocket.parquet.kernels.language import (
    helper,
    kernel,
    load_8,
    load_32,
    load_64,
)
from hocket.parquet.kernels.source.alp import decode_alp
from hocket.parquet.kernels.source.convert import convert
from hocket.parquet.kernels.source.delta import decode_delta_32, decode_delta_64
from hocket.parquet.kernels.source.delta_strings import decode_delta_fixed
from hocket.parquet.kernels.source.dictionary import decode_codes, gather
from hocket.parquet.kernels.source.job import (
    CONVERSION,
    DICTIONARY,
    DICTIONARY_COUNT,
    HAS_DICTIONARY,
    ITEM_SIZE,
    KEEP_CODES,
    LENGTHS_SCRATCH,
    PHYSICAL,
    VALUE_SIZE,
    VALUES_SCRATCH,
)
from hocket.parquet.kernels.source.plain import (
    decode_boolean_runs,
    decode_booleans,
    decode_fixed,
)
from hocket.parquet.kernels.source.split import decode_split

__all__ = [
    "ALP",
    "BYTE_STREAM_SPLIT",
    "DELTA_BINARY_PACKED",
    "DELTA_BYTE_ARRAY",
    "DELTA_LENGTH_BYTE_ARRAY",
    "PLAIN",
    "PLAIN_DICTIONARY",
    "RLE",
    "RLE_DICTIONARY",
    "bit_width_of_codes",
    "decode_plain",
    "decode_values",
]

#: Encodings, by the numbers of the format.
PLAIN: Final = 0
PLAIN_DICTIONARY: Final = 2
RLE: Final = 3
BIT_PACKED: Final = 4
DELTA_BINARY_PACKED: Final = 5
DELTA_LENGTH_BYTE_ARRAY: Final = 6
DELTA_BYTE_ARRAY: Final = 7
RLE_DICTIONARY: Final = 8
BYTE_STREAM_SPLIT: Final = 9
ALP: Final = 10

_BOOLEAN: Final = 0
_INT32: Final = 1
_INT64: Final = 2
_INT96: Final = 3
_FLOAT: Final = 4
_DOUBLE: Final = 5
_BYTE_ARRAY: Final = 6
_FIXED: Final = 7

_COPY: Final = 0


@helper
def _has_lengths(source: int, end: int, value_size: int, count: int) -> bool:
    """Tell whether values of fixed length have lengths before them: some writers put them there."""
    if count <= 0 or end - source != count * (value_size + 4):
        return False
    last = load_32(source, (count - 1) * (value_size + 4))
    return load_32(source, 0) == value_size and last == value_size


@kernel
def decode_plain(
    source: int,
    end: int,
    physical: int,
    value_size: int,
    conversion: int,
    destination: int,
    count: int,
) -> int:
    """Decode plain values of fixed width, or booleans, to converted items; return 0 or a fault."""
    if physical == _BOOLEAN:
        return min(decode_booleans(source, end, destination, count), 0)
    if physical == _BYTE_ARRAY:
        return -ENCODING_UNFIT
    if physical == _FIXED and _has_lengths(source, end, value_size, count):
        return -NEEDLESS_LENGTHS
    if conversion == _COPY:
        return min(decode_fixed(source, end, value_size, destination, count), 0)
    if count * value_size > end - source:
        return -TRUNCATED
    return convert(conversion, source, destination, count, value_size)


@helper
def bit_width_of_codes(job: int, source: int, end: int) -> int:
    """Return the bit width of dictionary codes, the first byte of the values, or a fault."""
    if load_64(job, HAS_DICTIONARY * 8) == 0:
        return -DICTIONARY_MISSING
    if source >= end:
        return -TRUNCATED
    bit_width = load_8(source, 0)
    if bit_width > 32:
        return -BIT_WIDTH
    return bit_width


@helper
def _decode_coded(job: int, source: int, end: int, destination: int, count: int) -> int:
    bit_width = bit_width_of_codes(job, source, end)
    if bit_width < 0:
        return bit_width
    many = load_64(job, DICTIONARY_COUNT * 8)
    if load_64(job, KEEP_CODES * 8) != 0:
        return min(decode_codes(source + 1, end, bit_width, destination, count, many), 0)
    dictionary = load_64(job, DICTIONARY * 8)
    item_size = load_64(job, ITEM_SIZE * 8)
    answer = gather(source + 1, end, bit_width, dictionary, many, item_size, destination, count)
    return min(answer, 0)


@helper
def _decode_stored(
    job: int, source: int, end: int, encoding: int, destination: int, count: int
) -> int:
    """Decode values of other encodings as the file stores them; return 0 or a fault."""
    physical = load_64(job, PHYSICAL * 8)
    size = load_64(job, VALUE_SIZE * 8)
    answer = -ENCODING_UNFIT
    if encoding == DELTA_BINARY_PACKED:
        if physical == _INT32:
            answer = decode_delta_32(source, end, destination, count)
        elif physical == _INT64:
            answer = decode_delta_64(source, end, destination, count)
    elif encoding == BYTE_STREAM_SPLIT:
        if physical != _INT96 and physical != _BOOLEAN:
            answer = decode_split(source, end, size, destination, count)
    elif encoding == DELTA_BYTE_ARRAY:
        if physical == _FIXED:
            lengths = load_64(job, LENGTHS_SCRATCH * 8)
            answer = decode_delta_fixed(source, end, count, size, destination, lengths)
    elif encoding == ALP:
        if physical == _FLOAT or physical == _DOUBLE:
            answer = decode_alp(source, end, size, destination, count)
    elif encoding > ALP or encoding == 1:
        answer = -ENCODING_UNKNOWN
    return min(answer, 0)


@helper
def decode_values(
    job: int, source: int, end: int, encoding: int, destination: int, count: int
) -> int:
    """Decode a page's values to items, without gaps.

    Parameters
    ----------
    job
        What they are, and what they become.
    source, end
        Where they lie.
    encoding
        How.
    destination
        Where `count` items go.
    count
        How many values there are; at least one.

    Returns
    -------
    int
        0, or a fault.
    """
    if encoding == RLE_DICTIONARY or encoding == PLAIN_DICTIONARY:
        return _decode_coded(job, source, end, destination, count)
    physical = load_64(job, PHYSICAL * 8)
    size = load_64(job, VALUE_SIZE * 8)
    conversion = load_64(job, CONVERSION * 8)
    if encoding == PLAIN:
        return decode_plain(source, end, physical, size, conversion, destination, count)
    if encoding == RLE and physical == _BOOLEAN:
        return min(decode_boolean_runs(source, end, destination, count), 0)
    if conversion == _COPY:
        return _decode_stored(job, source, end, encoding, destination, count)
    stored = load_64(job, VALUES_SCRATCH * 8)
    answer = _decode_stored(job, source, end, encoding, stored, count)
    if answer < 0:
        return answer
    return convert(conversion, stored, destination, count, size)
