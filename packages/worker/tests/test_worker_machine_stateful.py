"""The worker's machine under random messages, legal and illegal, answers and executions.

A model that knows only the promises (every attempt ends in exactly one report, unless it was
abandoned or replaced) watches what comes out; the invariants are checked after every step.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    DropFunctions,
    Failure,
    FailureKind,
    HereRan,
    InputsMissing,
    RecallTasks,
    ReplicasStored,
    RunHere,
    RunTasks,
    TasksDone,
    TasksFailed,
    TasksReturned,
)
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.state import Fetch, Task

KEYS = [f"k{index}" for index in range(6)]
OWN = "tcp://me:1"
ADDRESSES = ["tcp://a:1", "unix:///b", "inproc://c", OWN]
FETCH_NBYTES_MAX = 100
FETCH_CONNECTIONS_MAX = 2

keys = st.sampled_from(KEYS)
#: How far behind the newest attempt an illegal or late attempt lies.
lags = st.integers(0, 8)
names = st.lists(st.tuples(keys, lags), max_size=6)
inputs = st.lists(
    st.tuples(
        keys,
        lags,
        st.integers(-5, 150),
        st.lists(st.integers(0, len(ADDRESSES) - 1), max_size=4),
    ),
    max_size=5,
)


class WorkerUnderFire(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.machine = WorkerMachine(
            name="w",
            address=OWN,
            settings=WorkerSettings(
                fetch_connections_max=FETCH_CONNECTIONS_MAX, fetch_nbytes_max=FETCH_NBYTES_MAX
            ),
            resources={"GPU": 2, "licence": 0.5},
        )
        self.attempt = 10
        #: The attempt of each key that must still be reported.
        self.current = {}
        #: Attempts that came too late or cannot run here, and must be reported at once.
        self.late = []
        self.running = []
        self.ended = []
        self.fetches = []
        self.answered = []
        self.calls = 0

    # What the scheduler says.

    @rule(
        data=st.data(),
        rows=st.lists(st.tuples(keys, st.one_of(st.none(), lags), st.integers(-2, 2)), max_size=5),
        given_inputs=inputs,
        resources=st.sampled_from(
            [
                {},
                {},
                {},
                {"GPU": 1.0},
                {"GPU": 2.0},
                {"licence": 0.1},
                {"GPU": 1.0, "licence": 0.5},
                {"GPU": 3.0},
                {"GPU": -1.0},
                {"GPU": float("nan")},
                {"tape": 1.0},
                {"tape": 0.0},
            ]
        ),
        blob=st.sampled_from([b"blob", b"blob", None]),
        digest=st.sampled_from([b"f", b"g"]),
        bare=st.booleans(),
    )
    def run_tasks(self, data, rows, given_inputs, resources, blob, digest, bare):
        columns = {"keys": [], "attempts": [], "priorities": [], "inputs": []}
        for key, lag, priority in rows:
            if lag is None:
                self.attempt += 1
            columns["keys"].append(key)
            columns["attempts"].append(self.attempt - (lag or 0))
            columns["priorities"].append(priority)
            indices = st.lists(st.integers(0, max(len(given_inputs) - 1, 0)), max_size=4)
            columns["inputs"].append(data.draw(indices) if given_inputs else [])
        if bare:
            columns["inputs"] = []
        message = RunTasks(
            functions=[digest],
            labels=["f"],
            blobs=[blob],
            function_of=[],
            payloads=[b""] * len(rows),
            wanted=[],
            input_keys=[key for key, _, _, _ in given_inputs],
            input_attempts=[self.attempt - lag for _, lag, _, _ in given_inputs],
            input_nbytes=[nbytes for _, _, nbytes, _ in given_inputs],
            input_holders=[holders for _, _, _, holders in given_inputs],
            addresses=ADDRESSES,
            resources=resources,
            **columns,
        )
        known = blob is not None or digest in self.machine.tables.functions
        fits = all(
            0 <= amount <= {"GPU": 2, "licence": 0.5}.get(name, 0)
            for name, amount in resources.items()
        )
        for key, attempt in zip(columns["keys"], columns["attempts"], strict=True):
            current = self.current.get(key, -1)
            if attempt < current or (attempt > current and not (known and fits)):
                self.late.append((key, attempt))
            if attempt > current:
                self.current.pop(key, None)
                if known and fits:
                    self.current[key] = attempt
        self.machine.handle([message], 1.0)

    @rule(
        count=st.integers(1, 4),
        first=st.integers(0, len(KEYS) - 1),
        lags=st.lists(lags, max_size=3),
        holders=st.lists(st.integers(0, 2), min_size=1, max_size=3),
        gpus=st.sampled_from([0.0, 0.0, 1.0]),
    )
    def run_legal_tasks(self, count, first, lags, holders, gpus):
        """Send what a scheduler would: free keys, inputs that are here or have holders."""
        free = [key for key in KEYS[first:] + KEYS[:first] if key not in self.current][:count]
        named = [(key, self.attempt - lag) for key, lag in zip(KEYS, lags, strict=False)]
        held = [(key, datum.attempt) for key, datum in self.machine.tables.held.items()]
        given = list(dict.fromkeys([*named, *held]))
        attempts = [self.attempt + 1 + number for number in range(len(free))]
        self.attempt += len(free)
        self.current.update(zip(free, attempts, strict=True))
        message = RunTasks(
            functions=[b"f"],
            labels=["f"],
            blobs=[b"blob"],
            keys=free,
            attempts=attempts,
            priorities=list(range(len(free))),
            function_of=[],
            payloads=[b""] * len(free),
            wanted=[],
            inputs=[[index] if index < len(given) else [] for index in range(len(free))],
            input_keys=[key for key, _ in given],
            input_attempts=[attempt for _, attempt in given],
            input_nbytes=[60] * len(given),
            input_holders=[holders] * len(given),
            addresses=ADDRESSES,
            resources={"GPU": gpus},
        )
        self.machine.handle([message], 1.0)

    @rule(names=names)
    def drop_data(self, names):
        named = [(key, self.attempt - lag) for key, lag in names]
        held = dict(self.machine.tables.held)
        self.machine.handle([DropData([k for k, _ in named], [a for _, a in named])], 1.0)
        for key, datum in held.items():
            dropped = (key, datum.attempt) in named
            assert (key not in self.machine.tables.held) == dropped
        assert len(self.machine.take_discarded()) >= len(held) - len(self.machine.tables.held)

    @rule(names=names)
    def drop_all_data(self, names):
        held = [
            self.machine.tables.held[key] for key, _ in names if key in self.machine.tables.held
        ]
        self.machine.handle([DropData([d.key for d in held], [d.attempt for d in held])], 1.0)

    @rule(names=names)
    def recall(self, names):
        named = [(key, self.attempt - lag) for key, lag in names]
        self.machine.handle([RecallTasks([k for k, _ in named], [a for _, a in named])], 1.0)
        for key, attempt in named:
            task = self.machine.tables.tasks.get(key)
            if task is not None and task.attempt == attempt:
                assert task in self.running

    @rule(names=names)
    def recall_current(self, names):
        keys = [key for key, _ in names if key in self.current]
        self.machine.handle([RecallTasks(keys, [self.current[key] for key in keys])], 1.0)

    @rule(names=names)
    def abandon(self, names):
        named = [(key, self.attempt - lag) for key, lag in names]
        named += [(key, self.current[key]) for key, lag in names if lag % 2 and key in self.current]
        for key, attempt in named:
            if self.current.get(key) == attempt:
                del self.current[key]
        self.machine.handle([AbandonTasks([k for k, _ in named], [a for _, a in named])], 1.0)

    @rule(digests=st.lists(st.sampled_from([b"f", b"g", b"h"]), max_size=3))
    def drop_functions(self, digests):
        self.machine.handle([DropFunctions(digests)], 1.0)

    @rule(request=st.integers(0, 3))
    def run_here(self, request):
        self.machine.handle([RunHere(request, b"f", b"")], 1.0)
        self.calls += 1

    @rule(key=keys, nbytes=st.integers(0, 100))
    def put(self, key, nbytes):
        self.machine.put(key, ("value", key, 0), nbytes)
        assert self.machine.tables.held[key].attempt == 0

    # What threads do.

    @rule()
    def take(self):
        self._take()

    @rule()
    def take_all(self):
        while self._take():
            check(self.machine)

    def _take(self):
        startable = self.machine.startable_count
        task = self.machine.take()
        if startable == 0:
            assert task is None
        if task is None:
            assert self.machine.startable_count == 0
            return False
        self.running.append(task)
        for datum in task.inputs:
            assert datum.value == ("value", datum.key, datum.attempt)
        return True

    @rule(data=st.data(), nbytes=st.integers(0, 100), fail=st.booleans())
    def end(self, data, nbytes, fail):
        if not self.running:
            return
        task = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.ended.append(task)
        self._end(task, nbytes, fail=fail)

    @rule(data=st.data(), fail=st.booleans())
    def end_again(self, data, fail):
        if self.ended:
            self._end(data.draw(st.sampled_from(self.ended)), 5, fail=fail)

    def _end(self, task, nbytes, *, fail):
        if fail:
            failure = Failure(FailureKind.RAISED, task.key, "boom")
            self.machine.failed(task, failure, 2.0, 0.5)
        else:
            self.machine.executed(task, ("value", task.key, task.attempt), nbytes, 2.0, 0.5, b"v")

    # What peers say.

    @rule(
        data=st.data(),
        kinds=st.lists(st.sampled_from(["value", "value", "gone", "other", "error"]), max_size=6),
    )
    def answer(self, data, kinds):
        if not self.fetches:
            return
        fetch = self.fetches.pop(data.draw(st.integers(0, len(self.fetches) - 1)))
        self.answered.append((fetch, kinds))
        self._answer(fetch, kinds)

    @rule(data=st.data())
    def answer_again(self, data):
        if self.answered:
            self._answer(*data.draw(st.sampled_from(self.answered)))

    def _answer(self, fetch, kinds):
        answers = []
        for datum, kind in zip(fetch.data, kinds, strict=False):
            if kind == "value":
                value = ("value", datum.key, datum.attempt)
                answers.append(Answer(datum.attempt, max(datum.nbytes, 1), value))
            elif kind == "error":
                answers.append(Answer(datum.attempt, error="it cannot be pickled"))
            else:
                attempt = -1 if kind == "gone" else datum.attempt + 1
                answers.append(Answer(attempt, 5, "other"))
        self.machine.fetched(fetch, answers, 3.0)

    @rule(data=st.data())
    def fail_to_fetch(self, data):
        if not self.fetches:
            return
        fetch = self.fetches.pop(data.draw(st.integers(0, len(self.fetches) - 1)))
        self.answered.append((fetch, []))
        self.machine.fetch_failed(fetch)
        assert not list(self.machine.tables.queue.at(fetch.address))

    # What must hold.

    @invariant()
    def rules_hold(self):
        if not hasattr(self, "machine"):
            return
        check(self.machine)
        self._take_commands()
        self._take_reports()
        self._compare()

    def _take_commands(self):
        for command in self.machine.take_commands():
            if isinstance(command, RunHere):
                self.calls -= 1
                self.machine.here_ran(HereRan(command.request, b"", None))
                continue
            assert isinstance(command, Fetch)
            assert command.address != OWN
            assert command.address not in [fetch.address for fetch in self.fetches]
            assert len(command.data) == 1 or command.nbytes <= FETCH_NBYTES_MAX
            self.fetches.append(command)
        assert len(self.fetches) <= FETCH_CONNECTIONS_MAX
        assert self.calls == 0

    def _take_reports(self):
        pending = self.machine.pending
        messages = self.machine.take_outbox()
        assert pending == bool(messages)
        assert not self.machine.pending
        for message in messages:
            if isinstance(message, HereRan):
                continue
            assert message.keys
            assert len(message.keys) == len(message.attempts)
            if isinstance(message, ReplicasStored):
                continue
            if isinstance(message, InputsMissing):
                assert message.address in ADDRESSES
                continue
            assert isinstance(message, TasksDone | TasksFailed | TasksReturned)
            for key, attempt in zip(message.keys, message.attempts, strict=True):
                self._reported(key, attempt, message)

    def _reported(self, key, attempt, message):
        if (key, attempt) in self.late:
            assert isinstance(message, TasksFailed | TasksReturned)
            self.late.remove((key, attempt))
            return
        assert self.current.pop(key, None) == attempt, (key, attempt, message)
        if isinstance(message, TasksDone):
            held = self.machine.tables.held[key]
            assert held.attempt in (attempt, 0)

    def _compare(self):
        assert self.late == []
        here = {key: task.attempt for key, task in self.machine.tables.tasks.items()}
        assert here == self.current
        assert set(self.machine.tables.running) == set(self.running)
        # Nobody idles while a task could run.
        if not self.machine.tables.fetches and self.machine.tables.queue:
            assert not any(list(self.machine.tables.queue.at(address)) for address in ADDRESSES)

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        # When the scheduler asks for everything back and all that was begun ends, nothing is left.
        keys = list(self.current)
        self.machine.handle([RecallTasks(keys, [self.current[key] for key in keys])], 9.0)
        while self.fetches:
            self.machine.fetched(self.fetches.pop(), [], 9.0)
            self.rules_hold()
        for task in self.running[:]:
            self.running.remove(task)
            self._end(task, 1, fail=False)
        self.rules_hold()
        tables = self.machine.tables
        assert self.current == {}
        assert self.machine.take() is None
        assert (tables.tasks, tables.running, tables.wanted, tables.fetches) == ({}, {}, {}, {})
        assert tables.resources.free == tables.resources.total


TestWorkerUnderFire = WorkerUnderFire.TestCase
TestWorkerUnderFire.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_tasks_compare_by_identity():
    # The tables use tasks and data as keys of dicts.
    assert Task.__eq__ is object.__eq__
