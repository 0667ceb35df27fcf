"""Random histories of the scheduler machine: after every event its tables must agree.

The peers here are models: workers that keep what they were told, clients that want and release at
random. Every history ends with all workers answering, after which every wanted key must be stored
or failed; and with all clients leaving, after which nothing may be left.

Among them are peers that know the secret and mean harm: they say anything that the codec lets
through. They may be refused; nothing may raise, and what the others are told must fit the codec.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from scheduler_peers import Hostile, ModelWorker

from hocket.core.errors import RemoteProtocolError
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    CancelTasks,
    ClientToScheduler,
    CloseQueue,
    CopiesFailed,
    ExplainKeys,
    Failure,
    FailureKind,
    InputsMissing,
    KeysScattered,
    RebalanceKeys,
    ReleaseKeys,
    ReplicasStored,
    ReplicateKeys,
    ReportMissing,
    RetireWorkers,
    SetVariable,
    SubmitTasks,
    TasksDone,
    TasksFailed,
    TasksReturned,
    WantKeys,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkerToScheduler,
)
from hocket.protocol.roles import Role
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.coordination.invariants import check as check_coordination
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import watch
from hocket.scheduler.transitions import to_recalled


class SchedulerHistory(RuleBasedStateMachine):
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        # (A hostile client that may end the cluster would send all workers away that join.)
        limits = Limits(window_tasks_min=1, window_s=0.02, clients_may_end=False)
        self.machine = SchedulerMachine(limits)
        self.machine.tables.trace = watch
        self.workers: dict[int, ModelWorker] = {}
        self.clients: dict[int, dict[str, str]] = {}
        #: Peers that mean harm, by id; and those of them that joined as workers.
        self.hostile: dict[int, Role] = {}
        #: Whether none ever was, so that the tables must be right about the others.
        self.is_pure = True
        #: Values that vanished: ``(worker, key)``.
        self.vanished: set[tuple[int, str]] = set()
        #: Requests that are not answered: ``(client, request)``.
        self.asked: set[tuple[int, int]] = set()
        self.ids = 0
        self.names = 0
        self.now_s = 0.0

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def say(self, id_: int, *messages: Any) -> None:
        assert self.machine.receive(id_, messages, self.now_s) is None

    @initialize(workers=st.integers(0, 4), values=st.integers(0, 8))
    def begin(self, workers: int, values: int) -> None:
        for _ in range(workers):
            self.join_worker(1)
        if values:
            self.client_joins()
        if workers and values:
            ids = sorted(self.workers)
            for one in range(values):
                self.put(min(self.clients), ids[one * one % 3 % workers])
            self.turn()

    @rule()
    def client_joins(self) -> None:
        if len(self.clients) < 3:
            id_ = self.new_id()
            self.machine.client_joined(id_, f"client-{id_}")
            self.clients[id_] = {}

    @rule(threads=st.integers(1, 3))
    def worker_joins(self, threads: int) -> None:
        if len(self.workers) < 4:
            self.join_worker(threads)

    def join_worker(self, threads: int) -> None:
        id_ = self.new_id()
        worker = ModelWorker(f"w{id_}")
        self.machine.worker_greeted(id_)
        self.say(id_, WorkerJoined(worker.name, worker.address, "host", 1, threads))
        self.workers[id_] = worker

    @rule(
        target=keys,
        data=st.data(),
        count=st.integers(1, 6),
        retries=st.integers(0, 1),
        priority=st.integers(-1, 1),
        all_wanted=st.booleans(),
    )
    def submit(
        self, data: st.DataObject, count: int, retries: int, priority: int, all_wanted: bool
    ) -> str:
        if not self.clients:
            return "none"
        id_ = data.draw(st.sampled_from(sorted(self.clients)))
        known = sorted(self.machine.tables.tasks)
        external = data.draw(
            st.lists(st.sampled_from([*known, "unknown"]), max_size=2, unique=True)
        )
        names = [f"t{self.names + one}" for one in range(count)]
        self.names += count
        dependencies = []
        for row in range(count):
            choices = [*range(row), *range(count, count + len(external))]
            dependencies.append(
                data.draw(st.lists(st.sampled_from(choices), max_size=3, unique=True))
                if choices
                else []
            )
        wanted = None if all_wanted else [count - 1]
        self.say(
            id_,
            SubmitTasks(
                [b"f" * 16],
                ["f"],
                [b"pickle"],
                [*names, *external],
                [],
                [b"x"] * count,
                dependencies,
                [],
                wanted=wanted,
                retries=retries,
                priority=priority,
            ),
        )
        for name in names if all_wanted else names[-1:]:
            self.clients[id_][name] = "pending"
        return names[-1]

    @rule(data=st.data(), name=keys)
    def want_again(self, data: st.DataObject, name: str) -> None:
        if self.clients:
            id_ = data.draw(st.sampled_from(sorted(self.clients)))
            self.clients[id_].setdefault(name, "pending")
            self.say(id_, WantKeys([name]))

    @rule(data=st.data())
    def scatter(self, data: st.DataObject) -> None:
        if self.clients and self.workers:
            id_ = data.draw(st.sampled_from(sorted(self.clients)))
            gone = data.draw(st.integers(0, 9)) == 9
            self.put(id_, None if gone else data.draw(st.sampled_from(sorted(self.workers))))

    def put(self, client: int, id_: int | None) -> None:
        self.names += 1
        name = f"data{self.names}"
        address = "tcp://nowhere"
        if id_ is not None:
            self.workers[id_].data[name] = 0
            address = self.workers[id_].address
        self.clients[client][name] = "pending"
        self.say(client, KeysScattered(1, [name], [100], [[address]]))

    @rule(data=st.data(), how=st.sampled_from([ReleaseKeys, CancelTasks]))
    def release(self, data: st.DataObject, how: Any) -> None:
        held = [(id_, key) for id_, one in sorted(self.clients.items()) for key in sorted(one)]
        if held:
            id_, key = data.draw(st.sampled_from(held))
            del self.clients[id_][key]
            self.say(id_, how([key]))

    @rule(data=st.data(), outcome=st.sampled_from(["done", "failed", "returned", "late"]))
    def worker_answers(self, data: st.DataObject, outcome: str) -> None:
        busy = [(id_, one) for id_, worker in sorted(self.workers.items()) for one in worker.jobs]
        if busy:
            id_, attempt = data.draw(st.sampled_from(busy))
            self.answer(id_, attempt, outcome)

    def answer(self, id_: int, attempt: int, outcome: str) -> None:
        worker = self.workers[id_]
        key, inputs = worker.jobs.pop(attempt)
        if outcome == "failed":
            failure = Failure(FailureKind.RAISED, key, "boom")
            self.say(id_, TasksFailed([key], [attempt], [0.0], [0.1], [failure]))
            return
        if outcome == "returned":
            self.say(id_, TasksReturned([key], [attempt]))
            return
        missing = []
        for name, made_by in inputs:
            if worker.data.get(name) == made_by:
                continue
            holders = [one for one in self.workers.values() if one.data.get(name) == made_by]
            if holders:
                worker.data[name] = made_by
                self.say(id_, ReplicasStored([name], [made_by]))
            else:
                missing.append((name, made_by))
        if missing:
            for name, made_by in missing:
                for other in list(self.workers.values()):
                    self.say(id_, InputsMissing([name], [made_by], other.address, True))
            self.say(id_, TasksReturned([key], [attempt]))
            return
        worker.data[key] = attempt
        self.say(id_, TasksDone([key], [attempt], [10], [0.0], [0.01], [b"v"]))
        if outcome == "late":
            self.say(id_, TasksDone([key], [attempt], [10], [0.0], [0.01], [b"v"]))

    @rule(role=st.sampled_from([Role.CLIENT, Role.WORKER]), joins=st.booleans())
    def hostile_joins(self, role: Role, joins: bool) -> None:
        if len(self.hostile) < 2:
            id_ = self.new_id()
            self.is_pure = False
            self.hostile[id_] = role
            if role is Role.CLIENT:
                self.machine.client_joined(id_, f"hostile-{id_}")
                return
            self.machine.worker_greeted(id_)
            if joins:
                self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", "host", 1, 1))

    @rule(data=st.data(), count=st.integers(1, 8))
    def hostile_speaks(self, data: st.DataObject, count: int) -> None:
        if not self.hostile:
            return
        id_ = data.draw(st.sampled_from(sorted(self.hostile)))
        role = self.hostile[id_]
        tables = self.machine.tables
        texts = [*tables.tasks, *tables.workers_by_address, "t0", "h1", "unknown", ""]
        attempts = [(one.key, one.attempt) for one in tables.tasks.values()]
        drawn = Hostile(data, texts, attempts)
        kinds = ClientToScheduler if role is Role.CLIENT else WorkerToScheduler
        for _ in range(count):
            message = drawn.message(kinds)
            try:
                heard = decoder_for(role, Role.SCHEDULER).decode(encode([message]))
            except RemoteProtocolError:
                # Refused at the door.
                continue
            if self.machine.receive(id_, heard, self.now_s) is not None:
                self.hostile_leaves(id_)
                return
        if data.draw(st.booleans()):
            self.turn()

    def hostile_leaves(self, id_: int) -> None:
        del self.hostile[id_]
        self.machine.peer_lost(id_, "it was refused", self.now_s)

    @rule(data=st.data())
    def value_vanishes(self, data: st.DataObject) -> None:
        held = [(id_, key) for id_, one in sorted(self.workers.items()) for key in sorted(one.data)]
        if held and self.clients:
            id_, key = data.draw(st.sampled_from(held))
            del self.workers[id_].data[key]
            self.vanished.add((id_, key))
            client = data.draw(st.sampled_from(sorted(self.clients)))
            self.say(client, ReportMissing([key], self.workers[id_].address, gone=True))

    @rule(data=st.data())
    def worker_dies(self, data: st.DataObject) -> None:
        if self.workers:
            self.lose_worker(data.draw(st.sampled_from(sorted(self.workers))))

    def lose_worker(self, id_: int) -> None:
        del self.workers[id_]
        self.machine.peer_lost(id_, "killed by signal 9", self.now_s)

    @rule(
        data=st.data(),
        kind=st.sampled_from([ReplicateKeys, RebalanceKeys, RetireWorkers]),
        count=st.integers(0, 4),
    )
    def values_are_to_move(self, data: st.DataObject, kind: Any, count: int) -> None:
        if not self.clients:
            return
        id_ = data.draw(st.sampled_from(sorted(self.clients)))
        names = [one.name for one in self.workers.values()] + ["ghost"]
        chosen = data.draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        known = [*self.machine.tables.tasks, "unknown"]
        keys = known if data.draw(st.booleans()) else known[count:]
        request = self.new_id()
        self.asked.add((id_, request))
        if kind is ReplicateKeys:
            self.say(id_, ReplicateKeys(request, keys, count, chosen))
        elif kind is RebalanceKeys:
            self.say(id_, RebalanceKeys(request, keys, chosen))
        else:
            self.say(id_, RetireWorkers(request, chosen))
        if data.draw(st.booleans()):
            self.turn()

    @rule(data=st.data())
    def explain(self, data: st.DataObject) -> None:
        if self.clients:
            id_ = data.draw(st.sampled_from(sorted(self.clients)))
            request = self.new_id()
            self.asked.add((id_, request))
            self.say(id_, ExplainKeys(request, [*self.machine.tables.tasks, "unknown"]))

    @rule(data=st.data())
    def worker_wants_to_leave(self, data: st.DataObject) -> None:
        if self.workers:
            self.say(data.draw(st.sampled_from(sorted(self.workers))), WorkerLeaving("enough"))

    @rule(data=st.data(), paused=st.booleans())
    def worker_pauses(self, data: st.DataObject, paused: bool) -> None:
        if self.workers:
            self.say(data.draw(st.sampled_from(sorted(self.workers))), WorkerPaused(paused))

    @rule(data=st.data(), outcome=st.sampled_from(["stored", "failed", "vanished"]))
    def copy_ends(self, data: st.DataObject, outcome: str) -> None:
        coming = [(id_, key) for id_, one in sorted(self.workers.items()) for key in one.copies]
        if coming:
            self.end_copy(*data.draw(st.sampled_from(coming)), outcome)

    def end_copy(self, id_: int, key: str, outcome: str) -> None:
        worker = self.workers[id_]
        attempt = worker.copies.pop(key)
        is_there = any(one.data.get(key) == attempt for one in self.workers.values())
        if outcome == "stored" and is_there:
            worker.data[key] = attempt
            self.say(id_, ReplicasStored([key], [attempt]))
        else:
            self.say(id_, CopiesFailed([key], [attempt]))

    @rule(data=st.data())
    def worker_leaves(self, data: st.DataObject) -> None:
        done = [id_ for id_, one in sorted(self.workers.items()) if one.may_leave]
        if done:
            self.lose_worker(data.draw(st.sampled_from(done)))

    @rule(data=st.data())
    def worker_hears(self, data: st.DataObject) -> None:
        told = [id_ for id_, one in sorted(self.workers.items()) if one.inbox]
        if told:
            id_ = data.draw(st.sampled_from(told))
            self.hear(id_, data.draw(st.integers(1, len(self.workers[id_].inbox))))

    def hear(self, id_: int, count: int) -> None:
        worker = self.workers[id_]
        for message in worker.inbox[:count]:
            del worker.inbox[0]
            for said in worker.told(message):
                self.say(id_, said)

    @rule(data=st.data())
    def client_leaves(self, data: st.DataObject) -> None:
        if self.clients:
            id_ = data.draw(st.sampled_from(sorted(self.clients)))
            del self.clients[id_]
            self.machine.peer_lost(id_, "gone", self.now_s)

    @rule(data=st.data())
    def recall(self, data: st.DataObject) -> None:
        tables = self.machine.tables
        assigned = [one for one in tables.tasks.values() if one.state == "assigned"]
        if assigned:
            task = data.draw(st.sampled_from(assigned))
            to_recalled(tables, task)

    @rule(seconds=st.sampled_from([0.001, 0.04, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def turn(self) -> None:
        for id_, frames in self.machine.turn(self.now_s):
            is_client = id_ in self.machine.tables.clients
            for frame in frames:
                decoder_for(Role.SCHEDULER, Role.CLIENT if is_client else Role.WORKER).decode(
                    encode(frame)
                )
            for message in (one for frame in frames for one in frame):
                if id_ in self.workers:
                    self.workers[id_].inbox.append(message)
                elif hasattr(message, "request"):
                    self.asked.discard((id_, message.request))

    @invariant()
    def tables_agree(self) -> None:
        check(self.machine.tables)
        check_coordination(self.machine.coordination)

    def empty_queues(self) -> None:
        """Drop what keeps futures alive in the scheduler itself."""
        id_ = self.new_id()
        self.machine.client_joined(id_, "cleaner")
        coordination = self.machine.coordination
        for name in list(coordination.variables.records):
            self.say(id_, SetVariable(0, name, None))
        for name in list(coordination.queues.records):
            self.say(id_, CloseQueue(0, name))
        self.machine.peer_lost(id_, "gone", self.now_s)

    def is_stuck(self, task: Any) -> bool:
        """Tell whether a task (which a hostile client made) asks for what no worker has."""
        if task.state == "waiting":
            return any(self.is_stuck(one) for one in task.dependencies)
        return task.state == "queued" and not self.machine.tables.fitting(task.options)

    def teardown(self) -> None:
        for id_ in list(self.hostile):
            self.hostile_leaves(id_)
        for id_ in self.workers:
            self.say(id_, WorkerPaused(False))
        quiet = 0
        while quiet < 3:
            quiet += 1
            if all(self.machine.tables.workers[one].leaving for one in self.workers):
                self.join_worker(2)
            self.turn()
            if self.workers_act():
                quiet = 0
        tables = self.machine.tables
        check(tables)
        assert not {one for one in self.asked if one[0] in self.clients}
        assert not tables.goals
        assert not tables.drains
        if self.is_pure:
            self.compare_data()
        for task in tables.tasks.values():
            assert task.state in ("stored", "failed", "released") or self.is_stuck(task), task
        for id_ in list(self.clients):
            self.machine.peer_lost(id_, "gone", self.now_s)
        self.empty_queues()
        assert not tables.tasks
        assert not tables.kinds
        assert not tables.copies
        self.turn()
        for id_, worker in self.workers.items():
            self.hear(id_, len(worker.inbox))
            assert not worker.copies
            record = tables.workers[id_]
            assert not record.assigned
            assert not record.held
            assert not worker.jobs

    def workers_act(self) -> bool:
        """Let all workers do all that they were told; return whether that was anything."""
        acted = False
        for id_, worker in list(self.workers.items()):
            self.hear(id_, len(worker.inbox))
            for key in list(worker.copies):
                acted = True
                self.end_copy(id_, key, "stored")
            for attempt in list(worker.jobs):
                acted = True
                if attempt in worker.jobs:
                    self.answer(id_, attempt, "done")
            if worker.may_leave:
                acted = True
                self.lose_worker(id_)
        return acted

    def compare_data(self) -> None:
        """See that the scheduler knows what the workers hold."""
        for id_, worker in self.workers.items():
            believed = {task.key: task.attempt for task in self.machine.tables.workers[id_].held}
            vanished = {key for one, key in self.vanished if one == id_}
            wrong = believed.items() ^ worker.data.items()
            assert not [key for key, _ in wrong if key not in vanished]


TestSchedulerHistory = SchedulerHistory.TestCase
TestSchedulerHistory.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
