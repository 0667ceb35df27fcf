"""Byte strings that are to have a fixed length, as fastparquet's ``fixed_text`` asks for."""

from __future__ import annotations

import numpy as np

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.intake.made_arrays import fixed_array, missing_of, with_missing
from hocket.parquet.intake.slot_errors import SlotError
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.records import replace

__all__ = ["of_fixed_length"]


def of_fixed_length(
    found: ValueType, array: ValueArray, most: int | None
) -> tuple[ValueType, ValueArray]:
    """Return byte strings with a fixed length, if all have the wanted one.

    Parquet has no text of a fixed length, and zeros that fill bytes up would be read, too: text and
    shorter bytes stay what they are.

    Parameters
    ----------
    found, array
        What there is.
    most
        The most bytes that a value may have; None if that does not matter.
    """
    if most is None or array.kind is not ArrayKind.STRINGS:
        return found, array
    values, offsets = array.values, array.offsets
    assert values is not None
    assert offsets is not None
    lengths = np.diff(offsets)
    if lengths.size and int(lengths.max()) > most:
        slot = int(np.argmax(lengths))
        raise SlotError(slot, f"it takes {int(lengths[slot])} bytes, and fixed_text allows {most}")
    missing = missing_of(array)
    there = slice(None) if missing is None else ~missing
    if found.kind is not TypeKind.BYTES or (lengths[there] != most).any():
        return found, array
    fixed = np.zeros((array.length, most), np.uint8)
    fixed[there] = values[offsets[0] : offsets[-1]].reshape(-1, most)
    made = with_missing(fixed_array(fixed.view(f"V{most}").reshape(-1)), missing)
    return replace(found, nbytes=most), made
