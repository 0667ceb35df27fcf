"""dask's collections on real clusters: futures, shuffles over workers, errors, nested computing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, get_client
from hocket.client.dask_adapter.collections import futures_of
from hocket.deploy import LocalCluster

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
db = pytest.importorskip("dask.bag")
numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")

from dask.utils import SerializableLock  # noqa: E402 - dask may be absent

ROWS = 2000


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=True) as one:
        yield one


@pytest.fixture
def table() -> Any:
    numbers = range(ROWS)
    return pandas.DataFrame(
        {"key": [number * 7 % 50 for number in numbers], "value": [n * 31 % 997 for n in numbers]}
    )


def test_arrays(client: Client) -> None:
    x = da.arange(10_000, chunks=500).reshape((100, 100)).rechunk((20, 20))
    kept = x.persist()
    assert int((kept + kept.T).trace().compute()) == 2 * sum(range(0, 10_000, 101))
    assert kept.rechunk((100, 7)).sum(axis=0).compute().tolist() == [
        495_000 + 100 * column for column in range(100)
    ]
    holders = client.who_has(futures_of(kept))
    assert len({worker for workers in holders.values() for worker in workers}) == 2


def test_frames_shuffled_merged_and_sorted_over_two_workers(client: Client, table: Any) -> None:
    frame = dd.from_pandas(table, npartitions=12)
    sizes = frame.shuffle("key").map_partitions(lambda part: part.key.nunique()).compute()
    assert sum(sizes) == 50
    ordered = frame.set_index("value").compute()
    assert ordered.index.tolist() == sorted(table.value)
    best = frame.groupby("key").value.max().reset_index()
    joined = frame.merge(best, on="key", suffixes=("", "_best")).compute()
    expected = table.merge(table.groupby("key").value.max().reset_index(), on="key")
    assert joined.value_best.sum() == expected.value_y.sum()
    wide = frame.groupby("key").value.mean(split_out=4).compute()
    assert wide.sort_index().tolist() == table.groupby("key").value.mean().tolist()


def test_bags_are_grouped_over_two_workers(client: Client) -> None:
    bag = db.from_sequence(range(300), npartitions=9)
    groups = bag.groupby(lambda number: number % 7).map(lambda pair: (pair[0], sorted(pair[1])))
    assert dict(groups.compute()) == {rest: list(range(rest, 300, 7)) for rest in range(7)}


def test_frames_of_futures(client: Client, table: Any) -> None:
    parts = client.scatter([table, table])
    meta = table.iloc[:0]
    assert int(dd.from_delayed(parts, meta=meta).value.sum().compute()) == 2 * table.value.sum()
    mapped = dd.from_map(lambda part, number: part.assign(key=number), parts, [1, 2], meta=meta)
    assert mapped.key.value_counts().compute().to_dict() == {1: ROWS, 2: ROWS}


class Target:
    """A file, in which no two may write at once."""

    shape = (6, 6)
    ndim = 2

    def __init__(self, path: Path) -> None:
        self.path = path

    def __setitem__(self, where: Any, block: Any) -> None:
        with open(f"{self.path}.used", "x"):  # noqa: PTH123 - fails if it is there
            values = numpy.load(self.path)
            time.sleep(0.002)
            values[where] = block
            numpy.save(self.path, values)
        os.unlink(f"{self.path}.used")  # noqa: PTH108

    def __getitem__(self, where: Any) -> Any:
        return numpy.load(self.path)[where]


@pytest.mark.parametrize("make_lock", [lambda: True, SerializableLock, threading.Lock])
def test_tasks_that_store_write_one_after_the_other(
    client: Client, tmp_path: Path, make_lock: Any
) -> None:
    path = tmp_path / "stored.npy"
    numpy.save(path, numpy.zeros((6, 6)))
    x = da.arange(36, chunks=6).reshape((6, 6)).rechunk((2, 2))
    da.store(x, Target(path), lock=make_lock())
    assert numpy.load(path).tolist() == numpy.arange(36).reshape((6, 6)).tolist()
    stored = da.store(x + 1, Target(path), lock=make_lock(), compute=False, return_stored=True)
    assert int((stored + 1).sum().compute()) == sum(range(36)) + 72


def fail(part: Any) -> Any:
    raise ValueError(f"{len(part)} rows")


def test_an_error_has_its_key_and_the_users_traceback(client: Client, table: Any) -> None:
    frame = dd.from_pandas(table, npartitions=2).map_partitions(fail, meta=table)
    with pytest.raises(ValueError, match="1000 rows") as caught:
        frame.compute()
    assert caught.traceback[-1].name == "fail"
    (note,) = caught.value.__notes__
    assert any(f"{key!r}"[2:-1].split("'")[0] in note for key in frame.optimize().__dask_keys__())


def nested(count: int) -> int:
    with dask.config.set(scheduler=get_client()):
        return int(da.ones(count, chunks=10).sum().compute())


def test_collections_inside_tasks(client: Client) -> None:
    assert client.gather(client.map(nested, [30, 40, 50, 60])) == [30, 40, 50, 60]


def test_xarray(client: Client) -> None:
    xarray = pytest.importorskip("xarray")
    whole = xarray.Dataset({"a": (("x", "y"), [[1.0, 2.0], [3.0, 4.0]])}, {"x": [10, 20]})
    blocks = whole.chunk({"x": 1})
    assert blocks.a.mean("x").compute().equals(whole.a.mean("x"))
    assert float(blocks.persist().a.sum()) == 10.0
    assert xarray.Dataset.equals(blocks.load(), whole)
