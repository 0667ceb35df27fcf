"""Which encodings there are for values of a type, and what encodes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.fixed import (
    encode_alp,
    encode_booleans_rle,
    encode_delta,
    encode_plain,
    encode_split,
)
from hocket.parquet.encode.strings import (
    encode_delta_lengths,
    encode_delta_strings,
    encode_plain_strings,
)
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.records import replace

__all__ = ["ENCODINGS", "code_width", "dictionary_entries", "encode_values"]

_Encoded = np.ndarray[Any, Any] | memoryview | bytes
_Encode = Callable[[DenseValues, int, int], _Encoded]

_NUMBER: Final = (Encoding.PLAIN, Encoding.DELTA_BINARY_PACKED, Encoding.BYTE_STREAM_SPLIT)
_FLOAT: Final = (Encoding.PLAIN, Encoding.BYTE_STREAM_SPLIT, Encoding.ALP)

#: What values of a type may be encoded as, dictionaries aside.
ENCODINGS: Final[dict[PhysicalType, tuple[Encoding, ...]]] = {
    PhysicalType.BOOLEAN: (Encoding.PLAIN, Encoding.RLE),
    PhysicalType.INT32: _NUMBER,
    PhysicalType.INT64: _NUMBER,
    PhysicalType.INT96: (Encoding.PLAIN,),
    PhysicalType.FLOAT: _FLOAT,
    PhysicalType.DOUBLE: _FLOAT,
    PhysicalType.BYTE_ARRAY: (
        Encoding.PLAIN,
        Encoding.DELTA_LENGTH_BYTE_ARRAY,
        Encoding.DELTA_BYTE_ARRAY,
    ),
    PhysicalType.FIXED_LEN_BYTE_ARRAY: (
        Encoding.PLAIN,
        Encoding.BYTE_STREAM_SPLIT,
        Encoding.DELTA_BYTE_ARRAY,
    ),
}

_ENCODE: Final[dict[Encoding, _Encode]] = {
    Encoding.DELTA_BINARY_PACKED: encode_delta,
    Encoding.BYTE_STREAM_SPLIT: encode_split,
    Encoding.ALP: encode_alp,
    Encoding.RLE: encode_booleans_rle,
    Encoding.DELTA_LENGTH_BYTE_ARRAY: encode_delta_lengths,
    Encoding.DELTA_BYTE_ARRAY: encode_delta_strings,
}


def encode_values(encoding: Encoding, values: DenseValues, start: int, stop: int) -> _Encoded:
    """Return values as a page has them.

    Parameters
    ----------
    encoding
        One of `ENCODINGS` of their type.
    values
        Without codes.
    start, stop
        Which of them.
    """
    if encoding is Encoding.PLAIN:
        encode = encode_plain if values.offsets is None else encode_plain_strings
        return encode(values, start, stop)
    return _ENCODE[encoding](values, start, stop)


def dictionary_entries(values: DenseValues) -> DenseValues:
    """Return the entries of a dictionary as values.

    Parameters
    ----------
    values
        Values with codes.
    """
    count = len(values.values) if values.offsets is None else len(values.offsets) - 1
    return replace(values, count=count, codes=None)


def code_width(values: DenseValues) -> int:
    """Return how many bits codes take: at least one, as no bits at all surprise some readers.

    Parameters
    ----------
    values
        Values with codes.
    """
    return max(1, (dictionary_entries(values).count - 1).bit_length())
