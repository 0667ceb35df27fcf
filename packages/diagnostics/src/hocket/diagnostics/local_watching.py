"""Watching the feed of a role in the same process, from the thread of the dashboard.

Events are handed over as they are, a few times a second: nothing is encoded. The role's loop does
no more than cut a list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from hocket.core.errors import LocalProtocolError
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.watching import BASIC, LINGER_S, kinds_apart
from hocket.protocol.feed import Answer, Question, Reader
from hocket.protocol.messages import Events, Snapshot
from hocket.protocol.messages.feed import EventKinds
from hocket.transport import monotonic
from hocket.transport.services import Readable

__all__ = ["LocalWatch"]

_T = TypeVar("_T")

#: Time between two looks at the feed, in seconds.
INTERVAL_S: Final = 0.2
#: Events that the role's loop is asked for at a time.
_TAKE_MAX: Final = 5_000


class LocalWatch:
    """Watches a source that belongs to another thread's loop.

    Parameters
    ----------
    source, loop
        What is read, and the loop on which it has to be.
    model
        To be filled.
    """

    def __init__(
        self, source: Readable, loop: asyncio.AbstractEventLoop, model: ClusterModel
    ) -> None:
        self.model: ClusterModel = model
        self._source = source
        self._loop = loop
        self._readers: dict[EventKinds, Reader] = {}
        self._needed_s: dict[EventKinds, float] = {}
        #: By kinds: the number of the first event that has not been read.
        self._positions: dict[EventKinds, int] = {}
        self._poller: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._closed = False

    @property
    def state(self) -> str:
        """``"live"``, or in words what is wrong."""
        return "live" if not self._closed else "closed"

    async def need(self, kinds: EventKinds) -> None:
        """Make sure that the model hears of these, now and for a while."""
        if self._closed:
            return
        now_s = monotonic()
        wanted = kinds_apart(kinds)
        self._needed_s.update(dict.fromkeys(wanted, now_s))
        if any(kind not in self._readers for kind in wanted):
            await self._look()
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def ask(self, question: Question) -> Answer:
        """Ask for something that stands in no event; a worker's feed answers nothing."""
        ask = getattr(self._source, "ask", None)
        if ask is None:
            raise LocalProtocolError(reason="a feed that cannot be asked was asked")
        answering = asyncio.run_coroutine_threadsafe(ask(question), self._loop)
        answer: Answer = await asyncio.wrap_future(answering)
        return answer

    async def close(self) -> None:
        """Stop watching. May be called twice."""
        self._closed = True
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        self._needed_s.clear()
        if not self._loop.is_closed() and self._loop.is_running():
            await self._call(self._close_readers)

    async def _poll(self) -> None:
        """Read while something is needed."""
        try:
            while self._needed_s:
                await asyncio.sleep(INTERVAL_S)
                now_s = monotonic()
                for kind in [each for each, at in self._needed_s.items() if now_s - at > LINGER_S]:
                    del self._needed_s[kind]
                await self._look()
        finally:
            self._poller = None

    async def _look(self) -> None:
        """Read what is new, and begin or stop to read what is needed or no longer needed."""
        async with self._lock:
            is_behind = True
            while is_behind:
                snapshots, batches = await self._call(self._take)
                for snapshot in snapshots:
                    self.model.begin(snapshot)
                for batch in batches:
                    if batch.events or batch.dropped:
                        self.model.fold(batch.events, lost=batch.dropped)
                is_behind = any(len(batch.events) >= _TAKE_MAX for batch in batches)

    # On the role's loop.

    def _take(self) -> tuple[list[Snapshot], list[Events]]:
        snapshots = []
        for kind in list(self._needed_s):
            if kind not in self._readers:
                position = self._positions.get(kind, 0)
                reader = self._readers[kind] = self._source.read(kind, position)
                if kind == BASIC:
                    snapshots.append(reader.snapshot())
        for kind in [each for each in self._readers if each not in self._needed_s]:
            self._readers.pop(kind).close()
        batches = []
        for kind, reader in self._readers.items():
            batch = reader.take(_TAKE_MAX)
            self._positions[kind] = batch.following
            batches.append(batch)
        return snapshots, batches

    def _close_readers(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    async def _call(self, function: Callable[[], _T]) -> _T:
        """Call a function on the role's loop."""
        future: Future[_T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                # Nobody waits for it any more.
                return
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is handed over
                future.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return await asyncio.wrap_future(future)
