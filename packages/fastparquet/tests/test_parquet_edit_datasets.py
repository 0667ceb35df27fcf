"""Datasets that are written, added to, overwritten in part, merged and compacted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hocket.parquet as hp
from hocket.parquet.api import compact, merge, update_file_custom_metadata, write
from hocket.parquet.dataset.commit import RECORD, STAGING
from hocket.parquet.dataset.edit import dataset_writer
from hocket.parquet.dataset.edit.compaction import plan_compaction
from hocket.parquet.dataset.edit.naming import Numbering
from hocket.parquet.errors import (
    ColumnMissing,
    EditConflict,
    InvalidOption,
    SchemaMismatch,
    UnsupportedFeature,
)

_FRAME = pd.DataFrame(
    {
        "k": np.arange(12) % 3,
        "n": np.arange(12, dtype=np.int64),
        "text": [None if at % 5 == 0 else f"text {at}" for at in range(12)],
        "list": [[at, None] if at % 2 else None for at in range(12)],
    }
)


def _files(root):
    found = [path for path in Path(root).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(root)) for path in found)


def _numbers(place, **options):
    return sorted(hp.read(place, columns=["n"], **options)["n"].tolist())


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "set")


# ------------------------------------------------------------------------------------- partitions


_KEYS = {
    "integers": st.integers(-(1 << 63), (1 << 63) - 1),
    "texts": st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from("/=%._ :\\*?~"), max_size=12
    )
    | st.sampled_from(["..", ".", "__HIVE_DEFAULT_PARTITION__", "_x", "a=b", "1", "nan", "true"]),
    "booleans": st.booleans(),
    "floats": st.floats(allow_nan=False),
    "times": st.datetimes(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1)),
    "spans": st.timedeltas(pd.Timedelta(days=-9999), pd.Timedelta(days=9999)),
}


@pytest.mark.parametrize("scheme", ["hive", "drill"])
@pytest.mark.parametrize("name", _KEYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(data=st.data())
def test_keys_come_back_from_directories(name, scheme, data):
    keys = data.draw(st.lists(st.none() | _KEYS[name], min_size=1, max_size=8))
    if scheme == "drill":
        keys = [None if key == "" else key for key in keys]
    if all(key is None for key in keys):
        keys.append(data.draw(_KEYS[name].filter(lambda key: key != "")))
    dtype = {"texts": "str", "integers": "Int64", "booleans": "boolean"}.get(name)
    frame = pd.DataFrame({"n": range(len(keys)), "key": pd.Series(keys, dtype=dtype)})
    filesystem = fsspec.filesystem("memory")
    place = f"/keys-{os.getpid()}"
    write(place, frame, file_scheme=scheme, partition_on=["key"], fs=filesystem)
    file = hp.ParquetFile(place, fs=filesystem)
    assert file.file_scheme == scheme
    back = file.to_pandas().sort_values("n")
    column = back["key" if scheme == "hive" else "dir0"]
    found = [None if pd.isna(value) else value for value in column]
    if scheme == "drill" and name == "texts":
        # Nothing tells what was text: what all looks like numbers or times becomes such.
        found = [value if value is None or isinstance(value, str) else None for value in found]
        keys = [key if value is not None else None for key, value in zip(keys, found, strict=True)]
    assert found == keys
    filesystem.rm(place, recursive=True)


def test_pyarrow_understands_the_directories(root):
    keys = ["a/b", "ü=%", "..", "a b", None, "_x"]
    frame = pd.DataFrame({"n": range(6), "key": pd.array(keys, dtype="str")})
    write(root, frame, file_scheme="hive", partition_on="key")
    table = arrow_dataset.dataset(root, partitioning="hive").to_table().sort_by("n")
    assert table["n"].to_pylist() == list(range(6))
    assert table["key"].to_pylist() == keys


def test_several_keys_and_rows_in_their_order(root):
    frame = pd.concat([_FRAME] * 5, ignore_index=True)
    frame["n"] = np.arange(60)
    frame["other"] = np.where(frame["n"] % 7 < 3, "x", "y")
    write(root, frame, file_scheme="hive", partition_on=["other", "k"])
    back = hp.read(root)
    for (other, key), part in back.groupby(["other", "k"], observed=True):
        expected = frame[(frame["other"] == other) & (frame["k"] == key)]
        assert part["n"].tolist() == expected["n"].tolist()
        assert part["text"].tolist()[1:] == expected["text"].tolist()[1:]
    assert set(_files(root)) == {"_metadata", "_common_metadata"} | {
        f"other={other}/k={key}/part.0.parquet" for other in "xy" for key in range(3)
    }
    assert pq.read_metadata(f"{root}/_metadata").num_rows == 60


def test_pandas_metadata_tell_of_keys_as_partitions(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    told = json.loads(pq.read_metadata(f"{root}/k=1/part.0.parquet").metadata[b"pandas"])
    assert [each["name"] for each in told["columns"]] == ["n", "text", "list"]
    assert [each["name"] for each in told["partition_columns"]] == ["k"]
    assert told["partition_columns"][0]["numpy_type"] == "int64"


def test_many_more_directories_than_files_may_be_open(root, monkeypatch):
    monkeypatch.setattr(dataset_writer, "_MOST_OPEN", 8)
    frame = pd.DataFrame({"key": np.arange(40) % 20, "n": range(40)})
    halves = [frame[:20], frame[20:]]
    write(root, iter(halves), file_scheme="hive", partition_on="key", write_metadata=False)
    assert _numbers(root) == list(range(40))
    assert len(_files(root)) > 30


def test_files_that_are_open_hold_no_more_than_one_row_group(root):
    parts = [
        pd.DataFrame({"key": [at % 5] * 50, "n": range(50 * at, 50 * at + 50)}) for at in range(20)
    ]
    options = {"row_group_nbytes": 1000, "write_metadata": False}
    write(root, iter(parts), file_scheme="hive", partition_on="key", **options)
    assert _numbers(root) == list(range(1000))
    assert len(hp.ParquetFile(root)) > 5
    assert len(_files(root)) == 5


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"partition_on": ["nope"], "file_scheme": "hive"}, ColumnMissing, "'nope'.*'k'"),
        ({"partition_on": ["k", "k"], "file_scheme": "hive"}, InvalidOption, "each once"),
        ({"partition_on": ["k"]}, InvalidOption, "file_scheme='hive'"),
        ({"partition_on": ["list"], "file_scheme": "hive"}, InvalidOption, "several values"),
        ({"file_scheme": "hvie"}, InvalidOption, "'hvie'"),
        ({"append": "yes"}, InvalidOption, "overwrite"),
        ({"append": "overwrite", "file_scheme": "hive"}, InvalidOption, "partition_on"),
        ({"file_scheme": "hive", "sort_by": ["nope"]}, ColumnMissing, "'nope'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(root, options, error, match):
    with pytest.raises(error, match=match):
        write(root, _FRAME, **options)
    assert _files(root) == []


def test_all_columns_cannot_be_keys(root):
    with pytest.raises(InvalidOption, match="at least one"):
        write(root, _FRAME[["k"]], file_scheme="hive", partition_on=["k"])


def test_names_too_long_for_a_directory_are_told(root):
    frame = pd.DataFrame({"key": ["x" * 300], "n": [1]})
    with pytest.raises(InvalidOption, match="255"):
        write(root, frame, file_scheme="hive", partition_on=["key"])
    assert _files(root) == []


# ----------------------------------------------------------------------------------------- append


@pytest.mark.parametrize("write_metadata", [None, False])
def test_files_are_added_and_replaced(root, write_metadata):
    options = {"file_scheme": "hive", "partition_on": ["k"], "write_metadata": write_metadata}
    write(root, _FRAME, **options)
    write(root, _FRAME.assign(n=_FRAME["n"] + 100), append=True, **options)
    assert _numbers(root) == [*range(12), *range(100, 112)]
    assert "k=1/part.1.parquet" in _files(root)
    new = _FRAME[_FRAME["k"] == 1].assign(n=7)
    write(root, new, append="overwrite", **options)
    expected = [at for at in [*range(12), *range(100, 112)] if at % 3 != (1 if at < 100 else 2)]
    assert _numbers(root) == sorted(expected + [7] * 4)
    write(root, _FRAME, **options)
    assert _numbers(root) == list(range(12))
    assert ("_metadata" in _files(root)) == (write_metadata is None)
    assert len([name for name in _files(root) if "part" in name]) == 3


def test_append_false_makes_a_dataset_of_other_columns(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    write(root, _FRAME[["text", "n"]], file_scheme="hive")
    assert list(hp.read(root).columns) == ["text", "n"]
    assert _files(root) == ["_common_metadata", "_metadata", "part.0.parquet"]
    write(root, _FRAME[["n"]], file_scheme="hive", write_metadata=False)
    assert _files(root) == ["part.0.parquet"]


def test_columns_are_added_in_the_order_of_what_is_there(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    other = _FRAME[["list", "k", "text", "n"]].assign(n=_FRAME["n"].astype("int32"))
    write(root, other, file_scheme="hive", partition_on=["k"], append=True)
    assert _numbers(root) == sorted([*range(12)] * 2)
    assert hp.read(root)["n"].dtype == "int64"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.drop(columns="n"), "missing: 'n'"),
        (lambda frame: frame.assign(extra=1), "new: 'extra'"),
        (lambda frame: frame.assign(n="text"), "BYTE_ARRAY.*INT64"),
        (lambda frame: frame.assign(n=1.5), "DOUBLE.*INT64"),
    ],
)
def test_other_columns_are_refused_before_anything_is_touched(root, change, match):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    before = {name: Path(root, name).stat().st_mtime_ns for name in _files(root)}
    with pytest.raises(SchemaMismatch, match=match):
        write(root, change(_FRAME), file_scheme="hive", partition_on=["k"], append=True)
    assert {name: Path(root, name).stat().st_mtime_ns for name in _files(root)} == before


def test_other_directories_are_refused(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    for options in (
        {"file_scheme": "hive"},
        {"file_scheme": "drill", "partition_on": ["k"]},
        {"file_scheme": "hive", "partition_on": ["text"]},
    ):
        with pytest.raises(SchemaMismatch, match="directories"):
            write(root, _FRAME, append=True, **options)
    with pytest.raises(InvalidOption, match="directory"):
        write(root, _FRAME, append=True)


def test_files_without_a_suffix_get_others_without(root):
    Path(root).mkdir()
    _FRAME.to_parquet(f"{root}/part-00000")
    write(root, _FRAME, file_scheme="hive", append=True)
    assert _files(root) == ["part-00000", "part.1"]
    assert len(hp.read(root)) == 24


def test_row_groups_at_given_rows_get_files(root):
    write(root, _FRAME, file_scheme="hive", row_group_offsets=[0, 5, 9])
    assert [name for name in _files(root) if "part" in name] == [
        f"part.{at}.parquet" for at in range(3)
    ]
    assert [each.num_rows for each in hp.ParquetFile(root).row_groups] == [5, 4, 3]
    write(root, _FRAME, file_scheme="hive", row_group_offsets=5, append=True)
    assert [each.num_rows for each in hp.ParquetFile(root).row_groups] == [5, 4, 3, 5, 5, 2]


def test_no_rows_make_a_dataset_with_columns(root):
    frame = _FRAME.drop(columns="list")
    write(root, frame[:0], file_scheme="hive", partition_on=["k"])
    assert hp.ParquetFile(root).columns == ["n", "text"]
    assert len(hp.read(root)) == 0
    hp.ParquetFile(root).write_row_groups(frame)
    assert _numbers(root) == list(range(12))
    assert "k=2/part.0.parquet" in _files(root)


def test_keys_of_encryption_and_a_summary_do_not_go_together(root):
    keys = hp.EncryptionKeys(b"0123456789012345")
    with pytest.raises(InvalidOption, match="_metadata"):
        write(root, _FRAME, file_scheme="hive", write_metadata=True, encryption=keys)


# ------------------------------------------------------------------- row groups, merge, compaction


def test_row_groups_are_removed_and_added(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"])
    file = hp.ParquetFile(root)
    file.remove_row_groups(file.row_groups[1])
    assert sorted(file.to_pandas()["n"].tolist()) == [at for at in range(12) if at % 3 != 1]
    assert _numbers(root) == [at for at in range(12) if at % 3 != 1]
    assert not Path(root, "k=1").exists()
    file.write_row_groups(
        _FRAME[_FRAME["k"] == 1], sort_key=lambda group: group.columns[0].file_path
    )
    assert [each.columns[0].file_path for each in file.row_groups] == sorted(
        each.columns[0].file_path for each in file.row_groups
    )
    assert _numbers(root) == list(range(12))


def test_part_of_a_file_is_removed(root):
    Path(root).mkdir()
    for at in range(2):
        pq.write_table(
            pq.read_table(_parquet_of(_FRAME.assign(n=_FRAME["n"] + 100 * at), root)),
            f"{root}/{at}.parquet",
            row_group_size=3,
            write_page_index=True,
            store_schema=True,
        )
    Path(root, "_one").unlink()
    file = hp.ParquetFile(root)
    assert len(file) == 8
    file.remove_row_groups([1, 2, 4])
    expected = [0, 1, 2, 9, 10, 11, *range(103, 112)]
    assert _numbers(root) == expected
    assert _numbers(root, filters=[("n", ">=", 100)]) == expected[6:]
    assert sorted(pq.read_table(f"{root}/0.parquet")["n"].to_pylist()) == expected[:6]
    assert pq.ParquetFile(f"{root}/0.parquet").metadata.row_group(1).column(1).has_offset_index


def _parquet_of(frame, root):
    frame.to_parquet(f"{root}/_one")
    return f"{root}/_one"


def test_all_row_groups_are_removed(root):
    write(root, _FRAME, file_scheme="hive")
    file = hp.ParquetFile(root)
    file.remove_row_groups(range(len(file)))
    assert len(file) == 0
    assert len(hp.read(root)) == 0
    assert hp.ParquetFile(root).columns == list(_FRAME.columns)


def test_files_are_merged(root):
    Path(root, "k=1").mkdir(parents=True)
    Path(root, "k=2").mkdir()
    frame = _FRAME.drop(columns="k")
    paths = [f"{root}/k={at}/data.parquet" for at in (1, 2)]
    for path in paths:
        frame.to_parquet(path)
    file = merge(paths)
    assert file.file_scheme == "hive"
    assert file.count() == 24
    assert pq.read_metadata(f"{root}/_metadata").num_rows == 24
    assert pq.read_metadata(f"{root}/_common_metadata").num_row_groups == 0
    assert hp.read(root, filters=[("k", "==", 2)])["n"].tolist() == list(range(12))
    frame.assign(n="text").to_parquet(paths[1])
    before = Path(root, "_metadata").read_bytes()
    with pytest.raises(SchemaMismatch, match=r"k=2/data\.parquet"):
        merge(paths)
    assert Path(root, "_metadata").read_bytes() == before


def test_the_metadata_of_a_dataset_are_changed(root):
    write(root, _FRAME, file_scheme="hive", custom_metadata={"a": "1", "b": "2"})
    update_file_custom_metadata(root, {"a": None, "b": "3", "c": b"\xff"})
    told = hp.ParquetFile(root).key_value_metadata
    assert (told.get("a"), told["b"], told["c"]) == (None, "3", b"\xff")
    assert pq.read_metadata(f"{root}/_common_metadata").metadata[b"b"] == b"3"
    Path(root, "_metadata").unlink()
    Path(root, "_common_metadata").unlink()
    update_file_custom_metadata(root, {"b": "4"})
    assert pq.read_metadata(f"{root}/part.0.parquet").metadata[b"b"] == b"4"


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 100))
def test_small_files_are_joined_and_large_ones_left(sizes, target):
    plan = plan_compaction(sizes, target)
    chosen = [at for group in plan for at in group]
    assert chosen == sorted(set(chosen))
    assert all(2 * sizes[at] <= target for at in chosen)
    assert all(sum(sizes[at] for at in group) <= target for group in plan)
    assert all(len(group) > 1 for group in plan)
    again = [size for at, size in enumerate(sizes) if at not in chosen]
    again += [sum(sizes[at] for at in group) for group in plan]
    assert sum(again) == sum(sizes)


@pytest.mark.parametrize("write_metadata", [None, False])
def test_small_files_become_few(root, write_metadata):
    for at in range(5):
        write(
            root,
            _FRAME.assign(n=_FRAME["n"] + 100 * at),
            file_scheme="hive",
            partition_on=["k"],
            append=True,
            write_metadata=write_metadata,
        )
    before = hp.read(root).sort_values("n").reset_index(drop=True)
    assert compact(root, sort_by=["text", ("n", True)]) == 15
    assert len([name for name in _files(root) if "part" in name]) == 3
    after = hp.read(root)
    pd.testing.assert_frame_equal(after.sort_values("n").reset_index(drop=True), before)
    for _, part in after.groupby("k", observed=True):
        expected = part.sort_values(["text", "n"], ascending=[True, False], kind="stable")
        assert part["n"].tolist() == expected["n"].tolist()
    assert compact(root) == 0
    sorting = pq.ParquetFile(f"{root}/k=1/part.5.parquet").metadata.row_group(0).sorting_columns
    assert [each.descending for each in sorting] == [False, True]


def test_a_dataset_in_memory_is_edited():
    place = f"memory://edited-{os.getpid()}"
    write(place, _FRAME, file_scheme="hive", partition_on=["k"])
    write(place, _FRAME, file_scheme="hive", partition_on=["k"], append=True)
    file = hp.ParquetFile(place)
    file.remove_row_groups([0, 3])
    assert compact(place) == 4
    update_file_custom_metadata(place, {"a": "b"})
    assert _numbers(place) == sorted([at for at in range(12) if at % 3] * 2)
    filesystem = fsspec.filesystem("memory")
    assert not [name for name in filesystem.find(place) if STAGING in name or RECORD in name]
    filesystem.rm(place, recursive=True)


def test_who_edits_what_another_replaced_is_told(root):
    write(root, _FRAME, file_scheme="hive", partition_on=["k"], write_metadata=False)
    file = hp.ParquetFile(root)
    other = _FRAME.assign(text="other")
    write(root, other, file_scheme="hive", partition_on=["k"], write_metadata=False)
    with pytest.raises(EditConflict, match="k=0"):
        file.remove_row_groups([0, 1])
    file = hp.ParquetFile(root)
    Path(root, "k=0/part.0.parquet").unlink()
    with pytest.raises(EditConflict, match="k=0"):
        file.remove_row_groups([0, 1])
    assert _numbers(root) == [at for at in range(12) if at % 3]


def test_encrypted_files_are_not_taken_apart(root):
    keys = hp.EncryptionKeys(b"0123456789012345")
    reading = hp.DecryptionKeys(footer_key=b"0123456789012345")
    write(root, _FRAME, file_scheme="hive", row_group_offsets=6, encryption=keys)
    assert len(hp.ParquetFile(root, decryption=reading).to_pandas()) == 12
    file = hp.ParquetFile(root, decryption=reading)
    with pytest.raises(UnsupportedFeature, match="encrypted"):
        file.write_row_groups(_FRAME, write_fmd=True)
    path = f"{root}/one.parquet"
    write(path, _FRAME, encryption=keys, row_group_rows=6)
    with pytest.raises(UnsupportedFeature, match="encrypted"):
        hp.ParquetFile(path, decryption=reading).remove_row_groups(0)


def test_numbers_go_on():
    assert Numbering([]).next("") == "part.0.parquet"
    numbering = Numbering(["part.7.parquet", "k=1/part.9.parquet", "other.parquet"])
    assert numbering.next("k=1") == "k=1/part.10.parquet"
    assert numbering.next("k=1") == "k=1/part.11.parquet"
    assert numbering.next("") == "part.10.parquet"
    assert Numbering(["part-00004-a.snappy.parquet"]).next("") == "part.5.parquet"
