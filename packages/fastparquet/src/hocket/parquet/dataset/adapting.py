"""Chunks of a file that differs from its dataset in schema, decoded as the dataset has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.evolution.absent import null_column, null_members
from hocket.parquet.dataset.evolution.leaf_source import LeafSource
from hocket.parquet.dataset.receiving import ANYWHERE, Place
from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Target, natural_target
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["Adapter", "adapter_of"]

#: Decodes the file's own chunk: its target, and the place of its values and validity.
_DecodeOwn = Callable[[Target, Place], ColumnData]


def adapter_of(file: DataFile, leaf: SchemaNode) -> Adapter | None:
    """Return what decodes a leaf of the dataset in a file; None if it needs nothing of the kind.

    Parameters
    ----------
    file
        The file.
    leaf
        The leaf in the schema of the dataset.
    """
    if file.sources is None:
        return None
    source = file.sources[leaf.column_index]
    return None if source.is_plain else Adapter(file, leaf, source)


class Adapter:
    """Decodes a leaf of the dataset from what a file has in its place.

    Parameters
    ----------
    file, leaf
        As with `adapter_of`.
    source
        Where it comes from.
    """

    def __init__(self, file: DataFile, leaf: SchemaNode, source: LeafSource) -> None:
        self._leaf = leaf
        self._source = source
        self._change = file.change(leaf)
        self._own = file.metadata.schema.leaves[source.column] if source.column >= 0 else None

    def decode(
        self,
        target: Target,
        into: Place,
        decode_own: _DecodeOwn,
        *,
        rows: int = 0,
        with_levels: bool = False,
    ) -> ColumnData:
        """Return rows of the leaf.

        Parameters
        ----------
        target
            What is wanted of the dataset's leaf.
        into
            Where its values go.
        decode_own
            Decodes rows of the file's own leaf.
        rows
            How many they are; needed where the file does not have the column.
        with_levels
            Whether levels are wanted.
        """
        if self._own is None:
            column = null_column(self._leaf, target, rows, with_levels=with_levels)
        elif self._source.is_absent:
            relative = decode_own(natural_target(self._own), ANYWHERE)
            column = null_members(self._leaf, target, self._source, relative)
        else:
            direct = target if self._change is None else self._change.direct_target(target)
            if direct is not None:
                column = decode_own(direct, into)
                column.leaf, column.target = self._leaf, target
                self._translate(column)
                return column
            assert self._change is not None
            own = decode_own(self._change.own_target(target), ANYWHERE)
            column = self._change.apply(own, target)
            self._translate(column)
        _put(column, into)
        return column

    def _translate(self, column: ColumnData) -> None:
        """Make definition levels of the file those of the dataset."""
        table = self._source.level_table()
        if table is not None and column.definition_levels is not None:
            column.definition_levels = table[column.definition_levels]


def _put(column: ColumnData, into: Place) -> None:
    """Move values and validity to where they belong."""
    if into.values is not None and column.values is not None:
        into.values.view(column.values.dtype)[:] = column.values
        column.values = into.values
    if into.valid is not None:
        valid: Any = True if column.valid is None else column.valid
        into.valid[:] = valid
        column.valid = np.asarray(into.valid)
