"""What all primitives have: a name, a client, and two ways to wait."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hocket.client.client import Client, current_client
from hocket.client.coordination.errors import (
    BarrierBroken,
    CoordinationRefused,
    LockLost,
    QueueClosed,
)
from hocket.client.shell.coordinating import Ask, call
from hocket.client.shell.ways import run_blocking, run_in_loop
from hocket.client.task_client import get_client, session_for
from hocket.core.errors import HocketError, LocalProtocolError, PeerLost, UnknownKey
from hocket.core.task_context import current_task
from hocket.protocol.messages import (
    Denial,
    LookAt,
    Primitive,
    RequestDenied,
    RequestDone,
    StateTold,
)

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession
    from hocket.client.states import Request
    from hocket.core.cluster_identity import ClusterIdentity

__all__ = [
    "NAME_LENGTH_MAX",
    "Call",
    "NamedPrimitive",
    "check_timeout",
    "finish_nothing",
    "reply_of",
    "token_of",
]

NAME_LENGTH_MAX: Final = 1024
_TOKEN_NBYTES: Final = 8

#: Makes what a method returns of the answered request; None: the time was over.
Finish = Callable[["Request | None"], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """How something is asked for.

    Attributes
    ----------
    timeout_s
        Seconds to wait; None: for ever.
    session
        With which session; None: any that is open.
    translate
        Makes another error of one.
    keeps
        What must live until it is done, such as futures in a value.
    """

    timeout_s: float | None = None
    session: ClientSession | None = None
    translate: Callable[[HocketError], HocketError] | None = None
    keeps: Any = None


PLAIN: Final = Call()


class NamedPrimitive:
    """Something that all clients of a cluster know by its name.

    Objects of the same class and name are the same thing to everybody. They may be pickled, used in
    tasks, and made before there is a client.

    Parameters
    ----------
    name
        None: one that nobody else has.
    client
        None: inside a task the task's own; else the client made last.
    asynchronous
        Whether methods return what is to be awaited; None: as the client does. ``async with`` can
        be used in any case.
    """

    _kind: ClassVar[Primitive]
    _word: ClassVar[str]

    def __init__(
        self,
        name: str | None = None,
        client: Client | None = None,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        if name is None:
            name = f"{self._word}-{os.urandom(_TOKEN_NBYTES).hex()}"
        self.name = _check_name(name)
        self._client = client
        self._asynchronous = asynchronous
        self._found: ClientSession | None = None
        #: Where it was unpickled.
        self._cluster: ClusterIdentity | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether methods return what is to be awaited."""
        if self._asynchronous is not None:
            return self._asynchronous
        client = self._client
        if client is None and current_task() is None:
            with contextlib.suppress(PeerLost):
                client = current_client()
        return client is not None and client.asynchronous

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _arguments(self) -> tuple[Any, ...]:
        """Return what it is made of."""
        return (self.name,)

    def __reduce__(self) -> tuple[Any, ...]:
        cluster = self._cluster
        if self._client is not None:
            cluster = _session_of_client(self._client).cluster
        elif self._found is not None:
            cluster = self._found.cluster
        return _rebuild, (type(self), self._arguments(), cluster, self._asynchronous)

    # For the classes of each kind.

    @property
    def _what(self) -> str:
        return f"{self._word} {self.name!r}"

    def _session(self) -> ClientSession:
        """Return the session to speak with.

        Raises
        ------
        PeerLost
            No client is open.
        OtherCluster
            It was unpickled, and the clients that are open are of other clusters.
        """
        found = self._found
        if found is not None and found.machine.closed is None:
            return found
        if self._client is not None:
            found = _session_of_client(self._client)
        elif self._cluster is not None:
            found = session_for(self._cluster, f"the {self._what}")
        else:
            task = current_task()
            in_task = task is not None and bool(task.scheduler_address)
            found = _session_of_client(get_client() if in_task else current_client())
        self._found = found
        return found

    def _run(self, ask: Ask, finish: Finish, options: Call = PLAIN) -> Any:
        """Ask, wait, and return what is made of the answer; or something that can be awaited."""
        coroutine = self._call(ask, finish, options)
        if self.asynchronous:
            return run_in_loop(coroutine)
        return run_blocking(coroutine)

    def _run_in_loop(self, ask: Ask, finish: Finish, options: Call = PLAIN) -> Any:
        """Do the same on the caller's event loop."""
        return run_in_loop(self._call(ask, finish, options))

    async def _call(self, ask: Ask, finish: Finish, options: Call) -> Any:
        try:
            session = options.session or self._session()
            return finish(self._checked(await call(session, ask, options.timeout_s)))
        except HocketError as error:
            if options.translate is None:
                raise
            raise options.translate(error) from error

    def _look(self, make: Callable[[list[int]], Any]) -> Any:
        """Ask how it stands; return what is made of the numbers."""
        return self._run(
            lambda number, *_: LookAt(number, self._kind, self.name),
            lambda request: make(reply_of(request, StateTold).numbers),
        )

    def _do(self, ask: Ask, fence: Any = None, keeps: Any = None) -> Any:
        """Ask for something that is done at once."""
        options = Call(translate=self._translate_fence(fence), keeps=keeps)
        return self._run(ask, finish_nothing, options)

    def _translate_fence(self, fence: Any) -> Callable[[HocketError], HocketError] | None:
        """Return what makes an error of a fence that does not stand any more."""
        if fence is None:
            return None
        token = token_of(fence)

        def translate(error: HocketError) -> HocketError:
            if isinstance(error, LockLost):
                what = f"the fence for {self._what}"
                return LockLost(what=what, token=token, reason=error.reason)
            return error

        return translate

    def _checked(self, request: Request | None) -> Request | None:
        """Return a request that was met; None: it was withdrawn.

        Raises
        ------
        HocketError
            It was denied.
        """
        if request is None or not isinstance(request.reply, RequestDenied):
            return request
        denied = request.reply
        if denied.kind is Denial.WITHDRAWN:
            return None
        raise self._error_of(denied)

    def _error_of(self, denied: RequestDenied) -> HocketError:
        if denied.kind is Denial.BROKEN:
            return BarrierBroken(name=self.name, reason=denied.text)
        if denied.kind is Denial.CLOSED:
            return QueueClosed(name=self.name)
        if denied.kind is Denial.UNKNOWN_KEY:
            return UnknownKey(key=denied.text)
        if denied.kind is Denial.NOT_HELD:
            return LockLost(what=self._what, token=0, reason=denied.text)
        return CoordinationRefused(what=self._what, reason=denied.text)


def _session_of_client(client: Client) -> ClientSession:
    """Return the session of a client."""
    return client._session  # noqa: SLF001 - a part of the client


def token_of(fence: Any) -> int:
    """Return the token of a lock or semaphore, or the number itself.

    Raises
    ------
    NotHeld, LockLost
        It is not held.
    TypeError
        It is neither.
    """
    token = getattr(fence, "fencing_token", fence)
    if not isinstance(token, int) or token < 0:
        raise TypeError(f"a fence is a lock that is held, or its token, not {fence!r}")
    return token


def check_timeout(timeout: float | None) -> float | None:
    """Return seconds to wait; None: for ever.

    Raises
    ------
    ValueError
        They are negative, or no number.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout is {timeout!r}; it must be seconds, 0 or more, or None")
    return timeout


def _check_name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name is a str, not {type(name).__name__}")
    if not 0 < len(name) <= NAME_LENGTH_MAX:
        raise ValueError(f"a name has 1 to {NAME_LENGTH_MAX} characters, not {len(name)}")
    return name


def finish_nothing(request: Request | None) -> None:
    """Make nothing of an answer that says no more than that it is done."""
    reply_of(request, RequestDone)


def reply_of(request: Request | None, reply_class: type[Any]) -> Any:
    """Return the answer, which must be of a class.

    Raises
    ------
    TimeoutError
        There is none.
    LocalProtocolError
        It is another.
    """
    if request is None:
        raise TimeoutError("the scheduler has not answered in time")
    if not isinstance(request.reply, reply_class):
        name = type(request.reply).__name__
        raise LocalProtocolError(reason=f"{name} came as an answer")
    return request.reply


def _rebuild(
    kind: type[NamedPrimitive],
    arguments: tuple[Any, ...],
    cluster: ClusterIdentity | None,
    asynchronous: bool | None,  # noqa: FBT001 - called by pickle only
) -> NamedPrimitive:
    made = kind(*arguments, asynchronous=asynchronous)
    made._cluster = cluster  # noqa: SLF001 - of this file
    return made
