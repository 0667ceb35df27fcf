"""A column that was taken in: the field that stores it, and its values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.arrays.write_field import WriteField
from hocket.parquet.intake.arrow_of_values import arrow_of_values
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.value_types import TypeKind, ValueType, field_of
from hocket.parquet.records import dataclass, replace

__all__ = ["Pieces", "TakenColumn", "taken_column"]

#: What has a value of its own that stands for none.
_WITH_SENTINELS = {TypeKind.FLOAT, TypeKind.TIMESTAMP, TypeKind.DURATION}


class Pieces(Protocol):
    """Values that lie in several places, and are put together for some rows at a time."""

    @property
    def length(self) -> int:
        """How many there are."""

    def slice(self, start: int, stop: int) -> ValueArray:
        """Return the values from `start` to before `stop`."""


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
        Its values; none of them if there are pieces.
    pieces
        Its values, if they are too many to be put together all at once.
    """

    field: WriteField
    type: ArrowType
    array: ValueArray
    pieces: Pieces | None = None


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
