"""Text as pandas' strings, over Arrow's buffers and over Python's strings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_slow_decoder import decoded, leaf, plan, series

from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.assemble.python_scalars import text_list
from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import PhysicalType as Physical

NODE = leaf(Physical.BYTE_ARRAY, Kind.STRING)


def encoded(texts):
    return [None if text is None else text.encode() for text in texts]


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_text_of_both_storages(storage, dictionary):
    if storage == "pyarrow":
        pytest.importorskip("pyarrow")
    with pd.option_context("mode.string_storage", storage):
        result = series(
            NODE, encoded(["a", None, ""]), [], encoded(["é€😀", "a"]), dictionary=dictionary
        )
        expected = pd.Series(["a", None, "", "é€😀", "a"], dtype=pd.Series(["a"]).dtype)
    pd.testing.assert_series_equal(result, expected, check_names=False)
    if isinstance(result.dtype, pd.StringDtype):
        assert result.dtype.storage == storage


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_the_older_string_dtype(storage):
    if storage == "pyarrow":
        pytest.importorskip("pyarrow")
    dtype = pd.StringDtype(storage)
    result = series(NODE, encoded(["a", None]), dtypes={"x": dtype})
    pd.testing.assert_series_equal(result, pd.Series(["a", None], dtype=dtype), check_names=False)
    assert result[1] is pd.NA


def test_arrow_shares_the_decoded_bytes():
    pa = pytest.importorskip("pyarrow")
    if not isinstance(pd.Series(["a"]).dtype, pd.StringDtype):
        pytest.skip("pandas has strings as objects")
    column_plan = plan(NODE)
    builder = FrameBuilder([column_plan], [2, 1])
    parts = [decoded(NODE, column_plan.target, values) for values in ([b"ab", None], [b"c"])]
    for group, part in enumerate(parts):
        assert builder.put(0, group, [part])
    array = builder.finish()["x"].array._pa_array
    assert array.type == pa.large_string()
    assert array.num_chunks == 2
    assert array.chunk(0).buffers()[2].address == parts[0].data.__array_interface__["data"][0]
    assert array.null_count == 1


def test_objects_and_bytes_on_request():
    assert series(NODE, [b"a", None], strings="object").tolist() == ["a", None]
    assert series(NODE, [b"a\xff", None], strings="bytes").tolist() == [b"a\xff", None]
    assert series(leaf(Physical.BYTE_ARRAY, Kind.ENUM), [b"A"], strings="object").tolist() == ["A"]


def test_one_object_for_each_value_of_a_dictionary():
    result = series(NODE, [b"abc", None, b"abc"], strings="object")
    assert result[0] is result[2]


@given(st.lists(st.text(max_size=8), max_size=30))
def test_blocks_of_text_are_cut_where_strings_end(texts):
    raws = [text.encode("utf-8", "surrogatepass") for text in texts]
    if any(b"\xed" in raw for raw in raws):
        return
    before = b"left out"
    offsets = np.cumsum([len(before), *map(len, raws)])
    data = np.frombuffer(before + b"".join(raws), np.uint8)
    assert text_list(offsets, data) == texts


def test_many_rows_of_text_are_more_than_a_block():
    texts = [f"{at}é" if at % 3 else str(at) for at in range(20_000)]
    raws = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, raws)])
    assert text_list(offsets, np.frombuffer(b"".join(raws), np.uint8)) == texts


@pytest.mark.parametrize("raws", [[b"\xff"], [b"a", b"\xc3", b"\xa9"], [b"\xe2\x82", b"\xac"]])
def test_what_is_no_text_is_an_error(raws):
    with pytest.raises(CorruptFile, match="UTF-8"):
        text_list(np.cumsum([0, *map(len, raws)]), np.frombuffer(b"".join(raws), np.uint8))
