"""Locks under which dask's tasks write."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from hocket.client.dask_adapter.locks import ClusterLock, with_cluster_locks

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

from dask.utils import SerializableLock  # noqa: E402 - dask may be absent


class Target:
    shape = (4,)
    ndim = 1

    def __setitem__(self, where: Any, block: Any) -> None:
        raise AssertionError(where, block)


def entries_of_store(lock: Any) -> dict[Any, Any]:
    stored = da.store(da.ones(4, chunks=2) + 1, Target(), lock=lock, compute=False)
    return dict(dask.base.collections_to_expr([stored]).optimize().__dask_graph__())


def names_in(value: Any, depth: int = 8) -> set[str]:
    """Return the names of our locks in what dask made."""
    if type(value) is ClusterLock:
        return {value.name}
    if not depth:
        return set()
    if isinstance(value, dict):
        value = list(value.values())
    elif not isinstance(value, list | tuple):
        value = [getattr(value, "args", ()), getattr(value, "kwargs", {})]
        depth = depth if any(value) else 0
    return {name for one in value for name in names_in(one, depth - 1)} if depth else set()


@pytest.mark.parametrize("lock", [SerializableLock("a-token"), threading.Lock(), True])
def test_locks_of_a_process_become_locks_of_the_cluster(lock: Any) -> None:
    entries = entries_of_store(lock)
    before = dict(entries)
    changed = with_cluster_locks(entries)
    (name,) = names_in(changed)
    assert entries == before
    assert not names_in(entries)
    # The same lock in another graph is the same on the cluster, and another is another.
    if lock is not True:
        assert names_in(with_cluster_locks(entries_of_store(lock))) == {name}
    assert names_in(with_cluster_locks(entries_of_store(SerializableLock()))) != {name}


@pytest.mark.parametrize("lock", [False, ClusterLock("mine")])
def test_no_lock_and_locks_of_the_user_stay(lock: Any) -> None:
    entries = entries_of_store(lock)
    changed = with_cluster_locks(entries)
    assert names_in(changed) == ({"mine"} if lock else set())


def test_graphs_without_writers_are_left_alone() -> None:
    expression = dask.base.collections_to_expr([da.ones(4, chunks=2).sum()]).optimize()
    entries = dict(expression.__dask_graph__())
    assert with_cluster_locks(entries) is entries


def test_a_lock_travels_by_its_name() -> None:
    lock = pickle.loads(pickle.dumps(ClusterLock("x")))
    assert (type(lock), lock.name) == (ClusterLock, "x")
    assert "x" in repr(lock)
