"""Columns from anything that hands out Arrow data, without copies where that can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.errors import InvalidArrow, InvalidOption, ValueUnstorable
from hocket.parquet.intake.arrow_capsules import ArrowSource, OwnedArray, open_source
from hocket.parquet.intake.arrow_fields import write_field
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.arrow_values import ArrowValues, value_array
from hocket.parquet.records import replace

__all__ = ["ArrowBatches", "arrow_batches", "arrow_column"]


class ArrowBatches:
    """Columns, and their values batch by batch; they can be gone through once.

    Parameters
    ----------
    source
        Where arrays come from.
    types
        The Arrow type of each column.
    is_table
        Whether arrays are structs of the columns, or the only column itself.
    metadata
        Keys and values of the schema.
    decimal_integers
        See `write_field`.
    """

    def __init__(
        self,
        source: ArrowSource,
        types: tuple[ArrowType, ...],
        metadata: dict[str, bytes],
        *,
        is_table: bool,
        decimal_integers: bool,
    ) -> None:
        self._source = source
        self._is_table = is_table
        self.types = types
        self.fields: tuple[WriteField, ...] = tuple(
            write_field(each, decimal_integers=decimal_integers) for each in types
        )
        self.metadata = metadata

    def __iter__(self) -> Iterator[list[ValueArray]]:
        for array in self._source.arrays():
            length = array.structure.length
            if length:
                yield self._columns(array, length)

    def close(self) -> None:
        """Take no more batches."""
        self._source.close()

    def _columns(self, array: OwnedArray, length: int) -> list[ValueArray]:
        if not self._is_table:
            (column,) = self.types
            whole = ArrowValues(array, array.structure, column.name)
            return [value_array(column, whole, 0, length)]
        whole = ArrowValues(array, array.structure)
        if whole.nulls(0, length) is not None:
            raise InvalidArrow("rows of the batch are missing as a whole; a table has no such rows")
        children = whole.children(len(self.types), *(column.name for column in self.types))
        return [
            value_array(column, child, whole.offset, length)
            for column, child in zip(self.types, children, strict=True)
        ]


def arrow_batches(data: Any, *, decimal_integers: bool = True) -> ArrowBatches:
    """Return the columns of a table, a batch, or a stream of batches.

    Parameters
    ----------
    data
        Anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``.
    decimal_integers
        See `write_field`.

    Raises
    ------
    InvalidArrow
        What it hands out contradicts itself.
    ValueUnstorable
        Parquet has no type for a column.
    """
    _check_polars(data)
    source = open_source(data)
    if source.type.format != "+s":
        source.close()
        raise InvalidOption(
            f"{type(data).__name__} hands out a column of Arrow type {source.type.format!r}, and "
            "no table; put it into one with a name for it"
        )
    return _batches(source, source.type.children, is_table=True, decimal_integers=decimal_integers)


def arrow_column(data: Any, name: str, *, decimal_integers: bool = True) -> ArrowBatches:
    """Return a column alone, chunk by chunk: each batch is a list of one array.

    Parameters
    ----------
    data
        Anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``, of any type.
    name
        The column's name.
    decimal_integers
        See `write_field`.
    """
    source = open_source(data)
    column = replace(source.type, name=name)
    return _batches(source, (column,), is_table=False, decimal_integers=decimal_integers)


def _check_polars(data: Any) -> None:
    """Check that a frame of polars has no Python objects: it hands out their addresses."""
    if type(data).__module__.partition(".")[0] != "polars":
        return
    for name, kind in dict(getattr(data, "schema", {})).items():
        if str(kind) == "Object":
            raise ValueUnstorable(
                "it has Python objects, which polars cannot hand out; make a column of a type of "
                "them, or give pandas' frame of them (.to_pandas())"
            ).located(column=name)


def _batches(
    source: ArrowSource, types: tuple[ArrowType, ...], *, is_table: bool, decimal_integers: bool
) -> ArrowBatches:
    metadata = dict(source.type.metadata) if is_table else {}
    try:
        return ArrowBatches(
            source, types, metadata, is_table=is_table, decimal_integers=decimal_integers
        )
    except BaseException:
        # Who keeps the error keeps what it was about, too.
        source.close()
        raise
