"""What a worker does with data, under random answers of peers: inputs, copies, pauses, rests.

`Promises` watches what is said; the invariants are checked after every step, and in the end every
task and every copy must have come to its end, however short of memory the worker is.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import AbandonTasks, CopyData, DropData, RecallTasks, RunTasks
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.backoff import REST_S_MAX
from hocket.worker.promises import Promises
from hocket.worker.state import Fetch, WantState

KEYS = [f"k{index}" for index in range(8)]
OWN = "tcp://me:1"
ADDRESSES = ["tcp://a:1", "unix:///b", "inproc://c", OWN]
STRANGE = "tcp://d:1"
FETCH_CONNECTIONS_MAX = 2
IN_FLIGHT_NBYTES_MAX = 130
MEMORY_LIMIT = 1000

keys = st.sampled_from(KEYS)
lags = st.integers(0, 6)
holders = st.lists(st.integers(0, len(ADDRESSES) - 1), max_size=3)
values = st.tuples(keys, lags, st.integers(0, 150), holders)


class DataUnderFire(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.machine = WorkerMachine(
            name="w",
            address=OWN,
            settings=WorkerSettings(
                fetch_connections_max=FETCH_CONNECTIONS_MAX,
                fetch_nbytes_max=100,
                fetch_nbytes_in_flight_max=IN_FLIGHT_NBYTES_MAX,
            ),
            threads=2,
            memory_limit=MEMORY_LIMIT,
        )
        self.promises = Promises(is_prompt=True)
        self.now_s = 1000.0
        self.attempt = 10
        self.running = []
        self.fetches = []
        self.answered = []

    # What the scheduler says.

    def _handle(self, *messages):
        self.promises.heard(messages)
        self.machine.handle(messages, self.now_s)

    @rule(
        rows=st.lists(st.tuples(keys, st.integers(-2, 2), st.lists(st.integers(0, 3)))),
        given_inputs=st.lists(values, min_size=4, max_size=4),
    )
    def run_tasks(self, rows, given_inputs):
        # Inputs were given an attempt before those that read them: nobody waits for himself.
        former = self.attempt
        attempts = [former + 1 + number for number in range(len(rows))]
        self.attempt += len(rows)
        self._handle(
            RunTasks(
                functions=[b"f"],
                labels=["f"],
                blobs=[b"blob"],
                keys=[key for key, _, _ in rows],
                attempts=attempts,
                priorities=[priority for _, priority, _ in rows],
                function_of=[],
                payloads=[b""] * len(rows),
                wanted=[],
                inputs=[indices for _, _, indices in rows],
                input_keys=[key for key, _, _, _ in given_inputs],
                input_attempts=[former - lag for _, lag, _, _ in given_inputs],
                input_nbytes=[nbytes for _, _, nbytes, _ in given_inputs],
                input_holders=[holders for _, _, _, holders in given_inputs],
                addresses=ADDRESSES,
            )
        )

    @rule(rows=st.lists(values, max_size=4), is_new=st.booleans())
    def copy_data(self, rows, is_new):
        self.attempt += is_new
        self._copy([(key, self.attempt - lag, *rest) for key, lag, *rest in rows])

    def _copy(self, rows):
        columns = map(list, zip(*rows, strict=True)) if rows else [[], [], [], []]
        self._handle(CopyData(*columns, ADDRESSES))

    @rule(data=st.data(), holders=holders)
    def copy_what_is_wanted(self, data, holders):
        if self.machine.tables.wanted:
            key, attempt = data.draw(st.sampled_from(list(self.machine.tables.wanted)))
            self._copy([(key, attempt, 1, holders)])

    @rule(data=st.data())
    def copy_what_is_made_here(self, data):
        if self.promises.owed:
            key, attempt = data.draw(st.sampled_from(list(self.promises.owed.items())))
            self._copy([(key, attempt, 1, [])])

    @rule(key=keys, lag=lags)
    def drop_data(self, key, lag):
        self._handle(DropData([key], [self.attempt - lag]))

    @rule(data=st.data())
    def drop_copy(self, data):
        if self.promises.owed_copies:
            key, attempt = data.draw(st.sampled_from(sorted(self.promises.owed_copies)))
            self._handle(DropData([key], [attempt]))
            assert key not in self.machine.tables.copies

    @rule(data=st.data(), message=st.sampled_from([RecallTasks, AbandonTasks]))
    def take_back(self, data, message):
        if self.promises.owed:
            key, attempt = data.draw(st.sampled_from(list(self.promises.owed.items())))
            self._handle(message([key], [attempt]))

    # What the worker itself does.

    @rule(key=keys)
    def put(self, key):
        self.machine.put(key, ("value", key, 0), 10)

    @rule(nbytes=st.sampled_from([0, 750, 2000]))
    def sample_memory(self, nbytes):
        self.machine.memory_sampled(nbytes)

    @rule()
    def take(self):
        self._take()

    def _take(self):
        task = self.machine.take()
        if task is not None:
            self.running.append(task)
            for datum in task.inputs:
                assert datum.value == ("value", datum.key, datum.attempt)
        return task

    @rule(data=st.data())
    def end(self, data):
        if self.running:
            self._end(data.draw(st.sampled_from(self.running)))

    def _end(self, task):
        self.running.remove(task)
        self.machine.executed(task, ("value", task.key, task.attempt), 10, 1.0, 0.5)

    @rule(data=st.data())
    def secede(self, data):
        if self.running:
            self.machine.secede(data.draw(st.sampled_from(self.running)))

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.05, 2.0, -1000.0]))
    def wait(self, seconds):
        self.now_s += seconds
        self._tick()

    def _tick(self):
        self.machine.tick(self.now_s)
        wake_s = self.machine.wake_s
        assert wake_s is None or self.now_s < wake_s <= self.now_s + REST_S_MAX

    # What peers say.

    def _pop_fetch(self, data):
        fetch = data.draw(st.sampled_from(self.fetches))
        self.fetches.remove(fetch)
        self.answered.append(fetch)
        return fetch

    @precondition(lambda self: self.fetches)
    @rule(
        data=st.data(),
        kinds=st.lists(st.sampled_from(["value", "value", "gone", "other", "error"]), max_size=6),
    )
    def answer(self, data, kinds):
        self._answer(self._pop_fetch(data), kinds)

    def _answer(self, fetch, kinds):
        answers = []
        for datum, kind in zip(fetch.data, kinds, strict=False):
            attempt = {"gone": -1, "other": datum.attempt + 1}.get(kind, datum.attempt)
            error = "it cannot be pickled" if kind == "error" else ""
            answers.append(Answer(attempt, 20, ("value", datum.key, attempt), error))
        self.machine.fetched(fetch, answers, self.now_s)

    @precondition(lambda self: self.fetches)
    @rule(data=st.data())
    def fail(self, data):
        fetch = self._pop_fetch(data)
        self.machine.fetch_failed(fetch, self.now_s)
        assert fetch.address in self.machine.tables.backoff.resting

    @precondition(lambda self: self.fetches)
    @rule(
        data=st.data(),
        others=st.lists(st.lists(st.sampled_from([*ADDRESSES, "", STRANGE])), max_size=3),
    )
    def be_busy(self, data, others):
        fetch = self._pop_fetch(data)
        self.machine.fetch_busy(fetch, others, self.now_s)
        assert fetch.address in self.machine.tables.backoff.resting

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def come_too_late(self, data):
        fetch = data.draw(st.sampled_from(self.answered))
        self.machine.fetch_failed(fetch, self.now_s)
        self.machine.fetch_busy(fetch, [[STRANGE]], self.now_s)
        self._answer(fetch, ["value"])

    # What must hold.

    @invariant()
    def rules_hold(self):
        if not hasattr(self, "machine"):
            return
        check(self.machine)
        self._take_commands()
        self.promises.said(self.machine.take_outbox())
        tables = self.machine.tables
        assert {key: task.attempt for key, task in tables.tasks.items()} == self.promises.owed
        pending = {(key, datum.attempt) for key, datum in tables.copies.items()}
        # Nothing need be said of those that a newer attempt of a task has made void.
        assert self.promises.owed_copies <= pending
        self._compare_fetching()

    def _take_commands(self):
        for command in self.machine.take_commands():
            assert isinstance(command, Fetch)
            assert command.address != OWN
            assert command.address not in [fetch.address for fetch in self.fetches]
            assert command.address not in self.machine.tables.backoff.resting
            self.fetches.append(command)
        in_flight_nbytes = sum(fetch.nbytes for fetch in self.fetches)
        assert len(self.fetches) <= 1 or in_flight_nbytes <= IN_FLIGHT_NBYTES_MAX
        assert len(self.fetches) <= FETCH_CONNECTIONS_MAX

    def _compare_fetching(self):
        """Nobody idles: where nothing is asked for, something else must be under way."""
        tables = self.machine.tables
        queued = [each for each in tables.wanted.values() if each.want.state is WantState.QUEUED]
        if queued and not self.fetches and self.machine.wake_s is None:
            assert self.machine.paused
            slots = tables.ready.lanes["threads"]
            assert slots.free < slots.slots or self.machine.startable_count

    def _open_ends(self):
        owed = (len(self.promises.owed), len(self.promises.owed_copies))
        return (*owed, len(self.running), len(self.fetches), len(self.machine.tables.wanted))

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        while any(self._open_ends()):
            before = (self.now_s, *self._open_ends())
            while self._take() is not None:
                self.rules_hold()
            for task in self.running[:]:
                self._end(task)
                self.rules_hold()
            for fetch in self.fetches[:]:
                self.fetches.remove(fetch)
                self._answer(fetch, ["value"] * len(fetch.data))
                self.rules_hold()
            if self.machine.wake_s is not None:
                self.now_s = self.machine.wake_s
                self._tick()
                self.rules_hold()
            assert (self.now_s, *self._open_ends()) != before
        assert self.machine.tables.tasks == {}
        assert self.machine.tables.wanted == {}


TestDataUnderFire = DataUnderFire.TestCase
TestDataUnderFire.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
