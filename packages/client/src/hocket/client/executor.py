"""The `concurrent.futures` way to a cluster: an executor, and futures that its users know.

A future that is done has its value: one thread of the executor's collects results, many at a time.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from concurrent.futures import Future as StandardFuture
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, TypeVar, cast

from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.options import TaskOptions
from hocket.client.shell.blocking import deadline, without_slot
from hocket.client.shell.collector import Collector
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import run_blocking
from hocket.client.states import PENDING, FutureState
from hocket.client.submit import Submitter
from hocket.core.errors import PeerLost, TaskCancelled
from hocket.core.task_context import current_task
from hocket.protocol.messages import ListTasks, TaskPlace, TasksListed
from hocket.protocol.serialize import ApplyToRows

__all__ = ["ClientExecutor", "ExecutorFuture"]

_T = TypeVar("_T")

#: Of more keys it is shorter to ask for all that run.
_KEYS_MAX: Final = 1000


class ExecutorFuture(StandardFuture[_T]):
    """A future of `concurrent.futures`, of a call on a cluster.

    Attributes
    ----------
    key
        How the cluster calls the task.
    """

    def __init__(self, future: Future) -> None:
        super().__init__()
        self.key = future.key
        #: None once this is done.
        self._future: Future | None = future
        self._ending = threading.Lock()

    @property
    def record(self) -> FutureState | None:
        """Of the client's own; not for users."""
        future = self._future
        return None if future is None else future.record

    @property
    def _session(self) -> ClientSession | None:
        future = self._future
        return None if future is None else future.session

    def result(self, timeout: float | None = None) -> _T:
        """Return what the call returned, or raise what it raised; waits for its end.

        A task that waits here gives up its slot meanwhile. (In the functions of
        `concurrent.futures` it does not: call `hocket.client.secede` before.)
        """
        try:
            return super().result(self._wait_in_task(timeout))
        finally:
            # The traceback of an error knows this frame, and the future the error.
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None; waits as `result` does."""
        return super().exception(self._wait_in_task(timeout))

    def _wait_in_task(self, timeout: float | None) -> float | None:
        """In a task, wait until this is done, without its slot; return the timeout that is left."""
        task = current_task()
        if task is None or self.done():
            return timeout
        with without_slot(task), suppress(TimeoutError, CancelledError):
            super().exception(timeout)
        return 0

    def running(self) -> bool:
        """Return whether the call has begun and not ended; asks the cluster.

        Raises
        ------
        RuntimeError
            The client is asynchronous, and this is an event loop's thread, which it would block.
        """
        session = self._session
        if session is not None and must_not_block(session):
            raise RuntimeError(
                f"running() of {self.key!r} asks the cluster, which would block this event loop;"
                " call it by asyncio.to_thread"
            )
        return bool(find_running([self]))

    def cancel(self) -> bool:
        """Cancel the call, unless it has begun; return whether it is cancelled.

        Asks the cluster whether it has begun. Should it begin at this very moment, it is cancelled
        all the same: it runs, and its result is dropped. With an asynchronous client, in an event
        loop's thread (where `asyncio.wrap_future` cancels), nobody is asked, and it is cancelled
        whether it has begun or not.
        """
        session = self._session
        if session is not None and must_not_block(session):
            return self.cancel_unasked()
        return not find_running([self]) and self.cancel_unasked()

    def cancel_unasked(self, *, interrupt: bool = False) -> bool:
        """Cancel the call, unless it has ended; return whether it is cancelled.

        Parameters
        ----------
        interrupt
            Whether it is interrupted if it runs; else it runs on, and its result is dropped.
        """
        future = self._take()
        if future is None:
            return self.cancelled()
        future.session.cancel([future.record], interrupt=interrupt)
        super().cancel()
        # `wait` and `as_completed` hear of it only by this.
        self.set_running_or_notify_cancel()
        return True

    def settle(self, value: Any) -> None:
        """Take what came of the call; not for users."""
        error = value.error if type(value) is Raised else None
        if isinstance(error, TaskCancelled) and error.key == self.key:
            self.cancel_unasked()
        elif self._take() is None:
            return
        elif error is None:
            self.set_result(value)
        elif isinstance(error, PeerLost):
            broken = BrokenExecutor(str(error))
            broken.__cause__ = error
            self.set_exception(broken)
        else:
            self.set_exception(error)

    def _take(self) -> Future | None:
        """Return the cluster's future to the one who may end this, and None to all others."""
        with self._ending:
            future, self._future = self._future, None
        return future


def must_not_block(session: ClientSession) -> bool:
    """Whether this thread runs an event loop that a session's client has promised not to block."""
    if not session.asynchronous:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def find_running(futures: Sequence[ExecutorFuture[Any]]) -> set[str]:
    """Return the keys of those futures, all of one client, that are running."""
    pending = [
        future
        for future in (one._future for one in futures)  # noqa: SLF001 - of this file
        if future is not None and future.record.status is PENDING
    ]
    if not pending:
        return set()
    keys = [future.key for future in pending]
    asked = keys if len(keys) <= _KEYS_MAX else []
    try:
        reply = run_blocking(
            pending[0].session.ask(
                TasksListed, lambda number: ListTasks(number, TaskPlace.RUNNING, [], asked)
            )
        )
    except PeerLost:
        return set()
    return set(keys).intersection(key for row in reply.keys for key in row)


class ClientExecutor(Executor):
    """Calls functions on a cluster; made by `Client.get_executor`.

    Parameters
    ----------
    submitter, session
        Of the client.
    options
        Of all calls.
    pure
        Whether the same call gives the same result each time.
    """

    def __init__(
        self, submitter: Submitter, session: ClientSession, options: TaskOptions, *, pure: bool
    ) -> None:
        self._submitter = submitter
        self._session = session
        self._options = options
        self._pure = pure
        self._lock = threading.Lock()
        self._is_shut_down = False
        self._collector = Collector(session, "hocket-executor")
        weakref.finalize(self, self._collector.end).atexit = False

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> ExecutorFuture[_T]:
        """Have a function called on the cluster.

        All keywords are the function's; what `Client.submit` takes beside is given to
        `Client.get_executor`.

        Raises
        ------
        RuntimeError
            The executor was shut down.
        BrokenExecutor
            The client is closed, or its scheduler gone.
        SerializationError
            The function or an argument cannot be pickled; the error says which.
        """
        self._check_open()
        with _broken_if_lost():
            future = self._submitter.submit(
                fn, args, kwargs, pure=self._pure, options=self._options
            )
        return self._collect([future])[0]

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[_T]:
        """Have a function called for each element of some iterables; yield results in order.

        Calls are submitted at once. When the iterator is closed or raises, those that have not
        ended are cancelled.

        Parameters
        ----------
        fn, *iterables
            As for the builtin ``map``.
        timeout
            Seconds from now until the last result is taken; None waits for ever.
        chunksize
            How many calls make one task.
        buffersize
            How many calls are ahead of the results that were taken; None: all. With a number,
            iterables may be endless.

        Raises
        ------
        RuntimeError, BrokenExecutor, SerializationError
            As for `submit`.
        ValueError
            A size is none.
        TimeoutError
            While iterating: a result is not there in time.
        """
        for name, size in (("chunksize", chunksize), ("buffersize", buffersize)):
            if size is not None and size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        self._check_open()
        left = deadline(timeout)
        rows: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
        function: Callable[..., Any] = fn
        if chunksize > 1:
            calls = rows
            rows = zip(iter(lambda: list(islice(calls, chunksize)), []), strict=False)
            function = ApplyToRows(fn)
        first = rows if buffersize is None else islice(rows, -(-buffersize // chunksize))
        results = self._results(deque(self._submit_rows(function, first)), rows, function, left)
        return _flat(results) if chunksize > 1 else results

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        """Take no more calls. The client stays open.

        Parameters
        ----------
        wait
            Whether to wait until all calls have ended.
        cancel_futures
            Whether calls that have not begun are cancelled; where nothing can be asked (see
            `ExecutorFuture.cancel`), all that have not ended.

        Raises
        ------
        RuntimeError
            It is to wait, the client is asynchronous, and this is an event loop's thread, which it
            would block. The executor takes no more calls all the same.
        """
        with self._lock:
            self._is_shut_down = True
        may_block = not must_not_block(self._session)
        if cancel_futures:
            pending = self._waiting
            running = find_running(pending) if may_block else set()
            for future in pending:
                if future.key not in running:
                    future.cancel_unasked()
        if wait and may_block:
            self._collector.wait_idle()
        self._collector.end()
        if wait and not may_block and any(not one.done() for one in self._waiting):
            raise RuntimeError(
                "shutdown() waits for calls, which would block this event loop; say wait=False, or"
                " await asyncio.to_thread(executor.shutdown)"
            )

    @property
    def _waiting(self) -> list[ExecutorFuture[Any]]:
        return cast("list[ExecutorFuture[Any]]", self._collector.waiting)

    def _submit_rows(
        self, function: Callable[..., Any], rows: Iterable[tuple[Any, ...]]
    ) -> list[ExecutorFuture[Any]]:
        columns = list(zip(*rows, strict=True))
        if not columns:
            return []
        self._check_open()
        with _broken_if_lost():
            futures = self._submitter.map(
                function, columns, {}, pure=self._pure, options=self._options
            )
        return self._collect(futures)

    def _collect(self, futures: list[Future]) -> list[ExecutorFuture[Any]]:
        """Return futures for these; they get their values when these are done."""
        made: list[ExecutorFuture[Any]] = [ExecutorFuture(future) for future in futures]
        with self._lock:
            self._check_open()
            self._collector.add(made)  # type: ignore[arg-type] # a list is invariant
        return made

    def _results(
        self,
        pending: deque[ExecutorFuture[Any]],
        rest: Iterator[tuple[Any, ...]],
        function: Callable[..., Any],
        left: Callable[[], float | None],
    ) -> Iterator[Any]:
        try:
            while pending:
                pending += self._submit_rows(function, islice(rest, 1))
                # The value must not be kept here while somebody uses it.
                yield _take_result(pending.popleft(), left())
        finally:
            for future in pending:
                future.cancel_unasked()

    def _check_open(self) -> None:
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def __reduce__(self) -> Any:
        raise TypeError("an executor cannot be pickled; a task calls get_client().get_executor()")

    def __repr__(self) -> str:
        status = "shut down" if self._is_shut_down else "open"
        return f"<ClientExecutor of {self._session.address}, {status}>"


@contextmanager
def _broken_if_lost() -> Iterator[None]:
    """Raise what users of `concurrent.futures` expect where the scheduler is gone."""
    try:
        yield
    except PeerLost as error:
        raise BrokenExecutor(str(error)) from error


def _flat(chunks: Iterator[list[Any]]) -> Iterator[Any]:
    for chunk in chunks:
        chunk.reverse()
        while chunk:
            yield chunk.pop()


def _take_result(future: ExecutorFuture[Any], timeout_s: float | None) -> Any:
    try:
        return future.result(timeout_s)
    finally:
        if not future.done():
            future.cancel_unasked()
        # The traceback of an error knows this frame, and the future the error.
        del future
