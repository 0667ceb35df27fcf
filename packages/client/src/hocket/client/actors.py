"""Actors: objects that live on a worker, and what stands for them everywhere else.

A call of a method returns at once with an `ActorFuture`; calls of one client are made in the order
in which it made them. Reading an attribute waits for its value, in line with the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final, NoReturn

from hocket.client.actor_book import CallState
from hocket.client.failures import Raised, error_of_state
from hocket.client.futures import Future
from hocket.client.shell.callbacks import call_soon
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import run_in_loop
from hocket.client.states import CANCELLED, PENDING, STORED, Watch
from hocket.core.actor_class import UNSHARED, ActorReference
from hocket.core.errors import LimitExceeded
from hocket.protocol.messages import CallKind
from hocket.protocol.serialize import collecting, dump_value, load_value

__all__ = ["Actor", "ActorFuture", "attach"]

#: A call that takes more of the longest frame than this part is refused: it would not be sent.
_FRAME_PART: Final = 2


class ActorFuture:
    """The answer to a call of an actor, which may not be there yet.

    Attributes
    ----------
    record, session
        Of the client's own; not for users.
    """

    __slots__ = ("__weakref__", "record", "session")

    def __init__(self, record: CallState, session: ClientSession) -> None:
        self.record = record
        self.session = session

    @property
    def key(self) -> str:
        """The actor's key, and the method."""
        return self.record.key

    @property
    def status(self) -> str:
        """``"pending"``, ``"finished"``, ``"error"``, ``"cancelled"`` or ``"lost"``."""
        return self.record.status

    def done(self) -> bool:
        """Return whether there is an answer, or it is known that there will be none."""
        return self.record.status is not PENDING

    def cancel(self) -> Any:
        """Ask that the call is not made, or interrupted where it waits.

        It happens, and the status becomes ``"cancelled"``, if the call has not begun, or is one of
        a coroutine method that waits. A plain method that runs goes on: then there is an answer, as
        if nobody had asked. Which of both it is, `exception` waits for.
        """
        session = self.session
        with session.lock:
            book = session.begin().actors
            book.cancel(self.record)
            has_output = book.has_output
        session.wake_fired()
        if has_output:
            session.send_calls()
        return session.nothing

    def cancelled(self) -> bool:
        """Return whether it was not made, or interrupted, since it was cancelled."""
        return self.record.status is CANCELLED

    def result(self, timeout: float | None = None) -> Any:
        """Return what the method returned, once it has.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        Exception
            What the method raised, with its own traceback.
        ActorLost
            The actor is gone with its worker.
        ActorRestarted
            The actor was restarted from a checkpoint; the error says which calls are not in it.
        ActorCallLost
            It cannot be known whether the call was made.
        TaskCancelled
            The call was cancelled.
        PeerLost
            The scheduler is gone, or the client closed.
        TimeoutError
            There is no answer in time; the call goes on.
        """
        value = self.session.run(self._collect(timeout))
        if type(value) is Raised:
            raise value.error
        return value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` would raise, once it is known; None if it would return.

        Raises
        ------
        TimeoutError
            It is not known in time.
        """
        error: BaseException | None = self.session.run(self._exception(timeout))
        return error

    def add_done_callback(self, function: Callable[[ActorFuture], object]) -> None:
        """Have a function called with this when there is an answer, in a thread for callbacks."""
        watch = Watch(lambda: call_soon(function, self))
        if not self.session.add_watch([self.record], watch):
            call_soon(function, self)

    async def _exception(self, timeout_s: float | None) -> BaseException | None:
        record = self.record
        if record.status is PENDING and not await self.session.wait([record], timeout_s):
            raise TimeoutError(f"{record.key!r} has no answer after {timeout_s} s")
        if record.error is not None:
            return record.error.with_traceback(None)
        return error_of_state(record, self.session.machine.closed)

    async def _collect(self, timeout_s: float | None = None) -> Any:
        record = self.record
        error = await self._exception(timeout_s)
        if error is not None:
            return Raised(error)
        assert record.status is STORED
        assert record.value is not None
        return load_value(record.value)

    def __await__(self) -> Generator[Any, None, Any]:
        return run_in_loop(self._collect()).__await__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"the answer of {self.key!r} stays with its caller: send its result, or the actor"
        )

    def __repr__(self) -> str:
        return f"<ActorFuture: {self.record.status}, {self.record.key}>"


class Actor:
    """Stands for an object that lives on a worker; made by `Client.actor` or `Client.submit`.

    Methods of the object are called as if it were here, and return an `ActorFuture` each; other
    attributes are read as if it were here, which waits for them (with an asynchronous client it
    returns what is to be awaited). The object lives until nobody holds what stands for it. This may
    be pickled, and used in tasks and by other actors.

    Examples
    --------
    >>> counter = client.actor(Counter)  # doctest: +SKIP
    >>> counter.add(1).result()  # doctest: +SKIP
    1
    """

    # (All names of ours begin with an underscore: the others are the user's.)
    _future: Future
    _reference: ActorReference

    def __init__(self, future: Future, reference: ActorReference) -> None:
        object.__setattr__(self, "_future", future)
        object.__setattr__(self, "_reference", reference)

    @property
    def key(self) -> str:
        """The key of the actor, for `Client.who_has`, `Client.why` and the like."""
        return self._future.key

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} of an actor is private to where it lives")
        if name in self._reference.methods:
            return partial(self._call_method, name)
        answer = self._make_call(name, CallKind.ATTRIBUTE, b"")
        return answer if self._future.session.asynchronous else answer.result()

    def __setattr__(self, name: str, value: object) -> None:
        label = self._reference.label
        raise AttributeError(
            f"{name!r} of actor {self.key!r} can only be set where it lives: give {label} a method"
            " for that"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> ActorFuture:
        """Call the object itself."""
        if "__call__" not in self._reference.methods:
            raise TypeError(f"a {self._reference.label} cannot be called; call one of its methods")
        return self._call_method("__call__", *args, **kwargs)

    def _call_method(self, name: str, /, *args: Any, **kwargs: Any) -> ActorFuture:
        payload = dump_value((args, kwargs), f"the arguments of {name!r} of actor {self.key!r}")
        return self._make_call(name, CallKind.METHOD, payload)

    def _make_call(self, name: str, kind: CallKind, payload: bytes) -> ActorFuture:
        future = self._future
        session = future.session
        nbytes_max = session.settings.transport.frame_nbytes_max // _FRAME_PART
        if len(payload) > nbytes_max:
            raise LimitExceeded(
                what=f"the pickled arguments of {name!r} of actor {future.key!r}",
                limit=nbytes_max,
                asked=len(payload),
            )
        with session.lock:
            book = session.begin().actors
            call = book.call(future.key, name, kind, payload, future)
            has_output = book.has_output
        if has_output:
            session.send_calls()
        return ActorFuture(call, session)

    def __dir__(self) -> list[str]:
        return sorted({"key", *self._reference.methods})

    def __copy__(self) -> Actor:
        return self

    def __deepcopy__(self, _memo: object) -> Actor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if collecting():
            # For a task, which depends on it: its worker attaches it there.
            return self._future.__reduce__()
        return attach, (self._reference,)

    def __repr__(self) -> str:
        return f"<Actor: {self._reference.label}, key: {self.key}>"


setattr(Actor, UNSHARED, True)


def attach(reference: ActorReference) -> Actor:
    """Return what stands for an actor here.

    Raises
    ------
    PeerLost
        No client is open here, and no task runs.
    OtherCluster
        The clients that are open, and the task, are of other clusters.
    """
    # Imported here: clients are made of futures.
    from hocket.client.task_client import session_for  # noqa: PLC0415

    session = session_for(reference.cluster, f"the actor {reference.key!r}")
    return Actor(Future(session.want(reference.key), session), reference)
