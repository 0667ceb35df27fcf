"""Bytes of large chunks are given back while they are decoded, and never looked at again."""

from __future__ import annotations

import numpy as np
import pytest

import hocket.parquet as hp
from hocket.parquet import memory
from hocket.parquet.dataset import reading as dataset_reading
from hocket.parquet.decode import reading as decode_reading

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def spoilt(monkeypatch):
    """Have even small chunks given back, and what is given back overwritten."""
    spent = []

    def spoil(part):
        spent.append(part.nbytes)
        part[:] = 0xA5

    monkeypatch.setattr(dataset_reading, "_SPENT_NBYTES", 1)
    monkeypatch.setattr(decode_reading, "_SPEND_NBYTES", 1)
    monkeypatch.setattr(decode_reading, "discard", spoil)
    return spent


def table(rows):
    rng = np.random.default_rng(3)
    texts = [None if at % 7 == 0 else f"{at:x}" * (at % 5) for at in range(rows)]
    return pa.table(
        {
            "i": rng.integers(0, 1 << 60, rows),
            "n": pa.array(rng.random(rows), mask=rng.random(rows) < 0.1),
            "s": texts,
            "d": pa.array(texts).dictionary_encode(),
            "l": [list(range(at % 4)) for at in range(rows)],
            "m": [{"a": at, "b": texts[at]} for at in range(rows)],
        }
    )


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_nothing_is_read_from_what_was_given_back(tmp_path, spoilt, codec, version):
    path = tmp_path / "a.parquet"
    made = table(3000)
    pq.write_table(
        made,
        path,
        compression=codec,
        data_page_version=version,
        data_page_size=2000,
        write_batch_size=100,
        use_dictionary=["d"],
        row_group_size=1700,
    )
    found = pa.table(hp.ParquetFile(path, threads=1).to_arrow())
    assert sum(spoilt) > path.stat().st_size // 2
    for name in made.column_names:
        assert found[name].to_pylist() == made[name].to_pylist(), name
    frame = hp.read(path, threads=1)
    assert frame["i"].tolist() == made["i"].to_pylist()
    assert frame["s"].isna().tolist() == made["s"].is_null().to_pylist()


def test_chunks_that_are_decoded_twice_are_read_again(tmp_path, spoilt):
    path = tmp_path / "a.parquet"
    # Nanoseconds do not reach so far: the chunk is decoded again, to a coarser unit.
    days = np.array(["2000-01-01", "2900-01-01"] * 500, "M8[us]")
    pq.write_table(
        pa.table({"t": days}),
        path,
        use_deprecated_int96_timestamps=True,
        use_dictionary=False,
        data_page_size=1000,
        write_batch_size=100,
    )
    assert hp.read(path, threads=1)["t"].dt.year.tolist() == [2000, 2900] * 500
    assert spoilt


def test_memory_of_an_array_is_given_back():
    nbytes = 8 << 20
    array = memory.new_array(nbytes, np.uint8)
    array[:] = 7
    memory.discard(array[100 : nbytes - 100])
    assert array[:100].tolist() == [7] * 100
    assert array[-100:].tolist() == [7] * 100
    if memory._CAN_KEEP:
        assert not array[3 << 20 : 5 << 20].any()
    small = np.full(1 << 22, 7, np.uint8)
    memory.discard(small)
    assert small.all()
