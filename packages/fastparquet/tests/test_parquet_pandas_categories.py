"""Dictionaries of row groups become the categories of one categorical."""

from __future__ import annotations

import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_slow_decoder import decoded, frame, leaf, plan, series

from hocket.parquet.assemble.categories import code_dtype
from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.assemble.value_kinds import ColumnHint
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import PhysicalType as Physical

TEXT = leaf(Physical.BYTE_ARRAY, Kind.STRING)


@given(
    st.lists(st.lists(st.none() | st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=6)),
    st.booleans(),
)
def test_values_and_their_order_are_kept(parts, dictionary):
    result = series(TEXT, *parts, categories=["x"], dictionary=dictionary)
    values = [value for part in parts for value in part]
    texts = [None if value is None else value.decode() for value in values]
    assert [None if value != value else value for value in result] == texts  # noqa: PLR0124
    seen = list(dict.fromkeys(text for text in texts if text is not None))
    assert list(result.cat.categories) == seen
    assert result.cat.codes.dtype == np.int8
    pd.testing.assert_series_equal(
        result,
        pd.Series(pd.Categorical(texts, categories=result.cat.categories)),
        check_names=False,
    )


def test_values_that_no_row_has_stay_categories():
    column_plan = plan(TEXT, categories=["x"])
    builder = FrameBuilder([column_plan], [1, 1])
    for group, values in enumerate(([b"a", b"b"], [b"b", b"a"])):
        part = decoded(TEXT, column_plan.target, values)
        part.codes, part.count, part.row_count = part.codes[:1], 1, 1
        assert builder.put(0, group, [part])
    result = builder.finish()["x"]
    assert list(result) == ["a", "b"]
    assert list(result.cat.categories) == ["a", "b"]


def test_values_that_a_dictionary_repeats():
    column_plan = plan(TEXT, categories=["x"])
    builder = FrameBuilder([column_plan], [3])
    part = decoded(TEXT, column_plan.target, [b"a", b"b", b"c"])
    part.dictionary = decoded(TEXT, column_plan.target, [b"a", b"b", b"a"], dictionary=False)
    assert builder.put(0, 0, [part])
    assert list(builder.finish()["x"]) == ["a", "b", "a"]


def test_codes_grow_with_the_categories():
    assert [code_dtype(n).name for n in (0, 126, 127, 32_766, 32_767, 1 << 31)] == [
        "int8", "int8", "int16", "int16", "int32", "int64",
    ]  # fmt: skip
    small, large = [b"x", None, b"y"], [b"%d" % at for at in range(300)]
    for parts in ([small, large], [large, small], [large, large[::-1], small]):
        result = series(TEXT, *parts, categories=["x"])
        assert result.cat.codes.dtype == np.int16
        flat = [value for part in parts for value in part]
        assert [None if v != v else v.encode() for v in result] == flat  # noqa: PLR0124


@pytest.mark.parametrize(
    ("node", "stored", "values", "dtype"),
    [
        (leaf(Physical.INT32), [3, 1], [3, 1], "int32"),
        (leaf(Physical.BOOLEAN), [True, False], [True, False], "bool"),
        (leaf(Physical.DOUBLE), [1.5, -2.5], [1.5, -2.5], "float64"),
        (
            leaf(Physical.INT32, Kind.DATE),
            [0, 1],
            [pd.Timestamp(0), pd.Timestamp("1970-01-02")],
            "M8[s]",
        ),
        (leaf(Physical.BYTE_ARRAY), [b"b", b"a"], [b"b", b"a"], "object"),
        (
            leaf(Physical.INT32, Kind.DECIMAL, precision=3, scale=1),
            [15, 2],
            [Decimal("1.5"), Decimal("0.2")],
            "object",
        ),
        (
            leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.INTERVAL, length=12),
            [bytes(12), b"\1" + bytes(11)],
            [(0, 0, 0), (1, 0, 0)],
            "object",
        ),
        (
            leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.FLOAT16, length=2),
            [np.float16(1.5).tobytes(), np.float16(0.5).tobytes()],
            [1.5, 0.5],
            "float32",
        ),
    ],
)
def test_categories_of_other_types(node, stored, values, dtype):
    for dictionary in (True, False):
        parts = [stored[0], None], [stored[1], stored[0]]
        result = series(node, *parts, categories=["x"], dictionary=dictionary)
        assert result.cat.categories.tolist() == values
        assert result.cat.categories.dtype == dtype
        assert result.cat.codes.tolist() == [0, -1, 1, 0]


def test_categories_of_instants_keep_their_zone():
    node = leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True)
    result = series(node, [0, None], [1], categories=["x"])
    assert result.cat.categories.dtype == "datetime64[us, UTC]"


def test_nan_is_no_category():
    result = series(leaf(Physical.DOUBLE), [float("nan"), 1.5, None], categories=["x"])
    assert result.cat.categories.tolist() == [1.5]
    assert result.cat.codes.tolist() == [-1, 0, -1]


def test_uuids():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.UUID, length=16)
    value = uuid.uuid4()
    assert series(node, [value.bytes], categories=["x"]).cat.categories.tolist() == [value]


def test_which_columns_are_categoricals():
    other = leaf(Physical.BYTE_ARRAY, Kind.STRING, name="y")
    columns = [(TEXT, [[b"a"]]), (other, [[b"a"]])]
    hinted = {"hint": ColumnHint(is_categorical=True, ordered=True)}
    assert [str(each) == "category" for each in frame(columns).dtypes] == [False, False]
    result = frame(columns, **hinted)
    assert [str(each) == "category" for each in result.dtypes] == [True, True]
    assert result["x"].cat.ordered
    assert [str(each) == "category" for each in frame(columns, categories=[], **hinted).dtypes] == [
        False,
        False,
    ]
    # fastparquet also took the number of categories to expect.
    result = frame(columns, categories={"y": 10})
    assert [str(each) == "category" for each in result.dtypes] == [False, True]
    assert series(TEXT, [b"a"], dtypes={"x": "category"}).dtype == "category"
