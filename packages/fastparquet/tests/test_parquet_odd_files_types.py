"""Types that few files have: odd carriers, new annotations, bounds that are cut."""

import struct
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from parquet_chunk_writer import ChunkWriter, leaf_of, zigzag
from parquet_file_maker import FileMaker, framed, one_column, refused, values_of_file
from parquet_record_writer import LIST, OPTIONAL, REPEATED, file_of_rows, node

from hocket.parquet import ParquetFile
from hocket.parquet.errors import ValueOutOfRange
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType

P = PhysicalType

UNITS = {
    "ms": (1000, ttypes.TimeUnit(MILLIS=ttypes.MilliSeconds())),
    "us": (10**6, ttypes.TimeUnit(MICROS=ttypes.MicroSeconds())),
    "ns": (10**9, ttypes.TimeUnit(NANOS=ttypes.NanoSeconds())),
}
SECONDS = [0, 1, -1, 9_223_372_036, None, 253_402_300_799, -62_135_596_800]
MOMENTS = [None if each is None else np.datetime64(each, "s") for each in SECONDS]


# ------------------------------------------------------------------------ timestamps of 96 bits


def timestamp_of(unit, *, is_utc=False):
    kind = ttypes.TimestampType(isAdjustedToUTC=is_utc, unit=UNITS[unit][1])
    return {"logicalType": ttypes.LogicalType(TIMESTAMP=kind), "type_length": 12}


def ticks(seconds, unit, more=0):
    if seconds is None:
        return None
    return (seconds * UNITS[unit][0] + more).to_bytes(12, "little", signed=True)


def wide_times(unit, seconds, **options):
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=12, definition=1)
    writer = ChunkWriter(leaf).add([ticks(each, unit) for each in seconds])
    return one_column(writer, **timestamp_of(unit, **options))


def moments_of(array):
    return [None if np.isnat(each) else each for each in array.astype("M8[s]")]


@pytest.mark.parametrize(
    ("unit", "seconds", "dtype"),
    [
        ("ms", SECONDS, "ms"),
        ("us", SECONDS, "us"),
        ("ns", SECONDS[:5], "ns"),
        # Where nanoseconds do not do, microseconds do.
        ("ns", SECONDS, "us"),
        ("us", [10**14], "ms"),
        ("ms", [10**17], "s"),
        ("ns", [-(10**14)], "ms"),
    ],
)
def test_timestamps_of_12_bytes(unit, seconds, dtype):
    opened = ParquetFile(wide_times(unit, seconds))
    wanted = [None if each is None else np.datetime64(each, "s") for each in seconds]
    for frame in (opened.to_pandas(), opened.to_pandas(dtype_backend="numpy_nullable")):
        assert str(frame["a"].dtype) == f"datetime64[{dtype}]"
        assert moments_of(frame["a"].to_numpy()) == wanted
    assert moments_of(opened.to_numpy()["a"]) == wanted
    arrow = pytest.importorskip("pyarrow").table(opened.to_arrow())["a"]
    assert str(arrow.type) == f"timestamp[{dtype}]"
    assert moments_of(arrow.to_numpy()) == wanted


def test_timestamps_of_12_bytes_in_utc():
    raw = wide_times("ns", SECONDS, is_utc=True)
    frame = ParquetFile(raw).to_pandas()
    assert str(frame["a"].dtype) == "datetime64[us, UTC]"
    assert frame["a"][5] == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    arrow = pytest.importorskip("pyarrow").table(ParquetFile(raw).to_arrow(int96_unit="ms"))
    assert str(arrow["a"].type) == "timestamp[ms, tz=UTC]"


def test_timestamps_of_12_bytes_that_nothing_holds():
    refused(wide_times("ms", [(1 << 94) // 1000]), "does not fit", ValueOutOfRange)


def test_digits_below_a_coarser_unit_are_dropped_towards_the_past():
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=12, definition=1)
    values = [ticks(-1, "ns", -1), ticks(0, "ns", 999), ticks(253_402_300_799, "ns")]
    raw = one_column(ChunkWriter(leaf).add(values), **timestamp_of("ns"))
    found = ParquetFile(raw).to_numpy()["a"].astype(np.int64)
    assert found.tolist() == [-1_000_001, 0, 253_402_300_799_000_000]


def test_timestamps_of_12_bytes_in_lists():
    times = node("element", OPTIONAL, P.FIXED_LEN_BYTE_ARRAY, **timestamp_of("ns"))
    top = node("a", OPTIONAL, [node("list", REPEATED, [times])], **LIST)
    rows = [
        {"a": {"list": [{"element": ticks(each, "ns")} for each in SECONDS]}},
        {"a": None},
    ]
    raw = file_of_rows([top], rows)
    found, missing = ParquetFile(raw).to_pandas(nested="python")["a"]
    assert [None if each is None else np.datetime64(each, "s") for each in found] == MOMENTS
    assert missing is None
    arrow = ParquetFile(raw).to_pandas(nested="auto")["a"]
    assert len(arrow[0]) == len(SECONDS)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (("a", ">", "1970-01-01"), [1, 3, 5]),
        (("a", "<=", "1969-12-31T23:59:59"), [2, 6]),
        (("a", "==", np.datetime64("9999-12-31T23:59:59")), [5]),
        (("a", "in", ["1970-01-01T00:00:01", "0001-01-01"]), [1, 6]),
        (("a", "is null", None), [4]),
    ],
)
def test_filters_on_timestamps_of_12_bytes(unit, condition, rows):
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=12, definition=1)
    maker = FileMaker(len(SECONDS))
    writer = ChunkWriter(leaf).add([ticks(each, unit) for each in SECONDS])
    maker.add("a", writer, **timestamp_of(unit))
    maker.add("row", ChunkWriter(leaf_of(P.INT32)).add(list(range(len(SECONDS)))))

    def tell_bounds(footer):
        bounds = ttypes.Statistics(
            min_value=ticks(min(filter(None, SECONDS)), unit),
            max_value=ticks(max(filter(None, SECONDS)), unit),
            null_count=1,
        )
        footer.row_groups[0].columns[0].meta_data.statistics = bounds

    opened = ParquetFile(maker.written(tell_bounds))
    assert opened.to_pandas(filters=[condition])["row"].tolist() == rows
    assert opened.statistics["min"]["a"] == [MOMENTS[-1]]
    beyond = ("a", ">", np.datetime64("9999-12-31T23:59:59"))
    assert opened.to_pandas(filters=[beyond], row_filter=False).empty


def test_12_bytes_are_timestamps_only_by_the_newer_annotation():
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=12)
    raw = one_column(ChunkWriter(leaf).add([bytes(12)]), type_length=12, converted_type=9)
    assert values_of_file(raw) == [bytes(12)]
    short = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=8)
    told = {**timestamp_of("ns"), "type_length": 8}
    assert values_of_file(one_column(ChunkWriter(short).add([bytes(8)]), **told)) == [bytes(8)]


# ---------------------------------------------------------------------------------------- INT96


def int96(day, nanoseconds):
    return struct.pack("<qi", nanoseconds, day)


def test_filters_on_int96_beyond_nanoseconds():
    times = [int96(2440588, 0), int96(2440588 + 200_000, 5), None, int96(2440588 - 200_000, 1)]
    raw = one_column(ChunkWriter(leaf_of(P.INT96, definition=1)).add(times))
    found = ParquetFile(raw).to_pandas(filters=[("a", ">=", "1970-01-01")])["a"]
    assert found.dt.date.astype(str).tolist() == ["1970-01-01", "2517-08-01"]


def test_int96_ordered_by_time():
    """The least and the greatest are not those of the bytes."""
    late, after = int96(2440588, 86_399_999_999_999), int96(2440589, 0)
    early, same_day = int96(2440000, 123), int96(2440588, 1000)
    maker = FileMaker(4).add("a", ChunkWriter(leaf_of(P.INT96)).add([late, after, early, same_day]))

    def tell_order(footer):
        footer.column_orders = [
            ttypes.ColumnOrder(INT96_TIMESTAMP_ORDER=ttypes.Int96TimestampOrder())
        ]
        footer.row_groups[0].columns[0].meta_data.statistics = ttypes.Statistics(
            min_value=early, max_value=after, null_count=0
        )

    opened = ParquetFile(maker.written(tell_order))
    assert opened.statistics["max"]["a"] == [np.datetime64("1970-01-02")]
    assert len(opened.to_pandas(filters=[("a", ">", "1970-01-01T12")])) == 2
    assert opened.to_pandas(filters=[("a", ">", "1970-01-02")], row_filter=False).empty


# -------------------------------------------------------------------------------------- the rest


def test_decimals_of_old_annotations():
    leaf = leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=6, definition=1)
    writer = ChunkWriter(leaf).add([(-2400).to_bytes(6, "big", signed=True), None])
    told = {"converted_type": 5, "precision": 13, "scale": 2}
    assert values_of_file(one_column(writer, **told)) == [Decimal("-24.00"), None]
    # Longer than need be, and of no bytes: arithmetic does not mind.
    values = [b"\0\x64", b"\xff" * 20, bytes(18) + b"\5", b""]
    strings = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1)).add(values)
    told = {"converted_type": 5, "precision": 4, "scale": 2}
    wanted = [Decimal(text) for text in ("1.00", "-0.01", "0.05", "0.00")]
    assert values_of_file(one_column(strings, **told)) == wanted


def test_annotations_that_are_not_known_yet():
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1)).add([b"unknown", None])
    raw = one_column(writer, logicalType=ttypes.LogicalType(STRING=ttypes.StringType()))
    start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    # An empty struct that is member 1 of a union becomes member 2555.
    footer = raw[start:-8].replace(b"\x1c\0\0", b"\x0c" + zigzag(2555) + b"\0\0")
    assert values_of_file(framed(footer, raw[:start])) == [b"unknown", None]


@pytest.mark.parametrize(
    ("logical", "converted", "values", "wanted"),
    [
        ("JSON", 19, [b'{"a":1,"b":null}', b"[1,null,3]"], ['{"a":1,"b":null}', "[1,null,3]"]),
        ("BSON", 20, [bytes.fromhex("0c0000001061000100000000")], None),
        ("ENUM", 4, [b"RED", b"GREEN"], ["RED", "GREEN"]),
    ],
)
def test_documents_and_names(logical, converted, values, wanted):
    kind = getattr(ttypes, f"{logical.capitalize()}Type")()
    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1)).add([*values, None])
    annotated = ttypes.LogicalType(**{logical: kind})
    raw = one_column(writer, logicalType=annotated, converted_type=converted)
    assert values_of_file(raw) == [*(wanted or values), None]


@pytest.mark.parametrize(
    ("least", "most", "is_exact"), [(b"Al", b"Kf", False), (b"Al", b"Ke", True)]
)
@pytest.mark.parametrize("is_text", [False, True])
def test_bounds_that_are_cut(least, most, is_exact, is_text):
    values = [b"Alice", b"Bob", b"Kevin"] if not is_exact else [b"Al", b"Bob", b"Ke"]

    def change(meta):
        meta.statistics = ttypes.Statistics(
            min_value=least,
            max_value=most,
            is_min_value_exact=is_exact,
            is_max_value_exact=is_exact,
            null_count=0,
        )

    told = {"converted_type": 0} if is_text else {}
    raw = one_column(ChunkWriter(leaf_of(P.BYTE_ARRAY)).add(values), change, **told)
    opened = ParquetFile(raw)
    for operator, bound, count in (
        ("==", values[0], 1),
        ("==", values[2], 1),
        (">=", least, 3),
        ("<=", least, int(is_exact)),
        (">", most, 0),
        ("==", most, int(is_exact)),
        ("!=", b"Al", 3 - is_exact),
    ):
        key = bound.decode() if is_text else bound
        assert opened.count([("a", operator, key)]) == count, (operator, bound)
        assert len(opened.to_pandas(filters=[("a", operator, key)])) == count


def point(x, y):
    return b"\x01\x01\0\0\0" + struct.pack("<dd", x, y)


@pytest.mark.parametrize(
    "kind",
    [
        ttypes.LogicalType(GEOGRAPHY=ttypes.GeographyType()),
        ttypes.LogicalType(GEOGRAPHY=ttypes.GeographyType(algorithm=77, crs="OGC:CRS84")),
        ttypes.LogicalType(GEOMETRY=ttypes.GeometryType(crs="srid:5070")),
        ttypes.LogicalType(GEOMETRY=ttypes.GeometryType(crs="projjson:nowhere")),
    ],
)
@pytest.mark.parametrize("bound", [0.0, float("nan")])
def test_geometries(kind, bound):
    """Whatever is said about them: coordinates that are no numbers, systems that are not there."""
    values = [point(1, 2), None, point(float("nan"), float("nan"))]
    box = ttypes.BoundingBox(xmin=170.0, xmax=-170.0, ymin=bound, ymax=bound)

    def change(meta):
        meta.geospatial_statistics = ttypes.GeospatialStatistics(bbox=box, geospatial_types=[1])

    writer = ChunkWriter(leaf_of(P.BYTE_ARRAY, definition=1)).add(values)
    raw = one_column(writer, change, logicalType=kind)
    assert values_of_file(raw) == values
    arrow = pytest.importorskip("pyarrow").table(ParquetFile(raw).to_arrow())
    assert arrow["a"].to_pylist() == values
