"""One array of pandas, of whatever dtype, to a column; memory is shared wherever it can be."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.arrays.value_array import ArrayKind, ValueArray
from hocket.parquet.arrays.write_field import WriteField, WriteKind
from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.arrow_import import arrow_column
from hocket.parquet.intake.arrow_of_values import dictionary_type
from hocket.parquet.intake.arrow_type import ArrowType
from hocket.parquet.intake.column import TakenColumn, taken_column
from hocket.parquet.intake.fixed_lengths import of_fixed_length
from hocket.parquet.intake.made_arrays import fixed_array, missing_array, struct_array, with_missing
from hocket.parquet.intake.object_nested import object_array, too_deep
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.intake.slot_errors import SlotError
from hocket.parquet.intake.value_types import TypeKind, ValueType
from hocket.parquet.intake.values import array_of
from hocket.parquet.intake.zone_names import zone_name
from hocket.parquet.records import dataclass, replace

__all__ = ["pandas_column"]

_Array = np.ndarray[Any, Any]

_TEXT: Final = ValueType(TypeKind.TEXT)


@dataclass(frozen=True, slots=True)
class _Request:
    """A column to be taken in."""

    name: str
    label: Hashable
    options: IntakeOptions
    in_pieces: bool = False

    @property
    def wanted(self) -> ValueType | None:
        return self.options.wanted(self.label)

    @property
    def nan_is_missing(self) -> bool:
        """Whether NaN in a column of floats becomes a missing value."""
        told = self.options.nan_is_missing
        return self.options.nullable(self.label, is_object=False) if told is None else told


@dataclass(frozen=True, slots=True)
class _Chunks:
    """The chunks of an array of pyarrow."""

    chunked: Any
    name: str

    @property
    def length(self) -> int:
        return len(self.chunked)

    def slice(self, start: int, stop: int) -> ValueArray:
        part = self.chunked.slice(start, stop - start)
        part = part.chunk(0) if part.num_chunks == 1 else part.combine_chunks()
        arrays = [made for (made,) in arrow_column(part, self.name)]
        return arrays[0] if arrays else missing_array(0)


def pandas_column(
    name: str, label: Hashable, array: Any, options: IntakeOptions, *, in_pieces: bool = False
) -> TakenColumn:
    """Return an array of pandas as a column.

    Parameters
    ----------
    name
        The name of the column in the file.
    label
        Its label, by which options name it.
    array
        What ``Series.array`` is.
    options
        What the caller wants.
    in_pieces
        Whether the values may come in pieces.

    Raises
    ------
    ValueUnstorable
        A value cannot be stored; the error names its row.
    """
    try:
        return _taken(_Request(name, label, options, in_pieces), array)
    except SlotError as error:
        raise error.unstorable(name) from None
    except RecursionError:
        raise too_deep(array).unstorable(name) from None


def _taken(request: _Request, array: Any) -> TakenColumn:
    dtype = array.dtype
    if type(array) is pd.arrays.NumpyExtensionArray or isinstance(dtype, np.dtype):
        return _of_numpy(request, np.asarray(array))
    for known, take in _TAKERS:
        if isinstance(dtype, known):
            return take(request, array)
    if hasattr(array, "_data") and hasattr(array, "_mask") and hasattr(dtype, "numpy_dtype"):
        return _of_masked(request, array)
    if str(dtype) == "geometry":
        return _of_geometries(request, array)
    if hasattr(array, "__arrow_array__"):
        return _of_arrow(request, array)
    return _of_numpy(request, np.asarray(array, object))


def _of_numpy(request: _Request, values: _Array) -> TakenColumn:
    options = request.options
    if values.dtype == object:
        return _of_objects(request, values, options.wanted_of_objects(request.label))
    found, array = array_of(values, request.wanted, nan_is_missing=request.nan_is_missing)
    return taken_column(request.name, request.label, found, array, options, is_object=False)


def _of_objects(request: _Request, values: _Array, wanted: ValueType | None) -> TakenColumn:
    options = request.options
    # Objects that are NaN are missing whatever the others are, unless that is told.
    found, array = array_of(values, wanted, nan_is_missing=options.nan_is_missing is not False)
    found, array = of_fixed_length(found, array, (options.fixed_text or {}).get(request.label))
    return taken_column(request.name, request.label, found, array, options, is_object=True)


def _of_masked(request: _Request, array: Any) -> TakenColumn:
    mask: _Array = array._mask  # noqa: SLF001 - pandas has no public way to it without a copy
    missing = mask if mask.any() else None
    found, made = array_of(array._data, request.wanted, missing=missing)  # noqa: SLF001
    return taken_column(request.name, request.label, found, made, request.options, is_object=True)


def _of_zoned(request: _Request, array: Any) -> TakenColumn:
    dtype = array.dtype
    zone = zone_name(dtype.tz)
    if zone is None:
        raise SlotError(
            0, f"the time zone {dtype.tz!r} has no name that others understand; use tz_convert"
        )
    stamps = array.asi8.view(f"M8[{dtype.unit}]")
    wanted = request.wanted
    found, made = array_of(stamps)
    found = replace(found, timezone=zone)
    if wanted is not None and wanted.kind is TypeKind.TIMESTAMP and wanted.timezone is not None:
        unit = wanted.stored_unit or wanted.unit
        found = replace(found, timezone=wanted.timezone, stored_unit=unit)
    elif wanted is not None:
        found, made = array_of(array.astype(object), wanted)
    return taken_column(request.name, request.label, found, made, request.options, is_object=False)


def _of_text(request: _Request, array: Any) -> TakenColumn:
    options, label = request.options, request.label
    wanted = options.wanted_of_objects(label)
    is_plain = wanted in (None, _TEXT) and label not in (options.fixed_text or {})
    if is_plain and array.dtype.storage != "python":
        return _of_arrow(replace(request, options=replace(options, types={})), array)
    # Text it is even if there is none.
    return _of_objects(request, array.to_numpy(object), wanted or _TEXT)


def _of_arrow(request: _Request, array: Any) -> TakenColumn:
    chunked = array.__arrow_array__()
    wanted = request.wanted
    pieces = None
    if hasattr(chunked, "combine_chunks"):
        if request.in_pieces and wanted is None and chunked.num_chunks > 1:
            pieces, chunked = _Chunks(chunked, request.name), chunked.slice(0, 0)
        chunked = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if wanted is not None:
        return _of_objects(request, object_array(chunked.to_pylist()), wanted)
    batches = arrow_column(chunked, request.name)
    arrays = [made for (made,) in batches]
    nullable = request.options.nullable(request.label, is_object=True)
    return TakenColumn(
        replace(batches.fields[0], nullable=nullable),
        replace(batches.types[0], nullable=nullable),
        arrays[0] if arrays else missing_array(0),
        pieces,
    )


def _of_categories(request: _Request, array: Any) -> TakenColumn:
    dtype = array.dtype
    codes: _Array = np.asarray(array.codes)
    values = _taken(replace(request, in_pieces=False), dtype.categories.array)
    missing = codes < 0
    is_missing = missing if missing.any() else None
    nullable = request.options.nullable(request.label, is_object=True)
    field = replace(values.field, nullable=nullable)
    arrow = dictionary_type(
        codes.dtype.str[1:], replace(values.type, nullable=nullable), ordered=bool(dtype.ordered)
    )
    dictionary = values.array
    if dictionary.kind not in (ArrayKind.FIXED, ArrayKind.STRINGS, ArrayKind.BITS):
        if dictionary.kind is ArrayKind.NULL:
            return TakenColumn(field, arrow, missing_array(len(codes)))
        taken = pd.api.extensions.take(dtype.categories.array, codes, allow_fill=True)
        return _taken(request, taken)
    made = replace(fixed_array(codes, is_missing), kind=ArrayKind.DICTIONARY, dictionary=dictionary)
    return TakenColumn(field, arrow, made)


def _of_sparse(request: _Request, array: Any) -> TakenColumn:
    return _of_numpy(request, np.asarray(array))


def _of_periods(request: _Request, array: Any) -> TakenColumn:
    missing = np.asarray(array.isna())
    found, made = array_of(array.asi8, request.wanted, missing=missing if missing.any() else None)
    return taken_column(request.name, request.label, found, made, request.options, is_object=True)


def _of_intervals(request: _Request, array: Any) -> TakenColumn:
    """Return intervals as structs of their two ends, as pyarrow does."""
    if request.wanted is not None:
        raise InvalidOption("intervals are stored as they are, as structs of left and right")
    options = IntakeOptions()
    left, right = (
        _taken(_Request(name, name, options), end.array)
        for name, end in (("left", array.left), ("right", array.right))
    )
    missing = np.asarray(array.isna())
    made = struct_array((left.array, right.array), len(array))
    nullable = request.options.nullable(request.label, is_object=True)
    return TakenColumn(
        WriteField(request.name, WriteKind.STRUCT, nullable, children=(left.field, right.field)),
        ArrowType(request.name, "+s", nullable, children=(left.type, right.type)),
        with_missing(made, missing if missing.any() else None),
    )


def _of_geometries(request: _Request, array: Any) -> TakenColumn:
    """Return geopandas' geometries as well-known binary."""
    wanted = request.wanted or ValueType(TypeKind.GEOMETRY, crs=_crs_of(array))
    found, made = array_of(object_array(list(array)), wanted, nan_is_missing=True)
    return taken_column(request.name, request.label, found, made, request.options, is_object=True)


def _crs_of(array: Any) -> str | None:
    crs = getattr(array, "crs", None)
    if crs is None:
        return None
    authority = crs.to_authority()
    if authority is not None:
        name = ":".join(authority)
        return None if name == "OGC:CRS84" else name
    described: str = crs.to_json()
    return described


_Taker = Callable[[_Request, Any], TakenColumn]
_TAKERS: Final[tuple[tuple[Any, _Taker], ...]] = (
    (pd.CategoricalDtype, _of_categories),
    (pd.DatetimeTZDtype, _of_zoned),
    (pd.StringDtype, _of_text),
    (pd.ArrowDtype, _of_arrow),
    (pd.SparseDtype, _of_sparse),
    (pd.PeriodDtype, _of_periods),
    (pd.IntervalDtype, _of_intervals),
)
