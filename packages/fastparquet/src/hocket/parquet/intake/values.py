"""Any one-dimensional array, of numbers or of objects, to a type and what can be written."""

from __future__ import annotations

from typing import Any

import numpy as np

from hocket.parquet.arrays.value_array import ValueArray
from hocket.parquet.intake.casting import cast_type
from hocket.parquet.intake.numpy_arrays import array_of_dtype
from hocket.parquet.intake.objects import array_of_objects
from hocket.parquet.intake.value_types import TypeKind, ValueType

__all__ = ["array_of"]

_Array = np.ndarray[Any, Any]
_Built = tuple[ValueType, ValueArray]


def array_of(
    values: _Array,
    wanted: ValueType | None = None,
    *,
    missing: _Array | None = None,
    nan_is_missing: bool = False,
) -> _Built:
    """Return the type of an array's values, and an array that can be written.

    Parameters
    ----------
    values
        Of any dtype; if it has several axes, those after the first become lists.
    wanted
        The type to have; None for the one that fits.
    missing
        True for rows that have no value; None if there are none but those that say so themselves.
    nan_is_missing
        Whether NaN stands for a missing value.

    Raises
    ------
    SlotError
        A value cannot be stored.
    """
    if values.dtype == object and values.ndim == 1:
        if missing is not None:
            values = _without(values, missing)
        return array_of_objects(values, wanted, _inner, nan_is_missing=nan_is_missing)
    found, array = array_of_dtype(values, _inner, missing=missing, nan_is_missing=nan_is_missing)
    if wanted is None:
        return found, array
    cast = cast_type(found, array, wanted)
    if cast is not None:
        return cast
    return array_of_objects(
        _objects(values, missing, found), wanted, _inner, nan_is_missing=nan_is_missing
    )


def _inner(values: _Array, wanted: ValueType | None) -> _Built:
    # Inside of nested values NaN is what it is in Python and NumPy: a float.
    return array_of(values, wanted, nan_is_missing=False)


def _objects(values: _Array, missing: _Array | None, found: ValueType) -> _Array:
    """Return an array's values as objects of Python."""
    if found.kind in (TypeKind.TIMESTAMP, TypeKind.DURATION):
        # Scalars of NumPy: Python's would lose digits, or become integers.
        objects = np.fromiter(values, object, count=len(values))
    elif values.ndim > 1:
        objects = np.fromiter(values.tolist(), object, count=len(values))
    else:
        objects = values.astype(object)
    return objects if missing is None else _without(objects, missing)


def _without(objects: _Array, missing: _Array) -> _Array:
    """Return objects, and None where a value is missing."""
    objects = objects.copy()
    objects[missing] = None
    return objects
