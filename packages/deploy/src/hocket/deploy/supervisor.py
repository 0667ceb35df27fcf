"""The supervisor of a cluster's jobs: it looks, tells the machine, and does what that says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, Final

from hocket.core.errors import HocketError
from hocket.deploy.census import Census
from hocket.deploy.demands import demand_of, offer_of
from hocket.deploy.errors import GroupStopped
from hocket.deploy.job_door import JobDoor, Refused
from hocket.deploy.job_logs import read_tail
from hocket.deploy.job_script import JobFiles
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.adaptation import AdaptiveRules, Adaptor
from hocket.deploy.reconcile.commands import (
    CancelJob,
    Command,
    GiveUp,
    RetireWorkers,
    SubmitJob,
)
from hocket.deploy.reconcile.jobs import JobState
from hocket.deploy.reconcile.machine import Reconciler
from hocket.protocol.messages import DemandDescription

__all__ = ["Supervisor"]

log = logging.getLogger("hocket.deploy")

#: Between looks at the queue: while something is to happen there, later, and at rest.
_POLL_S: Final = 1.0
_POLL_SLOW_S: Final = 5.0
_POLL_REST_S: Final = 10.0
#: After so long without a change nothing is expected to happen in the next second.
_PATIENCE_S: Final = 60.0
#: Between looks at the scheduler's workers: while some are to come, and at rest.
_CENSUS_S: Final = 0.2
_CENSUS_REST_S: Final = 1.0
_CENSUS_WORKERS_PER_S: Final = 500


class Supervisor:
    """Runs on an event loop until it is closed.

    Parameters
    ----------
    machine
        Decides.
    door
        To the batch system.
    census
        Knows the scheduler's workers.
    files
        Of the cluster.
    specs
        By group, what its jobs are.
    """

    def __init__(
        self,
        machine: Reconciler,
        door: JobDoor,
        census: Census,
        files: JobFiles,
        specs: Mapping[str, JobSpec],
    ) -> None:
        self.machine = machine
        self._door = door
        self._census = census
        self._files = files
        self.adaptor = Adaptor()
        self._specs = specs
        #: By group: why it was given up.
        self.stopped: dict[str, GroupStopped] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._polls_at_s = 0.0
        self._polling = False
        self._workers_count = 0
        self._last_change_s = monotonic()
        self._states: dict[str, JobState] = {}
        self._main: asyncio.Task[None] | None = None
        #: What ended all this; None: nothing has.
        self.lost: HocketError | None = None
        #: Why the queue cannot be looked at, at present.
        self.poll_trouble = ""

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.get_running_loop().create_task(self._run())

    async def close(self, timeout_s: float) -> None:
        """End all jobs, and wait until the queue has let go of them, or the time is over.

        Those who wait for something are told.
        """
        self.adaptor.rules.clear()
        for group in self.machine.groups:
            self.machine.want(group, 0)
        ids = [job.id for job in self.machine.live() if job.id]
        submitting = [job for job in self.machine.live() if not job.id]
        if self._main is not None:
            self._main.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._main
        await self._tell(monotonic())
        if submitting and self._tasks:
            # What is being submitted has to be known to be ended.
            await asyncio.wait(self._tasks, timeout=timeout_s)
            ids = [job.id for job in self.machine.live() if job.id]
        for task in self._tasks:
            task.cancel()
        if ids:
            try:
                await self._door.cancel(ids)
            except HocketError as error:
                log.warning("jobs %s may still be there: %s", ", ".join(ids), error)
        await self._door.close()

    async def halt(self) -> list[str]:
        """Do nothing any more; return the ids of the jobs that are there."""
        for task in (self._main, *self._tasks):
            if task is not None:
                task.cancel()
        return [job.id for job in self.machine.live() if job.id]

    def adapt(self, group: str, rules: AdaptiveRules) -> None:
        """Have as many jobs of a group as there is work for."""
        self.want(group, rules.minimum)
        self.adaptor.rules[group] = rules

    def want(self, group: str, count: int) -> None:
        """Have so many jobs of a group."""
        self.stopped.pop(group, None)
        self.adaptor.rules.pop(group, None)
        self.machine.want(group, count)
        self.hurry()

    def hurry(self) -> None:
        """Look at everything now."""
        self._polls_at_s = 0.0
        self._wake.set()

    async def wait_for(self, is_so: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until something is so; returns whether it is."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(is_so)
        except TimeoutError:
            return is_so()
        return True

    # The loop -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except HocketError as error:
                if self._census.lost:
                    log.error("the cluster has lost its scheduler: %s", error)  # noqa: TRY400
                    self.lost = error
                    await self._tell(monotonic())
                    return
                log.warning("a look at the cluster failed: %s", error)
            now_s = monotonic()
            for command in self.machine.turn(now_s):
                self._obey(command)
            await self._tell(now_s)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s(monotonic())):
                    await self._wake.wait()

    async def _look(self) -> None:
        if monotonic() >= self._polls_at_s and not self._polling:
            self._polling = True
            self._start(self._poll())
        described = await self._census.describe()
        self._workers_count = len(described.workers)
        loads = {worker.name: worker.assigned for worker in described.workers}
        leave_in_s = {
            worker.name: worker.leaves_in_s
            for worker in described.workers
            if worker.leaves_in_s is not None
        }
        before = {job.name for job in self.machine.live() if job.workers}
        self.machine.workers_seen(loads, monotonic(), leave_in_s)
        if any(not self.machine.jobs[name].workers for name in before if name in self.machine.jobs):
            # Workers are gone; their job's fate is of interest.
            self._polls_at_s = 0.0
        if self.adaptor.rules:
            self._adapt(described.demands)

    def _adapt(self, told: Sequence[DemandDescription]) -> None:
        machine, now_s = self.machine, monotonic()
        counts = self.adaptor.decide(
            {name: offer_of(spec) for name, spec in self._specs.items()},
            {name: machine.working(group, now_s) for name, group in machine.groups.items()},
            {name: group.lead_s or 0.0 for name, group in machine.groups.items()},
            {job.name: machine.load(job.name) for job in machine.live()},
            [demand_of(one) for one in told if not one.workers],
            now_s,
        )
        for name, count in counts.items():
            if machine.groups[name].wanted_count != count:
                log.info("group %s is to have %d jobs", name, count)
                machine.resize(name, count)

    async def _poll(self) -> None:
        asked_s = monotonic()
        try:
            jobs = [job for job in self.machine.live() if job.id]
            if jobs:
                fresh = [job.id for job in jobs if not (job.has_joined or job.is_ending)]
                staying = [job.id for job in jobs if not job.is_ending]
                sightings = await self._door.look([job.id for job in jobs], fresh, staying)
                self.machine.polled(sightings, asked_s, monotonic())
            self.poll_trouble = ""
        except HocketError as error:
            if not self.poll_trouble:
                log.warning("the queue cannot be looked at: %s", error)
            self.poll_trouble = str(error)
        finally:
            self._polling = False
            now_s = monotonic()
            self._polls_at_s = now_s + self._poll_rest_s(now_s)
            self._wake.set()

    def _poll_rest_s(self, now_s: float) -> float:
        if self.machine.is_settled(now_s):
            return _POLL_REST_S
        return _POLL_S if now_s - self._last_change_s < _PATIENCE_S else _POLL_SLOW_S

    def _rest_s(self, now_s: float) -> float:
        is_quiet = now_s - self._last_change_s >= _PATIENCE_S or self.machine.is_settled(now_s)
        # (What is told of many workers takes the scheduler's time.)
        rest_s = max(_CENSUS_REST_S, self._workers_count / _CENSUS_WORKERS_PER_S)
        ends_s = [now_s + (rest_s if is_quiet else _CENSUS_S)]
        if self.machine.wake_s is not None:
            ends_s.append(self.machine.wake_s)
        if not self._polling:
            ends_s.append(self._polls_at_s)
        return max(0.0, min(ends_s) - now_s)

    async def _tell(self, now_s: float) -> None:
        """Tell those who wait that something may have changed."""
        states = {job.name: job.state for job in self.machine.jobs.values()}
        if states != self._states:
            for name, state in states.items():
                if self._states.get(name) is not state:
                    job = self.machine.jobs[name]
                    why = f" ({job.reason})" if job.reason else ""
                    log.info("job %s %s: %s%s", name, job.id, state.value, why)
            self._states = states
            self._last_change_s = now_s
        async with self._changed:
            self._changed.notify_all()

    # What the machine commands --------------------------------------------------------------

    def _obey(self, command: Command) -> None:
        if isinstance(command, SubmitJob):
            self._start(self._submit(command))
        elif isinstance(command, CancelJob):
            self._start(self._cancel(command))
        elif isinstance(command, RetireWorkers):
            self._start(self._retire(command))
        else:
            self._give_up(command)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, command: SubmitJob) -> None:
        try:
            id_ = await self._door.submit(command.group, command.name)
        except Refused as refused:
            self.machine.refused(
                command.name, refused.reason, permanent=refused.permanent, now_s=monotonic()
            )
        else:
            self.machine.submitted(command.name, id_, monotonic())
        self.hurry()

    async def _cancel(self, command: CancelJob) -> None:
        try:
            await self._door.cancel([command.id])
        except HocketError as error:
            log.warning("job %s could not be cancelled: %s", command.id, error)
        self.hurry()

    async def _retire(self, command: RetireWorkers) -> None:
        try:
            obstacle = await self._census.retire(command.workers)
        except HocketError as error:
            obstacle = str(error)
        if obstacle and command.name in self.machine.jobs:
            log.info("the workers of job %s do not leave by themselves: %s", command.name, obstacle)
            self.adaptor.busy(command.name)
            self.machine.stayed(command.name)
        self.hurry()

    def _give_up(self, command: GiveUp) -> None:
        tail = ""
        for name in reversed(command.jobs):
            tail = read_tail(self._files.log(name)) or ""
            if tail:
                break
        error = GroupStopped(group=command.group, reason=command.reason, log=tail)
        self.stopped[command.group] = error
        log.error("%s", error)
