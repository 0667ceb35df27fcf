"""Whether values are the same, whatever holds them: Arrow's types, NumPy's, pandas'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["assert_frame_holds", "assert_same_array", "assert_same_table"]


def assert_same_table(want: pa.Table, got: pa.Table) -> None:
    """Compare all columns of two tables."""
    assert got.column_names == want.column_names
    got.validate(full=True)
    for name, one, other in zip(want.column_names, want.columns, got.columns, strict=True):
        assert_same_array(one, other, name)


_PLAINER = {
    pa.string_view(): pa.string(),
    pa.binary_view(): pa.binary(),
    pa.date64(): pa.date32(),
}


def _one_array(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array.type, pa.BaseExtensionType):
        return _one_array(array.storage)
    if pa.types.is_dictionary(array.type):
        return array.dictionary.take(array.indices)
    # These have few functions in pyarrow.
    plain = _PLAINER.get(array.type)
    return array if plain is None else array.cast(plain)


def assert_same_array(want: Any, got: Any, place: str = "") -> None:
    """Compare the values of two Arrow arrays, floats by their bits (and NaN with NaN)."""
    want, got = _one_array(want), _one_array(got)
    assert len(got) == len(want), place
    absent = want.is_null().to_numpy(zero_copy_only=False)
    found = got.is_null().to_numpy(zero_copy_only=False)
    assert (absent == found).all(), f"{place}: nulls differ: {want} {got}"
    if pa.types.is_nested(want.type):
        _assert_same_nested(want, got, place)
        return
    want, got = want.drop_null(), got.drop_null()
    if pa.types.is_floating(want.type):
        assert got.type == want.type, place
        assert_same_floats(want.to_numpy(), got.to_numpy(), place)
        return
    if got.type != want.type:
        got = got.cast(want.type)
    assert got.equals(want), f"{place}: {want} {got}"


def _assert_same_nested(want: pa.Array, got: pa.Array, place: str) -> None:
    if pa.types.is_struct(want.type):
        assert [each.name for each in got.type] == [each.name for each in want.type], place
        for each, one, other in zip(want.type, want.flatten(), got.flatten(), strict=True):
            assert_same_array(one, other, f"{place}.{each.name}")
        return
    lengths = [pc.list_value_length(_as_list(each)).drop_null() for each in (want, got)]
    assert lengths[0].cast(pa.int64()).equals(lengths[1].cast(pa.int64())), f"{place}: lengths"
    assert_same_array(_as_list(want).flatten(), _as_list(got).flatten(), f"{place}.element")


def _as_list(array: pa.Array) -> pa.Array:
    """Return a map as the list of structs that it is."""
    if not pa.types.is_map(array.type):
        return array
    pair = pa.struct(
        [pa.field("key", array.type.key_type), pa.field("value", array.type.item_type)]
    )
    return array.cast(pa.list_(pa.field("element", pair)))


def assert_same_floats(want: np.ndarray, got: np.ndarray, place: str = "") -> None:
    """Compare floats: zeros have a sign, and not-a-number is the same whatever its bits."""
    assert got.dtype == want.dtype, place
    assert np.array_equal(want, got, equal_nan=True), place
    numbers = ~np.isnan(want)
    assert (np.signbit(want) == np.signbit(got))[numbers].all(), f"{place}: the sign of a zero"


# ----------------------------------------------------------------------------------------- pandas


def assert_frame_holds(want: pa.Table, got: pd.DataFrame) -> None:
    """Compare a frame with a table, and its dtypes with those that are promised."""
    assert list(got.columns) == want.column_names
    assert len(got) == (want.num_rows if want.num_columns else len(got))
    for name, column in zip(want.column_names, want.columns, strict=True):
        _assert_series_holds(_one_array_with_type(column), got[name], name)


def _one_array_with_type(column: pa.ChunkedArray) -> tuple[pa.DataType, pa.Array]:
    return column.type, _one_array(column)


def _assert_series_holds(typed: tuple[pa.DataType, pa.Array], got: pd.Series, place: str) -> None:
    kind, want = typed
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        assert isinstance(got.dtype, pd.CategoricalDtype), place
        assert got.dtype.ordered == kind.ordered, place
        codes = got.cat.codes.to_numpy()
        assert np.array_equal(codes < 0, want.is_null().to_numpy(zero_copy_only=False)), place
        kind, want = kind.value_type, want.drop_null()
        if not len(want):
            return
        got = pd.Series(got.cat.categories.take(codes[codes >= 0]))
    for fits, compare in _COMPARISONS:
        if fits(kind):
            compare(want, got, place)
            return
    raise AssertionError(f"nobody compares {kind}")


def _compare_numbers(want: pa.Array, got: pd.Series, place: str) -> None:
    name = str(want.type).replace("bool", "boolean" if want.null_count else "bool")
    masked = name if name.startswith("bool") else name.replace("int", "Int").replace("uI", "UI")
    allowed = {masked} if want.null_count else {name, masked, name.replace("bool", "boolean")}
    assert str(got.dtype) in allowed, f"{place}: {got.dtype}"
    assert_same_array(want, pa.array(got, want.type), place)


def _compare_floats(want: pa.Array, got: pd.Series, place: str) -> None:
    assert_same_floats(want.to_numpy(zero_copy_only=False), got.to_numpy(), place)


def _compare_texts(want: pa.Array, got: pd.Series, place: str) -> None:
    assert got.dtype == "str", f"{place}: {got.dtype}"
    assert_same_array(want, pa.array(got, want.type, from_pandas=True), place)


def _compare_objects(want: pa.Array, got: pd.Series, place: str) -> None:
    assert got.dtype == object, f"{place}: {got.dtype}"
    assert got.tolist() == want.to_pylist(), place


def _compare_arrow(want: pa.Array, got: pd.Series, place: str) -> None:
    assert isinstance(got.dtype, pd.ArrowDtype), f"{place}: {got.dtype}"
    assert_same_array(want, got.array.__arrow_array__(), place)


def _ticks(array: pa.Array) -> np.ndarray:
    storage = pa.int32() if array.type.bit_width == 32 else pa.int64()
    numbers = array.cast(storage).cast(pa.int64())
    return numbers.fill_null(np.iinfo(np.int64).min).to_numpy()


def _compare_times(want: pa.Array, got: pd.Series, place: str) -> None:
    kind, unit = want.type, "s" if pa.types.is_date(want.type) else want.type.unit
    # Parquet has no seconds; pandas has no days.
    is_stored = not pa.types.is_duration(kind) and not pa.types.is_date(kind)
    unit = "ms" if unit == "s" and is_stored else unit
    letter = "M" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else "m"
    zone = getattr(kind, "tz", None)
    if zone is not None:
        assert isinstance(got.dtype, pd.DatetimeTZDtype), f"{place}: {got.dtype}"
        assert got.dtype.tz == pd.DatetimeTZDtype("ns", zone).tz, f"{place}: {got.dtype}"
        assert got.dtype.unit == unit, place
        got = got.dt.tz_convert("UTC").dt.tz_localize(None)
    assert got.dtype == np.dtype(f"{letter}8[{unit}]"), f"{place}: {got.dtype}"
    ticks = _ticks(want)
    factor = 86400 if pa.types.is_date(kind) else 1
    factor = 1000 if getattr(kind, "unit", "") == "s" and is_stored else factor
    present = ticks != np.iinfo(np.int64).min
    ticks = np.where(present, ticks * factor, ticks)
    assert np.array_equal(ticks, got.to_numpy().view(np.int64)), place


_COMPARISONS = [
    (pa.types.is_null, _compare_objects),
    (lambda kind: pa.types.is_integer(kind) or pa.types.is_boolean(kind), _compare_numbers),
    (pa.types.is_floating, _compare_floats),
    (
        lambda kind: (
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        ),
        _compare_texts,
    ),
    (pa.types.is_decimal, _compare_arrow),
    (pa.types.is_nested, _compare_arrow),
    (pa.types.is_temporal, _compare_times),
    (lambda _: True, _compare_objects),
]
