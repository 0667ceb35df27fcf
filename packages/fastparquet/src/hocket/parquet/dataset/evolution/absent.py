"""Columns without values: what a file has of a column that only other files have."""

from __future__ import annotations

import numpy as np

from hocket.parquet.dataset.evolution.leaf_source import LeafSource
from hocket.parquet.decode.column import ColumnData, empty_column, padded_bytes
from hocket.parquet.decode.target import Target
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.records import replace

__all__ = ["null_column", "null_members"]


def null_column(leaf: SchemaNode, target: Target, rows: int, *, with_levels: bool) -> ColumnData:
    """Return a column of which each row is null.

    Parameters
    ----------
    leaf
        The column; if it is in a list or struct, that is null.
    target
        What its values are decoded to.
    rows
        How many rows there are.
    with_levels
        Whether levels are wanted.
    """
    slots = 0 if leaf.slot_definition > 0 else rows
    column = _nulls(leaf, target, slots)
    column.level_count = column.row_count = rows
    if with_levels:
        column.definition_levels = np.zeros(rows, np.uint8)
        if leaf.max_repetition:
            column.repetition_levels = np.zeros(rows, np.uint8)
    return column


def null_members(
    leaf: SchemaNode, target: Target, source: LeafSource, relative: ColumnData
) -> ColumnData:
    """Return a member of structs that a file does not have: null in each struct that is there.

    Parameters
    ----------
    leaf
        The member.
    target
        What its values are decoded to.
    source
        How it is absent.
    relative
        Another leaf of the file below the same struct, with its levels.
    """
    table = source.level_table()
    assert table is not None
    own = relative.definition_levels
    if own is None:
        own = np.full(relative.level_count, len(table) - 1, np.uint8)
    definitions, repetitions = table[own], relative.repetition_levels
    if repetitions is not None:
        is_own = repetitions <= source.repetition
        definitions, repetitions = definitions[is_own], repetitions[is_own]
    column = _nulls(leaf, target, int(np.count_nonzero(definitions >= leaf.slot_definition)))
    column.level_count, column.row_count = len(definitions), relative.row_count
    column.definition_levels = definitions
    if leaf.max_repetition:
        column.repetition_levels = (
            np.zeros(len(definitions), np.uint8) if repetitions is None else repetitions
        )
    return column


def _nulls(leaf: SchemaNode, target: Target, count: int) -> ColumnData:
    """Return so many slots without a value."""
    column = ColumnData(leaf, target, count, count, valid=np.zeros(count, np.bool_))
    if target.keep_dictionary:
        column.codes = np.full(count, -1, np.int32)
        column.dictionary = empty_column(leaf, replace(target, keep_dictionary=False))
    elif target.dtype is None:
        column.offsets, column.data = np.zeros(count + 1, np.int64), padded_bytes(0)
    elif target.item_size in (1, 2, 4, 8):
        raw = target.null_bits.to_bytes(8, "little", signed=True)[: target.item_size]
        column.values = np.full(count, np.frombuffer(raw, target.dtype)[0], target.dtype)
    else:
        column.values = np.zeros(count, target.dtype)
    return column
