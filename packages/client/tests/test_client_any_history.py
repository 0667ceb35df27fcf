"""The client's machine under any history: futures stay counted, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from hocket.client.batches import TaskBatch
from hocket.client.invariants import check
from hocket.client.machine import (
    CANCELLED,
    LOST,
    PENDING,
    ClientMachine,
    FutureState,
    Request,
    Watch,
)
from hocket.core.errors import DuplicateKey, PeerLost
from hocket.protocol.messages import (
    CancelTasks,
    ClusterDescribed,
    DescribeCluster,
    ExplainKeys,
    Explanation,
    Failure,
    FailureKind,
    KeysExplained,
    KeysLocated,
    KeysLost,
    KeysRebalanced,
    KeysReplicated,
    ListTasks,
    LocateKeys,
    RebalanceKeys,
    ReleaseKeys,
    ReplicateKeys,
    RequestRefused,
    RetireWorkers,
    SubmitTasks,
    TaskPlace,
    TasksCancelled,
    TasksErred,
    TasksListed,
    TasksStored,
    WantKeys,
    WorkersRetired,
)
from hocket.protocol.serialize import FunctionPickle

FUNCTION = FunctionPickle(b"d" * 16, b"blob", "f", [])
GONE = PeerLost(address="tcp://x:1", reason="gone")


def nothing() -> None:
    pass


def batch(keys: Sequence[str], **columns: Any) -> TaskBatch:
    return TaskBatch([FUNCTION], list(keys), [b"p"] * len(keys), **columns)


def failure(key: str) -> Failure:
    return Failure(FailureKind.RAISED, key, "text")


def stored(*keys: str, value: bytes | None = b"v") -> TasksStored:
    return TasksStored(list(keys), [7] * len(keys), [value] * len(keys))


def sent(machine: ClientMachine) -> list[Struct]:
    return [message for frame in machine.take_frames(10**9) for message in frame]


KEYS = st.sampled_from("abcdef")

QUESTIONS: list[Callable[[int], Struct]] = [
    DescribeCluster,
    lambda number: LocateKeys(number, ["a"]),
    lambda number: ExplainKeys(number, ["a", "b"]),
    lambda number: ReplicateKeys(number, ["a"], 2, ["w"]),
    RebalanceKeys,
    lambda number: RetireWorkers(number, ["w"]),
    lambda number: ListTasks(number, TaskPlace.HELD, ["w"]),
]

#: Whether it fits the question or not: the machine leaves that to whoever asked.
ANSWERS: list[Callable[[int], Struct]] = [
    lambda number: ClusterDescribed(number, "tcp://x:1", []),
    lambda number: KeysLocated(number, [["tcp://w:1"]]),
    lambda number: KeysExplained(number, [Explanation("a", "queued", "no worker")]),
    lambda number: KeysReplicated(number, [1]),
    lambda number: KeysRebalanced(number, 0, 0),
    lambda number: WorkersRetired(number, ["w"]),
    lambda number: TasksListed(number, ["tcp://w:1"], [["a"]]),
    lambda number: RequestRefused(number, "no"),
]


class AnyHistory(RuleBasedStateMachine):
    """Futures made and dropped, and a scheduler that says anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = ClientMachine("token", functions_known_max=1)
        self.alive: list[FutureState] = []
        self.watches: list[tuple[Watch, list[FutureState]]] = []
        self.woken: list[Any] = []
        self.requests: list[Request] = []
        self.withdrawn: set[int] = set()

    def collect(self) -> None:
        self.woken += self.machine.take_fired()

    @rule(keys=st.lists(KEYS, min_size=1, max_size=4), spec=st.sampled_from([b"1", b"2"]))
    def submit(self, keys: list[str], spec: bytes) -> None:
        try:
            self.alive += self.machine.submit(batch(keys, specs=[spec] * len(keys)))
        except DuplicateKey:
            assert any(self.machine.find(key) is not None for key in keys)
        except PeerLost:
            assert self.machine.closed

    @rule(key=KEYS)
    def want(self, key: str) -> None:
        try:
            self.alive.append(self.machine.want(key))
        except PeerLost:
            assert self.machine.closed

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.alive:
            index = data.draw(st.integers(0, len(self.alive) - 1))
            self.machine.release([self.alive.pop(index)])

    @rule(keys=st.lists(KEYS, max_size=3), value=st.sampled_from([b"v", None]))
    def store(self, keys: list[str], value: bytes | None) -> None:
        self.machine.receive(stored(*keys, value=value))
        self.collect()

    @rule(keys=st.lists(KEYS, max_size=3))
    def fail(self, keys: list[str]) -> None:
        self.machine.receive(TasksErred(keys, [failure(key) for key in keys]))
        self.collect()

    @rule(keys=st.lists(KEYS, max_size=3))
    def lose(self, keys: list[str]) -> None:
        self.machine.receive(KeysLost(keys))
        self.collect()

    @rule(keys=st.lists(KEYS, max_size=3))
    def cancelled(self, keys: list[str]) -> None:
        self.machine.receive(TasksCancelled(keys))
        self.collect()

    @rule(first_failure=st.booleans())
    def watch(self, first_failure: bool) -> None:
        watch = Watch(nothing, first_failure=first_failure)
        states = list(self.alive)
        if self.machine.watch(states, watch):
            self.watches.append((watch, states))

    @rule(data=st.data())
    def unwatch(self, data: st.DataObject) -> None:
        if self.watches:
            index = data.draw(st.integers(0, len(self.watches) - 1))
            watch, states = self.watches.pop(index)
            self.machine.unwatch(states, watch)

    @rule(question=st.sampled_from(QUESTIONS))
    def ask(self, question: Callable[[int], Struct]) -> None:
        try:
            self.requests.append(self.machine.ask(question, nothing))
        except PeerLost:
            assert self.machine.closed

    @rule(number=st.integers(0, 12), answer=st.sampled_from(ANSWERS))
    def answer(self, number: int, answer: Callable[[int], Struct]) -> None:
        """Answer any question: once, twice, one that was never asked."""
        is_open = number in self.machine.requests
        self.machine.receive(answer(number))
        fired = self.machine.take_fired()
        self.woken += fired
        assert len(fired) == is_open
        assert all(one.reply == answer(number) for one in fired)

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if self.requests:
            request = data.draw(st.sampled_from(self.requests))
            self.machine.withdraw(request)
            self.withdrawn.add(request.number)

    @rule(lost=st.booleans())
    def close(self, lost: bool) -> None:
        self.machine.close(GONE, lost=lost)
        self.collect()

    @invariant()
    def holds(self) -> None:
        check(self.machine)

    @invariant()
    def futures_are_counted(self) -> None:
        for state in self.alive:
            assert state.references == sum(state is one for one in self.alive)

    @invariant()
    def who_may_go_on_is_woken(self) -> None:
        for watch, states in self.watches:
            if all(state.status is not PENDING for state in states):
                assert watch in self.woken

    @invariant()
    def every_question_has_one_end(self) -> None:
        assert [one.number for one in self.requests] == list(range(1, len(self.requests) + 1))
        for request in self.requests:
            ended = (request.reply is not None) + (request.error is not None)
            assert sum(one is request for one in self.woken) == ended <= 1
            is_open = not ended and request.number not in self.withdrawn
            assert (request.number in self.machine.requests) == is_open
            assert not (is_open and self.machine.closed)

    @invariant()
    def the_scheduler_knows_what_is_wanted(self) -> None:
        if not hasattr(self, "scheduler"):
            self.scheduler: set[str] = set()
        for message in sent(self.machine):
            if isinstance(message, SubmitTasks | WantKeys):
                self.scheduler |= set(message.keys)
            elif isinstance(message, ReleaseKeys | CancelTasks):
                assert set(message.keys) <= self.scheduler
                self.scheduler -= set(message.keys)
        for key, state in self.machine.states.items():
            assert key in self.scheduler or state.status in (CANCELLED, LOST) or self.machine.closed


test_any_history = AnyHistory.TestCase
