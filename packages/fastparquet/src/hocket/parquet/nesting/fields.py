"""What a schema means: its groups as lists, maps, structs and variants.

Files write lists and maps in many ways. Here each becomes one kind of field, whatever its layout: a
list has one child, its element; a map has two, key and value. What is annotated in a way that makes
no sense is read as what it is made of: a struct, or a list for each repeated node.
"""

from __future__ import annotations

from enum import StrEnum

from hocket.parquet.metadata.schema import (
    LogicalKind,
    PhysicalType,
    Repetition,
    Schema,
    SchemaNode,
)
from hocket.parquet.records import dataclass

__all__ = ["Field", "FieldKind", "field_of", "fields_of"]


class FieldKind(StrEnum):
    """What a field's values are."""

    LEAF = "leaf"
    LIST = "list"
    MAP = "map"
    STRUCT = "struct"
    VARIANT = "variant"


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or a part of one, as a reader sees it.

    A slot of a field is where a value of it stands or is missing: a row, or an element of the
    innermost list around it.

    Parameters
    ----------
    kind
        What its values are.
    name
        Its name in the schema.
    node
        The leaf or group that it is. For a list without a group of its own (a bare repeated node)
        the list and its element have the same node.
    nullable
        Whether a value can be missing.
    slot_definition
        The definition level from which on a level entry is a slot of the field.
    definition
        The definition level from which on the slot holds a value.
    repetition
        The repetition level of the innermost list around the field: an entry with a higher one
        continues a list inside of the field's value.
    children
        The element of a list; key and value of a map; the members of a struct or variant. A
        leaf has none.
    element_definition
        For lists and maps, the definition level from which on an entry is an element.
    """

    kind: FieldKind
    name: str
    node: SchemaNode
    nullable: bool
    slot_definition: int
    definition: int
    repetition: int
    children: tuple[Field, ...] = ()
    element_definition: int = 0

    @property
    def is_flat(self) -> bool:
        """Whether this is a leaf in no list and no struct: one value a row, its nulls its own."""
        return self.kind is FieldKind.LEAF and len(self.node.path) == 1 and not self.repetition

    @property
    def leaves(self) -> tuple[SchemaNode, ...]:
        """The leaves below, or itself, in the schema's order."""
        if self.kind is FieldKind.LEAF:
            return (self.node,)
        return tuple(leaf for child in self.children for leaf in child.leaves)

    @property
    def representative(self) -> SchemaNode:
        """The leaf with the fewest level entries: its levels tell the field's own shape."""
        return min(self.leaves, key=lambda leaf: leaf.max_repetition)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: what its slots are, and whether it is the element of a list."""

    slot_definition: int = 0
    repetition: int = 0
    is_element: bool = False

    def below(self) -> _Place:
        """Return the place of a member of a group that stands here."""
        return _Place(self.slot_definition, self.repetition)

    def inside(self, repeated: SchemaNode, *, is_element: bool) -> _Place:
        """Return the place of what a repeated node repeats."""
        return _Place(repeated.max_definition, self.repetition + 1, is_element)


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """Return the columns of a schema as fields."""
    return tuple(field_of(node) for node in schema.root.children if _has_leaves(node))


def field_of(node: SchemaNode) -> Field:
    """Return a node right below a schema's root as a field."""
    return _field(node, _Place())


def _field(node: SchemaNode, place: _Place) -> Field:
    if node.repetition is Repetition.REPEATED and not place.is_element:
        # Repeated without a LIST or MAP around it: a required list of required elements.
        element = _field(node, place.inside(node, is_element=True))
        return Field(
            FieldKind.LIST,
            node.name,
            node,
            nullable=False,
            slot_definition=place.slot_definition,
            # What is around it is there one level before its elements are.
            definition=node.max_definition - 1,
            repetition=place.repetition,
            children=(element,),
            element_definition=node.max_definition,
        )
    if node.is_leaf:
        return _annotated(FieldKind.LEAF, node, place)
    repeated = _only_repeated_child(node)
    if repeated is not None:
        if node.logical.kind is LogicalKind.LIST:
            return _annotated_list(node, repeated, place)
        if node.logical.kind in (LogicalKind.MAP, LogicalKind.MAP_KEY_VALUE):
            return _annotated_map(node, repeated, place)
    below = place.below()
    members = tuple(_field(child, below) for child in node.children if _has_leaves(child))
    kind = FieldKind.VARIANT if _is_variant(node) else FieldKind.STRUCT
    return _annotated(kind, node, place, members)


def _annotated(
    kind: FieldKind,
    node: SchemaNode,
    place: _Place,
    children: tuple[Field, ...] = (),
    element_definition: int = 0,
) -> Field:
    """Return a field that a node of its own stands for."""
    return Field(
        kind,
        node.name,
        node,
        node.repetition is Repetition.OPTIONAL,
        place.slot_definition,
        node.max_definition,
        place.repetition,
        children,
        element_definition,
    )


def _annotated_list(node: SchemaNode, repeated: SchemaNode, place: _Place) -> Field:
    members = repeated.children
    is_element = (
        repeated.is_leaf
        or len(members) != 1
        or members[0].repetition is Repetition.REPEATED
        or repeated.name in ("array", f"{node.name}_tuple")
    )
    inside = place.inside(repeated, is_element=is_element)
    element = _field(repeated if is_element else members[0], inside)
    return _annotated(FieldKind.LIST, node, place, (element,), repeated.max_definition)


def _annotated_map(node: SchemaNode, repeated: SchemaNode, place: _Place) -> Field:
    members = repeated.children
    if len(members) not in (1, 2) or any(
        member.repetition is Repetition.REPEATED or not _has_leaves(member) for member in members
    ):
        # Neither keys nor keys and values: a list of what is there.
        element = _field(repeated, place.inside(repeated, is_element=True))
        return _annotated(FieldKind.LIST, node, place, (element,), repeated.max_definition)
    inside = place.inside(repeated, is_element=False)
    children = tuple(_field(member, inside) for member in members)
    # Keys without values are a list of keys.
    kind = FieldKind.MAP if len(children) == 2 else FieldKind.LIST
    return _annotated(kind, node, place, children, repeated.max_definition)


def _only_repeated_child(node: SchemaNode) -> SchemaNode | None:
    if len(node.children) == 1 and node.children[0].repetition is Repetition.REPEATED:
        return node.children[0] if _has_leaves(node) else None
    return None


def _is_variant(node: SchemaNode) -> bool:
    return node.logical.kind is LogicalKind.VARIANT and any(
        child.name == "metadata"
        and child.physical is PhysicalType.BYTE_ARRAY
        and child.repetition is not Repetition.REPEATED
        for child in node.children
    )


def _has_leaves(node: SchemaNode) -> bool:
    """Whether anything below a node is stored at all (groups without members are not)."""
    stack = [node]
    while stack:
        each = stack.pop()
        if each.is_leaf:
            return True
        stack.extend(each.children)
    return False
