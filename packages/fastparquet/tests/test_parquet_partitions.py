"""Partitions in the names of directories, and how the files of a dataset are found."""

import datetime as dt

import fsspec
import numpy as np
import pytest

from hocket.parquet.dataset.discovery import discover
from hocket.parquet.dataset.keys import Family
from hocket.parquet.dataset.partitions import parse_partitions, split_directories
from hocket.parquet.errors import InvalidOption, SchemaMismatch


def partitions(*paths: str, **hints: str):
    scheme, pairs = split_directories(paths)
    return scheme, parse_partitions(pairs, hints)


def test_hive_directories_name_columns():
    scheme, (year, zone) = partitions(
        "year=2025/zone=a%2Fb%3Dc/0.parquet", "year=2026/zone=__HIVE_DEFAULT_PARTITION__/0.parquet"
    )
    assert scheme == "hive"
    assert (year.name, year.values.tolist(), year.codes) == ("year", [2025, 2026], (0, 1))
    assert year.domain.family is Family.INTEGER
    assert (zone.values.tolist(), zone.codes, zone.value(1)) == (["a/b=c"], (0, -1), None)
    assert year.value(1) == 2026


def test_drill_directories_are_numbered():
    scheme, (first, second) = partitions("b/1/x.parquet", "a/2/x.parquet")
    assert scheme == "drill"
    assert (first.name, first.values.tolist(), first.codes) == ("dir0", ["a", "b"], (1, 0))
    assert (second.name, second.values.tolist(), second.codes) == ("dir1", [1, 2], (0, 1))


@pytest.mark.parametrize(
    ("paths", "scheme"),
    [
        (("a.parquet", "b.parquet"), "flat"),
        (("x/a.parquet", "x/y/b.parquet"), "other"),
        (("x=1/a.parquet", "y/b.parquet"), "other"),
    ],
)
def test_other_directories_tell_nothing(paths, scheme):
    assert partitions(*paths) == (scheme, [])


def test_a_partition_cannot_be_there_twice():
    with pytest.raises(SchemaMismatch, match="partition 'x' twice"):
        partitions("x=1/x=2/a.parquet")


def test_directories_have_to_agree():
    with pytest.raises(SchemaMismatch, match=r"\['y'\].*\['x'\]"):
        partitions("x=1/a.parquet", "y=1/b.parquet")


@pytest.mark.parametrize(
    ("texts", "values", "dtype"),
    [
        (["1", "-2", "03"], [1, -2, 3], "i8"),
        (["1", "2.5", "1e3"], [1, 2.5, 1000], "f8"),
        ([".5", "nan"], [0.5, np.nan], "f8"),
        (["True", "false"], [True, False], "?"),
        (["2020-01-01", "2020-01-02 03:04:05.5"], None, "M8[us]"),
        (["2020-01-01T00:00:00.000000001"], None, "M8[ns]"),
        (["1 days", "2 days 01:00:00"], None, "m8[us]"),
        (["1", "x"], ["1", "x"], "O"),
        (["nan", "inf"], ["nan", "inf"], "O"),
        (["12:00", "now"], ["12:00", "now"], "O"),
        (["0x10", "1_000", "1,000"], ["0x10", "1_000", "1,000"], "O"),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"], "O"),
        (["1.5", "99999999999999999999"], [1.5, 1e20], "f8"),
        (["١٢"], ["١٢"], "O"),
    ],
)
def test_types_come_from_all_values_together(texts, values, dtype):
    _, (found,) = partitions(*(f"k={text}/a.parquet" for text in texts))
    assert found.values.dtype == np.dtype(dtype)
    if values is not None:
        got = [found.value(index) for index in range(len(texts))]
        np.testing.assert_array_equal(np.array(got, dtype), np.array(values, dtype))


def test_metadata_decides_about_types():
    _, (code,) = partitions("k=01/a.parquet", k="object")
    assert code.values.tolist() == ["01"]
    _, (count,) = partitions("k=1/a.parquet", k="float64")
    assert count.values.dtype == np.float64
    _, (day,) = partitions("k=2020-01-01/a.parquet", k="datetime64[ns]")
    assert day.domain.key(dt.date(2020, 1, 1)) == (1577836800 * 10**6, True)
    # Metadata that is not true of the values is not followed.
    _, (text,) = partitions("k=x/a.parquet", k="int64")
    assert text.values.tolist() == ["x"]


def test_different_spellings_of_one_value_are_one():
    _, (number,) = partitions("k=0.7/a.parquet", "k=.7/a.parquet")
    assert number.values.tolist() == [0.7]
    assert number.codes == (0, 0)


def test_what_is_not_a_number_is_null():
    _, (found,) = partitions("k=nan/a.parquet", "k=1.5/a.parquet", "k=0/a.parquet")
    assert (found.values.tolist(), found.codes) == ([0.0, 1.5], (-1, 1, 0))
    _, (text,) = partitions("k=nan/a.parquet", "k=Anna/a.parquet")
    assert text.codes == (1, 0)


def test_directories_without_names_between_partitions_tell_nothing():
    scheme, (found,) = partitions("raw/k=1/x/a.parquet", "raw/k=2/b.parquet")
    assert (scheme, found.name, found.values.tolist()) == ("hive", "k", [1, 2])


def touch(root, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_directory_gives_its_files_in_natural_order(tmp_path):
    touch(tmp_path, "part.10.parquet", "part.9.parquet", "_SUCCESS", ".part.9.parquet.crc")
    touch(tmp_path, "_temporary/0.parquet", ".hidden/0.parquet", "notes.txt", "_k=1/x.parquet")
    touch(tmp_path / "drill", "__HIVE_DEFAULT_PARTITION__/x.parquet", "a/x.parquet")
    assert len(discover(tmp_path / "drill").places) == 2
    (tmp_path / "drill").rename(tmp_path / "_drill")
    found = discover(tmp_path)
    assert found.names == ["_k=1/x.parquet", "part.9.parquet", "part.10.parquet"]
    assert found.places[1] == f"{tmp_path}/part.9.parquet"
    assert not found.is_single


def test_files_without_a_suffix_are_taken_where_none_has_one(tmp_path):
    touch(tmp_path, "000000_0", "000001_0", "_SUCCESS")
    assert discover(str(tmp_path)).names == ["000000_0", "000001_0"]


def test_a_summary_describes_the_others(tmp_path):
    touch(tmp_path, "a.parquet", "_metadata", "_common_metadata")
    for place in (tmp_path, tmp_path / "_metadata"):
        found = discover(place)
        assert (found.metadata, found.root) == (f"{tmp_path}/_metadata", str(tmp_path))
        assert found.places == []


def test_patterns(tmp_path):
    touch(tmp_path, "k=1/a.parquet", "k=2/a.parquet", "k=2/_b.parquet")
    found = discover(f"{tmp_path}/k=*/*.parquet")
    assert found.names == ["k=1/a.parquet", "k=2/a.parquet"]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        discover(f"{tmp_path}/z*")
    touch(tmp_path, "odd[1].parquet")
    assert discover(f"{tmp_path}/odd[1].parquet").is_single


def test_lists_find_their_root(tmp_path):
    paths = [f"{tmp_path}/k=1/j={j}/a.parquet" for j in (1, 2)]
    assert discover(paths).names == ["k=1/j=1/a.parquet", "k=1/j=2/a.parquet"]
    assert discover(paths, root=f"{tmp_path}/k=1").names == ["j=1/a.parquet", "j=2/a.parquet"]
    with pytest.raises(InvalidOption, match="not below the root"):
        discover(paths, root="/elsewhere")
    with pytest.raises(InvalidOption, match="empty"):
        discover([])


def test_an_empty_directory_is_no_dataset(tmp_path):
    with pytest.raises(FileNotFoundError, match="no Parquet files"):
        discover(tmp_path)


def test_remote_directories(tmp_path):
    store = fsspec.filesystem("memory")
    for name in ("k=1/a.parquet", "k=2/a.parquet", "_SUCCESS"):
        store.pipe_file(f"/hocket-discovery/{name}", b"")
    try:
        by_url = discover("memory://hocket-discovery")
        by_store = discover("/hocket-discovery", filesystem=store)
        by_pattern = discover("memory://hocket-discovery/*/*.parquet")
    finally:
        store.rm("/hocket-discovery", recursive=True)
    assert by_url.names == by_store.names == by_pattern.names == ["k=1/a.parquet", "k=2/a.parquet"]
    assert by_url.filesystem is not None


def test_things_without_a_path():
    found = discover(b"PAR1")
    assert found.places == [b"PAR1"]
    assert found.is_single
