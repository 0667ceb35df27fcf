"""Bloom filters of column chunks, made: split into blocks, with the header in front."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.strings import check_strings
from hocket.parquet.errors import InvalidOption
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.compact import varint
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["bloom_of", "can_have_bloom"]

_Array = np.ndarray[Any, Any]

_BLOCK_NBYTES: Final = 32
_NBYTES_MAX: Final = 128 << 20
#: Each value sets a bit in each of so many words of its block.
_LANES: Final = 8
# The header in the compact protocol: the size, then unions of algorithm, hash and compression, each
# set to its first member, a struct without fields.
_SIZE: Final = b"\x15"
_FIRST_OF_UNION: Final = b"\x1c\x1c\0\0"
_END: Final = b"\0"
#: Hashes are made for so many values at a time.
_HASHES: Final = 1 << 15


def can_have_bloom(node: SchemaNode) -> bool:
    """Tell whether there can be a Bloom filter of a column.

    Parameters
    ----------
    node
        The column.
    """
    return node.physical is not None and node.physical is not PhysicalType.BOOLEAN


def bloom_of(
    values: DenseValues, *, false_positive_rate: float, distinct_count: int | None
) -> bytes:
    """Return a Bloom filter in which all of some values are, its header first.

    Parameters
    ----------
    values
        The values. With codes, all entries are put in.
    false_positive_rate
        How many of the values that are not there may be taken for values that are: more than 0 and
        less than 1.
    distinct_count
        How many different values there are; None: not known. Then the filter is made for as many as
        there are values, and halved as long as it stays good enough.
    """
    if not 0 < false_positive_rate < 1:
        raise InvalidOption(
            f"a Bloom filter's rate of false positives is {false_positive_rate!r}; it has to be "
            "between 0 and 1, say 0.01"
        )
    if not can_have_bloom(values.node):
        raise InvalidOption(
            f"column {values.node.dotted!r} has booleans, of which there are no Bloom filters; "
            "leave it out"
        )
    entry_count = len(values.values if values.offsets is None else values.offsets[1:])
    expected = entry_count if distinct_count is None else min(distinct_count, entry_count)
    bits = np.zeros(_nbytes_for(expected, false_positive_rate), np.uint8)
    _insert(values, entry_count, bits)
    if distinct_count is None and values.codes is None:
        bits = _folded(bits, false_positive_rate)
    return _header(bits.nbytes) + bits.tobytes()


def _nbytes_for(count: int, rate: float) -> int:
    """Return the size of a filter for so many values: a power of two."""
    bits = -_LANES * count / math.log1p(-(rate ** (1 / _LANES)))
    nbytes = _BLOCK_NBYTES
    while nbytes * 8 < bits and nbytes < _NBYTES_MAX:
        nbytes *= 2
    return nbytes


def _insert(values: DenseValues, count: int, bits: _Array) -> None:
    data, offsets = values.values, values.offsets
    if offsets is not None:
        check_strings(offsets, data)
    hashes = new_array(min(count, _HASHES), np.uint64)
    at, width = address(data), data.itemsize
    for start in range(0, count, _HASHES):
        some = min(_HASHES, count - start)
        if offsets is None:
            KERNEL.hash_fixed(at + start * width, width, some, address(hashes))
        else:
            KERNEL.hash_bytes(at, address(offsets) + 8 * start, some, address(hashes))
        KERNEL.bloom_insert(address(bits), bits.nbytes, address(hashes), some)


def _folded(bits: _Array, rate: float) -> _Array:
    """Return a filter of the same values, as small as the rate allows.

    The upper bits of a hash choose the block, so that in a filter of half the size a block has what
    two neighbours have.
    """
    while bits.nbytes > _BLOCK_NBYTES:
        pairs = bits.view(np.uint64).reshape(-1, 2, _BLOCK_NBYTES // 8)
        halved = pairs[:, 0] | pairs[:, 1]
        # Whoever is not in there finds as many ones in each word as there are.
        ones = np.bitwise_count(halved.view(np.uint32)) / 32
        if float(np.prod(ones, axis=1).mean()) > rate:
            break
        bits = halved.view(np.uint8).reshape(-1)
    return bits


def _header(nbytes: int) -> bytes:
    return _SIZE + varint(nbytes << 1) + 3 * _FIRST_OF_UNION + _END
