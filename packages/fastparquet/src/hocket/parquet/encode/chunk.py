"""A column chunk: what a leaf has in a row group, encoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import DenseValues, LeafEntries
from hocket.parquet.encode.bloom import bloom_of
from hocket.parquet.encode.bounds import bounds_of, cut_bounds, merge_bounds
from hocket.parquet.encode.choice import EncodingChoice, LearnedChoice, choose_encoding
from hocket.parquet.encode.column import ColumnEntries, join_entries
from hocket.parquet.encode.encoders import dictionary_entries, encode_values
from hocket.parquet.encode.geometry import bounding_box_of
from hocket.parquet.encode.levels import histogram_of_levels
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.encode.page_cuts import PageCut, cut_pages
from hocket.parquet.encode.page_headers import DATA_PAGE, DATA_PAGE_V2, DICTIONARY_PAGE
from hocket.parquet.encode.pages import Page, PageMaker, Sealer
from hocket.parquet.encode.written_chunk import (
    LevelHistograms,
    PageSummary,
    ValueBounds,
    WrittenChunk,
)
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.pool import run_tasks

__all__ = ["encode_chunk"]

#: Bounds of strings are cut to so many bytes in the column index, and in the chunk's statistics.
_INDEX_NBYTES: Final = 64
_STATISTICS_NBYTES: Final = 1024


def encode_chunk(
    parts: Sequence[LeafEntries],
    options: ChunkOptions,
    learned: LearnedChoice | None = None,
    seal: Sealer | None = None,
    threads: int = 1,
) -> WrittenChunk:
    """Encode one chunk.

    Parameters
    ----------
    parts
        What the batches of a row group have of the leaf, in their order.
    options
        How to encode it.
    learned
        What is known of the column from chunks before, and is learnt from this one.
    seal
        What encrypts pages.
    threads
        How many may make pages at once.
    """
    column = join_entries(parts)
    came_coded = column.values.codes is not None
    choice = choose_encoding(column.values, options, learned)
    column = ColumnEntries(
        column.row_count,
        column.entry_count,
        column.definition,
        column.repetition,
        choice.values,
    )
    maker = PageMaker(column, choice.encoding, choice.level, options, seal)
    cuts: list[PageCut] = []
    if column.row_count:
        cuts = cut_pages(column, page_nbytes=options.page_nbytes, page_rows=options.page_rows)
    dictionary = _dictionary_page(maker, choice) if column.values.codes is not None else None
    return _described(
        column,
        dictionary,
        _data_pages(maker, cuts, threads),
        maker.encoding,
        cuts,
        options,
        came_coded=came_coded,
    )


def _dictionary_page(maker: PageMaker, choice: EncodingChoice) -> Page:
    plain = choice.dictionary_plain
    if plain is None:
        entries = dictionary_entries(choice.values)
        plain = encode_values(Encoding.PLAIN, entries, 0, entries.count)
    return maker.dictionary(plain, choice.dictionary_compressed)


def _data_pages(maker: PageMaker, cuts: list[PageCut], threads: int) -> list[Page]:
    if threads == 1 or len(cuts) < 2:
        return [maker.page(cut, number) for number, cut in enumerate(cuts)]
    made: dict[int, Page] = {}

    def make(number: int) -> None:
        made[number] = maker.page(cuts[number], number)

    run_tasks([partial(make, number) for number in range(len(cuts))], threads)
    return [made[number] for number in range(len(cuts))]


def _described(
    column: ColumnEntries,
    dictionary: Page | None,
    data: list[Page],
    encoding: Encoding,
    cuts: list[PageCut],
    options: ChunkOptions,
    *,
    came_coded: bool,
) -> WrittenChunk:
    """Return the chunk with all that is known of it."""
    values, node = column.values, column.values.node
    has_levels = node.max_definition + node.max_repetition > 0
    encodings = {int(encoding)} if cuts else set()
    if has_levels:
        encodings.add(int(Encoding.RLE))
    page_counts: dict[tuple[int, int], int] = {}
    if dictionary is not None:
        encodings.add(int(Encoding.PLAIN))
        page_counts[DICTIONARY_PAGE, int(Encoding.PLAIN)] = 1
    if cuts:
        kind = DATA_PAGE if options.page_version == 1 else DATA_PAGE_V2
        page_counts[kind, int(encoding)] = len(cuts)
    written = data if dictionary is None else [dictionary, *data]
    places = list(accumulate((page.nbytes for page in written), initial=0))
    first = len(written) - len(data)
    pages, bounds = _summaries(
        column,
        list(zip(places[first:], (page.nbytes for page in data), strict=False)),
        cuts,
        options,
    )
    # Dictionaries that came with the values may have more entries than there are values of.
    is_counted = dictionary is not None and _has_equality(node) and not came_coded
    return WrittenChunk(
        node=node,
        parts=[part for page in written for part in (page.header, page.body)],
        codec=options.codec,
        encodings=tuple(sorted(encodings)),
        page_counts=page_counts,
        entry_count=column.entry_count,
        null_count=column.entry_count - values.count,
        uncompressed_nbytes=sum(len(page.header) + page.plain_nbytes for page in written),
        compressed_nbytes=places[-1],
        dictionary_nbytes=0 if dictionary is None else dictionary.nbytes,
        pages=pages,
        bounds=bounds,
        distinct_count=dictionary_entries(values).count if is_counted else None,
        histograms=_sum_of([each.histograms for each in pages]),
        unencoded_nbytes=_sum([each.unencoded_nbytes for each in pages]),
        bloom=_bloom(values, options),
        bounding_box=bounding_box_of(values) if options.has_statistics else None,
    )


def _has_equality(node: SchemaNode) -> bool:
    """Whether values that differ in their bits differ."""
    return (
        node.physical not in {PhysicalType.FLOAT, PhysicalType.DOUBLE}
        and node.logical.kind is not LogicalKind.FLOAT16
    )


def _bloom(values: DenseValues, options: ChunkOptions) -> bytes | None:
    if options.bloom_rate is None or not values.count:
        return None
    return bloom_of(
        values,
        false_positive_rate=options.bloom_rate,
        distinct_count=options.bloom_distinct,
    )


# --------------------------------------------------------------------------------- statistics


def _summaries(
    column: ColumnEntries,
    places: list[tuple[int, int]],
    cuts: list[PageCut],
    options: ChunkOptions,
) -> tuple[list[PageSummary], ValueBounds]:
    """Return what is known of each page, and the bounds of all."""
    values, node = column.values, column.values.node
    sizes = _unencoded(values, cuts)
    made, whole = [], []
    for number, (cut, (offset, nbytes)) in enumerate(zip(cuts, places, strict=True)):
        bounds = ValueBounds()
        if options.has_page_index:
            bounds = bounds_of(values, cut.first_value, cut.stop_value, most_nbytes=None)
            whole.append(bounds)
            bounds = cut_bounds(node, bounds, _INDEX_NBYTES)
        entry_count = cut.stop_entry - cut.first_entry
        value_count = cut.stop_value - cut.first_value
        made.append(
            PageSummary(
                offset=offset,
                nbytes=nbytes,
                row_count=cut.stop_row - cut.first_row,
                entry_count=entry_count,
                null_count=entry_count - value_count,
                bounds=bounds,
                unencoded_nbytes=None if sizes is None else sizes[number],
                histograms=_histograms(column, cut),
            )
        )
    if not options.has_statistics:
        return made, ValueBounds()
    if options.has_page_index:
        merged = merge_bounds(node, whole)
    else:
        merged = bounds_of(values, 0, values.count, most_nbytes=None)
    return made, cut_bounds(node, merged, _STATISTICS_NBYTES)


def _histograms(column: ColumnEntries, cut: PageCut) -> LevelHistograms:
    node = column.values.node
    return LevelHistograms(
        _histogram(column.definition, node.max_definition, cut),
        _histogram(column.repetition, node.max_repetition, cut),
    )


def _histogram(levels: np.ndarray[Any, Any] | None, maximum: int, cut: PageCut) -> tuple[int, ...]:
    if maximum == 0:
        return ()
    entry_count = cut.stop_entry - cut.first_entry
    if levels is None:
        return (*(0,) * maximum, entry_count)
    if maximum == 1 and cut.stop_entry - cut.first_entry == cut.stop_row - cut.first_row:
        value_count = cut.stop_value - cut.first_value
        return entry_count - value_count, value_count
    return histogram_of_levels(levels[cut.first_entry : cut.stop_entry], maximum)


def _sum_of(parts: list[LevelHistograms]) -> LevelHistograms:
    return LevelHistograms(
        tuple(map(sum, zip(*(each.definition for each in parts), strict=True))),
        tuple(map(sum, zip(*(each.repetition for each in parts), strict=True))),
    )


def _sum(parts: list[int | None]) -> int | None:
    known = [each for each in parts if each is not None]
    return sum(known) if known else None


def _unencoded(values: DenseValues, cuts: list[PageCut]) -> list[int] | None:
    """Return the bytes of each page's strings."""
    if values.offsets is None or not cuts:
        return None
    if values.codes is None:
        firsts = np.array([*(cut.first_value for cut in cuts), cuts[-1].stop_value])
        ends: np.ndarray[Any, Any] = values.offsets[firsts]
        return [int(each) for each in np.diff(ends)]
    lengths = np.diff(values.offsets)
    return [
        int(lengths[values.codes[cut.first_value : cut.stop_value]].sum(dtype=np.int64))
        for cut in cuts
    ]
