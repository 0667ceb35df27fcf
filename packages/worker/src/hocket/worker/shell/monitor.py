"""How the worker's process is, looked at from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psutil

from hocket.protocol.messages import WorkerReport
from hocket.transport import now
from hocket.worker.policy.report import ReportPolicy

__all__ = ["MEMORY_INTERVAL_S", "Monitor"]

#: Time between two looks at the memory while it may grow.
MEMORY_INTERVAL_S: Final = 0.2


class Monitor:
    """Sends reports when there is news, and watches the memory.

    Parameters
    ----------
    interval_s
        Time between two looks while the worker is busy.
    counts
        Returns the bytes held, the tasks running and ready, and the bytes spilled.
    send
        Sends a report to the scheduler.
    watch
        Told of the memory of the process, in bytes, each `MEMORY_INTERVAL_S`; returns whether to
        look on: once it says no, `hurry` begins anew. None: nobody wants to know.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        counts: Callable[[], tuple[int, int, int, int]],
        send: Callable[[WorkerReport], None],
        watch: Callable[[int], bool] | None = None,
    ) -> None:
        self._policy = ReportPolicy(interval_s)
        self._counts = counts
        #: Whether it was reported that values are in files.
        self._has_spilled = False
        self._send = send
        self._watch = watch
        self._process = psutil.Process()
        self._timer: asyncio.TimerHandle | None = None
        self._memory_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        """Look now, and from time to time from now on."""
        self._look()
        self._arm_watch()

    def close(self) -> None:
        """Stop looking."""
        self._closed = True
        for timer in (self._timer, self._memory_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._memory_timer = None

    def hurry(self) -> None:
        """Look as often as at a busy worker: something happens."""
        if self._memory_timer is None:
            self._arm_watch()
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

    def _arm_watch(self) -> None:
        if self._watch is not None and not self._closed:
            loop = asyncio.get_running_loop()
            self._memory_timer = loop.call_later(MEMORY_INTERVAL_S, self._look_at_memory)

    def _look_at_memory(self) -> None:
        assert self._watch is not None
        self._memory_timer = None
        is_watched = self._watch(self._process.memory_info().rss)
        if bool(self._counts()[3]) is not self._has_spilled and self._timer is not None:
            # The scheduler counts with memory in another way from then on.
            self._timer.cancel()
            self._look()
        if is_watched:
            self._arm_watch()

    def _sample(self) -> WorkerReport:
        held_nbytes, running, ready, spilled_nbytes = self._counts()
        self._has_spilled = spilled_nbytes > 0
        with self._process.oneshot():
            memory_nbytes = self._process.memory_info().rss
            times = self._process.cpu_times()
        return WorkerReport(
            now(),
            memory_nbytes,
            times.user + times.system,
            held_nbytes,
            running,
            ready,
            spilled_nbytes,
        )
