"""A cluster on this machine: processes of its own, or threads of this process."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Protocol, Self

from hocket.core.errors import SettingsError, UserError
from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret
from hocket.deploy.arguments import (
    check_count,
    check_memory_limit,
    check_resources,
    check_settings,
)
from hocket.deploy.cluster_text import cluster_html
from hocket.deploy.exits import Restarts
from hocket.deploy.processes import Processes
from hocket.deploy.threads import ThreadCrew
from hocket.protocol.login import LOGIN_LIFE_S, open_link
from hocket.transport.clock import now

__all__ = ["LocalCluster"]

log = logging.getLogger("hocket.deploy")

#: Up to so many cores each gets a worker of its own.
_CORES_ONE_EACH: Final = 4


class _Crew(Protocol):
    """What brings scheduler and workers to life."""

    address: str

    @property
    def dashboard(self) -> str: ...
    def add(self, name: str) -> None: ...
    def wait(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def pids(self) -> dict[str, int]: ...
    def close(self) -> None: ...


class LocalCluster:
    """A scheduler and workers on this machine.

    Parameters
    ----------
    n_workers, threads_per_worker
        By default a worker with one thread for each core, or fewer workers with more threads on
        machines of more than four.
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

    def __init__(
        self,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        *,
        processes: bool = True,
        memory_limit: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        settings: Settings | Mapping[str, object] | None = None,
    ) -> None:
        self._closed = True
        self._pid = os.getpid()
        self.settings = check_settings(settings)
        n_workers, threads = layout(n_workers, threads_per_worker, _cores())
        if not isinstance(processes, bool):
            raise SettingsError(
                name="processes", value=processes, allowed="it must be True or False", source="code"
            )
        options: dict[str, object] = {
            "threads": threads,
            "memory_limit": (
                self.settings.worker.memory_limit
                if memory_limit is None
                else check_memory_limit(memory_limit)
            ),
            "resources": check_resources({} if resources is None else resources),
        }
        # One that was given lets others join, who read the same settings.
        self.secret = _given_secret(self.settings) or secrets.token_hex(32)
        self._threads_per_worker = threads
        self._processes = processes
        self._lock = threading.RLock()
        self._wanted: list[str] = []
        self._names_count = 0
        self._restarts = Restarts()
        #: Why the cluster is of no use any more; empty: it is.
        self._broken = ""
        self._crew: _Crew
        if processes:
            self._crew = _process_crew(self, options)
        else:
            self._crew = _thread_crew(self, options)
        self._closed = False
        try:
            self.scale(n_workers)
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return self._crew.address

    @property
    def dashboard_link(self) -> str:
        """A link to the scheduler's pages; empty if hocket-diagnostics is not installed.

        Where other hosts can connect, it logs in whoever has it: once, within ten minutes.
        """
        expires_s = now() + LOGIN_LIFE_S
        return open_link(self._crew.dashboard, self.secret, secrets.token_urlsafe(12), expires_s)

    @property
    def workers(self) -> list[str]:
        """The names of the workers."""
        with self._lock:
            return list(self._wanted)

    @property
    def worker_pids(self) -> dict[str, int]:
        """The process id of each worker."""
        pids = self._crew.pids()
        return {name: pids[name] for name in self.workers if name in pids}

    @property
    def scheduler_pid(self) -> int:
        """The process id of the scheduler."""
        self._check_open()
        return self._crew.pids()["scheduler"]

    @property
    def status(self) -> str:
        """``"running"`` or ``"closed"``."""
        return "closed" if self._closed else "running"

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The workers as other clusters tell of their jobs: each a process of this host."""
        pids = self._crew.pids()
        host = socket.gethostname()
        return [
            {
                "name": name,
                "group": "workers",
                "id": str(pids.get(name, "")),
                "state": "up",
                "reason": "",
                "hosts": host,
                "workers": [name],
            }
            for name in self.workers
        ]

    def scale(self, n_workers: int) -> None:
        """Have this many workers; return when new ones are up and old ones were asked to leave.

        Raises
        ------
        SettingsError
            That is no number of workers.
        ConnectFailed
            A worker ended or took too long while starting.
        """
        check_count("n_workers", n_workers, least=0)
        self._check_open()
        fresh = []
        with self._lock:
            while len(self._wanted) < n_workers:
                fresh.append(self._add())
            while len(self._wanted) > n_workers:
                self._crew.remove(self._wanted.pop())
        for name in fresh:
            self._crew.wait(name)

    def close(self) -> None:
        """End all workers and the scheduler. May be called twice.

        In a process that was forked from the one that made the cluster it does nothing.
        """
        if not self._closed:
            self._closed = True
            if os.getpid() == self._pid:
                self._crew.close()

    def _add(self) -> str:
        name = f"worker-{self._names_count}"
        self._names_count += 1
        self._wanted.append(name)
        self._crew.add(name)
        return name

    def _on_exit(self, name: str, cause: str) -> None:
        """Hear that a process of the cluster ended which was not asked to."""
        with self._lock:
            if self._closed:
                return
            if name in self._wanted:
                self._replace(name, cause)
            elif not self._broken:
                self._broken = f"{name} ended: {cause}"
                log.error(
                    "%s of the local cluster ended: %s; close the cluster and make another",
                    name,
                    cause,
                )
                # They would wait for a while, and end one by one with an error each.
                while self._wanted:
                    self._crew.remove(self._wanted.pop())

    def _replace(self, name: str, cause: str) -> None:
        """Put another worker in the place of one that died."""
        self._wanted.remove(name)
        if not self.settings.local.restart_workers:
            log.warning("%s ended: %s", name, cause)
        elif self._restarts.allow(monotonic()):
            log.warning("%s ended: %s; %s takes its place", name, cause, self._add())
        else:
            log.error("%s ended: %s; workers keep dying, so it is not replaced", name, cause)

    def _check_open(self) -> None:
        if self._closed or self._broken:
            raise _ClusterClosed(address=self.address, broken=self._broken)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return cluster_html(self)

    def __repr__(self) -> str:
        if self._closed:
            return "<LocalCluster closed>"
        how = "processes" if self._processes else "threads of this process"
        return (
            f"<LocalCluster {self.address} of {len(self.workers)} workers"
            f" with {self._threads_per_worker} thread(s) each, as {how}>"
        )


class _ClusterClosed(UserError):
    """The cluster was closed, or what it cannot be without is gone."""

    address: str
    broken: str

    def __init__(self, *, address: str, broken: str) -> None:
        super().__init__(address=address, broken=broken)

    def describe(self) -> str:
        what = f"of no use any more, since {self.broken}" if self.broken else "closed"
        return f"the cluster at {self.address} is {what}; make another"


def layout(n_workers: int | None, threads: int | None, cores: int) -> tuple[int, int]:
    """Return how many workers with how many threads each suit what was asked and the machine.

    Raises
    ------
    SettingsError
        A number is none, or too small.
    """
    if n_workers is not None:
        check_count("n_workers", n_workers, least=0)
    if threads is not None:
        check_count("threads_per_worker", threads, least=1)
    if n_workers is None and threads is None:
        # Few processes, that still use several interpreters well: the smallest divisor of the
        # number of cores that is at least its square root.
        n_workers = cores
        if cores > _CORES_ONE_EACH:
            n_workers = next(
                one for one in range(1, cores + 1) if cores % one == 0 and one**2 >= cores
            )
    if n_workers is None:
        assert threads is not None
        n_workers = max(1, cores // threads)
    if threads is None:
        threads = max(1, cores // max(1, n_workers))
    return n_workers, threads


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def _process_crew(cluster: LocalCluster, options: dict[str, object]) -> _Crew:
    return _ProcessCrew(cluster, options)


def _thread_crew(cluster: LocalCluster, options: dict[str, object]) -> _Crew:
    return ThreadCrew(cluster.settings, cluster.secret, options)


class _ProcessCrew:
    """Scheduler and workers as processes under a fork server."""

    def __init__(self, cluster: LocalCluster, options: dict[str, object]) -> None:
        owner = weakref.ref(cluster)

        def on_exit(name: str, cause: str) -> None:
            alive = owner()
            if alive is not None:
                alive._on_exit(name, cause)  # noqa: SLF001 - its own crew

        self._timeout_s = cluster.settings.local.start_timeout_s
        self._common = {
            "settings": cluster.settings.to_flat(),
            "secret": cluster.secret,
        }
        self._options = options
        self._processes = Processes(on_exit)
        try:
            self._processes.start(
                "scheduler", "scheduler", {**self._common, "addresses": ["tcp://127.0.0.1:0"]}
            )
            facts = self._processes.wait_ready("scheduler", self._timeout_s)
            self.address: str = facts["address"]
            self.dashboard: str = facts.get("dashboard", "")
        except BaseException:
            self._processes.close()
            raise

    def add(self, name: str) -> None:
        options = {
            **self._common,
            **self._options,
            "scheduler": self.address,
            "name": name,
            "path": [one or str(Path.cwd()) for one in sys.path],
        }
        self._processes.start(name, "worker", options)

    def wait(self, name: str) -> None:
        self._processes.wait_ready(name, self._timeout_s)

    def remove(self, name: str) -> None:
        self._processes.stop(name, signal.SIGTERM)

    def pids(self) -> dict[str, int]:
        return self._processes.pids()

    def close(self) -> None:
        self._processes.close()
