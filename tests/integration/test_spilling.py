"""Two workers that hold three times what they have memory for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hocket.client import Client, wait
from hocket.deploy import LocalCluster

da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.slow

#: Of each of two workers; some 60 MB of it are the process itself.
LIMIT = 256_000_000
NBYTES = 16_000_000
COUNT = 96


@pytest.fixture
def client(tmp_path):
    settings = {"worker.local_directory": str(tmp_path / "files")}
    with (
        LocalCluster(2, 1, memory_limit=LIMIT, settings=settings) as cluster,
        Client(cluster) as made,
    ):
        yield made
    assert list((tmp_path / "files").iterdir()) == []


def files_nbytes(tmp_path: Path) -> int:
    """Return what lies in files of the workers."""
    return sum(path.stat().st_size for path in tmp_path.glob("files/*/*"))


def make(number):
    return np.full(NBYTES // 8, number, dtype="f8")


def total(array):
    array[0] += 0.0  # It can be written to, like one that was just computed.
    return float(array.sum())


def test_futures_of_three_times_the_memory_are_kept_and_read(client, tmp_path):
    futures = client.map(make, range(COUNT))
    wait(futures)
    assert files_nbytes(tmp_path) > COUNT * NBYTES / 3
    totals = client.gather(client.map(total, futures))
    assert totals == [float(number * NBYTES // 8) for number in range(COUNT)]
    for number, future in enumerate(futures):
        array = future.result()
        assert (array == number).all()
        assert array.flags.writeable


def test_a_persisted_array_of_three_times_the_memory_is_summed(client, tmp_path):
    rows = COUNT * NBYTES // 8 // 1000
    array = da.ones((rows, 1000), chunks=(rows // COUNT, 1000)).cumsum(axis=1)
    kept = client.persist(array)
    wait(kept)
    assert files_nbytes(tmp_path) > COUNT * NBYTES / 3
    assert client.compute(kept[:, -1].sum()).result() == rows * 1000
    assert client.compute(kept.max()).result() == 1000
