"""Adaptive scaling on this machine: looks at what waits, and has workers come and go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref
from concurrent.futures import Future
from time import monotonic
from typing import Final, Protocol

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.deploy.census import Census
from hocket.deploy.demands import demand_of, offer_of
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.adaptation import AdaptiveRules, Adaptor
from hocket.deploy.reconcile.jobs import Job, JobState
from hocket.transport.loop import shared_loop

__all__ = ["Adapted", "LocalAdapting"]

log = logging.getLogger("hocket.deploy")

#: Between looks: while something waits or changes, and at rest.
_LOOK_S: Final = 0.2
_REST_S: Final = 1.0
#: How long a worker takes to come, while none has.
_LEAD_UNKNOWN_S: Final = 1.0
_STOP_TIMEOUT_S: Final = 5.0


class Adapted(Protocol):
    """A cluster on this machine.

    All that it is asked may wait for the loop (its workers may be threads of this process), so it
    is never asked from there.
    """

    address: str
    settings: Settings

    @property
    def secret(self) -> str:
        """The cluster's secret."""

    @property
    def workers(self) -> list[str]:
        """The names of its workers."""

    def grow(self, count: int) -> None:
        """Have so many workers at least; return when new ones are up."""

    def let_go(self, name: str) -> bool:
        """Expect a worker to leave; return False if it is not there."""

    def keep(self, name: str) -> None:
        """Expect a worker to stay after all."""

    def gone(self, name: str) -> None:
        """Take note that a worker has left, as it was asked to."""


class LocalAdapting:
    """Has a cluster adapted until it is stopped.

    Parameters
    ----------
    cluster
        Which.
    spec
        What its workers are.
    rules
        Within which bounds.
    """

    def __init__(self, cluster: Adapted, spec: JobSpec, rules: AdaptiveRules) -> None:
        #: One that nobody has any more ends, and this with it.
        self._cluster = weakref.ref(cluster)
        self._census = Census(cluster.address, cluster.secret, cluster.settings)
        self._group = spec.group
        self._offer = offer_of(spec)
        self._adaptor = Adaptor()
        self._adaptor.rules[spec.group] = rules
        self._lead_s = _LEAD_UNKNOWN_S
        self._growing: asyncio.Task[None] | None = None
        #: By name of workers that were asked to leave: who waits for that.
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._future: Future[None] | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, on the loop that all of this process share.

        Raises
        ------
        ConnectFailed, HandshakeRefused
            The scheduler cannot be asked.
        """
        loop = shared_loop()
        loop.run(self._census.open())
        self._future = loop.start(self._run())

    def stop(self) -> None:
        """End, and wait for that."""
        if self._future is not None:
            self._future.cancel()
            self._ended.wait(_STOP_TIMEOUT_S)

    async def _run(self) -> None:
        try:
            while (cluster := self._cluster()) is not None:
                rest_s = _LOOK_S if await self._look(cluster) else _REST_S
                del cluster
                await asyncio.sleep(rest_s)
        except HocketError as error:
            log.warning("adaptive scaling has ended: %s", error)
        finally:
            for task in filter(None, (self._growing, *self._leaving.values())):
                task.cancel()
            try:
                await self._census.close()
            finally:
                self._ended.set()

    async def _look(self, cluster: Adapted) -> bool:
        """Do what is to be done now; return whether more may be soon."""
        described = await self._census.describe()
        now_s = monotonic()
        loads = {worker.name: worker.assigned for worker in described.workers}
        leaving = set(self._leaving)
        there = await asyncio.to_thread(lambda: cluster.workers)
        names = [name for name in there if name not in leaving]
        jobs = [Job(name, self._group, 1, now_s, _state(name in loads)) for name in names]
        demands = [demand_of(one) for one in described.demands if not one.workers]
        count = self._adaptor.decide(
            {self._group: self._offer},
            {self._group: jobs},
            {self._group: self._lead_s},
            loads,
            demands,
            now_s,
        )[self._group]
        is_growing = self._growing is not None and not self._growing.done()
        if count > len(names) and not is_growing:
            self._growing = asyncio.create_task(self._grow(cluster, count + len(self._leaving)))
        elif count < len(names):
            # First those with the least to do, of them the latest.
            order = {name: (loads.get(name, 0), -index) for index, name in enumerate(names)}
            spared = sorted(names, key=order.__getitem__)
            for name in spared[: len(names) - count]:
                self._leaving[name] = asyncio.create_task(self._retire(cluster, name))
        return bool(demands) or is_growing or bool(self._leaving)

    async def _grow(self, cluster: Adapted, count: int) -> None:
        began_s = monotonic()
        try:
            await asyncio.to_thread(cluster.grow, count)
        except HocketError as error:
            log.warning("workers that are wanted cannot come: %s", error)
        else:
            self._lead_s = monotonic() - began_s

    async def _retire(self, cluster: Adapted, name: str) -> None:
        """Have a worker leave, if what it holds can be moved."""
        try:
            obstacle = "it is gone"
            if await asyncio.to_thread(cluster.let_go, name):
                with contextlib.suppress(HocketError):
                    obstacle = await self._census.retire([name])
            if obstacle:
                log.info("%s stays: %s", name, obstacle)
                self._adaptor.busy(name)
                await asyncio.to_thread(cluster.keep, name)
            else:
                await asyncio.to_thread(cluster.gone, name)
        finally:
            del self._leaving[name]


def _state(is_up: bool) -> JobState:  # noqa: FBT001 (there is nothing else to say)
    return JobState.UP if is_up else JobState.STARTING
