"""Python values as Variants, and back by the decoder."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_round_trips import objects, written

from hocket.parquet.variant import decode
from hocket.parquet.variant.python_values import NotVariant, encode

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=80)
    | st.binary(max_size=80)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.uuids()
    | st.decimals(-(10**20), 10**20, places=9)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(_VALUES)
def test_values_come_back(value):
    assert decode(*encode(value)) == value


def test_many_names_and_long_lists():
    value = {f"name {at}": list(range(at)) for at in range(300)}
    assert decode(*encode(value)) == value
    value = {"x" * 70_000: ["y" * 70_000] * 3}
    assert decode(*encode(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (np.bool_(True), True),
        (np.int16(-3), -3),
        (np.float32(1.5), 1.5),
        (np.float64(1.5), 1.5),
        (np.array([1, 2], "u1"), [1, 2]),
        ((1, "a"), [1, "a"]),
        (bytearray(b"x"), b"x"),
        (1 << 80, Decimal(1 << 80)),
        (Decimal("1E+3"), Decimal(1000)),
        (np.datetime64("2020-01-02"), date(2020, 1, 2)),
        (np.datetime64("2020-01-02T03", "h"), datetime.fromisoformat("2020-01-02T03:00")),
        (pd.Timestamp("2020-01-01 00:00:00.000000001"), pd.Timestamp(2020, 1, 1, nanosecond=1)),
        (pd.Timestamp("2020-01-01"), datetime.fromisoformat("2020-01-01")),
        (
            datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(2019, 12, 31, 22, tzinfo=UTC),
        ),
    ],
)
def test_other_objects_become_the_nearest(value, expected):
    found = decode(*encode(value))
    assert found == expected
    assert type(found) is type(expected) or isinstance(found, type(expected))


def test_not_a_number_is_one():
    assert np.isnan(decode(*encode(float("nan"))))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a object has no form"),
        ({1: 2}, "the key 1 is no text"),
        (timedelta(1), "a timedelta has no form"),
        (1 << 200, "more than 38 digits"),
        (Decimal("1E-39"), "more than 38 digits"),
        (Decimal("NaN"), "is no number"),
        (time(1, tzinfo=UTC), "has a time zone"),
        ("\ud800", "half a surrogate pair"),
        (np.datetime64(1 << 60, "s"), "does not fit 64 bits"),
    ],
)
def test_what_has_no_form(value, reason):
    with pytest.raises(NotVariant, match=reason):
        encode(value)


def test_too_deep():
    value: list = []
    for _ in range(600):
        value = [value]
    with pytest.raises(NotVariant, match="more than 500 levels"):
        encode(value)


@settings(max_examples=40)
@given(st.lists(_VALUES, min_size=1, max_size=5))
def test_columns_of_variants(values):
    assert objects(written({"x": values}, variants=["x"])) == values


def test_a_variant_knows_uuids():
    assert decode(*encode([UUID(int=7)])) == [UUID(int=7)]
