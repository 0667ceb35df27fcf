"""A column that was taken in: the field that stores it, and its values."""

from __future__ import annotations

from collections.abc import Hashable

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.intake.arrow_of_values import arrow_of_values
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.value_types import TypeKind, ValueType, field_of
from hocket.parquet.records import dataclass, replace

__all__ = ["TakenColumn", "taken_column"]

#: What has a value of its own that stands for none.
_WITH_SENTINELS = {TypeKind.FLOAT, TypeKind.TIMESTAMP, TypeKind.DURATION}


@dataclass(frozen=True, slots=True)
class TakenColumn:
    """A column.

    Parameters
    ----------
    field
        What stores it.
    type
        What it is in Arrow's terms.
    array
        Its values.
    """

    field: WriteField
    type: ArrowType
    array: ValueArray


def taken_column(
    name: str,
    label: Hashable,
    found: ValueType,
    array: ValueArray,
    options: IntakeOptions,
    *,
    is_object: bool,
) -> TakenColumn:
    """Return a column of values whose type has been found.

    Parameters
    ----------
    name
        Its name in the file.
    label
        What options know it by.
    found, array
        Its type and its values.
    options
        What the caller wants.
    is_object
        Whether its values are objects or text, rather than numbers and times.
    """
    nullable = options.nullable(label, is_object=is_object)
    if not nullable and found.kind in _WITH_SENTINELS:
        # Columns that cannot have missing values keep NaN and NaT, as fastparquet has it.
        array = replace(array, nulls=None)
    return TakenColumn(
        field_of(name, found, nullable=nullable),
        arrow_of_values(name, found, nullable=nullable),
        array,
    )
