"""Clients come and go, and ask about their cluster."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest

from hocket.client import (
    Client,
    current_client,
    wait,
)
from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    NoCapacity,
    PeerLost,
    SerializationError,
    SettingsError,
    TaskCancelled,
)
from hocket.protocol.messages import (
    SubmitTasks,
    WaitForWorkers,
)
from hocket.protocol.serialize import identity


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


# ---------------------------------------------------------------------- the cluster


def test_run_on_all_workers(client: Client, scheduler: Any) -> None:
    assert client.run(divide, 6, y=3) == dict.fromkeys(scheduler.workers, 2.0)
    with pytest.raises(ZeroDivisionError):
        client.run(divide, 6, 0)
    scheduler.refuse = "no worker answers to bob"
    with pytest.raises(NoCapacity, match="bob"):
        client.run(increment, 1, workers="bob")


def test_facts(client: Client, scheduler: Any) -> None:
    info = client.scheduler_info()
    assert info["address"] == scheduler.address
    assert set(info["workers"]) == set(scheduler.workers)
    assert client.nthreads() == dict.fromkeys(scheduler.workers, 2)
    future = client.submit(increment, 1)
    wait(future, 5)
    assert client.who_has() == {future.key: list(scheduler.workers)}
    assert client.who_has([future]) == client.who_has()
    assert "running" in repr(client)


def test_wait_for_workers(client: Client, scheduler: Any) -> None:
    client.wait_for_workers(2, 5)
    with pytest.raises(TimeoutError):
        client.wait_for_workers(3, 0.01)
    with pytest.raises(ValueError, match="-1"):
        client.wait_for_workers(-1)
    assert len(scheduler.of(WaitForWorkers)) == 2


# ---------------------------------------------------------------------- life of clients


@pytest.mark.parametrize("timeout", ["soon", -1, True])
def test_a_shutdown_with_a_wrong_timeout_ends_nothing(client: Client, timeout: Any) -> None:
    with pytest.raises(SettingsError, match=r"'timeout' from shutdown\(\)"):
        client.shutdown(timeout=timeout)
    assert client.submit(abs, -1).result(5) == 1


def test_close(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    pending = client.submit(increment, 1)
    waiting = threading.Thread(target=lambda: wait(pending))
    waiting.start()
    client.close()
    client.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert client.closed
    assert pending.status == "cancelled"
    with pytest.raises(TaskCancelled):
        pending.result(5)
    for call in (
        lambda: client.submit(increment, 1),
        lambda: client.map(increment, [1]),
        lambda: client.scatter(1),
        client.scheduler_info,
        lambda: client.future("k"),
    ):
        with pytest.raises(PeerLost, match="closed"):
            call()
    pending.cancel()
    pending.release()


def test_what_came_along_outlives_the_client(client: Client) -> None:
    small, big = client.submit(increment, 1), client.submit(np.zeros, 50_000)
    wait([small, big], 5)
    client.close()
    assert small.result(5) == 2
    with pytest.raises(PeerLost, match="closed"):
        big.result(5)


def test_futures_of_a_closed_client_are_no_arguments(client: Client, scheduler: Any) -> None:
    with Client(scheduler.address, settings=scheduler.settings) as other:
        future = other.submit(increment, 1)
        future.result(5)
    with pytest.raises(SerializationError, match=r"argument 1.*closed"):
        client.submit(increment, future)
    assert other.closed
    assert not client.closed


def test_futures_keep_their_connection(scheduler: Any) -> None:
    future = Client(scheduler.address, settings=scheduler.settings).submit(increment, 1)
    gc.collect()
    assert future.result(5) == 2
    channel = scheduler.channels[-1]
    ended = threading.Event()
    channel.on_closed = lambda *_: ended.set()
    del future
    gc.collect()
    assert ended.wait(5)


def test_the_current_client(scheduler: Any) -> None:
    with Client(scheduler.address, settings=scheduler.settings) as first:
        assert current_client() is first
        with Client(scheduler.address, settings=scheduler.settings) as second:
            assert current_client() is second
        assert current_client() is first
    with pytest.raises(PeerLost, match="make one"):
        current_client()


def test_a_lost_scheduler_fails_all_that_is_pending(client: Client, scheduler: Any) -> None:
    done = client.submit(increment, 1)
    assert done.result(5) == 2
    scheduler.held = True
    futures = client.map(increment, range(10))
    scheduler.await_message(SubmitTasks, 2)
    errors: list[BaseException] = []

    def gather() -> None:
        try:
            client.gather(futures)
        except PeerLost as error:
            errors.append(error)

    def ask() -> None:
        try:
            client.wait_for_workers(100)
        except PeerLost as error:
            errors.append(error)

    threads = [threading.Thread(target=gather), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    scheduler.await_message(WaitForWorkers)
    scheduler.abort()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 2
    assert {future.status for future in futures} == {"lost"}
    assert done.result(5) == 2
    with pytest.raises(PeerLost):
        client.submit(increment, 1)


def test_a_scheduler_that_goes_away_says_so(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    scheduler.await_message(SubmitTasks)
    scheduler.call(lambda: scheduler.channels[-1].close("for lunch"))
    with pytest.raises(PeerLost, match="for lunch"):
        future.result(5)


def test_nobody_at_the_address() -> None:
    for address in ("tcp://127.0.0.1:9", "inproc://nobody"):
        with pytest.raises(ConnectFailed, match=address):
            Client(address, timeout_s=0.05)
    with pytest.raises(SettingsError, match="nonsense"):
        Client("nonsense")
    with pytest.raises(SettingsError, match="address"):
        Client(5)


@pytest.mark.filterwarnings("default")
def test_a_wrong_secret(scheduler: Any) -> None:
    with pytest.raises(HandshakeRefused):
        Client(scheduler.address, secret="wrong", timeout_s=5)


def test_clusters_and_entry_points(scheduler: Any, monkeypatch: Any) -> None:
    class Cluster:
        closed = 0

        def __init__(self, settings: Any = None) -> None:
            self.address, self.secret = scheduler.address, scheduler.secret

        def close(self) -> None:
            self.closed += 1

    cluster = Cluster()
    with Client(cluster) as client:
        assert client.submit(increment, 1).result(5) == 2
    assert cluster.closed == 0

    class EntryPoint:
        def load(self) -> Any:
            return Cluster

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [EntryPoint()])
    with Client(settings=scheduler.settings) as client:
        assert client.submit(increment, 1).result(5) == 2
    assert client.cluster.closed == 1
    client.close()
    assert client.cluster.closed == 1
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])
    with pytest.raises(SettingsError, match="hocket-deploy"):
        Client()


def test_a_client_does_not_pickle(client: Client) -> None:
    with pytest.raises(SerializationError, match=r"argument 1.*a Client cannot be pickled"):
        client.submit(identity, client)
