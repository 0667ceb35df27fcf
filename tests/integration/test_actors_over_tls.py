"""Calls of actors where lines to workers are TLS, as they are between hosts."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from hocket.client import ActorRestarted, Client
from hocket.deploy import LocalCluster

pytestmark = pytest.mark.slow


class Counter:
    """Counts, and can be restarted."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, data: bytes = b"") -> int:
        self.count += 1 + len(data)
        return self.count

    def pid(self) -> int:
        return os.getpid()

    def __checkpoint__(self) -> int:
        return self.count

    def __restore__(self, count: int) -> None:
        self.count = count


def line_of(client: Client, counter: Any) -> str:
    return str(client._session.machine.actors._actors[counter.key].address)


def test_calls_go_over_tls_and_follow_the_actor() -> None:
    settings = {"security.tls": "on", "worker.host": "127.0.0.1", "session.local_grace_s": 0.2}
    with LocalCluster(2, 1, settings=settings) as cluster, Client(cluster) as client:
        assert cluster.address.startswith("tls://")
        counter = client.actor(Counter)
        answers = [counter.add() for _ in range(200)]
        assert [one.result(timeout=20) for one in answers] == list(range(1, 201))
        assert counter.add(b"x" * 3_000_000).result(timeout=20) == 3_000_201
        first = line_of(client, counter)
        assert first.startswith("tls://")
        # Another client comes in by the same key, and the next incarnation is met the same way.
        with Client(cluster) as other:
            assert other.gather(other.submit(lambda one: one.add().result(), counter)) == 3_000_202
        os.kill(counter.pid().result(timeout=20), signal.SIGKILL)
        try:
            count = counter.add().result(timeout=20)
        except ActorRestarted:
            count = counter.add().result(timeout=20)
        assert count == 3_000_203
        assert line_of(client, counter).startswith("tls://")
        assert line_of(client, counter) != first
