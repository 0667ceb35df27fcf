"""The Parquet library on a cluster: pieces and opened files as arguments, and dask's graphs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hocket.parquet as hp
from hocket.client import Client
from hocket.protocol.serialize import pack

ROWS, GROUP_ROWS = 2000, 100


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    columns = {f"column {number}": list(range(number, number + ROWS)) for number in range(200)}
    pq.write_table(pa.table(columns), folder / "wide.parquet", row_group_size=GROUP_ROWS)
    return folder / "wide.parquet"


def test_pieces_are_mapped_over(client: Client, path: Path) -> None:
    parts = hp.ParquetFile(path).parts(["column 7"], [("column 0", ">=", 1950)])
    futures = client.map(lambda part: part.to_pandas(), parts)
    assert pd.concat(client.gather(futures))["column 7"].tolist() == list(range(1957, 2007))


def _opened_here(opened: hp.ParquetFile, number: int) -> tuple[int, int, int]:
    # The object that describes the files is one in each process, however many tasks get it.
    read = opened[number].to_pandas(["column 1"])
    return os.getpid(), id(opened._collection), int(read["column 1"].sum())


def test_an_opened_file_is_light_and_its_footer_is_parsed_once_in_a_process(
    client: Client, path: Path
) -> None:
    opened = hp.ParquetFile(path)
    assert sum(memoryview(buffer).nbytes for buffer in pack(opened)) < 1000
    count = len(opened)
    futures = client.map(_opened_here, [opened] * count, range(count))
    told: dict[int, set[int]] = {}
    for number, (process, identity, total) in enumerate(client.gather(futures)):
        told.setdefault(process, set()).add(identity)
        first = number * GROUP_ROWS + 1
        assert total == sum(range(first, first + GROUP_ROWS))
    assert all(len(identities) == 1 for identities in told.values())


def test_a_task_opens_a_file_for_another(client: Client, path: Path) -> None:
    opened = client.submit(hp.ParquetFile, str(path))
    assert client.submit(lambda file: file.count([("column 0", "<", 10)]), opened).result() == 10
    assert opened.result()[:1].count() == GROUP_ROWS


def test_a_file_that_is_gone_is_the_users_error(client: Client, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    (part, *_) = hp.ParquetFile(copy).parts()
    copy.unlink()
    with pytest.raises(FileNotFoundError, match=r"copy\.parquet"):
        client.submit(lambda part: part.to_pandas(), part).result()


def test_dask_frames_run_on_hocket(client: Client, path: Path) -> None:
    dask: Any = pytest.importorskip("dask")
    hpd: Any = pytest.importorskip("hocket.parquet.dask")
    frame = hpd.read_parquet(path, index="column 0", rows=2 * GROUP_ROWS)
    with dask.config.set(scheduler=client.get):
        assert frame["column 3"].sum().compute() == sum(range(3, 3 + ROWS))
        assert frame.loc[50:59]["column 9"].compute().tolist() == list(range(59, 69))
