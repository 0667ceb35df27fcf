"""Values of fixed size as pages store them: plain, as differences, in streams of bytes, as ALP.

All encoders are told values without codes, and which of them. What they return may be the memory
of the values themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.levels import encode_levels
from hocket.parquet.encode.room import encoded
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import alp_encoding, delta_encoding
from hocket.parquet.kernels.source.bit_packing import SPARE_NBYTES
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.logical import PhysicalType

__all__ = [
    "delta_of_integers",
    "encode_alp",
    "encode_booleans_rle",
    "encode_delta",
    "encode_plain",
    "encode_split",
]

_Array = np.ndarray[Any, Any]


def encode_plain(values: DenseValues, start: int, stop: int) -> _Array:
    """Return values as they stand, booleans as bits.

    Parameters
    ----------
    values
        Of any type but BYTE_ARRAY.
    start, stop
        Which of them.
    """
    some = values.values[start:stop]
    if values.node.physical is not PhysicalType.BOOLEAN:
        return some.view(np.uint8)
    bits = new_array((some.size + 7) >> 3, np.uint8)
    KERNEL.bitmap_of_bytes(address(some), some.size, address(bits))
    return bits


def encode_booleans_rle(values: DenseValues, start: int, stop: int) -> _Array:
    """Return booleans as runs and bit-packed groups, behind their length.

    Parameters
    ----------
    values
        Of type BOOLEAN.
    start, stop
        Which of them.
    """
    runs = encode_levels(values.values[start:stop].view(np.uint8), 1)
    length = np.array([runs.size], "<u4").view(np.uint8)
    return np.concatenate([length, runs])


def encode_delta(values: DenseValues, start: int, stop: int) -> _Array:
    """Return integers as differences, bit-packed.

    Parameters
    ----------
    values
        Of type INT32 or INT64.
    start, stop
        Which of them.
    """
    return delta_of_integers(values.values[start:stop])


def delta_of_integers(integers: _Array) -> _Array:
    """Return integers as differences, bit-packed.

    Parameters
    ----------
    integers
        int32 or int64, contiguous.
    """
    blocks = integers.size // delta_encoding.BLOCK_SIZE + 1
    each = delta_encoding.HEADER_NBYTES + delta_encoding.BLOCK_SIZE * integers.itemsize
    return encoded(
        "encode_delta",
        integers,
        integers.itemsize,
        integers.size,
        capacity=delta_encoding.HEADER_NBYTES + blocks * each + SPARE_NBYTES,
        scratch_nbytes=delta_encoding.SCRATCH_NBYTES,
    )


def encode_split(values: DenseValues, start: int, stop: int) -> _Array:
    """Return all first bytes of values, all second ones, and so on.

    Parameters
    ----------
    values
        Of any type of fixed size but BOOLEAN.
    start, stop
        Which of them.
    """
    some = values.values[start:stop]
    made = new_array(some.nbytes, np.uint8)
    KERNEL.encode_split(address(some), some.itemsize, some.size, address(made))
    return made


def encode_alp(values: DenseValues, start: int, stop: int) -> _Array:
    """Return floating-point numbers as decimal integers, with exceptions.

    Parameters
    ----------
    values
        Of type FLOAT or DOUBLE.
    start, stop
        Which of them.
    """
    some = values.values[start:stop]
    vectors = some.size // alp_encoding.VECTOR_SIZE + 1
    # Each number is packed, and may be an exception as well; before them stand offset and header.
    most = 32 * vectors + some.size * (2 * some.itemsize + 2)
    return encoded(
        "encode_alp",
        some,
        some.itemsize,
        some.size,
        capacity=alp_encoding.HEADER_NBYTES + most + SPARE_NBYTES,
        scratch_nbytes=alp_encoding.SCRATCH_NBYTES,
    )
