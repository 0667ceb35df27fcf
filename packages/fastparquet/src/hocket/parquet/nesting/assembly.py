"""Decoded leaves to nested columns: offsets of lists, validity of everything that can be missing.

The leaves of one list or struct tell its shape again and again, each in its own levels. It is taken
from the leaf with the fewest entries, and all others have to agree with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.errors import CorruptFile, LimitExceeded
from hocket.parquet.kernels.faults import LIST_SHAPE, error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.records import dataclass, replace

__all__ = ["FieldData", "assemble_field", "needs_levels"]

_Array = np.ndarray[Any, Any]

_MOST_INT32: Final = (1 << 31) - 1


@dataclass(slots=True)
class FieldData:
    """The values of a field, some rows of them.

    Parameters
    ----------
    field
        What they are.
    length
        How many slots there are.
    null_count
        How many of them hold no value.
    valid
        Whether each slot holds a value; None if all do, or if the field cannot be missing. What is
        required below something that can be missing counts as valid there, except for leaves.
    offsets
        For lists and maps: where the elements of each slot begin and end among the children's
        slots, int32 or int64, one more than slots.
    children
        The data of the field's children.
    column
        A leaf's values.
    """

    field: Field
    length: int
    null_count: int
    valid: _Array | None = None
    offsets: _Array | None = None
    children: tuple[FieldData, ...] = ()
    column: ColumnData | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays together."""
        own = sum(array.nbytes for array in (self.valid, self.offsets) if array is not None)
        if self.column is not None:
            own = self.column.nbytes
        return own + sum(child.nbytes for child in self.children)


def needs_levels(field: Field) -> bool:
    """Whether `assemble_field` needs the levels of the field's leaves."""
    return field.kind is not FieldKind.LEAF and any(leaf.max_definition for leaf in field.leaves)


def assemble_field(
    field: Field,
    columns: Mapping[int, ColumnData],
    row_count: int,
    *,
    wide_offsets: bool = False,
) -> FieldData:
    """Return the values of a column of any depth.

    Parameters
    ----------
    field
        A column, or what projection left of it.
    columns
        Its decoded leaves by their `column_index`, with levels if `needs_levels` says so. Leaves
        that have an optional or repeated ancestor and come without levels have all values.
    row_count
        How many rows there have to be.
    wide_offsets
        Whether offsets of lists are int64; lists of more than 2**31 - 1 elements need them. (Those
        of maps are only if they have to be.)
    """
    builder = _Builder(columns, wide_offsets=wide_offsets)
    data = builder.build(field)
    if data.length != row_count:
        raise CorruptFile(f"there are {data.length} rows of it, and should be {row_count}").located(
            column=field.representative.dotted
        )
    return data


class _Levels:
    """The levels of one leaf, as addresses."""

    def __init__(self, column: ColumnData) -> None:
        leaf = column.leaf
        self.column = column
        self.leaf = leaf
        self.definition = _levels(column, column.definition_levels, leaf.max_definition)
        self.repetition = _levels(column, column.repetition_levels, 0)
        self.count = len(self.definition)
        self.at = (address(self.repetition), address(self.definition))


def _levels(column: ColumnData, levels: _Array | None, otherwise: int) -> _Array:
    """Return levels with room to read on after them; those that were left out are all equal."""
    if levels is None:
        count = max(column.level_count, column.count)
        return np.full(count, otherwise, np.uint8)
    if len(levels) != column.level_count:
        raise CorruptFile(
            f"there are {len(levels)} levels for {column.level_count} entries"
        ).located(column=column.leaf.dotted)
    return np.ascontiguousarray(levels, np.uint8)


class _Builder:
    def __init__(self, columns: Mapping[int, ColumnData], *, wide_offsets: bool) -> None:
        self._columns = columns
        self._wide = wide_offsets
        self._known: dict[int, _Levels] = {}

    def build(self, field: Field) -> FieldData:
        if field.kind is FieldKind.LEAF:
            return self._leaf(field)
        if field.kind in (FieldKind.LIST, FieldKind.MAP):
            return self._list(field)
        return self._struct(field)

    def _leaf(self, field: Field) -> FieldData:
        column = self._columns[field.node.column_index]
        column = replace(column, definition_levels=None, repetition_levels=None)
        return FieldData(field, column.count, column.null_count, column.valid, column=column)

    def _struct(self, field: Field) -> FieldData:
        levels = self._levels_of(field)
        self._compare(field, levels, field.repetition, field.definition)
        slots, nulls, _ = self._measure(field, levels)
        valid = None
        if nulls:
            valid = self._validity(field, levels, slots)
        children = tuple(self.build(child) for child in field.children)
        for child in children:
            self._check_length(child, slots)
        return FieldData(field, slots, nulls, valid, children=children)

    def _list(self, field: Field) -> FieldData:
        levels = self._levels_of(field)
        self._compare(field, levels, field.repetition + 1, field.element_definition)
        slots, nulls, elements = self._measure(field, levels)
        # Arrow's maps have no wide offsets; what does not fit has to be told there.
        is_wide = elements > _MOST_INT32 or field.kind is FieldKind.LIST
        if elements > _MOST_INT32 and not self._wide:
            raise LimitExceeded(
                f"a list column has {elements} elements in one row group, and its offsets have 32 "
                "bits; ask for wide_offsets, or for fewer rows at once"
            ).located(column=field.node.dotted)
        offsets = np.empty(slots + 1, np.int64 if self._wide and is_wide else np.int32)
        written = KERNEL.list_offsets(
            *levels.at,
            levels.count,
            field.repetition,
            field.slot_definition,
            levels.leaf.max_repetition,
            field.element_definition,
            address(offsets),
            offsets.itemsize,
        )
        assert written == slots
        valid = self._validity(field, levels, slots) if nulls else None
        children = tuple(self.build(child) for child in field.children)
        for child in children:
            self._check_length(child, elements)
        return FieldData(field, slots, nulls, valid, offsets, children)

    def _levels_of(self, field: Field) -> _Levels:
        index = field.representative.column_index
        if index not in self._known:
            self._known[index] = _Levels(self._columns[index])
        return self._known[index]

    def _measure(self, field: Field, levels: _Levels) -> tuple[int, int, int]:
        """Return how many slots there are, how many of them have no value, and the elements."""
        result = np.empty(3, np.int64)
        answer = KERNEL.measure_levels(
            *levels.at,
            levels.count,
            field.repetition,
            field.slot_definition,
            field.definition if field.nullable else 0,
            field.element_definition,
            address(result),
        )
        if answer < 0:
            raise error_of(answer).located(column=levels.leaf.dotted)
        slots, nulls, elements = result.tolist()
        return slots, nulls, elements

    def _validity(self, field: Field, levels: _Levels, slots: int) -> _Array:
        valid = np.empty(slots + 1, np.bool_)
        written = KERNEL.slot_validity(
            *levels.at,
            levels.count,
            field.repetition,
            field.slot_definition,
            field.definition,
            address(valid),
        )
        assert written == slots
        return valid[:slots]

    def _compare(self, field: Field, levels: _Levels, depth: int, bound: int) -> None:
        """Check that each child has the field's shape, up to a repetition and definition level."""
        for child in field.children:
            other = self._levels_of(child)
            if other is levels:
                continue
            if levels.leaf.max_repetition == other.leaf.max_repetition == depth:
                if levels.count == other.count:
                    answer = KERNEL.same_shape(*levels.at, *other.at, levels.count, bound)
                else:
                    answer = -LIST_SHAPE
            else:
                answer = KERNEL.same_outer_shape(
                    *levels.at, levels.count, *other.at, other.count, depth, bound
                )
            if answer < 0:
                raise error_of(answer).located(column=other.leaf.dotted)

    def _check_length(self, child: FieldData, length: int) -> None:
        if child.length != length:
            raise CorruptFile(
                f"there are {child.length} values where its levels have {length} places"
            ).located(column=child.field.representative.dotted)
