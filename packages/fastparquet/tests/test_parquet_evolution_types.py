"""Types that hold the values of two others, and values as those of a wider type."""

import datetime as dt
import decimal
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hocket.parquet as hp
from hocket.parquet.dataset.evolution.common_type import LeafShape, common_shape
from hocket.parquet.dataset.evolution.wide_integers import scaled_integers
from hocket.parquet.metadata.schema import LogicalKind, LogicalType, PhysicalType

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

Decimal = decimal.Decimal
TYPES = [
    pa.bool_(),
    *(getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(pa.float16(), pa.float32(), pa.float64()),
    *(pa.decimal128(5, 2), pa.decimal128(18, 3), pa.decimal128(38, 0), pa.decimal256(60, 10)),
    *(pa.date32(), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC")),
    *(pa.string(), pa.binary(), pa.binary(4), pa.null()),
]


@pytest.fixture
def pair(tmp_path):
    """Write two arrays as a column of two files, and open them as a dataset."""

    def written(first, second):
        for number, array in enumerate((first, second)):
            pq.write_table(pa.table({"x": array}), tmp_path / f"{number}.parquet")
        return hp.ParquetFile(tmp_path)

    return written


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp("types")
    found = {}
    for number, kind in enumerate(TYPES):
        place = root / f"{number}.parquet"
        pq.write_table(pa.table({"x": pa.nulls(1, kind)}), place)
        found[kind] = LeafShape.of(hp.ParquetFile(place).schema.leaves[0])
    return found


def test_what_two_types_have_in_common_holds_both(shapes):
    for one, other in itertools.product(shapes.values(), repeat=2):
        common = common_shape(one, other)
        assert common == common_shape(other, one)
        assert common_shape(one, one) == one
        if common is not None:
            assert common_shape(common, one) == common
            assert common_shape(common, other) == common


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.uint8(), pa.int8(), pa.int16()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint64(), pa.int8(), None),
        (pa.int8(), pa.float16(), pa.float16()),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.decimal128(5, 2), pa.decimal128(38, 0), "DECIMAL(40, 2)"),
        (pa.int64(), pa.decimal128(5, 2), "DECIMAL(21, 2)"),
        (pa.decimal256(60, 10), pa.decimal128(38, 0), "DECIMAL(60, 10)"),
        (pa.decimal128(5, 2), pa.float64(), None),
        (pa.date32(), pa.timestamp("ms"), pa.timestamp("ms")),
        (pa.date32(), pa.timestamp("ms", "UTC"), None),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), None),
        (pa.time32("ms"), pa.time64("ns"), pa.time64("ns")),
        (pa.time32("ms"), pa.timestamp("ms"), None),
        (pa.string(), pa.binary(4), pa.binary()),
        (pa.bool_(), pa.int8(), None),
        (pa.null(), pa.binary(4), pa.binary(4)),
    ],
    ids=str,
)
def test_common_types(shapes, one, other, common):
    found = common_shape(shapes[one], shapes[other])
    if isinstance(common, str):
        assert str(found.logical) == common
    else:
        assert found == (None if common is None else shapes[common])


def test_decimals_of_too_many_digits_have_nothing_in_common():
    one, other = (
        LeafShape(
            PhysicalType.FIXED_LEN_BYTE_ARRAY,
            32,
            LogicalType(LogicalKind.DECIMAL, precision=70, scale=scale),
        )
        for scale in (0, 30)
    )
    assert common_shape(one, other) is None


def test_old_timestamps_beside_new_ones(tmp_path):
    stamp = dt.datetime.fromisoformat("2026-01-02T03:04:05.678901")
    pq.write_table(
        pa.table({"x": pa.array([stamp, None])}),
        tmp_path / "0.parquet",
        use_deprecated_int96_timestamps=True,
    )
    pq.write_table(pa.table({"x": pa.array([stamp])}), tmp_path / "1.parquet")
    opened = hp.ParquetFile(tmp_path)
    assert opened.to_pandas()["x"].tolist() == [pd.Timestamp(stamp), pd.NaT, pd.Timestamp(stamp)]
    assert opened.count([("x", "==", stamp)]) == 2


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (pa.array([5, 2**53 + 1]), pa.array([0.5]), r"0\.parquet.*'x'.*9007199254740993.*double"),
        (
            pa.array([dt.datetime.fromisoformat("9000-01-01")], pa.timestamp("ms")),
            pa.array([1], pa.timestamp("ns")),
            r"0\.parquet.*'x'.*TIMESTAMP\(ns\)",
        ),
    ],
    ids=["integer", "time"],
)
def test_values_that_the_wider_type_cannot_hold(tmp_path, first, second, words, dictionary):
    for number, array in enumerate((first, second)):
        place = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"x": array}), place, use_dictionary=dictionary)
    opened = hp.ParquetFile(tmp_path)
    for read in (opened.to_pandas, opened.to_arrow, opened.to_numpy):
        with pytest.raises(hp.ValueOutOfRange, match=words):
            read()
    # Of the others nothing is wrong.
    assert opened[1:].count() == len(opened[1:].to_pandas()) == 1


def test_nulls_may_be_anything(pair):
    opened = pair(pa.array([None, 1], pa.int64()), pa.array([0.5, None]))
    assert opened.to_numpy()["x"].tolist()[1:3] == [1.0, 0.5]
    assert np.isnan(opened.to_numpy()["x"][[0, 3]]).all()


WIDTHS = {
    "i1": 1,
    "i2": 2,
    "i4": 4,
    "i8": 8,
    "u1": 1,
    "u2": 2,
    "u4": 4,
    "u8": 8,
    "V16": 16,
    "V32": 32,
}


@given(st.data())
def test_integers_times_powers_of_ten(data):
    source = data.draw(st.sampled_from(sorted(WIDTHS)))
    wanted = data.draw(st.sampled_from(["i4", "i8", "V16", "V32"]))
    digits = data.draw(st.integers(0, 40))
    bits, is_signed = 8 * WIDTHS[source], source[0] != "u"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    small = st.integers(-1000, 1000).filter(lambda n: low <= n <= high)
    numbers = data.draw(st.lists(st.integers(low, high) | small, max_size=5))
    raw = b"".join(n.to_bytes(bits // 8, "little", signed=is_signed) for n in numbers)
    values = np.frombuffer(raw, np.dtype(source))
    found, lost = scaled_integers(values, digits, np.dtype(wanted))
    limit = 1 << (8 * WIDTHS[wanted] - 1)
    for number, item, is_lost in zip(numbers, found, lost, strict=True):
        product = number * 10**digits
        assert is_lost == (not -limit <= product < limit)
        if not is_lost:
            assert int.from_bytes(item.tobytes(), "little", signed=True) == product
