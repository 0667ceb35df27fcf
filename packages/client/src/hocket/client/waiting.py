"""Waiting for several futures at once: all, the first, or each as it comes."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator
from typing import Any, Final, NamedTuple, Self, cast

from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.gather import find_futures
from hocket.client.shell.blocking import deadline
from hocket.client.shell.collect import collect_one
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import Signal, run_blocking, run_in_loop
from hocket.client.states import FutureState, Watch

__all__ = ["Batches", "Waited", "as_completed", "fire_and_forget", "run_for", "wait"]

_CONDITIONS: Final = ("ALL_COMPLETED", "FIRST_COMPLETED")


class Waited(NamedTuple):
    """What `wait` returns."""

    done: set[Future]
    not_done: set[Future]

    def __await__(self) -> Generator[Any, None, Waited]:
        # Of no futures nobody knows whether their client is asynchronous.
        return self
        yield


def wait(futures: Any, timeout: float | None = None, return_when: str = "ALL_COMPLETED") -> Waited:
    """Wait until futures are done, with or without a value.

    For futures of an asynchronous client, return what is to be awaited.

    Parameters
    ----------
    futures
        Futures, also nested in lists, tuples, sets and dicts.
    timeout
        Seconds to wait; None waits for ever.
    return_when
        ``"ALL_COMPLETED"`` or ``"FIRST_COMPLETED"``.

    Raises
    ------
    TimeoutError
        They are not done in time.
    ValueError
        ``return_when`` is neither.
    """
    if return_when not in _CONDITIONS:
        raise ValueError(f"return_when is {return_when!r}; it must be one of {_CONDITIONS}")
    found = find_futures(futures)
    coroutine = _wait(found, timeout, first=return_when == "FIRST_COMPLETED")
    return cast("Waited", run_for(found, coroutine))


async def _wait(found: list[Future], timeout_s: float | None, *, first: bool) -> Waited:
    if first:
        done = (
            not found
            or any(future.done() for future in found)
            or await _wait_first(found, timeout_s)
        )
    else:
        done = await _wait_all(found, timeout_s)
    if not done:
        pending = sum(not future.done() for future in found)
        raise TimeoutError(f"{pending} of {len(found)} futures are not done after {timeout_s} s")
    return Waited(
        {future for future in found if future.done()},
        {future for future in found if not future.done()},
    )


def run_for(futures: Iterable[Future], coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine of pauses returns that waits for futures.

    If the client of one of them is asynchronous, return what is to be awaited.
    """
    return run_in_loop(coroutine) if _are_asynchronous(futures) else run_blocking(coroutine)


def _are_asynchronous(futures: Iterable[Future]) -> bool:
    return any(future.session.asynchronous for future in futures)


def _by_session(futures: Iterable[Future]) -> dict[ClientSession, list[FutureState]]:
    states: dict[ClientSession, list[FutureState]] = {}
    for future in futures:
        states.setdefault(future.session, []).append(future.record)
    return states


async def _wait_all(futures: list[Future], timeout_s: float | None) -> bool:
    left = deadline(timeout_s)
    for session, states in _by_session(futures).items():
        if not await session.wait(states, left()):
            return False
    return True


async def _wait_first(futures: list[Future], timeout_s: float | None) -> bool:
    with _Arrivals() as arrivals:
        arrivals.add(futures)
        return await arrivals.wait(timeout_s)


class _Arrivals:
    """Futures of any clients, in the order in which they are done."""

    def __init__(self) -> None:
        self._news = Signal()
        self._watches: dict[ClientSession, Watch] = {}
        self._pending: dict[int, list[Future]] = {}
        self._ready: deque[Future] = deque()
        #: Futures that were added and not yet taken.
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Hear of nothing any more."""
        states = _by_session(one for futures in self._pending.values() for one in futures)
        for session, pending in states.items():
            session.remove_watch(pending, self._watches[session])
        self._pending.clear()
        self._ready.clear()
        self.count = 0

    def add(self, futures: Iterable[Future]) -> None:
        """Wait for more futures; one that was added already comes twice."""
        self._sort_in()
        new: list[Future] = []
        for future in futures:
            self.count += 1
            waiting = self._pending.get(id(future.record))
            if waiting is not None:
                waiting.append(future)
            elif future.done():
                self._ready.append(future)
            else:
                self._pending[id(future.record)] = [future]
                new.append(future)
        for session, states in _by_session(new).items():
            watch = self._watches.get(session)
            if watch is None:
                watch = self._watches[session] = Watch(self._news.wake, every=True)
            if session.add_watch(states, watch) < len(states):
                # Some were done in the meantime: the watch does not hear of them.
                self._take_done(new)

    def _take_done(self, futures: list[Future]) -> None:
        heard = {id(state) for watch in self._watches.values() for state in watch.arrived or ()}
        for future in futures:
            identity = id(future.record)
            if future.done() and identity in self._pending and identity not in heard:
                watch = self._watches[future.session]
                if future.record.watches is None or watch not in future.record.watches:
                    self._ready += self._pending.pop(identity)

    def _sort_in(self) -> None:
        """Take what the watches have heard of."""
        for watch in self._watches.values():
            arrived, watch.arrived = watch.arrived, []
            for state in arrived or ():
                self._ready += self._pending.pop(id(state), ())

    async def wait(self, timeout_s: float | None) -> bool:
        """Wait until there is one; return whether there is."""
        if self._ready:
            return True
        left = deadline(timeout_s)
        while True:
            self._sort_in()
            if self._ready:
                return True
            if not await self._news.wait(left()):
                self._sort_in()
                return bool(self._ready)

    def take(self) -> Future:
        """Return the next one that is done; there must be one."""
        self.count -= 1
        return self._ready.popleft()

    @property
    def has_ready(self) -> bool:
        """Whether `take` has something to return."""
        if not self._ready:
            self._sort_in()
        return bool(self._ready)


class as_completed:  # noqa: N801 - the name that users of concurrent.futures and dask know
    """Iterate over futures in the order in which they are done, by ``for`` or by ``async for``.

    Parameters
    ----------
    futures
        To begin with; more may be added at any time, also while iterating.
    with_results
        Whether to yield pairs of a future and its value.
    raise_errors
        With results: whether an error is raised, or stands in the place of the value.
    timeout
        Seconds for the whole iteration; None waits for ever.

    Raises
    ------
    TimeoutError
        While iterating: they are not all done in time.
    """

    def __init__(
        self,
        futures: Iterable[Future] = (),
        *,
        with_results: bool = False,
        raise_errors: bool = True,
        timeout: float | None = None,
    ) -> None:
        self._arrivals = _Arrivals()
        self._with_results = with_results
        self._raise_errors = raise_errors
        self._timeout_s = timeout
        self._left = deadline(timeout)
        self._lock = threading.Lock()
        self._is_asynchronous = False
        self.update(futures)

    def add(self, future: Future) -> None:
        """Yield one more future."""
        self.update([future])

    def update(self, futures: Iterable[Future]) -> None:
        """Yield more futures."""
        futures = list(futures)
        with self._lock:
            self._is_asynchronous |= _are_asynchronous(futures)
            self._arrivals.add(futures)

    def count(self) -> int:
        """Return how many futures have not been yielded."""
        return self._arrivals.count

    def is_empty(self) -> bool:
        """Return whether all have been yielded."""
        return not self._arrivals.count

    def has_ready(self) -> bool:
        """Return whether one could be yielded at once."""
        return self._arrivals.has_ready

    def clear(self) -> None:
        """Forget all that have not been yielded."""
        with self._lock:
            self._arrivals.close()

    def next_batch(self, *, block: bool = True) -> Any:
        """Return all that are done, as a list.

        Parameters
        ----------
        block
            Whether to wait until there is one.
        """
        coroutine = self.wait_for_batch() if block else self._take_ready()
        return run_in_loop(coroutine) if self._is_asynchronous else run_blocking(coroutine)

    async def wait_for_batch(self) -> list[Any]:
        """Wait until there is one, by pauses, and return all that are done; none: the end."""
        if self._arrivals.count:
            await self._wait()
        return await self._take_ready()

    async def _take_ready(self) -> list[Any]:
        batch = []
        while self._arrivals.has_ready:
            batch.append(await self._take())
        return batch

    def batches(self) -> Batches:
        """Iterate over lists of all that are done at a time, by ``for`` or by ``async for``."""
        return Batches(self)

    def __iter__(self) -> as_completed:
        return self

    def __next__(self) -> Any:
        if not self._arrivals.count:
            raise StopIteration
        return run_blocking(self._next())

    def __aiter__(self) -> as_completed:
        return self

    async def __anext__(self) -> Any:
        if not self._arrivals.count:
            raise StopAsyncIteration
        return await run_in_loop(self._next())

    async def _next(self) -> Any:
        await self._wait()
        return await self._take()

    async def _wait(self) -> None:
        if not await self._arrivals.wait(self._left()):
            count = self._arrivals.count
            self.clear()
            raise TimeoutError(f"{count} futures are not done after {self._timeout_s} s")

    async def _take(self) -> Any:
        with self._lock:
            future = self._arrivals.take()
        if not self._with_results:
            return future
        value = await collect_one(future.session, future.record)
        if type(value) is Raised:
            if self._raise_errors:
                raise value.error
            return future, value.error
        return future, value


class Batches:
    """What `as_completed.batches` returns."""

    def __init__(self, completed: as_completed) -> None:
        self._completed = completed

    def __iter__(self) -> Iterator[list[Any]]:
        while not self._completed.is_empty():
            yield run_blocking(self._completed.wait_for_batch())

    async def __aiter__(self) -> AsyncIterator[list[Any]]:
        while not self._completed.is_empty():
            yield await run_in_loop(self._completed.wait_for_batch())


def fire_and_forget(futures: Any) -> None:
    """Have tasks finished though nobody keeps their futures.

    Parameters
    ----------
    futures
        Futures, also nested in lists, tuples, sets and dicts.
    """
    for future in find_futures(futures):
        kept = future.session.forgotten
        kept.add(future)
        watch = Watch(functools.partial(kept.discard, future))
        if not future.session.add_watch([future.record], watch):
            kept.discard(future)
