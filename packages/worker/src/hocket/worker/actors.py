"""Actors: the calls that wait for each, in order, and what is said to those who made them.

A caller numbers its calls of an actor; they come in order, on whatever connection, and one whose
number is not greater than those before has come twice and is passed over. So each call is taken
once at the most, and the calls of one caller in the order in which they were made. What an actor
is, and how its methods run, is the shell's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from hocket.protocol.messages import (
    ActorSaved,
    CallActors,
    CallsEnded,
    CancelCalls,
    CheckpointsKept,
    Failure,
    FailureKind,
    RestoreActor,
)
from hocket.worker.devices import NO_DEVICES
from hocket.worker.units import NOTHING, Needs

__all__ = ["Actor", "Actors", "Call"]

#: One message of answers holds so many bytes of values, roughly, and so many rows.
_REPLY_NBYTES_AIM: Final = 4 << 20
_REPLY_ROWS_MAX: Final = 10_000


class Call(NamedTuple):
    """One call.

    Attributes
    ----------
    channel
        The connection on which it came.
    caller, number
        Whose call it is, and the how many-th of this actor.
    method, kind, payload
        As in `CallActors`.
    """

    channel: int
    caller: str
    number: int
    method: str
    kind: int
    payload: bytes


class Actor:
    """One actor that lives here.

    Attributes
    ----------
    key, attempt
        Which actor, and which incarnation of it.
    calls
        Those that have not begun.
    taken
        Per caller: the number of its last call that came.
    begun
        Per caller: the number of its last call that has begun, in this incarnation or before.
    running
        Calls that have begun and not ended, by caller and number.
    saved
        Per caller: the number of its last call that is in the last checkpoint that the scheduler
        is known to have.
    unkept, serial
        The same of those that it may not have yet, by their numbers; and the number of the last.
    unsaved_count
        Calls that ended since the last checkpoint.
    needs, devices
        What it keeps of the worker's resources as long as it lives.
    is_idle
        Whether the shell waits to be told of the next call.
    is_over
        Whether nobody wants it any more.
    """

    __slots__ = (
        "attempt",
        "begun",
        "calls",
        "devices",
        "is_idle",
        "is_over",
        "key",
        "needs",
        "running",
        "saved",
        "serial",
        "taken",
        "unkept",
        "unsaved_count",
    )

    def __init__(
        self,
        key: str,
        attempt: int,
        needs: Needs = NOTHING,
        devices: Mapping[str, tuple[int, ...]] = NO_DEVICES,
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.needs = needs
        self.devices = devices
        self.calls: deque[Call] = deque()
        self.taken: dict[str, int] = {}
        self.begun: dict[str, int] = {}
        self.running: dict[tuple[str, int], None] = {}
        self.saved: dict[str, int] = {}
        self.unkept: dict[int, dict[str, int]] = {}
        self.serial = 0
        self.unsaved_count = 0
        self.is_idle = False
        self.is_over = False

    def done(self) -> dict[str, int]:
        """Return per caller the last of its calls up to which all have ended."""
        done = dict(self.begun)
        for caller, number in self.running:
            done[caller] = min(done[caller], number - 1)
        return done

    def __repr__(self) -> str:
        return f"<Actor {self.key!r} incarnation {self.attempt} with {len(self.calls)} calls>"


class Actors:
    """All actors of one worker.

    Parameters
    ----------
    worker
        The worker's name, for failures.
    """

    __slots__ = ("_replies", "_restores", "_unwanted", "_woken", "_worker", "by_key", "leaving")

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self.by_key: dict[str, Actor] = {}
        self._restores: dict[tuple[str, int], RestoreActor] = {}
        self._replies: dict[int, _Replies] = {}
        self._woken: list[Actor] = []
        self._unwanted: list[tuple[Actor, str, int]] = []
        #: Whether the worker leaves in good order, and no call begins any more.
        self.leaving = False

    # They come and go ------------------------------------------------------------------------

    def to_restore(self, message: RestoreActor) -> None:
        """Take note of what an actor is to be made from, that comes next."""
        self._restores[message.key, message.attempt] = message

    def restoring(self, key: str, attempt: int) -> RestoreActor | None:
        """Return what an incarnation is to be made from; None: it is a new actor."""
        return self._restores.get((key, attempt))

    def forget_restore(self, key: str, attempt: int) -> None:
        """Take note that an incarnation is made, or will not be made here."""
        if self._restores:
            self._restores.pop((key, attempt), None)

    def open(
        self, key: str, attempt: int, needs: Needs, devices: Mapping[str, tuple[int, ...]]
    ) -> Actor:
        """Let an actor take calls that was made."""
        actor = self.by_key[key] = Actor(key, attempt, needs, devices)
        restored = self._restores.pop((key, attempt), None)
        if restored is not None:
            numbers = dict(zip(restored.callers, restored.numbers, strict=True))
            actor.taken = dict(numbers)
            actor.begun = dict(numbers)
            actor.saved = numbers
        return actor

    def find(self, key: str, attempt: int) -> Actor | None:
        """Return an incarnation of an actor, if it lives here."""
        actor = self.by_key.get(key)
        return actor if actor is not None and actor.attempt == attempt else None

    def close(self, key: str, attempt: int) -> Actor | None:
        """End an actor that nobody wants any more; calls that have not begun are refused.

        Returns
        -------
        Actor or None
            What it was; None if it does not live here.
        """
        actor = self.find(key, attempt)
        if actor is None:
            return None
        del self.by_key[key]
        actor.is_over = True
        for call in actor.calls:
            self._refuse(call.channel, key, attempt, call.number, "everybody let go of it")
        actor.calls.clear()
        self._wake(actor)
        return actor

    def leave(self) -> None:
        """Begin no call any more: those that have not begun go back to those who made them."""
        self.leaving = True
        for actor in self.by_key.values():
            for call in actor.calls:
                self._hand_back(call.channel, actor, call.number, call.payload)
            actor.calls.clear()
            self._wake(actor)

    # Calls -----------------------------------------------------------------------------------

    def receive(self, channel: int, message: CallActors | CancelCalls) -> None:
        """Take in what came on a connection."""
        if isinstance(message, CancelCalls):
            self._cancel(channel, message)
        else:
            self._call(channel, message)

    def _call(self, channel: int, message: CallActors) -> None:
        caller = message.caller
        rows = zip(
            message.keys,
            message.attempts,
            message.numbers,
            message.methods,
            message.kinds,
            message.payloads,
            strict=True,
        )
        for key, attempt, number, method, kind, payload in rows:
            actor = self.find(key, attempt)
            if actor is None:
                self._refuse(channel, key, attempt, number, "that incarnation of it is not here")
            elif number > actor.taken.get(caller, 0):
                actor.taken[caller] = number
                if self.leaving:
                    self._hand_back(channel, actor, number, payload)
                    continue
                actor.calls.append(Call(channel, caller, number, method, kind, payload))
                self._wake(actor)

    def _cancel(self, channel: int, message: CancelCalls) -> None:
        """Let calls go that have not begun, and have the shell interrupt what it can."""
        caller = message.caller
        for key, attempt, number in zip(
            message.keys, message.attempts, message.numbers, strict=True
        ):
            actor = self.find(key, attempt)
            if actor is None:
                continue
            if (caller, number) in actor.running:
                self._unwanted.append((actor, caller, number))
                continue
            kept = deque(one for one in actor.calls if (one.caller, one.number) != (caller, number))
            if len(kept) < len(actor.calls):
                actor.calls = kept
                failure = self.cancelled(actor)
                self._replies_on(channel).add(key, attempt, number, None, failure, 0)

    def cancelled(self, actor: Actor) -> Failure:
        """Return what became of a call that was not made, or interrupted."""
        return Failure(FailureKind.CANCELLED, actor.key, "", b"", self._worker, actor.attempt)

    def take(self, actor: Actor) -> Call | None:
        """Return the next call, which begins; None: the shell will be told of the next one."""
        if not actor.calls:
            actor.is_idle = True
            return None
        call = actor.calls.popleft()
        actor.running[call.caller, call.number] = None
        actor.begun[call.caller] = call.number
        return call

    def end(self, actor: Actor, call: Call, value: bytes | None, failure: Failure | None) -> None:
        """Answer a call that ran."""
        del actor.running[call.caller, call.number]
        actor.unsaved_count += 1
        saved = actor.saved.get(call.caller, 0)
        replies = self._replies_on(call.channel)
        replies.add(actor.key, actor.attempt, call.number, value, failure, saved)

    def end_saved(
        self,
        actor: Actor,
        call: Call,
        value: bytes | None,
        failure: Failure | None,
        state: bytes,
    ) -> ActorSaved:
        """Answer a call after which a checkpoint was taken; return what is to be said of that."""
        self.end(actor, call, value, failure)
        return self.save(actor, state)

    def save(self, actor: Actor, state: bytes) -> ActorSaved:
        """Return what is to be said of a checkpoint that has all calls in it which have ended."""
        done = actor.done()
        actor.unsaved_count = 0
        actor.serial += 1
        actor.unkept[actor.serial] = done
        return ActorSaved(
            actor.key, actor.attempt, state, list(done), list(done.values()), actor.serial
        )

    def kept(self, message: CheckpointsKept) -> None:
        """Take note of checkpoints that the scheduler has."""
        for key, attempt, serial in zip(
            message.keys, message.attempts, message.serials, strict=True
        ):
            actor = self.find(key, attempt)
            if actor is not None and serial in actor.unkept:
                actor.saved = actor.unkept[serial]
                # (Those before it were passed over, since it is the later one.)
                actor.unkept = {one: n for one, n in actor.unkept.items() if one > serial}

    def lost(self, channel: int) -> None:
        """Take note that a connection is gone for good: nobody waits for what came on it."""
        self._replies.pop(channel, None)
        for actor in self.by_key.values():
            if any(call.channel == channel for call in actor.calls):
                actor.calls = deque(call for call in actor.calls if call.channel != channel)

    # What comes out --------------------------------------------------------------------------

    @property
    def has_replies(self) -> bool:
        """Whether there is something to say to callers."""
        return bool(self._replies)

    def take_replies(self) -> list[tuple[int, list[CallsEnded]]]:
        """Return what is to be said on each connection, in messages for a frame each."""
        replies, self._replies = self._replies, {}
        return [(channel, one.messages) for channel, one in replies.items()]

    def take_woken(self) -> Sequence[Actor]:
        """Return the actors that the shell waited with and has something to do for."""
        if not self._woken:
            return ()
        woken, self._woken = self._woken, []
        return woken

    def take_unwanted(self) -> Sequence[tuple[Actor, str, int]]:
        """Return calls that run and that their callers want no more: actor, caller and number."""
        if not self._unwanted:
            return ()
        unwanted, self._unwanted = self._unwanted, []
        return unwanted

    def _wake(self, actor: Actor) -> None:
        if actor.is_idle:
            actor.is_idle = False
            self._woken.append(actor)

    def _refuse(self, channel: int, key: str, attempt: int, number: int, reason: str) -> None:
        failure = Failure(FailureKind.ACTOR_LOST, key, reason, b"", self._worker, attempt)
        self._replies_on(channel).add(key, attempt, number, None, failure, 0)

    def _hand_back(self, channel: int, actor: Actor, number: int, payload: bytes) -> None:
        failure = Failure(
            FailureKind.NOT_MADE, actor.key, "its worker leaves", b"", self._worker, actor.attempt
        )
        self._replies_on(channel).add(actor.key, actor.attempt, number, payload, failure, 0)

    def _replies_on(self, channel: int) -> _Replies:
        replies = self._replies.get(channel)
        if replies is None:
            replies = self._replies[channel] = _Replies()
        return replies

    def __iter__(self) -> Iterator[Actor]:
        return iter(self.by_key.values())


class _Replies:
    """Answers for one connection, in messages of bounded size."""

    __slots__ = ("_nbytes", "messages")

    def __init__(self) -> None:
        self.messages = [CallsEnded([], [], [], [], [], [])]
        self._nbytes = 0

    def add(
        self,
        key: str,
        attempt: int,
        number: int,
        value: bytes | None,
        failure: Failure | None,
        saved: int,
    ) -> None:
        """Add an answer."""
        nbytes = len(value or b"")
        if failure is not None:
            nbytes += len(failure.exception) + len(failure.text)
        message = self.messages[-1]
        full = self._nbytes + nbytes > _REPLY_NBYTES_AIM or len(message.keys) >= _REPLY_ROWS_MAX
        if message.keys and full:
            message = CallsEnded([], [], [], [], [], [])
            self.messages.append(message)
            self._nbytes = 0
        self._nbytes += nbytes
        message.keys.append(key)
        message.attempts.append(attempt)
        message.numbers.append(number)
        message.values.append(value)
        message.failures.append(failure)
        message.saved.append(saved)
