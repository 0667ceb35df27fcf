"""What a field of the schema is, in a few words."""

from __future__ import annotations

from hocket.parquet.cli.output import printable
from hocket.parquet.metadata.logical import LogicalKind
from hocket.parquet.metadata.schema import SchemaNode

__all__ = ["type_words"]


def type_words(node: SchemaNode) -> str:
    """Return what a field means, how it is stored, and whether it can be missing."""
    told = []
    if node.logical.kind is not LogicalKind.NONE:
        told.append(printable(str(node.logical)))
    if node.physical is not None:
        length = f"({node.type_length})" if node.type_length else ""
        told.append(f"{node.physical.name}{length}")
    elif not told:
        told.append("group")
    told.append(node.repetition.name.lower())
    if node.field_id is not None:
        told.append(f"id {node.field_id}")
    return ", ".join(told)
