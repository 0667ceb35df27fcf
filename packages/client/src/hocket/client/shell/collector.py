"""A thread that brings values home as they come, for futures of other libraries."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Protocol

from hocket.client.failures import Raised
from hocket.client.shell.blocking import block, held_lock
from hocket.client.shell.collect import collect
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import run_blocking
from hocket.client.states import FutureState, Watch
from hocket.core.errors import HocketError

__all__ = ["Collected", "Collector"]


class Collected(Protocol):
    """What wants the value of a future, once it is there."""

    @property
    def record(self) -> FutureState | None:
        """Of the future; None if the value is not wanted any more."""

    def settle(self, value: Any) -> None:
        """Take the value, or a `Raised`; called in the thread that brings it."""


class Collector:
    """Brings values home, many at a time; those that came along with the news come first.

    Parameters
    ----------
    session
        Of the client of all futures.
    name
        Of the thread, which is started when it is needed.
    """

    def __init__(self, session: ClientSession, name: str) -> None:
        self._session = session
        self._name = name
        #: Those that are done; None where there is something else to see.
        self._done: SimpleQueue[Collected | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_ending = False
        #: Those that are not settled, in the order in which they were added.
        self._open: dict[Collected, None] = {}
        self._idle: list[threading.Lock] = []

    @property
    def waiting(self) -> list[Collected]:
        """Those that are not settled yet."""
        with self._lock:
            return list(self._open)

    def add(self, futures: list[Collected]) -> None:
        """Wait for these, which are new."""
        with self._lock:
            self._open.update(dict.fromkeys(futures))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        for future in futures:
            put = _Putting(self._done, future)
            record = future.record
            if record is None or not self._session.add_watch([record], Watch(put)):
                put()

    def wait_idle(self) -> None:
        """Wait until all that were added are settled; in the collector's own thread, do not."""
        waiter = held_lock()
        with self._lock:
            if not self._open or threading.current_thread() is self._thread:
                return
            self._idle.append(waiter)
        block(waiter, None)

    def end(self) -> None:
        """End the thread as soon as all is settled. May be called twice, by any thread."""
        self._is_ending = True
        self._done.put(None)

    def _run(self) -> None:
        while True:
            # (No variable here may keep a future while there is nothing to do.)
            if self._work([self._done.get()]):
                return

    def _work(self, done: list[Collected | None]) -> bool:
        """Settle those that are done; return whether there is nothing more to do, ever."""
        while not self._done.empty():
            done.append(self._done.get())
        futures = [one for one in done if one is not None]
        self._settle(futures)
        with self._lock:
            for one in futures:
                del self._open[one]
            if self._open:
                return False
            idle, self._idle = self._idle, []
            is_over = self._is_ending
            if is_over:
                self._thread = None
        for waiter in idle:
            waiter.release()
        return is_over

    def _settle(self, futures: list[Collected]) -> None:
        rows = [(one, record) for one in futures if (record := one.record) is not None]
        near = [row for row in rows if row[1].value is not None or row[1].failure is not None]
        far = [row for row in rows if row[1].value is None and row[1].failure is None]
        rows.clear()
        for some in (near, far):
            records = [record for _, record in some]
            try:
                values = (
                    run_blocking(collect(self._session, records, first_failure=False))
                    if some
                    else []
                )
            except HocketError as error:
                values = [Raised(error)] * len(some)
            for (future, _), value in zip(some, values, strict=True):
                future.settle(value)
            values.clear()


class _Putting:
    """Puts one that is done in a queue, once."""

    __slots__ = ("_future", "_queue")

    def __init__(self, queue: SimpleQueue[Collected | None], future: Collected) -> None:
        self._queue = queue
        self._future: Collected | None = future

    def __call__(self) -> None:
        future, self._future = self._future, None
        if future is not None:
            self._queue.put(future)
