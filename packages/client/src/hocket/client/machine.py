"""The client's machine: which futures there are, what became of them, and what is to be said.

Messages of the scheduler and wishes of the caller go in; messages for the scheduler (`post` and
`take_frames`) and those who are to be woken (`take_fired`) come out. It reads no clock, opens no
socket and starts no thread; whoever calls it sees to it that one thread calls at a time.

A key's state is shared by all futures of the key and counts them. States of a future::

    pending --> finished --> pending    its value was lost and is being computed again
    pending --> error
    pending --> cancelled
    pending --> lost                    the scheduler is gone
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from msgspec import Struct

from hocket.client.actor_book import ActorBook
from hocket.client.batches import TaskBatch
from hocket.client.chosen_keys import ChosenKeys
from hocket.client.feeds import Feeds
from hocket.client.options import NO_OPTIONS, TaskOptions
from hocket.client.outbox import Outbox, Pause
from hocket.client.questions import ANSWERS, Questions, undo_of
from hocket.client.states import (
    CANCELLED,
    FAILED,
    LOST,
    PENDING,
    STORED,
    FutureState,
    Request,
    Watch,
)
from hocket.client.watching import Watching
from hocket.core.errors import HocketError
from hocket.protocol.messages import (
    ActorsPlaced,
    ActorsRestarting,
    CancelTasks,
    Events,
    GrantsRevoked,
    ItemsGiven,
    KeysLost,
    KeysScattered,
    ReleaseKeys,
    RetryTasks,
    TasksCancelled,
    TasksErred,
    TasksStored,
    WantKeys,
)
from hocket.protocol.serialize import FunctionPickle

__all__ = [
    "CANCELLED",
    "FAILED",
    "LOST",
    "PENDING",
    "STORED",
    "ClientMachine",
    "FutureState",
    "Request",
    "Watch",
]

_REVOKED_MAX: Final = 10_000


class ClientMachine:
    """Decides for one client of one scheduler.

    Parameters
    ----------
    token
        Makes this client's keys differ from those of all others.
    functions_known_max
        Pickled functions that the scheduler is asked to remember for this client.
    """

    def __init__(self, token: str, functions_known_max: int = 1000) -> None:
        self.token = token
        #: By key; only those of which there is a future.
        self.states: dict[str, FutureState] = {}
        #: Why nothing goes any more; None: all is well.
        self.closed: HocketError | None = None
        #: Tokens of locks and the like that were taken back, and why; of the latest.
        self.revoked: dict[int, str] = {}
        self._numbers = 0
        self._questions = Questions()
        self._chosen = ChosenKeys()
        #: Keys that news is passed over of, and how many confirmations are missing.
        self._leaving: dict[str, int] = {}
        self._outbox = Outbox(functions_known_max)
        self._watching = Watching()
        #: Subscriptions to what happens in the cluster.
        self.feeds = Feeds()
        #: Calls of actors, which go elsewhere than all that is said to the scheduler.
        self.actors = ActorBook(token, self.states, self._watching)

    # ------------------------------------------------------------------ what comes out

    @property
    def requests(self) -> Mapping[int, Request]:
        """Questions without an answer, by number."""
        return self._questions.open

    @property
    def has_output(self) -> bool:
        """Whether there is something to send."""
        return bool(self._outbox)

    def take_frames(self, frame_nbytes_max: int) -> list[list[Struct]]:
        """Return what is to be sent, in order, in lists that each fit in a frame, and forget it.

        Parameters
        ----------
        frame_nbytes_max
            A list is ended when the pickles in it add up to this; a single message may be longer.
        """
        return self._outbox.take_frames(frame_nbytes_max)

    def take_fired(self) -> list[Watch | Request]:
        """Return those to be woken, and forget them."""
        return self._watching.take_fired()

    def post(self, message: Struct, nbytes: int = 0) -> None:
        """Have a message sent; ``nbytes`` of pickles are in it."""
        if self.closed is None:
            self._outbox.add(message, nbytes)

    @property
    def said_count(self) -> int:
        """A number that changes whenever something is to be said that a question comes after."""
        return self._outbox.added_count

    def pause(self, pause: Pause) -> None:
        """Have what is said from now on wait until a pause is over."""
        if self.closed is None:
            self._outbox.add_pause(pause)

    # ------------------------------------------------------------------ futures

    def take_numbers(self, count: int) -> int:
        """Return the first of this many numbers that no other key of this client has."""
        first = self._numbers
        self._numbers = first + count
        return first

    def submit(self, batch: TaskBatch) -> list[FutureState]:
        """Have a batch of tasks made, and return the states of those that the caller wants.

        A task that is there already, with the same content, is not made again.

        Raises
        ------
        DuplicateKey
            A key that the user chose stands for another task; nothing was submitted.
        HocketError
            The client is closed, or has lost its scheduler.
        """
        if self.closed is not None:
            raise self.closed
        all_keys = batch.keys
        known: dict[str, FutureState] = {}
        if batch.specs is not None:
            known, batch = self._chosen.leave_out_known(self.states, batch)
        keys = batch.keys
        wanted = keys if batch.wanted is None else [keys[index] for index in batch.wanted]
        states = list(map(FutureState, wanted))
        self.states.update(zip(wanted, states, strict=True))
        if keys:
            self._outbox.add_batch(batch)
        if len(keys) == len(all_keys):
            return states
        made = dict(zip(wanted, states, strict=True))
        result = []
        for key in all_keys:
            state = made.pop(key, None)
            if state is None:
                state = known[key]
                state.references += 1
            known[key] = state
            result.append(state)
        return result

    def submit_call(
        self,
        prefix: str,
        function: FunctionPickle,
        payload: bytes,
        references: list[str],
        options: TaskOptions = NO_OPTIONS,
    ) -> FutureState:
        """Have one task made, under a key that no other task has, and return its state.

        The key is the prefix and a number. The rest is as in a `TaskBatch`; raises as `submit`.
        """
        if self.closed is not None:
            raise self.closed
        key = f"{prefix}{self._numbers}"
        self._numbers += 1
        state = self.states[key] = FutureState(key)
        self._outbox.add_call(key, function, payload, references, options)
        return state

    def find(self, key: str) -> FutureState | None:
        """Return the state of a key if there are futures of it."""
        return self.states.get(key)

    def retain(self, state: FutureState) -> None:
        """Count one more future of a state."""
        state.references += 1

    def want(self, key: str) -> FutureState:
        """Return the state of a key for one more future, and ask for the key if it is new here.

        Raises
        ------
        HocketError
            The client is closed, or has lost its scheduler.
        """
        if self.closed is not None:
            raise self.closed
        state = self.states.get(key)
        if state is not None and state.status is not CANCELLED:
            state.references += 1
            return state
        state = self.states[key] = FutureState(key)
        self.post(WantKeys([key]))
        return state

    def scattered(
        self, message: Callable[[int], KeysScattered], keys: Sequence[str], wake: Callable[[], None]
    ) -> tuple[Request, list[FutureState]]:
        """Tell of values that were put on workers; their states are pending until it is accepted.

        Raises
        ------
        HocketError
            The client is closed, or has lost its scheduler.
        """
        request = self.ask(message, wake)
        states = []
        for key in keys:
            state = self.states.get(key)
            if state is None or state.status in (CANCELLED, LOST):
                state = self.states[key] = FutureState(key)
            else:
                state.references += 1
            states.append(state)
        return request, states

    def accept_scattered(self, states: Iterable[FutureState], sizes: Iterable[int]) -> None:
        """Take note that the scheduler knows of values now."""
        for state, nbytes in zip(states, sizes, strict=True):
            if state.status is PENDING:
                state.nbytes = nbytes
                self._watching.settle(state, STORED)

    def release(self, states: Iterable[FutureState]) -> None:
        """Take note that for each of these, one future less exists."""
        released: list[str] = []
        chosen: list[str] = []
        for state in states:
            state.references -= 1
            if state.references:
                continue
            key = state.key
            # Another may have taken the place of one that was cancelled.
            if self.states.get(key) is not state:
                continue
            del self.states[key]
            self.actors.forget(key)
            was_chosen = self._chosen.forget(key)
            if state.status is CANCELLED:
                continue
            # A key that the user chose is soon chosen again.
            (chosen if was_chosen else released).append(key)
        if released:
            self.post(ReleaseKeys(released))
        self._leave(chosen)

    def cancel(
        self,
        states: Iterable[FutureState],
        *,
        interrupt: bool = False,
        force: bool = False,
        wake: Callable[[], None] | None = None,
    ) -> tuple[list[str], Request | None]:
        """Do without what is pending; return its keys, and the question what became of it.

        With ``interrupt`` it does not run on where it runs, with ``force`` not even for others. It
        is asked what became of it if somebody is to be woken by the answer.
        """
        keys: list[str] = []
        # At once, not when it is confirmed: the scheduler drops the wish in any case.
        for state in states:
            if state.status is PENDING:
                keys.append(state.key)
                self._watching.settle(state, CANCELLED)
                self.actors.cancelled(state.key)
        request = self._questions.ask(wake) if wake is not None and keys else None
        number = 0 if request is None else request.number
        self._leave(keys, number, interrupt=interrupt, force=force)
        return keys, request

    def cancel_all(self) -> None:
        """Do without everything, be it there or not."""
        for state in self.states.values():
            state.value = state.failure = None
            self._watching.settle(state, CANCELLED)
        self._leave(list(self.states))

    def retry(self, states: Iterable[FutureState]) -> None:
        """Have tasks that failed run again; their states are pending from now on."""
        keys = []
        for state in states:
            if state.status is FAILED and self.states.get(state.key) is state:
                state.status = PENDING
                state.failure = None
                keys.append(state.key)
        if keys:
            self.post(RetryTasks(keys))

    def _leave(
        self, keys: list[str], request: int = 0, *, interrupt: bool = False, force: bool = False
    ) -> None:
        """Drop the wish for keys, and pass over news of them until that is confirmed.

        The key may be submitted again, with other content, before news of the old one is here.
        """
        if keys and self.closed is None:
            self.post(CancelTasks(keys, interrupt, force, request))
            for key in keys:
                self._leaving[key] = self._leaving.get(key, 0) + 1

    # ------------------------------------------------------------------ waiting

    def watch(self, states: Iterable[FutureState], watch: Watch) -> int:
        """Have a watch hear of the states that are pending; return how many it waits for.

        With ``first_failure``, none if one has failed already.
        """
        return self._watching.watch(states, watch)

    def unwatch(self, states: Iterable[FutureState], watch: Watch) -> None:
        """Have a watch hear no more of states."""
        self._watching.unwatch(states, watch)

    def ask(self, message: Callable[[int], Struct], wake: Callable[[], None]) -> Request:
        """Post a question.

        Parameters
        ----------
        message
            Returns the message for the number of the question.
        wake
            Called, outside of the machine, when the answer is there.

        Raises
        ------
        HocketError
            The client is closed, or has lost its scheduler.
        """
        if self.closed is not None:
            raise self.closed
        request = self._questions.ask(wake)
        self.post(message(request.number))
        return request

    def withdraw(self, request: Request) -> None:
        """Wait for an answer no longer."""
        self._questions.withdraw(request)

    # ------------------------------------------------------------------ what comes in

    def receive(self, message: Struct) -> None:
        """Take a message of the scheduler's; one about keys that nobody wants any more is dropped.

        Raises
        ------
        KeyError
            A client is not told this; the codec lets nothing of the kind through.
        """
        if self.closed is None:
            self._handlers[type(message)](self, message)

    def _on_stored(self, message: TasksStored) -> None:
        find = self.states.get
        leaving = self._leaving
        for key, nbytes, value in zip(message.keys, message.nbytes, message.values, strict=True):
            state = find(key)
            if state is None or state.status is CANCELLED or (leaving and key in leaving):
                continue
            state.nbytes = nbytes
            state.value = value
            state.failure = None
            state.status = STORED
            if state.watches is not None:
                self._watching.tell(state)

    def _on_erred(self, message: TasksErred) -> None:
        for key, failure in zip(message.keys, message.failures, strict=True):
            state = self._find_current(key)
            if state is not None:
                state.failure = failure
                state.value = None
                self._watching.settle(state, FAILED)
            self.actors.failed(key, failure)

    def _on_placed(self, message: ActorsPlaced) -> None:
        self.actors.placed(message)

    def _on_restarting(self, message: ActorsRestarting) -> None:
        self.actors.restarting(message)

    def _on_cancelled(self, message: TasksCancelled) -> None:
        for key in message.keys:
            missing = self._leaving.pop(key, 0) - 1
            if missing > 0:
                self._leaving[key] = missing

    def _find_current(self, key: str) -> FutureState | None:
        """Return the state that news of a key is about."""
        state = self.states.get(key)
        if state is None or state.status is CANCELLED or key in self._leaving:
            return None
        return state

    def _on_lost(self, message: KeysLost) -> None:
        for key in message.keys:
            state = self._find_current(key)
            if state is not None and state.status is STORED and state.value is None:
                state.status = PENDING

    def _on_answer(self, message: Any) -> None:
        request = self._questions.answer(message)
        if request is not None:
            if type(message) is ItemsGiven:
                request.states = [self.want(key) for keys in message.keys for key in keys]
            self._watching.fire(request)
        elif (undo := undo_of(message)) is not None:
            self.post(undo)

    def _on_events(self, message: Events) -> None:
        answer = self.feeds.heard(message)
        if answer is not None:
            self.post(answer)

    def _on_revoked(self, message: GrantsRevoked) -> None:
        self.revoked.update(dict.fromkeys(message.tokens, message.reason))
        while len(self.revoked) > _REVOKED_MAX:
            del self.revoked[next(iter(self.revoked))]

    def close(self, error: HocketError, *, lost: bool = False) -> None:
        """End: nobody will wait for ever.

        Parameters
        ----------
        error
            What whoever still wants something is told.
        lost
            Whether the scheduler was lost, rather than left.
        """
        if self.closed is not None:
            return
        self.closed = error
        self._outbox.clear()
        for state in self.states.values():
            if state.status is PENDING:
                self._watching.settle(state, LOST if lost else CANCELLED)
        self.actors.close(error)
        self.feeds.close()
        for request in self._questions.end(error):
            self._watching.fire(request)

    _handlers: ClassVar[dict[type[Struct], Callable[[ClientMachine, Any], None]]] = {
        TasksStored: _on_stored,
        TasksErred: _on_erred,
        TasksCancelled: _on_cancelled,
        KeysLost: _on_lost,
        GrantsRevoked: _on_revoked,
        Events: _on_events,
        ActorsPlaced: _on_placed,
        ActorsRestarting: _on_restarting,
        **dict.fromkeys(ANSWERS, _on_answer),
    }
