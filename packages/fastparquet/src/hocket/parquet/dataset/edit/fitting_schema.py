"""New columns for files that are there: in their order, of their types where that loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import Storing, WriteField, WriteKind
from hocket.parquet.errors import SchemaMismatch
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType, Repetition
from hocket.parquet.metadata.schema import Schema, SchemaNode
from hocket.parquet.records import dataclass, replace
from hocket.parquet.writing.schema import schema_elements, schema_of

__all__ = ["Fitted", "fitted"]

_NUMBERS: Final = (LogicalKind.NONE, LogicalKind.INTEGER)
_WIDER: Final = {
    PhysicalType.INT32: PhysicalType.INT64,
    PhysicalType.FLOAT: PhysicalType.DOUBLE,
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Columns as a file has them.

    Parameters
    ----------
    fields
        The columns, in the file's order.
    order
        Which of the new columns each is.
    """

    fields: tuple[WriteField, ...]
    order: tuple[int, ...]

    def arranged(self, arrays: Sequence[ValueArray]) -> list[ValueArray]:
        """Return the values of new columns in the file's order."""
        return [arrays[at] for at in self.order]


def fitted(schema: Schema, fields: Sequence[WriteField], keys: Sequence[str], file: str) -> Fitted:
    """Return new columns as a file has them, or say why that cannot be.

    Parameters
    ----------
    schema
        The file's.
    fields
        The new columns.
    keys
        Which of them are not in files.
    file
        What errors call the file.
    """
    names = [field.name for field in fields]
    wanted = [node.name for node in schema.fields]
    extra = [name for name in names if name not in wanted and name not in keys]
    missing = [name for name in wanted if name not in names]
    if extra or missing or len(names) != len(wanted) + len(keys):
        told = [
            f"{what} {', '.join(map(repr, which[:5]))}"
            for what, which in (("new:", extra), ("missing:", missing))
            if which
        ]
        raise SchemaMismatch(
            f"the columns to be added are not those of what is there ({'; '.join(told)}); add or "
            "leave out columns, or write elsewhere",
            file=file,
        )
    rest = {name: [at for at, each in enumerate(names) if each == name] for name in names}
    order = [rest[name].pop(0) for name in wanted]
    made = [_field(fields[at], node) for at, node in zip(order, schema.fields, strict=True)]
    found = schema_of(schema_elements(made))
    for new, old in zip(found.fields, schema.fields, strict=True):
        _check(new, old, file)
    key_at = [names.index(key) for key in keys]
    return Fitted((*made, *(fields[at] for at in key_at)), (*order, *key_at))


def _field(field: WriteField, node: SchemaNode) -> WriteField:
    """Return a new column with the type of an old one, where it holds all its values."""
    field = replace(field, nullable=node.repetition is Repetition.OPTIONAL, field_id=node.field_id)
    if field.kind is not WriteKind.LEAF or node.physical is None:
        return field
    nothing = field.logical.kind is LogicalKind.UNKNOWN
    wider = (
        field.physical is not None
        and _WIDER.get(field.physical) is node.physical
        and field.storing is Storing.AS_IS
        and field.logical.kind in _NUMBERS
        and node.logical.kind in _NUMBERS
        and field.logical.is_signed
        and node.logical.is_signed
    )
    if not (nothing or wider):
        return field
    return replace(
        field,
        physical=node.physical,
        type_length=node.type_length,
        logical=node.logical,
        storing=Storing.AS_IS,
    )


def _check(new: SchemaNode, old: SchemaNode, file: str) -> None:
    if _signature(new) == _signature(old):
        return
    told = (
        f"{new.description}, and it is {old.description} in what is there"
        if new.is_leaf or old.is_leaf
        else f"\n{Schema(new, ()).text}\nand it is in what is there\n{Schema(old, ()).text}\n"
    )
    raise SchemaMismatch(
        f"the column to be added is {told}; convert it, or write elsewhere",
        file=file,
        column=new.dotted,
    )


def _signature(node: SchemaNode) -> list[object]:
    own = (node.repetition, node.field_id, node.logical, node.physical, node.type_length)
    return [own, *Schema(node, ()).signature()]
