"""Parts of nested columns by their paths: ``a.b.c`` keeps of ``a`` only what ``c`` needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from hocket.parquet.errors import ColumnMissing
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.records import replace

__all__ = ["project", "pruned"]

#: What Arrow and others call the parts of lists and maps, whatever the file calls them.
_ELEMENT_NAMES = frozenset({"element", "item"})
_REPEATED_NAMES = frozenset({"list", "key_value", "entries"})


def project(fields: Sequence[Field], names: Iterable[str | Sequence[str]]) -> tuple[Field, ...]:
    """Return the columns, or parts of columns, that paths name.

    A path is a column's name, or names with dots between them from the column down. The names of a
    list's repeated group and element may be left out: ``a.list.element.b`` is also ``a.b``; a map's
    members are ``key`` and ``value``. Several paths into one column make one column with all of
    these parts. Maps keep their keys.

    Parameters
    ----------
    fields
        The columns there are.
    names
        Paths, as strings or as sequences of names. The result has the columns in the order in which
        they are first named; each has its parts in the order of the schema.
    """
    by_name: dict[str, list[int]] = {}
    for index, field in enumerate(fields):
        by_name.setdefault(field.name, []).append(index)
    wanted: dict[int, set[int] | None] = {}
    for name in names:
        found = False
        for index, leaves in _matches(fields, by_name, name):
            found = True
            known = wanted.get(index, set())
            wanted[index] = None if leaves is None or known is None else known | leaves
        if not found:
            raise ColumnMissing(_missing(fields, name))
    return tuple(
        fields[index] if leaves is None else pruned(fields[index], leaves)
        for index, leaves in wanted.items()
    )


def pruned(field: Field, leaves: set[int]) -> Field:
    """Return what is left of a field with only some of its leaves.

    Parameters
    ----------
    field
        The field.
    leaves
        The `column_index` of each leaf to keep; at least one is the field's.
    """
    if field.kind is FieldKind.LEAF:
        return field
    kept = [child for child in field.children if _has_any(child, leaves)]
    kind = field.kind
    if kind is FieldKind.MAP:
        if len(kept) == 2:
            return replace(field, children=tuple(pruned(child, leaves) for child in kept))
        if kept[0] is field.children[1]:
            return replace(field, children=(field.children[0], pruned(kept[0], leaves)))
        kind = FieldKind.LIST
    children = tuple(pruned(child, leaves) for child in kept)
    if kind is FieldKind.VARIANT and children != field.children:
        # Parts of a variant are no variant.
        kind = FieldKind.STRUCT
    return replace(field, kind=kind, children=children)


def _has_any(field: Field, leaves: set[int]) -> bool:
    return any(leaf.column_index in leaves for leaf in field.leaves)


def _matches(
    fields: Sequence[Field], by_name: dict[str, list[int]], name: str | Sequence[str]
) -> Iterator[tuple[int, set[int] | None]]:
    """Yield the columns that a path leads to, and the leaves there; None for all of them."""
    if isinstance(name, str):
        whole = by_name.get(name)
        if whole is not None:
            yield from ((index, None) for index in whole)
            return
        path = tuple(name.split("."))
    else:
        path = tuple(name)
    # A name may have dots of its own, if it is not told where it ends.
    longest = len(path) if isinstance(name, str) else min(1, len(path))
    for length in range(1, longest + 1):
        for index in by_name.get(".".join(path[:length]), ()):
            leaves = _leaves_at(fields[index], path[length:])
            if leaves:
                yield index, None if length == len(path) else leaves


def _leaves_at(field: Field, path: tuple[str, ...]) -> set[int]:
    """Return the leaves that a path leads to from a field; none if it leads nowhere."""
    if not path:
        return {leaf.column_index for leaf in field.leaves}
    if field.kind is FieldKind.LEAF:
        return set()
    if field.kind is FieldKind.LIST:
        return _leaves_in_list(field, path)
    if field.kind is FieldKind.MAP:
        repeated = field.node.children[0]
        if path[0] == repeated.name or path[0] in _REPEATED_NAMES:
            found = _leaves_at_member(field.children, path[1:], ("key", "value"))
            if found or len(path) == 1:
                return found or {leaf.column_index for leaf in field.leaves}
        return _leaves_at_member(field.children, path, ("key", "value"))
    return _leaves_at_member(field.children, path, ())


def _leaves_in_list(field: Field, path: tuple[str, ...]) -> set[int]:
    element = field.children[0]
    repeated = _repeated_node(field)
    # The names of the schema come first, then names left out, then what others call them.
    own_name = set() if element.node is repeated else {element.name}
    rests = _without_names(path, {repeated.name}, own_name)
    rests += [path, *_without_names(path, _REPEATED_NAMES | {repeated.name}, _ELEMENT_NAMES)]
    for rest in dict.fromkeys(rests):
        found = _leaves_at(element, rest)
        if found:
            return found
    return set()


def _without_names(
    path: tuple[str, ...], repeated: Collection[str], element: Collection[str]
) -> list[tuple[str, ...]]:
    """Return what follows in a path after the names of a list's parts, both or one of them."""
    rests = []
    if path[0] in repeated:
        if len(path) > 1 and path[1] in element:
            rests.append(path[2:])
        rests.append(path[1:])
    if path[0] in element:
        rests.append(path[1:])
    return rests


def _repeated_node(field: Field) -> SchemaNode:
    """Return the node of a list that is repeated."""
    node = field.node
    if field.children[0].node is node:
        return node
    return node.children[0]


def _leaves_at_member(
    members: Sequence[Field], path: tuple[str, ...], other_names: Sequence[str]
) -> set[int]:
    for length in range(1, len(path) + 1):
        name = ".".join(path[:length])
        for index, member in enumerate(members):
            if name == member.name or (index < len(other_names) and name == other_names[index]):
                found = _leaves_at(member, path[length:])
                if found:
                    return found
    return set()


def _missing(fields: Sequence[Field], name: str | Sequence[str]) -> str:
    dotted = name if isinstance(name, str) else ".".join(name)
    known = {leaf.dotted for field in fields for leaf in field.leaves}
    known.update(field.name for field in fields)
    import difflib  # noqa: PLC0415 - needed by nobody else

    close = difflib.get_close_matches(dotted, sorted(known), n=3)
    if close:
        return f"there is no column {dotted!r}; did you mean {' or '.join(map(repr, close))}?"
    shown = ", ".join(repr(field.name) for field in fields[:10])
    more = "" if len(fields) <= 10 else f" and {len(fields) - 10} more"
    return f"there is no column {dotted!r}; there are {shown}{more}"
