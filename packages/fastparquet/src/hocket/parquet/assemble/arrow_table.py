"""A table of Arrow data: batches of columns, which other libraries take without copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hocket.parquet.assemble import arrow_export
from hocket.parquet.assemble.arrow_arrays import ArrowArray, arrow_array
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema
from hocket.parquet.errors import InvalidOption
from hocket.parquet.nesting.assembly import FieldData

__all__ = ["ArrowReader", "ArrowTable", "record_batch", "struct_array"]


def record_batch(schema: ArrowSchema, columns: Sequence[FieldData], row_count: int) -> ArrowArray:
    """Return columns of equal length as one array of structs, as Arrow's streams have batches.

    Parameters
    ----------
    schema
        Their Arrow schema.
    columns
        The data of each of its fields.
    row_count
        How many rows there are.
    """
    arrays = tuple(
        arrow_array(field, data) for field, data in zip(schema.fields, columns, strict=True)
    )
    return struct_array(schema, arrays, row_count)


def struct_array(schema: ArrowSchema, arrays: tuple[ArrowArray, ...], row_count: int) -> ArrowArray:
    """Return arrays of equal length as one array of structs."""
    for each in arrays:
        if each.length != row_count:
            raise ValueError(f"{each.field.name} has {each.length} rows of {row_count}")
    root = ArrowField("", "+s", nullable=False, children=schema.fields)
    return ArrowArray(root, row_count, 0, (None,), arrays)


def _stream(schema: ArrowSchema, batches: Iterable[ArrowArray], requested_schema: object) -> Any:
    # The protocol lets a producer that cannot cast give what it has; consumers cast.
    del requested_schema
    return arrow_export.stream_capsule(schema, batches)


class ArrowTable:
    """Arrow data in memory.

    Anything that takes Arrow's C stream takes it, without copies: ``pyarrow.table(t)``,
    ``polars.DataFrame(t)``, ``pandas.DataFrame.from_arrow(t)``, DuckDB by the name of a variable.

    Parameters
    ----------
    schema
        The columns.
    batches
        Their values, in the order of the rows.
    """

    def __init__(self, schema: ArrowSchema, batches: Sequence[ArrowArray]) -> None:
        self.schema = schema
        self.batches = tuple(batches)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return self.schema.names

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return sum(batch.length for batch in self.batches)

    @property
    def num_columns(self) -> int:
        """How many columns there are."""
        return len(self.schema.fields)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.num_rows, self.num_columns

    @property
    def nbytes(self) -> int:
        """The bytes of all buffers together."""
        return sum(batch.nbytes for batch in self.batches)

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        shown = ", ".join(self.column_names[:8]) + (", ..." if self.num_columns > 8 else "")
        return f"<ArrowTable of {self.num_rows:,} rows: {shown}>"

    def __arrow_c_schema__(self) -> Any:
        """Return the schema as a capsule; see Arrow's PyCapsule interface."""
        return arrow_export.schema_capsule(self.schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return the data as a capsule; see Arrow's PyCapsule interface.

        Parameters
        ----------
        requested_schema
            What the consumer would like; it gets the types that there are.
        """
        return _stream(self.schema, self.batches, requested_schema)

    def to_pyarrow(self) -> Any:
        """Return the data as a `pyarrow.Table`, without copies."""
        return _pyarrow().table(self)


class ArrowReader:
    """Batches that are made as they are asked for; they can be gone through once.

    Parameters
    ----------
    schema
        The columns.
    batches
        Their values, in the order of the rows.
    close
        Called when all batches are taken or the reader is closed.
    """

    def __init__(
        self,
        schema: ArrowSchema,
        batches: Iterable[ArrowArray],
        close: Callable[[], None] | None = None,
    ) -> None:
        self.schema = schema
        self._batches: Iterator[ArrowArray] | None = iter(batches)
        self._close = close

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return self.schema.names

    def __arrow_c_schema__(self) -> Any:
        """Return the schema as a capsule; see Arrow's PyCapsule interface."""
        return arrow_export.schema_capsule(self.schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return the batches that are left as a capsule; see Arrow's PyCapsule interface.

        Parameters
        ----------
        requested_schema
            What the consumer would like; it gets the types that there are.
        """
        return _stream(self.schema, self._taken(), requested_schema)

    def __iter__(self) -> Iterator[ArrowTable]:
        for batch in self._taken():
            yield ArrowTable(self.schema, (batch,))

    def to_pyarrow(self) -> Any:
        """Return a `pyarrow.RecordBatchReader` of the batches that are left."""
        return _pyarrow().RecordBatchReader.from_stream(self)

    def close(self) -> None:
        """Make no more batches."""
        self._batches = None
        if self._close is not None:
            self._close()
            self._close = None

    def _taken(self) -> Iterator[ArrowArray]:
        if self._batches is None:
            raise InvalidOption("the batches of this reader have been taken; make a new reader")
        batches, self._batches = self._batches, None
        return self._closing(batches)

    def _closing(self, batches: Iterator[ArrowArray]) -> Iterator[ArrowArray]:
        try:
            yield from batches
        finally:
            self.close()


def _pyarrow() -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415
    except ImportError as missing:
        raise InvalidOption(
            "pyarrow is not installed; the object itself goes into whatever takes Arrow's C stream"
        ) from missing
    return pa
