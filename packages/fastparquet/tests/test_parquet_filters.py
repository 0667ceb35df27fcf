"""Filters: what users may write, and what a condition means for values and for bounds."""

import datetime as dt
import decimal
import math
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.dataset.filters import Condition, parse_filters
from hocket.parquet.dataset.keys import Family, KeyDomain
from hocket.parquet.dataset.matching import match
from hocket.parquet.dataset.predicates import Bounds, Predicate, predicate_of
from hocket.parquet.decode.column import ColumnData, padded_bytes
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import InvalidFilter, InvalidOption
from hocket.parquet.metadata.schema import (
    LogicalKind,
    LogicalType,
    PhysicalType,
    Repetition,
    SchemaNode,
)
from hocket.parquet.options import THREADS_VARIABLE, ReadOptions, thread_count

_OPERATORS = ["==", "!=", "<", "<=", ">", ">="]


def leaf(physical: PhysicalType, logical: LogicalType | None = None, length: int = 0) -> SchemaNode:
    logical = LogicalType(LogicalKind.NONE) if logical is None else logical
    return SchemaNode(
        "x", None, Repetition.OPTIONAL, None, logical, None, physical, length, 1, 0, 0, 0
    )


def fixed(values: np.ndarray, valid: np.ndarray | None = None) -> ColumnData:
    nulls = 0 if valid is None else int((~valid).sum())
    node = leaf(PhysicalType.INT64)
    target = Target(values.dtype.itemsize, values.dtype)
    return ColumnData(node, target, len(values), nulls, values=values, valid=valid)


def strings(items: list[bytes], valid: np.ndarray | None = None) -> ColumnData:
    data = padded_bytes(sum(map(len, items)))
    data[:] = np.frombuffer(b"".join(items), np.uint8)
    offsets = np.cumsum([0, *map(len, items)], dtype=np.int64)
    nulls = 0 if valid is None else int((~valid).sum())
    return ColumnData(
        leaf(PhysicalType.BYTE_ARRAY),
        Target(0, None),
        len(items),
        nulls,
        offsets=offsets,
        data=data,
        valid=valid,
    )


def test_one_form_for_all_spellings():
    flat = parse_filters([("a", "=", 1), ("b", "NOT  in", {2})])
    assert flat == ((Condition("a", "==", 1), Condition("b", "not in", (2,))),)
    assert parse_filters([[("a", "==", 1)], [["b", "<>", 2]]]) == (
        (Condition("a", "==", 1),),
        (Condition("b", "!=", 2),),
    )
    assert parse_filters([["a", "is null"]]) == ((Condition("a", "is null", None),),)
    assert parse_filters(None) == parse_filters([]) == ()


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("a == 1", "list of tuples"),
        (3, "list of tuples"),
        (("a", "==", 1), "put the tuple into a list"),
        ([[("a", "==", 1)], ("b", "==", 1)], "mix"),
        ([("a", "~=", 1)], "no operator"),
        ([("a", 5, 1)], "no operator"),
        ([("a", "==")], "no value"),
        ([("a", "==", 1, 2)], "no condition"),
        ([(1, "==", 1)], "no string"),
        ([("a", "==", None)], "is null"),
        ([("a", ">", pd.NaT)], "is null"),
        ([("a", "in", [1, None])], "is null"),
        ([("a", "in", "abc")], "no list"),
        ([("a", "in", 5)], "no list"),
        ([("a", "is null", 5)], "takes no value"),
    ],
)
def test_what_is_no_filter_is_refused(filters, words):
    with pytest.raises(InvalidFilter, match=words):
        parse_filters(filters)


def domain_of(family: Family, **more) -> KeyDomain:
    return KeyDomain(family, **more)


_MICROS = domain_of(Family.TIMESTAMP, unit="us")
_UTC_MILLIS = domain_of(Family.TIMESTAMP, unit="ms", is_utc=True)


@pytest.mark.parametrize(
    ("domain", "value", "key"),
    [
        (domain_of(Family.INTEGER), 7, (7, True)),
        (domain_of(Family.INTEGER), np.uint8(7), (7, True)),
        (domain_of(Family.INTEGER), 7.5, (7, False)),
        (domain_of(Family.INTEGER), decimal.Decimal("-0.5"), (-1, False)),
        (domain_of(Family.INTEGER), math.inf, (math.inf, True)),
        (domain_of(Family.INTEGER, lenient=True), "12", (12, True)),
        (domain_of(Family.DECIMAL, scale=2), "1.25", (125, True)),
        (domain_of(Family.DECIMAL, scale=2), 0.1, (10, True)),
        (domain_of(Family.DECIMAL, scale=2), decimal.Decimal("1.255"), (125, False)),
        (domain_of(Family.FLOAT), 1, (1.0, True)),
        (domain_of(Family.FLOAT, width=4), 0.1, (float(np.float32(0.1)), True)),
        (domain_of(Family.DATE, unit="D"), "1970-01-03", (2, True)),
        (domain_of(Family.DATE, unit="D"), dt.date(1969, 12, 31), (-1, True)),
        (
            domain_of(Family.DATE, unit="D"),
            dt.datetime.fromisoformat("1970-01-02T01:00"),
            (1, False),
        ),
        (_MICROS, dt.datetime.fromisoformat("1970-01-01T00:00:01.000005"), (1_000_005, True)),
        (_MICROS, np.datetime64("1970-01-01T00:00:00.000000001"), (0, False)),
        (_MICROS, np.datetime64(290000, "Y"), (9151318224000000000 // 1, True)),
        (_MICROS, pd.Timestamp("1970-01-01 00:00:01"), (10**6, True)),
        (_MICROS, "1970-01-01 00:00:01", (10**6, True)),
        (_UTC_MILLIS, "1970-01-01T01:00:00+01:00", (0, True)),
        (_UTC_MILLIS, dt.datetime.fromisoformat("1970-01-01"), (0, True)),
        (domain_of(Family.TIME, unit="ms"), "00:00:01", (1000, True)),
        (domain_of(Family.TIME, unit="ns"), dt.time(0, 0, 0, 1), (1000, True)),
        (domain_of(Family.TIME, unit="s"), dt.timedelta(seconds=1.5), (1, False)),
        (domain_of(Family.BOOLEAN), np.True_, (1, True)),
        (domain_of(Family.TEXT), "ä", ("ä".encode(), True)),
        (domain_of(Family.BYTES), b"\xff", (b"\xff", True)),
        (domain_of(Family.UUID), str(uuid.UUID(int=5)), (uuid.UUID(int=5).bytes, True)),
    ],
)
def test_keys_of_values(domain, value, key):
    if value == np.datetime64(290000, "Y"):
        key = (int(np.datetime64(290000, "Y").astype("M8[s]").astype(int)) * 10**6, True)
    assert domain.key(value) == key


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (domain_of(Family.INTEGER), "7"),
        (domain_of(Family.FLOAT), b"7"),
        (domain_of(Family.BOOLEAN), "yes"),
        (domain_of(Family.BOOLEAN), 2),
        (_MICROS, 5),
        (_MICROS, "soon"),
        (_MICROS, "NaT"),
        (_MICROS, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        (domain_of(Family.TEXT), 5),
        (domain_of(Family.UUID), "no"),
        (domain_of(Family.DECIMAL), "x"),
        (domain_of(Family.NONE), 5),
    ],
)
def test_values_that_do_not_compare(domain, value):
    with pytest.raises(InvalidFilter) as caught:
        predicate_of(Condition("c", "==", value), domain)
    assert "'c'" in str(caught.value)
    assert repr(value) in str(caught.value)


def reference(operator: str, x, value) -> bool:
    return {
        "==": lambda: x == value,
        "!=": lambda: x != value,
        "<": lambda: x < value,
        "<=": lambda: x <= value,
        ">": lambda: x > value,
        ">=": lambda: x >= value,
    }[operator]()


def check_bounds(predicate: Predicate, keys: list, mask: np.ndarray, valid: np.ndarray) -> None:
    """Bounds may say too little about a predicate, and never what is wrong."""
    known = [key for key, there in zip(keys, valid.tolist(), strict=True) if there]
    numbers = [key for key in known if key == key]  # noqa: PLR0124
    bounds = Bounds(
        min(numbers, default=None),
        max(numbers, default=None),
        int((~valid).sum()),
        len(keys),
        may_be_nan=len(numbers) < len(known),
    )
    if not predicate.is_possible(bounds):
        assert not mask.any()
    if predicate.is_certain(bounds):
        assert mask.all()


_NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-2.5, 0.5, 2.5, math.inf, -math.inf, math.nan, 1e30, -1e30]),
)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=8),
    st.sampled_from(_OPERATORS),
    _NUMBERS,
    st.sampled_from(["i1", "i2", "i4", "i8"]),
    st.data(),
)
def test_integers_compare_as_numbers(items, operator, value, dtype, data):
    valid = np.array(data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items))))
    predicate = predicate_of(Condition("x", operator, value), domain_of(Family.INTEGER))
    mask = match(predicate, fixed(np.array(items, dtype), valid))
    assert mask.tolist() == [
        bool(there) and reference(operator, x, value)
        for x, there in zip(items, valid.tolist(), strict=True)
    ]
    check_bounds(predicate, items, mask, valid)


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=8),
    st.sampled_from(_OPERATORS),
    st.floats(width=32),
    st.sampled_from(["f4", "f8"]),
)
def test_floats_compare_as_ieee_says(items, operator, value, dtype):
    predicate = predicate_of(Condition("x", operator, value), domain_of(Family.FLOAT))
    mask = match(predicate, fixed(np.array(items, dtype)))
    assert mask.tolist() == [reference(operator, x, value) for x in items]
    check_bounds(predicate, items, mask, np.ones(len(items), np.bool_))


_TEXTS = st.binary(max_size=11).map(lambda raw: bytes(97 + each % 2 for each in raw))


@given(st.lists(_TEXTS, min_size=1, max_size=8), st.sampled_from(_OPERATORS), _TEXTS, st.booleans())
def test_byte_strings_compare_byte_by_byte(items, operator, value, is_dictionary):
    predicate = predicate_of(Condition("x", operator, value), domain_of(Family.BYTES))
    column = strings(items)
    if is_dictionary:
        codes = np.array([*range(len(items)), -1], np.int32)
        column = ColumnData(
            column.leaf, column.target, len(codes), 1, codes=codes, dictionary=column
        )
    mask = match(predicate, column)
    expected = [reference(operator, x, value) for x in items] + [False] * is_dictionary
    assert mask.tolist() == expected
    check_bounds(predicate, items, mask[: len(items)], np.ones(len(items), np.bool_))


@given(
    st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(_OPERATORS),
    st.binary(max_size=5),
)
def test_byte_strings_of_one_length(items, operator, value):
    predicate = predicate_of(Condition("x", operator, value), domain_of(Family.BYTES))
    values = np.array(items, "V3")
    assert match(predicate, fixed(values)).tolist() == [
        reference(operator, x, value) for x in items
    ]


@given(
    st.lists(st.integers(-(2**127), 2**127 - 1), min_size=1, max_size=6),
    st.sampled_from(_OPERATORS),
    st.data(),
    st.sampled_from([16, 32]),
)
def test_wide_decimals(items, operator, data, width):
    value = data.draw(st.one_of(st.sampled_from(items), st.integers(-(2**130), 2**130)))
    predicate = predicate_of(Condition("x", operator, value), domain_of(Family.DECIMAL))
    raw = b"".join(item.to_bytes(width, "little", signed=True) for item in items)
    column = fixed(np.frombuffer(raw, f"V{width}"))
    expected = [reference(operator, x, value) for x in items]
    assert match(predicate, column).tolist() == expected
    lengths = [max(1, (item.bit_length() + 8) // 8) for item in items]
    column = strings(
        [item.to_bytes(n, "big", signed=True) for item, n in zip(items, lengths, strict=True)]
    )
    assert match(predicate, column).tolist() == expected


@pytest.mark.parametrize("few_or_many", [3, 40])
def test_in_and_not_in(few_or_many):
    wanted = list(range(0, 2 * few_or_many, 2))
    values = np.arange(100)
    valid = values % 5 != 0
    names = [f"v{x}".encode() for x in values.tolist()]
    for operator in ("in", "not in"):
        among = np.isin(values, wanted) if operator == "in" else ~np.isin(values, wanted)
        expected = (among & valid).tolist()
        numbers = predicate_of(Condition("x", operator, wanted), domain_of(Family.INTEGER))
        assert match(numbers, fixed(values, valid)).tolist() == expected
        members = [f"v{x}" for x in wanted]
        texts = predicate_of(Condition("x", operator, members), domain_of(Family.TEXT))
        assert match(texts, strings(names, valid)).tolist() == expected


def test_nulls_are_null_and_nothing_else():
    valid = np.array([True, False])
    column = fixed(np.array([1, 0]), valid)
    answers = {
        operator: match(
            predicate_of(Condition("x", operator, value), domain_of(Family.INTEGER)), column
        ).tolist()
        for operator, value in [
            ("is null", None),
            ("is not null", None),
            ("==", 0),
            ("!=", 5),
            ("not in", (5,)),
        ]
    }
    assert answers == {
        "is null": [False, True],
        "is not null": [True, False],
        "==": [False, False],
        "!=": [True, False],
        "not in": [True, False],
    }
    everything = Bounds(None, None, 2, 2)
    is_null = predicate_of(Condition("x", "is null", None), domain_of(Family.INTEGER))
    assert is_null.is_certain(everything)
    assert not predicate_of(Condition("x", "!=", 5), domain_of(Family.INTEGER)).is_possible(
        everything
    )


def test_unknown_bounds_decide_nothing():
    nothing = Bounds(None, None, None, 10)
    for operator in _OPERATORS:
        predicate = predicate_of(Condition("x", operator, 1), domain_of(Family.INTEGER))
        assert predicate.is_possible(nothing)
        assert not predicate.is_certain(nothing)


def test_options_are_checked(monkeypatch):
    for wrong in ({"threads": 0}, {"threads": 10**6}, {"memory_limit": -1}):
        with pytest.raises(InvalidOption):
            ReadOptions(**wrong)
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    assert thread_count(None) == 3
    assert thread_count(2) == 2
    monkeypatch.setenv(THREADS_VARIABLE, "many")
    with pytest.raises(InvalidOption, match="many"):
        thread_count(None)
    monkeypatch.delenv(THREADS_VARIABLE)
    assert thread_count(None) >= 1
