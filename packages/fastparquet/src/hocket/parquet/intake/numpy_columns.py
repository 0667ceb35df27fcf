"""Arrays by name, structured arrays, and rows as dicts, to columns."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.column import TakenColumn, taken_column
from hocket.parquet.intake.object_nested import object_array, too_deep
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.pandas_arrays import pandas_column
from hocket.parquet.intake.slot_errors import SlotError, described
from hocket.parquet.intake.values import array_of

__all__ = ["taken_arrays", "taken_records", "taken_rows"]

_Array = np.ndarray[Any, Any]


def taken_arrays(arrays: Mapping[Hashable, Any], options: IntakeOptions) -> list[TakenColumn]:
    """Return the columns that arrays, lists or columns of pandas by name are.

    Parameters
    ----------
    arrays
        All of one length. Masks of NumPy's masked arrays are missing values.
    options
        How they become columns.
    """
    options.check_labels(arrays)
    taken: list[TakenColumn] = []
    for label, values in arrays.items():
        if not isinstance(label, str):
            raise InvalidOption(f"{label!r} is the name of a column, and has to be a text")
        taken.append(_taken(label, values, options))
        if taken[-1].array.length != taken[0].array.length:
            raise InvalidOption(
                f"the column {label!r} has {taken[-1].array.length:,} rows, and "
                f"{taken[0].field.name!r} has {taken[0].array.length:,}; all need as many"
            )
    return taken


def _taken(label: str, values: Any, options: IntakeOptions) -> TakenColumn:
    if hasattr(values, "dtype") and not isinstance(values, np.ndarray):
        # A column, an index or an array of pandas.
        return pandas_column(label, label, getattr(values, "array", values), options)
    missing: _Array | None = None
    if isinstance(values, np.ma.MaskedArray):
        mask: Any = np.ma.getmaskarray(values)
        if mask.dtype.names is not None:
            mask = np.logical_and.reduce([mask[name] for name in mask.dtype.names])
        while mask.ndim > 1:
            mask = mask.all(axis=-1)
        missing = mask if mask.any() else None
        values = values.data
    elif not isinstance(values, np.ndarray):
        values = _listed(label, values)
    if values.ndim == 0:
        raise InvalidOption(
            f"the column {label!r} is {described(values.item())}, and no array: it needs a value "
            "for each row"
        )
    return _column(label, values, missing, options)


def _listed(label: str, values: Any) -> _Array:
    """Return the objects of a list or another sequence."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise InvalidOption(
            f"the column {label!r} is {described(values)}, and no array or list of values"
        )
    return object_array(values)


def _column(
    label: str, values: _Array, missing: _Array | None, options: IntakeOptions
) -> TakenColumn:
    is_object = values.dtype == object
    wanted = options.wanted_of_objects(label) if is_object else options.wanted(label)
    nan_is_missing = bool(options.nan_is_missing)
    try:
        found, array = array_of(values, wanted, missing=missing, nan_is_missing=nan_is_missing)
    except SlotError as error:
        raise error.unstorable(label) from None
    except RecursionError:
        raise too_deep(values).unstorable(label) from None
    is_text = is_object or values.dtype.kind in "SUVT" or missing is not None
    return taken_column(label, label, found, array, options, is_object=is_text)


def taken_records(records: _Array, options: IntakeOptions) -> list[TakenColumn]:
    """Return the columns that the members of a structured array are."""
    names = records.dtype.names
    if not names or records.ndim != 1:
        raise InvalidOption(
            f"an array of dtype {records.dtype} and shape {records.shape} has no columns with "
            'names; give a dict of arrays, like {"x": values}'
        )
    return taken_arrays({name: records[name] for name in names}, options)


def taken_rows(rows: Sequence[Mapping[str, Any]], options: IntakeOptions) -> list[TakenColumn]:
    """Return the columns that the keys of rows are; rows that lack a key have no value there."""
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    return taken_arrays({name: [row.get(name) for row in rows] for name in names}, options)
