"""Where the leaves of a dataset's schema come from in a file whose own schema differs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hocket.parquet.dataset.evolution.common_type import LeafShape
from hocket.parquet.dataset.evolution.unified import named
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.nesting.fields import Field, FieldKind, fields_of
from hocket.parquet.records import dataclass, replace

__all__ = ["LeafSource", "sources_of"]

#: Pairs of definition levels, of a file and of the dataset: from there on one thing more is there.
_Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LeafSource:
    """Where a leaf of the dataset comes from in one file.

    Parameters
    ----------
    column
        The file's own leaf: the same column, or, of one that is absent, one that tells the lists
        and structs around it. -1 if there is none, and none is needed: each row is null.
    is_absent
        Whether the file has no values of it.
    is_changed
        Whether its values are stored in another way than the dataset's schema says.
    levels
        The definition level for each one of the file's leaf; None if they are the same.
    repetition
        Of an absent leaf: entries with higher repetition levels are none of its own.
    ticks
        Of durations: how many units of the dataset's are one of the file's.
    """

    column: int
    is_absent: bool = False
    is_changed: bool = False
    levels: bytes | None = None
    repetition: int = 0
    ticks: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether what is decoded of the file is what the dataset has."""
        return not self.is_absent and not self.is_changed and self.levels is None

    def level_table(self) -> np.ndarray[tuple[int], np.dtype[np.uint8]] | None:
        """Return `levels` as an array."""
        return None if self.levels is None else np.frombuffer(self.levels, np.uint8)


def sources_of(
    own: Schema, whole: Schema, ticks: Mapping[int, int] | None = None
) -> tuple[LeafSource, ...]:
    """Return the source of each leaf of a dataset's schema in a file.

    Parameters
    ----------
    own
        The schema of the file.
    whole
        A schema that holds it, see `hocket.parquet.dataset.evolution.unified`.
    ticks
        Of durations that the file has in another unit: see `LeafSource`.
    """
    walk = _Walk(len(whole.leaves))
    theirs = dict(named(fields_of(own)))
    for key, field in named(fields_of(whole)):
        other = theirs.get(key)
        if other is None or (_is_null(other) and not _is_null(field)):
            walk.leave_out(field)
        else:
            walk.compare(field, other, ())
    for column, each in (ticks or {}).items():
        walk.found[column] = replace(walk.found[column], is_changed=True, ticks=each)
    return tuple(walk.found)


def _is_null(field: Field) -> bool:
    return field.kind is FieldKind.LEAF and LeafShape.of(field.node).is_null


class _Walk:
    def __init__(self, leaves: int) -> None:
        self.found = [LeafSource(-1, is_absent=True)] * leaves

    def leave_out(self, field: Field) -> None:
        """Note that a column is not there at all."""
        for leaf in field.leaves:
            self.found[leaf.column_index] = LeafSource(-1, is_absent=True)

    def compare(self, field: Field, other: Field, steps: _Steps) -> None:
        """Note where the leaves of a field are in a field of the file."""
        steps = (*steps, (other.definition, field.definition))
        if field.kind is FieldKind.LEAF:
            self._found_leaf(field, other, steps)
            return
        if field.kind in (FieldKind.LIST, FieldKind.MAP):
            steps = (*steps, (other.element_definition, field.element_definition))
            pairs = list(zip(field.children, other.children, strict=True))
            members: list[tuple[Field, Field | None]] = list(pairs)
        else:
            theirs = dict(named(other.children))
            members = [(child, theirs.get(key)) for key, child in named(field.children)]
        for child, own in members:
            if own is None or (_is_null(own) and not _is_null(child)):
                self._absent(child, other if own is None else own, steps)
            else:
                self.compare(child, own, steps)

    def _found_leaf(self, field: Field, other: Field, steps: _Steps) -> None:
        leaf, own = field.node, other.node
        self.found[leaf.column_index] = LeafSource(
            own.column_index,
            is_changed=_is_changed(LeafShape.of(own), LeafShape.of(leaf)),
            levels=_levels(own.max_definition, steps, leaf.max_definition),
        )

    def _absent(self, field: Field, relative: Field, steps: _Steps) -> None:
        """Note that a member is not there, and what tells about those who would have it."""
        own = relative.representative
        known = steps[-1][1]
        table = _levels(own.max_definition, steps, known, is_needed=True)
        for leaf in field.leaves:
            self.found[leaf.column_index] = LeafSource(
                own.column_index, is_absent=True, levels=table, repetition=field.repetition
            )


def _levels(own_most: int, steps: _Steps, last: int, *, is_needed: bool = False) -> bytes | None:
    """Return the dataset's definition level for each one of a file; None if it is the same."""
    table = bytearray()
    for level in range(own_most + 1):
        missing = next((whole for own, whole in steps if own > level), None)
        table.append(last if missing is None else missing - 1)
    is_same = list(table) == list(range(own_most + 1)) and last == own_most
    return None if is_same and not is_needed else bytes(table)


def _is_changed(own: LeafShape, whole: LeafShape) -> bool:
    """Tell whether values of a file cannot be decoded as if they were the dataset's."""
    if (own.physical, own.type_length) != (whole.physical, whole.type_length):
        return True
    return (own.logical.unit, own.logical.scale) != (whole.logical.unit, whole.logical.scale)
