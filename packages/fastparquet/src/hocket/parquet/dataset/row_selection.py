"""Which rows a read gives: filters tried on the columns that they name, before others are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from hocket.parquet.dataset.adapting import adapter_of
from hocket.parquet.dataset.binding import Alternatives, BoundFilter, ColumnTest, bind, columns_of
from hocket.parquet.dataset.chosen import Chosen, part_of_rows
from hocket.parquet.dataset.collection import Collection, RowGroupPlace
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.filters import parse_filters
from hocket.parquet.dataset.matching import match
from hocket.parquet.dataset.page_reading import Extent, extent_of, read_extents
from hocket.parquet.dataset.plan import Part
from hocket.parquet.dataset.pruning import judge, page_ranges
from hocket.parquet.dataset.quick_pruning import not_ruled_out
from hocket.parquet.dataset.receiving import ANYWHERE
from hocket.parquet.decode.chunk import decode_chunk
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.pages import Segments
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.selection import take_rows
from hocket.parquet.decode.small_chunks import decode_small_chunk
from hocket.parquet.decode.target import Target, coarser_targets
from hocket.parquet.errors import LimitExceeded, ValueOutOfRange
from hocket.parquet.options import ReadOptions, thread_count
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass

__all__ = ["choose_groups", "choose_rows"]

_Array = np.ndarray[Any, Any]


def choose_groups(collection: Collection, numbers: Sequence[int], filters: Any) -> list[int]:
    """Return the row groups in which a filter could hold for some row.

    Parameters
    ----------
    collection
        The files.
    numbers
        The row groups to choose from.
    filters
        As the user gave them.
    """
    bound = bind(collection, parse_filters(filters))
    return [
        number
        for number in not_ruled_out(collection, numbers, bound)
        if not judge(collection, collection.groups[number], bound).is_none
    ]


def choose_rows(
    collection: Collection, numbers: Sequence[int], filters: Any, options: ReadOptions
) -> Chosen:
    """Return the rows for which a filter holds.

    Parameters
    ----------
    collection, numbers, filters
        As with `choose_groups`.
    options
        How to read.
    """
    bound = bind(collection, parse_filters(filters))
    numbers = not_ruled_out(collection, numbers, bound)
    found: list[_Found | None] = [None] * len(numbers)

    def chooser(at: int) -> Callable[[], None]:
        place = collection.groups[numbers[at]]
        return partial(_choose, collection, place, bound, options, found, at)

    threads = thread_count(options.threads)
    run_tasks([chooser(at) for at in range(len(numbers))], threads)
    chosen = Chosen([])
    for each in found:
        if each is not None and each.part.count:
            number = len(chosen.parts)
            chosen.parts.append(each.part)
            chosen.kept.update({(number, leaf): data for leaf, data in each.columns.items()})
    return chosen


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows of one row group, and the columns that were decoded to find them."""

    part: Part
    columns: dict[int, ColumnData]


def _choose(
    collection: Collection,
    place: RowGroupPlace,
    filters: BoundFilter,
    options: ReadOptions,
    found: list[_Found | None],
    at: int,
) -> None:
    verdict = judge(collection, place, filters)
    if verdict.alternatives is None:
        return
    file = collection.files[place.file]
    count = int(file.metadata.row_group_rows[place.index])
    if verdict.is_all:
        found[at] = _Found(Part(place, count), {})
        return
    decoding = DecodeOptions.of(options)
    search = _Search(file, place.index, decoding)
    ranges = page_ranges(file, place.index, verdict.alternatives)
    if ranges is not None:
        if 8 * ranges.count > decoding.limit_nbytes:
            raise LimitExceeded(
                f"{ranges.count:,} rows are to be looked at, of which the numbers alone take "
                f"{8 * ranges.count:,} bytes, and the limit is {decoding.limit_nbytes:,}: raise "
                "memory_limit",
                file=file.label,
                row_group=place.index,
            )
        search.rows = ranges.rows()
    search.narrow(verdict.alternatives)
    part = Part(place, count) if search.rows is None else part_of_rows(place, search.rows, count)
    found[at] = _Found(part, search.columns)


class _Search:
    """Narrows the rows of a row group, decoding of each column only what is still in question."""

    def __init__(self, file: DataFile, row_group: int, options: DecodeOptions) -> None:
        self._file = file
        self._row_group = row_group
        self._options = options
        #: Which rows are in question; None for all.
        self.rows: _Array | None = None
        #: These rows of each column that was decoded.
        self.columns: dict[int, ColumnData] = {}

    def narrow(self, alternatives: Alternatives) -> None:
        """Keep the rows for which one of the alternatives holds."""
        if len(alternatives) == 1:
            for test in columns_of(alternatives):
                if self.rows is not None and not len(self.rows):
                    return
                same = [
                    each
                    for each in alternatives[0]
                    if each.leaf.column_index == test.leaf.column_index
                ]
                column = self._decoded(test)
                masks = [match(each.predicate, column) for each in same]
                self._keep(np.logical_and.reduce(masks))
            return
        for test in columns_of(alternatives):
            self._decoded(test)
        masks = [
            np.logical_and.reduce(
                [match(each.predicate, self.columns[each.leaf.column_index]) for each in every]
            )
            for every in alternatives
        ]
        self._keep(np.logical_or.reduce(masks))

    def _decoded(self, test: ColumnTest) -> ColumnData:
        leaf = self._file.leaf(test.leaf.column_index)
        assert leaf is not None  # of what is not there, the answer was known before
        place = self._file.chunk(self._row_group, leaf)
        extent = extent_of(self._file, place, self.rows)
        pieces = read_extents(self._file.source, [extent])[0]
        adapter = adapter_of(self._file, test.leaf)
        targets = [test.target, *coarser_targets(test.leaf, test.target)]
        for target in targets:
            try:
                if adapter is None:
                    column = self._decode(place, extent, pieces, target)
                else:
                    column = adapter.decode(
                        target,
                        ANYWHERE,
                        lambda own, _: self._decode(place, extent, pieces, own),
                    )
                break
            except ValueOutOfRange:
                if target is targets[-1]:
                    raise
        # The leaf that the dataset knows it by; in this file it may have another number.
        column.leaf = test.leaf
        self.columns[test.leaf.column_index] = column
        return column

    def _decode(
        self,
        place: ChunkPlace,
        extent: Extent,
        pieces: Segments,
        target: Target,
    ) -> ColumnData:
        if len(pieces) == 1 and pieces[0][0] == place.start and len(pieces[0][1]) == place.nbytes:
            column = decode_small_chunk(
                place, pieces[0][1], target, self.rows, options=self._options
            )
            if column is not None:
                return column
        return decode_chunk(place, pieces, target, options=self._options, pages=extent.selection)

    def _keep(self, mask: _Array) -> None:
        positions = np.flatnonzero(mask)
        if len(positions) == len(mask):
            return
        self.rows = positions if self.rows is None else self.rows[positions]
        for leaf, column in self.columns.items():
            self.columns[leaf] = take_rows(column, positions, None, None)
