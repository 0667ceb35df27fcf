"""A cluster inside this process: scheduler and workers share one event loop thread."""

from __future__ import annotations

import math
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from hocket.core.settings import Settings
from hocket.deploy.exits import IN_GOOD_ORDER
from hocket.scheduler.shell import Scheduler
from hocket.transport.loop import shared_loop
from hocket.worker.shell import Worker

__all__ = ["ThreadCrew"]


class ThreadCrew:
    """Scheduler and workers on the shared loop thread; tasks run on threads of the workers.

    Parameters
    ----------
    settings
        For scheduler and workers.
    secret
        Of the cluster; nothing leaves the process, but the handshake is the same.
    options
        ``threads``, ``memory_limit`` and ``resources`` of each worker.
    on_exit
        As for `hocket.deploy.processes.Processes`: called when a client has ended the cluster.
    """

    def __init__(
        self,
        settings: Settings,
        secret: str,
        options: Mapping[str, Any],
        on_exit: Callable[[str, str], None],
    ) -> None:
        self._on_exit = on_exit
        self._settings = settings
        self._secret = secret
        self._options = options
        self._loop = shared_loop()
        self._workers: dict[str, Worker] = {}
        self.address = f"inproc://hocket-{secrets.token_hex(4)}"
        self._scheduler = self._loop.run(self._start_scheduler())

    @property
    def dashboard(self) -> str:
        """Where the scheduler's pages are, as a URL; empty if it has none."""
        return self._scheduler.dashboard_link

    async def _start_scheduler(self) -> Scheduler:
        scheduler = Scheduler(self._settings, secret=self._secret, on_ended=self._ended)
        await scheduler.start(self.address)
        return scheduler

    def _ended(self, _reason: str) -> None:
        # (Whoever hears of it waits for this loop.)
        arguments = "scheduler", IN_GOOD_ORDER
        threading.Thread(target=self._on_exit, args=arguments, name="hocket-exits").start()

    def add(self, name: str) -> None:
        """Start a worker; it is up on return."""

        async def start() -> Worker:
            worker = Worker(
                self.address,
                name=name,
                threads=self._options["threads"],
                memory_limit=self._options["memory_limit"],
                resources=self._options["resources"],
                settings=self._settings,
                secret=self._secret,
            )
            await worker.start()
            return worker

        self._workers[name] = self._loop.run(start())

    def wait(self, name: str, timeout_s: float = math.inf) -> None:
        """Return at once: :meth:`add` has waited."""

    def remove(self, name: str) -> None:
        """Close a worker."""
        self._loop.run(self._workers.pop(name).close())

    def pids(self) -> dict[str, int]:
        """Return this process's id for every part."""
        return dict.fromkeys(("scheduler", *self._workers), os.getpid())

    def replace_secret(self) -> str:
        """Have the scheduler make another secret; return it."""

        async def replace() -> str:
            return self._scheduler.replace_secret()

        return self._loop.run(replace())

    def close(self) -> None:
        """Close workers and scheduler."""
        try:
            for name in list(self._workers):
                self.remove(name)
        finally:
            self._loop.run(self._scheduler.close())
