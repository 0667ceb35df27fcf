"""A client's session: its machine, the channel to the scheduler, and the two kinds of threads.

Users' threads and the event loop's thread share the machine under one lock, which is held for a
batch at a time and never while anything blocks. What a user's thread has to send lies in the
machine until the loop's thread takes it: one wake-up carries all that piled up meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from hocket.client.machine import ClientMachine
from hocket.client.shell.blocking import block, held_lock
from hocket.client.states import FutureState, Request, Watch
from hocket.core.errors import HocketError, LocalProtocolError, NoCapacity, PeerLost
from hocket.core.settings import Settings
from hocket.protocol.messages import KeysScattered, RequestRefused, ScatterAccepted
from hocket.protocol.roles import Role
from hocket.transport.channel import Channel
from hocket.transport.connector import connect
from hocket.transport.data import DataPool
from hocket.transport.loop import LoopThread

__all__ = ["ClientSession", "session_of"]

#: How long a dropped future may wait for company before its release is sent. It goes earlier with
#: anything else that is sent.
_RELEASE_DELAY_S: Final = 0.02

#: A frame is ended when the pickles in it add up to this part of the longest frame allowed.
_FRAME_PART: Final = 8

#: Most questions are answered in less: a task keeps its slot for so long while it asks one.
_ANSWER_S: Final = 0.05

_Reply = TypeVar("_Reply", bound=Struct)


class ClientSession:
    """One client's session with its scheduler; may be used by any thread.

    Parameters
    ----------
    address, name, secret, settings
        Of the scheduler, of the client, of the cluster, and all settings.
    token
        For the machine.
    loop
        Where the session's connections live.
    of_tasks
        Whether it belongs to code inside tasks; others in this process do not come upon it.

    It lives as long as its client or a future of it, and then closes by itself.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str,
        secret: str,
        settings: Settings,
        token: str,
        loop: LoopThread,
        of_tasks: bool = False,
    ) -> None:
        self.address = address
        self.of_tasks = of_tasks
        self.name = name
        self.settings = settings
        self.machine = ClientMachine(token, settings.client.functions_known_max)
        self.lock = threading.Lock()
        self.loop = loop
        self.pool = DataPool(secret, settings)
        self._secret = secret
        #: Futures that are kept until they are done, though nobody else keeps them.
        self.forgotten: set[object] = set()
        self._connection = _Connection(self.pool)
        self._flush_scheduled = False
        #: States of which a future was dropped, by whatever thread the garbage collector ran in.
        self._dropped: deque[FutureState] = deque()
        self._drop_scheduled = False
        self._loop_thread = 0
        self._frame_nbytes_max = settings.transport.frame_nbytes_max // _FRAME_PART
        self._finalizer = weakref.finalize(self, _leave_soon, loop, self._connection)
        # At the interpreter's end there is somebody else for it.
        self._finalizer.atexit = False
        _sessions[next(_session_numbers)] = self

    def open(self, timeout_s: float) -> None:
        """Connect to the scheduler.

        Raises
        ------
        ConnectFailed
            Nobody answered in time.
        HandshakeRefused
            Somebody answered who does not want us, or whom we do not want.
        """
        self.loop.run(self._open(timeout_s))

    async def _open(self, timeout_s: float) -> None:
        self._loop_thread = threading.get_ident()
        this = weakref.ref(self)

        # The channel must not keep the session: it ends with its last user.
        def on_messages(_channel: Channel, messages: list[Struct]) -> None:
            session = this()
            if session is not None:
                session.receive(messages)

        def on_closed(_channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
            session = this()
            if session is not None:
                session.lose(reason, clean=clean)

        self._connection.channel = await connect(
            self.address,
            role=Role.CLIENT,
            name=self.name,
            secret=self._secret,
            settings=self.settings,
            on_messages=on_messages,
            on_closed=on_closed,
            connect_timeout_s=timeout_s,
        )

    def close(self, reason: str = "the client was closed") -> None:
        """Leave the scheduler; whoever still waits is told. May be called twice, by any thread."""
        self._close(PeerLost(address=self.address, reason=reason), lost=False)
        self._finalizer.detach()
        with contextlib.suppress(LocalProtocolError):
            if threading.get_ident() == self._loop_thread:
                self._connection.leave()
            else:
                self.loop.run(self._connection.leave_and_wait())

    def _close(self, error: HocketError, *, lost: bool) -> None:
        with self.lock:
            self.machine.close(error, lost=lost)
            fired = self.machine.take_fired()
        for one in fired:
            one.wake()

    # ------------------------------------------------------------------ the loop's thread

    def receive(self, messages: list[Struct]) -> None:
        """Take the scheduler's messages."""
        machine = self.machine
        with self.lock:
            for message in messages:
                machine.receive(message)
            fired = machine.take_fired()
            has_output = machine.has_output
        for one in fired:
            one.wake()
        if has_output:
            self.send()

    def lose(self, reason: str, *, clean: bool) -> None:
        """Take note that the scheduler is gone."""
        if clean:
            reason = f"it went away ({reason})" if reason else "it went away"
        self._close(PeerLost(address=self.address, reason=reason), lost=True)
        self.pool.close()

    def _flush(self) -> None:
        machine = self.machine
        with self.lock:
            self._flush_scheduled = False
            self._count_dropped()
            frames = machine.take_frames(self._frame_nbytes_max)
        channel = self._connection.channel
        if channel is None:
            return
        for frame in frames:
            try:
                channel.send(frame)
            except HocketError as error:
                # Nobody would ever get an answer to what was in there.
                self._close(error, lost=True)
                self._connection.leave()
                return

    def _flush_later(self) -> None:
        self.loop.loop.call_later(_RELEASE_DELAY_S, self._flush_dropped)

    def _flush_dropped(self) -> None:
        self._drop_scheduled = False
        if self._dropped:
            self._flush()

    # ------------------------------------------------------------------ any thread

    def drop(self, state: FutureState) -> None:
        """Take note that a future is gone.

        Called by the garbage collector, in any thread, in the middle of anything, even of this
        session's own work: so it takes no lock and raises nothing.
        """
        self._dropped.append(state)
        if not self._drop_scheduled:
            self._drop_scheduled = True
            # At the end of the interpreter and after a fork there is no loop, and no need.
            with contextlib.suppress(Exception):
                self.loop.call(self._flush_later)

    def _count_dropped(self) -> None:
        """Hand dropped futures to the machine; with the lock held."""
        dropped = self._dropped
        # As many as there are now: others may come meanwhile.
        self.machine.release([dropped.popleft() for _ in range(len(dropped))])

    def begin(self) -> ClientMachine:
        """Return the machine, up to date; with the lock held."""
        if self._dropped:
            self._count_dropped()
        return self.machine

    def send(self) -> None:
        """Have what the machine wants to say sent, at once; without the lock."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.call(self._flush)

    def forbid_loop_thread(self) -> None:
        """Refuse to block the thread that everybody waits for.

        Raises
        ------
        LocalProtocolError
            This is the event loop's thread.
        """
        if threading.get_ident() == self._loop_thread:
            raise LocalProtocolError(reason="a blocking call on the event loop's own thread")

    def wait(
        self,
        states: Sequence[FutureState],
        timeout_s: float | None = None,
        *,
        first_failure: bool = False,
        count: int | None = None,
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
        count
            How many must be done; None: all.

        Returns
        -------
        bool
            Whether they are; False: the time is over.
        """
        self.forbid_loop_thread()
        waiter = held_lock()
        watch = Watch(waiter.release, first_failure=first_failure)
        with self.lock:
            missing = self.begin().watch(states, watch)
            if count is not None:
                surplus = len(states) - count
                missing = watch.missing = max(0, missing - surplus)
        if not missing:
            if count is not None:
                self._unwatch(states, watch)
            return True
        done = False
        try:
            done = block(waiter, timeout_s)
        finally:
            # Not needed where all that was watched is done.
            if not done or first_failure or count is not None:
                self._unwatch(states, watch)
        return done

    def _unwatch(self, states: Iterable[FutureState], watch: Watch) -> None:
        with self.lock:
            self.machine.unwatch(states, watch)

    def add_watch(self, states: Iterable[FutureState], watch: Watch) -> int:
        """Have a watch hear of futures; return of how many it will."""
        with self.lock:
            return self.begin().watch(states, watch)

    def remove_watch(self, states: Iterable[FutureState], watch: Watch) -> None:
        """Have a watch hear of futures no more."""
        self._unwatch(states, watch)

    def cancel(self, states: Iterable[FutureState]) -> None:
        """Do without what is pending, and ask that it is not run."""
        with self.lock:
            self.begin().cancel(states)
            closed = self.machine.closed is not None
        self.wake_fired()
        if not closed:
            self.send()

    def retry(self, states: Iterable[FutureState]) -> None:
        """Have tasks that failed run again.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        with self.lock:
            machine = self.begin()
            if machine.closed is not None:
                raise machine.closed
            machine.retry(states)
        self.send()

    def want(self, key: str) -> FutureState:
        """Return the state of a key that is there already, counted for one more future.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        with self.lock:
            state = self.begin().want(key)
        self.send()
        return state

    def ask(
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
        self.forbid_loop_thread()
        waiter = held_lock()
        with self.lock:
            request = self.begin().ask(message, waiter.release)
        return self._await_reply(request, waiter, reply_class, timeout_s, needs)

    def announce(
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
        self.forbid_loop_thread()
        waiter = held_lock()
        with self.lock:
            request, states = self.begin().scattered(message, keys, waiter.release)
        try:
            self._await_reply(request, waiter, ScatterAccepted, None, None)
        except BaseException:
            self._dropped.extend(states)
            raise
        return states

    def _await_reply(
        self,
        request: Request,
        waiter: threading.Lock,
        reply_class: type[_Reply],
        timeout_s: float | None,
        needs: dict[str, object] | None,
    ) -> _Reply:
        self.send()
        try:
            done = block(waiter, timeout_s, _ANSWER_S)
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

    def wake_fired(self) -> None:
        """Wake those whom the last change of the machine by a user's thread concerns."""
        with self.lock:
            fired = self.machine.take_fired()
        for one in fired:
            one.wake()

    def after_fork(self) -> None:
        """Take note that this is a child process now: nothing here reaches the scheduler."""
        self.lock = threading.Lock()
        self._flush_scheduled = self._drop_scheduled = True
        self._dropped.clear()
        self._connection.channel = None
        self._finalizer.detach()
        reason = "it belongs to the process that this one was forked from; make a Client here"
        self.machine.close(PeerLost(address=self.address, reason=reason), lost=True)


class _Connection:
    """What a session has in the event loop; outlives it for a moment."""

    def __init__(self, pool: DataPool) -> None:
        self.channel: Channel | None = None
        self.pool = pool

    def leave(self) -> None:
        """Say goodbye; on the loop's thread."""
        if self.channel is not None:
            self.channel.close("the client was closed")
        self.pool.close()

    async def leave_and_wait(self) -> None:
        """Say goodbye, and wait until it is said."""
        self.leave()
        if self.channel is not None:
            await self.channel.wait_closed()


def _leave_soon(loop: LoopThread, connection: _Connection) -> None:
    # The last user of a session is gone, in whatever thread that was.
    with contextlib.suppress(LocalProtocolError):
        loop.call(connection.leave)


_sessions: Final[weakref.WeakValueDictionary[int, ClientSession]] = weakref.WeakValueDictionary()
_session_numbers: Final = itertools.count()


def session_of(address: str) -> ClientSession:
    """Return the session opened last with a scheduler, of those that are open.

    Raises
    ------
    PeerLost
        There is none.
    """
    for _, session in sorted(_sessions.items(), reverse=True):
        if session.address == address and session.machine.closed is None and not session.of_tasks:
            return session
    raise PeerLost(address=address, reason="no client of this scheduler is open here; make one")


def _after_fork_in_child() -> None:
    for session in list(_sessions.values()):
        session.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
