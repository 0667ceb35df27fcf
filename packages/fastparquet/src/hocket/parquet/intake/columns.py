"""The one door for data that is to be written: whatever it is, columns come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.errors import InvalidOption, SchemaMismatch
from hocket.parquet.intake.arrow_capsules import is_arrow
from hocket.parquet.intake.arrow_import import ArrowBatches, arrow_batches
from hocket.parquet.intake.arrow_of_values import arrow_of_values
from hocket.parquet.intake.arrow_schema import arrow_schema_value, needs_arrow_schema
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.column import TakenColumn
from hocket.parquet.intake.field_options import applied, array_converter
from hocket.parquet.intake.fitting import Fitting
from hocket.parquet.intake.numpy_columns import taken_arrays, taken_records, taken_rows
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.pandas_columns import taken_frame
from hocket.parquet.intake.pandas_metadata import KEY, extended
from hocket.parquet.intake.value_types import ValueType, field_of
from hocket.parquet.records import dataclass, replace

__all__ = ["Columns", "columns_of"]

_ARROW_SCHEMA: Final = "ARROW:schema"
_PIECE_ROWS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns, and their values batch by batch.

    Parameters
    ----------
    fields
        What stores each column.
    types
        What each is in Arrow's terms.
    batches
        For some rows at a time, an array for each column. They can be gone through once.
    key_value
        What the footer tells beside: ``pandas``, ``ARROW:schema``. It is complete when the batches
        have been gone through.
    """

    fields: tuple[WriteField, ...]
    types: tuple[ArrowType, ...]
    batches: Iterator[list[ValueArray]]
    key_value: dict[str, str]

    def complete(self, row_count: int) -> None:
        """Let `key_value` tell of all rows that the file has got.

        Parameters
        ----------
        row_count
            How many there are; more than these columns had, if others followed.
        """
        text = self.key_value.get(KEY)
        if text is not None:
            self.key_value[KEY] = extended(text, row_count)
        if self.key_value.pop(_ARROW_SCHEMA, None) is not None:
            self.key_value[_ARROW_SCHEMA] = arrow_schema_value(self.types, self.key_value)

    def fitted(self, fields: tuple[WriteField, ...], types: tuple[ArrowType, ...]) -> Columns:
        """Return the same values for other columns: those that a file has already.

        Parameters
        ----------
        fields, types
            Of the first data that was written.

        Raises
        ------
        SchemaMismatch
            They do not fit; the error names the column, both types and the remedy.
        """
        fitting = Fitting(fields, types, self.fields, self.types)
        return Columns(fields, types, map(fitting.arrays, self.batches), self.key_value)


def columns_of(data: Any, options: IntakeOptions | None = None) -> Columns:
    """Return the columns of any data that can be written.

    Parameters
    ----------
    data
        A frame or a column of pandas; arrays by name (a dict), a structured array; a list of rows
        (dicts); anything with ``__arrow_c_stream__`` (polars, DuckDB, pyarrow, a `ParquetFile`);
        or an iterable of such, each of which has the same columns.
    options
        How it becomes columns.

    Raises
    ------
    ValueUnstorable
        A value has no Parquet type; the error names column, row and value.
    InvalidOption
        The data is none of those.
    """
    options = options or IntakeOptions()
    take = next((take for is_such, take in _TAKERS if is_such(data)), None)
    if take is not None:
        return take(data, options)
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):
        raise InvalidOption(f"a {type(data).__name__} is a plan, and no data; .collect() it first")
    raise InvalidOption(
        f"data of type {type(data).__name__} cannot be written; give a frame of pandas or polars, "
        "a dict of arrays, Arrow data, or an iterable of such"
    )


def _is_rows(data: Any) -> bool:
    is_list = isinstance(data, (list, tuple)) and len(data) > 0
    return is_list and all(isinstance(row, Mapping) for row in data)


def _is_several(data: Any) -> bool:
    return isinstance(data, Iterable) and not isinstance(data, (str, bytes, bytearray))


def _of_series(data: Any, options: IntakeOptions) -> Columns:
    named = data.to_frame("0" if data.name is None else data.name)
    return _made(*taken_frame(named, options), options)


def _of_index(data: Any, options: IntakeOptions) -> Columns:
    return _made(*taken_frame(data.to_frame(index=False), options), options)


def _made(taken: list[TakenColumn], key_value: dict[str, str], options: IntakeOptions) -> Columns:
    types = tuple(each.type for each in taken)
    fields = tuple(each.field for each in taken)
    return _with_options(fields, types, _batches(taken), key_value, options)


def _batches(taken: list[TakenColumn]) -> Iterator[list[ValueArray]]:
    """Yield all rows at once, or so many at a time as a row group has if some are in pieces."""
    if all(each.pieces is None for each in taken):
        yield [each.array for each in taken]
        return
    values = [each.array if each.pieces is None else each.pieces for each in taken]
    count = values[0].length
    for start in range(0, count, _PIECE_ROWS):
        stop = min(start + _PIECE_ROWS, count)
        yield [each.slice(start, stop) for each in values]


def _of_arrow(data: Any, options: IntakeOptions) -> Columns:
    batches: ArrowBatches = arrow_batches(data)
    key_value = {
        key: value.decode("utf-8", "backslashreplace") for key, value in batches.metadata.items()
    }
    key_value.pop(_ARROW_SCHEMA, None)
    fields, types = batches.fields, batches.types
    options.check_labels([field.name for field in fields])
    wanted = [options.wanted(field.name) for field in fields]
    arrays = iter(batches)
    if any(each is not None for each in wanted):
        fields, types = _as_wanted(fields, types, wanted)
        try:
            fitting = Fitting(fields, types, batches.fields, batches.types)
        except SchemaMismatch as error:
            raise InvalidOption(
                "types asks for what the column cannot become; cast it before", column=error.column
            ) from error
        arrays = map(fitting.arrays, arrays)
    fields = tuple(
        replace(field, nullable=field.nullable and options.nullable(field.name, is_object=True))
        for field in fields
    )
    return _with_options(fields, types, arrays, key_value, options)


def _as_wanted(
    fields: tuple[WriteField, ...],
    types: tuple[ArrowType, ...],
    wanted: list[ValueType | None],
) -> tuple[tuple[WriteField, ...], tuple[ArrowType, ...]]:
    """Return fields and types of Arrow data, but for those that the caller wants otherwise."""
    made = [
        (field, arrow)
        if values is None
        else (
            field_of(field.name, values, nullable=field.nullable, field_id=field.field_id),
            arrow_of_values(field.name, values, nullable=field.nullable),
        )
        for field, arrow, values in zip(fields, types, wanted, strict=True)
    ]
    return tuple(field for field, _ in made), tuple(arrow for _, arrow in made)


def _with_options(
    fields: tuple[WriteField, ...],
    types: tuple[ArrowType, ...],
    batches: Iterator[list[ValueArray]],
    key_value: dict[str, str],
    options: IntakeOptions,
) -> Columns:
    """Return columns as the options that hold for all kinds of data want them."""
    made = applied(fields, options)
    convert = array_converter(fields, options)
    if convert is not None:
        batches = map(convert, batches)
    if needs_arrow_schema(types):
        key_value[_ARROW_SCHEMA] = arrow_schema_value(types, key_value)
    return Columns(made, types, batches, key_value)


def _of_several(parts: Iterable[Any], options: IntakeOptions) -> Columns:
    """Return columns of parts, of which the first says what they are."""
    rest = iter(parts)
    first = next(rest, None)
    if first is None:
        raise InvalidOption("there is no data: the iterable to be written is empty")
    columns = columns_of(first, options)
    fitted = (
        columns_of(part, options).fitted(columns.fields, columns.types).batches for part in rest
    )
    batches = chain(columns.batches, chain.from_iterable(fitted))
    return replace(columns, batches=_counted(batches, columns.complete))


def _counted(
    batches: Iterable[list[ValueArray]], finish: Callable[[int], None]
) -> Iterator[list[ValueArray]]:
    """Yield batches, and tell in the end how many rows there were."""
    count = 0
    for batch in batches:
        count += batch[0].length if batch else 0
        yield batch
    finish(count)


_Take = Callable[[Any, IntakeOptions], Columns]
#: What data can be; the first test that is passed counts. (Frames of pandas hand out Arrow data
#: too, but need pyarrow for it.)
_TAKERS: Final[tuple[tuple[Callable[[Any], bool], _Take], ...]] = (
    (
        lambda data: isinstance(data, pd.DataFrame),
        lambda data, options: _made(*taken_frame(data, options), options),
    ),
    (lambda data: isinstance(data, pd.Series), _of_series),
    (lambda data: isinstance(data, pd.Index), _of_index),
    (
        lambda data: isinstance(data, np.ndarray),
        lambda data, options: _made(taken_records(data, options), {}, options),
    ),
    (
        lambda data: isinstance(data, Mapping),
        lambda data, options: _made(taken_arrays(data, options), {}, options),
    ),
    (is_arrow, _of_arrow),
    (_is_rows, lambda data, options: _made(taken_rows(data, options), {}, options)),
    (_is_several, _of_several),
)
