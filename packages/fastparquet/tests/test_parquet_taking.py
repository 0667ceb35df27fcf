"""Some slots of arrays in any order, and arrays behind each other, against lists of Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.arrays.joining import joined
from hocket.parquet.arrays.taking import missing_slots, take
from hocket.parquet.intake.arrow_import import arrow_batches

_TYPES = {
    "integers": (pa.int32(), st.integers(-(1 << 31), (1 << 31) - 1)),
    "booleans": (pa.bool_(), st.booleans()),
    "texts": (pa.string(), st.text(max_size=5)),
    "long texts": (pa.large_string(), st.text(max_size=40)),
    "fixed": (pa.binary(3), st.binary(min_size=3, max_size=3)),
    "nothing": (pa.null(), st.none()),
    "categories": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from("abc")),
    "lists": (pa.list_(pa.int64()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "lists of texts": (
        pa.large_list(pa.list_(pa.string())),
        st.lists(st.none() | st.lists(st.none() | st.text(max_size=2), max_size=2), max_size=2),
    ),
    "structs": (
        pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries(
            {"a": st.none() | st.integers(0, 9), "b": st.none() | st.lists(st.text(max_size=2))}
        ),
    ),
}


def _array(values, kind):
    (batch,) = list(arrow_batches(pa.table({"x": pa.array(values, kind)}).combine_chunks()))
    return batch[0]


def _values(array):
    missing = missing_slots(array)
    kept = [
        None if missing is not None and flag else True
        for flag in (missing if missing is not None else [0] * array.length)
    ]
    kind = str(array.kind)
    if kind == "null":
        return [None] * array.length
    if kind == "struct":
        columns = [_values(child) for child in array.children]
        rows = [tuple(column[at] for column in columns) for at in range(array.length)]
    elif kind == "list":
        inner = _values(array.children[0])
        rows = [inner[a:b] for a, b in zip(array.offsets[:-1], array.offsets[1:], strict=True)]
    elif kind == "strings":
        raw = array.values.tobytes()
        rows = [raw[a:b] for a, b in zip(array.offsets[:-1], array.offsets[1:], strict=True)]
    elif kind == "bits":
        bits = np.unpackbits(array.values, bitorder="little")[array.bit_offset :]
        rows = bits[: array.length].tolist()
    elif kind == "dictionary":
        inner = _values(array.dictionary)
        rows = [
            inner[code] if keep else None
            for code, keep in zip(array.values.tolist(), kept, strict=True)
        ]
    else:
        rows = array.values[: array.length].tolist()
    return [row if keep else None for row, keep in zip(rows, kept, strict=True)]


@pytest.mark.parametrize("name", _TYPES)
@given(data=st.data())
def test_slots_in_any_order(name, data):
    kind, values = _TYPES[name]
    drawn = data.draw(st.lists(st.none() | values, min_size=1, max_size=30))
    array = _array(drawn, kind)
    start = data.draw(st.integers(0, len(drawn) - 1))
    array = array.slice(start, len(drawn))
    slots = data.draw(st.lists(st.integers(0, array.length - 1), max_size=40))
    taken = take(array, np.array(slots, np.int64))
    every = _values(array)
    assert taken.length == len(slots)
    assert _values(taken) == [every[slot] for slot in slots]


@pytest.mark.parametrize("name", _TYPES)
@given(data=st.data())
def test_arrays_behind_each_other(name, data):
    kind, values = _TYPES[name]
    parts = data.draw(
        st.lists(st.lists(st.none() | values, min_size=1, max_size=9), min_size=1, max_size=4)
    )
    arrays = [_array(part, kind) for part in parts]
    if data.draw(st.booleans()):
        arrays.insert(data.draw(st.integers(0, len(arrays))), _array([None, None], pa.null()))
    arrays = [array.slice(data.draw(st.integers(0, 1)), array.length) for array in arrays]
    whole = joined(arrays)
    assert whole.length == sum(array.length for array in arrays)
    assert _values(whole) == [value for array in arrays for value in _values(array)]
