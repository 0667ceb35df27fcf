"""Reads everything in files, and keeps each error in place of stopping at the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.values import ValueReader
from hocket.parquet.cli.verified_indexes import IndexChecks
from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.pages import PageTable, Segments, scan_chunk
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.target import Conversion, Target, natural_target
from hocket.parquet.errors import CorruptFile, ParquetError, ValueOutOfRange
from hocket.parquet.kernels.library import expect
from hocket.parquet.kernels.source import pages as layout
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode
from hocket.parquet.nesting.assembly import assemble_field, needs_levels
from hocket.parquet.nesting.fields import Field, FieldKind, fields_of
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass, field, fields, replace

__all__ = ["Advance", "Begin", "Totals", "Verification"]

#: INT96 holds times that nanoseconds cannot; these units are tried one after the other.
_COARSER: Final = (
    Conversion.INT96_TO_MICROS,
    Conversion.INT96_TO_MILLIS,
    Conversion.INT96_TO_SECONDS,
)
_DATA: Final = (layout.DATA_PAGE, layout.DATA_PAGE_V2)

#: Called with how many bytes of column chunks are done.
Advance = Callable[[int], None]
#: Called with how many bytes there are to do; returns what is told how many are done.
Begin = Callable[[int], Advance]


@dataclass(slots=True)
class Totals:
    """How much was read without an error, or at least begun with.

    Parameters
    ----------
    files, row_groups, rows
        Those of footers that could be read.
    chunks, nbytes
        Column chunks that were looked into, and their bytes.
    pages, checksums
        Pages, and how many of them have a checksum.
    indexes, bloom_filters
        Column and offset indexes, and Bloom filters.
    """

    files: int = 0
    row_groups: int = 0
    rows: int = 0
    chunks: int = 0
    nbytes: int = 0
    pages: int = 0
    checksums: int = 0
    indexes: int = 0
    bloom_filters: int = 0

    def add(self, other: Totals) -> None:
        """Add what another part of the work came to."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Verification:
    """What was found so far.

    Parameters
    ----------
    threads
        How many chunks may be decoded at once.
    limit_nbytes
        The most memory that one array may take.
    choose_leaves
        Which leaves of a file to look into.
    row_group
        The only row group of each file to look into; None for all.
    """

    threads: int
    limit_nbytes: int
    choose_leaves: Callable[[DataFile], Sequence[SchemaNode]]
    row_group: int | None = None
    #: Every place that is damaged.
    faults: list[ParquetError] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, name: str, place: Any, opener: Opener) -> DataFile | None:
        """Open a file; if its footer is no good, keep the error and return None."""
        try:
            return read_file(name, place, opener)
        except ParquetError as error:
            self.faults.append(error.located(file=name or str(place)))
        return None

    def check(self, file: DataFile, begin: Begin) -> None:
        """Look into everything that a file says and has."""
        metadata = file.metadata
        groups = self._groups(file)
        with self.guarded(file=file.label):
            _check_footer(file)
        self.totals.add(
            Totals(
                files=1,
                row_groups=len(groups),
                rows=int(metadata.row_group_rows[list(groups)].sum()),
            )
        )
        wanted = {leaf.column_index for leaf in self.choose_leaves(file)}
        columns = [each for each in fields_of(metadata.schema) if _leaves(each, wanted)]
        own = [leaf.column_index for leaf in metadata.schema.leaves if leaf.column_index in wanted]
        sizes = metadata.chunks.compressed_nbytes[list(groups)][:, own].clip(0)
        advance = begin(int(sizes.sum()))
        tasks = [
            partial(self._check_field, file, row_group, column, wanted, advance)
            for row_group in groups
            for column in columns
        ]
        expect(int(sizes.sum()))
        first = len(self.faults)
        run_tasks(tasks, self.threads)
        order = {leaf.dotted: leaf.column_index for leaf in metadata.schema.leaves}

        def place(error: ParquetError) -> tuple[int, int, int]:
            group = -1 if error.row_group is None else error.row_group
            offset = -1 if error.offset is None else error.offset
            return group, order.get(error.column or "", -1), offset

        self.faults[first:] = sorted(self.faults[first:], key=place)

    def _groups(self, file: DataFile) -> Sequence[int]:
        everything = range(file.metadata.row_group_count)
        if self.row_group is None:
            return everything
        return [self.row_group] if self.row_group in everything else []

    @contextmanager
    def guarded(self, **places: Any) -> Iterator[None]:
        """Keep the error of what is done within, located at places."""
        try:
            yield
        except ParquetError as error:
            with self._lock:
                self.faults.append(error.located(**places))

    # ---------------------------------------------------------------------------- one column

    def _check_field(
        self, file: DataFile, row_group: int, column: Field, wanted: set[int], advance: Advance
    ) -> None:
        """Read a field of a row group leaf by leaf, and see whether these fit together."""
        metadata = file.metadata
        totals = Totals()
        decoded: dict[int, ColumnData] = {}
        reader = ValueReader(column) if _has_variant(column) else None
        targets = reader.targets if reader else [_target(leaf) for leaf in column.leaves]
        with_levels = needs_levels(column)
        for leaf, target in zip(column.leaves, targets, strict=True):
            if leaf.column_index not in wanted:
                continue
            nbytes = max(int(metadata.chunks.compressed_nbytes[row_group, leaf.column_index]), 0)
            places = {"file": file.label, "row_group": row_group, "column": leaf.dotted}
            with self.guarded(**places):
                found = self._check_chunk(
                    file, row_group, leaf, target, totals, with_levels=with_levels
                )
                decoded[leaf.column_index] = found
            advance(nbytes)
        if column.kind is not FieldKind.LEAF and len(decoded) == len(column.leaves):
            rows = int(metadata.row_group_rows[row_group])
            name = column.node.dotted
            with self.guarded(file=file.label, row_group=row_group, column=name):
                if reader is not None:
                    reader.read([decoded[leaf.column_index] for leaf in column.leaves], rows)
                else:
                    assemble_field(column, decoded, rows, wide_offsets=True)
        with self._lock:
            self.totals.add(totals)

    def _check_chunk(
        self,
        file: DataFile,
        row_group: int,
        leaf: SchemaNode,
        target: Target,
        totals: Totals,
        *,
        with_levels: bool,
    ) -> ColumnData:
        places = {"file": file.label, "row_group": row_group, "column": leaf.dotted}
        place = file.chunk(row_group, leaf)
        raw = file.source.read(place.start, place.nbytes)
        totals.chunks += 1
        totals.nbytes += place.nbytes
        segments: Segments = [(place.start, raw)]
        table = scan_chunk(place, segments)
        totals.pages += len(table)
        totals.checksums += int((table.rows[:, layout.CRC] >= 0).sum())
        indexes = IndexChecks(file, row_group, leaf, _data_pages(table))
        for check in indexes.checks:
            with self.guarded(**places):
                check()
        totals.indexes += indexes.count
        totals.bloom_filters += indexes.bloom_count
        options = DecodeOptions(limit_nbytes=self.limit_nbytes)
        column = _decoded(place, segments, target, options, with_levels=with_levels)
        with self.guarded(**places):
            _check_statistics(file, row_group, leaf, column)
        return column


def _decoded(
    place: ChunkPlace,
    segments: Segments,
    target: Target,
    options: DecodeOptions,
    *,
    with_levels: bool,
) -> ColumnData:
    units = _COARSER if place.leaf.physical is PhysicalType.INT96 else ()
    for unit in units:
        try:
            return decode_chunk(place, segments, target, options=options, with_levels=with_levels)
        except ValueOutOfRange:
            target = replace(target, conversion=unit)
    return decode_chunk(place, segments, target, options=options, with_levels=with_levels)


def _target(leaf: SchemaNode) -> Target:
    """Return what a leaf is decoded to: codes do for strings, each of which is then seen once."""
    target = natural_target(leaf)
    return target if target.item_size else replace(target, keep_dictionary=True)


def _leaves(column: Field, wanted: set[int]) -> list[SchemaNode]:
    return [leaf for leaf in column.leaves if leaf.column_index in wanted]


def _has_variant(column: Field) -> bool:
    return column.kind is FieldKind.VARIANT or any(map(_has_variant, column.children))


def _data_pages(table: PageTable) -> np.ndarray[Any, Any]:
    return table.rows[np.isin(table.rows[:, layout.TYPE], _DATA)]


def _check_footer(file: DataFile) -> None:
    """Read what is only read when it is asked for."""
    metadata = file.metadata
    _ = metadata.key_value, metadata.created_by, metadata.column_orders
    told, counted = metadata.num_rows, int(metadata.row_group_rows.sum())
    # Some writers leave 0 there.
    if told not in (0, counted):
        raise CorruptFile(
            f"the footer says that there are {told:,} rows, and its row groups have {counted:,}"
        )
    for row_group in range(metadata.row_group_count):
        for each in metadata.sorting_columns(row_group):
            if not 0 <= each.column < metadata.column_count:
                raise CorruptFile(
                    f"it is sorted by column {each.column}, and there are {metadata.column_count}",
                    row_group=row_group,
                )


def _check_statistics(file: DataFile, row_group: int, leaf: SchemaNode, column: ColumnData) -> None:
    """Read all statistics of a chunk, and compare the number of nulls with those that are there."""
    metadata, at = file.metadata, leaf.column_index
    statistics = metadata.statistics(row_group, at)
    metadata.size_statistics(row_group, at)
    metadata.geospatial_statistics(row_group, at)
    metadata.chunk_key_value(row_group, at)
    if statistics is None or statistics.null_count is None or leaf.max_repetition:
        return
    if statistics.null_count != column.null_count:
        raise CorruptFile(
            f"the statistics say that there are {statistics.null_count:,} nulls, and there are "
            f"{column.null_count:,}: filters that trust them lose rows"
        )
