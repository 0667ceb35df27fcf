"""The faults that come from outside, drawn one after the other, as long as they are let."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hocket.testing.cluster import Cluster
from hocket.testing.deeds import (
    CrashClient,
    CrashWorker,
    Cut,
    DamageFile,
    Deed,
    Hang,
    LeaveClient,
    LeaveWorker,
    LimitLife,
    LoseSession,
    LoseValue,
    Recall,
    RestartScheduler,
    RetireWorker,
    Stall,
)

__all__ = ["Chaos"]

_One = TypeVar("_One")


class Chaos:
    """Draws what goes wrong next, again and again, as long as the timeline lets it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._random = cluster.network.stream("chaos")
        faults = cluster.network.swarm.faults
        ways: list[tuple[bool, Callable[[], Deed | None]]] = [
            (faults.stalls, self._stall),
            (faults.cuts, self._cut),
            (faults.session_losses, self._lose_session),
            (faults.hangs, self._hang),
            (faults.worker_crashes, self._crash_worker),
            (faults.worker_leaves, self._let_worker_leave),
            (faults.worker_retirements, self._retire_worker),
            (faults.lifetimes, self._limit_life),
            (faults.client_crashes, self._crash_client),
            (faults.recalls, self._recall),
            (faults.recalls, self._recall),
            (faults.vanishing_values, self._let_value_vanish),
            (faults.vanishing_values, self._let_value_vanish),
            (faults.scheduler_restarts, self._restart_scheduler),
            (faults.spilling and faults.disk_faults, self._damage_file),
        ]
        self._ways = [way for is_on, way in ways if is_on]
        if self._ways:
            self._next()

    def _next(self) -> None:
        interval_s = self._cluster.network.swarm.fault_interval_s
        self._cluster.timeline.after_if_still(self._random.expovariate(1.0 / interval_s), self._act)

    def _act(self) -> None:
        deed = self._random.choice(self._ways)()
        if deed is not None:
            self._cluster.do(deed)
        self._next()

    @property
    def _now_s(self) -> float:
        return self._cluster.timeline.now_s

    def _pick(self, candidates: Sequence[_One]) -> _One | None:
        return self._random.choice(candidates) if candidates else None

    def _linked(self) -> str | None:
        """Return somebody with a session."""
        peers = [host.name for host in self._cluster.peers() if not host.link.is_over]
        return self._pick(peers)

    def _a_while_s(self) -> float:
        return self._random.expovariate(1.0 / (20 * self._cluster.network.swarm.latency_s))

    def _stall(self) -> Deed | None:
        name = self._linked()
        return None if name is None else Stall(self._now_s, name, self._a_while_s())

    def _cut(self) -> Deed | None:
        # Rather where something is on its way.
        peers = [host for host in self._cluster.peers() if not host.link.is_over]
        busy = [host.name for host in peers if host.link.is_busy]
        name = self._pick(busy) or self._linked()
        return None if name is None else Cut(self._now_s, name, self._a_while_s())

    def _lose_session(self) -> Deed | None:
        name = self._linked()
        return None if name is None else LoseSession(self._now_s, name)

    def _hang(self) -> Deed | None:
        clients = [one for one in self._cluster.clients_alive() if not one.is_nested]
        hosts = [*self._cluster.workers_alive(), *clients]
        names = [host.name for host in hosts if not host.is_hung]
        if self._random.random() < 0.1:
            names = [self._cluster.scheduler.name]
        name = self._pick(names)
        if name is None:
            return None
        silence_s = self._cluster.network.swarm.silence_s
        return Hang(self._now_s, name, silence_s * self._random.uniform(0.0, 2.0))

    def _worker(self) -> str | None:
        return self._pick([worker.name for worker in self._cluster.workers_alive()])

    def _crash_worker(self) -> Deed | None:
        name = self._worker()
        return None if name is None else CrashWorker(self._now_s, name)

    def _let_worker_leave(self) -> Deed | None:
        name = self._worker()
        return None if name is None else LeaveWorker(self._now_s, name)

    def _retire_worker(self) -> Deed | None:
        name = self._worker()
        swarm = self._cluster.network.swarm
        patience_s = self._random.choice([0.0, 5.0, 50.0]) * (swarm.silence_s + swarm.duration_s)
        return None if name is None else RetireWorker(self._now_s, name, patience_s)

    def _limit_life(self) -> Deed | None:
        name = self._worker()
        swarm = self._cluster.network.swarm
        life_s = self._random.choice([2.0, 10.0, 100.0]) * (swarm.silence_s + swarm.duration_s)
        patience_s = self._random.choice([0.0, 5.0, 50.0]) * (swarm.silence_s + swarm.duration_s)
        return None if name is None else LimitLife(self._now_s, name, life_s, patience_s)

    def _crash_client(self) -> Deed | None:
        clients = [one for one in self._cluster.clients_alive() if not one.is_nested]
        name = self._pick([client.name for client in clients])
        if name is None or self._random.random() > 0.3:
            return None
        if self._random.random() < 0.5:
            return CrashClient(self._now_s, name)
        return LeaveClient(self._now_s, name)

    def _let_value_vanish(self) -> Deed | None:
        worker = self._pick(self._cluster.workers_alive())
        key = None if worker is None else self._pick(list(worker.machine.tables.held))
        if worker is None or key is None or key in worker.machine.tables.actors.by_key:
            return None
        return LoseValue(self._now_s, worker.name, key)

    def _damage_file(self) -> Deed | None:
        files = [
            (worker.name, datum.key)
            for worker in self._cluster.workers_alive()
            for datum in worker.machine.tables.shelf.spilled
        ]
        found = self._pick(files)
        return None if found is None else DamageFile(self._now_s, *found)

    def _recall(self) -> Deed | None:
        tasks = self._cluster.scheduler.machine.tables.tasks
        key = self._pick([task.key for task in tasks.values() if task.state == "assigned"])
        return None if key is None else Recall(self._now_s, key)

    def _restart_scheduler(self) -> Deed | None:
        # All is lost with it, so not too often.
        return RestartScheduler(self._now_s) if self._random.random() < 0.05 else None
