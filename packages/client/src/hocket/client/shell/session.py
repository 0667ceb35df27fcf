"""A client's session: its machine, the channel to the scheduler, and the two kinds of threads.

Users' threads and the event loop's thread share the machine under one lock, which is held for a
batch at a time and never while anything blocks. What a user's thread has to send lies in the
machine until the loop's thread takes it: one wake-up carries all that piled up meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hocket.client.machine import ClientMachine
from hocket.client.shell.asking import Asker, Lock
from hocket.client.shell.connection import Connection, leave_soon
from hocket.client.shell.task_lock import TaskLock
from hocket.client.shell.ways import on_loop
from hocket.client.states import FutureState
from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import HocketError, LocalProtocolError, PeerLost
from hocket.core.settings import Settings
from hocket.transport.loop import LoopThread

__all__ = ["ClientSession"]

#: How long a dropped future may wait for company before its release is sent. It goes earlier with
#: anything else that is sent.
_RELEASE_DELAY_S: Final = 0.02

#: A frame is ended when the pickles in it add up to this part of the longest frame allowed.
_FRAME_PART: Final = 8


class ClientSession(Asker):
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
    asynchronous
        Whether what waits is to be awaited; else it blocks.

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
        asynchronous: bool = False,
    ) -> None:
        self.asynchronous = asynchronous
        self.address = address
        self.of_tasks = of_tasks
        self.name = name
        self.settings = settings
        #: The cluster's, also to make links with that log in.
        self.secret = secret
        #: Its id is known once it is connected.
        self.cluster = ClusterIdentity("", address)
        self.machine = ClientMachine(token, settings.client.functions_known_max)
        self.lock: Lock = TaskLock() if of_tasks else threading.Lock()
        self.loop = loop
        #: Futures that are kept until they are done, though nobody else keeps them.
        self.forgotten: set[object] = set()
        self._connection = Connection(address, name, secret, settings)
        self.pool = self._connection.pool
        #: By another session of the cluster, up to where the scheduler has heard it, or what is
        #: said here waits for that.
        self.heard_counts: weakref.WeakKeyDictionary[ClientSession, int] = (
            weakref.WeakKeyDictionary()
        )
        self._flush_scheduled = False
        self._calls_scheduled = False
        #: States of which a future was dropped, by whatever thread the garbage collector ran in.
        self._dropped: deque[FutureState] = deque()
        self._drop_scheduled = False
        self._frame_nbytes_max = settings.transport.frame_nbytes_max // _FRAME_PART
        self._finalizer = weakref.finalize(self, leave_soon, loop, self._connection)
        # At the interpreter's end there is somebody else for it.
        self._finalizer.atexit = False

    async def open(self, timeout_s: float) -> None:
        """Connect to the scheduler.

        Raises
        ------
        ConnectFailed
            Nobody answered in time.
        HandshakeRefused
            Somebody answered who does not want us, or whom we do not want.
        """
        cluster_id = await on_loop(self.loop, self._connection.open(weakref.ref(self), timeout_s))
        self.cluster = ClusterIdentity(cluster_id, self.address)

    async def close(self, reason: str = "the client was closed") -> None:
        """Leave the scheduler; whoever still waits is told. May be called twice, by any thread."""
        self._close(PeerLost(address=self.address, reason=reason), lost=False)
        self._finalizer.detach()
        if self.loop.is_here:
            self._connection.leave()
            return
        with contextlib.suppress(LocalProtocolError):
            await on_loop(self.loop, self._connection.leave_and_wait())

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
            has_calls = machine.actors.has_output
        for one in fired:
            one.wake()
        if has_output:
            self.send()
        if has_calls:
            self.send_calls()

    def calls_ended(self, messages: list[Struct]) -> None:
        """Take the answers of actors."""
        machine = self.machine
        with self.lock:
            for message in messages:
                machine.actors.ended(message)  # type: ignore[arg-type]
            fired = machine.take_fired()
        for one in fired:
            one.wake()

    def line_lost(self, address: str, reason: str) -> None:
        """Take note that calls which went to a worker, and have no answer, will have none."""
        with self.lock:
            self.machine.actors.line_lost(address, reason)
        self.wake_fired()

    def _flush_calls(self) -> None:
        with self.lock:
            self._calls_scheduled = False
            calls = self.machine.actors.take_calls(self._frame_nbytes_max)
        for address, messages in calls:
            self._connection.lines.send(address, messages)

    def lose(self, reason: str, *, clean: bool) -> None:
        """Take note that the scheduler is gone."""
        if clean:
            reason = f"it went away ({reason})" if reason else "it went away"
        self._close(PeerLost(address=self.address, reason=reason), lost=True)
        self._connection.lines.close()
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

    def send_calls(self) -> None:
        """Have calls of actors sent, at once; without the lock."""
        if not self._calls_scheduled:
            self._calls_scheduled = True
            self.loop.call(self._flush_calls)

    def cancel(
        self, states: Iterable[FutureState], *, interrupt: bool = False, force: bool = False
    ) -> None:
        """Do without what is pending; for the rest see `ClientMachine.cancel`."""
        with self.lock:
            self.begin().cancel(states, interrupt=interrupt, force=force)
            closed = self.machine.closed is not None
        self.wake_fired()
        if not closed:
            self.send()

    def cancel_all(self) -> None:
        """Do without everything, be it there or not."""
        with self.lock:
            self.begin().cancel_all()
        self.wake_fired()
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

    def wake_fired(self) -> None:
        """Wake those whom the last change of the machine by a user's thread concerns."""
        with self.lock:
            fired = self.machine.take_fired()
        for one in fired:
            one.wake()

    def after_fork(self) -> None:
        """Take note that this is a child process now: nothing here reaches the scheduler."""
        self.lock = threading.Lock()
        self._flush_scheduled = self._drop_scheduled = self._calls_scheduled = True
        self._dropped.clear()
        self._connection.channel = None
        self._finalizer.detach()
        reason = "it belongs to the process that this one was forked from; make a Client here"
        self.machine.close(PeerLost(address=self.address, reason=reason), lost=True)
