"""Bounds: the least and the largest of every type, cut byte strings, and bounds put together."""

from __future__ import annotations

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_encoder_runner import run_encoder
from parquet_slow_decoder import leaf

import hocket.parquet as hp
from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.bounds import bounds_of, has_order, merge_bounds
from hocket.parquet.encode.written_chunk import ValueBounds
from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.source import bounds as kernel
from hocket.parquet.metadata.schema import LogicalKind, PhysicalType
from hocket.parquet.metadata.values import bound_of_plain_bytes

P, K = PhysicalType, LogicalKind
FIXED = P.FIXED_LEN_BYTE_ARRAY
STRINGS = st.lists(
    st.binary(max_size=4)
    | st.sampled_from([b"x" * n + tail for n in (0, 7, 8, 9, 17) for tail in (b"", b"\0", b"\xff")])
    | st.binary(min_size=8, max_size=20),
    max_size=20,
)


def of_array(array, physical, kind=K.NONE, codes=None, **logical):
    length = array.itemsize if physical is FIXED else 0
    count = len(array) if codes is None else len(codes)
    return DenseValues(leaf(physical, kind, length=length, **logical), count, array, None, codes)


def of_strings(strings, kind=K.NONE, codes=None):
    offsets = np.cumsum([0, *map(len, strings)]).astype(np.int64)
    data = np.frombuffer(b"".join(strings), np.uint8)
    count = len(strings) if codes is None else len(codes)
    return DenseValues(leaf(P.BYTE_ARRAY, kind), count, data, offsets, codes)


def whole(values, most_nbytes=None):
    return bounds_of(values, 0, values.count, most_nbytes=most_nbytes)


# --------------------------------------------------------------------------------------- numbers

INTEGERS = {
    "i4": (P.INT32, {}),
    "i8": (P.INT64, {}),
    "u4": (P.INT32, {"kind": K.INTEGER, "bit_width": 32, "is_signed": False}),
    "u8": (P.INT64, {"kind": K.INTEGER, "bit_width": 64, "is_signed": False}),
}


@settings(max_examples=150)
@given(st.sampled_from(sorted(INTEGERS)), st.data())
def test_integers(dtype, data):
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    edges = st.sampled_from([low, low + 1, 0, 1, high - 1, high])
    numbers = data.draw(st.lists(edges | st.integers(low, high), min_size=1, max_size=30))
    start = data.draw(st.integers(0, len(numbers) - 1))
    physical, logical = INTEGERS[dtype]
    array = np.array(numbers, dtype)
    values = of_array(array.view(f"i{array.itemsize}"), physical, **logical)
    found = bounds_of(values, start, len(numbers), most_nbytes=1)
    wanted = [np.array([pick(numbers[start:])], dtype).tobytes() for pick in (min, max)]
    assert found == ValueBounds(*wanted)
    codes = np.array(data.draw(st.lists(st.integers(0, len(numbers) - 1), min_size=1)), np.uint32)
    coded = whole(of_array(values.values, physical, codes=codes, **logical))
    used = array[codes]
    assert (coded.minimum, coded.maximum) == (used.min().tobytes(), used.max().tobytes())


FLOATS = {"f2": (FIXED, K.FLOAT16), "f4": (P.FLOAT, K.NONE), "f8": (P.DOUBLE, K.NONE)}


def of_floats(array, codes=None):
    physical, kind = FLOATS[array.dtype.str[1:]]
    return of_array(array.view("V2") if physical is FIXED else array, physical, kind, codes)


@settings(max_examples=200)
@given(st.sampled_from(sorted(FLOATS)), st.data())
def test_floats(dtype, data):
    width = int(dtype[1])
    special = st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 5e-324, -2e-6])
    numbers = data.draw(st.lists(special | st.floats(width=8 * width), min_size=1, max_size=20))
    array = np.array(numbers).astype(dtype)
    raw = array.view(f"u{width}")
    raw[np.isnan(array)] |= data.draw(st.integers(0, 3))
    codes = None
    if data.draw(st.booleans()):
        places = data.draw(st.lists(st.integers(0, len(numbers) - 1), min_size=1))
        codes = np.array(places, np.uint32)
    found = whole(of_floats(array, codes))
    some = array if codes is None else array[codes]
    assert found.nan_count == int(np.isnan(some).sum())
    there = some[~np.isnan(some)]
    if not there.size:
        assert (found.minimum, found.maximum) == (None, None)
        return
    least, most = (np.frombuffer(each, dtype)[0] for each in (found.minimum, found.maximum))
    assert (least, most) == (there.min(), there.max())
    assert least != 0 or np.signbit(least)
    assert most != 0 or not np.signbit(most)
    assert found.is_minimum_exact
    assert found.is_maximum_exact


def test_booleans():
    flags = np.array([1, 0, 1], np.uint8)
    assert whole(of_array(flags, P.BOOLEAN)) == ValueBounds(b"\0", b"\1")
    assert bounds_of(of_array(flags, P.BOOLEAN), 2, 3, most_nbytes=8) == ValueBounds(b"\1", b"\1")


def test_nothing_has_no_bounds():
    assert whole(of_array(np.zeros(0, np.int64), P.INT64)) == ValueBounds()
    assert whole(of_array(np.zeros(0), P.DOUBLE)) == ValueBounds(nan_count=0)
    assert whole(of_strings([])) == ValueBounds()
    assert bounds_of(of_strings([b"a"]), 1, 1, most_nbytes=4) == ValueBounds()


def test_what_has_no_order_has_no_bounds():
    for values in [
        of_array(np.zeros(2, "V12"), P.INT96),
        of_array(np.zeros(2, "V12"), FIXED, K.INTERVAL),
        of_array(np.zeros(2, "V12"), FIXED, K.TIMESTAMP, unit="ns"),
        of_strings([b"a"], K.GEOMETRY),
        of_strings([b"a"], K.GEOGRAPHY),
        of_array(np.zeros(2, np.int32), P.INT32, K.UNKNOWN),
    ]:
        assert not has_order(values.node)
        assert whole(values) == ValueBounds()
    assert has_order(leaf(P.INT64, K.TIMESTAMP, unit="ns"))


# --------------------------------------------------------------------------------- byte strings


@settings(max_examples=200)
@given(STRINGS.filter(bool), st.data())
def test_byte_strings(strings, data):
    start = data.draw(st.integers(0, len(strings) - 1))
    found = bounds_of(of_strings(strings), start, len(strings), most_nbytes=None)
    assert found == ValueBounds(min(strings[start:]), max(strings[start:]))
    places = data.draw(st.lists(st.integers(0, len(strings) - 1), min_size=1, max_size=40))
    coded = whole(of_strings(strings, codes=np.array(places, np.uint32)))
    used = [strings[place] for place in places]
    assert coded == ValueBounds(min(used), max(used))


@settings(max_examples=150)
@given(st.integers(1, 20), st.booleans(), st.binary(min_size=20, max_size=200), st.data())
def test_fixed_bytes_and_decimals(width, is_decimal, raw, data):
    count = len(raw) // width
    array = np.frombuffer(raw[: count * width], f"V{width}")
    kind, logical = (K.DECIMAL, {"precision": 3}) if is_decimal else (K.NONE, {})

    def order(each):
        return int.from_bytes(each, "big", signed=True) if is_decimal else each

    listed = [each.tobytes() for each in array]
    start = data.draw(st.integers(0, count - 1))
    found = bounds_of(of_array(array, FIXED, kind, **logical), start, count, most_nbytes=2)
    wanted = min(listed[start:], key=order), max(listed[start:], key=order)
    assert found == ValueBounds(*wanted)
    places = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=40))
    coded = whole(of_array(array, FIXED, kind, codes=np.array(places, np.uint32), **logical))
    used = [listed[place] for place in places]
    assert coded == ValueBounds(min(used, key=order), max(used, key=order))


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=3) | st.binary(max_size=12), min_size=1, max_size=15), st.data())
def test_decimals_of_any_length(strings, data):
    numbers = [int.from_bytes(each, "big", signed=True) for each in strings]
    found = whole(of_strings(strings, K.DECIMAL), 2)
    told = [int.from_bytes(each, "big", signed=True) for each in (found.minimum, found.maximum)]
    assert told == [min(numbers), max(numbers)]
    places = data.draw(st.lists(st.integers(0, len(strings) - 1), min_size=1, max_size=20))
    coded = whole(of_strings(strings, K.DECIMAL, np.array(places, np.uint32)))
    used = [numbers[place] for place in places]
    assert int.from_bytes(coded.minimum, "big", signed=True) == min(used)
    assert int.from_bytes(coded.maximum, "big", signed=True) == max(used)


def test_codes_and_offsets_that_lie_are_refused():
    for values in [
        of_strings([b"a", b"b"], codes=np.array([0, 2], np.uint32)),
        of_array(np.zeros(2), P.DOUBLE, codes=np.array([2, 0], np.uint32)),
        DenseValues(leaf(P.BYTE_ARRAY), 1, np.zeros(3, np.uint8), np.array([2, 4], np.int64)),
    ]:
        with pytest.raises(CorruptFile):
            whole(values)


# --------------------------------------------------------------------------------------- cutting


@settings(max_examples=300)
@given(
    st.binary(min_size=1, max_size=12)
    | st.lists(st.sampled_from([b"\xff", b"a", b"\xfe"]), min_size=1).map(b"".join),
    st.integers(1, 12),
)
def test_bytes_are_cut_to_bounds(raw, most):
    found = whole(of_strings([raw]), most)
    assert found.minimum <= raw <= found.maximum
    assert found.minimum == raw[:most]
    assert found.is_minimum_exact == (len(raw) <= most) == (found.minimum == raw)
    assert found.is_maximum_exact == (found.maximum == raw)
    if found.maximum != raw:
        assert len(found.maximum) <= most
    else:
        assert len(raw) <= most or raw[:most] == b"\xff" * most


CHARACTERS = st.characters(codec="utf-8") | st.sampled_from(
    "a\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
)


@settings(max_examples=400)
@given(st.text(CHARACTERS, min_size=1, max_size=8), st.integers(1, 12))
def test_text_is_cut_to_text(text, most):
    raw = text.encode()
    found = whole(of_strings([raw], K.STRING), most)
    assert found.minimum <= raw <= found.maximum
    assert text.startswith(found.minimum.decode())
    assert len(found.minimum) <= most
    assert len(found.maximum.decode().encode()) <= most or found.maximum == raw
    assert found.is_minimum_exact == (found.minimum == raw)
    assert found.is_maximum_exact == (found.maximum == raw)
    node = leaf(P.BYTE_ARRAY, K.STRING)
    assert bound_of_plain_bytes(node, found.minimum, is_upper=False) <= text
    assert bound_of_plain_bytes(node, found.maximum, is_upper=True) >= text


@pytest.mark.parametrize(
    ("text", "most", "upper"),
    [
        ("hello", 3, "hem"),
        ("a\U0010ffff\U0010ffff", 6, "b"),
        ("\U0010ffff\U0010ffff", 4, "\U0010ffff\U0010ffff"),
        ("\ud7ffxx", 3, "\ue000"),
        # One more than the character takes one byte more.
        ("ab\x7fc", 3, "ac"),
        ("é" * 4, 5, "éê"),
        ("é" * 4, 1, "é" * 4),
    ],
)
def test_the_upper_bound_of_text(text, most, upper):
    found = whole(of_strings([text.encode()], K.STRING), most)
    assert found.maximum.decode() == upper


def test_what_is_no_text_stays_whole():
    found = whole(of_strings([b"ab\xff\xffcd"], K.STRING), 4)
    assert found == ValueBounds(b"ab\xff\xffcd", b"ab\xff\xffcd")


def test_fixed_bytes_and_decimals_are_not_cut():
    array = np.frombuffer(b"0123456789abcdef", "V16")
    assert whole(of_array(array, FIXED), 4).maximum == b"0123456789abcdef"
    assert whole(of_strings([b"\0\1\2\3"], K.DECIMAL), 2).minimum == b"\0\1\2\3"


# --------------------------------------------------------------------------------------- merging


@settings(max_examples=200)
@given(st.sampled_from([*INTEGERS, *FLOATS, "text", "decimal"]), st.data())
def test_bounds_of_parts_are_those_of_the_whole(kind, data):
    if kind in INTEGERS:
        physical, logical = INTEGERS[kind]
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        numbers = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=20))
        array = np.array(numbers, kind)
        values = of_array(array.view(f"i{array.itemsize}"), physical, **logical)
    elif kind in FLOATS:
        numbers = data.draw(st.lists(st.sampled_from([0.0, -0.0, math.nan, 2.0, -1.5]), min_size=1))
        values = of_floats(np.array(numbers).astype(kind))
    else:
        strings = data.draw(STRINGS.filter(bool))
        values = of_strings(strings, K.DECIMAL if kind == "decimal" else K.NONE)
    cuts = data.draw(st.lists(st.integers(0, values.count), max_size=4).map(sorted))
    parts = [
        bounds_of(values, start, stop, most_nbytes=3)
        for start, stop in zip([0, *cuts], [*cuts, values.count], strict=True)
    ]
    merged, at_once = merge_bounds(values.node, parts), whole(values, 3)
    if kind == "decimal":
        for one, other in [(merged.minimum, at_once.minimum), (merged.maximum, at_once.maximum)]:
            assert int.from_bytes(one, "big", signed=True) == int.from_bytes(
                other, "big", signed=True
            )
        return
    assert merged == at_once


def test_parts_without_values_do_not_count():
    node = leaf(P.DOUBLE)
    one = np.float64(1).tobytes()
    parts = [ValueBounds(nan_count=2), ValueBounds(one, one, nan_count=1), ValueBounds(nan_count=0)]
    assert merge_bounds(node, parts) == ValueBounds(one, one, nan_count=3)
    assert merge_bounds(node, []) == ValueBounds(nan_count=0)
    assert merge_bounds(leaf(P.INT32), [ValueBounds()]) == ValueBounds()


def test_a_bound_is_exact_if_one_part_has_just_it():
    node = leaf(P.BYTE_ARRAY)
    cut, exact = ValueBounds(b"ab", b"b", False, False), ValueBounds(b"ab", b"b")
    assert merge_bounds(node, [cut, cut]) == cut
    assert merge_bounds(node, [cut, exact]) == exact
    assert merge_bounds(node, [exact, ValueBounds(b"aa", b"c", False, False)]) == ValueBounds(
        b"aa", b"c", False, False
    )


# ---------------------------------------------------------------------------------------- pyarrow


def statistics_of_pyarrow(column):
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file)
    told = hp.ParquetFile(io.BytesIO(file.getvalue())).fmd.row_groups[0].columns[0].meta_data
    return told.statistics.min_value, told.statistics.max_value


def test_pyarrow_finds_the_same():
    chance = np.random.default_rng(8)
    floats = np.array([0.0, 3.5, np.nan, 0.0, 1e300])
    for array, physical, logical in [
        (chance.integers(-(1 << 40), 1 << 40, 500), P.INT64, {}),
        (chance.integers(0, 1 << 64, 500, dtype=np.uint64), *INTEGERS["u8"]),
        (chance.integers(0, 1 << 32, 500, dtype=np.uint32), *INTEGERS["u4"]),
        (floats, P.DOUBLE, {}),
        (-floats[:2], P.DOUBLE, {}),
        (floats[:4].astype(np.float32), P.FLOAT, {}),
    ]:
        column = array.view(f"i{array.itemsize}") if logical else array
        found = whole(of_array(column, physical, **logical))
        assert statistics_of_pyarrow(pa.array(array)) == (found.minimum, found.maximum)
    half = np.array([2, -0.0, 1], np.float16)
    found = whole(of_floats(half))
    assert statistics_of_pyarrow(pa.array(half)) == (found.minimum, found.maximum)
    strings = [b"\xff", b"a", b"", b"zz"]
    found = whole(of_strings(strings))
    assert statistics_of_pyarrow(pa.array(strings)) == (found.minimum, found.maximum)
    cents = pa.array([5, -3, 127], pa.decimal128(25, 2))
    raws = [each.to_bytes(11, "big", signed=True) for each in (500, -300, 12_700)]
    decimals = of_array(np.frombuffer(b"".join(raws), "V11"), FIXED, K.DECIMAL, precision=25)
    assert statistics_of_pyarrow(cents) == (whole(decimals).minimum, whole(decimals).maximum)


# ---------------------------------------------------------------------------------------- kernels

KINDS = {
    "i4": kernel.SIGNED_32,
    "i8": kernel.SIGNED_64,
    "u4": kernel.UNSIGNED_32,
    "u8": kernel.UNSIGNED_64,
    "f2": kernel.FLOAT_16,
    "f4": kernel.FLOAT_32,
    "f8": kernel.FLOAT_64,
    "u1": kernel.BOOLEAN,
}


@settings(max_examples=100)
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=100))
def test_numbers_between_bounds_of_memory(dtype, raw):
    width = int(dtype[1])
    array = np.frombuffer(raw[: len(raw) // width * width], dtype)
    answer, (found,) = run_encoder(
        "bounds_of_numbers",
        lambda source, room: (KINDS[dtype], source(array), len(array), room(16)),
    )
    low, high = found.view(np.int64).tolist()
    there = array[~np.isnan(array)]
    assert answer == len(array) - len(there)
    assert (low > high) == (there.size == 0)


@settings(max_examples=100)
@given(STRINGS, st.none() | st.lists(st.integers(0, 22), max_size=20))
def test_strings_between_bounds_of_memory(strings, places):
    offsets = np.cumsum([0, *map(len, strings)]).astype(np.int64)
    data = np.frombuffer(b"".join(strings), np.uint8)
    for name in ("bounds_of_strings", "bounds_of_decimals"):

        def arguments(source, room, name=name):
            source_nbytes = (data.size,) if name == "bounds_of_strings" else ()
            chosen = 0, len(strings)
            if places is not None:
                chosen = source(np.array(places, np.uint32)), len(places)
            at = source(offsets), source(data), *source_nbytes
            return *at, *chosen, len(strings), room(16)

        answer, _ = run_encoder(name, arguments)
        assert (answer == 0) == (places is None or all(each < len(strings) for each in places))
    answer, _ = run_encoder(
        "mark_codes",
        lambda source, room: (
            source(np.array(places or [], np.uint32)),
            len(places or []),
            room(len(strings)),
            len(strings),
        ),
    )
    assert (answer == 0) == all(each < len(strings) for each in places or [])
