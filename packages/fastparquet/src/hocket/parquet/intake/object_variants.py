"""Lists of any values, none missing, to Variants."""

from __future__ import annotations

from typing import Any

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.made_arrays import struct_array
from hocket.parquet.intake.object_bytes import joined
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.variant.python_values import NotVariant, encode

__all__ = ["variants_of"]


def variants_of(values: list[Any], wanted: ValueType | None = None) -> tuple[ValueType, ValueArray]:
    """Return Variants."""
    names, encoded = [], []
    for slot, value in enumerate(values):
        try:
            metadata, raw = encode(value)
        except (NotVariant, OverflowError, RecursionError) as error:
            raise SlotError(slot, f"{described(value)} becomes no Variant: {error}") from None
        names.append(metadata)
        encoded.append(raw)
    made = struct_array((joined(names), joined(encoded)), len(values))
    return wanted or ValueType(TypeKind.VARIANT), made
