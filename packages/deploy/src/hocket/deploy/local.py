"""A cluster on this machine: processes of its own, or threads of this process."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import shlex
import socket
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from hocket.core.errors import ConnectFailed, SettingsError, UserError
from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret
from hocket.core.units import MIB
from hocket.deploy.arguments import (
    check_count,
    check_memory_limit,
    check_resources,
    check_settings,
)
from hocket.deploy.cluster import Cluster
from hocket.deploy.errors import ClusterClosed
from hocket.deploy.exits import IN_GOOD_ORDER, Restarts
from hocket.deploy.job_script import worker_command
from hocket.deploy.job_spec import DEFAULT_GROUP, JobSpec
from hocket.deploy.local_layout import cores_count, layout
from hocket.deploy.process_crew import Crew, ProcessCrew
from hocket.deploy.reconcile.adaptation import AdaptiveRules
from hocket.deploy.threads import ThreadCrew

if TYPE_CHECKING:
    from hocket.deploy.local_adapting import LocalAdapting

__all__ = ["LocalCluster"]

log = logging.getLogger("hocket.deploy")

#: What the names of workers begin with.
_WORKER: Final = "worker-"


class LocalCluster(Cluster):
    """A scheduler and workers on this machine.

    Parameters
    ----------
    n_workers, threads_per_worker
        By default those of the settings ``local.workers`` and ``local.threads``; without these a
        worker with one thread for each core, or fewer workers with more threads on machines of more
        than four.
    processes
        True: each worker, and the scheduler, is a process. False: all are threads of this process,
        which suits code that releases the GIL, and debugging.
    memory_limit
        Bytes of memory for each worker, as a number or text such as ``"2 GiB"``; ``"auto"``: a fair
        share of this machine's; 0: none.
    resources
        Amounts by name that each worker offers.
    settings
        A settings tree, or overrides of the usual one. The cluster's secret is that of
        ``security.secret`` or ``security.secret_file``, or else a fresh one.
    asynchronous
        Whether methods that wait return what is to be awaited; then ``async with`` or ``await``
        starts it.

    Raises
    ------
    SettingsError
        An argument or a setting is wrong; nothing was started.
    ConnectFailed
        A process ended or took too long while starting; nothing is left.

    Examples
    --------
    >>> with LocalCluster(n_workers=1) as cluster:  # doctest: +SKIP
    ...     print(cluster.address)
    """

    idle_timeout_s = 60.0

    def __init__(
        self,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        *,
        processes: bool = True,
        memory_limit: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        settings: Settings | Mapping[str, object] | None = None,
        asynchronous: bool = False,
    ) -> None:
        self._closed = True
        self._pid = os.getpid()
        settings = check_settings(settings)
        own = settings.local
        n_workers, threads = layout(
            (own.workers or None) if n_workers is None else n_workers,
            (own.threads or None) if threads_per_worker is None else threads_per_worker,
            cores_count(),
        )
        if not isinstance(processes, bool):
            raise SettingsError(
                name="processes", value=processes, allowed="it must be True or False", source="code"
            )
        limit = (
            settings.worker.memory_limit
            if memory_limit is None
            else check_memory_limit(memory_limit)
        )
        offered = check_resources({} if resources is None else resources)
        self._options = {"threads": threads, "memory_limit": limit, "resources": offered}
        memory = limit if isinstance(limit, int) and limit >= MIB else None
        spec = JobSpec(cores=threads, memory=memory, resources=offered)
        # One that was given lets others join, who read the same settings.
        secret = _given_secret(settings) or secrets.token_hex(32)
        super().__init__(settings, {spec.group: spec}, secret=secret, asynchronous=asynchronous)
        self._threads_per_worker = threads
        self._processes = processes
        self._count = n_workers
        self._lock = threading.RLock()
        #: Told when workers come or go.
        self._changed = threading.Condition(self._lock)
        self._wanted: list[str] = []
        #: Of those, the ones that are asked to leave, whose end is no surprise.
        self._leaving: set[str] = set()
        self._names_count = 0
        self._restarts = Restarts()
        #: Why the cluster is of no use any more; empty: it is.
        self._broken = ""
        self._crew: Crew | None = None
        self._adapting: LocalAdapting | None = None
        if not asynchronous:
            self._bring_up()

    # Life -----------------------------------------------------------------------------------

    def _begin(self) -> Awaitable[Any]:
        return self._apart(self._bring_up)

    def _bring_up(self) -> None:
        if self._crew is not None:
            return
        crew = self._crew = _crew_of(self)
        self.address, self._dashboard = crew.address, crew.dashboard
        self._closed = False
        try:
            self._resize(self._count)
        except BaseException:
            self._end()
            raise

    def close(self) -> Any:
        """End all workers and the scheduler. May be called twice.

        In a process that was forked from the one that made the cluster it does nothing.
        """
        return self._perform(self._end)

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            if os.getpid() == self._pid:
                self._stop_adapting()
                with self._changed:
                    self._changed.notify_all()
                self._running.close()

    def _perform(self, function: Callable[..., object], *args: object) -> Any:
        """Do something in this thread; or apart, and return what is to be awaited."""
        return self._apart(function, *args) if self.asynchronous else function(*args)

    def _apart(self, function: Callable[..., object], *args: object) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(None, function, *args)

    # What is wanted -------------------------------------------------------------------------

    def _scale_to(self, group: str, jobs_count: int) -> Any:
        del group
        return self._perform(self._scale, jobs_count)

    def _scale(self, count: int) -> None:
        self._check_open()
        self._stop_adapting()
        self._resize(count)

    def _resize(self, count: int) -> None:
        """Have so many workers; return when new ones are up and old ones were asked to leave."""
        with self._changed:
            while len(self._wanted) > count:
                self._running.remove(self._wanted.pop())
            self._changed.notify_all()
        self.grow(count)

    def grow(self, count: int) -> None:
        """Have so many workers at least; return when new ones are up."""
        self._check_open()
        fresh = []
        with self._changed:
            while len(self._wanted) < count:
                fresh.append(self._add())
            self._changed.notify_all()
        for name in fresh:
            self._running.wait(name)

    def _adapt_by(self, group: str, rules: AdaptiveRules) -> Any:
        del group
        return self._perform(self._adapt, rules)

    def _adapt(self, rules: AdaptiveRules) -> None:
        from hocket.deploy.local_adapting import LocalAdapting  # noqa: PLC0415 (few need it)

        self._check_open()
        self._stop_adapting()
        self.grow(rules.minimum)
        (spec,) = self._specs.values()
        self._adapting = LocalAdapting(self, spec, rules)
        self._adapting.start()

    def _stop_adapting(self) -> None:
        adapting, self._adapting = self._adapting, None
        if adapting is not None:
            adapting.stop()

    def _wait_for(self, n: int | None, groups: list[str], timeout_s: float | None) -> Any:
        del groups
        return self._perform(self._wait, n, timeout_s)

    def _wait(self, n: int | None, timeout_s: float | None) -> None:
        until_s = math.inf if timeout_s is None else monotonic() + timeout_s
        while True:
            self._check_open()
            with self._changed:
                names = self._wanted[:n]
                count = len(self._wanted) if n is None else n
            for index, name in enumerate(names):
                self._await_worker(name, until_s, f"{index} of {count}")
            with self._changed:
                if self._wanted[: len(names)] != names:
                    # Others have come in the place of some.
                    continue
                if len(names) >= count:
                    return
                if self._adapting is None:
                    raise SettingsError(
                        name="n",
                        value=n,
                        allowed=f"{len(names)} are wanted, and no more will come; scale first",
                        source="code",
                    )
                self._changed.wait(None if timeout_s is None else max(0.0, until_s - monotonic()))
            if monotonic() >= until_s:
                raise TimeoutError(f"{len(names)} of {count} workers are there after {timeout_s} s")

    def _await_worker(self, name: str, until_s: float, there: str) -> None:
        """Wait for a worker, if it is not gone."""
        began_s = monotonic()
        try:
            self._running.wait(name, max(0.0, until_s - began_s))
        except ConnectFailed as error:
            if monotonic() >= until_s:
                text = f"{there} workers are there after {until_s - began_s:g} s"
                raise TimeoutError(text) from None
            if name in self.workers:
                raise
            log.debug("%s is gone: %s", name, error)

    def _replace_secret(self) -> Any:
        return self._perform(self._renew)

    def _renew(self) -> None:
        self._check_open()
        self._adopt(self._running.replace_secret())

    # What is there --------------------------------------------------------------------------

    @property
    def _running(self) -> Crew:
        if self._crew is None:
            raise ClusterClosed(address=self.address)
        return self._crew

    @property
    def workers(self) -> list[str]:
        """The names of the workers."""
        with self._lock:
            return list(self._wanted)

    @property
    def worker_pids(self) -> dict[str, int]:
        """The process id of each worker."""
        pids = self._running.pids()
        return {name: pids[name] for name in self.workers if name in pids}

    @property
    def scheduler_pid(self) -> int:
        """The process id of the scheduler."""
        self._check_open()
        return self._running.pids()["scheduler"]

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The workers as other clusters tell of their jobs: each a process of this host."""
        pids = self._running.pids()
        host = socket.gethostname()
        return [
            {
                "name": name,
                "group": DEFAULT_GROUP,
                "id": str(pids.get(name, "")),
                "state": "up" if name in pids else "starting",
                "reason": "",
                "hosts": host,
                "workers": [name],
            }
            for name in self.workers
        ]

    def job_script(self, group: str | None = None) -> str:
        """Return a command that starts a worker like those of this cluster, from anywhere here.

        (They themselves are forked from a process that has everything imported.) The cluster's
        secret is not in it: put it into the variable ``HOCKET_SECURITY__SECRET``.

        Raises
        ------
        UserError
            The workers are threads of this process, which no command starts.
        """
        spec = self._specs[self._group_name(group)]
        if not self._processes:
            raise _NoCommand(address=self.address)
        name = f"another-{self._names_count}"
        return shlex.join(worker_command(spec, name, [self.address])) + "\n"

    def logs(self, job: str | None = None, *, lines: int = 100) -> Any:
        """Return what workers logged lately and what tasks printed there, by the workers' names.

        Parameters
        ----------
        job
            The name or the process id of a worker; None: all.
        lines
            How many of each, the last ones.
        """
        check_count("lines", lines, least=0)
        return self._perform(self._logs, job, lines)

    def _logs(self, job: str | None, lines: int) -> dict[str, str]:
        from hocket.deploy.worker_logs import read_worker_logs  # noqa: PLC0415 (few need it)

        self._check_open()
        pids = self._running.pids()
        names = [name for name in self.workers if job in (None, name, str(pids.get(name)))]
        return read_worker_logs(self.address, self.secret, self.settings, names, lines)

    # Workers that end -----------------------------------------------------------------------

    def let_go(self, name: str) -> bool:
        """Expect a worker to leave; return False if it is not there."""
        with self._changed:
            if name not in self._wanted:
                return False
            self._leaving.add(name)
            return True

    def keep(self, name: str) -> None:
        """Expect a worker to stay after all."""
        with self._changed:
            self._leaving.discard(name)

    def gone(self, name: str) -> None:
        """Take note that a worker has left, as it was asked to."""
        with self._changed:
            self._leaving.discard(name)
            if name in self._wanted:
                self._wanted.remove(name)
                self._running.remove(name)
                self._changed.notify_all()

    def _add(self) -> str:
        name = f"{_WORKER}{self._names_count}"
        self._names_count += 1
        self._wanted.append(name)
        self._running.add(name)
        return name

    def _on_exit(self, name: str, cause: str) -> None:
        """Hear that a process of the cluster ended which was not asked to."""
        if name == "scheduler" and cause == IN_GOOD_ORDER:
            # A client has ended the cluster.
            self._end()
            return
        with self._changed:
            if self._closed:
                return
            if name in self._leaving:
                self.gone(name)
            elif name in self._wanted:
                self._replace(name, cause)
            elif name.startswith(_WORKER):
                # One that had left by then.
                return
            elif not self._broken:
                self._broken = f"{name} ended: {cause}"
                log.error(
                    "%s of the local cluster ended: %s; close the cluster and make another",
                    name,
                    cause,
                )
                # They would wait for a while, and end one by one with an error each.
                while self._wanted:
                    self._running.remove(self._wanted.pop())
            self._changed.notify_all()

    def _replace(self, name: str, cause: str) -> None:
        """Put another worker in the place of one that died."""
        self._wanted.remove(name)
        if cause == IN_GOOD_ORDER:
            log.info("%s has left, as the scheduler told it", name)
        elif not self.settings.local.restart_workers:
            log.warning("%s ended: %s", name, cause)
        elif self._restarts.allow(monotonic()):
            log.warning("%s ended: %s; %s takes its place", name, cause, self._add())
        else:
            log.error("%s ended: %s; workers keep dying, so it is not replaced", name, cause)

    def _check_open(self) -> None:
        if self._closed or self._broken:
            raise ClusterClosed(address=self.address, broken=self._broken)

    def __repr__(self) -> str:
        if self._closed:
            return "<LocalCluster closed>"
        how = "processes" if self._processes else "threads of this process"
        return (
            f"<LocalCluster {self.address} of {len(self.workers)} workers"
            f" with {self._threads_per_worker} thread(s) each, as {how}>"
        )


class _NoCommand(UserError):
    """No command starts such workers."""

    address: str

    def __init__(self, *, address: str) -> None:
        super().__init__(address=address)

    def describe(self) -> str:
        return (
            f"the workers of the cluster at {self.address} are threads of this process, which no"
            " command starts; have processes=True"
        )


def _given_secret(settings: Settings) -> str:
    """Return the secret of the settings; empty if there is none."""
    try:
        return read_secret(settings.security).decode()
    except UnicodeDecodeError:
        pass
    raise SettingsError(
        name="security.secret_file",
        value=settings.security.secret_file,
        allowed="the file must hold UTF-8 text",
        source="the settings",
    )


def _crew_of(cluster: LocalCluster) -> Crew:
    owner = weakref.ref(cluster)

    def on_exit(name: str, cause: str) -> None:
        alive = owner()
        if alive is not None:
            alive._on_exit(name, cause)  # noqa: SLF001 - its own crew

    kind = ProcessCrew if cluster._processes else ThreadCrew  # noqa: SLF001
    return kind(cluster.settings, cluster.secret, cluster._options, on_exit)  # noqa: SLF001
