"""Frames made in place: what goes in, in any order, comes out, and nothing is copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_slow_decoder import decoded, fill, frame, leaf, plan

from hocket.parquet.assemble.categories import categorical_of_parts
from hocket.parquet.assemble.column_builder import Place, RowSpans
from hocket.parquet.assemble.frame import FrameBuilder
from hocket.parquet.errors import CorruptFile, InvalidOption, LimitExceeded
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import PhysicalType as Physical

KINDS = {
    "int": (lambda i: leaf(Physical.INT64, name=f"int{i}"), st.integers(-(2**63), 2**63 - 1)),
    "float": (lambda i: leaf(Physical.DOUBLE, name=f"float{i}"), st.floats(allow_nan=False)),
    "bool": (lambda i: leaf(Physical.BOOLEAN, name=f"bool{i}"), st.booleans()),
    "text": (
        lambda i: leaf(Physical.BYTE_ARRAY, Kind.STRING, name=f"text{i}"),
        st.text(max_size=5),
    ),
    "bytes": (lambda i: leaf(Physical.BYTE_ARRAY, name=f"bytes{i}"), st.binary(max_size=5)),
    "date": (lambda i: leaf(Physical.INT32, Kind.DATE, name=f"date{i}"), st.integers(-999, 999)),
}


@st.composite
def tables(draw):
    counts = draw(st.lists(st.integers(0, 4), max_size=4))
    columns = []
    for i, kind in enumerate(draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=6))):
        make, values = KINDS[kind]
        parts = [
            draw(st.lists(st.none() | values, min_size=count, max_size=count)) for count in counts
        ]
        columns.append((make(i), parts))
    return counts, columns


def stored(value):
    return value.encode() if isinstance(value, str) else value


def comparable(value):
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124
        return None
    if isinstance(value, pd.Timestamp):
        return value.value // 86_400_000_000_000
    return value


@given(tables(), st.randoms(), st.booleans())
def test_whatever_comes_in_any_order_comes_out(table, order, dictionary):
    counts, columns = table
    builder = FrameBuilder([plan(node) for node, _ in columns], counts)
    jobs = [(at, group) for at in range(len(columns)) for group in range(len(counts))]
    order.shuffle(jobs)
    for at, group in jobs:
        node, parts = columns[at]
        values = [stored(value) for value in parts[group]]
        builder.fill(
            at,
            group,
            lambda _, target, place, node=node, values=values: decoded(
                node, target, values, place, dictionary=dictionary
            ),
        )
    result = builder.finish()
    assert result.shape == (sum(counts), len(columns))
    for at, (_, parts) in enumerate(columns):
        expected = [value for part in parts for value in part]
        assert [comparable(value) for value in result.iloc[:, at]] == expected


def test_columns_of_one_dtype_share_a_block_that_is_decoded_into():
    nodes = [leaf(Physical.DOUBLE, name=f"f{i}") for i in range(3)]
    builder = FrameBuilder([plan(node) for node in nodes], [2, 3])
    first, _, _ = builder.place(0, 0)
    last, _, _ = builder.place(2, 1)
    assert first.base is last.base
    fill(builder, [(node, [[1.0, 2.0], [3.0, None, 5.0]]) for node in nodes])
    result = builder.finish()
    assert np.shares_memory(result["f0"].to_numpy(), first)
    assert result["f2"].tolist()[:3] == [1.0, 2.0, 3.0]
    assert first.flags.writeable


def test_masked_and_zoned_columns_are_not_copied_either():
    nodes = [
        leaf(Physical.INT64, name="a"),
        leaf(Physical.INT64, Kind.TIMESTAMP, name="b", unit="us", is_utc=True),
    ]
    builder = FrameBuilder([plan(node) for node in nodes], [2])
    places = [builder.place(at, 0) for at in range(2)]
    fill(builder, [(node, [[1, None]]) for node in nodes])
    result = builder.finish()
    assert np.shares_memory(result["a"].array._data, places[0].values)
    assert np.shares_memory(result["a"].array._mask, places[0].valid)
    assert np.shares_memory(result["b"].array._ndarray, places[1].values)


def test_a_frame_can_be_written_to():
    result = frame(
        [
            (leaf(Physical.INT64, required=True), [[1, 2]]),
            (leaf(Physical.BYTE_ARRAY, name="y"), [[b"a", None]]),
        ]
    )
    result.loc[0, "x"] = 5
    result.loc[1, "y"] = b"b"
    assert result["x"].tolist() == [5, 2]
    assert result["y"].tolist() == [b"a", b"b"]


def test_columns_that_leave_their_block_leave_the_others_there():
    nodes = [leaf(Physical.INT64, name=name) for name in "abcde"]
    columns = [(node, [[at, None if at in (1, 3) else 7]]) for at, node in enumerate(nodes)]
    result = frame(columns, null_free=True)
    assert result.dtypes.astype(str).tolist() == ["int64", "Int64", "int64", "Int64", "int64"]
    assert result.iloc[0].tolist() == [0, 1, 2, 3, 4]
    assert result.isna().iloc[1].tolist() == [False, True, False, True, False]


def test_columns_with_one_name():
    result = frame([(leaf(Physical.INT64, required=True), [[at]]) for at in range(3)])
    assert list(result.columns) == ["x", "x", "x"]
    assert result.iloc[0].tolist() == [0, 1, 2]


def test_frames_without_columns_or_rows():
    builder = FrameBuilder([], [2, 3])
    assert builder.finish().shape == (5, 0)
    assert FrameBuilder([], []).finish().shape == (0, 0)
    kinds = [make(0) for make, _ in KINDS.values()]
    for parts in ([], [[]], [[], []]):
        builder = FrameBuilder([plan(node) for node in kinds], [0] * len(parts))
        fill(builder, [(node, parts) for node in kinds])
        result = builder.finish()
        assert result.shape == (0, len(kinds))
        assert result.dtypes.equals(frame([(node, [[None]]) for node in kinds]).dtypes)


def test_indexes():
    nodes = [
        leaf(Physical.INT64, name="a", required=True),
        leaf(Physical.BYTE_ARRAY, Kind.STRING, name="b"),
        leaf(Physical.INT64, name="c", required=True),
    ]
    columns = list(zip(nodes, [[[1], [2]], [[b"x"], [b"y"]], [[3], [4]]], strict=True))

    def built(index):
        builder = FrameBuilder([plan(node) for node in nodes], [1, 1], alone=index)
        fill(builder, columns)
        return builder

    result = built([1]).finish(index=[1], index_names=["k"])
    assert result.index.tolist() == ["x", "y"]
    assert result.index.name == "k"
    assert list(result.columns) == ["a", "c"]
    result = built([2, 1]).finish(index=[2, 1], index_names=["i", None])
    assert result.index.tolist() == [(3, "x"), (4, "y")]
    assert list(result.index.names) == ["i", None]
    result = built([]).finish(range_index=pd.RangeIndex(5, 9, 2), labels=pd.Index([1, 2, 3]))
    assert result.index.tolist() == [5, 7]
    assert list(result.columns) == [1, 2, 3]


def test_halves_become_an_index_that_pandas_has():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.FLOAT16, length=2)
    builder = FrameBuilder([plan(node)], [1], alone=[0])
    fill(builder, [(node, [[np.float16(2.5).tobytes()]])])
    assert builder.finish(index=[0]).index.tolist() == [2.5]


def test_many_columns_are_few_blocks():
    nodes = [leaf(Physical.DOUBLE, name=f"c{at}") for at in range(2000)]
    builder = FrameBuilder([plan(node) for node in nodes], [1])
    fill(builder, [(node, [[float(at)]]) for at, node in enumerate(nodes)])
    result = builder.finish()
    assert result.iloc[0].tolist() == list(range(2000))
    if int(pd.__version__.split(".")[0]) >= 3:
        assert result._mgr.nblocks == 1


def test_threads_may_fill_a_frame():
    nodes = [leaf(Physical.INT64, name="a"), leaf(Physical.BYTE_ARRAY, Kind.STRING, name="b")]
    plans = [plan(nodes[0], null_free=True), plan(nodes[1], categories=["b"])]
    builder = FrameBuilder(plans, [50] * 40)
    values = [
        [[group * 50 + row if row else None for row in range(50)] for group in range(40)],
        [[b"%d" % (group * 7 + row % 9) for row in range(50)] for group in range(40)],
    ]

    def job(at, group):
        builder.fill(
            at, group, lambda _, target, place: decoded(nodes[at], target, values[at][group], place)
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, *zip(*[(at, g) for g in range(40) for at in range(2)], strict=True)))
    result = builder.finish()
    assert [comparable(each) for each in result["a"]] == list(chain(*values[0]))
    assert [each.encode() for each in result["b"]] == list(chain(*values[1]))


def test_parts_with_another_number_of_rows_are_refused():
    node = leaf(Physical.INT64)
    builder = FrameBuilder([plan(node)], [3])
    with pytest.raises(CorruptFile, match="2 rows in a row group of which 3") as caught:
        builder.put(0, 0, [decoded(node, plan(node).target, [1, 2])])
    assert caught.value.row_group == 0


def test_errors_of_decoding_are_not_tried_again_without_end():
    node = leaf(Physical.INT96)
    builder = FrameBuilder([plan(node)], [1])
    tried = []

    def decode(_leaf, target, _place):
        tried.append(target.dtype.str)
        raise CorruptFile("damaged")

    with pytest.raises(CorruptFile, match="damaged"):
        builder.fill(0, 0, decode)
    assert tried == ["<M8[ns]", "<M8[us]", "<M8[ms]", "<M8[s]"]


def test_frames_that_no_memory_can_hold():
    with pytest.raises(LimitExceeded, match="1 columns of"):
        FrameBuilder([plan(leaf(Physical.INT64))], [1 << 60])


def test_casts_name_the_column():
    node = leaf(Physical.BYTE_ARRAY, Kind.STRING, name="y")
    with pytest.raises(InvalidOption, match="cannot be converted") as caught:
        frame([(node, [[b"a"]])], dtypes={"y": "float64"})
    assert caught.value.column == "y"


def test_values_that_were_decoded_elsewhere_are_taken_too():
    nodes = [
        leaf(Physical.INT64, name="a"),
        leaf(Physical.DOUBLE, name="b"),
        leaf(Physical.INT96, name="c"),
    ]
    builder = FrameBuilder([plan(node) for node in nodes], [2])
    elsewhere = Place(None, None, wants_valid=True)
    for at, values in enumerate(([1, None], [0.5, None], [(2_440_588, 5), None])):
        (target,) = builder.targets(at, 0)
        assert builder.put(at, 0, [decoded(nodes[at], target, values, elsewhere)])
    result = builder.finish()
    assert result.iloc[0].tolist() == [1, 0.5, pd.Timestamp(5)]
    assert result.isna().iloc[1].all()


def test_partitions_are_categoricals_of_one_value_a_part():
    result = categorical_of_parts([1, -1, 0], ["a", "b"], RowSpans([2, 1, 1]))
    assert result.tolist()[:2] == ["b", "b"]
    assert result.codes.tolist() == [1, 1, -1, 0]
    assert list(result.categories) == ["a", "b"]
