"""The API that users of fastparquet know: what its documentation says of reading, member by member.

Where fastparquet does something else than it says, or loses rows, it is the documentation that
counts, or sense; `test_parquet_fastparquet_complaints` has those by their numbers.
"""

import glob
import io
import pickle

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet import api

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 10


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": np.arange(ROWS),
            "s": list("abcdefghij"),
            "c": pd.Categorical(list("aabbccddee")),
            "f": np.linspace(0, 1, ROWS),
            "t": pd.date_range("2026-01-01", periods=ROWS, unit="us"),
            "n": pd.array([1, None] * 5, "Int64"),
            "b": pd.array([True, False, None, False, True] * 2, "boolean"),
        }
    )


@pytest.fixture
def path(tmp_path) -> str:
    place = tmp_path / "simple.parquet"
    frame().to_parquet(place, row_group_size=4)
    return str(place)


@pytest.fixture
def opened(path) -> hp.ParquetFile:
    return hp.ParquetFile(path)


@pytest.fixture
def hive(tmp_path) -> str:
    """Two partitions of one file each, of two and one row groups."""
    root = tmp_path / "hive"
    for value, rows in ((1, slice(0, 6)), (2, slice(6, ROWS))):
        (root / f"p={value}").mkdir(parents=True)
        frame()[rows].reset_index(drop=True).to_parquet(
            root / f"p={value}" / "part.0.parquet", row_group_size=4
        )
    return str(root)


# --------------------------------------------------------------------------------- construction


def test_every_form_of_the_constructor(path, hive):
    count = {"simple": ROWS, "hive": ROWS}
    assert hp.ParquetFile(path).count() == count["simple"]
    assert hp.ParquetFile([path]).count() == count["simple"]
    assert hp.ParquetFile([path, path]).count() == 2 * count["simple"]
    with open(path, "rb") as file:  # noqa: PTH123
        assert hp.ParquetFile(file).count() == count["simple"]
        file.seek(0)
        assert hp.ParquetFile(io.BytesIO(file.read())).count() == count["simple"]
    files = sorted(glob.glob(f"{hive}/*/*.parquet"))  # noqa: PTH207
    for place in (hive, files, tuple(files), f"{hive}/*/*.parquet", f"{hive}/p=*/*"):
        made = hp.ParquetFile(place)
        assert made.count() == count["hive"]
        assert made.cats == {"p": [1, 2]}
    opened = [hp.ParquetFile(each) for each in files]
    assert hp.ParquetFile(opened).cats == {"p": [1, 2]}
    assert hp.ParquetFile([files[0], opened[1]]).count() == count["hive"]
    assert hp.ParquetFile(iter(files)).count() == count["hive"]
    # Positional, as pandas and dask called it.
    as_of_old = hp.ParquetFile(path, True, open, False, None, None, False, {"i": "f8"})
    assert as_of_old.dtypes["i"] == "f8"


def test_a_root_tells_which_directories_are_partitions(hive):
    only = glob.glob(f"{hive}/p=1/*.parquet")  # noqa: PTH207
    assert hp.ParquetFile(only[0]).cats == {}
    assert hp.ParquetFile(only, root=hive).cats == {"p": [1]}
    assert hp.ParquetFile(only[0], root=hive).cats == {"p": [1]}
    assert hp.ParquetFile(f"{hive}/p=1", root=hive).cats == {"p": [1]}
    with pytest.raises(hp.InvalidOption, match="not below the root"):
        hp.ParquetFile(only, root="/elsewhere")


def test_pandas_nulls(path, tmp_path):
    pq.write_table(pa.table({"n": [1, None], "b": [True, None]}), tmp_path / "n.parquet")
    kept = hp.ParquetFile(tmp_path / "n.parquet", pandas_nulls=True)
    assert {name: str(dtype) for name, dtype in kept.dtypes.items()} == {
        "n": "Int64",
        "b": "boolean",
    }
    floats = hp.ParquetFile(tmp_path / "n.parquet", pandas_nulls=False)
    assert set(map(str, floats.dtypes.values())) == {"float64"}
    # What pandas itself wrote as nullable stays so.
    assert hp.ParquetFile(path, pandas_nulls=False).dtypes["n"] == "Int64"


# --------------------------------------------------------------------------------- to_pandas


def test_columns(opened):
    assert list(opened.to_pandas().columns) == opened.columns
    for columns in (["f", "i"], ("f", "i"), pd.Index(["f", "i"])):
        assert list(opened.to_pandas(columns=columns).columns) == ["f", "i"]
    assert opened.to_pandas(columns=[]).shape == (ROWS, 0)


def test_categories_as_list_and_dict(opened):
    assert opened.categories == {"c": 5}
    read = opened.to_pandas
    assert read()["c"].dtype == "category"
    assert read(categories=["c"])["c"].dtype == "category"
    # The number only helped fastparquet to allocate; too small a one does no harm.
    for number in (5, 1, 40_000):
        by_dict = read(categories={"c": number})["c"]
        assert by_dict.tolist() == list("aabbccddee")
        assert by_dict.cat.categories.tolist() == list("abcde")
    assert read(categories=[])["c"].dtype == "str"
    assert read(categories={})["c"].tolist() == list("aabbccddee")
    # It need not have been stored as one.
    assert read(columns=["s"], categories=["s"])["s"].tolist() == list("abcdefghij")
    assert read(columns=["i"], categories=["s"]).dtypes.to_dict() == {"i": np.int64}


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([("i", ">", 5)], [6, 7, 8, 9]),
        ([["i", ">", 5]], [6, 7, 8, 9]),
        ([[("i", ">", 5)]], [6, 7, 8, 9]),
        ([[("i", "=", 5)], [("i", "==", 7)]], [5, 7]),
        ([("i", ">=", 2), ("i", "<=", 3)], [2, 3]),
        ([("i", "<", 1)], [0]),
        ([("i", "!=", 4), ("i", "<", 6)], [0, 1, 2, 3, 5]),
        ([("i", "in", [3, 9, 30])], [3, 9]),
        ([("i", "in", {3})], [3]),
        ([("i", "in", np.array([3]))], [3]),
        ([("i", "in", [])], []),
        ([("i", "not in", [3, 9])], [0, 1, 2, 4, 5, 6, 7, 8]),
        ([("i", "not in", [])], list(range(ROWS))),
        ([("s", ">", "g")], [7, 8, 9]),
        ([("c", "==", "b")], [2, 3]),
        ([("t", "<", "2026-01-03")], [0, 1]),
        ([("t", "<", pd.Timestamp("2026-01-02"))], [0]),
        ([("t", "==", np.datetime64("2026-01-02"))], [1]),
        ([("n", "==", 1), ("i", ">", 5)], [6, 8]),
        ([("n", "!=", 1)], []),
        ([("n", "is null"), ("i", "<", 4)], [1, 3]),
        ([("b", "~"), ("i", "<", 5)], [1, 3]),
        ([("b", "~", None)], [1, 3, 6, 8]),
        ([("b", "~", True), ("i", ">", 4)], [6, 8]),
        ([("b", "==", False)], [1, 3, 6, 8]),
        ([], list(range(ROWS))),
    ],
)
def test_filters_give_exactly_their_rows(opened, filters, rows):
    assert opened.to_pandas(columns=["i"], filters=filters)["i"].tolist() == rows
    assert opened.to_pandas(columns=["i"], filters=filters, row_filter=True)["i"].tolist() == rows
    assert opened.count(filters) == opened.count(filters, row_filter=True) == len(rows)
    assert opened.to_pandas(filters=filters, columns=["f"]).shape == (len(rows), 1)


def test_row_filter_false_gives_whole_row_groups(opened):
    some = opened.to_pandas(columns=["i"], filters=[("i", ">", 5)], row_filter=False)
    assert some["i"].tolist() == list(range(4, ROWS))
    assert opened.count([("i", ">", 5)], row_filter=False) == 6
    assert opened.head(2, filters=[("i", ">", 5)], row_filter=False)["i"].tolist() == [4, 5]


@pytest.mark.parametrize("form", [np.array, list, tuple, pd.Series, pd.array])
def test_row_filter_as_an_array(opened, form):
    mask = form([n in (0, 5, 9) for n in range(ROWS)])
    assert opened.to_pandas(columns=["i"], row_filter=mask)["i"].tolist() == [0, 5, 9]
    assert opened.count(row_filter=mask) == 3
    pieces = opened.iter_row_groups(columns=["i"], row_filter=mask)
    assert [piece["i"].tolist() for piece in pieces] == [[0], [5], [9]]
    with pytest.raises(hp.InvalidOption, match="both given"):
        opened.to_pandas(filters=[("i", ">", 1)], row_filter=mask)


def test_index(opened, tmp_path):
    assert isinstance(opened.to_pandas().index, pd.RangeIndex)
    by_name = opened.to_pandas(columns=["i"], index="s")
    assert (by_name.index.name, by_name.index[1], list(by_name.columns)) == ("s", "b", ["i"])
    both = opened.to_pandas(columns=["i"], index=["s", "c"])
    assert both.index.names == ["s", "c"]
    assert both.index[9] == ("j", "e")
    assert isinstance(opened.to_pandas(index="c").index, pd.CategoricalIndex)
    assert isinstance(opened.to_pandas(index=[]).index, pd.RangeIndex)
    frame().set_index("s").to_parquet(tmp_path / "index.parquet")
    stored = hp.ParquetFile(tmp_path / "index.parquet")
    assert stored.to_pandas().index.name == "s"
    assert stored.to_pandas(columns=["i"]).index.tolist() == list("abcdefghij")
    assert "s" in stored.to_pandas(index=False).columns
    assert stored.to_pandas(index=False, columns=["i"]).shape == (ROWS, 1)


def test_dtypes_that_are_asked_for(opened, path, hive):
    read = opened.to_pandas(dtypes={"i": "float32", "s": "category", "c": "str"})
    assert {name: str(read[name].dtype) for name in "isc"} == {
        "i": "float32",
        "s": "category",
        "c": "str",
    }
    assert hp.ParquetFile(path, dtypes={"i": "int8"}).to_pandas()["i"].dtype == np.int8
    plain = hp.ParquetFile(hive).to_pandas(dtypes={"p": "int64"})
    assert plain["p"].dtype == np.int64
    assert plain["p"].tolist() == [1] * 6 + [2] * 4


# ---------------------------------------------------------------------------- row groups, slices


def test_row_groups_one_by_one(opened, hive):
    assert [len(each) for each in opened.iter_row_groups()] == [4, 4, 2]
    assert [len(each) for each in opened.iter_row_groups(filters=[("i", ">", 5)])] == [2, 2]
    partly = opened.iter_row_groups([("i", ">", 5)], row_filter=False, columns=["i"])
    assert [each["i"].tolist() for each in partly] == [[4, 5, 6, 7], [8, 9]]
    indexed = opened.iter_row_groups(index="s", columns=["i"])
    assert [each.index.tolist() for each in indexed] == [list("abcd"), list("efgh"), list("ij")]
    of_hive = hp.ParquetFile(hive).iter_row_groups(columns=["p"], filters=[("p", "==", 2)])
    assert [each["p"].tolist() for each in of_hive] == [[2] * 4]


def test_head_and_count(opened):
    assert opened.head(2).equals(opened.to_pandas().head(2))
    assert opened.head(5, columns=["i"])["i"].tolist() == [0, 1, 2, 3, 4]
    assert opened.head(99).shape == (ROWS, 7)
    assert opened.head(0).dtypes.drop("c").equals(opened.to_pandas().dtypes.drop("c"))
    # fastparquet stops at the first row group; the rows that were asked for are better.
    assert opened.head(3, filters=[("i", "in", [1, 5, 8, 9])], columns=["i"])["i"].tolist() == [
        1,
        5,
        8,
    ]
    assert type(opened.count()) is type(opened.count([("i", ">", 3)])) is int


def test_slices(opened, hive):
    assert [opened[at].count() for at in (0, 1, 2, -1)] == [4, 4, 2, 2]
    assert opened[1:].count() == 6
    assert opened[::2].to_pandas(columns=["i"])["i"].tolist() == [0, 1, 2, 3, 8, 9]
    assert opened[::-1].to_pandas(columns=["i"])["i"].tolist() == [8, 9, 4, 5, 6, 7, 0, 1, 2, 3]
    assert opened[np.int64(1)].count() == 4
    assert opened[1:][1:].to_pandas(columns=["i"])["i"].tolist() == [8, 9]
    assert [part.count() for part in opened] == [4, 4, 2]
    assert len(opened) == 3
    assert opened
    assert opened[:0]
    assert (len(opened[:0]), opened[:0].count(), opened[:0].file_scheme) == (0, 0, "empty")
    assert opened[:0].to_pandas().dtypes.drop("c").equals(opened.to_pandas().dtypes.drop("c"))
    of_hive = hp.ParquetFile(hive)
    assert of_hive[-1].cats == {"p": [2]}
    assert (of_hive[0].file_scheme, of_hive[0].fn) == ("hive", of_hive.fn)
    again = hp.ParquetFile([of_hive[1:], of_hive[:1]])
    assert again.to_pandas(columns=["i"])["i"].tolist() == [4, 5, 6, 7, 8, 9, 0, 1, 2, 3]


def test_pickles(opened, hive):
    for each in (opened, opened[1:], hp.ParquetFile(hive), hp.ParquetFile(hive)[-1]):
        again = pickle.loads(pickle.dumps(each))
        pd.testing.assert_frame_equal(again.to_pandas(), each.to_pandas())
        assert (again.info, again.cats) == (each.info, each.cats)


# ---------------------------------------------------------------------------------- attributes


def test_what_a_file_says_of_itself(opened, path):
    assert opened.columns == ["i", "s", "c", "f", "t", "n", "b"]
    assert list(opened.dtypes) == opened.columns
    assert opened.dtypes["c"] == "category"
    assert opened.dtypes == opened.to_pandas().dtypes.to_dict()
    assert (opened.cats, opened.file_scheme) == ({}, "simple")
    assert (opened.fn, opened.basepath) == (path, path)
    assert opened.info == {
        "name": path,
        "columns": opened.columns,
        "partitions": [],
        "rows": ROWS,
        "row_groups": 3,
    }
    assert "10 rows in 3 row groups, 7 columns: i, s, c, f, t, n, b" in repr(opened)
    assert not opened.selfmade
    assert opened.created_by.startswith("parquet-cpp")
    assert opened.has_pandas_metadata
    assert opened.pandas_metadata["columns"][2]["pandas_type"] == "categorical"
    assert set(opened.key_value_metadata) >= {"pandas"}
    assert opened.partition_meta == {}
    assert opened.schema.text.splitlines()[1].startswith("| - i: INT64")
    assert opened.schema == hp.ParquetFile(path).schema
    assert "file" in opened.fs.protocol


def test_what_a_dataset_says_of_itself(hive):
    opened = hp.ParquetFile(hive)
    assert (opened.cats, opened.file_scheme) == ({"p": [1, 2]}, "hive")
    assert (opened.fn, opened.basepath) == (f"{hive}/_metadata", hive)
    assert "p" not in opened.columns
    assert list(opened.dtypes)[-1] == "p"
    assert opened.dtypes["p"] == "category"
    assert opened.info["partitions"] == ["p"]
    assert repr(opened).endswith("8 columns: i, s, c, f, t, n, b, p>")
    groups = opened.row_groups
    assert [group.columns[0].file_path for group in groups] == [
        "p=1/part.0.parquet",
        "p=1/part.0.parquet",
        "p=2/part.0.parquet",
    ]
    assert opened.row_group_filename(groups[2]) == f"{hive}/p=2/part.0.parquet"
    second = opened.read_row_group_file(groups[1], ["i", "p"], None)
    assert second.to_dict("list") == {"i": [4, 5], "p": [1, 1]}


def test_metadata_objects(opened):
    groups = opened.row_groups
    assert (len(groups), groups[0].num_rows, groups[-1].num_rows) == (3, 4, 2)
    assert groups[0] in groups
    assert groups == list(groups)
    column = groups[1].columns[0]
    assert column.meta_data.path_in_schema == ["i"]
    assert column.meta_data.statistics.null_count == 0
    assert (opened.fmd.num_rows, len(opened.fmd.row_groups), opened.fmd.version) == (ROWS, 3, 2)
    assert opened[:1].fmd.num_rows == 4
    assert opened.fmd.schema[1].name == "i"


def test_statistics(opened):
    known = opened.statistics
    assert set(known) == {"min", "max", "null_count", "distinct_count"}
    assert known["min"]["i"] == [0, 4, 8]
    assert known["max"]["s"] == ["d", "h", "j"]
    assert known["min"]["t"][1] == np.datetime64("2026-01-05")
    assert known["null_count"]["n"] == [2, 2, 1]
    assert known["distinct_count"]["i"] == [None] * 3
    assert opened[1:].statistics["max"]["f"] == [frame()["f"][7], 1.0]
    assert api.statistics(opened) == known


def test_functions_that_dask_used(opened, hive):
    found = api.sorted_partitioned_columns(opened)
    assert found["i"] == {"min": [0, 4, 8], "max": [3, 7, 9]}
    # All row groups have n from 1 to 1, and b from False to True.
    assert set(found) == {"i", "s", "c", "f", "t"}
    some = api.sorted_partitioned_columns(opened, [("i", ">", 5)])
    assert some["i"] == {"min": [4, 8], "max": [7, 9]}
    assert api.sorted_partitioned_columns(opened[:0]) == {}
    assert "i" not in api.sorted_partitioned_columns(opened[::-1])
    assert "i" in api.sorted_partitioned_columns(opened[:1])
    assert api.filter_row_groups(opened, [("i", ">", 5)], as_idx=True) == [1, 2]
    assert api.filter_row_groups(opened[1:], [("i", ">", 5)], as_idx=True) == [0, 1]
    assert api.filter_row_groups(opened, [("i", ">", 8)]) == [opened.row_groups[2]]
    assert api.filter_row_groups(opened, [], as_idx=True) == [0, 1, 2]
    assert api.filter_row_groups(hp.ParquetFile(hive), [("p", "==", 2)], as_idx=True) == [2]
    # fastparquet ruled out row groups that hold wanted rows.
    assert api.filter_row_groups(opened, [("i", "not in", [1])], as_idx=True) == [0, 1, 2]
    with pytest.raises(hp.InvalidOption, match="no ParquetFile"):
        api.statistics("a path")


def test_pre_allocate(opened):
    made, arrays = opened.pre_allocate(3, ["i", "s", "c", "n"], None, None)
    assert made.shape == (3, 4)
    assert list(arrays) == ["i", "s", "c", "n"]
    arrays["i"][:] = [7, 8, 9]
    assert made["i"].tolist() == [7, 8, 9]
    by_index, _ = opened.pre_allocate(3, ["i"], None, "s")
    assert (by_index.index.name, len(by_index)) == ("s", 3)


def test_the_exception_of_fastparquet(tmp_path):
    assert hp.ParquetException is hp.ParquetError is api.ParquetException
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 footer PAR1")
    with pytest.raises(hp.ParquetException, match=r"bad\.parquet"):
        hp.ParquetFile(tmp_path / "bad.parquet")


def test_as_pandas_calls_it(path):
    """As `pandas.read_parquet` calls the engine that it knows as fastparquet."""
    made = hp.ParquetFile(path, pandas_nulls=False).to_pandas(columns=None, filters=None)
    assert made.shape == (ROWS, 7)
    store = pytest.importorskip("fsspec").filesystem("file")
    opened = hp.ParquetFile(path, pandas_nulls=False, fs=store)
    assert opened.to_pandas(columns=["i"], filters=[("i", "==", 1)])["i"].tolist() == [1]
