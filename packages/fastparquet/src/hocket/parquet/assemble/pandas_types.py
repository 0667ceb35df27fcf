"""How each column of a file becomes an array of pandas: the table of ``docs/parquet-types.md``."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.assemble.text_dtype import default_text_dtype
from hocket.parquet.assemble.value_kinds import (
    NO_HINT,
    ColumnHint,
    LeafType,
    ValueKind,
    leaf_type,
)
from hocket.parquet.decode.target import Target, byte_string_target
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.schema import LogicalKind
from hocket.parquet.nesting.assembly import needs_levels
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.optional_pyarrow import has_pyarrow
from hocket.parquet.records import dataclass, replace

if TYPE_CHECKING:
    from hocket.parquet.assemble.values import ValueReader

__all__ = ["ColumnPlan", "LateNulls", "Storage", "plan_column"]

_OBJECT: Final = np.dtype(object)
_FLOAT64: Final = np.dtype("f8")
_NUMBERS: Final = {ValueKind.BOOLEAN, ValueKind.INTEGER, ValueKind.FLOAT}
_TEXTS: Final = {ValueKind.TEXT, ValueKind.JSON}
#: Arrow's decimals have at most so many digits.
_ARROW_DIGITS: Final = 76
_MASKED: Final = {
    "b1": "boolean",
    "i1": "Int8",
    "i2": "Int16",
    "i4": "Int32",
    "i8": "Int64",
    "u1": "UInt8",
    "u2": "UInt16",
    "u4": "UInt32",
    "u8": "UInt64",
    "f4": "Float32",
    "f8": "Float64",
}


class Storage(StrEnum):
    """What holds a column's values in the frame."""

    BLOCK = "block"  # a row of a two-dimensional NumPy array; nulls are NaN or NaT
    MASKED = "masked"  # values and a mask
    TEXT = "text"  # one of pandas' string arrays
    OBJECT = "object"  # Python objects
    ARROW = "arrow"  # Arrow arrays
    CATEGORICAL = "categorical"  # codes and categories


class LateNulls(StrEnum):
    """What a column becomes in which nulls turn up though there should be none."""

    NONE = "none"  # its values can tell nulls
    MASK = "mask"
    FLOAT = "float"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How a column is decoded, and what becomes of it.

    Parameters
    ----------
    label
        The label of the column in the frame.
    field
        The column in the file.
    storage
        What holds its values.
    targets
        What to decode each of `Field.leaves` to.
    dtype
        NumPy's dtype of the block, or of the masked values; object for the rest.
    leaf
        What the values are; None for nested columns.
    late_nulls
        What to do about nulls in a block of integers or booleans.
    wants_valid
        Whether validity is needed from the decoder.
    wants_levels
        Whether levels are.
    text_dtype
        Which string dtype, if TEXT.
    timezone
        The time zone of timestamps: a name or an offset that pandas takes.
    ordered
        Whether the categories have an order.
    decode_json
        Whether objects are what JSON documents describe.
    cast_to
        The dtype that the finished column is converted to.
    reader
        What makes objects of a nested column.
    arrow_hint
        What the file's Arrow schema says of it.
    """

    label: Hashable
    field: Field
    storage: Storage
    targets: tuple[Target, ...]
    dtype: np.dtype[Any] = _OBJECT
    leaf: LeafType | None = None
    late_nulls: LateNulls = LateNulls.NONE
    wants_valid: bool = False
    wants_levels: bool = False
    text_dtype: Any = None
    timezone: Any = None
    ordered: bool = False
    decode_json: bool = False
    cast_to: Any = None
    reader: ValueReader | None = None
    arrow_hint: ArrowHint | None = None

    @property
    def target(self) -> Target:
        """The target of a column with one leaf."""
        return self.targets[0]

    @property
    def is_direct(self) -> bool:
        """Whether decoded values are the block's items as they are."""
        return self.storage in (Storage.BLOCK, Storage.MASKED) and self.target.dtype == self.dtype


@dataclass(frozen=True, slots=True)
class _Request:
    """A column to be planned."""

    label: Hashable
    field: Field
    options: PandasOptions
    hint: ColumnHint
    null_free: bool


def plan_column(
    label: Hashable,
    field: Field,
    options: PandasOptions,
    *,
    hint: ColumnHint = NO_HINT,
    null_free: bool = False,
) -> ColumnPlan:
    """Decide what a column becomes.

    Parameters
    ----------
    label
        Its label in the frame, by which options name it.
    field
        The column.
    options
        What the caller wants.
    hint
        What pandas' and Arrow's metadata say of it.
    null_free
        Whether there are no nulls in what is to be read: the column is required, or statistics say
        so. (If there are some nevertheless, it becomes a masked array.)
    """
    request = _Request(label, field, options, hint, null_free or not field.nullable)
    wanted = options.dtypes.get(label)
    is_flat = field.kind is FieldKind.LEAF and field.repetition == 0
    if not is_flat:
        return _nested(request) if wanted is None else _nested_as_wanted(request, wanted)
    values = leaf_type(field.node, hint)
    if wanted is not None:
        return _as_wanted(request, values, _dtype_of(label, wanted))
    categories = options.categories
    if hint.is_categorical if categories is None else label in categories:
        return _categorical(request, values)
    return _default(request, values)


# ------------------------------------------------------------------------------ what is not asked


def _default(request: _Request, values: LeafType) -> ColumnPlan:
    """Return the plan of a flat column for which no dtype is asked."""
    hinted = request.hint.numpy_type
    was_arrow = hinted.endswith("[pyarrow]") and not hinted.startswith("string") and has_pyarrow()
    if (was_arrow or request.options.dtype_backend == "pyarrow") and _has_arrow_type(request):
        return _arrow(request, values)
    return _DEFAULTS[values.kind](request, values)


def _integers(request: _Request, values: LeafType) -> ColumnPlan:
    options, hinted = request.options, request.hint.numpy_type
    if options.dtype_backend == "numpy_nullable" or hinted in _MASKED.values():
        return _masked(request, values)
    if request.null_free or hinted == str(values.target.dtype):
        late = LateNulls.MASK if options.pandas_nulls else LateNulls.FLOAT
        return replace(_block(request, values), late_nulls=late)
    if options.pandas_nulls:
        return _masked(request, values)
    return replace(_block(request, values), dtype=_FLOAT64, wants_valid=True)


def _floats(request: _Request, values: LeafType) -> ColumnPlan:
    # There are no masked halves.
    is_masked = request.options.dtype_backend == "numpy_nullable" or (
        request.hint.numpy_type in ("Float32", "Float64")
    )
    if is_masked and values.target.item_size > 2:
        return _masked(request, values)
    return _block(request, values)


def _times(request: _Request, values: LeafType) -> ColumnPlan:
    plan = _block(request, values)
    if values.kind is not ValueKind.TIMESTAMP:
        return plan
    zone = request.hint.timezone or ("UTC" if values.is_utc else None)
    if zone is None:
        return plan
    from hocket.parquet.assemble.timezones import timezone_of  # noqa: PLC0415 - few need it

    return replace(plan, timezone=timezone_of(zone))


def _text(request: _Request, values: LeafType) -> ColumnPlan:
    options = request.options
    if values.kind is ValueKind.JSON and options.decode_json:
        return replace(_objects(request, values), decode_json=True)
    if options.strings == "auto":
        dtype = _text_dtype(options, request.hint)
        if dtype != _OBJECT:
            return _text_of(request, values, dtype)
    return _objects(request, values)


def _text_dtype(options: PandasOptions, hint: ColumnHint) -> Any:
    """Return the dtype of strings: as asked, as it was, or as pandas itself takes strings."""
    if options.dtype_backend == "numpy_nullable" or hint.numpy_type.startswith("string"):
        return pd.StringDtype()
    return default_text_dtype()


def _decimal(request: _Request, values: LeafType) -> ColumnPlan:
    options = request.options
    if options.decimals == "float":
        return replace(_block(request, values), dtype=_FLOAT64, wants_valid=True)
    if options.arrow_decimals and _has_arrow_type(request):
        return _arrow(request, values)
    return _objects(request, values)


def _intervals(request: _Request, values: LeafType) -> ColumnPlan:
    if request.options.arrow_nested:
        return _arrow(request, values)
    return _objects(request, values)


def _bytes(request: _Request, values: LeafType) -> ColumnPlan:
    options = request.options
    if options.binary == "arrow" and (values.kind is ValueKind.BYTES or options.uuids == "bytes"):
        return _arrow(request, values)
    return _objects(request, values)


def _nested(request: _Request) -> ColumnPlan:
    field, options = request.field, request.options
    wants_arrow = options.arrow_nested or options.dtype_backend == "pyarrow"
    if wants_arrow and not _has_variant(field):
        return _arrow(request, None)
    return _nested_objects(request)


def _nested_objects(request: _Request) -> ColumnPlan:
    options = request.options
    from hocket.parquet.assemble.values import ValueOptions, ValueReader  # noqa: PLC0415 - few need it

    reader = ValueReader(
        request.field,
        request.hint.arrow,
        ValueOptions(
            uuids=options.uuids,
            text=options.strings != "bytes",
            decode_json=options.decode_json,
        ),
    )
    return ColumnPlan(
        request.label,
        request.field,
        Storage.OBJECT,
        reader.targets,
        wants_valid=True,
        wants_levels=needs_levels(request.field),
        reader=reader,
    )


def _has_variant(field: Field) -> bool:
    return field.kind is FieldKind.VARIANT or any(map(_has_variant, field.children))


# --------------------------------------------------------------------------------- what is asked


def _dtype_of(label: Hashable, wanted: Any) -> Any:
    try:
        return pd.api.types.pandas_dtype(wanted)
    except (TypeError, ValueError, ImportError) as error:
        raise InvalidOption(
            f"dtypes[{label!r}] is {wanted!r}, which is no dtype: {error}"
        ) from error


def _as_wanted(request: _Request, values: LeafType, wanted: Any) -> ColumnPlan:
    """Return the plan of a flat column that shall have a certain dtype."""
    if isinstance(wanted, pd.CategoricalDtype):
        plan = _categorical(request, values)
        ordered = bool(wanted.ordered) or plan.ordered
        known = None if wanted.categories is None else wanted
        return replace(plan, ordered=ordered, cast_to=known)
    if wanted == _OBJECT:
        return _objects(request, values)
    if isinstance(wanted, pd.ArrowDtype) and _has_arrow_type(request):
        return replace(_arrow(request, values), cast_to=wanted)
    if values.kind in _TEXTS and isinstance(wanted, pd.StringDtype):
        return _text_of(request, values, wanted)
    if _is_number(values, wanted):
        return _number_as(request, values, wanted)
    return replace(_default(request, values), cast_to=wanted)


def _is_number(values: LeafType, wanted: Any) -> bool:
    """Whether a column's values are numbers that a dtype of numbers can be made of at once."""
    if isinstance(wanted, np.dtype) and wanted.kind in "iufb":
        return values.kind in _NUMBERS or (values.kind is ValueKind.DECIMAL and wanted.kind == "f")
    return values.kind in _NUMBERS and str(wanted) in _MASKED.values()


def _number_as(request: _Request, values: LeafType, wanted: Any) -> ColumnPlan:
    if not isinstance(wanted, np.dtype):
        plan = _masked(request, values)
        is_same = str(wanted) == _MASKED.get(plan.dtype.str[1:])
        return plan if is_same else replace(plan, cast_to=wanted)
    late = LateNulls.NONE if wanted.kind == "f" else LateNulls.REFUSE
    return replace(
        _block(request, values),
        dtype=wanted,
        late_nulls=late,
        wants_valid=wanted != values.target.dtype and not request.null_free,
    )


def _nested_as_wanted(request: _Request, wanted: Any) -> ColumnPlan:
    dtype = _dtype_of(request.label, wanted)
    if dtype == _OBJECT:
        return _nested_objects(request)
    plan = _arrow(request, None) if isinstance(dtype, pd.ArrowDtype) else _nested(request)
    return replace(plan, cast_to=dtype)


# --------------------------------------------------------------------------------- the storages


def _block(request: _Request, values: LeafType) -> ColumnPlan:
    dtype = values.target.dtype
    return ColumnPlan(
        request.label,
        request.field,
        Storage.BLOCK,
        (values.target,),
        dtype=_OBJECT if dtype is None else dtype,
        leaf=values,
    )


def _masked(request: _Request, values: LeafType) -> ColumnPlan:
    return replace(_block(request, values), storage=Storage.MASKED, wants_valid=True)


def _objects(request: _Request, values: LeafType) -> ColumnPlan:
    target = values.target
    if request.options.strings == "bytes" and values.kind in _TEXTS:
        target = replace(target, check_utf8=False)
        values = replace(values, kind=ValueKind.BYTES, target=target)
    if values.kind is ValueKind.UUID and request.options.uuids == "bytes":
        values = replace(values, kind=ValueKind.BYTES)
    if values.kind not in (ValueKind.BOOLEAN, ValueKind.NULL):
        # Each object of the dictionary is made once and then referred to.
        target = replace(target, keep_dictionary=True)
    return ColumnPlan(
        request.label,
        request.field,
        Storage.OBJECT,
        (target,),
        leaf=values,
        wants_valid=True,
        timezone=_times(request, values).timezone if values.unit else None,
    )


def _text_of(request: _Request, values: LeafType, dtype: pd.StringDtype) -> ColumnPlan:
    # Arrow's strings are made of offsets and bytes; Python's are shared through the dictionary.
    target = replace(
        byte_string_target(request.field.node), keep_dictionary=dtype.storage == "python"
    )
    return ColumnPlan(
        request.label,
        request.field,
        Storage.TEXT,
        (target,),
        leaf=values,
        wants_valid=True,
        text_dtype=dtype,
    )


def _categorical(request: _Request, values: LeafType) -> ColumnPlan:
    keeps = values.kind not in (ValueKind.BOOLEAN, ValueKind.NULL)
    return ColumnPlan(
        request.label,
        request.field,
        Storage.CATEGORICAL,
        (replace(values.target, keep_dictionary=keeps),),
        leaf=values,
        wants_valid=True,
        timezone=_times(request, values).timezone if values.unit else None,
        ordered=request.hint.ordered,
    )


def _arrow(request: _Request, values: LeafType | None) -> ColumnPlan:
    from hocket.parquet.assemble.arrow_types import ARROW_OF_PANDAS, arrow_field  # noqa: PLC0415 - few need it

    field = request.field
    arrow = arrow_field(field, hint=request.hint.arrow, options=ARROW_OF_PANDAS)
    return ColumnPlan(
        request.label,
        field,
        Storage.ARROW,
        tuple(target for _, target in arrow.targets()),
        leaf=values,
        wants_valid=True,
        wants_levels=needs_levels(field),
        arrow_hint=request.hint.arrow,
    )


def _has_arrow_type(request: _Request) -> bool:
    logical = request.field.node.logical
    return logical.kind is not LogicalKind.DECIMAL or logical.precision <= _ARROW_DIGITS


_DEFAULTS: Final[dict[ValueKind, Callable[[_Request, LeafType], ColumnPlan]]] = {
    ValueKind.BOOLEAN: _integers,
    ValueKind.INTEGER: _integers,
    ValueKind.FLOAT: _floats,
    ValueKind.TEXT: _text,
    ValueKind.JSON: _text,
    ValueKind.BYTES: _bytes,
    ValueKind.UUID: _bytes,
    ValueKind.DECIMAL: _decimal,
    ValueKind.DATE: _times,
    ValueKind.TIMESTAMP: _times,
    ValueKind.TIME: _times,
    ValueKind.DURATION: _times,
    ValueKind.INTERVAL: _intervals,
    ValueKind.NULL: _objects,
}
