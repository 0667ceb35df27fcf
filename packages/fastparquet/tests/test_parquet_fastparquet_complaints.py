"""What users of fastparquet complained of, as far as reading goes: each has a test by its number.

Numbers are those of dask/fastparquet's issues. What has none was found by probing it.
"""

import datetime as dt
import decimal
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def written(tmp_path):
    """A function that writes a table, given as a dict or as Arrow's, and opens it."""

    def write(table, **options) -> hp.ParquetFile:
        table = table if isinstance(table, pa.Table) else pa.table(table)
        pq.write_table(table, tmp_path / "a.parquet", **options)
        return hp.ParquetFile(tmp_path / "a.parquet")

    return write


def listed(column) -> list:
    return [None if not isinstance(x, (list, dict)) and pd.isna(x) else x for x in column.tolist()]


# ----------------------------------------------------------------------- wrong or lost values


def test_166_and_926_filters_keep_rows_and_not_row_groups(written):
    opened = written({"x": list(range(100)), "y": ["even", "odd"] * 50})
    assert opened.to_pandas(filters=[("x", ">", 97)])["x"].tolist() == [98, 99]
    assert opened.to_pandas(filters=[[("x", "<", 3), ("y", "==", "odd")]])["x"].tolist() == [1]


def test_917_lists_of_lists(written):
    values = [[[1, 2], [], None], [], None, [[None, 3]]]
    assert written({"l": values}).to_pandas(nested="python")["l"].tolist() == values
    assert written({"l": values}).to_arrow().to_pyarrow()["l"].to_pylist() == values


def test_443_nested_maps(written):
    kind = pa.map_(pa.string(), pa.map_(pa.string(), pa.int64()))
    values = [[("a", [("b", 1), ("c", None)])], [], None]
    found = written({"m": pa.array(values, kind)}).to_arrow().to_pyarrow()["m"].to_pylist()
    assert found == values


def test_956_and_957_row_filters_where_there_are_nulls(written):
    opened = written({"x": [1, None, 3, None], "s": [None, "b", "c", None]})
    assert listed(opened.to_pandas(filters=[("x", ">", 1)])["x"]) == [3]
    assert listed(opened.to_pandas(filters=[("x", "!=", 1)])["x"]) == [3]
    assert listed(opened.to_pandas(filters=[("x", "not in", [3])])["x"]) == [1]
    assert listed(opened.to_pandas(filters=[("s", "<", "z"), ("x", "is null")])["s"]) == ["b"]
    mask = np.array([False, True, True, False])
    some = opened.to_pandas(row_filter=mask)
    assert listed(some["x"]) == [None, 3]
    assert listed(some["s"]) == ["b", "c"]
    assert [len(each) for each in opened.iter_row_groups(row_filter=mask)] == [2]


@pytest.mark.parametrize("columns", [1, 6])
@pytest.mark.parametrize("compression", ["NONE", "GZIP"])
def test_nulls_of_integers_whose_metadata_say_int64(written, columns, compression):
    """As fastparquet writes pandas' nullable integers: its metadata have the dtype of the file."""
    names = [f"n{number}" for number in range(columns)]
    metadata = pa.Table.from_pandas(pd.DataFrame(1, [0, 1], names)).schema.metadata
    values = [n if n % 3 else None for n in range(60)]
    table = pa.table(dict.fromkeys(names, values) | {"i": list(range(60))})
    opened = written(table.replace_schema_metadata(metadata), compression=compression)
    wanted = [3, 50]
    mask = np.isin(np.arange(60), wanted)
    for read in ({"filters": [("i", "in", wanted)]}, {"row_filter": mask}):
        frame = opened.to_pandas(columns=names, **read)
        assert all(listed(frame[name]) == [None, 50] for name in names)
        floats = hp.ParquetFile(opened.fn, pandas_nulls=False).to_pandas(columns=names, **read)
        assert all(listed(floats[name]) == [None, 50] for name in names)
        arrays = opened.to_numpy(names, **read)
        assert all(arrays[name].tolist() == [None, 50] for name in names)
    assert listed(opened.to_pandas()["n0"]) == values


def test_766_values_are_the_same_in_every_read(written):
    rng = np.random.default_rng(1)
    words = rng.choice([f"word {n}" for n in range(3000)], 20_000)
    opened = written({"f": rng.normal(size=20_000), "s": words}, row_group_size=3000)
    first = opened.to_pandas()
    for _ in range(5):
        pd.testing.assert_frame_equal(opened.to_pandas(), first)
    assert first["s"].tolist() == words.tolist()


def test_417_decimals_are_exact(written):
    texts = ["0.1", "-99999999999999999999.99", None, "12345678901234567890.12"]
    values = [
        None if text is None else decimal.Decimal(text).quantize(decimal.Decimal("0.01"))
        for text in texts
    ]
    opened = written({"d": pa.array(values, pa.decimal128(38, 2))})
    assert opened.to_pandas(decimals="python")["d"].tolist() == values
    assert opened.to_pandas(filters=[("d", "==", "0.1")]).shape == (1, 1)
    assert opened.to_pandas(decimals="float")["d"][0] == 0.1


@pytest.mark.parametrize("count", [127, 128, 32_767, 32_768, 70_000])
def test_789_any_number_of_categories(written, count):
    words = [f"{n:05}" for n in range(count)]
    opened = written({"c": pa.array(words).dictionary_encode()})
    for categories in (["c"], {"c": 10}):
        column = opened.to_pandas(categories=categories)["c"]
        assert len(column.cat.categories) == count
        assert column.astype(str).tolist() == words


def test_548_fewer_categories_than_were_declared(written):
    whole = pd.DataFrame({"c": pd.Categorical(["a", "b"] * 5, categories=list("abcdef"))})
    opened = written(pa.Table.from_pandas(whole))
    assert opened.to_pandas()["c"].tolist() == ["a", "b"] * 5
    assert opened.to_pandas(categories={"c": 1})["c"].tolist() == ["a", "b"] * 5


def test_strings_of_which_only_the_first_pages_are_coded(written):
    words = [f"{n:07}" for n in range(30_000)]
    opened = written({"s": words}, dictionary_pagesize_limit=4096, data_page_size=4096)
    encodings = opened.row_groups[0].columns[0].meta_data.encodings
    assert {0, 8} <= set(encodings)
    assert opened.to_pandas()["s"].tolist() == words
    assert opened.to_pandas(categories=["s"])["s"].tolist() == words
    assert opened.to_pandas(filters=[("s", "in", [words[5], words[-5]])])["s"].tolist() == [
        words[5],
        words[-5],
    ]


def test_not_in_keeps_row_groups_that_hold_others(written):
    opened = written({"x": [1, 2, 3]})
    assert opened.to_pandas(filters=[("x", "not in", [3])])["x"].tolist() == [1, 2]


def test_seconds_are_not_1970(written):
    stamps = np.array(["2026-01-02T03:04:05", "1969-12-31T23:59:59"], "M8[s]")
    column = written(pa.Table.from_pandas(pd.DataFrame({"t": stamps}))).to_pandas()["t"]
    assert (column.to_numpy() == stamps).all()


def test_dates_after_2262(written):
    days = [dt.date(1, 1, 1), dt.date(2262, 4, 12), dt.date(9999, 12, 31)]
    column = written({"d": pa.array(days, pa.date32())}).to_pandas()["d"]
    assert [stamp.date() for stamp in column.dt.to_pydatetime()] == days


@pytest.mark.parametrize(
    ("kind", "encoding", "values"),
    [
        (pa.bool_(), "RLE", [True, False, False, True, None] * 40),
        (pa.int64(), "DELTA_BINARY_PACKED", [0, 1 << 62, -(1 << 63), (1 << 63) - 1, 5]),
        (pa.int32(), "DELTA_BINARY_PACKED", [0, -(1 << 31), (1 << 31) - 1, None, 7]),
        (pa.string(), "DELTA_LENGTH_BYTE_ARRAY", ["", "abc", None, "d" * 300]),
        (pa.string(), "DELTA_BYTE_ARRAY", ["prefix one", "prefix two", None, ""]),
        (pa.binary(4), "DELTA_BYTE_ARRAY", [b"ab\0\0", b"abcd", b"\0\0\0\0"]),
        (pa.float64(), "BYTE_STREAM_SPLIT", [0.5, None, -1e300]),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_493_882_911_encodings_and_second_pages(written, kind, encoding, values, version):
    opened = written(
        {"x": pa.array(values, kind)},
        use_dictionary=False,
        column_encoding={"x": encoding},
        data_page_version=version,
    )
    assert listed(opened.to_pandas()["x"]) == values


def test_583_dictionaries_by_their_newer_name(written):
    opened = written({"s": ["a", "b", "a", None]}, version="2.6", data_page_version="2.0")
    assert 8 in opened.row_groups[0].columns[0].meta_data.encodings
    assert listed(opened.to_pandas()["s"]) == ["a", "b", "a", None]


def test_byte_strings_of_one_length_keep_their_zeros(written):
    values = [b"ab\0\0", b"\0\0\0\0", None, b"abcd"]
    assert listed(written({"b": pa.array(values, pa.binary(4))}).to_pandas()["b"]) == values


def test_halves_are_numbers(written):
    values = np.array([0.5, -2.0, 65504.0], np.float16)
    column = written({"h": pa.array(values)}).to_pandas()["h"]
    assert column.tolist() == values.tolist()


# -------------------------------------------------------------------------------- partitions


@pytest.mark.parametrize("value", ["a/b", "a=b", "a b", "100%", "ü", "a%2Fb", "..", "#1?", ""])
def test_partitions_whose_values_have_signs_of_paths(tmp_path, value):
    table = pa.table({"x": [1, 2], "p": [value, "plain"]})
    pq.write_to_dataset(table, tmp_path, partition_cols=["p"])
    frame = hp.ParquetFile(tmp_path).to_pandas()
    assert dict(zip(frame["x"], frame["p"].astype(str), strict=True)) == {1: value, 2: "plain"}
    assert hp.ParquetFile(tmp_path).count([("p", "==", value)]) == 1


def test_null_partitions_are_null_and_their_rows_are_there(tmp_path):
    table = pa.table({"x": [1, 2, 3], "p": ["a", None, "b"], "q": [1, None, 3]})
    pq.write_to_dataset(table, tmp_path, partition_cols=["p", "q"])
    opened = hp.ParquetFile(tmp_path)
    assert opened.cats == {"p": ["a", "b"], "q": [1, 3]}
    frame = opened.to_pandas().sort_values("x")
    assert listed(frame["p"]) == ["a", None, "b"]
    assert listed(frame["q"]) == [1, None, 3]
    assert opened.to_pandas(filters=[("q", "is null")])["x"].tolist() == [2]


# ----------------------------------------------------------------------------- what was not read


def test_352_and_35_structs_of_lists_of_structs(written):
    rows = [
        {"a": {"b": [{"c": 1, "d": None}, None], "e": "x"}},
        {"a": None},
        {"a": {"b": [], "e": None}},
    ]
    opened = written(pa.Table.from_pylist(rows))
    assert opened.to_pandas(nested="python")["a"].tolist() == [row["a"] for row in rows]


def test_935_dots_in_the_names_of_lists(written):
    opened = written({"a.b": [[1, 2], [], None], "a": [1, 2, 3], "x.y.z": ["p", "q", "r"]})
    frame = opened.to_pandas(nested="python")
    assert frame["a.b"].tolist() == [[1, 2], [], None]
    assert opened.to_pandas(columns=["x.y.z"], filters=[("x.y.z", ">", "p")])["x.y.z"].tolist() == [
        "q",
        "r",
    ]
    assert opened.to_pandas(columns=["a.b"], nested="python")["a.b"].tolist() == [[1, 2], [], None]


def test_948_and_959_missing_structs_beside_flat_columns(written):
    rows = [{"s": {"a": 1, "b": "x"}, "n": None}, {"s": None, "n": 2}]
    frame = written(pa.Table.from_pylist(rows)).to_pandas(nested="python")
    assert frame["s"].tolist() == [{"a": 1, "b": "x"}, None]
    assert listed(frame["n"]) == [None, 2]


def test_duplicate_names(written):
    table = pa.Table.from_arrays(
        [pa.array([1, 2]), pa.array(["x", "y"]), pa.array([0.5, 1.5])], ["a", "a", "b"]
    )
    opened = written(table)
    assert opened.columns == ["a", "a", "b"]
    frame = opened.to_pandas()
    assert list(frame.columns) == ["a", "a", "b"]
    assert (frame.iloc[:, 0].tolist(), frame.iloc[:, 1].tolist()) == ([1, 2], ["x", "y"])
    assert list(opened.to_pandas(columns=["a"]).columns) == ["a", "a"]
    with pytest.raises(hp.InvalidFilter, match="2 columns have that name"):
        opened.to_pandas(filters=[("a", "==", 1)])
    with pytest.raises(hp.InvalidOption, match="index has 'a', and several columns"):
        opened.to_pandas(index="a")


def test_names_of_columns_are_never_evaluated(written):
    names = ["__import__('os').getcwd()", "('a', 'b')", "b'x'", "1"]
    assert written({name: [1] for name in names}).to_pandas().columns.tolist() == names


# ----------------------------------------------------------------------------- crashes and errors


def test_any_changed_byte_is_an_error_of_ours_or_another_value(written):
    opened = written({"x": pa.array([1, None] * 50, pa.int32())}, use_dictionary=False)
    raw = Path(opened.fn).read_bytes()
    for at in range(4, len(raw) - 8, 3):
        damaged = bytes(raw[:at]) + bytes([raw[at] ^ 0x55]) + bytes(raw[at + 1 :])
        try:
            frame = hp.ParquetFile(damaged).to_pandas()
        except hp.ParquetError:
            continue
        assert len(frame) == 100


def test_666_513_604_string_lengths_beyond_their_page(written):
    opened = written({"s": ["abc", "def"]}, use_dictionary=False, compression=None)
    raw = Path(opened.fn).read_bytes()
    at = raw.index(struct.pack("<I", 3) + b"def")
    for length in (4, 1000, 1 << 31, (1 << 32) - 1):
        damaged = raw[:at] + struct.pack("<I", length) + raw[at + 4 :]
        with pytest.raises(hp.CorruptFile, match=r"column 's', page 0"):
            hp.ParquetFile(damaged).to_pandas()


@pytest.mark.parametrize("cut", [0, 3, 4, 7, 8, 11, 12, 100])
def test_867_and_879_what_is_cut_short_is_an_error_of_ours(written, cut):
    opened = written({"x": [1, 2, 3]})
    raw = Path(opened.fn).read_bytes()
    with pytest.raises(hp.ParquetException):
        hp.ParquetFile(raw[:cut])
    with pytest.raises(hp.ParquetException):
        hp.ParquetFile(raw[:-1])


# --------------------------------------------------------------------------------------- others


def test_650_time_zones(written):
    stamps = pd.to_datetime(["2026-01-02 03:04", None]).as_unit("us")
    table = pa.table(
        {
            "utc": pa.array(stamps.tz_localize("UTC")),
            "local": pa.array(stamps),
            "far": pa.array(stamps.tz_localize("Asia/Tokyo")),
        }
    )
    frame = written(table).to_pandas()
    assert frame["utc"].dt.tz is not None
    assert frame["local"].dt.tz is None
    assert str(frame["far"].dt.tz) == "Asia/Tokyo"
    assert frame["far"][0].isoformat() == "2026-01-02T03:04:00+09:00"


def test_durations_of_more_than_a_day(written):
    spans = pd.to_timedelta(["3 days 04:00:00", "-1 days", None]).as_unit("us")
    column = written(pa.Table.from_pandas(pd.DataFrame({"d": spans}))).to_pandas()["d"]
    pd.testing.assert_series_equal(column, pd.Series(spans, name="d"))


def test_337_columns_are_read_by_several_threads(written):
    rng = np.random.default_rng(3)
    table = {f"c{n}": rng.normal(size=40_000) for n in range(12)}
    opened = written(table, row_group_size=10_000)
    alone = hp.ParquetFile(opened.fn, threads=1).to_pandas()
    together = hp.ParquetFile(opened.fn, threads=6).to_pandas()
    pd.testing.assert_frame_equal(alone, together)
