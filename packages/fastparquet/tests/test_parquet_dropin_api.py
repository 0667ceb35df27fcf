"""What the modules have that stand in for fastparquet's: names, arguments, results."""

import decimal
import inspect
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet.dropin import api, parquet_thrift, paths, schema, writer
from hocket.parquet.dropin.api import ParquetFile
from hocket.parquet.dropin.writer import write

FRAME = pd.DataFrame(
    {
        "i": [1, 2, 3, 4, 5],
        "f": [0.5, None, 2.5, 3.5, 4.5],
        "s": ["a", "b", None, "d", "e"],
        "t": pd.date_range("2026-01-01", periods=5, unit="us"),
        "p": ["x", "y", "x", "y", "x"],
    }
)


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "a.parquet")


def test_arguments_come_in_the_order_of_fastparquets():
    known = {
        ParquetFile: "fn verify open_with root sep fs pandas_nulls dtypes",
        ParquetFile.to_pandas: "self columns categories filters index row_filter dtypes",
        write: "filename data row_group_offsets compression file_scheme open_with mkdirs has_nulls "
        "write_index partition_on fixed_text append object_encoding times custom_metadata stats",
        writer.merge: "file_list verify_schema open_with root",
        writer.overwrite: "dirpath data row_group_offsets sort_pnames compression open_with mkdirs "
        "remove_with stats",
        writer.write_common_metadata: "fn fmd open_with no_row_groups",
        writer.update_file_custom_metadata: "path custom_metadata is_metadata_file",
        api.filter_row_groups: "pf filters as_idx",
        api.sorted_partitioned_columns: "pf filters",
    }
    for function, names in known.items():
        told = list(inspect.signature(function).parameters)
        assert told[: len(names.split())] == names.split(), function


def test_the_schema_as_text(place):
    write(place, FRAME[["i", "s", "t"]])
    found = ParquetFile(place).schema
    assert isinstance(found, schema.SchemaHelper)
    name = found.root.name
    assert (
        found.text
        == str(found)
        == (
            f"- {name}: \n"
            "| - i: INT64, OPTIONAL\n"
            "| - s: BYTE_ARRAY, STRING, UTF8, OPTIONAL\n"
            "  - t: INT64, TIMESTAMP[MICROS], TIMESTAMP_MICROS, OPTIONAL"
        )
    )
    assert repr(found) == "<Parquet Schema with 4 entries>"
    assert found == ParquetFile(place).helper != ParquetFile(place).schema.text
    with pytest.raises(hp.CorruptFile, match="more children"):
        schema.SchemaHelper(found.schema_elements[:3])
    assert found.schema_element("t").logicalType.TIMESTAMP.isAdjustedToUTC is False
    assert found.schema_element(["i"]).type == parquet_thrift.Type.INT64
    assert [each.name for each in ParquetFile(place)._schema] == [name, "i", "s", "t"]
    assert not found.is_required("s")
    with pytest.raises(hp.ColumnMissing, match="'q' in the schema; there are i, s, t"):
        found.schema_element("q")


def test_levels_of_nested_columns(place):
    frame = pd.DataFrame({"x": [[{"a": 1}], None]})
    write(place, frame)
    helper = ParquetFile(place).schema
    path = ParquetFile(place).row_groups[0].columns[0].meta_data.path_in_schema
    assert helper.max_repetition_level(path) == 1
    assert helper.max_definition_level(path) == len(path)
    assert helper.max_definition_level(".".join(path[:1])) == 1


def test_values_become_what_they_became(place):
    frame = pd.DataFrame(
        {"j": [{"a": 1}, [2]], "l": [[1, None], None], "d": [decimal.Decimal("1.5"), None]}
    )
    write(place, frame, object_encoding={"j": "json", "l": "infer", "d": "infer"})
    opened = ParquetFile(place)
    for found in (opened.to_pandas(), next(opened.iter_row_groups()), opened.head(2)):
        assert found["j"].tolist() == [{"a": 1}, [2]]
        assert found["l"].tolist() == [[1, None], None]
        # Not floats, as they were.
        assert found["d"].tolist() == [decimal.Decimal("1.5"), None]
    assert ParquetFile(place).to_pandas(decimals="float")["d"].tolist()[0] == 1.5


@pytest.mark.parametrize(
    ("offsets", "rows"),
    [(30, [25] * 4), (33, [25] * 4), (34, [34, 34, 32]), ([0, 90], [90, 10]), (None, [100])],
)
def test_row_groups_are_evened_out(place, offsets, rows):
    write(place, pd.DataFrame({"a": range(100)}), row_group_offsets=offsets)
    assert [group.num_rows for group in ParquetFile(place).row_groups] == rows


def test_settings_of_the_module(place, monkeypatch):
    monkeypatch.setattr(writer, "ROW_GROUP_SIZE", 40)
    monkeypatch.setattr(writer, "MAX_PAGE_SIZE", 64)
    monkeypatch.setattr(writer, "DATAPAGE_VERSION", 2)
    write(place, pd.DataFrame({"a": np.arange(80.0) * 1e9}))
    opened = ParquetFile(place)
    assert len(opened.row_groups) == 2
    told = opened.row_groups[0].columns[0].meta_data.encoding_stats
    pages = {each.page_type: each.count for each in told}
    assert pages[parquet_thrift.PageType.DATA_PAGE_V2] > 1


@pytest.mark.parametrize(
    ("compression", "codecs"),
    [
        (None, [0, 0]),
        ("SNAPPY", [1, 1]),
        ("gzip", [2, 2]),
        ({"i": "GZIP"}, [2, 0]),
        ({"f": {"type": "zstd", "args": {"level": 5}}, "_default": "snappy"}, [1, 6]),
    ],
    ids=str,
)
def test_compression(place, compression, codecs):
    write(place, FRAME[["i", "f"]], compression=compression)
    columns = ParquetFile(place).row_groups[0].columns
    assert [each.meta_data.codec for each in columns] == codecs


def test_statistics_and_nulls(place):
    write(place, FRAME, stats=["i"], has_nulls=["f", "s"])
    opened = ParquetFile(place)
    told = api.statistics(opened)
    assert (told["max"]["i"], told["max"]["f"]) == ([5], [None])
    kinds = {each.name: each.repetition_type for each in opened._schema[1:]}
    assert kinds == {"i": 0, "f": 1, "s": 1, "t": 0, "p": 0}
    write(place, FRAME, stats=False)
    assert set(ParquetFile(place).statistics["max"]["i"]) == {None}


def test_datasets(tmp_path):
    root = str(tmp_path / "d")
    write(root, FRAME, file_scheme="hive", partition_on="p", row_group_offsets=[0, 3])
    opened = ParquetFile(root)
    assert (opened.file_scheme, opened.cats, opened.count()) == ("hive", {"p": ["x", "y"]}, 5)
    write(root, FRAME[:1], file_scheme="hive", partition_on=["p"], append=True)
    assert ParquetFile(root).count() == 6
    writer.overwrite(root, FRAME[1:2].assign(i=20))
    found = ParquetFile(root).to_pandas()
    assert sorted(found["i"]) == [1, 1, 3, 5, 20]
    # A single file has no directories.
    write(root + ".parquet", FRAME, partition_on=["p"])
    assert ParquetFile(root + ".parquet").columns == list(FRAME)


def test_merged_files(tmp_path):
    places = [str(tmp_path / f"{number}.parquet") for number in range(2)]
    for place in places:
        write(place, FRAME)
    for given in (places, [ParquetFile(place) for place in places]):
        merged = writer.merge(given)
        assert isinstance(merged, ParquetFile)
        assert (merged.count(), len(merged.row_groups)) == (10, 2)
        assert merged.fn == f"{tmp_path}/_metadata"
    writer.write_common_metadata(f"{tmp_path}/_common_metadata", merged.fmd)
    (tmp_path / "_metadata").unlink()
    assert hp.ParquetFile(f"{tmp_path}/_common_metadata").columns == list(FRAME)


def test_file_systems_are_found_by_their_method(tmp_path):
    memory = fsspec.filesystem("memory")
    write("/dropin/one.parquet", FRAME, open_with=memory.open)
    write("/dropin/hive", FRAME, file_scheme="hive", open_with=memory.open, mkdirs=lambda _: None)
    assert ParquetFile("/dropin/one.parquet", open_with=memory.open).count() == 5
    assert ParquetFile("/dropin/hive", open_with=memory.open).count() == 5
    assert ParquetFile("/dropin/*.parquet", open_with=memory.open).count() == 5
    merged = writer.merge(["/dropin/one.parquet"], open_with=memory.open)
    assert (merged.count(), merged.fs) == (5, memory)
    memory.rm("/dropin", recursive=True)
    opened = []

    def opening(path, mode):
        opened.append(path)
        return Path(path).open(mode)

    place = str(tmp_path / "a.parquet")
    write(place, FRAME, open_with=opening)
    assert ParquetFile(place, open_with=opening).count() == 5
    assert set(opened) == {place}
    with Path(place).open("rb") as file:
        assert ParquetFile(file, open_with=open).count() == 5


def test_key_value_metadata(place):
    write(place, FRAME, custom_metadata={b"k": b"v", "q": "w"})
    assert {"k": "v", "q": "w"}.items() <= ParquetFile(place).key_value_metadata.items()
    writer.update_file_custom_metadata(place, {"k": None, b"q": "z", "n": b"\xff"})
    told = ParquetFile(place).key_value_metadata
    assert ("k" in told, told["q"], told["n"]) == (False, "z", b"\xff")
    for wrong in ({"k": 1}, {1: "k"}, {"k": None}):
        with pytest.raises(TypeError, match="str or bytes"):
            write(place, FRAME, custom_metadata=wrong)
    with pytest.raises(hp.ParquetError, match="str or bytes"):
        writer.update_file_custom_metadata(place, {"k": []})


def test_what_only_the_older_class_has(place):
    write(place, FRAME.set_index("s"), row_group_offsets=[0, 3])
    opened = ParquetFile(place)
    assert opened._get_index() == ["s"]
    assert (opened._get_index(False), opened._get_index("i")) == ([], ["i"])
    assert opened.check_categories(["i"]) == ["i"]
    with pytest.raises(hp.InvalidOption, match="'q'"):
        opened.check_categories(["q"])
    group = opened.row_groups[1]
    assert opened.read_row_group_file(group, ["i"], None)["i"].tolist() == [4, 5]
    with pytest.raises(hp.InvalidOption, match="assign"):
        opened.read_row_group_file(group, ["i"], None, assign={})
    again = pickle.loads(pickle.dumps(opened[1:]))
    assert type(again) is ParquetFile
    assert again.to_pandas()["i"].tolist() == [4, 5]


def test_indexes_have_the_names_of_reset_index(tmp_path, place):
    dated = FRAME[["i", "f"]].set_index(FRAME["t"].rename(None))
    write(place, dated[:3])
    opened = ParquetFile(place)
    assert opened.columns == ["i", "f", "index"]
    opened.write_row_groups([dated[3:4].reset_index(), dated[4:].reset_index()])
    assert [group.num_rows for group in opened.row_groups] == [3, 1, 1]
    pd.testing.assert_frame_equal(opened.to_pandas(), dated.rename_axis("index"))
    write(place, dated, append=True)
    assert ParquetFile(place).count() == 10
    several = FRAME[["f"]].set_index([FRAME["i"].rename(None), FRAME["s"]])
    write(place, several)
    assert ParquetFile(place).columns == ["f", "level_0", "s"]
    write(place, FRAME[["i"]], write_index=True)
    assert ParquetFile(place).columns == ["i", "index"]
    # Where there is no column for it, the index of what is added is left out.
    write(place, FRAME[["i"]])
    write(place, dated[["i"]], append=True)
    assert ParquetFile(place).to_pandas()["i"].tolist() == [1, 2, 3, 4, 5] * 2


def test_lists_of_directories_and_of_frames(tmp_path):
    places = [str(tmp_path / name) for name in ("a", "b")]
    for place in places:
        write(place, [FRAME[:2], FRAME[:0], FRAME[2:]], file_scheme="hive")
    opened = ParquetFile(places)
    assert [group.num_rows for group in opened.row_groups] == [2, 3, 2, 3]
    assert opened.to_pandas()["i"].tolist() == [1, 2, 3, 4, 5] * 2


def test_metadata_of_some_row_groups(tmp_path, place):
    root = str(tmp_path / "d")
    write(root, FRAME, file_scheme="hive", row_group_offsets=[0, 3])
    ParquetFile(root)[1]._write_common_metadata()
    assert ParquetFile(root).to_pandas()["i"].tolist() == [4, 5]
    write(place, FRAME)
    with pytest.raises(ValueError, match="Not possible to write"):
        ParquetFile(place)._write_common_metadata()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"has_nulls": ["q"]}, "has_nulls names .'q'."),
        ({"fixed_text": {"q": 3}}, "fixed_text"),
        ({"object_encoding": {"q": "utf8"}}, "object_encoding"),
        ({"partition_on": ["q"], "file_scheme": "hive"}, "partition_on"),
        ({"append": True, "file_scheme": "hive"}, "existing file scheme"),
        ({"custom_metadata": {"a": 1}}, "str or bytes"),
    ],
    ids=str,
)
def test_what_is_refused(place, options, words):
    write(place, FRAME)
    with pytest.raises(ValueError, match=words):
        write(place, FRAME, **options)
    assert ParquetFile(place).count() == 5


def test_joined_paths():
    assert paths.join_path("a", "b/", "./c") == "a/b/c"
    assert paths.join_path("/a//b", "..", "c") == "/a/c"
    assert paths.join_path("s3://bucket/a", "b") == "s3://bucket/a/b"
    assert paths.join_path("", "a") == "a"
    assert paths.join_path("") == ""


def test_names_that_are_not_there():
    for module in (parquet_thrift, paths):
        with pytest.raises(AttributeError, match="no_such"):
            module.no_such  # noqa: B018
