"""The worker's machine under random messages, legal and illegal, answers and executions.

`Promises` knows only what the worker owes its scheduler, and watches what comes out; the invariants
are checked after every step. What peers may answer, and copies: `test_worker_data_stateful`.
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
    LeaveCluster,
    RecallTasks,
    RunHere,
    RunTasks,
    TasksDone,
)
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.promises import Promises
from hocket.worker.state import Fetch, Leave, Task

KEYS = [f"k{index}" for index in range(6)]
OWN = "tcp://me:1"
ADDRESSES = ["tcp://a:1", "unix:///b", "inproc://c", OWN]
FETCH_NBYTES_MAX = 100
FETCH_CONNECTIONS_MAX = 2
SLOTS = {"threads": 2, "loop": 1}
MEMORY_LIMIT = 1000

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
resources = st.sampled_from(
    [
        *[{}] * 5,
        {"GPU": 1.0},
        {"GPU": 2.0},
        {"GPU": 0.4},
        {"GPU": 1.5},
        {"licence": 0.1},
        {"GPU": 1.0, "licence": 0.5},
        {"memory": 600.0},
        {"tape": 0.0},
        # These can never run here.
        {"GPU": 3.0},
        {"GPU": -1.0},
        {"GPU": float("nan")},
        {"memory": 1e308},
        {"tape": 1.0},
    ]
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
            executors=SLOTS,
            memory_limit=MEMORY_LIMIT,
        )
        self.promises = Promises(is_prompt=True)
        self.now_s = 1000.0
        self.attempt = 10
        self.running = []
        #: Those of `running` that gave up their slots, and those of them that stand in line.
        self.seceded = []
        self.rejoining = []
        self.ended = []
        self.fetches = []
        self.answered = []
        #: How many calls and farewells are to come out as commands.
        self.commands_count = 0

    # What the scheduler says.

    def _handle(self, *messages):
        self.promises.heard(messages)
        self.machine.handle(messages, self.now_s)

    def _behind(self, names):
        return [key for key, _ in names], [self.attempt - lag for _, lag in names]

    @rule(
        data=st.data(),
        rows=st.lists(st.tuples(keys, st.one_of(st.none(), lags), st.integers(-2, 2)), max_size=5),
        given_inputs=inputs,
        resources=resources,
        digest=st.sampled_from([b"f", b"g"]),
        blob=st.sampled_from([b"blob", b"blob", None]),
        way=st.tuples(st.sampled_from(["threads", "threads", "loop", "tape"]), st.booleans()),
    )
    def run_tasks(self, data, rows, given_inputs, resources, digest, blob, way):
        columns = {"keys": [], "attempts": [], "priorities": [], "inputs": []}
        for key, lag, priority in rows:
            if lag is None:
                self.attempt += 1
            columns["keys"].append(key)
            columns["attempts"].append(self.attempt - (lag or 0))
            columns["priorities"].append(priority)
            indices = st.lists(st.integers(0, max(len(given_inputs) - 1, 0)), max_size=4)
            columns["inputs"].append(data.draw(indices) if given_inputs else [])
        if not any(columns["inputs"]):
            columns["inputs"] = []
        self._handle(
            RunTasks(
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
                executor=way[0],
                announced=way[1],
                **columns,
            )
        )

    @rule(
        count=st.integers(1, 4),
        first=st.integers(0, len(KEYS) - 1),
        lags=st.lists(lags, max_size=3),
        holders=st.lists(st.integers(0, 2), min_size=1, max_size=3),
        gpus=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
        executor=st.sampled_from([*SLOTS]),
    )
    def run_legal_tasks(self, count, first, lags, holders, gpus, executor):
        """Send what a scheduler would: free keys, inputs that are here or have holders."""
        owed = self.promises.owed
        free = [key for key in KEYS[first:] + KEYS[:first] if key not in owed][:count]
        named = [(key, self.attempt - lag) for key, lag in zip(KEYS, lags, strict=False)]
        held = [(key, datum.attempt) for key, datum in self.machine.tables.held.items()]
        given = list(dict.fromkeys([*named, *held, *owed.items()]))
        attempts = [self.attempt + 1 + number for number in range(len(free))]
        self.attempt += len(free)
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
            input_holders=[[] if each in owed.items() else holders for each in given],
            addresses=ADDRESSES,
            resources={"GPU": gpus},
            executor=executor,
        )
        self._handle(message)

    @rule(names=names)
    def drop_data(self, names):
        keys, attempts = self._behind(names)
        named = set(zip(keys, attempts, strict=True))
        held = dict(self.machine.tables.held)
        self._handle(DropData(keys, attempts))
        for key, datum in held.items():
            assert (key not in self.machine.tables.held) == ((key, datum.attempt) in named)
        assert len(self.machine.take_discarded()) >= len(held) - len(self.machine.tables.held)

    @rule(names=names)
    def drop_what_is_held(self, names):
        held = self.machine.tables.held
        data = [held[key] for key, _ in names if key in held]
        self._handle(DropData([each.key for each in data], [each.attempt for each in data]))

    @rule(names=names)
    def recall(self, names):
        keys, attempts = self._behind(names)
        self._handle(RecallTasks(keys, attempts))
        for key, attempt in zip(keys, attempts, strict=True):
            task = self.machine.tables.tasks.get(key)
            if task is not None and task.attempt == attempt:
                assert task in self.running

    @rule(keys=st.lists(keys, max_size=6))
    def recall_current(self, keys):
        owed = self.promises.owed
        keys = [key for key in keys if key in owed]
        self._handle(RecallTasks(keys, [owed[key] for key in keys]))

    @rule(names=names, current=st.lists(keys, max_size=2))
    def abandon(self, names, current):
        owed = self.promises.owed
        keys, attempts = self._behind(names)
        current = [key for key in current if key in owed]
        self._handle(AbandonTasks(keys + current, attempts + [owed[key] for key in current]))

    @rule(digests=st.lists(st.sampled_from([b"f", b"g", b"h"]), max_size=3))
    def drop_functions(self, digests):
        self._handle(DropFunctions(digests))

    @rule(request=st.integers(0, 3))
    def run_here(self, request):
        self._handle(RunHere(request, b"f", b""))
        self.commands_count += 1

    @rule()
    def leave_cluster(self):
        self._handle(LeaveCluster("enough"))
        self.commands_count += 1

    # What the worker itself does.

    @rule(key=keys, nbytes=st.integers(0, 100))
    def put(self, key, nbytes):
        self.machine.put(key, ("value", key, 0), nbytes)
        assert self.machine.tables.held[key].attempt == 0

    @rule()
    def leave(self):
        self.machine.leave("told to")
        assert self.machine.leaving

    @rule(nbytes=st.sampled_from([0, 700, 750, 850, 2000]))
    def sample_memory(self, nbytes):
        was = self.machine.paused
        self.machine.memory_sampled(nbytes)
        assert self.machine.paused == (nbytes > 800 or (was and nbytes >= 720))

    # What threads do.

    @rule(executor=st.sampled_from([*SLOTS]))
    def take(self, executor):
        self._take(executor)

    @rule()
    def take_all(self):
        for executor in SLOTS:
            while self._take(executor):
                check(self.machine)

    def _with_slots(self):
        return [task for task in self.running if task not in self.seceded]

    def _take(self, executor):
        startable = self.machine.startable(executor)
        if executor == "threads":
            assert startable == self.machine.startable_count
        task = self.machine.take(executor)
        if startable == 0:
            assert task is None
        if task is None:
            assert self.machine.startable(executor) == 0
            return False
        assert task.executor == executor
        assert not (self.machine.paused and self._with_slots())
        assert self.machine.has_unannounced != task.announced
        assert self.machine.pending or not task.announced
        self.running.append(task)
        for datum in task.inputs:
            assert datum.value == ("value", datum.key, datum.attempt)
        return True

    @rule(data=st.data())
    def secede(self, data):
        if self.running:
            task = data.draw(st.sampled_from(self.running))
            assert self.machine.secede(task) == (task not in self.seceded)
            if task not in self.seceded:
                self.seceded.append(task)
            self._take_granted()

    @rule(data=st.data())
    def rejoin(self, data):
        if not self.running:
            return
        task = data.draw(st.sampled_from(self.running))
        if self.machine.rejoin(task):
            assert task not in self.rejoining
            if task in self.seceded:
                self.seceded.remove(task)
        elif task not in self.rejoining:
            self.rejoining.append(task)
        assert self.machine.take_granted() == []

    def _take_granted(self):
        for task in self.machine.take_granted():
            self.rejoining.remove(task)
            self.seceded.remove(task)

    @rule(
        data=st.data(), nbytes=st.integers(0, 100), how=st.sampled_from(["done", "fail", "again"])
    )
    def end(self, data, nbytes, how):
        if self.running:
            self._end(data.draw(st.sampled_from(self.running)), nbytes, how)

    @rule(data=st.data(), how=st.sampled_from(["done", "fail", "again"]))
    def come_too_late(self, data, how):
        if self.ended:
            task = data.draw(st.sampled_from(self.ended))
            self._report(task, 5, how)
            assert not self.machine.secede(task)
            assert self.machine.rejoin(task)

    def _end(self, task, nbytes, how):
        self.running.remove(task)
        for tasks in (self.seceded, self.rejoining):
            if task in tasks:
                tasks.remove(task)
        self.ended.append(task)
        self._report(task, nbytes, how)

    def _report(self, task, nbytes, how):
        if how == "fail":
            failure = Failure(FailureKind.RAISED, task.key, "boom")
            self.machine.failed(task, failure, 2.0, 0.5)
        elif how == "again":
            self.machine.rescheduled(task, 2.0, 0.5)
        else:
            self.machine.executed(task, ("value", task.key, task.attempt), nbytes, 2.0, 0.5, b"v")

    # What peers say.

    @rule(
        data=st.data(),
        kinds=st.lists(st.sampled_from(["value", "value", "gone", "other", "error"]), max_size=6),
    )
    def answer(self, data, kinds):
        if self.fetches:
            self._answer(data.draw(st.sampled_from(self.fetches)), kinds)

    @rule(data=st.data())
    def answer_again(self, data):
        if self.answered:
            self._answer(*data.draw(st.sampled_from(self.answered)))

    def _answer(self, fetch, kinds):
        if fetch in self.fetches:
            self.fetches.remove(fetch)
            self.answered.append((fetch, kinds))
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
        self.machine.fetched(fetch, answers, self.now_s)

    @rule(data=st.data())
    def fail_to_fetch(self, data):
        if self.fetches:
            fetch = data.draw(st.sampled_from(self.fetches))
            self.fetches.remove(fetch)
            self.answered.append((fetch, []))
            self.machine.fetch_failed(fetch, self.now_s)

    @rule(seconds=st.sampled_from([0.01, 0.05, 2.0]))
    def wait(self, seconds):
        self.now_s += seconds
        self.machine.tick(self.now_s)

    # What must hold.

    @invariant()
    def rules_hold(self):
        if not hasattr(self, "machine"):
            return
        check(self.machine)
        self._take_granted()
        self._take_commands()
        self._take_reports()
        here = {key: task.attempt for key, task in self.machine.tables.tasks.items()}
        assert here == self.promises.owed
        self._compare_running()

    def _take_commands(self):
        for command in self.machine.take_commands():
            if isinstance(command, RunHere | Leave):
                self.commands_count -= 1
                if isinstance(command, RunHere):
                    self.machine.here_ran(HereRan(command.request, b"", None))
                continue
            assert isinstance(command, Fetch)
            assert command.address != OWN
            assert command.address not in [fetch.address for fetch in self.fetches]
            assert len(command.data) == 1 or command.nbytes <= FETCH_NBYTES_MAX
            self.fetches.append(command)
        assert len(self.fetches) <= FETCH_CONNECTIONS_MAX
        assert self.commands_count == 0

    def _take_reports(self):
        expects = self.machine.pending or self.machine.has_unannounced
        messages = self.machine.take_outbox()
        assert expects or not messages
        assert not self.machine.pending
        assert not self.machine.has_unannounced
        self.promises.said(messages)
        for message in messages:
            if isinstance(message, InputsMissing):
                assert message.address in ADDRESSES
            elif isinstance(message, TasksDone):
                for key, attempt in zip(message.keys, message.attempts, strict=True):
                    # Or a copy of what a later attempt made elsewhere was here before.
                    held = self.machine.tables.held[key].attempt
                    assert held == 0 or held >= attempt
        assert self.promises.is_paused == self.machine.paused
        assert self.promises.is_leaving == self.machine.leaving

    def _compare_running(self):
        assert set(self.machine.tables.running) == set(self.running)
        for executor, slots in SLOTS.items():
            assert sum(task.executor == executor for task in self._with_slots()) <= slots
        for task in self.running:
            name = (task.key, task.attempt)
            if self.machine.tables.tasks.get(task.key) is task:
                assert name in self.promises.begun
                assert (name in self.promises.seceded) == (task in self.seceded)
            for other in self.running:
                if set(task.devices.get("GPU", ())) & set(other.devices.get("GPU", ())):
                    # Nobody shares a device that somebody has as a whole.
                    gpus = [dict(each.terms.needs)["GPU"] for each in (task, other)]
                    assert task is other or all(units % 1_000_000 for units in gpus)

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        # When the scheduler asks for all back, nothing is left but what has begun; and that ends.
        owed = self.promises.owed
        self._handle(RecallTasks(list(owed), list(owed.values())))
        self.rules_hold()
        tables = self.machine.tables
        assert set(tables.tasks.values()) <= set(self.running)
        for task in self.running[:]:
            self._end(task, 1, "done")
            self.rules_hold()
        while self.fetches:
            self._answer(self.fetches[0], ["value"] * len(self.fetches[0].data))
            self.rules_hold()
        if self.machine.wake_s is not None:
            self.machine.tick(self.now_s + 1.0)
        self.rules_hold()
        assert not any(self.machine.take(executor) for executor in SLOTS)
        assert (tables.tasks, tables.running, tables.wanted, tables.fetches) == ({}, {}, {}, {})
        assert tables.resources.free == tables.resources.total
        assert tables.backoff.peers == {}


TestWorkerUnderFire = WorkerUnderFire.TestCase
TestWorkerUnderFire.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_tasks_compare_by_identity():
    # The tables use tasks and data as keys of dicts.
    assert Task.__eq__ is object.__eq__
