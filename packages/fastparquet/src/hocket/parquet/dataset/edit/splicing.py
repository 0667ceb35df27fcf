"""Row groups copied from file to file as they are, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from hocket.parquet.errors import UnsupportedFeature
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.source import Source
from hocket.parquet.metadata.bloom import parse_bloom_header
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.objects import bytes_of_object, object_of_bytes
from hocket.parquet.metadata.rewriting import trailer_of_footer

__all__ = ["check_plain", "copy_bytes", "copy_row_groups"]

_MAGIC: Final = b"PAR1"
_PIECE_NBYTES: Final = 8 << 20
_BLOOM_HEADER_NBYTES: Final = 64
#: By how much more than told the chunks of some old writers may be longer.
_UNDERSTATED_NBYTES: Final = 100


def check_plain(metadata: FileMetadata, file: str) -> None:
    """Refuse a file in which something is encrypted, which binds all parts to their places.

    Parameters
    ----------
    metadata
        Its footer.
    file
        Its name.
    """
    if metadata.encryption_algorithm_at is not None or bool((metadata.chunks.crypto_at >= 0).any()):
        raise UnsupportedFeature(
            "the file is encrypted, and parts of it cannot be taken over; read it and write it "
            "anew",
            file=file,
        )


def copy_bytes(source: Source, start: int, nbytes: int, sink: Sink) -> None:
    """Copy a range of a file, some megabytes at a time.

    Parameters
    ----------
    source
        The file.
    start, nbytes
        What of it.
    sink
        Where to.
    """
    for at in range(start, start + nbytes, _PIECE_NBYTES):
        sink.write([source.read(at, min(_PIECE_NBYTES, start + nbytes - at)).data])


def copy_row_groups(
    source: Source, metadata: FileMetadata, row_groups: Sequence[int], sink: Sink
) -> None:
    """Write a file that has some row groups of another and is like it in all else.

    Parameters
    ----------
    source
        The other file.
    metadata
        Its own footer.
    row_groups
        Which row groups, by their indices.
    sink
        Where to; to be committed.
    """
    check_plain(metadata, source.name)
    whole = metadata.to_thrift()
    whole.row_groups = [whole.row_groups[index] for index in row_groups]
    whole.num_rows = sum(group.num_rows for group in whole.row_groups)
    sink.write([_MAGIC])
    more = _UNDERSTATED_NBYTES if metadata.understates_chunks else 0
    shifts: list[tuple[Any, int]] = []
    for ordinal, group in enumerate(whole.row_groups):
        if group.ordinal is not None:
            group.ordinal = ordinal
        if group.file_offset is not None:
            group.file_offset = sink.position
        shifts += [(column, _copy_chunk(source, column, sink, more)) for column in group.columns]
    _copy_blooms(source, [column for column, _ in shifts], sink)
    _copy_column_indexes(source, [column for column, _ in shifts], sink)
    _copy_offset_indexes(source, shifts, sink)
    sink.write([trailer_of_footer(bytes_of_object(whole))])


def _copy_chunk(source: Source, column: Any, sink: Sink, more: int) -> int:
    """Copy a chunk, tell where it is now, and return how far it moved."""
    about = column.meta_data
    dictionary = about.dictionary_page_offset
    has_dictionary = dictionary is not None and 0 < dictionary < about.data_page_offset
    start = dictionary if has_dictionary else about.data_page_offset
    shift: int = sink.position - start
    nbytes = min(about.total_compressed_size + more, source.nbytes - start)
    source.check_range(start, nbytes)
    copy_bytes(source, start, nbytes, sink)
    about.data_page_offset += shift
    about.dictionary_page_offset = dictionary + shift if has_dictionary else None
    if about.index_page_offset is not None:
        about.index_page_offset += shift
    column.file_path = None
    # Where a copy of the metadata was once; nobody writes one now.
    column.file_offset = 0
    return shift


def _copy_blooms(source: Source, columns: Iterable[Any], sink: Sink) -> None:
    for column in columns:
        about = column.meta_data
        at = about.bloom_filter_offset
        if at is None:
            continue
        nbytes = about.bloom_filter_length
        if nbytes is None:
            head = source.read(at, min(_BLOOM_HEADER_NBYTES, source.nbytes - at))
            told = parse_bloom_header(head)
            nbytes = told.header_nbytes + told.bitset_nbytes
        about.bloom_filter_offset, about.bloom_filter_length = sink.position, nbytes
        copy_bytes(source, at, nbytes, sink)


def _copy_column_indexes(source: Source, columns: Iterable[Any], sink: Sink) -> None:
    for column in columns:
        at, nbytes = column.column_index_offset, column.column_index_length
        if at is not None and nbytes is not None:
            column.column_index_offset = sink.position
            copy_bytes(source, at, nbytes, sink)


def _copy_offset_indexes(source: Source, shifts: Iterable[tuple[Any, int]], sink: Sink) -> None:
    for column, raw in _moved_indexes(source, shifts):
        column.offset_index_offset, column.offset_index_length = sink.position, len(raw)
        sink.write([raw])


def _moved_indexes(
    source: Source, shifts: Iterable[tuple[Any, int]]
) -> Iterator[tuple[Any, bytes]]:
    for column, shift in shifts:
        at, nbytes = column.offset_index_offset, column.offset_index_length
        if at is None or nbytes is None:
            continue
        index = object_of_bytes("OffsetIndex", source.read(at, nbytes).tobytes())
        for place in index.page_locations:
            place.offset += shift
        yield column, bytes_of_object(index)
