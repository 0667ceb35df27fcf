"""Nested arrays taken apart: for each leaf its levels, and the slots of its values.

The entries of a leaf are made layer by layer, from the row inwards: what is missing ends there, a
list becomes its elements. Arrays are walked by slots, so that whatever lies hidden below missing
parents, between lists or behind their ends is never touched, and nothing of it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from hocket.parquet.arrays.leaf_entries import LeafEntries
from hocket.parquet.arrays.value_array import ArrayKind, Nulls, ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.encode.levels import definition_of_nulls
from hocket.parquet.errors import SchemaMismatch, ValueOutOfRange
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.memory import new_array
from hocket.parquet.metadata.schema import Repetition, SchemaNode
from hocket.parquet.records import dataclass, replace

__all__ = ["shred"]

_Array = np.ndarray[Any, Any]

#: What an array can be for a field that is no leaf; a dictionary may have any of them as values.
_NESTED_KINDS = {
    WriteKind.LIST: ArrayKind.LIST,
    WriteKind.MAP: ArrayKind.LIST,
    WriteKind.STRUCT: ArrayKind.STRUCT,
}

#: Dictionaries of no more entries are kept, however few slots there are: entries that no slot has
#: are categories all the same.
_FEW_ENTRIES: Final = 1024


def shred(field: WriteField, node: SchemaNode, array: ValueArray) -> list[LeafEntries]:
    """Return the entries of all leaves of a column, in the schema's order.

    Parameters
    ----------
    field
        The column, as it was told to the writer.
    node
        The same in the file's schema.
    array
        Its values, a slot a row.

    Raises
    ------
    ValueOutOfRange
        A value is missing where the schema says that none is.
    SchemaMismatch
        The array is of another shape than the field.
    """
    rows = _Entries(array.length, array.length)
    return list(_Walk(array.length).leaves(field, node, array, rows))


@dataclass(frozen=True, slots=True)
class _Entries:
    """Entries of a leaf, as far as the fields around it tell them.

    Parameters
    ----------
    count
        How many there are.
    alive
        How many of them have not ended: something stands there, and may have more inside.
    level
        The definition level of living entries.
    depth
        The repetition level of the innermost list around.
    definition, repetition
        Levels of entries, uint8; None if all live, or if each is a row.
    slots
        Where living entries stand in an array, int64; None: in all its slots, in order.
    """

    count: int
    alive: int
    level: int = 0
    depth: int = 0
    definition: _Array | None = None
    repetition: _Array | None = None
    slots: _Array | None = None

    def lifted(self) -> _Entries:
        """Return these with living ones a definition level higher: nothing is missing."""
        definition = self.definition
        if definition is not None:
            definition = definition + (definition == self.level)
        return replace(self, level=self.level + 1, definition=definition)

    def row_of(self, entry: int) -> int:
        """Return the row that an entry belongs to."""
        if self.repetition is None:
            return entry
        return int(np.count_nonzero(self.repetition[: entry + 1] == 0)) - 1


class _Walk:
    """The way from a column to its leaves."""

    def __init__(self, row_count: int) -> None:
        self._row_count = row_count

    def leaves(
        self, field: WriteField, node: SchemaNode, array: ValueArray, entries: _Entries
    ) -> Iterator[LeafEntries]:
        """Yield the leaves of a field; living entries stand in the slots of the array."""
        _check_kind(field, node, array)
        is_leaf = field.kind is WriteKind.LEAF
        if array.kind is ArrayKind.DICTIONARY and not (is_leaf and _is_plain_dictionary(array)):
            array, entries = _looked_up(node, array, entries)
        elif array.kind is ArrayKind.NULL:
            entries = _without_values(node, entries)
        else:
            entries = _present(node, array, entries, wants_slots=not is_leaf)
        if is_leaf:
            yield self._leaf(field, node, array, entries)
        elif field.kind is WriteKind.STRUCT:
            for child, below, values in zip(
                field.children, node.children, _members(node, array), strict=True
            ):
                yield from self.leaves(child, below, values, entries)
        else:
            elements, entries = _expanded(node, array, entries)
            (repeated,) = node.children
            if field.kind is WriteKind.MAP:
                pair = WriteField(repeated.name, WriteKind.STRUCT, False, children=field.children)  # noqa: FBT003
                yield from self.leaves(pair, repeated, elements, entries)
            else:
                (child,), (below,) = field.children, repeated.children
                yield from self.leaves(child, below, elements, entries)

    def _leaf(
        self, field: WriteField, node: SchemaNode, array: ValueArray, entries: _Entries
    ) -> LeafEntries:
        assert entries.level == node.max_definition
        assert entries.depth == node.max_repetition
        return LeafEntries(
            field,
            node,
            self._row_count,
            entries.count,
            None if entries.alive == entries.count else entries.definition,
            entries.repetition,
            entries.alive,
            array,
            entries.slots,
        )


def _check_kind(field: WriteField, node: SchemaNode, array: ValueArray) -> None:
    kind = array.kind
    while kind is ArrayKind.DICTIONARY:
        assert array.dictionary is not None
        array = array.dictionary
        kind = array.kind
    wanted = _NESTED_KINDS.get(field.kind)
    fits = kind not in _NESTED_KINDS.values() if wanted is None else kind is wanted
    if not fits and kind is not ArrayKind.NULL:
        raise SchemaMismatch(
            f"its values are an array of kind {str(kind)!r}, which a {field.kind} cannot have; "
            "all that is written to one file has to have one schema"
        ).located(column=node.dotted)


# --------------------------------------------------------------------------------- what is missing


def _present(
    node: SchemaNode, array: ValueArray, entries: _Entries, *, wants_slots: bool
) -> _Entries:
    """Return entries of which those have ended whose slots are missing.

    Without `wants_slots`, slots that were None stay so: the array itself tells which are missing.
    """
    nullable = node.repetition is Repetition.OPTIONAL
    if array.nulls is None or not entries.alive:
        return entries.lifted() if nullable else entries
    kept: _Array | None = None
    if entries.definition is None and entries.slots is None:
        flags, present = definition_of_nulls(array)
        marked = np.empty(0, np.uint8) if flags is None else flags
        if wants_slots:
            kept = np.flatnonzero(marked)
        if entries.level:
            marked += np.uint8(entries.level)
    else:
        marked = new_array(entries.count, np.uint8)
        if wants_slots or entries.slots is not None:
            kept = new_array(entries.alive + 1, np.int64)
        present = KERNEL.mark_present(
            _at(entries.definition),
            entries.count,
            entries.level,
            _at(entries.slots),
            *_nulls(array.nulls, array.length),
            address(marked),
            _at(kept),
        )
    if present == entries.alive:
        return entries.lifted() if nullable else entries
    if not nullable:
        raise _missing(node, entries, marked)
    return replace(
        entries,
        alive=present,
        level=entries.level + 1,
        definition=marked,
        slots=None if kept is None else kept[:present],
    )


def _missing(node: SchemaNode, entries: _Entries, marked: _Array) -> ValueOutOfRange:
    """Return the error that a value is missing, given new levels of entries."""
    ended = marked == entries.level
    if entries.definition is not None:
        ended &= entries.definition == entries.level
    row = entries.row_of(int(np.argmax(ended)))
    parent = node.parent
    what, remedy = "there is no value", "fill it, or declare the column nullable"
    if node.repetition is Repetition.REPEATED:
        what, remedy = "an entry of a map is missing", "leave such entries out"
    elif (
        parent is not None
        and parent.repetition is Repetition.REPEATED
        and (len(parent.children) == 2 and parent.children[0] is node)
    ):
        what, remedy = "an entry of a map has no key", "leave such entries out"
    return ValueOutOfRange(
        f"{what} in row {row:,}, the first of {int(np.count_nonzero(ended)):,} like that; {remedy}"
    ).located(column=node.dotted)


def _without_values(node: SchemaNode, entries: _Entries) -> _Entries:
    """Return entries that have all ended."""
    marked = entries.definition
    if entries.alive:
        if marked is None:
            marked = np.full(entries.count, entries.level, np.uint8)
        if node.repetition is not Repetition.OPTIONAL:
            raise _missing(node, entries, marked)
    # No entry has the level that living ones would have.
    ended = replace(entries, alive=0, definition=marked, slots=None)
    if node.repetition is Repetition.OPTIONAL:
        ended = replace(ended, level=entries.level + 1)
    return ended


# ------------------------------------------------------------------------------------ dictionaries


def _is_plain_dictionary(array: ValueArray) -> bool:
    """Whether a leaf's dictionary is worth keeping, and its array tells all that is missing."""
    dictionary = array.dictionary
    assert dictionary is not None
    return (
        dictionary.nulls is None
        and dictionary.kind not in {ArrayKind.DICTIONARY, ArrayKind.NULL}
        and dictionary.length <= max(array.length, _FEW_ENTRIES)
    )


def _looked_up(
    node: SchemaNode, array: ValueArray, entries: _Entries
) -> tuple[ValueArray, _Entries]:
    """Return what codes stand for, and entries whose slots are there."""
    missing = _missing_slots(array)
    codes = _codes_of(node, array, missing)
    values = array.dictionary
    while values is not None:
        # A slot of a dictionary may be missing, or be a code itself.
        if values.kind is ArrayKind.NULL:
            missing[:] = True
        elif values.nulls is not None and values.length:
            missing |= _missing_slots(values)[codes]
        if values.kind is not ArrayKind.DICTIONARY:
            break
        inner = _codes_of(node, values, _missing_slots(values))
        if values.length:
            codes = inner[codes]
        values = values.dictionary
    assert values is not None
    told = replace(array, nulls=Nulls(missing.view(np.uint8), is_bitmap=False))
    entries = _present(node, told, entries, wants_slots=True)
    slots = codes if entries.slots is None else codes[entries.slots]
    return replace(values, nulls=None), replace(entries, slots=slots)


def _codes_of(node: SchemaNode, array: ValueArray, missing: _Array) -> _Array:
    """Return an array's codes as int64, those of missing slots as 0."""
    assert array.values is not None
    assert array.dictionary is not None
    codes = array.values[: array.length].astype(np.int64)
    codes[missing] = 0
    outside = (codes < 0) | (codes >= array.dictionary.length)
    outside &= ~missing
    if outside.any():
        slot = int(np.argmax(outside))
        raise ValueOutOfRange(
            f"code {array.values[slot]} in slot {slot:,} is outside of the dictionary, which has "
            f"{array.dictionary.length:,} values"
        ).located(column=node.dotted)
    return codes


def _missing_slots(array: ValueArray) -> _Array:
    """Return a new boolean for each slot: whether it is missing."""
    nulls = array.nulls
    if nulls is None:
        return np.full(array.length, array.kind is ArrayKind.NULL)
    missing: _Array
    if nulls.is_bitmap:
        stop = nulls.bit_offset + array.length
        bits = np.unpackbits(nulls.buffer.view(np.uint8), count=stop, bitorder="little")
        missing = bits[nulls.bit_offset :] == 0
    else:
        missing = nulls.buffer[: array.length] != 0
    return missing


# --------------------------------------------------------------------------------------- structure


def _members(node: SchemaNode, array: ValueArray) -> tuple[ValueArray, ...]:
    if array.kind is ArrayKind.NULL:
        return (replace(array, length=0),) * len(node.children)
    for child in array.children:
        if child.length != array.length and child.kind is not ArrayKind.NULL:
            raise SchemaMismatch(
                f"a member of the struct has {child.length:,} slots, and the struct itself has "
                f"{array.length:,}"
            ).located(column=node.dotted)
    if len(array.children) != len(node.children):
        raise SchemaMismatch(
            f"its structs have {len(array.children)} members, and {len(node.children)} in the "
            "schema; all that is written to one file has to have one schema"
        ).located(column=node.dotted)
    return array.children


def _expanded(
    node: SchemaNode, array: ValueArray, entries: _Entries
) -> tuple[ValueArray, _Entries]:
    """Return entries of the elements of lists, and the array that they stand in."""
    level, depth = entries.level + 1, entries.depth + 1
    if not entries.alive:
        repetition = entries.repetition
        if repetition is None:
            repetition = np.zeros(entries.count, np.uint8)
        child = array.children[0].slice(0, 0) if array.children else ValueArray(ArrayKind.NULL, 0)
        ended = replace(entries, level=level, depth=depth, repetition=repetition, slots=None)
        if ended.definition is None:
            ended = replace(ended, definition=np.zeros(entries.count, np.uint8))
        return child, ended
    (child,) = array.children
    offsets = array.offsets
    assert offsets is not None
    assert len(offsets) > array.length
    lists = (
        _at(entries.definition),
        entries.count,
        entries.level,
        _at(entries.slots),
        address(offsets),
        offsets.itemsize,
    )
    measured = np.empty(3, np.int64)
    is_dense = KERNEL.measure_lists(*lists, child.length, address(measured))
    if is_dense < 0:
        raise SchemaMismatch(
            f"the offsets of its lists go backwards, or outside of the {child.length:,} elements"
        ).located(column=node.dotted)
    count, elements, first = measured.tolist()
    repetition = new_array(count, np.uint8)
    definition = None if elements == count else new_array(count, np.uint8)
    written = KERNEL.expand_lists(
        lists[0],
        _at(entries.repetition),
        *lists[1:],
        count,
        depth,
        _at(definition),
        address(repetition),
    )
    assert written == count
    slots = None
    if is_dense:
        child = child.slice(first, first + elements)
    else:
        slots = new_array(elements + 7, np.int64)[:elements]
        KERNEL.slots_of_elements(
            lists[3], entries.alive, address(offsets), offsets.itemsize, address(slots)
        )
    return child, _Entries(count, elements, level, depth, definition, repetition, slots)


# --------------------------------------------------------------------------------------- addresses


def _at(array: _Array | None) -> int:
    return 0 if array is None else address(array)


def _nulls(nulls: Nulls, length: int) -> tuple[int, int, int]:
    """Return where nulls are, as kernels take them."""
    needed = (nulls.bit_offset + length + 7) >> 3 if nulls.is_bitmap else length
    assert nulls.buffer.nbytes >= needed
    assert nulls.buffer.flags.c_contiguous
    return address(nulls.buffer), int(nulls.is_bitmap), nulls.bit_offset
