"""The schema: a tree of fields, whose leaves are the columns of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import ColumnMissing, CorruptFile, UnsupportedFeature
from hocket.parquet.kernels.source import schema as layout
from hocket.parquet.metadata.logical import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    logical_type_of,
)
from hocket.parquet.records import dataclass, field

__all__ = [
    "DEPTH_MAX",
    "LogicalKind",
    "LogicalType",
    "PhysicalType",
    "Repetition",
    "Schema",
    "SchemaNode",
    "build_schema",
]

#: Fields may be nested this deeply, the root counted.
DEPTH_MAX: Final = 64

_PHYSICAL: Final = tuple(PhysicalType)
_REPETITION: Final = tuple(Repetition)
_FIXED: Final = PhysicalType.FIXED_LEN_BYTE_ARRAY

#: Number of FILE among the logical types.
_FILE_MEMBER: Final = 19

#: Names of the fields that a group of logical type FILE may have.
_FILE_FIELDS: Final = {"path", "uri", "offset", "size", "content_type", "checksum", "inline"}


@dataclass(slots=True, eq=False, repr=False)
class SchemaNode:
    """A field of the schema.

    Parameters
    ----------
    name
        Its name in its parent.
    parent
        The group that it is in; None for the root.
    repetition
        How often it is there in its parent.
    field_id
        The number that the writer gave it, if any.
    logical
        What it means.
    converted_type
        The older kind of logical type, as the file has it.
    physical
        What a leaf's values are stored as; None for groups.
    type_length
        Bytes of each value of FIXED_LEN_BYTE_ARRAY; else 0.
    max_definition, max_repetition
        The largest levels that entries can have here.
    slot_definition
        The definition level from which on an entry has a slot in the leaf's array: the level of the
        innermost repeated field on the way here, this one counted; 0 if none is.
    column_index
        Which of the leaves this is; -1 for groups.
    children
        Fields of a group, in their order.
    """

    name: str
    parent: SchemaNode | None
    repetition: Repetition
    field_id: int | None
    logical: LogicalType
    converted_type: int | None
    physical: PhysicalType | None
    type_length: int
    max_definition: int
    max_repetition: int
    slot_definition: int
    column_index: int
    children: tuple[SchemaNode, ...] = ()
    _path: tuple[str, ...] | None = field(default=None, init=False)

    @property
    def is_leaf(self) -> bool:
        """Whether this is a column."""
        return self.physical is not None

    @property
    def path(self) -> tuple[str, ...]:
        """Names from below the root down to this field."""
        if self._path is None:
            # Deep schemas with many leaves would take much memory if each had its path at once.
            names = []
            node = self
            while node.parent is not None:
                names.append(node.name)
                node = node.parent
            self._path = tuple(reversed(names))
        return self._path

    @property
    def dotted(self) -> str:
        """The path with dots between the names."""
        return ".".join(self.path)

    def __repr__(self) -> str:
        return f"<SchemaNode {self.dotted or self.name!r}: {self.description}>"

    @property
    def description(self) -> str:
        """Types and repetition in a few words."""
        told: list[str] = []
        if self.physical is not None:
            length = f"({self.type_length})" if self.physical is _FIXED else ""
            told.append(f"{self.physical.name}{length}")
        if self.logical.kind is not LogicalKind.NONE:
            told.append(str(self.logical))
        if self.parent is not None:
            told.append(self.repetition.name)
        if self.field_id is not None:
            told.append(f"id {self.field_id}")
        return ", ".join(told)


class Schema:
    """The fields of a file.

    Parameters
    ----------
    root
        The group of all top-level fields.
    leaves
        The columns in their order.
    """

    def __init__(self, root: SchemaNode, leaves: tuple[SchemaNode, ...]) -> None:
        self.root = root
        self.leaves = leaves
        self._by_name: dict[str, SchemaNode] | None = None

    @property
    def fields(self) -> tuple[SchemaNode, ...]:
        """The top-level fields."""
        return self.root.children

    def nodes(self) -> Iterator[SchemaNode]:
        """Yield all nodes, each before its children, the root first."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def leaves_under(self, node: SchemaNode) -> tuple[SchemaNode, ...]:
        """Return the columns that make up a field: the field itself if it is one."""
        return tuple(each for each in Schema(node, ()).nodes() if each.is_leaf)

    def find(self, path: str | Sequence[str]) -> SchemaNode:
        """Return a field by its path.

        Parameters
        ----------
        path
            Names from below the root, or one string: the name of a top-level field, or names with
            dots between them. Of fields with equal names the first is found.
        """
        if self._by_name is None:
            self._by_name = {}
            for node in self.fields:
                self._by_name.setdefault(node.name, node)
        found: SchemaNode | None = None
        if isinstance(path, str):
            found = self._by_name.get(path) or _spelled(self.root, path)
        elif path:
            found = self._by_name.get(path[0])
            for name in path[1:]:
                children = found.children if found is not None else ()
                found = next((child for child in children if child.name == name), None)
        if found is None:
            raise ColumnMissing(self._missing(path if isinstance(path, str) else ".".join(path)))
        return found

    def _missing(self, dotted: str) -> str:
        import difflib  # noqa: PLC0415 - needed by nobody else

        # Comparing is slow; names among so many are not guessed by hand anyway.
        known = [node.dotted for node in islice(self.nodes(), 1, 5000)]
        close = difflib.get_close_matches(dotted, known, n=3)
        if close:
            return f"there is no column {dotted!r}; did you mean {' or '.join(map(repr, close))}?"
        shown = ", ".join(repr(node.name) for node in self.fields[:10])
        more = "" if len(self.fields) <= 10 else f" and {len(self.fields) - 10} more"
        return f"there is no column {dotted!r}; there are {shown}{more}"

    @property
    def text(self) -> str:
        """The tree as lines of text."""
        lines = []
        waiting = [(self.root, 0)]
        while waiting:
            node, depth = waiting.pop()
            lines.append(f"{'| ' * depth}- {node.name}: {node.description}")
            waiting.extend((child, depth + 1) for child in reversed(node.children))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Schema of {len(self.leaves)} columns>\n{self.text}"

    def signature(self) -> list[Any]:
        """Return what two schemas are compared by: all of their fields, but no name of a root."""
        return [
            (
                n.name,
                n.repetition,
                n.field_id,
                n.logical,
                n.physical,
                n.type_length,
                len(n.children),
            )
            for n in self.nodes()
        ][1:]

    def __eq__(self, other: object) -> bool:
        """Two schemas are equal if their fields are; the root's own name does not count."""
        return isinstance(other, Schema) and self.signature() == other.signature()

    __hash__ = None  # type: ignore[assignment]


def _spelled(group: SchemaNode, dotted: str) -> SchemaNode | None:
    """Find a field by names with dots between them, of which some may have dots of their own."""
    for child in group.children:
        if child.name == dotted:
            return child
        if dotted.startswith(f"{child.name}."):
            found = _spelled(child, dotted[len(child.name) + 1 :])
            if found is not None:
                return found
    return None


def build_schema(table: np.ndarray[Any, Any], data: np.ndarray[Any, Any]) -> Schema:
    """Return the tree of a list of schema elements, each before its children.

    Parameters
    ----------
    table
        A row of numbers for each element, as the kernel `scan_schema` writes them.
    data
        The bytes of the footer, where the names are.
    """
    if not len(table):
        raise CorruptFile("the schema has no elements, and it must have a root")
    raw = data.data
    rows: list[list[int]] = table.tolist()
    root = _root_of(rows[0], raw)
    leaves: list[SchemaNode] = []
    #: Groups that are open: the node, its children so far, how many are still to come.
    open_groups: list[tuple[SchemaNode, list[SchemaNode]]] = [(root, [])]
    left = [max(rows[0][layout.CHILD_COUNT], 0)]
    for row in rows[1:]:
        while left and left[-1] == 0:
            node, children = open_groups.pop()
            node.children = tuple(children)
            left.pop()
        if not left:
            raise CorruptFile(f"the schema has {len(rows)} elements, and some have no parent")
        left[-1] -= 1
        parent, siblings = open_groups[-1]
        node = _node_of(row, parent, len(leaves), raw)
        siblings.append(node)
        if node.physical is not None:
            leaves.append(node)
        else:
            if len(open_groups) == DEPTH_MAX:
                raise CorruptFile(f"the schema is nested more than {DEPTH_MAX} levels deep")
            open_groups.append((node, []))
            left.append(max(row[layout.CHILD_COUNT], 0))
    if any(left):
        raise CorruptFile(
            f"the schema has {len(rows)} elements, and groups that want more children"
        )
    for node, children in open_groups:
        node.children = tuple(children)
    schema = Schema(root, tuple(leaves))
    _check_files(schema, rows)
    return schema


def _root_of(row: list[int], raw: memoryview) -> SchemaNode:
    at = row[layout.NAME_AT]
    name = str(raw[at : at + row[layout.NAME_NBYTES]], "utf-8", "backslashreplace")
    return SchemaNode(
        name=name,
        parent=None,
        repetition=Repetition.REQUIRED,
        field_id=row[layout.FIELD_ID] if row[layout.HAS_FIELD_ID] else None,
        logical=LogicalType(LogicalKind.NONE),
        converted_type=None,
        physical=None,
        type_length=0,
        max_definition=0,
        max_repetition=0,
        slot_definition=0,
        column_index=-1,
    )


def _node_of(row: list[int], parent: SchemaNode, column: int, raw: memoryview) -> SchemaNode:
    # In the order of kernels.source.schema.
    (
        nbytes,
        physical,
        type_length,
        repetition,
        at,
        child_count,
        converted,
        scale,
        precision,
        field_id,
        member,
        first,
        second,
        text_at,
        text_nbytes,
        has_field_id,
    ) = row
    name = str(raw[at : at + nbytes], "utf-8", "backslashreplace")
    if not -1 <= repetition <= 2:
        raise UnsupportedFeature(f"field {name!r} has the unknown repetition {repetition}")
    definition, levels, slot = parent.max_definition, parent.max_repetition, parent.slot_definition
    if repetition > 0:
        definition += 1
        if repetition == 2:
            levels += 1
            slot = definition
    if child_count > 0 or physical == -1:
        physical, column = -1, -1
    elif not 0 <= physical < len(_PHYSICAL):
        raise UnsupportedFeature(f"column {name!r} has the unknown physical type {physical}")
    if physical == _FIXED:
        if type_length <= 0:
            raise CorruptFile(
                f"column {name!r} has values of a fixed length of {type_length} bytes"
            )
    else:
        type_length = 0
    text = None
    if text_at >= 0:
        text = str(raw[text_at : text_at + text_nbytes], "utf-8", "backslashreplace")
    return SchemaNode(
        name,
        parent,
        # A field that does not say how often it is there is taken for required, as others take it.
        _REPETITION[repetition] if repetition >= 0 else Repetition.REQUIRED,
        field_id if has_field_id else None,
        logical_type_of(
            physical, type_length, converted, (scale, precision), member, (first, second), text
        ),
        converted if converted >= 0 else None,
        _PHYSICAL[physical] if physical >= 0 else None,
        type_length,
        definition,
        levels,
        slot,
        column,
    )


def _check_files(schema: Schema, rows: list[list[int]]) -> None:
    """Take back the logical type FILE where a group is no such thing."""
    if not any(row[layout.MEMBER] == _FILE_MEMBER for row in rows):
        return
    for node in schema.nodes():
        if node.logical.kind is LogicalKind.FILE and not (
            node.children and {child.name for child in node.children} <= _FILE_FIELDS
        ):
            node.logical = LogicalType(LogicalKind.UNRECOGNISED)
