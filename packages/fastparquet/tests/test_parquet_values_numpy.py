"""Columns as NumPy arrays."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from parquet_slow_decoder import fill, leaf

from hocket.parquet.assemble.numpy_arrays import ArraysBuilder, plan_array
from hocket.parquet.assemble.value_kinds import ColumnHint
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import PhysicalType as Physical
from hocket.parquet.nesting.fields import field_of


def array(node, *parts, **options):
    builder = ArraysBuilder(
        [plan_array("x", field_of(node), **options)], [len(part) for part in parts]
    )
    fill(builder, [(node, parts)])
    return builder.finish_arrays()["x"]


@pytest.mark.parametrize(
    ("node", "stored", "dtype"),
    [
        (leaf(Physical.BOOLEAN), True, "bool"),
        (leaf(Physical.INT32), 5, "int32"),
        (leaf(Physical.INT64, Kind.INTEGER, bit_width=64, is_signed=False), 2**64 - 1, "uint64"),
        (leaf(Physical.FIXED_LEN_BYTE_ARRAY, length=3), b"a\0\0", "V3"),
        (leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.UUID, length=16), bytes(16), "V16"),
    ],
)
def test_what_cannot_say_that_it_is_missing_is_masked(node, stored, dtype):
    plain = array(node, [stored], [stored, stored], null_free=True)
    assert type(plain) is np.ndarray
    assert plain.dtype == dtype
    assert plain.tolist() == [stored] * 3
    masked = array(node, [stored, None], [stored])
    assert isinstance(masked, np.ma.MaskedArray)
    assert masked.dtype == dtype
    assert masked.mask.tolist() == [False, True, False]
    assert masked[2].item() == stored if dtype[0] != "V" else masked.data[2].item() == stored
    late = array(node, [stored, stored], [None], null_free=True)
    assert late.mask.tolist() == [False, False, True]


def test_intervals_have_three_parts():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.INTERVAL, length=12, required=True)
    (value,) = array(node, [b"\1\0\0\0\2\0\0\0\3\0\0\0"])
    assert (value["months"], value["days"], value["milliseconds"]) == (1, 2, 3)


def test_floats_and_times_say_it_themselves():
    floats = array(leaf(Physical.DOUBLE), [1.5, None])
    assert floats[0] == 1.5
    assert np.isnan(floats[1])
    dates = array(leaf(Physical.INT32, Kind.DATE), [1, None], [-(2**31)])
    assert dates.dtype == "M8[D]"
    assert dates[[0, 2]].astype(int).tolist() == [1, -(2**31)]
    assert np.isnat(dates[1])
    instants = leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True)
    assert array(instants, [1, None], hint=ColumnHint(timezone="Asia/Tokyo")).dtype == "M8[us]"
    assert array(leaf(Physical.INT64), [1], hint=ColumnHint(duration_unit="ns")).dtype == "m8[ns]"
    far = array(leaf(Physical.INT96), [(2_440_588, 5_000)], [(2_640_588, 0)])
    assert far.dtype == "M8[us]"
    assert far.view("i8").tolist() == [5, 200_000 * 86_400 * 10**6]


def test_the_rest_are_objects():
    text = array(
        leaf(Physical.BYTE_ARRAY, Kind.STRING), [b"a", None], hint=ColumnHint(is_categorical=True)
    )
    assert text.tolist() == ["a", None]
    assert array(leaf(Physical.BYTE_ARRAY), [b"a", None]).tolist() == [b"a", None]
    node = leaf(Physical.INT32, Kind.DECIMAL, precision=5, scale=1)
    assert array(node, [15, None]).tolist() == [Decimal("1.5"), None]


def test_arrays_are_where_values_were_decoded_to():
    node = leaf(Physical.INT64, required=True)
    builder = ArraysBuilder([plan_array("x", field_of(node))], [2, 1])
    place = builder.place(0, 1).values
    fill(builder, [(node, [[1, 2], [3]])])
    result = builder.finish_arrays()["x"]
    assert np.shares_memory(result, place)
    assert result.tolist() == [1, 2, 3]
