"""Whether the files of a dataset have one schema, whatever the order of their columns."""

from __future__ import annotations

from collections.abc import Sequence

from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.errors import SchemaMismatch
from hocket.parquet.metadata.schema import Schema, SchemaNode

__all__ = ["agree"]


def agree(files: Sequence[DataFile], schema: Schema) -> frozenset[int]:
    """Check that all files have the columns of a schema, and note in which order.

    Parameters
    ----------
    files
        Their `leaf_order` is set where it is not that of the schema.
    schema
        What they must have.

    Returns
    -------
    frozenset of int
        Columns that are required in the schema and optional in a file.

    Raises
    ------
    SchemaMismatch
        A column is missing, or of another type, or is one too many.
    """
    nullable: set[int] = set()
    for file in files:
        if file.metadata.schema is not schema and file.metadata.schema != schema:
            file.leaf_order = _leaf_order(file, schema, nullable)
    return frozenset(nullable)


def _leaf_order(file: DataFile, schema: Schema, nullable: set[int]) -> tuple[int, ...]:
    there = {leaf.path: leaf for leaf in file.metadata.schema.leaves}
    known = {leaf.path for leaf in schema.leaves}
    extra = [leaf for leaf in file.metadata.schema.leaves if leaf.path not in known]
    if extra:
        raise SchemaMismatch(
            "the file has a column that the first file of the dataset does not have; "
            "leave the file out, or open it alone",
            file=file.label,
            column=extra[0].dotted,
        )
    order = []
    for leaf in schema.leaves:
        own = there.get(leaf.path)
        if own is None:
            raise SchemaMismatch(
                "the file does not have the column, and the first file of the dataset has it; "
                "leave the file out, or open it alone",
                file=file.label,
                column=leaf.dotted,
            )
        if _differ(own, leaf):
            raise SchemaMismatch(
                f"the column is {own.description}, and in the first file of the dataset "
                f"{leaf.description}",
                file=file.label,
                column=leaf.dotted,
            )
        if own.max_definition > leaf.max_definition:
            nullable.add(leaf.column_index)
        order.append(own.column_index)
    return tuple(order)


def _differ(own: SchemaNode, leaf: SchemaNode) -> bool:
    if (own.physical, own.type_length, own.logical) != (
        leaf.physical,
        leaf.type_length,
        leaf.logical,
    ):
        return True
    if len(leaf.path) == 1 and leaf.max_repetition == own.max_repetition == 0:
        # Whether a flat column may have nulls can differ from file to file.
        return False
    return (own.max_definition, own.max_repetition) != (leaf.max_definition, leaf.max_repetition)
