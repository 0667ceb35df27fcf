"""Committing: windows are kept, nobody idles beside work, and followers find their inputs.

The machine is the real one; its workers say what is drawn, in any order that workers may. After
every turn the books are compared with what is promised of committing.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    RecallTasks,
    ReleaseKeys,
    RunTasks,
    SubmitTasks,
    TasksBegun,
    TasksDone,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    TasksStored,
    WorkerJoined,
    WorkerPaused,
)
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import watch
from hocket.scheduler.policy.memory import may_add
from hocket.scheduler.policy.placement.transfer import transfer_s

CLIENTS = (1000, 1001)
KINDS = ("f", "g", "h")
DURATIONS = (1e-5, 0.001, 0.03, 2.0)
RESOURCES = ({}, {}, {}, {"GPU": 1.0}, {"GPU": 0.5})
INPUTS_MAX = 8


class CommitHistory(RuleBasedStateMachine):
    """Limits are small, so that windows fill."""

    window_s = 0.05
    memory_limit = 0

    def __init__(self):
        super().__init__()
        self.limits = Limits(window_tasks_min=2, window_s=self.window_s, window_tasks_max=40)
        self.machine = SchedulerMachine(self.limits)
        self.tables = self.machine.tables
        self.tables.trace = self.move
        for id_ in CLIENTS:
            self.machine.client_joined(id_, f"client{id_}")
        #: Per worker: what it was given and has not ended; what it may be told to do with it.
        self.jobs = {}
        self.begun = {}
        self.seceded = {}
        self.now_s = 0.0
        self.count = 0
        self.ids = 0
        self.in_turn = False
        #: Of the present turn: attempts of those that were assigned while they lacked inputs.
        self.followers = []

    # What happens -----------------------------------------------------------------------------

    def say(self, id_, message):
        assert self.machine.receive(id_, [message], self.now_s) is None

    @rule(threads=st.integers(1, 3), has_gpu=st.booleans())
    def join(self, threads, has_gpu):
        if len(self.jobs) < 4:
            self.ids += 1
            id_ = self.ids
            self.machine.worker_greeted(id_)
            joined = WorkerJoined(
                f"w{id_}",
                f"tcp://w{id_}",
                "host",
                id_,
                threads,
                self.memory_limit,
                {"GPU": 1.0} if has_gpu else {},
            )
            self.say(id_, joined)
            self.jobs[id_] = {}
            self.begun[id_] = {}
            self.seceded[id_] = {}
            self.turn()

    @rule(
        data=st.data(),
        client=st.sampled_from(CLIENTS),
        kind=st.sampled_from(KINDS),
        count=st.integers(1, 60),
        shape=st.sampled_from(["roots", "roots", "chain", "pairs", "web"]),
        priority=st.integers(-1, 1),
        place=st.sampled_from(["", "", "", "w1", "w2", "nowhere"]),
        resources=st.sampled_from(RESOURCES),
    )
    def submit(self, data, client, kind, count, shape, priority, place, resources):
        known = sorted(key for key, one in self.tables.tasks.items() if one.is_needed())[:4]
        dependencies = []
        for row in range(count):
            inputs = []
            if shape == "chain" and row:
                inputs = [row - 1]
            elif shape == "pairs" and row % 3 == 2:
                inputs = [row - 1, row - 2]
            elif shape == "web":
                choices = [*range(max(0, row - 3), row), *range(count, count + len(known))]
                if choices:
                    inputs = data.draw(st.lists(st.sampled_from(choices), max_size=3, unique=True))
            dependencies.append(inputs)
        names = [f"t{self.count + row}" for row in range(count)]
        self.count += count
        self.say(
            client,
            SubmitTasks(
                [kind.encode() * 16],
                [kind],
                [b"pickle"],
                [*names, *known],
                [],
                [b"x"] * count,
                dependencies,
                [],
                priority=priority,
                workers=[place] if place else [],
                resources=resources,
            ),
        )
        self.turn()

    @rule(data=st.data(), how=st.sampled_from(["done"] * 4 + ["returned", "rescheduled"]))
    def end(self, data, how):
        ready = self.ready()
        if not ready:
            return
        id_, attempt = data.draw(st.sampled_from(ready))
        key = self.jobs[id_].pop(attempt)
        self.begun[id_].pop(attempt, None)
        self.seceded[id_].pop(attempt, None)
        if how == "done":
            duration_s = data.draw(st.sampled_from(DURATIONS))
            nbytes = data.draw(st.sampled_from([8, 10**5, 2 * 10**7]))
            self.say(id_, TasksDone([key], [attempt], [nbytes], [0.0], [duration_s], [None]))
        elif how == "rescheduled":
            self.say(id_, TasksRescheduled([key], [attempt]))
        else:
            self.say(id_, TasksReturned([key], [attempt]))
        if how != "done":
            self.return_readers(id_, key)
        self.turn()

    @rule(data=st.data(), count=st.integers(1, 30))
    def end_many(self, data, count):
        for _ in range(count):
            self.end(data, "done")

    def return_readers(self, id_, key):
        """Give back what went along with a task that was given back."""
        for attempt, name in list(self.jobs[id_].items()):
            task = self.tables.tasks[name]
            lacks = [one.key for one in task.dependencies if one.state != "stored"]
            if key in lacks and self.jobs[id_].pop(attempt, None):
                self.say(id_, TasksReturned([name], [attempt]))
                self.return_readers(id_, name)

    @rule(data=st.data())
    def begin(self, data):
        ready = [
            (id_, attempt)
            for id_, attempt in self.ready()
            if attempt not in self.begun[id_] and self.has_slot(id_)
        ]
        if ready:
            id_, attempt = data.draw(st.sampled_from(ready))
            self.begun[id_][attempt] = self.jobs[id_][attempt]
            self.say(id_, TasksBegun([self.jobs[id_][attempt]], [attempt]))
            self.turn()

    def has_slot(self, id_):
        running_count = len(self.begun[id_]) - len(self.seceded[id_])
        return running_count < self.tables.workers[id_].threads

    @rule(data=st.data())
    def secede(self, data):
        running = [
            (id_, attempt)
            for id_, some in self.begun.items()
            for attempt in some
            if attempt not in self.seceded[id_]
        ]
        if running:
            id_, attempt = data.draw(st.sampled_from(running))
            key = self.seceded[id_][attempt] = self.begun[id_][attempt]
            self.say(id_, TasksSeceded([key], [attempt]))
            self.turn()

    @rule(data=st.data())
    def rejoin(self, data):
        some = [
            (id_, one)
            for id_, seceded in self.seceded.items()
            for one in seceded
            if self.has_slot(id_)
        ]
        if some:
            id_, attempt = data.draw(st.sampled_from(some))
            key = self.seceded[id_].pop(attempt)
            self.say(id_, TasksRejoined([key], [attempt]))
            self.turn()

    @rule(data=st.data(), paused=st.booleans())
    def pause(self, data, paused):
        if self.jobs:
            id_ = data.draw(st.sampled_from(sorted(self.jobs)))
            self.say(id_, WorkerPaused(paused))
            self.turn()

    @rule(data=st.data())
    def release(self, data):
        for id_ in CLIENTS:
            wanted = [one.key for one in self.tables.clients[id_].wanted]
            if wanted:
                self.say(
                    id_, ReleaseKeys(data.draw(st.lists(st.sampled_from(wanted), max_size=20)))
                )
        self.turn()

    @rule(data=st.data())
    def die(self, data):
        if self.jobs:
            id_ = data.draw(st.sampled_from(sorted(self.jobs)))
            for some in (self.jobs, self.begun, self.seceded):
                del some[id_]
            self.machine.peer_lost(id_, "killed by signal 9", self.now_s)
            self.turn()

    @rule(seconds=st.sampled_from([0.001, 0.06, 3.0]))
    def pass_time(self, seconds):
        self.now_s += seconds
        self.turn()

    def ready(self):
        """Return what could end: attempts that lack nothing."""
        found = []
        for id_, jobs in sorted(self.jobs.items()):
            for attempt, key in jobs.items():
                task = self.tables.tasks[key]
                assert task.attempt == attempt
                if not task.missing_count:
                    found.append((id_, attempt))
        return found

    # What must hold ---------------------------------------------------------------------------

    def move(self, task, source, target):
        watch(task, source, target)
        if (source, target) == ("waiting", "assigned"):
            assert self.in_turn
            self.followers.append(task)

    def turn(self):
        before = {record: dict(record.assigned) for record in self.tables.workers.values()}
        self.in_turn = True
        self.followers.clear()
        outgoing = self.machine.turn(self.now_s)
        self.in_turn = False
        check(self.tables)
        recalled = []
        for id_, frames in outgoing:
            for message in (message for frame in frames for message in frame):
                if type(message) is RunTasks:
                    self.jobs[id_].update(zip(message.attempts, message.keys, strict=True))
                elif type(message) is AbandonTasks:
                    for attempt in message.attempts:
                        for some in (self.jobs, self.begun, self.seceded):
                            some[id_].pop(attempt, None)
                elif type(message) is RecallTasks:
                    recalled += [
                        (id_, *one) for one in zip(message.attempts, message.keys, strict=True)
                    ]
                else:
                    assert type(message) in (DropData, TasksStored) or id_ in CLIENTS, message
        self.check_followers()
        self.check_windows(before)
        self.check_nobody_idles_beside_work()
        for id_, attempt, key in recalled:
            if attempt in self.jobs[id_] and attempt not in self.begun[id_]:
                del self.jobs[id_][attempt]
                self.say(id_, TasksReturned([key], [attempt]))
                self.return_readers(id_, key)

    def check_followers(self):
        """What lacks inputs went where all that it lacks is made, and was told before it."""
        for task in self.followers:
            assert task.state in ("assigned", "recalled")
            assert len(task.dependencies) <= INPUTS_MAX
            for source in task.dependencies:
                assert source.holders is not None or source.worker is task.worker
                if source.holders is None:
                    assert source.attempt < task.attempt

    def check_windows(self, before):
        """No worker has more than two windows, one task, and what is dear to bring elsewhere."""
        limits = self.limits
        for record, earlier in before.items():
            fresh = [one for one in record.assigned if one not in earlier]
            if not fresh or record.id not in self.tables.workers:
                continue
            threads = record.threads
            dear_s = max(transfer_s_at_most(one) for one in fresh)
            last_s = max(record.assigned[one] for one in fresh)
            window_s = 2 * limits.window_s * threads
            is_in_time = record.occupancy_s <= window_s + last_s + dear_s * threads + 1e-9
            plain_count = record.tasks_count - sum(record.counts.values())
            is_few = plain_count <= 2 * limits.window_tasks_min * threads + 1
            assert is_in_time or is_few, (record, record.occupancy_s)
            assert is_few or dear_s or plain_count <= 2 * limits.window_tasks_max * threads + 1

    def check_nobody_idles_beside_work(self):
        """No task is queued while a worker that may run it has nothing to do."""
        tables = self.tables
        for task in tables.tasks.values():
            if task.state != "queued" or task in tables.resting:
                continue
            for record in tables.fitting(task.options):
                if record.tasks_count or record.is_paused or record.leaving:
                    continue
                if any(record.reserved.get(name, (0,))[0] for name in task.options.resources):
                    continue
                if not task.dependencies and not may_add(
                    tables, record, tables.expected_nbytes(task)
                ):
                    continue
                raise AssertionError(f"{task} is queued, {record} idles")

    def teardown(self):
        while self.jobs and any(record.is_paused for record in self.tables.workers.values()):
            for id_ in self.jobs:
                self.say(id_, WorkerPaused(False))
        self.turn()
        while any(self.jobs.values()):
            # What waits for something that is gone, or made nowhere now, is given back in the end.
            outcome = TasksDone if self.ready() else TasksReturned
            jobs = self.ready() or [(id_, one) for id_, jobs in self.jobs.items() for one in jobs]
            for id_, attempt in jobs:
                key = self.jobs[id_].pop(attempt, None)
                self.begun[id_].pop(attempt, None)
                self.seceded[id_].pop(attempt, None)
                if outcome is TasksReturned:
                    self.say(id_, TasksReturned([key], [attempt]))
                elif key is not None:
                    self.say(id_, TasksDone([key], [attempt], [8], [0.0], [0.01], [None]))
            self.turn()
        for task in self.tables.tasks.values():
            is_fit = task.state != "queued" or not self.tables.fitting(task.options)
            assert is_fit, task
            assert task.state not in ("assigned", "recalled"), task


def transfer_s_at_most(task):
    """Return what it costs to bring all inputs of a task to a worker that has none."""
    nobody = object()
    return transfer_s(task, nobody)


class EagerHistory(CommitHistory):
    """All is given out at once."""

    window_s = float("inf")

    def check_windows(self, before):
        del before
        for task in self.tables.tasks.values():
            if task.state == "queued" and task not in self.tables.resting:
                fitting = self.tables.fitting(task.options)
                # (What a task keeps that gave up its slot, others wait for.)
                names = task.options.resources
                assert all(
                    one.is_paused or one.leaving or any(name in one.withheld for name in names)
                    for one in fitting
                )


class LimitedHistory(CommitHistory):
    """Workers have little memory."""

    memory_limit = 10**8


SETTINGS = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCommitHistory = CommitHistory.TestCase
TestCommitHistory.settings = SETTINGS
TestEagerHistory = EagerHistory.TestCase
TestEagerHistory.settings = SETTINGS
TestLimitedHistory = LimitedHistory.TestCase
TestLimitedHistory.settings = SETTINGS
