"""ParquetFile: opening, reading into pandas, slices, and what a file says of itself."""

import io
import pickle

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1000
GROUPS = 4


def sample() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "i": np.arange(ROWS),
            "f": rng.normal(size=ROWS),
            "s": [f"text {x % 37}" if x % 11 else None for x in range(ROWS)],
            "n": pd.array([x if x % 3 else None for x in range(ROWS)], "Int32"),
            "t": pd.date_range("2026-01-01", periods=ROWS, freq="h", unit="us"),
            "b": [x % 5 == 0 for x in range(ROWS)],
            "l": [list(range(x % 4)) for x in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    place = tmp_path_factory.mktemp("files") / "sample.parquet"
    table = pa.Table.from_pandas(sample(), preserve_index=False)
    pq.write_table(table, place, row_group_size=ROWS // GROUPS)
    return str(place)


@pytest.fixture
def opened(path) -> hp.ParquetFile:
    return hp.ParquetFile(path)


def plain(frame: pd.DataFrame) -> dict[str, list]:
    """Values as Python objects, nulls as None."""
    return {
        str(name): [
            None if not isinstance(x, (list, dict, np.ndarray)) and pd.isna(x) else x
            for x in frame[name].tolist()
        ]
        for name in frame.columns
    }


EXPECTED = plain(sample())


def expected(rows) -> dict[str, list]:
    return {name: [values[row] for row in rows] for name, values in EXPECTED.items()}


def test_all_values_come_back(opened):
    assert plain(opened.to_pandas()) == EXPECTED
    assert plain(hp.read(opened.fn)) == EXPECTED


def test_dtypes_are_told_before_reading(opened):
    told = opened.dtypes
    assert list(told) == list(EXPECTED)
    assert told == opened.to_pandas().dtypes.to_dict()
    assert told["i"] == np.int64
    assert told["n"] == "Int32"


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(path, threads):
    assert plain(hp.ParquetFile(path, threads=threads).to_pandas()) == EXPECTED


def test_everything_that_can_be_opened(path, tmp_path):
    with open(path, "rb") as file:  # noqa: PTH123
        raw = file.read()
        assert hp.ParquetFile(file).count() == ROWS
    places = [raw, bytearray(raw), memoryview(raw), io.BytesIO(raw), f"file://{path}"]
    for place in places:
        assert plain(hp.ParquetFile(place).to_pandas(columns=["i"])) == {"i": EXPECTED["i"]}
    calls = []

    def opener(name, mode="rb"):
        calls.append(name)
        return open(name, mode)  # noqa: PTH123

    assert hp.ParquetFile(path, open_with=opener).count() == ROWS
    assert path in calls
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe_file("/hocket-opened/a.parquet", raw)
    try:
        by_url = hp.ParquetFile("memory://hocket-opened/a.parquet")
        assert plain(by_url.to_pandas()) == EXPECTED
        assert len(by_url.to_pandas(filters=[("i", "==", 3)])) == 1
        assert hp.ParquetFile("/hocket-opened/a.parquet", fs=store).count() == ROWS
        assert hp.ParquetFile("memory://hocket-opened").count() == ROWS
    finally:
        store.rm("/hocket-opened", recursive=True)


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        hp.ParquetFile(str(tmp_path / "nothing.parquet"))
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n" * 20)
    with pytest.raises(hp.ParquetError, match=r"text\.parquet"):
        hp.ParquetFile(tmp_path / "text.parquet")
    with pytest.raises(hp.ParquetException):
        hp.ParquetFile(b"PAR1")
    with pytest.raises(hp.InvalidOption):
        hp.ParquetFile(5)


def test_columns_are_chosen_and_ordered(opened):
    frame = opened.to_pandas(columns=["s", "i"])
    assert plain(frame) == {"s": EXPECTED["s"], "i": EXPECTED["i"]}
    assert list(frame.columns) == ["s", "i"]
    assert opened.to_pandas(columns="i").shape == (ROWS, 1)
    assert opened.to_pandas(columns=[]).shape == (ROWS, 0)
    with pytest.raises(hp.ColumnMissing, match=r"'ii'.*'i'"):
        opened.to_pandas(columns=["ii"])
    with pytest.raises(hp.InvalidOption, match="twice"):
        opened.to_pandas(columns=["i", "i"])
    with pytest.raises(hp.InvalidOption, match="no name"):
        opened.to_pandas(columns=[3])


def test_nested_columns_in_parts(tmp_path):
    rows = [{"x": {"y": n, "z": [n, n]}, "w": n} for n in range(50)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=20)
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    assert opened.columns == ["x", "w"]
    frame = opened.to_pandas(columns=["x.y"], nested="python")
    assert frame["x"].tolist() == [{"y": n} for n in range(50)]
    wanted = [7, 30, 49]
    some = opened.to_pandas(filters=[("x.y", "in", wanted)], nested="python")
    assert some["x"].tolist() == [rows[n]["x"] for n in wanted]
    assert some["w"].tolist() == wanted


def test_slices_share_the_metadata(opened):
    assert len(opened) == GROUPS
    assert bool(opened)
    assert [part.count() for part in (opened[0], opened[-1], opened[1:3])] == [250, 250, 500]
    assert plain(opened[1:3].to_pandas()) == expected(range(250, 750))
    assert plain(opened[2].to_pandas()) == expected(range(500, 750))
    assert [group.num_rows for group in opened[1:].row_groups] == [250] * 3
    assert opened[1:].fmd.num_rows == 750
    assert sum(len(part.to_pandas()) for part in opened) == ROWS
    with pytest.raises(IndexError):
        opened[GROUPS]
    assert opened[:0].to_pandas().shape == (0, 7)


def test_row_groups_one_by_one(opened):
    frames = list(opened.iter_row_groups(columns=["i"]))
    assert [len(frame) for frame in frames] == [250] * GROUPS
    assert [frame["i"].iloc[0] for frame in frames] == [0, 250, 500, 750]
    some = list(opened.iter_row_groups(filters=[("i", ">=", 700)]))
    assert [len(frame) for frame in some] == [50, 250]
    mask = np.zeros(ROWS, bool)
    mask[[1, 999]] = True
    assert [len(frame) for frame in opened.iter_row_groups(row_filter=mask)] == [1, 1]


def test_head_reads_the_first_rows(opened):
    assert plain(opened.head(3)) == expected(range(3))
    assert plain(opened.head(300)) == expected(range(300))
    assert plain(opened.head(10**6)) == EXPECTED
    assert opened.head(0).shape == (0, 7)
    late = opened.head(4, filters=[("i", ">", 400)], columns=["i"])
    assert late["i"].tolist() == [401, 402, 403, 404]
    with pytest.raises(hp.InvalidOption, match="negative"):
        opened.head(-1)


def test_pickles_read_the_same(opened, path):
    again = pickle.loads(pickle.dumps(opened[1:]))
    assert plain(again.to_pandas()) == expected(range(250, ROWS))
    with open(path, "rb") as file:  # noqa: PTH123
        buffered = hp.ParquetFile(file.read())
    assert plain(pickle.loads(pickle.dumps(buffered)).to_pandas()) == EXPECTED


def test_a_file_describes_itself(opened, path):
    assert opened.columns == list(EXPECTED)
    assert opened.fn == opened.basepath == path
    assert opened.file_scheme == "simple"
    assert opened.info == {
        "name": path,
        "columns": opened.columns,
        "partitions": [],
        "rows": ROWS,
        "row_groups": GROUPS,
    }
    assert repr(opened) == (
        f"<ParquetFile {path!r}: 1,000 rows in 4 row groups, 7 columns: i, f, s, n, t, b, l>"
    )
    assert "parquet-cpp" in opened.created_by
    assert not opened.selfmade
    assert opened.has_pandas_metadata
    assert opened.pandas_metadata["columns"][0]["name"] == "i"
    assert set(opened.key_value_metadata) == {"pandas", "ARROW:schema"}
    assert "i: INT64" in opened.schema.text
    assert opened.cats == opened.categories == {}
    assert opened.statistics["min"]["i"] == [0, 250, 500, 750]
    assert opened.statistics["max"]["s"][0] == "text 9"
    nulls = [EXPECTED["s"][at : at + 250].count(None) for at in range(0, ROWS, 250)]
    assert opened.statistics["null_count"]["s"] == nulls
    column = opened.row_groups[2].columns[0].meta_data
    assert (column.path_in_schema, column.num_values) == (["i"], 250)
    assert opened.fmd.num_rows == ROWS
    assert opened.row_groups[:2] == list(opened.row_groups)[:2]
    assert opened.row_group_filename(opened.row_groups[1]) == path
    assert opened.fs.protocol


def test_single_row_groups_by_their_objects(opened):
    frame = opened.read_row_group_file(opened.row_groups[3], ["i"])
    assert frame["i"].tolist() == EXPECTED["i"][750:]
    assert len(opened.read_row_group_file(0, None)) == 250
    made, arrays = opened.pre_allocate(7, ["i", "s", "n"])
    assert made.shape == (7, 3)
    assert made.dtypes.to_dict() == opened.to_pandas(columns=["i", "s", "n"]).dtypes.to_dict()
    assert list(arrays) == ["i", "s", "n"]


def test_index_of_pandas(tmp_path):
    frame = pd.DataFrame({"k": ["a", "b", "c"], "v": [1, 2, 3]}).set_index("k")
    frame.to_parquet(tmp_path / "a.parquet")
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(opened.to_pandas(), frame)
    pd.testing.assert_frame_equal(opened.to_pandas(columns=["v"]), frame)
    assert list(opened.to_pandas(index=False).columns) == ["v", "k"]
    by_value = opened.to_pandas(index="v")
    assert by_value.index.tolist() == [1, 2, 3]
    assert by_value.index.name == "v"
    both = opened.to_pandas(index=["k", "v"])
    assert both.index.names == ["k", "v"]
    assert both.shape == (3, 0)
    some = opened.to_pandas(filters=[("v", ">", 1)])
    assert some.index.tolist() == ["b", "c"]
    with pytest.raises(hp.InvalidOption, match="index is 5"):
        opened.to_pandas(index=5)


def test_a_range_index_keeps_its_labels(tmp_path):
    frame = pd.DataFrame({"v": range(6)}, index=pd.RangeIndex(10, 22, 2, name="r"))
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=2)
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(opened.to_pandas(), frame)
    assert opened.to_pandas(filters=[("v", "in", [1, 5])]).index.tolist() == [12, 20]
    assert opened[1].to_pandas().index.tolist() == [14, 16]
    assert opened.to_pandas(index=False).index.tolist() == list(range(6))


def test_dtypes_and_categories_as_asked(opened, path):
    frame = opened.to_pandas(columns=["i", "s"], categories=["s"], dtypes={"i": "float32"})
    assert frame["i"].dtype == np.float32
    assert frame["s"].dtype == "category"
    assert plain(frame)["s"] == EXPECTED["s"]
    assert hp.ParquetFile(path, dtypes={"i": "int16"}).to_pandas().dtypes["i"] == np.int16
    floats = hp.ParquetFile(path, pandas_nulls=False).to_pandas(
        columns=["n"], use_pandas_metadata=False
    )
    assert floats["n"].dtype == np.float64
    with pytest.raises(hp.InvalidOption, match="decimals"):
        opened.to_pandas(decimals="rounded")


def test_memory_is_limited(path):
    with pytest.raises(hp.LimitExceeded, match="limit is 1,000"):
        hp.ParquetFile(path, memory_limit=1000).to_pandas()


def test_progress_ends_at_all_of_it(opened):
    told = []
    opened.to_pandas(progress=told.append)
    assert told[-1].fraction == 1.0
    assert [each.done_nbytes for each in told] == sorted(each.done_nbytes for each in told)


def test_to_numpy(opened):
    arrays = opened.to_numpy()
    assert arrays["i"].tolist() == EXPECTED["i"]
    assert arrays["n"].mask.tolist() == [x is None for x in EXPECTED["n"]]
    assert arrays["t"].dtype == "M8[us]"
    assert arrays["s"].tolist() == EXPECTED["s"]
    assert list(opened.to_numpy(["f"], filters=[("i", "<", 2)])["f"]) == EXPECTED["f"][:2]


def test_to_arrow(opened):
    table = opened.to_arrow()
    assert table.to_pyarrow().to_pydict()["s"] == EXPECTED["s"]
    assert pa.table(opened).num_rows == ROWS
    assert pa.table(opened.to_arrow(["l"])).column("l").to_pylist() == EXPECTED["l"]
    lazily = pa.RecordBatchReader.from_stream(opened.iter_arrow(filters=[("i", ">=", 700)]))
    assert [batch.num_rows for batch in lazily] == [50, 250]
    some = opened.to_arrow(filters=[[("i", "==", 5)], [("s", "==", "text 3")]])
    wanted = [n for n in range(ROWS) if n == 5 or EXPECTED["s"][n] == "text 3"]
    assert some.to_pyarrow().column("i").to_pylist() == wanted


def test_empty_files(tmp_path):
    empty = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})
    pq.write_table(empty, tmp_path / "a.parquet")
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    assert opened.to_pandas().shape == (0, 2)
    assert opened.count() == 0
    assert opened.head(3).shape == (0, 2)
    assert pa.table(opened.to_arrow()).num_rows == 0
    assert opened.to_pandas(filters=[("a", ">", 3)]).shape == (0, 2)
    pq.write_table(pa.table({}), tmp_path / "b.parquet")
    assert hp.ParquetFile(tmp_path / "b.parquet").to_pandas().shape == (0, 0)


def test_errors_say_where(path, tmp_path):
    with open(path, "rb") as file:  # noqa: PTH123
        raw = bytearray(file.read())
    place = hp.ParquetFile(path).row_groups[2].columns[0].meta_data
    raw[place.data_page_offset : place.data_page_offset + 30] = b"\xff" * 30
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(raw)
    with pytest.raises(hp.CorruptFile) as caught:
        hp.ParquetFile(damaged).to_pandas()
    assert caught.value.file == str(damaged)
    assert (caught.value.row_group, caught.value.column) == (2, "i")
    assert len(hp.ParquetFile(damaged)[:2].to_pandas()) == 500


def test_dtypes_count_nulls_that_metadata_does_not_know_of(tmp_path):
    whole = pa.Table.from_pandas(pd.DataFrame({"a": [1, 2], "b": [True, False]}))
    gaps = pa.table({"a": pa.array([1, None]), "b": pa.array([None, True])})
    pq.write_table(gaps.replace_schema_metadata(whole.schema.metadata), tmp_path / "a.parquet")
    opened = hp.ParquetFile(tmp_path / "a.parquet")
    assert opened.dtypes == {"a": "Int64", "b": "boolean"}
    assert opened.to_pandas().dtypes.to_dict() == opened.dtypes
