"""The faults that come from outside, one after the other, as long as they are let."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hocket.testing.cluster import Cluster
from hocket.testing.link import Link
from hocket.testing.worker_host import WorkerHost

__all__ = ["Chaos"]

_One = TypeVar("_One")


class Chaos:
    """Does something to the cluster, again and again, until `stop`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._random = cluster.network.random
        faults = cluster.network.swarm.faults
        ways: list[tuple[bool, Callable[[], None]]] = [
            (faults.stalls, self._stall),
            (faults.cuts, self._cut),
            (faults.session_losses, self._lose_session),
            (faults.worker_crashes, self._crash_worker),
            (faults.worker_leaves, self._let_worker_leave),
            (faults.client_crashes, self._crash_client),
            (faults.recalls, self._recall),
            (faults.recalls, self._recall),
            (faults.vanishing_values, self._let_value_vanish),
            (faults.vanishing_values, self._let_value_vanish),
        ]
        self._ways = [way for is_on, way in ways if is_on]
        self._is_on = True
        if self._ways:
            self._next()

    def stop(self) -> None:
        """No fault happens from now on."""
        self._is_on = False

    def _next(self) -> None:
        interval_s = self._cluster.network.swarm.fault_interval_s
        self._cluster.timeline.after(self._random.expovariate(1.0 / interval_s), self._act)

    def _act(self) -> None:
        if self._is_on:
            self._random.choice(self._ways)()
            self._next()

    def _pick(self, candidates: list[_One]) -> _One | None:
        return self._random.choice(candidates) if candidates else None

    def _link(self) -> Link | None:
        links = [host.link for host in self._cluster.peers() if not host.link.is_over]
        return self._pick(links)

    def _a_while_s(self) -> float:
        return self._random.expovariate(1.0 / (20 * self._cluster.network.swarm.latency_s))

    def _stall(self) -> None:
        link = self._link()
        if link is not None:
            link.stall(self._a_while_s())

    def _cut(self) -> None:
        link = self._link()
        if link is not None:
            link.cut(self._a_while_s())

    def _lose_session(self) -> None:
        """Grace is over: each side gives the other up in its own time, and both live."""
        link = self._link()
        if link is not None:
            self._cluster.network.trace.note(link.client.peer.name, "loses its session")
            link.lose("the grace time is over", link.client, link.server)

    def _worker(self) -> WorkerHost | None:
        return self._pick(self._cluster.workers_alive())

    def _crash_worker(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.die("killed")

    def _let_worker_leave(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.leave()

    def _crash_client(self) -> None:
        client = self._pick(self._cluster.clients_alive())
        if client is not None and self._random.random() < 0.3:
            if self._random.random() < 0.5:
                client.die("killed")
            else:
                client.leave()

    def _let_value_vanish(self) -> None:
        worker = self._worker()
        if worker is None:
            return
        key = self._pick(list(worker.machine.tables.held))
        if key is not None:
            attempt = worker.lose_value(key)
            self._cluster.results.vanished.add((key, attempt, worker.address))

    def _recall(self) -> None:
        self._cluster.scheduler.recall(self._random.randrange(1000))
