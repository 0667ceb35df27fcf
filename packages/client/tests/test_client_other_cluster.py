"""Futures and the like of one cluster in the hands of another: refused at once, by name."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hocket.client import Client, Future, Lock, Queue, Variable, as_completed, get_client, wait
from hocket.core.errors import OtherCluster, PeerLost, SerializationError
from hocket.graph import Graph, Literal, Task
from hocket.protocol.messages import SubmitTasks


def increment(x: int) -> int:
    return x + 1


@dataclass
class Box:
    """Hides a future in data."""

    future: Any


@pytest.fixture
def far(scheduler: Any) -> Iterator[Client]:
    """Return a client of another cluster."""
    other = type(scheduler)("inproc")
    with Client(other.address, settings=other.settings) as client:
        yield client
    other.close()


@pytest.fixture
def foreign(far: Client) -> Future:
    """Return a future of another cluster."""
    future = far.submit(increment, 1, key="far-1")
    assert future.result(5) == 2
    return future


#: Ways to use a future with a client.
WAYS: dict[str, Callable[[Client, Future], Any]] = {
    "submit": lambda client, future: client.submit(increment, future),
    "keyword": lambda client, future: client.submit(increment, x=future),
    "named": lambda client, future: client.submit(increment, future, key="k"),
    "deep": lambda client, future: client.submit(increment, {"a": [Box((future,))]}),
    "closure": lambda client, future: client.submit(lambda: future),
    "map": lambda client, future: client.map(increment, [1, future]),
    "map keyword": lambda client, future: client.map(pow, [1], exp=future),
    "actor": lambda client, future: client.actor(Box, future),
    "graph": lambda client, future: client.get({"a": future, "b": (increment, "a")}, "b"),
    "graph argument": lambda client, future: client.get(Graph({"a": Task(len, ([future],))}), "a"),
    "graph literal": lambda client, future: client.get(Graph({"a": Literal(Box(future))}), "a"),
    "gather": lambda client, future: client.gather(future),
    "gather deep": lambda client, future: client.gather({"a": [future]}, errors="skip"),
    "cancel": lambda client, future: client.cancel([future]),
    "retry": lambda client, future: client.retry([future]),
    "who_has": lambda client, future: client.who_has([future]),
    "replicate": lambda client, future: client.replicate([future]),
    "rebalance": lambda client, future: client.rebalance([future]),
    "call_stack": lambda client, future: client.call_stack(future),
    "executor": lambda client, future: client.get_executor().submit(increment, future).result(5),
    "variable": lambda client, future: Variable("v", client).set([future]),
    "queue": lambda client, future: Queue("q", client).put([Box(future)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_at_once(
    scheduler: Any, client: Client, far: Client, foreign: Future, way: str
) -> None:
    before = len(scheduler.of(SubmitTasks))
    with pytest.raises(OtherCluster) as caught:
        WAYS[way](client, foreign)
    text = str(caught.value)
    for part in ("'far-1'", far.address, far.cluster_id, client.address, client.cluster_id):
        assert part in text
    assert "future.result()" in text
    # Nothing of it has left, both clusters go on, and the future is as it was.
    assert client.submit(increment, 5).result(5) == 6
    assert len(scheduler.of(SubmitTasks)) == before + 1
    assert far.submit(increment, foreign).result(5) == 3
    assert foreign.status == "finished"


def test_collections_of_dask_are_refused_too(client: Client, far: Client) -> None:
    dask = pytest.importorskip("dask")
    bag = pytest.importorskip("dask.bag")
    persisted = far.persist(bag.from_sequence([1, 2, 3], npartitions=2))
    wait(far.futures_of(persisted), 5)
    for use in (
        lambda: client.compute(persisted.sum()),
        lambda: client.persist(persisted.map(increment)),
        lambda: client.gather(client.futures_of(persisted)),
        lambda: client.cancel(persisted),
        lambda: client.compute(dask.delayed(sum)(far.futures_of(persisted))),
    ):
        with pytest.raises(OtherCluster, match=re.escape(far.address)):
            use()
    assert far.compute(persisted.sum(), sync=True) == 6


def test_an_asynchronous_client_says_the_same(scheduler: Any, foreign: Future) -> None:
    async def main() -> None:
        async with Client(scheduler.address, asynchronous=True) as client:
            with pytest.raises(OtherCluster, match="far-1"):
                client.submit(increment, foreign)
            with pytest.raises(OtherCluster, match="far-1"):
                await client.gather([foreign])

    asyncio.run(main())


def test_functions_without_a_client_take_futures_of_any(client: Client, foreign: Future) -> None:
    ours = client.submit(increment, 2)
    assert wait([ours, foreign], 5).done == {ours, foreign}
    assert {future.result(5) for future in as_completed([ours, foreign], timeout=5)} == {2, 3}


def test_clients_of_one_cluster_share_their_futures(scheduler: Any, client: Client) -> None:
    future = client.submit(increment, 1)
    assert future.result(5) == 2
    with Client(scheduler.address, settings=scheduler.settings) as other:
        assert other.cluster_id == client.cluster_id == scheduler.cluster_id
        assert other.gather([future, other.submit(increment, future)]) == [2, 3]
        assert other.get({"a": future, "b": (increment, "a")}, "b") == 3


# ---------------------------------------------------------------------- what was pickled


def test_a_pickle_of_another_cluster_finds_no_client_here(
    scheduler: Any, client: Client, far: Client, foreign: Future
) -> None:
    data = pickle.dumps({"deep": [foreign]})
    assert pickle.loads(data)["deep"][0].session is foreign.session
    lock = pickle.dumps(Lock("l", far))
    far.close()
    with pytest.raises(OtherCluster, match=f"'far-1'.*{far.cluster_id}.*{client.cluster_id}"):
        pickle.loads(data)
    with pytest.raises(OtherCluster, match=f"lock 'l'.*{far.cluster_id}.*{client.cluster_id}"):
        pickle.loads(lock).acquire()
    client.close()
    with pytest.raises(PeerLost, match=r"no client of this cluster.*'far-1'.*make one"):
        pickle.loads(data)


def test_in_a_task_the_tasks_cluster_is_named(
    scheduler: Any, make_task: Any, far: Client, foreign: Future
) -> None:
    data = pickle.dumps(foreign)
    with make_task():
        # A client that the task has made serves.
        assert pickle.loads(data).session is foreign.session
        with pytest.raises(OtherCluster, match="far-1"):
            get_client().submit(increment, foreign)
        far.close()
        with pytest.raises(OtherCluster, match=f"far-1.*{scheduler.cluster_id}"):
            pickle.loads(data)


# ---------------------------------------------------------------------- clients that are closed


def test_a_future_of_a_closed_client_says_so(scheduler: Any, client: Client) -> None:
    with Client(scheduler.address, settings=scheduler.settings) as other:
        scheduler.held = True
        future = other.submit(increment, 1, key="left-1")
    scheduler.let_go()
    for use in (
        lambda: client.submit(increment, future),
        lambda: client.map(increment, [1, [future]]),
        lambda: client.submit(lambda: future),
    ):
        with pytest.raises(SerializationError, match=r"'left-1'"):
            use()
    data = pickle.dumps(future)
    # The cluster is the same, and whoever unpickles it asks there.
    assert pickle.loads(data).session is client.submit(increment, 1).session
