"""Hostile names of directories, and a file `_metadata` that names what it likes."""

from __future__ import annotations

import pytest
from parquet_file_maker import FileMaker, numbers

from hocket.parquet import ParquetError, ParquetFile, SchemaMismatch, UnsupportedFeature
from hocket.parquet.metadata.generated import ttypes


def folder_of(root, *directories):
    for number, directory in enumerate(directories):
        place = root / directory
        place.mkdir(parents=True)
        raw = FileMaker(2).add("x", numbers([number, number])).written()
        (place / "part.parquet").write_bytes(raw)
    return str(root)


def read(root, *directories):
    file = ParquetFile(folder_of(root, *directories))
    assert file.to_arrow().num_rows == 2 * len(directories)
    frame = file.to_pandas()
    assert len(file.to_pandas(filters=[("x", ">=", 0)])) == len(frame)
    if "p" in frame.columns:
        nulls = file.to_pandas(filters=[("p", "is null", None)])
        assert len(nulls) == frame["p"].isna().sum()
        for value in frame["p"].dropna().unique():
            found = file.to_pandas(filters=[("p", "==", value)])
            assert len(found) == (frame["p"] == value).sum()
    return frame


@pytest.mark.parametrize(
    "values",
    [
        ["9" * 19, "1"],
        ["9" * 200, "1"],
        ["-9223372036854775808", "9223372036854775807"],
        ["1e999", "-inf"],
        ["nan", "inf"],
        ["1_000", "2"],
        ["٣", "3"],
        ["0001-01-01 00:00:00.000000001", "9999-12-31"],
        ["2026-99-99", "2026-02-30"],
        ["9999999999 days", "1 days"],
        ["%00%ff%fe", "%zz"],
        ["%2e%2e%2f%2e%2e", ".."],
        ["=", "=="],
        ["", " "],
        ["true", "TRUE"],
        ["__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"],
        ["𐀀" * 40, "\u202e"],
        ["\udcff", "x"],
        ["a\nb", "'; drop"],
    ],
)
def test_values_of_partitions(tmp_path, values):
    first, second = values
    directories = [f"k=1/p={first}", f"k=2/p={second}"]
    frame = read(tmp_path, *directories)
    assert sorted(frame["x"].tolist()) == [0, 0, 1, 1]
    assert frame["k"].astype(int).tolist() == [1, 1, 2, 2]
    pairs = dict(zip(frame["x"].tolist(), frame["p"].isna().tolist(), strict=True))
    assert set(pairs) == {0, 1}
    if "HIVE" in first:
        assert all(pairs.values())


def test_names_of_partitions(tmp_path):
    for number, directories in enumerate(
        [
            ["x=1", "x=2"],
            ["%00=1", "%00=2"],
            [f"{'n' * 200}=1", f"{'n' * 200}=2"],
            ["/".join(f"d{depth}=0" for depth in range(60))],
            ["1", "2"],
            ["1/2", "3"],
        ]
    ):
        frame = read(tmp_path / str(number), *directories)
        assert len(frame) == 2 * len(directories)


def test_directories_that_do_not_agree(tmp_path):
    with pytest.raises(SchemaMismatch, match="name the partitions"):
        read(tmp_path / "names", "a=1", "b=2")
    with pytest.raises(SchemaMismatch, match="'p' twice"):
        read(tmp_path / "twice", "p=1/p=2", "p=3/p=4")


@pytest.mark.parametrize(
    "path",
    ["../out.parquet", "/etc/passwd", "a/../../b", "file:///etc/passwd", "s3://b/c", "\0", "c:\\x"],
)
def test_a_summary_that_leads_elsewhere(tmp_path, path):
    def change(footer):
        footer.row_groups[0].columns[0].file_path = path

    (tmp_path / "_metadata").write_bytes(FileMaker(3).add("a", numbers()).written(change))
    (tmp_path / "a").mkdir()
    with pytest.raises(ParquetError, match="not in the dataset's directory") as caught:
        ParquetFile(str(tmp_path)).to_pandas()
    assert caught.value.file == str(tmp_path / "_metadata")


def test_a_summary_whose_files_are_others(tmp_path):
    def change(footer):
        footer.row_groups[0].columns[0].file_path = "a.parquet"
        footer.row_groups[0].columns[0].meta_data.total_compressed_size += 10

    (tmp_path / "_metadata").write_bytes(FileMaker(3).add("a", numbers()).written(change))
    with pytest.raises(FileNotFoundError, match=r"a\.parquet"):
        ParquetFile(str(tmp_path)).to_pandas()
    for raw in (b"", b"PAR1", b"x" * 40):
        (tmp_path / "a.parquet").write_bytes(raw)
        with pytest.raises(
            ParquetError, match=r"end after the file|Thrift|bytes end|values"
        ) as caught:
            ParquetFile(str(tmp_path)).to_pandas()
        assert caught.value.file == str(tmp_path / "a.parquet")


def test_a_summary_of_chunks_in_several_files(tmp_path):
    def change(footer):
        first, second = footer.row_groups[0].columns
        first.file_path, second.file_path = "a.parquet", "b.parquet"

    maker = FileMaker(3).add("a", numbers()).add("b", numbers([4, 5, 6]))
    (tmp_path / "_metadata").write_bytes(maker.written(change))
    (tmp_path / "a.parquet").write_bytes(maker.written())
    with pytest.raises(UnsupportedFeature, match=r"several files, 'a\.parquet' and 'b\.parquet'"):
        ParquetFile(str(tmp_path)).to_pandas()


def test_key_value_pairs_of_partitions(tmp_path):
    def change(footer):
        text = '{"partition_columns": [{"name": "p", "numpy_type": "datetime64[ns]"}]}'
        footer.key_value_metadata = [ttypes.KeyValue("pandas", text)]

    place = tmp_path / "p=text"
    place.mkdir()
    (place / "a.parquet").write_bytes(FileMaker(3).add("x", numbers()).written(change))
    assert ParquetFile(str(tmp_path)).to_pandas()["p"].tolist() == ["text"] * 3
