"""The footer of a file that was written: row groups, column chunks, key-value metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from hocket.parquet.encode.written_chunk import ValueBounds, WrittenChunk
from hocket.parquet.metadata.compact import (
    StructWriter,
    binaries,
    integers,
    structs,
)
from hocket.parquet.metadata.sorting import SortingColumn
from hocket.parquet.records import dataclass, field

__all__ = [
    "ChunkRecord",
    "GroupRecord",
    "chunk_metadata",
    "created_by",
    "file_metadata",
    "key_values",
]

_I32: Final = 5
#: All columns have the order of their types.
_TYPE_ORDER: Final = StructWriter().struct(1, StructWriter().finish()).finish()
_LARGEST_ORDINAL: Final = 0x7FFF


@dataclass(slots=True)
class ChunkRecord:
    """A column chunk, as the footer will tell of it.

    Parameters
    ----------
    metadata
        The struct ColumnMetaData.
    offset_index, column_index
        Structs that are still to be written.
    offset_index_place, column_index_place
        Where they were written: offset and size.
    crypto, encrypted_metadata
        How it is encrypted; with a key of its own, `metadata` is what all may know.
    """

    metadata: bytes | None
    offset_index: bytes | None = None
    column_index: bytes | None = None
    offset_index_place: tuple[int, int] | None = None
    column_index_place: tuple[int, int] | None = None
    crypto: bytes | None = None
    encrypted_metadata: bytes | None = None

    def serialised(self) -> bytes:
        """Return the struct ColumnChunk."""
        made = StructWriter().i64(2, 0).struct(3, self.metadata)
        for number, place in ((4, self.offset_index_place), (6, self.column_index_place)):
            if place is not None:
                made.i64(number, place[0]).i32(number + 1, place[1])
        return made.struct(8, self.crypto).binary(9, self.encrypted_metadata).finish()


@dataclass(slots=True)
class GroupRecord:
    """A row group, as the footer will tell of it.

    Parameters
    ----------
    offset
        Where it begins in the file.
    row_count
        How many rows it has.
    plain_nbytes, nbytes
        Sizes of all pages with their headers, without compression and as they are.
    chunks
        Its columns.
    sorting
        By what it is sorted.
    """

    offset: int
    row_count: int
    plain_nbytes: int = 0
    nbytes: int = 0
    chunks: list[ChunkRecord] = field(default_factory=list)
    sorting: Sequence[SortingColumn] = ()

    def serialised(self, ordinal: int) -> bytes:
        """Return the struct RowGroup.

        Parameters
        ----------
        ordinal
            Its number in the file.
        """
        sorting = [
            StructWriter()
            .i32(1, each.column)
            .boolean(2, each.descending)
            .boolean(3, each.nulls_first)
            .finish()
            for each in self.sorting
        ]
        return (
            StructWriter()
            .listed(1, structs([each.serialised() for each in self.chunks]))
            .i64(2, self.plain_nbytes)
            .i64(3, self.row_count)
            .listed(4, structs(sorting) if sorting else None)
            .i64(5, self.offset)
            .i64(6, self.nbytes)
            .i16(7, ordinal if ordinal <= _LARGEST_ORDINAL else None)
            .finish()
        )


def chunk_metadata(
    chunk: WrittenChunk, offset: int, bloom_place: tuple[int, int] | None, *, has_statistics: bool
) -> bytes:
    """Return the struct ColumnMetaData of a chunk.

    Parameters
    ----------
    chunk
        The chunk.
    offset
        Where it begins in the file.
    bloom_place
        Offset and size of its Bloom filter.
    has_statistics
        Whether bounds and counts are told.
    """
    node = chunk.node
    first_data_page = offset + chunk.dictionary_nbytes
    counts = [
        StructWriter().i32(1, kind).i32(2, encoding).i32(3, count).finish()
        for (kind, encoding), count in chunk.page_counts.items()
    ]
    assert node.physical is not None
    made = (
        StructWriter()
        .i32(1, int(node.physical))
        .listed(2, integers(chunk.encodings, kind=_I32))
        .listed(3, binaries([name.encode() for name in node.path]))
        .i32(4, chunk.codec)
        .i64(5, chunk.entry_count)
        .i64(6, chunk.uncompressed_nbytes)
        .i64(7, chunk.compressed_nbytes)
        .i64(9, first_data_page)
        .i64(11, offset if chunk.dictionary_nbytes else None)
    )
    if has_statistics:
        made.struct(12, _statistics(chunk.bounds, chunk.null_count, chunk.distinct_count))
    made.listed(13, structs(counts) if counts else None)
    if bloom_place is not None:
        made.i64(14, bloom_place[0]).i32(15, bloom_place[1])
    if has_statistics:
        made.struct(16, _size_statistics(chunk)).struct(17, _geospatial_statistics(chunk))
    return made.finish()


def _statistics(bounds: ValueBounds, null_count: int, distinct_count: int | None) -> bytes:
    made = StructWriter().i64(3, null_count).i64(4, distinct_count)
    made.binary(5, bounds.maximum).binary(6, bounds.minimum)
    if bounds.maximum is not None:
        made.boolean(7, bounds.is_maximum_exact)
    if bounds.minimum is not None:
        made.boolean(8, bounds.is_minimum_exact)
    return made.i64(9, bounds.nan_count).finish()


def _size_statistics(chunk: WrittenChunk) -> bytes | None:
    node, levels = chunk.node, chunk.histograms
    made = StructWriter().i64(1, chunk.unencoded_nbytes)
    has_levels = bool(chunk.pages) and (node.max_definition > 1 or node.max_repetition > 0)
    if has_levels:
        # Flat columns' are told by the counts of rows and nulls.
        made.listed(2, integers(levels.repetition) if levels.repetition else None)
        made.listed(3, integers(levels.definition) if levels.definition else None)
    return made.finish() if has_levels or chunk.unencoded_nbytes is not None else None


def _geospatial_statistics(chunk: WrittenChunk) -> bytes | None:
    if chunk.bounding_box is None:
        return None
    axes, kinds = chunk.bounding_box
    box = StructWriter()
    for number, axis in enumerate(axes):
        if axis is not None:
            box.double(2 * number + 1, axis[0]).double(2 * number + 2, axis[1])
    has_box = all(axis is not None for axis in axes[:2])
    return (
        StructWriter()
        .struct(1, box.finish() if has_box else None)
        .listed(2, integers(kinds, kind=_I32) if kinds else None)
        .finish()
    )


def key_values(pairs: Mapping[str, str | bytes]) -> bytes:
    """Return key-value metadata as the list that the footer has.

    Parameters
    ----------
    pairs
        Strings by name; bytes are strings of some other encoding.
    """
    return structs(
        [
            StructWriter()
            .text(1, key)
            .binary(2, value.encode() if isinstance(value, str) else value)
            .finish()
            for key, value in pairs.items()
        ]
    )


def created_by() -> str:
    """Return what a file says of the program that wrote it."""
    try:
        number = version("hocket-parquet")
    except PackageNotFoundError:
        number = "unknown"
    return f"hocket-parquet version {number}"


def file_metadata(
    elements: Sequence[bytes],
    groups: Sequence[GroupRecord],
    pairs: Mapping[str, str | bytes],
    *,
    column_count: int,
    first_ordinal: int = 0,
    algorithm: bytes | None = None,
    signing_key_metadata: bytes | None = None,
) -> bytes:
    """Return the struct FileMetaData.

    Parameters
    ----------
    elements
        Those of the schema.
    groups
        All row groups.
    pairs
        Key-value metadata.
    column_count
        How many leaves the schema has.
    first_ordinal
        The number of the first row group in the file: how many others are before it.
    algorithm, signing_key_metadata
        Of a plain footer of an encrypted file.
    """
    return (
        StructWriter()
        .i32(1, 2)
        .listed(2, structs(elements))
        .i64(3, sum(group.row_count for group in groups))
        .listed(4, structs([each.serialised(at) for at, each in enumerate(groups, first_ordinal)]))
        .listed(5, key_values(pairs) if pairs else None)
        .text(6, created_by())
        .listed(7, structs([_TYPE_ORDER] * column_count))
        .struct(8, algorithm)
        .binary(9, signing_key_metadata)
        .finish()
    )
