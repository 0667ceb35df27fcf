"""Arrow types of any depth, and values for them, to draw from."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import strategies as st

#: Types that have the same values in every form.
PLAIN_LEAVES = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(max_size=20)),
    (pa.large_string(), st.text(max_size=5)),
    (pa.string_view(), st.text(max_size=40)),
    (pa.binary(), st.binary(max_size=20)),
    (pa.binary_view(), st.binary(max_size=40)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.binary(0), st.just(b"")),
    (pa.null(), st.none()),
]

_MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001

#: Types whose values other libraries show as objects of their own.
OTHER_LEAVES = [
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.uint32(), st.integers(0, 2**32 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float16(), st.floats(width=16, allow_nan=False)),
    (pa.large_binary(), st.binary(max_size=9)),
    (pa.date32(), st.dates()),
    (pa.date64(), st.dates()),
    (pa.time32("s"), st.times().map(lambda each: each.replace(microsecond=0))),
    (pa.time32("ms"), st.times().map(lambda each: each.replace(microsecond=5000))),
    (pa.time64("us"), st.times()),
    (pa.timestamp("s"), _MOMENTS.map(lambda each: each.replace(microsecond=0))),
    (pa.timestamp("us", "Europe/Berlin"), _MOMENTS.map(lambda each: each.replace(tzinfo=dt.UTC))),
    (pa.timestamp("us"), _MOMENTS),
    (pa.duration("s"), st.integers(-(2**31), 2**31).map(lambda each: dt.timedelta(seconds=each))),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-999), dt.timedelta(999))),
    (pa.decimal32(9, 2), st.decimals(-9_999_999, 9_999_999, places=2)),
    (pa.decimal64(18, 3), st.decimals(-(10**14), 10**14, places=3)),
    (pa.decimal128(38, 0), st.decimals(-(10**37), 10**37, places=0)),
    (pa.decimal256(50, 5), st.decimals(-(10**40), 10**40, places=5)),
    (pa.dictionary(pa.int8(), pa.int64()), st.integers(-3, 3)),
]


@st.composite
def typed(draw, leaves=PLAIN_LEAVES, depth=2):
    """Arrow types, and what draws values for each."""
    forms = ["leaf", "list", "struct", "map", "fixed", "view", "dictionary"]
    form = draw(st.sampled_from(forms)) if depth else "leaf"
    if form == "leaf":
        kind, values = draw(st.sampled_from(leaves))
        return kind, values | st.none()
    if form == "dictionary":
        index = draw(st.sampled_from([pa.int8(), pa.uint16(), pa.int64()]))
        return pa.dictionary(index, pa.string()), st.text(max_size=2) | st.none()
    inner, values = draw(typed(leaves, depth - 1))
    if form == "struct":
        other, others = draw(typed(leaves, 0))
        kind = pa.struct([("a", inner), ("b", other)])
        return kind, st.fixed_dictionaries({"a": values, "b": others}) | st.none()
    if form == "map":
        pairs = st.lists(st.tuples(st.integers(0, 9), values), max_size=3)
        return pa.map_(pa.int32(), inner), pairs | st.none()
    if form == "fixed":
        size = draw(st.integers(0, 2))
        lists = st.lists(values, min_size=size, max_size=size)
        return pa.list_(inner, size), lists | st.none()
    make = draw(st.sampled_from([pa.list_, pa.large_list]))
    if form == "view":
        make = draw(st.sampled_from([pa.list_view, pa.large_list_view]))
    return make(inner), st.lists(values, max_size=3) | st.none()
