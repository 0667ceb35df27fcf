"""How the worker's process is, looked at from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil

from hocket.protocol.messages import WorkerReport
from hocket.transport import now
from hocket.worker.policy.report import ReportPolicy

__all__ = ["Monitor"]


class Monitor:
    """Sends reports when there is news.

    Parameters
    ----------
    interval_s
        Time between two looks while the worker is busy.
    counts
        Returns the bytes held, the tasks running and the tasks ready.
    send
        Sends a report to the scheduler.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        counts: Callable[[], tuple[int, int, int]],
        send: Callable[[WorkerReport], None],
    ) -> None:
        self._policy = ReportPolicy(interval_s)
        self._counts = counts
        self._send = send
        self._process = psutil.Process()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now, and from time to time from now on."""
        self._look()

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hurry(self) -> None:
        """Look as often as at a busy worker: something happens."""
        if self._policy.is_slow and self._timer is not None:
            self._policy.hurry()
            self._timer.cancel()
            self._arm()

    def _look(self) -> None:
        report = self._sample()
        if self._policy.look(report):
            self._send(report)
        self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._policy.wait_s, self._look)

    def _sample(self) -> WorkerReport:
        held_nbytes, running, ready = self._counts()
        with self._process.oneshot():
            memory_nbytes = self._process.memory_info().rss
            times = self._process.cpu_times()
        return WorkerReport(
            now(), memory_nbytes, times.user + times.system, held_nbytes, running, ready
        )
