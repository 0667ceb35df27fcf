"""A client's calls of actors: numbered, sent where the actor is, answered, or known to be lost.

Each caller numbers its calls of an actor, in the order in which they are made. They go straight to
the worker that keeps the actor, in a session of their own, which keeps that order; the worker takes
no number twice. No call is ever sent twice, unless a worker that leaves hands it back: if it cannot
be known whether one was made, whoever waits for it is told so. What the scheduler says of an actor
(it is there, it is restarted from a checkpoint that has so many calls of each caller in it, it is
lost) decides what becomes of the calls that have no answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hocket.client.actor_errors import ActorCallLost, ActorRestarted
from hocket.client.states import CANCELLED, FAILED, LOST, PENDING, STORED, FutureState
from hocket.client.watching import Watching
from hocket.core.errors import HocketError, TaskCancelled
from hocket.protocol.messages import (
    ActorsPlaced,
    ActorsRestarting,
    CallActors,
    CallerToWorker,
    CallKind,
    CallsEnded,
    CancelCalls,
    Failure,
    FailureKind,
)

__all__ = ["ActorBook", "CallState"]

#: Of the answered calls that are in no checkpoint, so many are remembered.
_UNSAVED_MAX: Final = 1000
#: What a row of a message costs beside its payload, roughly.
_ROW_NBYTES: Final = 64


class CallState(FutureState, eq=False, gc=False):
    """A call, and what became of it.

    Its key is for people: the actor and the method. It `holds` the actor as long as it is pending.
    """

    actor: str = ""
    number: int = 0
    method: str = ""
    kind: int = CallKind.METHOD
    payload: bytes = b""
    #: The incarnation that it is meant for, once that is known; and whether it went there.
    attempt: int = 0
    was_sent: bool = False
    #: Why there is no answer, where that is no failure of the method's.
    error: HocketError | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        if self.kind == CallKind.ATTRIBUTE:
            return f"reading .{self.method} (call {self.number})"
        return f"{self.method}() (call {self.number})"


class _Actor:
    """What is known of one actor."""

    __slots__ = (
        "address",
        "attempt",
        "calls",
        "is_over",
        "reason",
        "saved",
        "unsaved",
        "unseen",
        "worker",
    )

    def __init__(self) -> None:
        #: The latest incarnation, who keeps it, and where calls go; "": nowhere for now.
        self.attempt = 0
        self.worker = ""
        self.address = ""
        #: Calls without an answer, in order.
        self.calls: dict[int, CallState] = {}
        #: Calls with an answer that are in no checkpoint, as far as is known.
        self.unsaved: deque[tuple[int, str]] = deque(maxlen=_UNSAVED_MAX)
        self.saved = 0
        #: Of those the ones that are lost, while nobody was told.
        self.unseen: list[str] = []
        #: What became of the last worker.
        self.reason = ""
        #: Whether it was lost: what comes then knows nothing of what was.
        self.is_over = False


class ActorBook:
    """The calls of one client.

    Parameters
    ----------
    caller
        Names the client in the whole cluster.
    states
        Of the keys of which there is a future here: nothing is remembered of other actors.
    watching
        Those who wait for calls.
    """

    __slots__ = (
        "_actors",
        "_caller",
        "_closed",
        "_number",
        "_outgoing",
        "_states",
        "_unwanted",
        "_watching",
    )

    def __init__(self, caller: str, states: Mapping[str, FutureState], watching: Watching) -> None:
        self._caller = caller
        self._states = states
        self._watching = watching
        self._actors: dict[str, _Actor] = {}
        #: By address: calls that are to be sent there.
        self._outgoing: dict[str, list[CallState]] = {}
        #: By address: calls that went there and are to be cancelled.
        self._unwanted: dict[str, list[CallState]] = {}
        self._closed: HocketError | None = None
        #: Of the last call.
        self._number = 0

    # ------------------------------------------------------------------ what users do

    def call(self, key: str, method: str, kind: int, payload: bytes, holds: Any) -> CallState:
        """Make a call; it has an answer at once if the actor is lost.

        Parameters
        ----------
        key
            Of the actor.
        method, kind, payload
            See `CallActors`.
        holds
            What keeps the actor alive until there is an answer.

        Raises
        ------
        HocketError
            The client is closed, or has lost its scheduler.
        """
        if self._closed is not None:
            raise self._closed
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = _Actor()
        # Of all actors together: what is let go of and held again goes on where it was.
        self._number += 1
        call = CallState(
            f"{key}.{method}",
            actor=key,
            number=self._number,
            method=method,
            kind=kind,
            payload=payload,
            holds=holds,
        )
        state = self._states.get(key)
        if state is None or state.status is CANCELLED:
            self._lose(call, TaskCancelled(key=key))
        elif state.failure is not None:
            call.failure = state.failure
            self._end(call, FAILED)
        elif actor.unseen:
            lost, actor.unseen = actor.unseen, []
            self._lose(call, self._restarted(key, actor, call, lost))
        else:
            actor.calls[call.number] = call
            if actor.address:
                self._send(actor, call)
        return call

    def cancel(self, call: CallState) -> None:
        """Do without a call: at once if it has not left, else if its worker can see to it."""
        actor = self._actors.get(call.actor)
        if call.status is not PENDING or actor is None or call.number not in actor.calls:
            return
        if not call.was_sent:
            del actor.calls[call.number]
            self._end(call, CANCELLED)
        elif actor.address and call.attempt == actor.attempt:
            self._unwanted.setdefault(actor.address, []).append(call)

    # ------------------------------------------------------------------ what comes out

    @property
    def has_output(self) -> bool:
        """Whether there are calls to send."""
        return bool(self._outgoing or self._unwanted)

    def take_calls(self, nbytes_max: int) -> list[tuple[str, list[CallerToWorker]]]:
        """Return what is to be sent to each address, in order, a message for a frame.

        Parameters
        ----------
        nbytes_max
            A message is ended when the pickles in it add up to this; a call may be longer.
        """
        outgoing, self._outgoing = self._outgoing, {}
        unwanted, self._unwanted = self._unwanted, {}
        taken: list[tuple[str, list[CallerToWorker]]] = [
            (address, [*self._messages(calls, nbytes_max)]) for address, calls in outgoing.items()
        ]
        for address, calls in unwanted.items():
            message = CancelCalls(
                self._caller,
                [call.actor for call in calls],
                [call.attempt for call in calls],
                [call.number for call in calls],
            )
            taken.append((address, [message]))
        return taken

    def _messages(self, calls: Iterable[CallState], nbytes_max: int) -> list[CallActors]:
        messages: list[CallActors] = []
        room = 0
        for call in calls:
            if call.status is not PENDING:
                continue
            nbytes = len(call.payload) + _ROW_NBYTES
            if not messages or nbytes > room:
                messages.append(CallActors(self._caller, [], [], [], [], [], []))
                room = nbytes_max
            room -= nbytes
            message = messages[-1]
            message.keys.append(call.actor)
            message.attempts.append(call.attempt)
            message.numbers.append(call.number)
            message.methods.append(call.method)
            message.kinds.append(call.kind)
            message.payloads.append(call.payload)
            # It is never sent again.
            call.payload = b""
            call.was_sent = True
        return messages

    # ------------------------------------------------------------------ what the scheduler says

    def placed(self, message: ActorsPlaced) -> None:
        """Take note of where actors are."""
        rows = zip(
            message.keys,
            message.attempts,
            message.workers,
            message.addresses,
            message.callers,
            message.saved_numbers,
            strict=True,
        )
        for key, attempt, worker, address, callers, numbers in rows:
            actor = self._actors.get(key)
            if actor is None:
                if key not in self._states:
                    continue
                actor = self._actors[key] = _Actor()
            if attempt <= actor.attempt:
                continue
            saved = dict(zip(callers, numbers, strict=True)).get(self._caller, 0)
            if actor.attempt and not actor.is_over:
                self._restart(key, actor, saved)
            actor.attempt, actor.worker, actor.address = attempt, worker, address
            actor.is_over = False
            actor.unsaved.clear()
            for call in actor.calls.values():
                self._send(actor, call)

    def restarting(self, message: ActorsRestarting) -> None:
        """Take note that actors are nowhere for now."""
        for key, attempt, reason in zip(
            message.keys, message.attempts, message.reasons, strict=True
        ):
            actor = self._actors.get(key)
            if actor is not None and attempt >= actor.attempt:
                actor.address = ""
                actor.reason = reason

    def failed(self, key: str, failure: Failure) -> None:
        """Take note that a task will have no value, which may be an actor."""
        actor = self._actors.get(key)
        if actor is None:
            return
        actor.address = ""
        actor.is_over = True
        actor.unseen = []
        calls, actor.calls = actor.calls, {}
        for call in calls.values():
            call.failure = failure
            self._end(call, FAILED)

    def cancelled(self, key: str) -> None:
        """Take note that a task will not be waited for, which may be an actor to come."""
        actor = self._actors.get(key)
        if actor is not None:
            calls, actor.calls = actor.calls, {}
            for call in calls.values():
                self._lose(call, TaskCancelled(key=key))

    def forget(self, key: str) -> None:
        """Take note that there is no future of a key any more."""
        self._actors.pop(key, None)

    def _restart(self, key: str, actor: _Actor, saved: int) -> None:
        """End the calls of an incarnation that is gone; those that follow go to the next one."""
        lost = [name for number, name in actor.unsaved if number > saved]
        sent = [call for call in actor.calls.values() if call.attempt]
        lost += [call.name for call in sent if call.number > saved]
        if not lost and not sent:
            return
        # What was made since, not knowing of this, is not made either: it counted on what is lost.
        calls, actor.calls = list(actor.calls.values()), {}
        if not calls:
            actor.unseen = lost
        for call in calls:
            self._lose(call, self._restarted(key, actor, call, lost))

    def _restarted(
        self, key: str, actor: _Actor, call: CallState, lost: list[str]
    ) -> ActorRestarted:
        return ActorRestarted(
            actor=key, worker=actor.worker, reason=actor.reason, call=call.name, lost=lost
        )

    # ------------------------------------------------------------------ what workers say

    def ended(self, message: CallsEnded) -> None:
        """Take the answers to calls."""
        rows = zip(
            message.keys,
            message.attempts,
            message.numbers,
            message.values,
            message.failures,
            message.saved,
            strict=True,
        )
        for key, attempt, number, value, failure, saved in rows:
            actor = self._actors.get(key)
            call = None if actor is None else actor.calls.get(number)
            if actor is None or call is None or call.attempt != attempt:
                continue
            if failure is not None and failure.kind is FailureKind.NOT_MADE:
                # It goes where the actor goes, of which there will be news.
                call.attempt, call.was_sent, call.payload = 0, False, value or b""
                actor.address, actor.reason = "", failure.text
                continue
            del actor.calls[number]
            unsaved = actor.unsaved
            while unsaved and unsaved[0][0] <= saved:
                unsaved.popleft()
            if number > saved:
                unsaved.append((number, call.name))
            if failure is None:
                call.value = value
                self._end(call, STORED)
            else:
                call.failure = failure
                is_cancelled = failure.kind is FailureKind.CANCELLED
                self._end(call, CANCELLED if is_cancelled else FAILED)

    def line_lost(self, address: str, reason: str) -> None:
        """Take note that a worker's session is gone, or could not be had, for good.

        If the worker itself is gone, the scheduler should have said so before.
        """
        self._outgoing.pop(address, None)
        self._unwanted.pop(address, None)
        for key, actor in self._actors.items():
            for call in [call for call in actor.calls.values() if call.attempt]:
                if actor.address != address or call.attempt != actor.attempt:
                    continue
                del actor.calls[call.number]
                error = ActorCallLost(
                    actor=key,
                    worker=actor.worker,
                    call=call.name,
                    reason=reason,
                    was_sent=call.was_sent,
                )
                self._lose(call, error)

    def close(self, error: HocketError) -> None:
        """End: nobody will wait for ever."""
        self._closed = error
        self._outgoing.clear()
        self._unwanted.clear()
        for actor in self._actors.values():
            calls, actor.calls = actor.calls, {}
            for call in calls.values():
                self._end(call, LOST)

    # ------------------------------------------------------------------ both

    def _send(self, actor: _Actor, call: CallState) -> None:
        call.attempt = actor.attempt
        self._outgoing.setdefault(actor.address, []).append(call)

    def _lose(self, call: CallState, error: HocketError) -> None:
        call.error = error
        self._end(call, FAILED)

    def _end(self, call: CallState, status: str) -> None:
        call.holds = None
        call.payload = b""
        self._watching.settle(call, status)
