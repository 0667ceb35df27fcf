"""What a file says of the data pages of a chunk: where they are, and what bounds their values."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from hocket.parquet.encode.written_chunk import PageSummary, WrittenChunk
from hocket.parquet.metadata.compact import (
    StructWriter,
    binaries,
    booleans,
    integers,
    structs,
    varint,
)
from hocket.parquet.metadata.page_index import BoundaryOrder
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.values import bound_of_plain_bytes

__all__ = ["column_index", "offset_index"]


def offset_index(chunk: WrittenChunk, offset: int) -> bytes:
    """Return the struct OffsetIndex of a chunk.

    Parameters
    ----------
    chunk
        The chunk.
    offset
        Where it begins in the file.
    """
    rows = accumulate((page.row_count for page in chunk.pages), initial=0)
    locations = [
        # A location's three numbers, each behind its step and kind.
        b"\x16%b\x15%b\x16%b\x00"
        % (varint((offset + page.offset) << 1), varint(page.nbytes << 1), varint(row << 1))
        for page, row in zip(chunk.pages, rows, strict=False)
    ]
    sizes = [page.unencoded_nbytes for page in chunk.pages]
    known = [size for size in sizes if size is not None]
    return (
        StructWriter()
        .listed(1, structs(locations))
        .listed(2, integers(known) if known and len(known) == len(sizes) else None)
        .finish()
    )


def column_index(chunk: WrittenChunk) -> bytes | None:
    """Return the struct ColumnIndex of a chunk, None if there is a page without bounds.

    Parameters
    ----------
    chunk
        The chunk.
    """
    pages, node = chunk.pages, chunk.node
    are_null = [page.null_count == page.entry_count for page in pages]
    lows: list[bytes] = []
    highs: list[bytes] = []
    for page, is_null in zip(pages, are_null, strict=True):
        low, high = page.bounds.minimum, page.bounds.maximum
        if not is_null and (low is None or high is None):
            # There is no way to say so of a single page.
            return None
        lows.append(low or b"")
        highs.append(high or b"")
    made = StructWriter().listed(1, booleans(are_null)).listed(2, binaries(lows))
    made.listed(3, binaries(highs)).i32(4, int(_boundary_order(node, pages)))
    made.listed(5, integers([page.null_count for page in pages]))
    if node.max_repetition:
        made.listed(6, integers([n for page in pages for n in page.histograms.repetition]))
    if node.max_definition > 1 or node.max_repetition:
        made.listed(7, integers([n for page in pages for n in page.histograms.definition]))
    nans = [page.bounds.nan_count for page in pages]
    known = [count for count in nans if count is not None]
    return made.listed(8, integers(known) if known and len(known) == len(nans) else None).finish()


def _boundary_order(node: SchemaNode, pages: list[PageSummary]) -> BoundaryOrder:
    if len(pages) > 1:
        bounds = [page.bounds for page in pages if page.bounds.minimum is not None]
        lows = [_comparable(node, each.minimum, is_upper=False) for each in bounds]
        highs = [_comparable(node, each.maximum, is_upper=True) for each in bounds]
        if None in lows or None in highs:
            return BoundaryOrder.UNORDERED
        if all(a <= b for values in (lows, highs) for a, b in pairwise(values)):
            return BoundaryOrder.ASCENDING
        if all(a >= b for values in (lows, highs) for a, b in pairwise(values)):
            return BoundaryOrder.DESCENDING
        return BoundaryOrder.UNORDERED
    return BoundaryOrder.ASCENDING


def _comparable(node: SchemaNode, raw: bytes | None, *, is_upper: bool) -> Any:
    return None if raw is None else bound_of_plain_bytes(node, raw, is_upper=is_upper)
