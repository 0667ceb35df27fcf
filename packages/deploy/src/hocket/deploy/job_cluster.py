"""A cluster of jobs: a scheduler here, and workers in jobs of a batch system."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from abc import abstractmethod
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret
from hocket.deploy.arguments import check_count, check_settings
from hocket.deploy.census import Census
from hocket.deploy.cluster import Cluster
from hocket.deploy.cluster_text import obstacle_lines
from hocket.deploy.errors import ClusterClosed
from hocket.deploy.exits import IN_GOOD_ORDER
from hocket.deploy.job_door import JobDoor
from hocket.deploy.job_environment import told_settings, user_paths
from hocket.deploy.job_folders import OWNER, note_owner, prune_folders
from hocket.deploy.job_logs import read_tail
from hocket.deploy.job_script import JobFiles
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.open_clusters import close_at_exit, closed
from hocket.deploy.process_crew import ask_for_secret
from hocket.deploy.processes import Processes
from hocket.deploy.reconcile.adaptation import AdaptiveRules
from hocket.deploy.reconcile.group import Group
from hocket.deploy.reconcile.machine import Reconciler
from hocket.deploy.serving import invite, listening_address
from hocket.deploy.supervisor import Supervisor
from hocket.transport.address import parse
from hocket.transport.clock import now
from hocket.transport.loop import shared_loop
from hocket.transport.scheduler_file import write_scheduler_file

__all__ = ["JobCluster"]

log = logging.getLogger("hocket.deploy")

_T = TypeVar("_T")

#: How long a cluster that closes waits for jobs that are being submitted.
_CLOSE_TIMEOUT_S: Final = 10.0


class JobCluster(Cluster):
    """What all clusters of jobs are; see `SLURMCluster`, `SGECluster`, `PBSCluster`, `SSHCluster`.

    Parameters
    ----------
    groups
        By name, what the jobs of each group of workers are; the first is meant where none is named.
    jobs
        Of the first group, to begin with.
    directory
        For a folder with scripts, logs and the invitation to the cluster; all hosts must see it. By
        default that of the setting ``jobs.directory``. Logs stay.
    settings
        A settings tree, or overrides of the usual one; ``scheduler.host`` and
        ``scheduler.interface`` say where the scheduler listens, which by default is everywhere.
        The section ``jobs`` has bounds within which jobs are submitted and replaced.
    asynchronous
        Whether methods that wait return what is to be awaited; then ``async with`` or ``await``
        starts it.
    """

    def __init__(
        self,
        groups: Mapping[str, JobSpec],
        *,
        jobs: int = 0,
        directory: str | os.PathLike[str] | None = None,
        settings: Settings | Mapping[str, object] | None = None,
        asynchronous: bool = False,
    ) -> None:
        self._pid = os.getpid()
        check_count("jobs", jobs, least=0)
        settings = check_settings(settings)
        secret = read_secret(settings.security).decode() or secrets.token_hex(32)
        super().__init__(settings, groups, secret=secret, asynchronous=asynchronous)
        self.id = secrets.token_hex(4)
        self._jobs_wanted = jobs
        base = Path(directory or settings.jobs.directory).expanduser().absolute()
        self.files = JobFiles(
            base / f"cluster-{self.id}", folder=str(Path.cwd()), paths=user_paths(sys.path)
        )
        self._loop = shared_loop()
        self._processes: Processes | None = None
        self._census: Census | None = None
        self._supervisor: Supervisor
        self._door = self._open_door(self.files, self._specs)
        self._started = False
        #: What closes it, once that has begun: whoever closes it waits for that.
        self._closing: asyncio.Task[None] | None = None
        if not asynchronous:
            self._run(self._start())

    @abstractmethod
    def _open_door(self, files: JobFiles, specs: Mapping[str, JobSpec]) -> JobDoor:
        """Return what takes the jobs."""

    # Life -----------------------------------------------------------------------------------

    def _begin(self) -> Awaitable[Any]:
        return asyncio.wrap_future(self._loop.start(self._start()))

    async def _start(self) -> None:
        if self._started:
            return
        self._started = True
        self._closed = False
        try:
            await asyncio.to_thread(self._start_scheduler)
            self._census = Census(self._own_address, self.secret, self.settings)
            await self._census.open()
            machine = Reconciler(self.settings.jobs)
            for name, spec in self._specs.items():
                machine.add_group(_group_of(name, spec))
            self._supervisor = Supervisor(
                machine, self._door, self._census, self.files, self._specs
            )
            self._supervisor.start()
        except BaseException:
            await self._close()
            raise
        close_at_exit(self)
        if self._jobs_wanted:
            self._supervisor.want(next(iter(self._specs)), self._jobs_wanted)

    def _start_scheduler(self) -> None:
        self.files.directory.mkdir(mode=0o700, parents=True)
        note_owner(self.files.directory)
        own = self.settings.scheduler
        # Workers come from other hosts, and prove that they know the secret.
        host = own.host if own.host not in ("", "127.0.0.1") else "0.0.0.0"  # noqa: S104
        # Many clusters may live here at once: none takes the usual port unless it is told to.
        port = own.port if own.port != Settings().scheduler.port else "0"
        listening = listening_address(host, own.interface, port)
        self._processes = Processes(self._on_exit)
        options: dict[str, object] = {
            "settings": self.settings.to_flat(),
            "secret": self.secret,
            "cluster_id": self.id,
            "addresses": [listening],
        }
        self._processes.start("scheduler", "scheduler", options)
        ready = self._processes.wait_ready("scheduler", self.settings.local.start_timeout_s)
        self._dashboard = ready.get("dashboard", "")
        self._listening: str = ready["address"]
        self._own_address = _near(self._listening)
        self.address = self._invite()
        text = msgspec.json.format(msgspec.json.encode(told_settings(self.settings))).decode()
        self.files.settings_file.write_text(text + "\n")

    def _invite(self) -> str:
        """Leave an invitation for workers to come; return the scheduler's address."""
        invitation = invite(self._listening, self.id, self.secret)
        write_scheduler_file(self.files.scheduler_file, invitation)
        return invitation.address

    def _replace_secret(self) -> Any:
        return self._run(asyncio.to_thread(self._renew))

    def _renew(self) -> None:
        self._check_open()
        assert self._processes is not None
        self._adopt(ask_for_secret(self._processes))
        self._invite()

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._closing = asyncio.create_task(self._shut())
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        if hasattr(self, "_supervisor"):
            await self._supervisor.close(_CLOSE_TIMEOUT_S)
        closed(self)
        if self._census is not None:
            await self._census.close()
        if self._processes is not None:
            await asyncio.to_thread(self._processes.close)
        self._remove_files()

    def _remove_files(self) -> None:
        """Remove what leads others to a cluster that is no more; logs stay for some time."""
        files = self.files
        for path in (files.scheduler_file, files.settings_file, files.directory / OWNER):
            path.unlink(missing_ok=True)
        for path in self.files.directory.glob("*.sh"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.files.directory.rmdir()
        prune_folders(self.files.directory.parent, self.settings.jobs, now())

    def _on_exit(self, name: str, cause: str) -> None:
        if name == "scheduler" and cause == IN_GOOD_ORDER:
            # A client has ended the cluster.
            self._loop.start(self._close())
        elif not self._closed:
            log.error("%s of the cluster ended: %s; close it and make another", name, cause)

    def close(self) -> Any:
        """End all jobs and the scheduler. May be called twice."""
        if os.getpid() != self._pid:
            return None
        return self._run(self._close())

    def end_at_exit(self) -> None:
        """End all jobs as the interpreter ends; the scheduler ends with it."""
        if os.getpid() == self._pid:
            self._closed = True
            ids = self._loop.run(self._supervisor.halt(), _CLOSE_TIMEOUT_S)
            self._remove_files()
            if ids:
                self._door.cancel_at_exit(ids)

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> Any:
        """Wait for a coroutine on the cluster's loop, or return what is to be awaited."""
        if self.asynchronous:
            return asyncio.wrap_future(self._loop.start(coroutine))
        return self._loop.run(coroutine)

    # What is wanted -------------------------------------------------------------------------

    def _scale_to(self, group: str, jobs_count: int) -> Any:
        return self._run(self._scale(group, jobs_count))

    def _check_open(self) -> None:
        if self._closed:
            raise ClusterClosed(address=self.address)

    async def _scale(self, name: str, count: int) -> None:
        self._check_open()
        self._supervisor.want(name, count)

    def _adapt_by(self, group: str, rules: AdaptiveRules) -> Any:
        return self._run(self._adapt(group, rules))

    async def _adapt(self, name: str, rules: AdaptiveRules) -> None:
        self._check_open()
        self._supervisor.adapt(name, rules)

    def add_group(self, name: str, **job: Any) -> Any:
        """Have another group of workers; its jobs are described as those of the first.

        Parameters
        ----------
        name
            Of the group.
        **job
            See `JobSpec`.
        """
        spec = JobSpec(group=name, **job)
        return self._run(self._add_group(spec))

    async def _add_group(self, spec: JobSpec) -> None:
        self._check_open()
        self._specs[spec.group] = spec
        self._supervisor.machine.add_group(_group_of(spec.group, spec))

    def _wait_for(self, n: int | None, groups: list[str], timeout_s: float | None) -> Any:
        return self._run(self._wait(n, groups, timeout_s))

    async def _wait(self, n: int | None, names: list[str], timeout_s: float | None) -> None:
        self._check_open()
        supervisor = self._supervisor
        machine = supervisor.machine

        def have() -> int:
            return sum(len(job.workers) for name in names for job in machine.live(name))

        def wanted() -> int:
            if n is not None:
                return n
            groups = [machine.groups[name] for name in names]
            return sum(group.wanted_count * group.workers_per_job for group in groups)

        def is_over() -> bool:
            stopped = any(name in supervisor.stopped for name in names)
            is_useless = self._closed or supervisor.lost is not None
            return have() >= wanted() or stopped or is_useless

        is_there = await supervisor.wait_for(is_over, timeout_s)
        self._check_open()
        if have() >= wanted():
            return
        if supervisor.lost is not None:
            raise supervisor.lost
        for name in names:
            if name in supervisor.stopped:
                raise supervisor.stopped[name]
        if not is_there:
            jobs = [job for name in names for job in machine.live(name)]
            lines = [f"{have()} of {wanted()} workers are there after {timeout_s:g} s"]
            if supervisor.poll_trouble:
                lines.append(f"the queue cannot be looked at: {supervisor.poll_trouble}")
            raise TimeoutError("\n".join([*lines, *obstacle_lines(jobs)]))

    # What is there --------------------------------------------------------------------------

    @property
    def workers(self) -> list[str]:
        """The names of the workers that are there."""
        live = list(self._supervisor.machine.live())
        return sorted(worker for job in live for worker in job.workers)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that are there and those that ended lately: what is known of each."""
        return [
            {
                "name": job.name,
                "group": job.group,
                "id": job.id,
                "state": job.state.value,
                "reason": job.reason,
                "hosts": job.hosts,
                "workers": sorted(job.workers),
            }
            for job in list(self._supervisor.machine.jobs.values())
        ]

    def job_script(self, group: str | None = None) -> str:
        """Return the script that jobs of a group are submitted with."""
        name = self._group_name(group)
        return self._door.script(name, f"{name}-1")

    def logs(self, job: str | None = None, *, lines: int = 100) -> dict[str, str]:
        """Return the ends of the logs of jobs, by the jobs' names; also of jobs that ended.

        Parameters
        ----------
        job
            The name or the batch system's id of one; None: of all.
        lines
            How many lines of each.
        """
        found = {}
        for one in list(self._supervisor.machine.jobs.values()):
            if job in (None, one.name, one.id):
                tail = read_tail(self.files.log(one.name), lines)
                if tail is not None:
                    found[one.name] = tail
        return found


def _group_of(name: str, spec: JobSpec) -> Group:
    return Group(
        name,
        workers_per_job=spec.processes,
        walltime_s=spec.walltime_s,
        margin_s=spec.margin_s,
    )


def _near(address: str) -> str:
    """Return the address by which this host reaches a scheduler of its own."""
    at = parse(address)
    return str(replace(at, host="127.0.0.1")) if at.host == "0.0.0.0" else address  # noqa: S104
