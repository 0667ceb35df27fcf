"""Single files that are added to, shortened and told other metadata: always whole."""

from __future__ import annotations

import os
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hocket.parquet as hp
from hocket.parquet.api import update_file_custom_metadata, write
from hocket.parquet.dataset.commit import RECORD
from hocket.parquet.dataset.data_file import Opener
from hocket.parquet.dataset.edit.custom_metadata import changed_key_values
from hocket.parquet.dataset.edit.single_file import rewriting
from hocket.parquet.dataset.edit.sorting import sort_keys
from hocket.parquet.errors import (
    ColumnMissing,
    CorruptFile,
    EditConflict,
    InvalidOption,
    SchemaMismatch,
    UnsupportedFeature,
)
from hocket.parquet.io.buffers import padded_copy
from hocket.parquet.metadata.footer import parse_footer
from hocket.parquet.metadata.rewriting import footer_of_parts, row_group_parts

_FRAME = pd.DataFrame(
    {
        "n": np.arange(10, dtype=np.int64),
        "x": np.linspace(0, 1, 10),
        "text": [f"text {at % 3}" for at in range(10)],
        "list": [[at] * (at % 3) for at in range(10)],
    }
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "one.parquet")


def _names_beside(path):
    return [each.name for each in Path(path).parent.iterdir()]


def test_rows_are_added_behind_those_of_a_file(path):
    write(path, _FRAME, row_group_rows=4, bloom_filters=["text"])
    before = Path(path).read_bytes()
    write(path, _FRAME[["list", "n", "x", "text"]], append=True, row_group_rows=5)
    data_nbytes = len(before) - 8 - int.from_bytes(before[-8:-4], "little")
    assert Path(path).read_bytes()[:data_nbytes] == before[:data_nbytes]
    both = pd.concat([_FRAME, _FRAME], ignore_index=True)
    pd.testing.assert_frame_equal(hp.read(path)[["n", "x"]], both[["n", "x"]])
    assert hp.read(path)["text"].tolist() == both["text"].tolist()
    table = pq.read_table(path)
    assert table["list"].to_pylist() == both["list"].tolist()
    told = pq.read_metadata(path)
    assert [told.row_group(at).num_rows for at in range(5)] == [4, 4, 2, 5, 5]
    assert hp.ParquetFile(path).count([("text", "==", "text 2")]) == 6
    assert [each.ordinal for each in hp.ParquetFile(path).row_groups] == [0, 1, 2, 3, 4]
    assert _names_beside(path) == ["one.parquet"]


def test_to_append_to_nothing_is_to_write(path):
    write(path, _FRAME, append=True, sort_by=[("n", True)])
    write(path, _FRAME, append=True)
    assert hp.read(path)["n"].tolist() == [*range(9, -1, -1), *range(10)]


@pytest.mark.parametrize("compression", ["snappy", "zstd", "none"])
def test_rows_are_added_to_files_of_pyarrow(path, compression):
    table = pa.table({"n": pa.array([1, None]), "s": ["a", "b"], "b": [True, False]})
    pq.write_table(table, path, compression=compression)
    write(path, {"n": np.array([3]), "s": np.array(["c"]), "b": np.array([True])}, append=True)
    assert pq.read_table(path).to_pylist()[2] == {"n": 3, "s": "c", "b": True}
    write(path, table, append=True)
    assert pq.read_table(path)["n"].to_pylist() == [1, None, 3, 1, None]


def test_values_are_widened_to_what_is_there(path):
    write(path, {"n": np.arange(3, dtype=np.int64), "x": np.ones(3)})
    write(path, {"n": np.array([-7], np.int32), "x": np.array([0.5], np.float32)}, append=True)
    assert hp.read(path)["n"].tolist() == [0, 1, 2, -7]
    assert pq.read_table(path)["x"].to_pylist() == [1, 1, 1, 0.5]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"n": np.array([1])}, "missing: 'x'"),
        ({"n": np.array([1]), "x": np.array(["a"])}, "BYTE_ARRAY.*DOUBLE"),
        ({"n": np.array([1], np.uint64), "x": np.ones(1)}, "UINT64"),
        ({"n": np.array([1]), "x": np.ones(1), "y": np.ones(1)}, "new: 'y'"),
    ],
)
def test_other_columns_are_refused(path, data, match):
    write(path, {"n": np.arange(3), "x": np.ones(3)})
    before = Path(path).read_bytes()
    with pytest.raises(SchemaMismatch, match=match):
        write(path, data, append=True)
    assert Path(path).read_bytes() == before
    assert _names_beside(path) == ["one.parquet"]


def test_an_error_in_the_middle_leaves_the_file(path):
    write(path, {"n": np.arange(3)})
    before = Path(path).read_bytes()

    def parts():
        yield {"n": np.arange(3)}
        raise KeyError("no more")

    with pytest.raises(KeyError):
        write(path, parts(), append=True)
    assert Path(path).read_bytes() == before
    assert _names_beside(path) == ["one.parquet"]


def test_a_file_replaced_meanwhile_is_not_overwritten(path):
    write(path, {"n": np.arange(3)})
    with ExitStack() as stack:
        _, sink = stack.enter_context(rewriting(path, Opener()))
        sink.write([b"mine"])
        write(path, {"n": np.arange(5)})
        with pytest.raises(EditConflict):
            stack.close()
    assert hp.read(path)["n"].tolist() == list(range(5))
    assert _names_beside(path) == ["one.parquet"]


def test_edits_of_a_file_keep_links_and_permissions(path, tmp_path):
    write(path, {"n": np.arange(3)})
    Path(path).chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    write(str(link), {"n": np.arange(3)}, append=True)
    assert link.is_symlink()
    assert len(hp.read(path)) == 6
    assert Path(path).stat().st_mode & 0o777 == 0o640


def test_encrypted_files_are_not_added_to(path):
    keys = hp.EncryptionKeys(b"0123456789012345", encrypts_footer=False)
    write(path, _FRAME, encryption=keys)
    before = Path(path).read_bytes()
    with pytest.raises(UnsupportedFeature, match="encrypted"):
        write(path, _FRAME, append=True)
    with pytest.raises(UnsupportedFeature, match="encrypted"):
        update_file_custom_metadata(path, {"a": "b"})
    with pytest.raises(InvalidOption, match="encryption"):
        write(path, _FRAME, append=True, encryption=keys)
    assert Path(path).read_bytes() == before


def test_an_open_file_cannot_be_added_to(tmp_path):
    with (tmp_path / "x").open("wb") as file, pytest.raises(InvalidOption, match="path"):
        write(file, _FRAME, append=True)


# ------------------------------------------------------------------------------------- row groups


@pytest.mark.parametrize("removed", [[0], [1, 2], [4], [0, 2, 4], range(5)])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_row_groups_are_cut_out(path, removed, version):
    frame = pd.concat([_FRAME] * 2, ignore_index=True).assign(n=range(20))
    table = pa.table(frame)
    pq.write_table(
        table,
        path,
        row_group_size=4,
        write_page_index=True,
        data_page_version=version,
        data_page_size=30,
        bloom_filter_options={"text": True},
    )
    large = Path(path).stat().st_size
    file = hp.ParquetFile(path)
    file.remove_row_groups(list(removed))
    kept = [at for at in range(20) if at // 4 not in removed]
    assert file.count() == len(kept)
    assert Path(path).stat().st_size < large
    after = pq.read_table(path)
    assert after["n"].to_pylist() == kept
    assert after.schema.equals(table.schema, check_metadata=False)
    pd.testing.assert_frame_equal(
        hp.read(path).reset_index(drop=True)[["n", "text"]],
        frame.iloc[kept].reset_index(drop=True)[["n", "text"]],
    )
    # The page index is where the pages are, and the Bloom filter beside it.
    for number in kept[:3]:
        assert hp.read(path, filters=[("n", "==", number)])["n"].tolist() == [number]
    assert hp.ParquetFile(path).count([("text", "==", "text 1")]) == sum(
        at % 10 % 3 == 1 for at in kept
    )


def test_a_slice_counts_its_own_row_groups(path):
    write(path, _FRAME, row_group_rows=2)
    part = hp.ParquetFile(path)[2:]
    part.remove_row_groups([0, part.row_groups[2]])
    assert hp.read(path)["n"].tolist() == [0, 1, 2, 3, 6, 7]
    with pytest.raises(IndexError):
        part.remove_row_groups(17)


def test_rows_are_added_by_the_opened_file(path):
    write(path, _FRAME)
    file = hp.ParquetFile(path)
    file.write_row_groups([_FRAME, _FRAME], row_group_offsets=7)
    assert file.count() == 30
    assert len(file) == 4
    with pytest.raises(InvalidOption, match="sort_key"):
        file.write_row_groups(_FRAME, sort_key=lambda group: group.num_rows)
    with pytest.raises(InvalidOption, match="path"):
        hp.ParquetFile(Path(path).read_bytes()).write_row_groups(_FRAME)


# --------------------------------------------------------------------------------------- metadata


def test_metadata_of_a_file_are_changed(path):
    _FRAME.to_parquet(path, row_group_size=3)
    update_file_custom_metadata(path, {"a": "1", b"b": b"2", "pandas": None})
    told = pq.read_metadata(path)
    assert told.metadata[b"a"] == b"1"
    assert b"pandas" not in told.metadata
    assert pq.read_table(path)["n"].to_pylist() == list(range(10))
    update_file_custom_metadata(path, dict.fromkeys(["a", "b", "ARROW:schema", "none"]))
    assert pq.read_metadata(path).metadata is None
    with pytest.raises(InvalidOption, match="texts"):
        update_file_custom_metadata(path, {"a": 5})


@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3)),
    st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3)),
)
def test_values_are_changed_by_key(before, changes):
    expected = {**before, **changes}
    expected = {key: value for key, value in expected.items() if value is not None}
    assert changed_key_values(before, changes) == expected


def test_a_file_in_memory_is_edited():
    filesystem = fsspec.filesystem("memory")
    place = f"memory://edited-{os.getpid()}/one.parquet"
    write(place, _FRAME)
    write(place, _FRAME, append=True)
    update_file_custom_metadata(place, {"a": "b"})
    file = hp.ParquetFile(place)
    file.remove_row_groups([0])
    assert file.count() == 10
    assert file.key_value_metadata["a"] == "b"
    assert len(filesystem.find(f"edited-{os.getpid()}")) == 1
    filesystem.rm(f"edited-{os.getpid()}", recursive=True)


def test_a_record_beside_the_file_is_heeded(path):
    write(path, _FRAME)
    Path(path).with_name(RECORD).write_text("{")
    with pytest.raises(CorruptFile, match="record"):
        write(path, _FRAME, append=True)


# ---------------------------------------------------------------------------------------- sorting


@settings(max_examples=50)
@given(st.data())
def test_rows_are_sorted(data):
    size = data.draw(st.integers(1, 30))
    columns = {
        "i": st.integers(-5, 5),
        "u": st.sampled_from([0, 1, (1 << 64) - 1]),
        "f": st.sampled_from([-0.5, 0.0, 7.5, float("inf")]),
        "s": st.sampled_from(["", "a", "é", "zz"]),
        "b": st.booleans(),
        "d": st.sampled_from([Decimal(-3), Decimal("2.5"), Decimal(10)]),
    }
    kinds = {
        "i": pa.int32(),
        "u": pa.uint64(),
        "f": pa.float64(),
        "s": pa.string(),
        "b": pa.bool_(),
        "d": pa.decimal128(20, 2),
    }
    rows = {
        name: data.draw(st.lists(st.none() | values, min_size=size, max_size=size))
        for name, values in columns.items()
    }
    keys = data.draw(
        st.lists(st.tuples(st.sampled_from(sorted(columns)), st.booleans()), min_size=1, max_size=3)
    )
    table = pa.table({name: pa.array(rows[name], kinds[name]) for name in columns})
    table = table.append_column("row", pa.array(range(size)))
    place = f"memory://sorted-{os.getpid()}"
    pieces = [table.slice(0, size // 2), table.slice(size // 2)]
    write(place, iter(pieces), sort_by=keys)
    back = pa.table(hp.ParquetFile(place).to_arrow())
    order = list(range(size))
    for name, descending in reversed(keys):
        told = [at for at in order if rows[name][at] is not None]
        told.sort(key=lambda at, name=name: rows[name][at], reverse=descending)
        order = told + [at for at in order if rows[name][at] is None]
    assert back["row"].to_pylist() == order
    assert back["s"].to_pylist() == [rows["s"][at] for at in order]


def test_what_cannot_be_sorted_by_is_told(path):
    with pytest.raises(InvalidOption, match="several values"):
        write(path, _FRAME, sort_by="list")
    with pytest.raises(ColumnMissing, match="'nope'"):
        write(path, _FRAME, sort_by="nope")
    with pytest.raises(InvalidOption, match="sort_by"):
        sort_keys([("a", "yes")])
    assert sort_keys(None) == []
    assert sort_keys(["a", ("b", True)]) == [("a", False), ("b", True)]


# ---------------------------------------------------------------------------------------- footers


@given(st.lists(st.integers(1, 4), max_size=4), st.text("ab/=.", min_size=1, max_size=200))
def test_footers_are_made_of_parts_of_others(counts, name):
    place = f"memory://parts-{os.getpid()}"
    frame = pd.DataFrame({"n": range(sum(counts)), "s": "x"})
    offsets = np.cumsum([0, *counts])[:-1].tolist() if counts else None
    write(place, frame, row_group_offsets=offsets or None)
    metadata = hp.ParquetFile(place)._collection.summary
    groups = range(metadata.row_group_count)
    described = footer_of_parts(metadata, row_group_parts(metadata, groups, name), len(frame))
    other = parse_footer(padded_copy(described))
    assert [other.file_path(at) for at in groups] == [name] * len(groups)
    assert other.schema == metadata.schema
    assert other.row_group_rows.tolist() == metadata.row_group_rows.tolist()
    assert other.to_thrift().row_groups[0].columns[0].file_path == name if counts else True
    again = footer_of_parts(other, row_group_parts(other, groups, ""), len(frame))
    assert again == metadata.data[: metadata.serialised_nbytes].tobytes()
