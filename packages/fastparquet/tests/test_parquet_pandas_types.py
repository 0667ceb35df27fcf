"""What each type of column becomes in pandas, and what can be asked for instead."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from parquet_slow_decoder import DAY_NS, EPOCH_JULIAN_DAY, leaf, series

from hocket.parquet import optional_pyarrow
from hocket.parquet.assemble.arrow_hints import ArrowHint
from hocket.parquet.assemble.pandas_options import PandasOptions
from hocket.parquet.assemble.value_kinds import ColumnHint
from hocket.parquet.errors import InvalidOption, LimitExceeded
from hocket.parquet.metadata.schema import LogicalKind as Kind
from hocket.parquet.metadata.schema import PhysicalType as Physical

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  local times have no zone
HAS_PYARROW = optional_pyarrow.has_pyarrow()
INTEGERS = [
    (Physical.INT32, 8, True, "int8", "Int8"),
    (Physical.INT32, 16, True, "int16", "Int16"),
    (Physical.INT32, 32, True, "int32", "Int32"),
    (Physical.INT64, 64, True, "int64", "Int64"),
    (Physical.INT32, 8, False, "uint8", "UInt8"),
    (Physical.INT32, 16, False, "uint16", "UInt16"),
    (Physical.INT32, 32, False, "uint32", "UInt32"),
    (Physical.INT64, 64, False, "uint64", "UInt64"),
]


def integer(physical, bits, signed, **options):
    return leaf(physical, Kind.INTEGER, bit_width=bits, is_signed=signed, **options)


def numbers(result):
    return [None if value is pd.NA or value != value else value for value in result.tolist()]  # noqa: PLR0124


@pytest.mark.parametrize(("physical", "bits", "signed", "plain", "masked"), INTEGERS)
def test_integers_have_their_width_and_are_masked_where_nulls_can_be(
    physical, bits, signed, plain, masked
):
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    required = integer(physical, bits, signed, required=True)
    result = series(required, [least, most], [1])
    assert result.dtype == plain
    assert result.tolist() == [least, most, 1]
    nullable = integer(physical, bits, signed)
    result = series(nullable, [least, None], [], [most])
    assert result.dtype == masked
    assert numbers(result) == [least, None, most]
    assert series(nullable, [least, most], null_free=True).dtype == plain


def test_booleans():
    assert series(leaf(Physical.BOOLEAN, required=True), [True, False]).dtype == np.bool_
    result = series(leaf(Physical.BOOLEAN), [True, None, False])
    assert result.dtype == "boolean"
    assert numbers(result) == [True, None, False]


def test_integers_become_floats_if_pandas_nulls_are_not_wanted():
    result = series(leaf(Physical.INT64), [1, None], [3], pandas_nulls=False)
    assert result.dtype == "float64"
    assert numbers(result) == [1.0, None, 3.0]
    result = series(leaf(Physical.BOOLEAN), [True, None, False], pandas_nulls=False)
    assert result.dtype == "float64"
    assert numbers(result) == [1.0, None, 0.0]
    assert series(leaf(Physical.INT64), [1, 2], pandas_nulls=False, null_free=True).dtype == "int64"


def test_nulls_that_statistics_denied_are_nulls():
    node = leaf(Physical.INT32)
    result = series(node, [1, 2], [None, 4], [5], null_free=True)
    assert result.dtype == "Int32"
    assert numbers(result) == [1, 2, None, 4, 5]
    result = series(node, [1, 2], [None, 4], null_free=True, pandas_nulls=False)
    assert result.dtype == "float64"
    assert numbers(result) == [1, 2, None, 4]


@pytest.mark.parametrize(
    ("physical", "dtype", "value"),
    [(Physical.FLOAT, "float32", 0.5), (Physical.DOUBLE, "float64", 0.1)],
)
def test_floats_have_nan_for_nulls(physical, dtype, value):
    result = series(leaf(physical), [value, None], [float("inf")])
    assert result.dtype == dtype
    assert numbers(result) == [value, None, float("inf")]


def test_halves():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.FLOAT16, length=2)
    result = series(node, [np.float16(1.5).tobytes(), None])
    assert result.dtype == "float16"
    assert numbers(result) == [1.5, None]
    # pandas has no masked halves.
    assert (
        series(node, [np.float16(1.5).tobytes()], dtype_backend="numpy_nullable").dtype == "float16"
    )


def test_masked_arrays_of_everything_on_request():
    options = {"dtype_backend": "numpy_nullable", "null_free": True}
    assert series(leaf(Physical.INT64), [1], **options).dtype == "Int64"
    assert series(leaf(Physical.BOOLEAN), [True], **options).dtype == "boolean"
    assert series(leaf(Physical.DOUBLE), [1.5], **options).dtype == "Float64"
    text = series(leaf(Physical.BYTE_ARRAY, Kind.STRING), [b"a", None], **options)
    assert text.dtype == pd.StringDtype()
    assert text[1] is pd.NA


def test_dates_never_wrap():
    node = leaf(Physical.INT32, Kind.DATE)
    result = series(node, [0, None, 2_932_896], [-719_162, 2**31 - 1, -(2**31)])
    assert result.dtype == "datetime64[s]"
    days = result.to_numpy().astype("M8[D]")
    assert np.isnat(days[1])
    assert days[[0, 2, 3, 4, 5]].astype(int).tolist() == [
        0, 2_932_896, -719_162, 2**31 - 1, -(2**31),
    ]  # fmt: skip


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_timestamps_keep_their_unit_and_zone(unit):
    local = leaf(Physical.INT64, Kind.TIMESTAMP, unit=unit)
    result = series(local, [1, None, -1])
    assert result.dtype == f"datetime64[{unit}]"
    assert result.to_numpy().view("i8").tolist() == [1, -(2**63), -1]
    instants = leaf(Physical.INT64, Kind.TIMESTAMP, unit=unit, is_utc=True)
    result = series(instants, [1, None, -1])
    assert result.dtype == f"datetime64[{unit}, UTC]"
    assert result[0] == pd.Timestamp(1, unit=unit, tz="UTC")
    berlin = series(instants, [0], hint=ColumnHint(timezone="Europe/Berlin"))
    assert berlin.dtype == f"datetime64[{unit}, Europe/Berlin]"
    assert berlin[0].hour == 1
    offset = series(instants, [0], hint=ColumnHint(timezone="+05:30"))
    assert offset[0].isoformat() == "1970-01-01T05:30:00+05:30"


@pytest.mark.parametrize(
    "name", ["dateutil//etc/passwd", "/etc/passwd", "../UTC", "Nowhere", "x" * 500]
)
def test_names_that_are_no_time_zone_are_taken_for_utc(name):
    node = leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True)
    assert series(node, [0], hint=ColumnHint(timezone=name)).dtype == "datetime64[us, UTC]"


def test_times_of_the_day_are_time_spans_since_midnight():
    millis = leaf(Physical.INT32, Kind.TIME, unit="ms")
    result = series(millis, [86_399_999, None])
    assert result.dtype == "timedelta64[ms]"
    assert result[0] == pd.Timedelta("23:59:59.999")
    assert result.isna().tolist() == [False, True]
    assert series(leaf(Physical.INT64, Kind.TIME, unit="us"), [1]).dtype == "timedelta64[us]"
    assert series(leaf(Physical.INT64, Kind.TIME, unit="ns"), [1]).dtype == "timedelta64[ns]"
    objects = series(millis, [1_500, None], dtypes={"x": object})
    assert objects.tolist() == [dt.time(0, 0, 1, 500_000), None]


def test_durations_are_told_by_the_writer():
    node = leaf(Physical.INT64)
    result = series(node, [1, None], hint=ColumnHint(duration_unit="us"))
    assert result.dtype == "timedelta64[us]"
    assert result.isna().tolist() == [False, True]


def test_int96_takes_the_finest_unit_that_holds_all():
    node = leaf(Physical.INT96)
    day = EPOCH_JULIAN_DAY
    assert series(node, [(day, 1), None], [(day + 1, 2)]).to_numpy().view("i8").tolist() == [
        1,
        -(2**63),
        DAY_NS + 2,
    ]
    # Row group 1 needs microseconds; the others follow, whichever comes first.
    result = series(node, [(day, 1_999), None], [(day + 200_000, 0)], [(day, -1)])
    assert result.dtype == "datetime64[us]"
    assert result.to_numpy().view("i8").tolist() == [1, -(2**63), 200_000 * DAY_NS // 1000, -1]
    result = series(node, [(day, 1_999)], [(day + 200_000, 0)], [(day + 200_000_000, 0)])
    assert result.dtype == "datetime64[ms]"
    assert result.to_numpy().view("i8")[2] == 200_000_000 * DAY_NS // 10**6


def test_int96_in_other_forms_is_no_less_safe():
    node = leaf(Physical.INT96)
    far = (EPOCH_JULIAN_DAY + 200_000, 0)
    objects = series(node, [(EPOCH_JULIAN_DAY, 0), far], dtypes={"x": object})
    assert objects[1] == pd.Timestamp("2517-08-01").to_pydatetime()
    category = series(node, [(EPOCH_JULIAN_DAY, 0)], [far, None], categories=["x"])
    assert category.cat.categories.dtype == "datetime64[us]"
    assert category.cat.codes.tolist() == [0, 1, -1]
    zoned = series(node, [far], hint=ColumnHint(timezone="UTC"))
    assert zoned.dtype == "datetime64[us, UTC]"


DECIMALS = [
    (Physical.INT32, 0, 9, 123, "1.23"),
    (Physical.INT64, 0, 18, -(10**18) + 1, "-9999999999999999.99"),
    (Physical.FIXED_LEN_BYTE_ARRAY, 16, 38, (10**38 - 1).to_bytes(16, "big"), "9" * 36 + ".99"),
    (Physical.FIXED_LEN_BYTE_ARRAY, 3, 5, (-5).to_bytes(3, "big", signed=True), "-0.05"),
    (Physical.FIXED_LEN_BYTE_ARRAY, 32, 76, (10**75 + 1).to_bytes(32, "big"), f"1{'0' * 73}.01"),
    (Physical.BYTE_ARRAY, 0, 10, (-1).to_bytes(1, "big", signed=True), "-0.01"),
]


@pytest.mark.parametrize(("physical", "length", "precision", "stored", "text"), DECIMALS)
def test_decimals_are_exact(physical, length, precision, stored, text):
    node = leaf(physical, Kind.DECIMAL, length=length, precision=precision, scale=2)
    result = series(node, [stored, None], decimals="python")
    assert result.tolist() == [Decimal(text), None]
    result = series(node, [stored, None], decimals="float")
    assert numbers(result) == [float(text), None]
    default = series(node, [stored, None])
    assert default[0] == Decimal(text)
    assert str(default.dtype) == (
        f"decimal{128 if precision <= 38 else 256}({precision}, 2)[pyarrow]"
        if HAS_PYARROW
        else "object"
    )


def test_decimals_of_more_digits_than_arrow_has():
    stored = (10**99).to_bytes(42, "big")
    node = leaf(Physical.BYTE_ARRAY, Kind.DECIMAL, precision=100, scale=1)
    assert series(node, [stored, None]).tolist() == [Decimal("1e98"), None]
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.DECIMAL, length=42, precision=100, scale=1)
    assert series(node, [stored]).tolist() == [Decimal("1e98")]
    assert series(node, [stored], decimals="float").tolist() == [1e98]
    with pytest.raises(LimitExceeded, match="5,000 bytes"):
        series(leaf(Physical.BYTE_ARRAY, Kind.DECIMAL, precision=100, scale=1), [bytes(5000)])


def test_bytes_keep_their_zeros():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, length=3)
    values = [b"a\0\0", None, b"\0\0\0"]
    for dictionary in (False, True):
        assert series(node, values, dictionary=dictionary).tolist() == values
    for kind in (Kind.NONE, Kind.BSON, Kind.GEOMETRY, Kind.UNRECOGNISED):
        assert series(leaf(Physical.BYTE_ARRAY, kind), [b"\xff\0", None, b""]).tolist() == [
            b"\xff\0",
            None,
            b"",
        ]


def test_uuids_are_bytes_or_uuids():
    value = uuid.uuid4()
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.UUID, length=16)
    assert series(node, [value.bytes, None]).tolist() == [value.bytes, None]
    assert series(node, [value.bytes, None], uuids="uuid").tolist() == [value, None]


def test_json_stays_text_unless_it_is_to_be_decoded():
    node = leaf(Physical.BYTE_ARRAY, Kind.JSON)
    values = [b'{"a": [1]}', None, b"null", b'{"a": [1]}']
    assert series(node, values)[0] == '{"a": [1]}'
    for dictionary in (False, True):
        result = series(node, values, decode_json=True, dictionary=dictionary)
        assert result.tolist() == [{"a": [1]}, None, None, {"a": [1]}]
        assert result[0] is not result[3]


def test_what_is_always_null():
    assert series(leaf(Physical.INT32, Kind.UNKNOWN), [None, None]).tolist() == [None, None]


def test_intervals():
    node = leaf(Physical.FIXED_LEN_BYTE_ARRAY, Kind.INTERVAL, length=12)
    stored = b"\1\0\0\0\2\0\0\0\3\0\0\0"
    result = series(node, [stored, None], nested="python")
    assert result[0] == (1, 2, 3_000_000)
    assert result[0].months == 1
    assert result[1] is None
    if HAS_PYARROW:
        assert tuple(series(node, [stored, None])[0]) == (1, 2, 3_000_000)


def test_dtypes_of_pandas_metadata_come_back():
    node = leaf(Physical.INT64)
    assert series(node, [1], hint=ColumnHint(numpy_type="Int64"), null_free=True).dtype == "Int64"
    # fastparquet trusts the writer's int64, statistics or not; nulls are kept nevertheless.
    assert series(node, [1], hint=ColumnHint(numpy_type="int64")).dtype == "int64"
    assert series(node, [1, None], hint=ColumnHint(numpy_type="int64")).dtype == "Int64"
    assert (
        series(leaf(Physical.DOUBLE), [1.0], hint=ColumnHint(numpy_type="Float64")).dtype
        == "Float64"
    )
    text = series(
        leaf(Physical.BYTE_ARRAY, Kind.STRING), [b"a"], hint=ColumnHint(numpy_type="string")
    )
    assert text.dtype == pd.StringDtype()


class TestAskedDtypes:
    def test_numbers(self):
        node = leaf(Physical.INT64)
        assert series(node, [1, 2], dtypes={"x": "int8"}).dtype == "int8"
        assert numbers(series(node, [1, None], dtypes={"x": "float32"})) == [1, None]
        assert series(node, [1, 2], dtypes={"x": "Int64"}).dtype == "Int64"
        assert series(node, [1, None], dtypes={"x": "Int8"}).dtype == "Int8"
        assert series(leaf(Physical.DOUBLE), [1.0, 2.0], dtypes={"x": "int64"}).tolist() == [1, 2]
        assert series(node, [1, 0], dtypes={"x": "bool"}).tolist() == [True, False]

    @pytest.mark.parametrize(
        ("values", "dtype"),
        [([300], "int8"), ([-1], "uint64"), ([1, None], "int64"), ([2], "bool")],
    )
    def test_numbers_that_do_not_fit_are_refused(self, values, dtype):
        with pytest.raises(InvalidOption, match=f"{dtype} cannot hold") as caught:
            series(leaf(Physical.INT64), values, dtypes={"x": dtype})
        assert caught.value.column == "x"

    def test_floats_that_are_no_integers_are_refused(self):
        for value in (1.5, float("nan"), 1e300):
            with pytest.raises(InvalidOption, match="int64 cannot hold"):
                series(leaf(Physical.DOUBLE), [value], dtypes={"x": "int64"})

    def test_times(self):
        node = leaf(Physical.INT64, Kind.TIMESTAMP, unit="us")
        assert series(node, [1000], dtypes={"x": "M8[ns]"}).dtype == "datetime64[ns]"
        with pytest.raises(InvalidOption, match="cannot be converted"):
            series(node, [2**62], dtypes={"x": "M8[ns]"})
        objects = series(node, [0, None, 2**62], dtypes={"x": object}).tolist()
        assert objects == [EPOCH, None, np.datetime64(2**62, "us")]

    def test_text(self):
        node = leaf(Physical.BYTE_ARRAY, Kind.STRING)
        assert series(node, [b"a", None], dtypes={"x": object}).tolist() == ["a", None]
        assert series(node, [b"a", None], dtypes={"x": "string"}).dtype == pd.StringDtype()
        asked = pd.CategoricalDtype(["b", "a"], ordered=True)
        result = series(node, [b"a", None], [b"b"], dtypes={"x": asked})
        assert result.dtype == asked
        assert result.cat.codes.tolist() == [1, -1, 0]
        with pytest.raises(InvalidOption, match="'c' is not among the categories"):
            series(node, [b"a", b"c"], dtypes={"x": asked})
        assert series(node, [b"1.5"], dtypes={"x": "float64"}).tolist() == [1.5]

    def test_decimals(self):
        node = leaf(Physical.INT32, Kind.DECIMAL, precision=5, scale=2)
        assert numbers(series(node, [150, None], dtypes={"x": "float64"})) == [1.5, None]
        assert series(node, [150], dtypes={"x": object}).tolist() == [Decimal("1.50")]

    def test_arrow(self):
        pytest.importorskip("pyarrow")
        result = series(leaf(Physical.INT64), [1, None], dtypes={"x": "int32[pyarrow]"})
        assert str(result.dtype) == "int32[pyarrow]"
        assert numbers(result) == [1, None]

    def test_what_is_no_dtype(self):
        with pytest.raises(InvalidOption, match="no dtype"):
            series(leaf(Physical.INT64), [1], dtypes={"x": "integer of sorts"})


def test_arrow_backed_arrays_of_everything_on_request():
    pytest.importorskip("pyarrow")
    options = {"dtype_backend": "pyarrow"}
    wanted = {
        leaf(Physical.INT32): ([1, None], "int32"),
        leaf(Physical.BOOLEAN): ([True, None], "bool"),
        leaf(Physical.DOUBLE): ([1.5, None], "double"),
        leaf(Physical.BYTE_ARRAY, Kind.STRING): ([b"a", None], "large_string"),
        leaf(Physical.BYTE_ARRAY): ([b"a", None], "large_binary"),
        leaf(Physical.INT64, Kind.TIMESTAMP, unit="us", is_utc=True): (
            [1, None],
            "timestamp[us, tz=UTC]",
        ),
        leaf(Physical.INT64, Kind.TIME, unit="us"): ([1, None], "time64[us]"),
    }
    for node, (values, name) in wanted.items():
        result = series(node, values, [], values, **options)
        assert str(result.dtype) == f"{name}[pyarrow]"
        assert result.isna().tolist() == [False, True] * 2
    far = [(EPOCH_JULIAN_DAY, 0)], [(EPOCH_JULIAN_DAY + 200_000, 0), None]
    assert str(series(leaf(Physical.INT96), *far, **options).dtype) == "timestamp[us][pyarrow]"
    duration = ColumnHint(duration_unit="us", arrow=ArrowHint("x", 18, unit="us"))
    assert (
        str(series(leaf(Physical.INT64), [1], hint=duration, **options).dtype)
        == "duration[us][pyarrow]"
    )


def test_binary_as_arrow_on_request():
    pytest.importorskip("pyarrow")
    assert (
        str(series(leaf(Physical.BYTE_ARRAY), [b"a"], binary="arrow").dtype)
        == "large_binary[pyarrow]"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"decimals": "exact"},
        {"strings": "utf8"},
        {"dtype_backend": "arrow"},
        {"nested": True},
        {"categories": "x"},
    ],
)
def test_options_that_do_not_exist(options):
    with pytest.raises(InvalidOption, match=next(iter(options))):
        PandasOptions(**options)


def test_arrow_without_pyarrow_is_refused(monkeypatch):
    monkeypatch.setattr("hocket.parquet.assemble.pandas_options.has_pyarrow", lambda: False)
    for options in ({"decimals": "arrow"}, {"nested": "arrow"}, {"dtype_backend": "pyarrow"}):
        with pytest.raises(InvalidOption, match="not installed"):
            PandasOptions(**options)
    assert not PandasOptions().arrow_decimals
