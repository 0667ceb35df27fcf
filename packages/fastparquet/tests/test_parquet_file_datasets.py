"""Datasets of several files: directories, lists, partitions, summaries, and files that disagree."""

import pickle

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(place, values, **columns) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"v": values, **columns}), place)


@pytest.fixture
def hive(tmp_path):
    for year in (2025, 2026):
        for zone in ("a b", "c"):
            first = (year - 2025) * 20 + 10 * (zone == "c")
            place = tmp_path / f"year={year}" / f"zone={zone.replace(' ', '%20')}" / "0.parquet"
            write(place, list(range(first, first + 10)))
    return tmp_path


def test_partitions_are_categorical_columns(hive):
    opened = hp.ParquetFile(hive)
    assert opened.file_scheme == "hive"
    assert opened.columns == ["v"]
    assert opened.cats == {"year": [2025, 2026], "zone": ["a b", "c"]}
    assert opened.info["partitions"] == ["year", "zone"]
    assert (opened.basepath, opened.fn) == (str(hive), f"{hive}/_metadata")
    frame = opened.to_pandas()
    assert list(frame.columns) == ["v", "year", "zone"]
    assert frame["year"].dtype == "category"
    assert frame["zone"].dtype == "category"
    assert frame["v"].tolist() == list(range(40))
    assert frame["year"].tolist() == [2025] * 20 + [2026] * 20
    assert frame["zone"].tolist() == (["a b"] * 10 + ["c"] * 10) * 2
    assert opened.dtypes == frame.dtypes.to_dict()
    assert list(opened.to_pandas(columns=["zone", "v"]).columns) == ["zone", "v"]
    assert list(opened.to_pandas(columns=["v"]).columns) == ["v"]
    assert list(opened.to_pandas(columns=["year"]).columns) == ["year"]
    assert opened[2:].cats["year"] == [2026]


def test_partitions_in_other_results(hive):
    opened = hp.ParquetFile(hive)
    table = opened.to_arrow().to_pyarrow()
    assert table.column("year").to_pylist() == [2025] * 20 + [2026] * 20
    assert table.column("zone").to_pylist() == (["a b"] * 10 + ["c"] * 10) * 2
    assert opened.to_numpy()["year"].tolist() == [2025] * 20 + [2026] * 20
    by_zone = opened.to_pandas(index="zone")
    assert by_zone.index.name == "zone"
    assert by_zone.index[0] == "a b"


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([("year", "==", 2026)], range(20, 40)),
        ([("year", "==", "2026")], range(20, 40)),
        ([("year", ">", 2025), ("zone", "in", ["c"])], range(30, 40)),
        ([("zone", "!=", "c"), ("v", "<", 5)], range(5)),
        ([[("zone", "==", "c"), ("v", "<", 11)], [("year", "!=", 0), ("v", ">", 38)]], [10, 39]),
        ([("year", "is null")], []),
        ([("year", "not in", [2025])], range(20, 40)),
        ([("year", ">=", 2025.5)], range(20, 40)),
    ],
)  # fmt: skip
def test_filters_on_partitions(hive, filters, rows):
    opened = hp.ParquetFile(hive)
    assert opened.to_pandas(columns=["v"], filters=filters)["v"].tolist() == list(rows)
    assert opened.count(filters) == len(list(rows))


def test_wrong_partition_values(hive):
    with pytest.raises(hp.InvalidFilter, match="year"):
        hp.ParquetFile(hive).count([("year", "==", "x")])
    with pytest.raises(hp.ColumnMissing, match="partitions are 'year', 'zone'"):
        hp.ParquetFile(hive).to_pandas(columns=["month"])


def test_null_partitions(tmp_path):
    write(tmp_path / "k=1" / "a.parquet", [1])
    write(tmp_path / "k=__HIVE_DEFAULT_PARTITION__" / "a.parquet", [2])
    opened = hp.ParquetFile(tmp_path)
    by_value = opened.to_pandas().sort_values("v")
    assert by_value["k"].isna().tolist() == [False, True]
    assert opened.to_pandas(filters=[("k", "is null")])["v"].tolist() == [2]
    assert opened.to_pandas(filters=[("k", "!=", 5)])["v"].tolist() == [1]
    found = opened.to_arrow().to_pyarrow().to_pydict()
    assert dict(zip(found["v"], found["k"], strict=True)) == {1: 1, 2: None}


def test_a_partition_that_is_also_a_column_is_read_from_the_files(tmp_path):
    write(tmp_path / "k=1" / "a.parquet", [5], k=["one"])
    opened = hp.ParquetFile(tmp_path)
    assert opened.cats == {}
    assert opened.to_pandas()["k"].tolist() == ["one"]


def test_drill_and_flat(tmp_path):
    write(tmp_path / "d" / "x" / "1" / "a.parquet", [1])
    write(tmp_path / "d" / "y" / "2" / "a.parquet", [2])
    opened = hp.ParquetFile(tmp_path / "d")
    assert opened.file_scheme == "drill"
    assert opened.to_pandas().to_dict("list") == {"v": [1, 2], "dir0": ["x", "y"], "dir1": [1, 2]}
    write(tmp_path / "f" / "a.parquet", [1])
    write(tmp_path / "f" / "b.parquet", [2])
    flat = hp.ParquetFile(tmp_path / "f")
    assert flat.file_scheme == "flat"
    assert flat.to_pandas()["v"].tolist() == [1, 2]
    assert flat.row_group_filename(1) == str(tmp_path / "f" / "b.parquet")
    assert [group.columns[0].file_path for group in flat.row_groups] == ["a.parquet", "b.parquet"]


def test_lists_patterns_and_opened_files(hive):
    paths = sorted(str(path) for path in hive.rglob("*.parquet"))
    whole = hp.ParquetFile(hive).to_pandas()
    for place in (paths, f"{hive}/*/*/*.parquet", [hp.ParquetFile(path) for path in paths]):
        pd.testing.assert_frame_equal(hp.ParquetFile(place).to_pandas(), whole)
    again = hp.ParquetFile([hp.ParquetFile(hive)[1:], hp.ParquetFile(hive)[:1]])
    assert again.to_pandas()["v"].tolist() == [*range(10, 40), *range(10)]
    assert list(hp.ParquetFile(paths[:1]).to_pandas().columns) == ["v", "year", "zone"]
    rooted = hp.ParquetFile(paths[:2], root=hive / "year=2025")
    assert list(rooted.to_pandas().columns) == ["v", "zone"]
    assert list(hp.ParquetFile(paths[0]).to_pandas().columns) == ["v"]
    same = hp.ParquetFile(hp.ParquetFile(hive))
    assert same.count() == 40


def test_datasets_can_be_pickled(hive):
    opened = pickle.loads(pickle.dumps(hp.ParquetFile(hive)[1:3]))
    assert opened.to_pandas()["v"].tolist() == list(range(10, 30))
    assert opened.cats == {"year": [2025, 2026], "zone": ["a b", "c"]}


def test_columns_in_another_order(tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"], "c": [[1], []]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"c": [[3]], "b": ["z"], "a": [3]}), tmp_path / "1.parquet")
    opened = hp.ParquetFile(tmp_path)
    assert opened.to_arrow().to_pyarrow().to_pydict() == {
        "a": [1, 2, 3],
        "b": ["x", "y", "z"],
        "c": [[1], [], [3]],
    }
    assert opened.to_pandas(filters=[("a", ">", 1)])["b"].tolist() == ["y", "z"]
    assert opened.statistics["max"]["a"] == [2, 3]


def test_required_and_optional_columns_fit_together(tmp_path):
    strict = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    pq.write_table(pa.table({"a": [1, 2]}, schema=strict), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": pa.array([None, 4])}), tmp_path / "1.parquet")
    frame = hp.ParquetFile(tmp_path).to_pandas()
    assert frame["a"].isna().tolist() == [False, False, True, False]
    assert frame["a"].tolist()[3] == 4
    assert hp.ParquetFile(tmp_path).to_pandas(filters=[("a", "is null")]).shape == (1, 1)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"a": ["x"]}, r"1\.parquet.*'a'.*BYTE_ARRAY.*INT64.*0\.parquet.*anew"),
        ({"a": pa.array([1], pa.timestamp("us"))}, r"1\.parquet.*TIMESTAMP"),
        ({"a": [[1]]}, r"1\.parquet.*'a'.*a list here.*INT64.*0\.parquet"),
    ],
)
def test_files_that_do_not_fit(tmp_path, other, words):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table(other), tmp_path / "1.parquet")
    with pytest.raises(hp.SchemaMismatch, match=words):
        hp.ParquetFile(tmp_path)


def summary(root, names: list[str], *, paths: list[str] | None = None) -> None:
    """Write a _metadata file over files, as writers of datasets do."""
    collected = []
    for name, path in zip(names, paths or names, strict=True):
        metadata = pq.read_metadata(root / name)
        metadata.set_file_path(path)
        collected.append(metadata)
    for metadata in collected[1:]:
        collected[0].append_row_groups(metadata)
    collected[0].write_metadata_file(root / "_metadata")


def test_a_summary_is_read_in_place_of_footers(hive):
    names = sorted(str(path.relative_to(hive)) for path in hive.rglob("*.parquet"))
    whole = hp.ParquetFile(hive).to_pandas()
    summary(hive, names)
    opened = hp.ParquetFile(hive, verify=True)
    assert (opened.fn, opened.file_scheme) == (f"{hive}/_metadata", "hive")
    pd.testing.assert_frame_equal(opened.to_pandas(), whole)
    pd.testing.assert_frame_equal(hp.ParquetFile(hive / "_metadata").to_pandas(), whole)
    assert opened.count([("zone", "==", "c"), ("v", ">", 15)]) == 14
    assert opened.row_group_filename(0) == str(hive / names[0])
    # What the summary names may be gone.
    (hive / names[0]).unlink()
    with pytest.raises(FileNotFoundError):
        hp.ParquetFile(hive).to_pandas()
    with pytest.raises(FileNotFoundError):
        hp.ParquetFile(hive, verify=True)


@pytest.mark.parametrize("path", ["../a.parquet", "/etc/passwd", "http://x/a.parquet", "c:/x"])
def test_a_summary_cannot_name_files_elsewhere(tmp_path, path):
    write(tmp_path / "a.parquet", [1])
    summary(tmp_path, ["a.parquet"], paths=[path])
    with pytest.raises(hp.CorruptFile, match="not in the dataset's directory"):
        hp.ParquetFile(tmp_path)


def test_common_metadata_alone_is_an_empty_dataset(tmp_path):
    pq.write_metadata(pa.schema([("a", pa.int64())]), tmp_path / "_common_metadata")
    opened = hp.ParquetFile(tmp_path)
    assert opened.file_scheme == "empty"
    assert opened.to_pandas().shape == (0, 1)


def test_categoricals_over_several_files(tmp_path):
    for number, words in enumerate((["a", "b"], ["c", None], ["b", "a"])):
        frame = pd.DataFrame({"c": pd.Categorical(words)})
        frame.to_parquet(tmp_path / f"{number}.parquet")
    opened = hp.ParquetFile(tmp_path)
    column = opened.to_pandas()["c"]
    assert column.dtype == "category"
    assert [None if pd.isna(x) else x for x in column] == ["a", "b", "c", None, "b", "a"]
    assert opened.categories == {"c": 2}


def test_many_files_by_many_threads(tmp_path):
    for number in range(30):
        write(tmp_path / f"{number}.parquet", np.arange(number * 100, number * 100 + 100))
    opened = hp.ParquetFile(tmp_path, threads=5)
    assert opened.to_pandas()["v"].tolist() == list(range(3000))
    (tmp_path / "7.parquet").write_bytes(b"PAR1 this is no file PAR1")
    with pytest.raises(hp.ParquetError, match=r"7\.parquet"):
        hp.ParquetFile(tmp_path, threads=5)
