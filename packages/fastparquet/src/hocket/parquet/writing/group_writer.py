"""One row group of a file: its columns are encoded at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from hocket.parquet.arrays.leaf_entries import LeafEntries
from hocket.parquet.arrays.sizes import nbytes_of
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.crypto.modules import Module
from hocket.parquet.crypto.sealing import ColumnSealer, FileSealer
from hocket.parquet.encode.choice import LearnedChoice
from hocket.parquet.encode.chunk import encode_chunk
from hocket.parquet.encode.column import counted_from
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.encode.written_chunk import WrittenChunk
from hocket.parquet.errors import ParquetError
from hocket.parquet.io.buffers import padded_copy
from hocket.parquet.io.sink import Sink
from hocket.parquet.metadata.bloom import parse_bloom_header
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.nesting.shredding import shred
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass
from hocket.parquet.writing.footer import ChunkRecord, GroupRecord, chunk_metadata
from hocket.parquet.writing.page_indexes import column_index, offset_index
from hocket.parquet.writing.row_groups import Rows

__all__ = ["FilePlan", "GroupWriter"]

#: Less than this is encoded by one thread: others would wait for the interpreter most of the time.
_SHARED_NBYTES: Final = 32 << 10

#: As much as holds any header of a Bloom filter.
_BLOOM_HEADER_NBYTES: Final = 64


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What is decided before the first row is written.

    Parameters
    ----------
    fields
        The columns.
    schema
        What readers will see.
    options
        How each leaf is encoded.
    learned
        What is learnt of each leaf on the way.
    threads
        How many may encode at once.
    sealer
        What encrypts the file.
    indexes_single_pages
        Whether there is a page index where no column has several pages.
    """

    fields: tuple[WriteField, ...]
    schema: Schema
    options: list[ChunkOptions]
    learned: list[LearnedChoice]
    threads: int
    sealer: FileSealer | None = None
    indexes_single_pages: bool = False


class GroupWriter:
    """One row group: columns on threads, written in their order as they become ready.

    Parameters
    ----------
    plan
        That of the file.
    sink
        Where bytes go.
    record
        What the footer will tell of it, filled here.
    group
        Its rows.
    """

    def __init__(
        self, plan: FilePlan, sink: Sink, record: GroupRecord, group: list[Rows], number: int
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._record = record
        self._group = group
        self._number = number
        leaves = plan.schema.leaves
        self._ready: list[WrittenChunk | None] = [None] * len(leaves)
        self._next = 0
        self._lock = threading.Lock()
        #: Whether a column has several pages.
        self._has_pages = False
        #: Those that may be told of by a page index, and where they begin.
        self._indexed: list[tuple[ChunkRecord, WrittenChunk, int, ColumnSealer | None]] = []

    def run(self) -> None:
        """Encode and write all columns."""
        threads = self._plan.threads
        shredding: list[Callable[[], None]] = []
        encoding: list[tuple[int, int, Callable[[int], None]]] = []
        column = 0
        for number, (field, node) in enumerate(
            zip(self._plan.fields, self._plan.schema.fields, strict=True)
        ):
            nbytes = sum(nbytes_of(rows.arrays[number]) for rows in self._group)
            if field.kind is WriteKind.LEAF:
                encoding.append((nbytes, column, partial(self._encode_flat, number, column)))
                column += 1
                continue
            count = len(self._plan.schema.leaves_under(node))
            parts: list[list[LeafEntries]] = [[] for _ in range(count)]
            shredding.append(partial(self._shred, number, parts))
            for place in range(count):
                task = partial(self._encode, parts[place], column + place)
                encoding.append((nbytes // count, column + place, task))
            column += count
        run_tasks(shredding, threads)
        if threads > 1:
            # The largest first, so that none is left alone at the end.
            encoding.sort(key=lambda each: (-each[0], each[1]))
        # What one thread would still be at when the others have done all else is done by all.
        share = sum(nbytes for nbytes, _, _ in encoding) // threads
        large = [each for each in encoding if each[0] >= _SHARED_NBYTES]
        run_tasks(
            [partial(task, threads if nbytes > share else 1) for nbytes, _, task in large], threads
        )
        run_tasks([partial(task, 1) for nbytes, _, task in encoding if nbytes < _SHARED_NBYTES], 1)
        self._write_ready()
        if self._has_pages or self._plan.indexes_single_pages:
            for record, chunk, offset, sealer in self._indexed:
                record.offset_index = offset_index(chunk, offset)
                record.column_index = column_index(chunk)
                if sealer is not None:
                    _seal_indexes(record, sealer)

    def _shred(self, number: int, parts: list[list[LeafEntries]]) -> None:
        field, node = self._plan.fields[number], self._plan.schema.fields[number]
        first = 0
        for rows in self._group:
            try:
                leaves = shred(field, node, rows.arrays[number])
            except ParquetError as error:
                raise counted_from(error, first) from error.__cause__
            for kept, entries in zip(parts, leaves, strict=True):
                kept.append(entries)
            first += rows.count

    def _encode_flat(self, number: int, column: int, threads: int) -> None:
        parts: list[list[LeafEntries]] = [[]]
        self._shred(number, parts)
        self._encode(parts[0], column, threads)

    def _encode(self, parts: list[LeafEntries], column: int, threads: int) -> None:
        plan = self._plan
        try:
            chunk = encode_chunk(
                parts,
                plan.options[column],
                plan.learned[column],
                self._sealer_of(column),
                threads=threads,
            )
        except ParquetError as error:
            name = plan.schema.leaves[column].dotted
            raise error.located(column=name) from error.__cause__
        parts.clear()
        self._ready[column] = chunk
        # Whoever is writing already will see this one too.
        if self._lock.acquire(blocking=False):
            try:
                self._write_ready()
            finally:
                self._lock.release()

    def _write_ready(self) -> None:
        while self._next < len(self._ready):
            chunk = self._ready[self._next]
            if chunk is None:
                return
            self._place(chunk, self._next)
            self._ready[self._next] = None
            self._next += 1

    def _sealer_of(self, column: int) -> ColumnSealer | None:
        sealer = self._plan.sealer
        return None if sealer is None else sealer.column(self._number, column)

    def _place(self, chunk: WrittenChunk, column: int) -> None:
        sink, record = self._sink, self._record
        options = self._plan.options[column]
        sealer = self._sealer_of(column)
        offset = sink.position
        sink.write(chunk.parts)
        chunk.parts.clear()
        bloom = None
        if chunk.bloom is not None:
            raw = chunk.bloom if sealer is None else _sealed_bloom(sealer, chunk.bloom)
            bloom = sink.position, len(raw)
            sink.write([raw])
            chunk.bloom = None
        made = ChunkRecord(
            chunk_metadata(chunk, offset, bloom, has_statistics=options.has_statistics)
        )
        if options.has_page_index:
            self._indexed.append((made, chunk, offset, sealer))
        if sealer is not None:
            self._seal(made, sealer, chunk, offset, column)
        record.chunks.append(made)
        self._has_pages |= len(chunk.pages) > 1
        record.plain_nbytes += chunk.uncompressed_nbytes
        record.nbytes += chunk.compressed_nbytes

    def _seal(
        self,
        made: ChunkRecord,
        sealer: ColumnSealer,
        chunk: WrittenChunk,
        offset: int,
        column: int,
    ) -> None:
        file = self._plan.sealer
        assert file is not None
        made.crypto = file.column_crypto(column)
        if file.hides_metadata(column):
            made.encrypted_metadata = sealer.seal(Module.COLUMN_METADATA, made.metadata)
            made.metadata = None
            if not file.encrypts_footer:
                # What readers without keys need to pass over the column, and no more.
                made.metadata = chunk_metadata(chunk, offset, None, has_statistics=False)


def _seal_indexes(made: ChunkRecord, sealer: ColumnSealer) -> None:
    if made.offset_index is not None:
        made.offset_index = sealer.seal(Module.OFFSET_INDEX, made.offset_index)
    if made.column_index is not None:
        made.column_index = sealer.seal(Module.COLUMN_INDEX, made.column_index)


def _sealed_bloom(sealer: ColumnSealer, bloom: bytes) -> bytes:
    """Return a Bloom filter as two modules."""
    end = parse_bloom_header(padded_copy(bloom[:_BLOOM_HEADER_NBYTES])).header_nbytes
    header = sealer.seal(Module.BLOOM_FILTER_HEADER, bloom[:end])
    return header + sealer.seal(Module.BLOOM_FILTER_BITSET, bloom[end:])
