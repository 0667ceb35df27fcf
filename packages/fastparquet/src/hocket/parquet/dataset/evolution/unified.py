"""One schema for files that have several: all columns of all of them, each of the widest type."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from hocket.parquet.dataset.evolution.common_type import LeafShape, common_shape
from hocket.parquet.errors import SchemaMismatch
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    Repetition,
    Schema,
    SchemaNode,
)
from hocket.parquet.nesting.fields import Field, FieldKind, fields_of
from hocket.parquet.records import dataclass, field, replace

__all__ = ["named", "unified_schema"]

_NONE: Final = LogicalType(LogicalKind.NONE)
_OF_KINDS: Final = {
    FieldKind.LIST: LogicalType(LogicalKind.LIST),
    FieldKind.MAP: LogicalType(LogicalKind.MAP),
}


@dataclass(slots=True)
class _Member:
    """A field of the schema in the making.

    Parameters
    ----------
    kind, name, nullable
        As in `Field`.
    logical
        Of the node.
    field_id
        Of the node.
    origin
        The file that it comes from, or that made it as wide as it is.
    shape
        Of a leaf.
    children
        As in `Field`.
    names
        Of lists and maps: how the repeated group is called, and the element of a list.
    known
        In how many schemas it is.
    """

    kind: FieldKind
    name: str
    nullable: bool
    logical: LogicalType
    field_id: int | None
    origin: str
    shape: LeafShape | None = None
    children: list[_Member] = field(default_factory=list)
    names: tuple[str, str] = ("list", "element")
    known: int = 1

    @property
    def is_null(self) -> bool:
        """Whether nothing is known of its values, as there are none."""
        return self.shape is not None and self.shape.is_null

    @property
    def description(self) -> str:
        """The type in a few words."""
        if self.shape is None:
            return f"a {self.kind}"
        return self.shape.leaf().description


def unified_schema(
    schemas: Sequence[tuple[str, Schema]], partitions: Collection[str] = ()
) -> Schema:
    """Return the schema that holds what files of different schemas have.

    Parameters
    ----------
    schemas
        Each different schema once, with a file that has it. The first gives the order of columns;
        what it does not have comes behind them.
    partitions
        Names of columns that directories tell: such a column is left out unless all files have it.

    Raises
    ------
    SchemaMismatch
        A column has types that no type holds together.
    """
    label, first = schemas[0]
    columns = [_member(each, label) for each in fields_of(first)]
    for label, schema in schemas[1:]:
        _merge_members(columns, fields_of(schema), label, _Way())
    columns = [
        each for each in columns if each.known == len(schemas) or each.name not in partitions
    ]
    return _schema_of(columns, first.root)


def named(fields: Sequence[Field]) -> list[tuple[tuple[str, int], Field]]:
    """Return fields with their names; of several with one name, each has a number."""
    counts: dict[str, int] = {}
    result = []
    for each in fields:
        number = counts[each.name] = counts.get(each.name, -1) + 1
        result.append(((each.name, number), each))
    return result


def _member(own: Field, label: str) -> _Member:
    """Return a field as the beginning of a member."""
    node = own.node
    is_bare = own.kind is FieldKind.LIST and own.children[0].node is node
    made = _Member(
        own.kind,
        own.name,
        own.nullable,
        _OF_KINDS.get(own.kind, node.logical),
        None if is_bare else node.field_id,
        label,
        children=[_member(child, label) for child in own.children],
    )
    if own.kind is FieldKind.LEAF:
        made.shape = LeafShape.of(node)
    elif own.kind is FieldKind.MAP:
        made.names = (node.children[0].name, "")
    elif own.kind is FieldKind.LIST:
        made.names = _names_of_list(own)
    return made


def _names_of_list(own: Field) -> tuple[str, str]:
    """Return how a list calls its parts, where it has those that lists have today."""
    element = own.children[0].node
    repeated = element.parent
    if element is own.node or repeated is None or repeated.parent is not own.node:
        return ("list", "element")
    if (
        repeated.name in ("array", f"{own.name}_tuple")
        or own.node.logical.kind is not LogicalKind.LIST
    ):
        return ("list", "element")
    return (repeated.name, element.name)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a member stands.

    Parameters
    ----------
    names
        From the column down to it.
    in_variant
        What it is a member of in a Variant: a "group" of value and typed value, or an "object" (or
        list) of such groups. The types there say what values are, so that they must not change; and
        fields that are stored apart hide others of their name.
    """

    names: tuple[str, ...] = ()
    in_variant: str = ""

    def to(self, name: str) -> _Way:
        """Return the place of a member of it."""
        return replace(self, names=(*self.names, name))

    def inside(self, kind: FieldKind) -> _Way:
        """Return the place of what is in a member of a kind."""
        if kind is FieldKind.VARIANT or self.in_variant == "object":
            return replace(self, in_variant="group")
        return replace(self, in_variant="object") if self.in_variant else self


def _merge_members(members: list[_Member], others: Sequence[Field], label: str, way: _Way) -> None:
    """Make members those of another schema as well."""
    theirs = dict(named(others))
    counts: dict[str, int] = {}
    for at, member in enumerate(members):
        number = counts[member.name] = counts.get(member.name, -1) + 1
        other = theirs.pop((member.name, number), None)
        if other is None:
            _check_may_lack(member, label, way)
            member.nullable = True
        else:
            members[at] = _merged(member, other, label, way.to(member.name))
    for other in theirs.values():
        added = _member(other, label)
        _check_may_lack(added, label, way)
        added.nullable = True
        members.append(added)


def _check_may_lack(member: _Member, label: str, way: _Way) -> None:
    """Refuse Variants of which only some files keep a field of objects apart."""
    if way.in_variant == "object":
        raise SchemaMismatch(
            f"the Variant's field {member.name!r} is stored apart in some files, and not in all; "
            "write the others anew, or read them apart",
            file=label,
            column=".".join(way.names),
        )


def _merged(member: _Member, other: Field, label: str, way: _Way) -> _Member:
    """Return a member that is also what another schema has."""
    if member.is_null and other.kind is not FieldKind.LEAF:
        made = _member(other, label)
        made.nullable, made.known = True, member.known + 1
        return made
    member.known += 1
    member.nullable = member.nullable or other.nullable
    if other.kind is FieldKind.LEAF and LeafShape.of(other.node).is_null:
        member.nullable = True
        return member
    if member.kind is not other.kind:
        raise _mismatch(member, other, label, way)
    if member.kind is FieldKind.LEAF:
        _widen(member, other, label, way)
        return member
    if member.logical != other.node.logical:
        member.logical = _OF_KINDS.get(member.kind, _NONE)
    if member.kind in (FieldKind.LIST, FieldKind.MAP):
        pairs = enumerate(zip(member.children, other.children, strict=True))
        for at, (child, own) in pairs:
            inner = way.inside(member.kind).to(child.name)
            member.children[at] = _merged(child, own, label, inner)
        return member
    if member.kind is FieldKind.VARIANT:
        member.logical = other.node.logical
    _merge_members(member.children, other.children, label, way.inside(member.kind))
    return member


def _widen(member: _Member, other: Field, label: str, way: _Way) -> None:
    assert member.shape is not None
    shape = LeafShape.of(other.node)
    found = common_shape(member.shape, shape)
    if found is None or (way.in_variant and shape != member.shape):
        raise _mismatch(member, other, label, way)
    if found != member.shape:
        if not member.is_null:
            member.nullable = member.nullable or other.nullable
        member.shape, member.origin = found, label
        member.logical = found.logical


def _mismatch(member: _Member, other: Field, label: str, way: _Way) -> SchemaMismatch:
    own = (
        f"a {other.kind}"
        if other.kind is not FieldKind.LEAF
        else LeafShape.of(other.node).leaf().description
    )
    return SchemaMismatch(
        f"the column is {own} here, and {member.description} in {member.origin}: no type holds the "
        "values of both exactly; write one of the files anew with the other's type, or read them "
        "apart",
        file=label,
        column=".".join(way.names),
    )


# ------------------------------------------------------------------------------ nodes of members


def _schema_of(columns: Sequence[_Member], root: SchemaNode) -> Schema:
    """Return the schema that has some columns."""
    top = _node(root.name, None, Repetition.REQUIRED, root.logical)
    leaves: list[SchemaNode] = []
    top.children = tuple(_grown(each, top, leaves) for each in columns)
    return Schema(top, tuple(leaves))


def _grown(member: _Member, parent: SchemaNode, leaves: list[SchemaNode]) -> SchemaNode:
    repetition = Repetition.OPTIONAL if member.nullable else Repetition.REQUIRED
    node = _node(member.name, parent, repetition, member.logical, member.field_id)
    if member.shape is not None:
        node.physical, node.type_length = member.shape.physical, member.shape.type_length
        node.column_index = len(leaves)
        leaves.append(node)
        return node
    inner = node
    if member.kind in (FieldKind.LIST, FieldKind.MAP):
        inner = _node(member.names[0], node, Repetition.REPEATED, _NONE)
        node.children = (inner,)
    members = member.children
    if member.kind is FieldKind.LIST:
        members = [replace(member.children[0], name=member.names[1])]
    inner.children = tuple(_grown(each, inner, leaves) for each in members)
    return node


def _node(
    name: str,
    parent: SchemaNode | None,
    repetition: Repetition,
    logical: LogicalType,
    field_id: int | None = None,
) -> SchemaNode:
    definition, levels, slot = 0, 0, 0
    if parent is not None:
        definition, levels, slot = (
            parent.max_definition,
            parent.max_repetition,
            parent.slot_definition,
        )
    if repetition is not Repetition.REQUIRED:
        definition += 1
    if repetition is Repetition.REPEATED:
        levels += 1
        slot = definition
    return SchemaNode(
        name,
        parent,
        repetition,
        field_id,
        logical,
        None,
        None,
        0,
        definition,
        levels,
        slot,
        -1,
    )
