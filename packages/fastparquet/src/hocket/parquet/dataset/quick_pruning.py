"""Row groups that a filter on integers rules out, by the bounds of all of them at once.

Datasets can have tens of thousands of row groups, of which a filter on a time keeps a few. Here the
others are left out before `pruning` looks at each. Dates, times, most decimals are integers, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.dataset.binding import BoundFilter, ColumnTest
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.keys import Family
from hocket.parquet.dataset.predicates import Predicate, Shape
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import chunk_statistics as layout
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.scanning import scratch
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode
from hocket.parquet.metadata.statistics import are_bounds_ordered

__all__ = ["not_ruled_out"]

_Array = np.ndarray[Any, Any]

_WIDTHS: Final = {PhysicalType.INT32: 4, PhysicalType.INT64: 8}
_INTEGERS: Final = frozenset(
    {
        Family.INTEGER,
        Family.DECIMAL,
        Family.DATE,
        Family.TIME,
        Family.TIMESTAMP,
        Family.DURATION,
    }
)
#: With fewer row groups there is nothing to gain.
_LEAST_GROUPS: Final = 4


def not_ruled_out(
    collection: Collection, numbers: Sequence[int], filters: BoundFilter
) -> list[int]:
    """Return row groups that may have rows for which a filter holds.

    Parameters
    ----------
    collection
        The files.
    numbers
        The row groups to choose from.
    filters
        What rows have to fulfil.
    """
    if len(numbers) < _LEAST_GROUPS:
        return list(numbers)
    chosen = np.asarray(numbers, np.int64)
    files = np.array([collection.groups[number].file for number in numbers])
    known: dict[ColumnTest, _Array] = {}
    possible = np.zeros(len(chosen), np.bool_)
    for every in filters:
        together = np.ones(len(chosen), np.bool_)
        for test in every:
            if isinstance(test, ColumnTest) and _is_quick(test):
                if test not in known:
                    known[test] = _possible(collection, chosen, files, test)
                together &= known[test]
        possible |= together
    kept: list[int] = chosen[possible].tolist()
    return kept


def _is_quick(test: ColumnTest) -> bool:
    domain, shape = test.predicate.domain, test.predicate.shape
    return (
        test.leaf.physical in _WIDTHS
        and domain.family in _INTEGERS
        and domain.is_signed
        and shape in (Shape.WITHIN, Shape.AMONG)
        and not test.predicate.is_never
    )


def _possible(collection: Collection, chosen: _Array, files: _Array, test: ColumnTest) -> _Array:
    result = np.ones(len(chosen), np.bool_)
    for number in np.unique(files).tolist():
        file = collection.files[number]
        here = np.flatnonzero(files == number)
        groups = np.array([collection.groups[at].index for at in chosen[here].tolist()], np.int64)
        leaf = file.leaf(test.leaf.column_index)
        if leaf is None:
            # Nulls are in no range.
            result[here] = False
        elif file.change(test.leaf) is None:
            result[here] = _fits(test.predicate, _bounds(file.metadata, leaf, groups))
    return result


def _bounds(metadata: FileMetadata, leaf: SchemaNode, groups: _Array) -> _Array:
    column = leaf.column_index
    positions = np.ascontiguousarray(metadata.chunks.statistics_at[groups, column])
    bounds = np.empty((len(groups), layout.BOUND_ITEMS), np.int64)
    stack = scratch()
    assert leaf.physical is not None
    KERNEL.read_bounds(
        address(metadata.data),
        len(metadata.data),
        address(positions),
        len(groups),
        _WIDTHS[leaf.physical],
        are_bounds_ordered(leaf, int(metadata.column_orders[column])),
        address(bounds),
        address(stack),
    )
    return bounds


def _fits(predicate: Predicate, bounds: _Array) -> _Array:
    """Return for which bounds a predicate is possible, as far as that is quick to tell."""
    if predicate.shape is Shape.AMONG:
        low, high = predicate.members[0], predicate.members[-1]
    else:
        low, high = predicate.low, predicate.high
    fits = np.ones(len(bounds), np.bool_)
    limits = np.iinfo(np.int64)
    if low is not None and low > limits.min:
        has_high = (bounds[:, 0] & layout.HAS_HIGH) != 0
        fits &= ~has_high | (bounds[:, 2] >= min(low, limits.max))
    if high is not None and high < limits.max:
        has_low = (bounds[:, 0] & layout.HAS_LOW) != 0
        fits &= ~has_low | (bounds[:, 1] <= max(high, limits.min))
    return fits
