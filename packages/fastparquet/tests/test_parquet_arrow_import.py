"""Taking Arrow data from other libraries: the values, and how long their memory is held."""

from __future__ import annotations

import datetime as dt
import gc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_arrow_data import typed
from parquet_plain_values import value_at, values_of

from hocket.parquet import ParquetFile
from hocket.parquet.assemble.arrow_export import live_exports
from hocket.parquet.errors import InvalidArrow, InvalidOption, ValueUnstorable
from hocket.parquet.intake.arrow_import import arrow_batches, arrow_column

# ------------------------------------------------------------------------------------------ values


def plain(kind, value):
    """Return a value as `value_at` has it."""
    if value is None:
        return None
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(value, str):
        return value.encode()
    if pa.types.is_struct(kind):
        return tuple(plain(field.type, value[field.name]) for field in kind)
    if pa.types.is_map(kind):
        return [(key, plain(kind.item_type, each)) for key, each in value]
    return [plain(kind.value_type, each) for each in value] if isinstance(value, list) else value


@settings(max_examples=300)
@given(st.data())
def test_values_of_any_type(data):
    kind, values = data.draw(typed())
    rows = data.draw(st.lists(values, max_size=8))
    array = pa.chunked_array([pa.array(rows, kind)])
    start = data.draw(st.integers(0, len(rows)))
    table = pa.table({"x": array}).slice(start, data.draw(st.integers(0, len(rows))))
    found = [value for (column,) in arrow_batches(table) for value in values_of(column)]
    assert found == [plain(kind, value) for value in table["x"].to_pylist()]


@given(st.data())
def test_list_views_in_any_order(data):
    count = data.draw(st.integers(0, 6))
    offsets = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    elements = pa.array([f"{index}" for index in range(8)])
    array = pa.ListViewArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(sizes, pa.int32()), elements
    )
    expected = [plain(array.type, value) for value in array.to_pylist()]
    found = [value for (column,) in arrow_column(array, "x") for value in values_of(column)]
    assert found == expected


@given(st.data())
def test_runs(data):
    lengths = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    values = data.draw(
        st.lists(st.none() | st.text("ab"), min_size=len(lengths), max_size=len(lengths))
    )
    ends = pa.array(np.cumsum(lengths), data.draw(st.sampled_from([pa.int16(), pa.int64()])))
    array = pa.RunEndEncodedArray.from_arrays(ends, pa.array(values, pa.string()))
    start = data.draw(st.integers(0, len(array)))
    array = array.slice(start, data.draw(st.integers(0, len(array))))
    found = [value for (column,) in arrow_column(array, "x") for value in values_of(column)]
    assert found == [None if each is None else each.encode() for each in array.to_pylist()]


def only_column(array):
    """Return the field and the only array of a column."""
    batches = arrow_column(array, "x")
    ((column,),) = list(batches)
    return batches.fields[0], column


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (pa.date32(), dt.date(1970, 1, 3), 2),
        (pa.date64(), dt.date(1970, 1, 3), 2 * 86_400_000),
        (pa.time32("s"), dt.time(0, 1), 60),
        (pa.time64("ns"), dt.time(0, 0, 1), 10**9),
        (pa.timestamp("s"), np.datetime64(60, "s"), 60),
        (pa.timestamp("ns", "Europe/Berlin"), dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0),
        (pa.duration("us"), dt.timedelta(seconds=2), 2_000_000),
        (pa.decimal32(5, 2), Decimal("1.25"), 125),
        (pa.decimal64(5, 2), Decimal("-1.25"), -125),
        (pa.decimal128(5, 2), Decimal(-1), (-100).to_bytes(16, "little", signed=True)),
        (pa.decimal256(40, 2), Decimal(1), (100).to_bytes(32, "little", signed=True)),
        (pa.float16(), np.float16(1.5), np.float16(1.5).tobytes()),
        (pa.month_day_nano_interval(), (1, 2, 3_000_000), np.array([1, 2, 3], "<u4").tobytes()),
    ],
)
def test_values_of_fixed_size(kind, value, stored):
    _, column = only_column(pa.array([None, value], kind))
    assert values_of(column) == [None, stored]


@pytest.mark.parametrize("interval", [(-1, 0, 0), (0, -2, 0), (0, 0, 1), (0, 0, -1_000_000)])
def test_intervals_that_parquet_has_not_are_an_error(interval):
    array = pa.array([None, interval], pa.month_day_nano_interval())
    with pytest.raises(ValueUnstorable, match=r"column 'x'.*value 1 is an interval"):
        only_column(array)
    # What is missing may be anything.
    _, column = only_column(pa.array([(1, 1, 0)], pa.month_day_nano_interval()))
    assert column.length == 1


def test_booleans_of_a_byte():
    storage = pa.array([0, 1, 5, None], pa.int8())
    _, column = only_column(pa.ExtensionArray.from_storage(pa.bool8(), storage))
    assert values_of(column) == [0, 1, 1, None]


def test_memory_is_not_copied():
    array = pa.array(np.arange(1000))
    _, column = only_column(array.slice(10, 100))
    address = array.buffers()[1].address
    assert column.values.__array_interface__["data"][0] == address + 80
    strings = pa.array(["abc", "de"])
    _, column = only_column(strings)
    assert column.values.__array_interface__["data"][0] == strings.buffers()[2].address
    assert not column.values.flags.writeable


def test_a_batch_and_a_column_alone():
    batch = pa.record_batch({"a": [1, 2], "b": ["x", None]})

    class OnlyArray:
        def __arrow_c_array__(self, requested_schema=None):
            return batch.__arrow_c_array__(requested_schema)

    batches = arrow_batches(OnlyArray())
    assert [field.name for field in batches.fields] == ["a", "b"]
    assert [[values_of(each) for each in arrays] for arrays in batches] == [[[1, 2], [b"x", None]]]
    with pytest.raises(InvalidOption, match="hands out a column of Arrow type 'l'"):
        arrow_batches(pa.array([1]))
    with pytest.raises(InvalidOption, match="list hands out no Arrow data"):
        arrow_batches([1])


def test_rows_of_a_sliced_struct_as_a_batch():
    array = pa.StructArray.from_arrays([pa.array([1, 2, 3])], ["a"]).slice(1)
    ((column,),) = list(arrow_batches(array))
    assert values_of(column) == [2, 3]
    missing = pa.StructArray.from_arrays([pa.array([1, 2])], ["a"], mask=pa.array([False, True]))
    with pytest.raises(InvalidArrow, match="missing as a whole"):
        list(arrow_batches(missing))


# ---------------------------------------------------------------------------------------- lifetime


def test_memory_is_held_while_any_array_lives_and_released_then():
    gc.collect()
    before = pa.total_allocated_bytes()
    array = pa.array(np.random.default_rng(1).integers(0, 9, 100_000)).cast(pa.int32())
    table = pa.table({"a": array, "b": pa.array(["text"] * 1000 + [None] * 99_000)})
    batches = arrow_batches(table)
    ((first, second),) = list(batches)
    del array, table, batches, first
    gc.collect()
    assert pa.total_allocated_bytes() > before
    assert value_at(second, 0) == b"text"
    part = second.offsets[5:6]
    del second
    gc.collect()
    assert pa.total_allocated_bytes() > before
    assert part[0] == 20
    del part
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_streams_that_are_left_are_released():
    gc.collect()
    before = pa.total_allocated_bytes()

    def batches():
        for index in range(10):
            yield pa.record_batch({"a": np.arange(1000) + index}).take(pa.array(range(1000)))

    reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
    source = arrow_batches(reader)
    (first,) = next(iter(source))
    assert value_at(first, 3) == 3
    source.close()
    assert list(source) == []
    del source, reader, first
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_what_a_failing_stream_says_is_told():
    def batches():
        yield pa.record_batch({"a": [1]})
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
    source = iter(arrow_batches(reader))
    assert [values_of(each) for each in next(source)] == [[1]]
    with pytest.raises(InvalidArrow, match="the disk is gone"):
        next(source)


def test_a_capsule_is_taken_once():
    capsule = pa.table({"a": [1]}).__arrow_c_stream__()

    class Twice:
        def __arrow_c_stream__(self, requested_schema=None):
            return capsule

    assert len(list(arrow_batches(Twice()))) == 1
    with pytest.raises(InvalidArrow, match="taken already"):
        arrow_batches(Twice())


def test_our_own_exports_come_back_and_are_released():
    gc.collect()
    before = live_exports()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, None], "b": [["x"], []]}), sink)
    table = ParquetFile(sink.getvalue().to_pybytes()).to_arrow()
    ((first, second),) = list(arrow_batches(table))
    assert values_of(first) == [1, None]
    assert values_of(second) == [[b"x"], []]
    assert live_exports() > before
    del first, second
    gc.collect()
    assert live_exports() == before
