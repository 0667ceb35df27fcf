"""What brings a cluster on this machine to life; here as processes, in `threads` as threads."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from hocket.core.settings import Settings
from hocket.deploy.processes import Processes
from hocket.transport.keyring import current_secret

__all__ = ["Crew", "ProcessCrew", "ask_for_secret"]

#: How long a scheduler may take to make another secret.
_SECRET_S: Final = 10.0


class Crew(Protocol):
    """Brings scheduler and workers to life."""

    address: str

    @property
    def dashboard(self) -> str:
        """Where the scheduler's pages are, as a URL; empty if it has none."""

    def add(self, name: str) -> None:
        """Begin to start a worker."""

    def wait(self, name: str, timeout_s: float = math.inf) -> None:
        """Wait until a worker is up."""

    def remove(self, name: str) -> None:
        """Have a worker leave."""

    def pids(self) -> dict[str, int]:
        """Return the process ids of what runs, by name."""

    def replace_secret(self) -> str:
        """Have the scheduler make another secret; return it."""

    def close(self) -> None:
        """End all of it."""


class ProcessCrew:
    """Scheduler and workers as processes under a fork server.

    Parameters
    ----------
    settings, secret
        Of the cluster.
    options
        ``threads``, ``memory_limit`` and ``resources`` of each worker.
    on_exit
        As for `Processes`.
    """

    def __init__(
        self,
        settings: Settings,
        secret: str,
        options: Mapping[str, object],
        on_exit: Callable[[str, str], None],
    ) -> None:
        self._timeout_s = settings.local.start_timeout_s
        self._secret = secret
        self._common = {"settings": settings.to_flat()}
        self._options = options
        self._processes = Processes(on_exit)
        try:
            self._processes.start(
                "scheduler",
                "scheduler",
                {**self._common, "secret": secret, "addresses": ["tcp://127.0.0.1:0"]},
            )
            facts = self._processes.wait_ready("scheduler", self._timeout_s)
            self.address: str = facts["address"]
            self.dashboard: str = facts.get("dashboard", "")
        except BaseException:
            self._processes.close()
            raise

    def add(self, name: str) -> None:
        """Begin to start a worker."""
        options = {
            **self._common,
            **self._options,
            "secret": current_secret(self._secret),
            "scheduler": self.address,
            "name": name,
            "path": [one or str(Path.cwd()) for one in sys.path],
        }
        self._processes.start(name, "worker", options)

    def wait(self, name: str, timeout_s: float = math.inf) -> None:
        """Wait until a worker is up."""
        self._processes.wait_ready(name, min(self._timeout_s, timeout_s))

    def remove(self, name: str) -> None:
        """Have a worker leave."""
        self._processes.stop(name, signal.SIGTERM)

    def pids(self) -> dict[str, int]:
        """Return the process ids of what runs, by name."""
        return self._processes.pids()

    def replace_secret(self) -> str:
        """Have the scheduler make another secret; return it."""
        return ask_for_secret(self._processes)

    def close(self) -> None:
        """End all processes."""
        self._processes.close()


def ask_for_secret(processes: Processes) -> str:
    """Have the scheduler of a cluster make another secret; return it.

    Raises
    ------
    TimeoutError
        It made none.
    """
    secret: str = processes.ask("scheduler", signal.SIGUSR1, "secret", _SECRET_S)
    return secret
