"""The page index: where the data pages of a column chunk are, and what bounds their values."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.thrift import BINARY, FALSE, TRUE
from hocket.parquet.metadata.scanning import Fields, read_items, read_struct, scratch
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.metadata.statistics import (
    ColumnStatistics,
    are_bounds_ordered,
    believed,
    read_integers,
)
from hocket.parquet.records import dataclass

__all__ = [
    "BoundaryOrder",
    "ColumnIndex",
    "OffsetIndex",
    "parse_column_index",
    "parse_offset_index",
]

#: A page takes at least this many bytes: a header with three fields.
_PAGE_NBYTES_MIN: Final = 4


class BoundaryOrder(IntEnum):
    """Whether the bounds of pages grow, or shrink, from one page to the next."""

    UNORDERED = 0
    ASCENDING = 1
    DESCENDING = 2


@dataclass(frozen=True, slots=True)
class OffsetIndex:
    """Where the data pages of a column chunk are.

    Parameters
    ----------
    offsets
        Where each page's header begins in the file.
    nbytes
        Sizes of the pages, with their headers, as they are compressed.
    first_rows
        The first row of each page in the row group.
    unencoded_nbytes
        Bytes of each page's byte strings without their lengths; None if not told.
    """

    offsets: np.ndarray[Any, Any]
    nbytes: np.ndarray[Any, Any]
    first_rows: np.ndarray[Any, Any]
    unencoded_nbytes: np.ndarray[Any, Any] | None

    def __len__(self) -> int:
        return len(self.offsets)

    def row_counts(self, rows: int) -> np.ndarray[Any, Any]:
        """Return how many rows each page has.

        Parameters
        ----------
        rows
            How many rows the row group has.
        """
        return np.diff(self.first_rows, append=rows)


def parse_offset_index(
    data: np.ndarray[Any, Any], *, rows: int, start: int, nbytes: int
) -> OffsetIndex:
    """Return an OffsetIndex, checked against the column chunk that it belongs to.

    Parameters
    ----------
    data
        The bytes of the struct, padded.
    rows
        How many rows the row group has.
    start, nbytes
        Where the column chunk is in the file.
    """
    fields, _ = read_struct(data, 0, 3, "OffsetIndex")
    at = fields.list_at(1)
    if at is None:
        raise fields.missing(1)
    count = len(read_items(data, at, "PageLocation"))
    table = np.empty((count, 3), dtype=np.int64)
    stack = scratch()
    answer = KERNEL.scan_page_locations(
        address(data), len(data), at, address(table), count, address(stack)
    )
    if answer < 0:
        raise CorruptFile(f"{error_of(answer).reason}: in an OffsetIndex")
    offsets, sizes, first_rows = (np.ascontiguousarray(table[:, column]) for column in range(3))
    unencoded_at = fields.list_at(2)
    unencoded = None
    if unencoded_at is not None:
        unencoded = read_integers(data, unencoded_at, "unencoded sizes")
        if len(unencoded) != count or (unencoded < 0).any():
            unencoded = None
    if count:
        _check_locations(offsets, sizes, first_rows, rows=rows, start=start, nbytes=nbytes)
    elif rows:
        raise CorruptFile(f"an OffsetIndex has no pages, and the row group has {rows} rows")
    return OffsetIndex(offsets, sizes, first_rows, unencoded)


def _check_locations(
    offsets: np.ndarray[Any, Any],
    sizes: np.ndarray[Any, Any],
    first_rows: np.ndarray[Any, Any],
    *,
    rows: int,
    start: int,
    nbytes: int,
) -> None:
    # Sums of what the file says may be more than 64 bits hold; differences of these are not.
    inside = (offsets >= start) & (offsets - start < nbytes) & (sizes >= _PAGE_NBYTES_MIN)
    if not inside.all() or (sizes > nbytes - (offsets - start)).any():
        raise CorruptFile("an OffsetIndex has a page outside of its column chunk")
    if (offsets[1:] < offsets[:-1] + sizes[:-1]).any():
        raise CorruptFile("an OffsetIndex has pages that overlap or are not in their order")
    is_ordered = (first_rows[1:] >= first_rows[:-1]).all()
    if first_rows[0] != 0 or not is_ordered or first_rows[-1] > rows:
        raise CorruptFile(
            f"an OffsetIndex has pages whose first rows are not in their order from 0 to {rows}"
        )


@dataclass(frozen=True, slots=True)
class ColumnIndex:
    """What is known of the values of each data page of a column chunk.

    Parameters
    ----------
    node
        The column.
    null_pages
        Whether a page has only nulls.
    boundary_order
        Whether bounds grow or shrink from page to page.
    null_counts, nan_counts
        How many nulls and NaNs each page has; None if not told: any number.
    repetition_levels, definition_levels
        How often each level occurs in each page, of the shape (pages, levels); None if not told.
    """

    node: SchemaNode
    null_pages: np.ndarray[Any, Any]
    boundary_order: BoundaryOrder
    null_counts: np.ndarray[Any, Any] | None
    nan_counts: np.ndarray[Any, Any] | None
    repetition_levels: np.ndarray[Any, Any] | None
    definition_levels: np.ndarray[Any, Any] | None
    _data: np.ndarray[Any, Any]
    _lows: np.ndarray[Any, Any]
    _highs: np.ndarray[Any, Any]
    _is_ordered: bool

    def __len__(self) -> int:
        return len(self.null_pages)

    def bounds(self, page: int) -> tuple[bytes | None, bytes | None]:
        """Return a page's lower and upper bound, encoded as PLAIN; None where it has none.

        Parameters
        ----------
        page
            Index of the data page.
        """
        if not self._is_ordered or self.null_pages[page]:
            return None, None
        return believed(self.node, self._raw(self._lows, page), self._raw(self._highs, page))

    def statistics(self, page: int) -> ColumnStatistics:
        """Return all that is known of a page.

        Parameters
        ----------
        page
            Index of the data page.
        """
        low, high = self.bounds(page)
        return ColumnStatistics(
            self.node,
            low,
            high,
            null_count=None if self.null_counts is None else int(self.null_counts[page]),
            nan_count=None if self.nan_counts is None else int(self.nan_counts[page]),
        )

    def _raw(self, places: np.ndarray[Any, Any], page: int) -> bytes:
        at, nbytes = int(places[page, 1]), int(places[page, 2])
        return self._data[at : at + nbytes].tobytes()


def parse_column_index(data: np.ndarray[Any, Any], node: SchemaNode, order: int) -> ColumnIndex:
    """Return a ColumnIndex.

    Parameters
    ----------
    data
        The bytes of the struct, padded.
    node
        The column.
    order
        Its column order, see `ColumnOrder`.
    """
    fields, _ = read_struct(data, 0, 9, "ColumnIndex")
    null_pages = _elements(fields, 1, (TRUE, FALSE), "null_pages")
    lows = _elements(fields, 2, (BINARY,), "min_values")
    highs = _elements(fields, 3, (BINARY,), "max_values")
    count = len(null_pages)
    if len(lows) != count or len(highs) != count:
        raise CorruptFile(
            f"a ColumnIndex has {count} null_pages, {len(lows)} min_values, {len(highs)} max_values"
        )
    boundary = fields.required(4)
    return ColumnIndex(
        node=node,
        null_pages=null_pages[:, 1] != 0,
        boundary_order=BoundaryOrder(boundary) if 0 <= boundary <= 2 else BoundaryOrder.UNORDERED,
        null_counts=_counts(fields, 5, (count,)),
        nan_counts=_counts(fields, 8, (count,)),
        repetition_levels=_counts(fields, 6, (count, node.max_repetition + 1)),
        definition_levels=_counts(fields, 7, (count, node.max_definition + 1)),
        _data=data,
        _lows=lows,
        _highs=highs,
        _is_ordered=are_bounds_ordered(node, order),
    )


def _elements(
    fields: Fields, field: int, kinds: tuple[int, ...], what: str
) -> np.ndarray[Any, Any]:
    at = fields.list_at(field)
    if at is None:
        raise fields.missing(field)
    items = read_items(fields.data, at, what)
    if not np.isin(items[:, 0], kinds).all():
        raise CorruptFile(f"elements of {what} of a ColumnIndex are of another type")
    return items


def _counts(fields: Fields, field: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any] | None:
    """Return counts, None if they are missing or cannot be so."""
    at = fields.list_at(field)
    if at is None:
        return None
    counts = read_integers(fields.data, at, "counts of a ColumnIndex")
    if len(counts) != np.prod(shape) or (counts < 0).any():
        return None
    return counts.reshape(shape)
