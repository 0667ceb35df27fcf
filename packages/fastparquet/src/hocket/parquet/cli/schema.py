"""``schema``: the tree of columns with their types."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from hocket.parquet.cli.opened import chosen_leaves, opened_collection
from hocket.parquet.cli.output import Output, printable
from hocket.parquet.cli.type_words import type_words
from hocket.parquet.dataset.partitions import Partition
from hocket.parquet.metadata.logical import LogicalKind
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["run"]


def run(options: Namespace, output: Output) -> int:
    """Show the schema; return the exit code."""
    collection = opened_collection(options)
    schema = collection.schema
    shown = _with_parents(chosen_leaves(options, schema)) if options.columns else None
    partitions = [] if options.columns else collection.partitions
    if options.json:
        document: dict[str, Any] = {"columns": _objects(schema.root, shown)}
        if collection.partitions:
            document["partitions"] = [_partition(each) for each in partitions]
        output.json(document)
        return 0
    lines: list[tuple[str, str]] = []
    waiting = [(node, 0) for node in reversed(schema.fields)]
    while waiting:
        node, depth = waiting.pop()
        if shown is not None and id(node) not in shown:
            continue
        lines.append((f"{'  ' * depth}{printable(node.name)}", type_words(node)))
        waiting += [(child, depth + 1) for child in reversed(node.children)]
    lines += [(printable(each.name), f"partition, {each.values.dtype}") for each in partitions]
    output.pairs(lines)
    return 0


def _with_parents(leaves: list[SchemaNode]) -> set[int]:
    found: set[int] = set()
    for leaf in leaves:
        node: SchemaNode | None = leaf
        while node is not None:
            found.add(id(node))
            node = node.parent
    return found


def _objects(group: SchemaNode, shown: set[int] | None) -> list[dict[str, Any]]:
    # The schema's depth is bounded.
    return [_object(node, shown) for node in group.children if shown is None or id(node) in shown]


def _object(node: SchemaNode, shown: set[int] | None) -> dict[str, Any]:
    logical = node.logical
    made: dict[str, Any] = {
        "name": node.name,
        "path": node.dotted,
        "repetition": node.repetition.name,
        "logical_type": None if logical.kind is LogicalKind.NONE else str(logical),
        "field_id": node.field_id,
    }
    if node.physical is None:
        made["fields"] = _objects(node, shown)
        return made
    made["physical_type"] = node.physical.name
    made["type_length"] = node.type_length or None
    made["column_index"] = node.column_index
    made["max_definition_level"] = node.max_definition
    made["max_repetition_level"] = node.max_repetition
    return made


def _partition(partition: Partition) -> dict[str, Any]:
    return {"name": partition.name, "values": [str(each) for each in partition.values]}
