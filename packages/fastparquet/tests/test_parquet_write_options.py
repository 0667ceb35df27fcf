"""Options of writers: what they change, and what is said of those that cannot be."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hocket.parquet as hp

DATA = {
    "id": np.arange(1000),
    "name": np.array(["x", "yy"] * 500),
    "flag": np.arange(1000) % 3 == 0,
    "dotted.name": np.linspace(0, 1, 1000),
}
NESTED = pa.table({"s": pa.array([{"a": n, "b": str(n)} for n in range(100)]), "x": range(100)})


def written(data=DATA, **options) -> pq.FileMetaData:
    """The footer as another reader sees it."""
    file = io.BytesIO()
    hp.write(file, data, **options)
    return pq.ParquetFile(io.BytesIO(file.getvalue())).metadata


def chunks(metadata) -> dict:
    group = metadata.row_group(0)
    return {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}


def test_compression():
    assert {c.compression for c in chunks(written()).values()} == {"ZSTD"}
    for name, told in (
        ("snappy", "SNAPPY"),
        ("GZIP", "GZIP"),
        ("brotli", "BROTLI"),
        ("lz4", "LZ4"),
        (None, "UNCOMPRESSED"),
    ):
        assert {c.compression for c in chunks(written(compression=name)).values()} == {told}


def test_compression_by_column():
    found = chunks(written(compression={"id": "gzip", "dotted.name": None, "_default": "snappy"}))
    assert {name: c.compression for name, c in found.items()} == {
        "id": "GZIP",
        "name": "SNAPPY",
        "flag": "SNAPPY",
        "dotted.name": "UNCOMPRESSED",
    }
    found = chunks(written(NESTED, compression={"s": "gzip", ("s", "b"): "snappy"}))
    assert {name: c.compression for name, c in found.items()} == {
        "s.a": "GZIP",
        "s.b": "SNAPPY",
        "x": "ZSTD",
    }


def test_levels():
    noise = {"n": np.random.default_rng(0).integers(0, 50, 100_000).astype(np.int8)}
    sizes = [
        chunks(written(noise, compression="gzip", compression_level=level, dictionary=False))[
            "n"
        ].total_compressed_size
        for level in (1, 9)
    ]
    assert sizes[1] < sizes[0]
    one = {"type": "gzip", "args": {"compresslevel": 1}}
    told = written(noise, compression=one, dictionary=False)
    assert chunks(told)["n"].total_compressed_size == sizes[0]
    told = written(noise, compression={"n": one}, dictionary=False)
    assert chunks(told)["n"].total_compressed_size == sizes[0]


def test_a_level_for_those_codecs_that_have_any():
    codecs = {"name": "snappy", "flag": None}
    found = chunks(written(compression=codecs, compression_level=5))
    assert found["name"].compression == "SNAPPY"


def test_dictionaries():
    def coded(**options):
        return {
            name
            for name, c in chunks(written(**options)).items()
            if "RLE_DICTIONARY" in c.encodings
        }

    assert coded(dictionary=True) == {"id", "name", "dotted.name"}
    assert coded(dictionary=False) == set()
    assert coded(dictionary=["id"]) == {"id"}
    assert coded(dictionary={"name": True, "_default": False}) == {"name"}
    assert coded(dictionary=True, dictionary_nbytes=100) == {"name"}


def test_statistics_and_indexes():
    found = chunks(written(page_index=True))
    assert all(c.is_stats_set and c.has_column_index and c.has_offset_index for c in found.values())
    found = chunks(written(statistics=["id"]))
    assert {name for name, c in found.items() if c.is_stats_set} == {"id"}
    found = chunks(written(page_rows=500))
    assert all(c.has_column_index and c.has_offset_index for c in found.values())
    # There is nothing to choose from where each column has one page.
    assert not any(c.has_offset_index for c in chunks(written()).values())
    found = chunks(written(page_index=False, page_rows=500))
    assert not any(c.has_column_index or c.has_offset_index for c in found.values())
    assert found["id"].statistics.max == 999


def test_bloom_filters():
    file = io.BytesIO()
    hp.write(file, DATA, bloom_filters={"id": 0.001, "name": {"fpp": 0.1, "ndv": 2}})
    assert hp.ParquetFile(file).to_pandas(filters=[("name", "==", "xy")]).empty
    found = chunks(written(bloom_filters=True))
    assert {name for name, c in found.items() if c.bloom_filter_offset} == set(DATA) - {"flag"}


def test_row_groups():
    def rows(**options):
        told = written(**options)
        return [told.row_group(n).num_rows for n in range(told.num_row_groups)]

    assert rows() == [1000]
    assert rows(row_group_rows=400) == [400, 400, 200]
    assert rows(row_group_offsets=300) == [300, 300, 300, 100]
    assert rows(row_group_offsets=[0, 10, 600]) == [10, 590, 400]
    assert rows(row_group_nbytes=1) == [1] * 1000
    assert 2 <= len(rows(row_group_nbytes=10_000)) <= 5


def test_sorting_columns():
    told = written(sorting_columns=["id", ("name", True), ("dotted.name", False, True)])
    found = [
        (c.column_index, c.descending, c.nulls_first) for c in told.row_group(0).sorting_columns
    ]
    assert found == [(0, False, False), (1, True, False), (3, False, True)]


def test_key_value_metadata():
    told = written(custom_metadata={"a": "é", "b": b"\xff"})
    assert told.metadata[b"a"].decode() == "é"
    assert told.metadata[b"b"] == b"\xff"
    assert told.created_by.startswith("hocket-parquet version ")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"compresion": "snappy"}, "no option 'compresion' for writing; did you mean compression"),
        ({"compression": "zip"}, "'zip'"),
        ({"compression": 7}, "7"),
        ({"compression": {"idd": "gzip"}}, "in compression: .*did you mean 'id'"),
        ({"compression": "gzip", "compression_level": 99}, "from 0 to 9|from 1 to 9"),
        ({"compression": "snappy", "compression_level": {"id": 3}}, "no levels"),
        ({"encoding": "DELTA"}, "'DELTA'.*DELTA_BINARY_PACKED"),
        ({"encoding": {"name": "DELTA_BINARY_PACKED"}}, "not for BYTE_ARRAY.*DELTA_BYTE_ARRAY"),
        ({"encoding": {"flag": "RLE", "id": "RLE"}}, "not for INT64"),
        ({"dictionary": "yes"}, "'yes'.*True, False or None"),
        ({"dictionary_nbytes": 0}, "dictionary_nbytes is 0"),
        ({"row_group_rows": 0}, "row_group_rows is 0"),
        ({"row_group_nbytes": 1.5}, "row_group_nbytes is 1.5"),
        ({"row_group_offsets": [5, 10]}, "begins with 0"),
        ({"row_group_offsets": [0, 10, 10]}, "rises"),
        ({"row_group_offsets": "all"}, "'all'"),
        ({"row_group_offsets": []}, "begins with 0"),
        ({"page_version": 3}, "page_version is 3"),
        ({"page_rows": True}, "page_rows is True"),
        ({"page_nbytes": 1 << 40}, "page_nbytes is"),
        ({"checksums": 1}, "checksums is 1"),
        ({"page_index": "yes"}, "page_index is 'yes'"),
        ({"statistics": ["nam"]}, "in statistics: .*did you mean 'name'"),
        ({"bloom_filters": ["flag"]}, "no Bloom filters of booleans"),
        ({"bloom_filters": {"id": 2}}, "between 0 and 1"),
        ({"bloom_filters": {"id": {"ndv": "many"}}}, '"ndv" is .many'),
        ({"sorting_columns": ["ids"]}, "in sorting_columns"),
        ({"sorting_columns": [("id", "down")]}, "descending"),
        ({"custom_metadata": {"a": 1}}, "custom_metadata has 'a': 1"),
        ({"custom_metadata": "a"}, "a dict of strings"),
        ({"encryption": b"0123456789012345"}, "EncryptionKeys"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_what_is_no_option(options, match, tmp_path):
    """Is said before anything is written, with what would be one."""
    with pytest.raises(hp.ParquetError, match=match):
        hp.write(tmp_path / "t.parquet", DATA, **options)
    assert list(tmp_path.iterdir()) == []


def test_encodings_for_all_columns_are_for_those_that_can_have_them():
    found = chunks(written(encoding="DELTA_BINARY_PACKED"))
    assert "DELTA_BINARY_PACKED" in found["id"].encodings
    assert "DELTA_BINARY_PACKED" not in found["name"].encodings
