"""Columns as NumPy arrays, one a column, without pandas' dtypes.

Numbers, times and bytes of fixed length stay what the file has; where an item cannot say that it is
missing the array is a `numpy.ma.MaskedArray`, and NaN or NaT stand for nulls elsewhere. Dates are
``datetime64[D]``. Text, byte strings, decimals and nested columns are Python objects.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np

from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.assemble.pandas_arrays import BlockBuilder, MaskedBuilder
from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.assemble.pandas_types import ColumnPlan, LateNulls, Storage, plan_column
from hocket.parquet.assemble.value_kinds import NO_HINT, ColumnHint, ValueKind, leaf_type
from hocket.parquet.decode.target import Conversion
from hocket.parquet.nesting.fields import Field, FieldKind
from hocket.parquet.records import replace

__all__ = ["ArraysBuilder", "plan_array"]

_Array = np.ndarray[Any, Any]
_OPTIONS: Final = PandasOptions(
    strings="object", decimals="python", nested="python", categories=(), use_pandas_metadata=False
)
_INTERVAL: Final = np.dtype([("months", "<u4"), ("days", "<u4"), ("milliseconds", "<u4")])
_AS_STORED: Final = (ValueKind.BYTES, ValueKind.UUID, ValueKind.INTERVAL)


def plan_array(
    label: Hashable,
    field: Field,
    *,
    hint: ColumnHint = NO_HINT,
    null_free: bool = False,
) -> ColumnPlan:
    """Decide what a column becomes.

    Parameters
    ----------
    label
        Its key in the result.
    field
        The column.
    hint
        What Arrow's metadata say of it.
    null_free
        Whether there are no nulls in what is to be read.
    """
    hint = replace(hint, numpy_type="", is_categorical=False)
    if field.kind is FieldKind.LEAF and not field.repetition:
        leaf = leaf_type(field.node, hint)
        if leaf.kind is ValueKind.DATE:
            target = replace(leaf.target, dtype=np.dtype("M8[D]"), conversion=Conversion.WIDEN_64)
            assert target.dtype is not None
            return ColumnPlan(label, field, Storage.BLOCK, (target,), dtype=target.dtype, leaf=leaf)
        if leaf.kind in _AS_STORED and leaf.target.dtype is not None:
            return _as_stored(label, field, null_free=null_free, hint=hint)
    plan = plan_column(label, field, _OPTIONS, hint=hint, null_free=null_free)
    # NumPy knows no time zones: instants are in UTC.
    return replace(plan, timezone=None) if plan.storage is Storage.BLOCK else plan


def _as_stored(label: Hashable, field: Field, *, null_free: bool, hint: ColumnHint) -> ColumnPlan:
    leaf = leaf_type(field.node, hint)
    dtype = _INTERVAL if leaf.kind is ValueKind.INTERVAL else leaf.target.dtype
    assert dtype is not None
    is_plain = null_free or not field.nullable
    return ColumnPlan(
        label,
        field,
        Storage.BLOCK if is_plain else Storage.MASKED,
        (replace(leaf.target, dtype=dtype),),
        dtype=dtype,
        leaf=leaf,
        late_nulls=LateNulls.MASK,
        wants_valid=not is_plain,
    )


class ArraysBuilder(FrameBuilder):
    """Arrays in the making; parts come in as with a frame.

    Parameters
    ----------
    plans
        What each column becomes, as `plan_array` decides.
    row_counts
        How many rows each row group gives.
    """

    def __init__(self, plans: Sequence[ColumnPlan], row_counts: Sequence[int] | _Array) -> None:
        super().__init__(plans, row_counts, alone=range(len(plans)))

    def finish_arrays(self) -> dict[Hashable, _Array]:
        """Return the arrays by their labels."""
        arrays: dict[Hashable, _Array] = {}
        for at, plan in enumerate(self.plans):
            builder = self._builders[at]
            mask: _Array | None
            if isinstance(builder, MaskedBuilder):
                values, mask = builder.parts()
            else:
                mask = builder.late_mask() if isinstance(builder, BlockBuilder) else None
                values = self._alone(at, None if mask is not None else builder.finish())
            arrays[plan.label] = values if mask is None else np.ma.MaskedArray(values, mask)
        self._builders = []
        return arrays
