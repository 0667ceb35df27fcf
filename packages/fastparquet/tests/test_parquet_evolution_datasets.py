"""What a dataset whose files differ says of itself: hints, partitions, statistics, errors."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet.__main__ import main

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def grown(tmp_path):
    """A dataset of frames: the second has more columns, of kinds that only its own hints tell."""
    index = pd.Index(["a", "b"], name="k")
    pd.DataFrame({"x": [1, 2]}, index=index).to_parquet(tmp_path / "0.parquet")
    more = {
        "c": pd.Categorical(["u", "v"]),
        "t": pd.date_range("2026-01-01", periods=2, tz="Asia/Tokyo", unit="us"),
        "d": pd.to_timedelta([3, 4], unit="s").as_unit("us"),
        "x": np.array([3, 4], "i4"),
    }
    pd.DataFrame(more, index=index).to_parquet(tmp_path / "1.parquet")
    return tmp_path


def test_columns_that_came_later_keep_what_is_known_of_them(grown):
    opened = hp.ParquetFile(grown)
    for each in (opened, pickle.loads(pickle.dumps(opened))):
        frame = each.to_pandas()
        assert frame.index.tolist() == ["a", "b", "a", "b"]
        assert list(frame.columns) == ["x", "c", "t", "d"]
        assert [str(each) for each in frame.dtypes] == [
            "int64",
            "category",
            "datetime64[us, Asia/Tokyo]",
            "timedelta64[us]",
        ]
        assert frame["c"].isna().tolist() == [True, True, False, False]
        assert frame["d"].tolist()[2:] == [pd.Timedelta("3s"), pd.Timedelta("4s")]
        assert frame["x"].tolist() == [1, 2, 3, 4]
    kinds = opened.to_arrow().to_pyarrow().schema
    assert pa.types.is_dictionary(kinds.field("c").type)
    assert kinds.field("t").type == pa.timestamp("us", "Asia/Tokyo")
    assert kinds.field("d").type == pa.duration("us")


def test_each_part_reads_as_the_whole_does(grown):
    opened = hp.ParquetFile(grown)
    whole = opened.to_pandas()
    parts = [pickle.loads(pickle.dumps(part)) for part in opened.parts()]
    assert len(parts) == 2
    for number, part in enumerate(parts):
        frame = part.to_pandas()
        expected = whole.iloc[2 * number : 2 * number + 2]
        assert frame.drop(columns="c").equals(expected.drop(columns="c"))
        assert frame.dtypes.drop("c").equals(whole.dtypes.drop("c"))


def test_statistics_and_pruning_of_absent_columns(grown):
    opened = hp.ParquetFile(grown)
    assert opened.statistics["null_count"]["c"] == [2, 0]
    assert opened.statistics["max"]["c"] == [None, "v"]
    assert opened.row_group_numbers([("c", "==", "u")]) == [1]
    assert opened.row_group_numbers([("c", "is null")]) == [0]
    assert opened.count([("c", "is null")]) == 2
    assert opened.count([("c", "!=", "u")]) == 1
    assert opened.count([[("c", "==", "u")], [("x", "==", 1)]]) == 2
    assert opened[0].to_pandas(filters=[("c", "not in", ["q"])]).empty


@pytest.mark.parametrize("wanted", ["pandas", "arrow"])
def test_durations_of_different_units(tmp_path, wanted):
    """Files with equal schemas: only what is written beside them tells the units."""
    for number, unit in enumerate(("ns", "us", "s")):
        spans = pd.to_timedelta([number, None], unit="min").as_unit(unit)
        place = tmp_path / f"{number}.parquet"
        if wanted == "pandas":
            pd.DataFrame({"d": spans, "n": 1}, index=range(number, number + 2)).to_parquet(place)
        else:
            pq.write_table(pa.table({"d": pa.array(spans, pa.duration(unit)), "n": [1, 1]}), place)
    opened = hp.ParquetFile(tmp_path)
    expected = [pd.Timedelta(minutes=at // 2) if at % 2 == 0 else pd.NaT for at in range(6)]
    for each in (opened, pickle.loads(pickle.dumps(opened)), opened[::-1][::-1]):
        assert each.to_pandas()["d"].tolist() == expected
        assert each.to_pandas()["d"].dtype == "m8[ns]"
    assert [part.to_pandas()["d"].tolist()[0] for part in opened.parts()] == expected[::2]
    table = opened.to_arrow().to_pyarrow()
    assert table.schema.field("d").type == pa.duration("ns")
    assert table["d"].to_pylist()[4] == pd.Timedelta(minutes=2)
    assert opened.to_pandas(filters=[("d", ">=", pd.Timedelta("1min"))]).shape == (2, 2)
    assert opened.count([("d", "==", pd.Timedelta("2min"))]) == 1


def test_a_partition_that_only_some_files_have_as_a_column(tmp_path):
    for key, columns in {"a": {"x": [1]}, "b": {"x": [2], "k": ["other"]}}.items():
        (tmp_path / f"k={key}").mkdir()
        pq.write_table(pa.table(columns), tmp_path / f"k={key}" / "0.parquet")
    opened = hp.ParquetFile(tmp_path)
    assert opened.columns == ["x"]
    assert opened.to_pandas()["k"].tolist() == ["a", "b"]


def test_columns_of_one_name_are_told_by_their_order(tmp_path):
    one = pa.table([[1], ["a"]], names=["x", "x"])
    pq.write_table(one, tmp_path / "0.parquet")
    pq.write_table(pa.table([[2], ["b"], [0.5]], names=["x", "x", "x"]), tmp_path / "1.parquet")
    table = hp.ParquetFile(tmp_path).to_arrow().to_pyarrow()
    assert [column.to_pylist() for column in table.columns] == [[1, 2], ["a", "b"], [None, 0.5]]


def test_lists_of_older_layouts(tmp_path):
    values = pa.array([[1, None], None, []], pa.list_(pa.int32()))
    pq.write_table(pa.table({"x": values}), tmp_path / "0.parquet")
    place = tmp_path / "1.parquet"
    pq.write_table(pa.table({"x": values}), place, use_compliant_nested_type=False)
    pq.write_table(pa.table({"x": pa.array([[7]], pa.list_(pa.int64()))}), tmp_path / "2.parquet")
    opened = hp.ParquetFile(tmp_path)
    found = opened.to_arrow().to_pyarrow()["x"].to_pylist()
    assert found == [[1, None], None, [], [1, None], None, [], [7]]
    assert opened.to_arrow(["x.list.element"]).to_pyarrow()["x"].to_pylist() == found


def test_errors_name_the_part_of_a_nested_column(tmp_path):
    for number, member in enumerate(([1], ["a"])):
        inner = pa.StructArray.from_arrays([pa.array(member)], ["b"])
        column = pa.ListArray.from_arrays([0, 1], inner)
        pq.write_table(pa.table({"x": column}), tmp_path / f"{number}.parquet")
    with pytest.raises(hp.SchemaMismatch, match=r"'x\.element\.b'") as caught:
        hp.ParquetFile(tmp_path)
    for word in ("1.parquet", "0.parquet", "BYTE_ARRAY, STRING", "INT64", "anew"):
        assert word in str(caught.value)


def test_the_command_shows_such_datasets(grown, capsys):
    for command in ("info", "schema", "stats", "pages", "head"):
        assert main([command, str(grown)]) == 0
    capsys.readouterr()
    assert main(["stats", "--json", str(grown)]) == 0
    told = {each["column"]: each for each in json.loads(capsys.readouterr().out)}
    assert (told["c"]["nulls"], told["c"]["min"], told["c"]["values"]) == (2, "u", 2)
    assert main(["info", "--json", str(grown)]) == 0
    assert json.loads(capsys.readouterr().out)["column_chunks"] == 7


def test_attributes_where_fastparquet_keeps_them(tmp_path):
    table = pa.table({"x": [1]})
    for number, text in enumerate(('{"a": 1}', "[1]", "no JSON")):
        place = tmp_path / f"{number}.parquet"
        pq.write_table(table.replace_schema_metadata({"PANDAS_ATTRS": text}), place)
        assert hp.ParquetFile(place).to_pandas().attrs == ({"a": 1} if number == 0 else {})


def test_files_with_one_schema_need_no_agreement(tmp_path):
    for number in range(3):
        frame = pd.DataFrame({"x": [number]}, index=range(number, number + 1))
        frame.to_parquet(tmp_path / f"{number}.parquet")
    opened = hp.ParquetFile(tmp_path)
    assert opened._collection.agreement is None
    assert all(file.sources is None for file in opened._collection.files)
