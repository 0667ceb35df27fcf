"""Futures: what a submitted task is to its user."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any

from msgspec import Struct

from hocket.client.failures import Raised, error_of_state
from hocket.client.shell.callbacks import call_soon
from hocket.client.shell.collect import collect_one, describe_late
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import run_in_loop
from hocket.client.showing import future_html
from hocket.client.states import CANCELLED, LOST, PENDING, FutureState, Watch
from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import PeerLost, SerializationError, TaskCancelled
from hocket.protocol.serialize import collecting, load_value, note_reference, resolve

__all__ = ["Future"]


class Future(Struct, eq=False, weakref=True):
    """The result of a task, which may not be there yet. Made by a `Client`.

    As long as there is a future of a key, the cluster keeps the key's value. Handed to another task
    as an argument, however deep in containers and objects, it becomes the value.

    Attributes
    ----------
    record, session
        Of the client's own; not for users.

    Examples
    --------
    >>> future = client.submit(pow, 2, 10)  # doctest: +SKIP
    >>> future.result()  # doctest: +SKIP
    1024
    """

    # A struct, because a client may have a million: made in a fifth of a Python class's time.
    record: FutureState
    session: ClientSession

    @property
    def key(self) -> str:
        """The name of the task."""
        return self.record.key

    @property
    def status(self) -> str:
        """``"pending"``, ``"finished"``, ``"error"``, ``"cancelled"`` or ``"lost"``."""
        return self.record.status

    def done(self) -> bool:
        """Return whether it is no longer pending."""
        return self.record.status is not PENDING

    def cancelled(self) -> bool:
        """Return whether it was cancelled before it had a result."""
        return self.record.status is CANCELLED

    def result(self, timeout: float | None = None) -> Any:
        """Return the value, once it is there.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        Exception
            What the task raised, with its own traceback.
        TaskCancelled
            It was cancelled.
        WorkerDied, KeyLost, UnknownKey, DuplicateKey, SerializationError
            The task has no result for a reason that is not its own.
        PeerLost
            The scheduler is gone.
        TimeoutError
            It is not there in time.
        """
        session = self.session
        data = self.record.value
        if data is not None and not session.asynchronous:
            # One that cannot be loaded goes the long way round, which names the key.
            with contextlib.suppress(SerializationError):
                return load_value(data)
        value = session.run(self._collect(timeout))
        if type(value) is Raised:
            raise value.error
        return value

    async def _collect(self, timeout_s: float | None = None) -> Any:
        """Return the value, or a `Raised`; keeps the future meanwhile."""
        return await collect_one(self.session, self.record, timeout_s)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` would raise, once it is known; None if it would return.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        TimeoutError
            It is not known in time.
        """
        error: BaseException | None = self.session.run(self._exception(timeout))
        return error

    async def _exception(self, timeout_s: float | None) -> BaseException | None:
        if not await self.session.wait([self.record], timeout_s):
            raise TimeoutError(describe_late([self.record], timeout_s))
        return error_of_state(self.record, self.session.machine.closed)

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Return the traceback of `exception`; None if there is none."""
        trace: TracebackType | None = self.session.run(self._traceback(timeout))
        return trace

    async def _traceback(self, timeout_s: float | None) -> TracebackType | None:
        error = await self._exception(timeout_s)
        return None if error is None else error.__traceback__

    def cancel(self) -> Any:
        """Do without the result if it is not there yet; the status becomes ``"cancelled"``.

        Unless others need it, the task is not run if it has not begun, and interrupted if it runs;
        see `Client.cancel`, which can say what became of it.
        """
        self.session.cancel([self.record], interrupt=True)
        return self.session.nothing

    def retry(self) -> Any:
        """Have the task run again if it failed, with those that it failed for; see `Client.retry`.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        self.session.retry([self.record])
        return self.session.nothing

    def release(self) -> None:
        """Do without the result from now on; the cluster may drop it.

        The same happens when the last reference to the future is gone.
        """
        self.session.drop(self.record)
        self.record = FutureState(self.record.key, status=CANCELLED, references=0)

    def add_done_callback(self, function: Callable[[Future], object]) -> None:
        """Have a function called with the future when it is done, in a thread for callbacks.

        What it raises is logged.
        """
        watch = Watch(lambda: call_soon(function, self))
        if not self.session.add_watch([self.record], watch):
            call_soon(function, self)

    def __await__(self) -> Generator[Any, None, Any]:
        return run_in_loop(self._collect()).__await__()

    def __del__(self) -> None:
        self.session.drop(self.record)

    def __reduce__(self) -> tuple[Any, ...]:
        if collecting():
            status = self.record.status
            if status is CANCELLED:
                raise TaskCancelled(key=self.key)
            if status is LOST or self.session.machine.closed is not None:
                reason = f"the client of the future {self.key!r} is closed; hand over its result"
                raise PeerLost(address=self.session.address, reason=reason)
            note_reference(self.key, self.session, self)
            return resolve, (self.key,)
        return _attach, (self.key, *self.session.cluster)

    def __dask_tokenize__(self) -> tuple[str, str]:
        # dask names tasks after their arguments.
        return "hocket.client.Future", self.key

    def __copy__(self) -> Future:
        return self

    def __deepcopy__(self, _memo: object) -> Future:
        return self

    def __repr__(self) -> str:
        return f"<Future: {self.record.status}, key: {self.record.key}>"

    def _repr_html_(self) -> str:
        return future_html(self.record)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("key", self.record.key), ("status", self.record.status)]


def _attach(key: str, cluster_id: str, address: str) -> Future:
    """Unpickle a future: bind it to the client made last of the same cluster, or to the task's.

    Raises
    ------
    PeerLost
        No client is open here, and no task runs.
    OtherCluster
        The clients that are open, and the task, are of other clusters.
    """
    # Imported here: clients are made of futures.
    from hocket.client.task_client import session_for  # noqa: PLC0415

    session = session_for(ClusterIdentity(cluster_id, address), f"the future {key!r}")
    return Future(session.want(key), session)
