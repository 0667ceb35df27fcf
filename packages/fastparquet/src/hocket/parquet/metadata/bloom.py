"""Bloom filters of column chunks: whether a value may be there."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.scanning import Fields, padded, read_struct
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.values import plain_bytes_of_value
from hocket.parquet.records import dataclass

__all__ = ["BloomFilter", "BloomHeader", "hash_of_bytes", "hash_of_value", "parse_bloom_header"]

_BLOCK_NBYTES: Final = 32
_FLOATS: Final = {PhysicalType.FLOAT, PhysicalType.DOUBLE}
#: Larger filters than the format's largest make no sense.
_NBYTES_MAX: Final = 128 << 20


@dataclass(frozen=True, slots=True)
class BloomHeader:
    """What stands before the bits of a Bloom filter.

    Parameters
    ----------
    header_nbytes
        Size of the header.
    bitset_nbytes
        Size of the bits that follow.
    """

    header_nbytes: int
    bitset_nbytes: int


def parse_bloom_header(data: np.ndarray[Any, Any]) -> BloomHeader:
    """Return what the header of a Bloom filter says.

    Parameters
    ----------
    data
        Bytes that begin with the struct BloomFilterHeader, padded; 64 of them hold any header.
    """
    fields, end = read_struct(data, 0, 5, "BloomFilterHeader")
    nbytes = fields.required(1)
    for field, what in ((2, "algorithm"), (3, "hash"), (4, "compression")):
        if _member(data, fields, field) != 1:
            raise UnsupportedFeature(f"the Bloom filter has an unknown {what}")
    if nbytes <= 0 or nbytes % _BLOCK_NBYTES or nbytes > _NBYTES_MAX:
        raise CorruptFile(f"a Bloom filter has {nbytes} bytes, not a multiple of 32 up to 128 MiB")
    return BloomHeader(end, nbytes)


def _member(data: np.ndarray[Any, Any], fields: Fields, field: int) -> int:
    """Return which member of a union is set, of those known here; 0 for others."""
    at = fields.struct_at(field)
    if at is None:
        raise fields.missing(field)
    union, _ = read_struct(data, at, 2, "a union of BloomFilterHeader")
    return 1 if union.has(1) else 0


class BloomFilter:
    """The bits of a Bloom filter.

    Parameters
    ----------
    bitset
        The bytes that follow the header: exactly as many as the header says.
    """

    def __init__(self, bitset: np.ndarray[Any, Any]) -> None:
        if len(bitset) == 0 or len(bitset) % _BLOCK_NBYTES:
            raise CorruptFile(f"a Bloom filter has {len(bitset)} bytes, not a multiple of 32")
        self._bitset = np.ascontiguousarray(bitset)

    def might_contain(self, hash_value: int) -> bool:
        """Tell whether a value may be there; if not, then it is not there for sure.

        Parameters
        ----------
        hash_value
            XXH64 of its bytes, as `hash_of_value` tells.
        """
        hashes = np.array([hash_value], dtype=np.uint64)
        found = KERNEL.bloom_contains(address(self._bitset), len(self._bitset), address(hashes), 1)
        return found == 1

    def might_contain_value(self, node: SchemaNode, value: Any) -> bool:
        """Tell whether a value may be in a column; True also where that cannot be told.

        Parameters
        ----------
        node
            The column that the filter belongs to.
        value
            The value, in terms of Python, NumPy or pandas.
        """
        if node.physical in _FLOATS and _is_zero(value):
            # Two zeros are equal, and have different bytes.
            return any(self.might_contain(hash_of_bytes(raw)) for raw in _zeros(node))
        found = hash_of_value(node, value)
        return found is None or self.might_contain(found)


def hash_of_bytes(raw: bytes) -> int:
    """Return XXH64 of bytes, with the seed 0."""
    source = padded(raw)
    offsets = np.array([0, len(raw)], dtype=np.int64)
    hashes = np.zeros(1, dtype=np.uint64)
    KERNEL.hash_bytes(address(source), address(offsets), 1, address(hashes))
    return int(hashes[0])


def hash_of_value(node: SchemaNode, value: Any) -> int | None:
    """Return the hash that Bloom filters of a column have of a value.

    None if that is not for sure: the value is none of the column's, or its bytes may be others.

    Parameters
    ----------
    node
        The column.
    value
        The value, in terms of Python, NumPy or pandas.
    """
    if node.physical in _FLOATS and _is_zero(value):
        return None
    raw = plain_bytes_of_value(node, value)
    return None if raw is None else hash_of_bytes(raw)


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(value == 0)


def _zeros(node: SchemaNode) -> tuple[bytes, bytes]:
    width = 4 if node.physical is PhysicalType.FLOAT else 8
    return bytes(width), bytes(width - 1) + b"\x80"
