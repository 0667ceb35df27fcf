"""A pandas frame made in place: columns are decoded into the arrays that the frame will own.

Columns of one NumPy dtype are rows of one two-dimensional array, a block, which pandas takes as it
is; masked and string arrays, categoricals and Arrow arrays stand alone, as they always do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.assemble.column_builder import ColumnBuilder, Place, RowSpans, Whole
from hocket.parquet.assemble.pandas_arrays import (
    BlockBuilder,
    MaskedBuilder,
    ObjectBuilder,
    WideTimeBuilder,
)
from hocket.parquet.assemble.pandas_strings import ArrowTextBuilder, PythonTextBuilder
from hocket.parquet.assemble.pandas_types import ColumnPlan, Storage
from hocket.parquet.assemble.text_dtype import default_text_dtype
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Target, time_units
from hocket.parquet.errors import CorruptFile, InvalidOption, LimitExceeded, ParquetError
from hocket.parquet.memory import new_array

__all__ = ["FrameBuilder", "build_frame"]

_Array = np.ndarray[Any, Any]
try:
    from pandas.api import internals as _internals
except ImportError:
    # Before version 3 pandas had no public way to take two-dimensional arrays as they are.
    _internals = None

_IN_BLOCKS: Final = (Storage.BLOCK, Storage.OBJECT)

#: How a part of a column is decoded: which leaf of the field, to what, and where to.
Decode = Callable[[int, Target, Place], ColumnData]


class FrameBuilder:
    """A frame in the making.

    Parts may come in any order and from many threads, each once.

    Parameters
    ----------
    plans
        What each column becomes, in the order of the frame. Those of the index are among them.
    row_counts
        How many rows each row group gives.
    alone
        Positions of columns that are not to share a block: those of the index.
    """

    def __init__(
        self,
        plans: Sequence[ColumnPlan],
        row_counts: Sequence[int] | _Array,
        *,
        alone: Sequence[int] = (),
    ) -> None:
        self.plans = tuple(plans)
        self.spans = RowSpans(row_counts)
        self._places: list[tuple[int, int] | None] = [None] * len(self.plans)
        try:
            self._blocks = self._make_blocks(frozenset(alone))
            self._builders = [self._builder(at) for at in range(len(self.plans))]
        except (MemoryError, ValueError) as error:
            raise LimitExceeded(
                f"there is no memory for {len(self.plans)} columns of {self.spans.total:,} rows"
            ) from error

    def _make_blocks(self, alone: frozenset[int]) -> list[_Array]:
        members: dict[Any, list[int]] = {}
        for at, plan in enumerate(self.plans):
            if plan.storage in _IN_BLOCKS:
                # What leaves the block in the end does not enter it.
                is_apart = at in alone or plan.timezone is not None or plan.cast_to is not None
                members.setdefault((plan.dtype, at if is_apart else -1), []).append(at)
        blocks: list[_Array] = []
        for (dtype, _), columns in members.items():
            for row, at in enumerate(columns):
                self._places[at] = (len(blocks), row)
            blocks.append(new_array((len(columns), self.spans.total), dtype))
        return blocks

    def _builder(self, at: int) -> ColumnBuilder:
        plan, place = self.plans[at], self._places[at]
        if place is not None:
            row = self._blocks[place[0]][place[1]]
            return _block_builder_of(plan)(plan, self.spans, row)
        return _builder_of(plan)(plan, self.spans)

    def targets(self, column: int, row_group: int) -> tuple[Target, ...]:
        """Return what to decode each leaf of a column to; to be asked for each attempt."""
        return self._builders[column].targets(row_group)

    def place(self, column: int, row_group: int) -> Place:
        """Return where values and validity of a row group are decoded to."""
        return self._builders[column].place(row_group)

    def whole(self, column: int) -> Whole | None:
        """Return the place of a column that is decoded without `put`; None if it has none.

        A part that is decoded there must not be filled as well, unless it has nulls that the place
        does not hold.
        """
        return self._builders[column].whole()

    def retries_coarser(self, column: int, row_group: int) -> bool:
        """Return whether a part that could not be decoded may be tried again, to new targets."""
        return self._builders[column].retries_coarser(row_group)

    def put(self, column: int, row_group: int, columns: Sequence[ColumnData]) -> bool:
        """Take a decoded part, one `ColumnData` for each leaf of the field.

        Returns False if it must be decoded again: nulls have turned up where there should be none.
        """
        return self._builders[column].put(row_group, columns)

    def fill(self, column: int, row_group: int, decode: Decode) -> None:
        """Decode a part and take it, again if need be.

        Parameters
        ----------
        column, row_group
            Which part.
        decode
            Called with the position of a leaf in `Field.leaves`, its target, and the place of its
            values and validity.
        """
        builder = self._builders[column]
        while True:
            targets = builder.targets(row_group)
            place = builder.place(row_group)
            try:
                parts = [decode(leaf, target, place) for leaf, target in enumerate(targets)]
            except CorruptFile:
                if builder.retries_coarser(row_group):
                    continue
                raise
            if builder.put(row_group, parts):
                return

    def finish(
        self,
        *,
        labels: Any = None,
        index: Sequence[int] = (),
        index_names: Sequence[Hashable] = (),
        range_index: Any = None,
    ) -> pd.DataFrame:
        """Return the frame, to which all memory now belongs.

        Parameters
        ----------
        labels
            The labels of the columns that are not of the index, as a pandas index; those of the
            plans if None.
        index
            Positions of the columns that make the index.
        index_names
            Their names.
        range_index
            The index if no columns make it; None for the numbers of the rows.
        """
        arrays = [self._finished(at) for at in range(len(self.plans))]
        self._builders = []
        if index:
            levels = [arrays[at] for at in index]
            rows = _index_of(
                [self._alone(at, levels[i]) for i, at in enumerate(index)], index_names
            )
        else:
            rows = pd.RangeIndex(self.spans.total) if range_index is None else range_index
        kept = [at for at in range(len(self.plans)) if at not in set(index)]
        if labels is None:
            labels = _labels_of([self.plans[at].label for at in kept])
        return build_frame(self._grouped(kept, arrays), labels, rows)

    def _finished(self, at: int) -> Any:
        plan = self.plans[at]
        try:
            array = self._builders[at].finish()
            if plan.cast_to is None:
                return array
            return _cast(self._alone(at, array), plan.cast_to)
        except ParquetError as error:
            raise error.located(column=plan.field.node.dotted) from None
        except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
            raise InvalidOption(
                f"the column cannot be converted to {plan.cast_to}: {error}"
            ).located(column=plan.field.node.dotted) from error

    def _alone(self, at: int, array: Any) -> Any:
        """Return a column's array, be it of a block or not."""
        place = self._places[at]
        if array is None:
            assert place is not None
            return self._blocks[place[0]][place[1]]
        return array

    def _grouped(self, kept: list[int], arrays: list[Any]) -> list[tuple[Any, list[int]]]:
        """Return blocks and lone arrays, each with the positions of its columns in the frame."""
        groups: list[tuple[Any, list[int]]] = []
        rows: dict[int, list[tuple[int, int]]] = {}
        for position, at in enumerate(kept):
            place = self._places[at]
            if arrays[at] is not None:
                groups.append((arrays[at], [position]))
            elif place is not None:
                rows.setdefault(place[0], []).append((place[1], position))
        for number, members in rows.items():
            groups += _runs(self._blocks[number], members)
        return groups


def _block_builder_of(plan: ColumnPlan) -> type[BlockBuilder]:
    if plan.reader is not None:
        from hocket.parquet.assemble.arrow_columns import NestedObjectBuilder  # noqa: PLC0415 - few need it

        return NestedObjectBuilder
    if plan.storage is Storage.OBJECT:
        return ObjectBuilder
    return WideTimeBuilder if time_units(plan.field.node) else BlockBuilder


def _builder_of(plan: ColumnPlan) -> Callable[[ColumnPlan, RowSpans], ColumnBuilder]:
    if plan.storage is Storage.TEXT:
        return ArrowTextBuilder if plan.text_dtype.storage == "pyarrow" else PythonTextBuilder
    if plan.storage is Storage.MASKED:
        return MaskedBuilder
    if plan.storage is Storage.CATEGORICAL:
        from hocket.parquet.assemble.categories import CategoricalBuilder  # noqa: PLC0415 - as below

        return CategoricalBuilder
    from hocket.parquet.assemble.arrow_columns import ArrowBuilder  # noqa: PLC0415 - few need it

    return ArrowBuilder


def _runs(block: _Array, members: list[tuple[int, int]]) -> list[tuple[Any, list[int]]]:
    """Return a block without the rows that left it: a block for each run of rows that stayed."""
    runs: list[tuple[Any, list[int]]] = []
    start = 0
    for end in range(1, len(members) + 1):
        if end == len(members) or members[end][0] != members[end - 1][0] + 1:
            first, last = members[start][0], members[end - 1][0]
            runs.append((block[first : last + 1], [at for _, at in members[start:end]]))
            start = end
    return runs


def build_frame(
    groups: Sequence[tuple[Any, Sequence[int]]], labels: pd.Index, index: pd.Index
) -> pd.DataFrame:
    """Return a frame over arrays, none of them copied.

    Parameters
    ----------
    groups
        Two-dimensional NumPy arrays (a column of the frame a row) or arrays of one column, with the
        positions of their columns.
    labels
        The labels of the columns.
    index
        The index.
    """
    if _internals is not None:
        blocks = []
        for array, positions in groups:
            is_flat = isinstance(array, np.ndarray) and array.ndim == 1
            placement = np.array(positions, np.intp)
            blocks.append((array.reshape(1, -1) if is_flat else array, placement))
        return _internals.create_dataframe_from_blocks(blocks, index=index, columns=labels)
    columns: dict[int, Any] = {}
    for array, positions in groups:
        for row, position in enumerate(positions):
            columns[position] = array[row] if getattr(array, "ndim", 1) == 2 else array
    ordered = {position: columns[position] for position in range(len(labels))}
    frame = pd.DataFrame(ordered, index=index, copy=False)
    frame.columns = labels
    return frame


def _cast(array: Any, dtype: Any) -> Any:
    """Return an array as another dtype; what cannot be so is an error, and not a null."""
    series = pd.Series(array, copy=False)
    if isinstance(dtype, pd.CategoricalDtype):
        result = series.cat.set_categories(dtype.categories, ordered=dtype.ordered or False)
        lost = series[result.isna() & series.notna()]
        if len(lost):
            raise ValueError(f"{lost.iloc[0]!r} is not among the categories")
        return result.array
    return series.astype(dtype).array


def _labels_of(labels: list[Hashable]) -> pd.Index:
    if not labels:
        return pd.Index([], dtype=default_text_dtype())
    return pd.Index(labels, tupleize_cols=False)


def _index_of(levels: list[Any], names: Sequence[Hashable]) -> pd.Index:
    levels = [
        level.astype(np.float32) if getattr(level, "dtype", None) == np.float16 else level
        for level in levels
    ]
    if len(levels) == 1:
        name = names[0] if names else None
        return pd.Index(levels[0], name=name, copy=False, tupleize_cols=False)
    return pd.MultiIndex.from_arrays(levels, names=list(names) or None)
