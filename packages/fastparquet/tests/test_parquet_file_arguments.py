"""What callers get wrong: the error names what they gave, and says what to give instead."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet import options
from hocket.parquet.options import available_memory_nbytes

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    place = tmp_path_factory.mktemp("arguments") / "a.parquet"
    table = pa.table(
        {
            "i": [1, 2, None],
            "s": ["a", None, "c"],
            "l": [[1], [], None],
            "st": [{"a": 1, "b": None}] * 3,
            "d": [dt.date(2026, 1, 1)] * 3,
            "dec": [decimal.Decimal("1.10")] * 3,
            "b": [True, False, None],
        }
    )
    pq.write_table(table, place, row_group_size=2)
    return str(place)


@pytest.fixture
def opened(path) -> hp.ParquetFile:
    return hp.ParquetFile(path)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"columns": ["ii"]}, hp.ColumnMissing, r"a\.parquet.*no column 'ii'; .*'i'"),
        ({"columns": ["st.c"]}, hp.ColumnMissing, r"'st\.c'; did you mean 'st\."),
        ({"columns": ["i", "i"]}, hp.InvalidOption, "'i' twice"),
        ({"columns": 3}, hp.InvalidOption, "columns is 3; .*list of names"),
        ({"columns": b"i"}, hp.InvalidOption, "columns is b'i'"),
        ({"columns": [None]}, hp.InvalidOption, "columns has None"),
        ({"index": "ii"}, hp.ColumnMissing, "index has 'ii': there is no column"),
        ({"index": "st.a"}, hp.InvalidOption, "'st.a', which is a part of the column 'st'"),
        ({"index": ["i", "i"]}, hp.InvalidOption, "index has 'i' twice"),
        ({"index": True}, hp.InvalidOption, "index is True; .*None, False, or names"),
        ({"categories": ["ss"]}, hp.ColumnMissing, "categories has 'ss'.*'s'"),
        ({"categories": "s"}, hp.InvalidOption, "categories is 's'; .*list"),
        ({"categories": 3}, hp.InvalidOption, "categories is 3; .*list"),
        ({"categories": [["s"]]}, hp.InvalidOption, r"categories has \['s'\]"),
        ({"categories": ["l"]}, hp.InvalidOption, "'l', a column of lists"),
        ({"dtypes": {"ss": "f4"}}, hp.ColumnMissing, "dtypes has 'ss'.*'s'"),
        ({"dtypes": ["i"]}, hp.InvalidOption, r"dtypes is \['i'\]; .*dict"),
        ({"dtypes": {"i": "number"}}, hp.InvalidOption, "'number', which is no dtype"),
        ({"dtypes": {"i": "int8"}}, hp.InvalidOption, "'i'.*nulls, which int8 cannot hold"),
        ({"dtypes": {"d": "f8"}}, hp.InvalidOption, "'d'.*cannot be converted to float64"),
        ({"row_filter": [True]}, hp.InvalidOption, r"shape \(1,\).*each of the 3 rows"),
        ({"row_filter": np.array([1, 0, 1])}, hp.InvalidOption, "array of int64.*booleans"),
        ({"row_filter": [("i", ">", 1)]}, hp.InvalidOption, "conditions are given as filters"),
        ({"colums": ["i"]}, hp.InvalidOption, "no option 'colums'; did you mean 'columns'"),
        ({"engine": "x"}, hp.InvalidOption, "no option 'engine'; there are columns, "),
        ({"progress": 3}, hp.InvalidOption, "progress is 3; .*function"),
    ],
)
def test_arguments_of_to_pandas(opened, arguments, error, words):
    with pytest.raises(error, match=words):
        opened.to_pandas(**arguments)


@pytest.mark.parametrize(
    ("condition", "error", "words"),
    [
        (("ii", "==", 1), hp.ColumnMissing, r"a\.parquet: \('ii', '==', 1\): .*'i'"),
        (("i", "=>", 1), hp.InvalidFilter, "'=>' in .*those are ==, .*>=, in"),
        (("i", "==", "x"), hp.InvalidFilter, "'x' does not compare with integers"),
        (("i", "in", [1, "x"]), hp.InvalidFilter, "'x' does not compare with integers"),
        (("i", "in", 3), hp.InvalidFilter, "is no list or set"),
        (("i", "==", None), hp.InvalidFilter, r"use \('i', 'is null'\)"),
        (("i", "==", pd.NA), hp.InvalidFilter, r"use \('i', 'is null'\)"),
        (("s", "==", 3), hp.InvalidFilter, "3 does not compare with text"),
        (("l", "==", 1), hp.InvalidFilter, "column 'l'.*lists and maps do not compare"),
        (("l.list.element", "==", 1), hp.InvalidFilter, "lists and maps do not compare"),
        (("st", "==", 1), hp.InvalidFilter, "members: 'st.a', 'st.b'"),
        (("d", "==", "monday"), hp.InvalidFilter, "'monday' does not compare with dates"),
        (("d", ">", 5), hp.InvalidFilter, "5 does not compare with dates"),
        (("dec", "==", "abc"), hp.InvalidFilter, "'abc' does not compare with decimals: it spells"),
        (("b", "==", "yes"), hp.InvalidFilter, "'yes' does not compare with booleans"),
        (("i", "~"), hp.InvalidFilter, "only booleans can be negated, and these are integers"),
        (("i",), hp.InvalidFilter, r"it has to be \(column, operator, value\)"),
    ],
)
def test_conditions(opened, condition, error, words):
    for read in (opened.to_pandas, opened.to_arrow, opened.to_numpy):
        with pytest.raises(error, match=words):
            read(filters=[condition])
    with pytest.raises(error, match=words):
        opened.count([condition])


@pytest.mark.parametrize("filters", ["i > 1", {"i": 1}, 3])
def test_filters_that_are_no_list(opened, filters):
    with pytest.raises(hp.InvalidFilter, match=r"list of tuples \(column, operator, value\)"):
        opened.to_pandas(filters=filters)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"threads": 0}, "threads is 0; .*from 1 to 1024"),
        ({"threads": "2"}, "threads is '2'; .*number"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"threads": True}, "threads is True"),
        ({"memory_limit": -1}, "memory_limit is -1; .*whole number of bytes"),
        ({"memory_limit": "1GB"}, "memory_limit is '1GB'"),
        ({"memory_limit": 1e9}, "memory_limit is 1000000000.0"),
        ({"dtypes": ["i"]}, r"dtypes is \['i'\]; .*dict"),
        ({"storage_options": 3}, "storage_options is 3; .*dict"),
        ({"decryption": b"key"}, "decryption is b'key'; .*DecryptionKeys"),
        ({"open_with": "rb"}, r"open_with is 'rb'; .*open_with\(path, mode\)"),
        ({"fs": 3}, "fs is 3; .*fsspec"),
        ({"root": "/elsewhere"}, "not below the root '/elsewhere'"),
    ],
)
def test_arguments_of_opening(path, arguments, words):
    with pytest.raises(hp.InvalidOption, match=words):
        hp.ParquetFile(path, **arguments)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "the path is empty"),
        (None, "NoneType is nothing that can be read from"),
        ([], "the list of files is empty"),
        ([None], "NoneType is nothing"),
        ({}, "dict is nothing"),
        (5, "int is nothing"),
        ("a\0b", "zero byte"),
    ],
)
def test_places_that_are_none(place, words):
    with pytest.raises(hp.InvalidOption, match=words):
        hp.ParquetFile(place)


def test_an_unknown_protocol():
    pytest.importorskip("fsspec")
    with pytest.raises(hp.InvalidOption, match=r"'hocket-nothing://x' cannot be opened.*give fs"):
        hp.ParquetFile("hocket-nothing://x")


def test_directories_and_patterns_without_files(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "nothing", "*.parquet"):
        with pytest.raises(FileNotFoundError, match=place.replace("*", r"\*")):
            hp.ParquetFile(tmp_path / place)
    (tmp_path / "empty" / "notes.txt").write_text("a,b\n")
    with pytest.raises(hp.CorruptFile, match=r"notes\.txt.*no Parquet file"):
        hp.ParquetFile(tmp_path / "empty")


def test_row_groups_that_are_not_there(opened, path):
    for act in (opened.__getitem__, opened.row_group_filename, opened.read_row_group_file):
        for number in (2, -3):
            with pytest.raises(IndexError, match=f"no row group {number}; there are 2"):
                act(number)
        for other in ("i", None, 1.0, [0, 1], True):
            with pytest.raises(hp.InvalidOption, match=r"is no row group; .*columns=\[\.\.\.\]"):
                act(other)
    with pytest.raises(hp.InvalidOption, match="none of this file's"):
        opened[:1].row_group_filename(opened.row_groups[1])
    assert opened.row_group_filename(hp.ParquetFile(path).row_groups[1]) == path


def test_other_methods(opened):
    for wrong in ("x", 1.5, None):
        with pytest.raises(hp.InvalidOption, match=f"nrows is {wrong!r}; .*whole number"):
            opened.head(wrong)
    with pytest.raises(hp.InvalidOption, match="size is -1; it cannot be negative"):
        opened.pre_allocate(-1)
    with pytest.raises(hp.InvalidOption, match="head takes no array"):
        opened.head(1, row_filter=np.ones(3, bool))
    with pytest.raises(hp.InvalidOption, match="each of the 3 rows"):
        list(opened.iter_row_groups(row_filter=np.ones(9, bool)))
    with pytest.raises(hp.InvalidOption, match="to_arrow has no option 'wide'"):
        opened.to_arrow(wide=True)
    with pytest.raises(hp.InvalidOption, match="did you mean 'columns'"):
        hp.read(opened.fn, colums=["i"])


def test_closed_files_and_closed_datasets(path, tmp_path):
    opened = hp.ParquetFile(path)
    part = opened[:1]
    opened.close()
    for each in (opened, part):
        with pytest.raises(hp.InvalidOption, match=r"a\.parquet: the file was closed; open it"):
            each.to_pandas()
    assert opened.count() == 3
    # Files that _metadata describes and nobody has opened yet are not opened to be closed.
    pq.write_table(pa.table({"x": [1]}), tmp_path / "part.parquet")
    metadata = pq.read_metadata(tmp_path / "part.parquet")
    metadata.set_file_path("part.parquet")
    metadata.write_metadata_file(tmp_path / "_metadata")
    (tmp_path / "part.parquet").unlink()
    dataset = hp.ParquetFile(tmp_path)
    dataset.close()
    with pytest.raises(hp.InvalidOption, match=r"part\.parquet: the file was closed"):
        dataset.to_pandas()


def test_a_long_list_of_columns_is_shown_in_part(tmp_path):
    pq.write_table(pa.table({f"c{n}": [1] for n in range(40)}), tmp_path / "a.parquet")
    shown = repr(hp.ParquetFile(tmp_path / "a.parquet"))
    assert "1 rows in 1 row groups, 40 columns: c0, c1, " in shown
    assert shown.endswith("c11 and 28 more>")


def test_memory_of_a_container_counts(tmp_path, monkeypatch):
    options._memory_nbytes.cache_clear()
    whole = available_memory_nbytes(None)
    for text, expected in (("1048576\n", 1 << 20), ("max\n", whole), ("", whole)):
        (tmp_path / "memory.max").write_text(text)
        monkeypatch.setattr(
            options, "_CONTAINER_LIMITS", (str(tmp_path / "memory.max"), "/no/such")
        )
        options._memory_nbytes.cache_clear()
        assert available_memory_nbytes(None) == expected
    assert available_memory_nbytes(5) == 5
    options._memory_nbytes.cache_clear()
