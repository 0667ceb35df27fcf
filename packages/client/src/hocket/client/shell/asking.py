"""Waiting for futures and for answers of the scheduler: a session's part that takes time.

What waits is a coroutine of pauses; the session runs it in the way of its client.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from hocket.client.machine import ClientMachine
from hocket.client.shell.task_lock import TaskLock
from hocket.client.shell.ways import DONE, Signal, run_blocking, run_in_loop
from hocket.client.states import FutureState, Request, Watch
from hocket.core.errors import LocalProtocolError, NoCapacity, PeerLost
from hocket.protocol.messages import CancelAnswered, KeysScattered, RequestRefused, ScatterAccepted

__all__ = ["Asker", "Lock"]

#: Most questions are answered in less: a task keeps its slot for so long while it asks one.
_ANSWER_S: Final = 0.05

#: Of a session.
Lock: TypeAlias = "threading.Lock | TaskLock"

_Reply = TypeVar("_Reply", bound=Struct)


class Asker(ABC):
    """What one can wait for with a session; a part of `ClientSession`."""

    address: str
    asynchronous: bool
    machine: ClientMachine
    lock: Lock
    _dropped: deque[FutureState]

    @abstractmethod
    def begin(self) -> ClientMachine:
        """Return the machine, up to date; with the lock held."""

    @abstractmethod
    def send(self) -> None:
        """Have what the machine wants to say sent."""

    @abstractmethod
    def wake_fired(self) -> None:
        """Wake those whom the last change of the machine concerns."""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what a coroutine of pauses returns; if asynchronous, something to be awaited."""
        if self.asynchronous:
            return run_in_loop(coroutine)
        return run_blocking(coroutine)

    @property
    def nothing(self) -> Any:
        """What a method returns that is done at once: None, also when awaited."""
        return DONE if self.asynchronous else None

    async def wait(
        self,
        states: Sequence[FutureState],
        timeout_s: float | None = None,
        *,
        first_failure: bool = False,
    ) -> bool:
        """Wait until futures are done.

        Parameters
        ----------
        states
            Of the futures.
        timeout_s
            Seconds to wait; None waits for ever.
        first_failure
            Whether one that failed ends the wait.

        Returns
        -------
        bool
            Whether they are; False: the time is over.
        """
        signal = Signal()
        watch = Watch(signal.wake, first_failure=first_failure)
        if not self.add_watch(states, watch):
            return True
        done = False
        try:
            done = await signal.wait(timeout_s)
        finally:
            # Not needed where all that was watched is done.
            if not done or first_failure:
                self.remove_watch(states, watch)
        return done

    def add_watch(self, states: Iterable[FutureState], watch: Watch) -> int:
        """Have a watch hear of futures; return of how many it will."""
        with self.lock:
            return self.begin().watch(states, watch)

    def remove_watch(self, states: Iterable[FutureState], watch: Watch) -> None:
        """Have a watch hear of futures no more."""
        with self.lock:
            self.machine.unwatch(states, watch)

    async def ask(
        self,
        reply_class: type[_Reply],
        message: Callable[[int], Struct],
        timeout_s: float | None = None,
        needs: dict[str, object] | None = None,
    ) -> _Reply:
        """Ask the scheduler, and wait for the answer.

        Parameters
        ----------
        reply_class
            What the answer must be.
        message
            Returns the question for its number.
        timeout_s
            Seconds to wait; None waits for ever.
        needs
            What is asked for, for the message of an error.

        Raises
        ------
        TimeoutError
            The answer has not come in time.
        NoCapacity
            The scheduler refuses; the error says why.
        PeerLost
            The scheduler is gone, or the client closed.
        """
        signal = Signal()
        with self.lock:
            request = self.begin().ask(message, signal.wake)
        return await self._await_reply(request, signal, reply_class, timeout_s, needs)

    async def cancel_and_ask(
        self, states: Iterable[FutureState], timeout_s: float, *, force: bool
    ) -> tuple[list[str], CancelAnswered | None]:
        """Do without what is pending, also where it runs, and wait until it is known how that went.

        Returns
        -------
        list of str, CancelAnswered or None
            The keys that were cancelled, and the answer; None: the time is over, or the scheduler
            gone, and with it all that it had run.

        Raises
        ------
        NoCapacity
            The answer does not fit in one message.
        """
        signal = Signal()
        with self.lock:
            machine = self.begin()
            keys, request = machine.cancel(states, interrupt=True, force=force, wake=signal.wake)
        self.wake_fired()
        if request is None:
            return keys, None
        try:
            reply = await self._await_reply(request, signal, CancelAnswered, timeout_s, None)
        except (TimeoutError, PeerLost):
            return keys, None
        return keys, reply

    async def announce(
        self, keys: Sequence[str], message: Callable[[int], KeysScattered]
    ) -> list[FutureState]:
        """Tell the scheduler of scattered values, and wait until it has taken note.

        Returns
        -------
        list of FutureState
            Of the keys, each counted for one future.

        Raises
        ------
        PeerLost
            The scheduler is gone, or the client closed.
        """
        signal = Signal()
        with self.lock:
            request, states = self.begin().scattered(message, keys, signal.wake)
        try:
            await self._await_reply(request, signal, ScatterAccepted, None, None)
        except BaseException:
            self._dropped.extend(states)
            raise
        return states

    async def _await_reply(
        self,
        request: Request,
        signal: Signal,
        reply_class: type[_Reply],
        timeout_s: float | None,
        needs: dict[str, object] | None,
    ) -> _Reply:
        self.send()
        try:
            done = await signal.wait(timeout_s, _ANSWER_S)
        finally:
            with self.lock:
                self.machine.withdraw(request)
        if request.error is not None:
            raise request.error
        if not done or request.reply is None:
            raise TimeoutError(f"the scheduler at {self.address} has not answered in {timeout_s} s")
        reply = request.reply
        if isinstance(reply, RequestRefused):
            raise NoCapacity(needs=needs or {}, best_offer=reply.reason)
        if not isinstance(reply, reply_class):
            raise LocalProtocolError(reason=f"{type(reply).__name__} came as an answer")
        return reply
