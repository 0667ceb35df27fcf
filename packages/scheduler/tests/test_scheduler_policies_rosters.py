"""Rosters and queues against plain sorts: whatever happens, the first is the first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hocket.protocol.messages import WorkerJoined
from hocket.scheduler.state import ASSIGNED, QUEUED, RELEASED, Options, Queue, Roster, Task
from hocket.scheduler.state.worker import Worker

WORKERS_COUNT = 8
#: Of a roster and of a queue: so many stale entries are never swept.
STALE_COUNT = 64
#: So many workers are asked for one task.
LOOKED_AT_COUNT = 64

loads = st.sampled_from([0.0, 0.01, 0.02, 0.5, 3.0])


def make_worker(id_, threads=1):
    return Worker(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", "host", id_, threads), {})


def make_task(number, dependencies=(), options=None):
    return Task(f"t{number}", None, b"", options or Options(), number, dependencies)


def first(workers, now_s):
    return min(workers, key=lambda one: (one.load_s(now_s), one.id), default=None)


class RosterHistory(RuleBasedStateMachine):
    """Loads rise unheard of and by the clock; one that fell is listed anew, as promised."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.workers = [make_worker(id_, 1 + id_ % 3) for id_ in range(WORKERS_COUNT)]
        self.listed = set()
        self.now_s = 0.0
        self.tasks_count = 0

    @initialize(count=st.integers(0, WORKERS_COUNT))
    def begin(self, count):
        for worker in self.workers[:count]:
            self.put(worker)

    def put(self, worker):
        self.roster.list(worker, self.now_s)
        self.listed.add(worker)
        assert len(self.roster._entries) <= 2 * len(self.listed) + STALE_COUNT + 1

    @rule(row=st.integers(0, WORKERS_COUNT - 1))
    def list_again(self, row):
        self.put(self.workers[row])

    @rule(row=st.integers(0, WORKERS_COUNT - 1))
    def drop(self, row):
        self.roster.drop(self.workers[row])
        self.listed.discard(self.workers[row])

    @rule(row=st.integers(0, WORKERS_COUNT - 1), more_s=loads)
    def rise(self, row, more_s):
        self.tasks_count += 1
        worker = self.workers[row]
        worker.assigned[make_task(self.tasks_count)] = more_s
        worker.occupancy_s += more_s

    @rule(row=st.integers(0, WORKERS_COUNT - 1))
    def fall(self, row):
        worker = self.workers[row]
        if worker.assigned:
            worker.occupancy_s -= worker.assigned.pop(next(iter(worker.assigned)))
        worker.progress_s = self.now_s
        if worker in self.listed:
            self.put(worker)

    @rule(seconds=st.sampled_from([0.005, 0.3, 5.0]))
    def pass_time(self, seconds):
        self.now_s += seconds

    @rule(turns=st.integers(1, 200), row=st.integers(0, WORKERS_COUNT - 1))
    def go_to_and_fro(self, turns, row):
        """What happens to one worker very often leaves no trace of its own size."""
        for turn in range(turns):
            self.drop(row)
            self.put(self.workers[row])
            if turn % 2:
                self.rise(row, 0.01)
            else:
                self.fall(row)

    @rule(right=st.sets(st.integers(0, WORKERS_COUNT - 1)))
    def ask_for_some(self, right):
        wanted = [worker for worker in self.listed if worker.id in right]
        found = self.roster.idlest(self.now_s, lambda one: one.id in right)
        assert found is first(wanted, self.now_s)

    @invariant()
    def the_first_is_the_first(self):
        assert self.roster.idlest(self.now_s) is first(self.listed, self.now_s)
        assert set(self.roster.members) == self.listed
        assert len(self.roster) == len(self.listed)
        assert bool(self.roster) == bool(self.listed)


TestRosterHistory = RosterHistory.TestCase


@given(st.lists(loads, max_size=200), st.integers(0, 200))
def test_so_many_are_asked_and_the_least_loaded_ones(some_loads, refused_count):
    roster = Roster()
    workers = []
    for id_, load_s in enumerate(some_loads):
        worker = make_worker(id_)
        worker.occupancy_s = load_s
        workers.append(worker)
        roster.list(worker, 0.0)
    asked = []

    def is_right(worker):
        asked.append(worker)
        return len(asked) > refused_count

    found = roster.idlest(0.0, is_right)
    order = sorted(workers, key=lambda one: (one.load_s(0.0), one.id))
    assert asked == order[: min(refused_count + 1, LOOKED_AT_COUNT)]
    is_found = refused_count < min(LOOKED_AT_COUNT, len(order))
    assert found is (order[refused_count] if is_found else None)
    # Those that were refused are still there.
    assert roster.idlest(0.0) is (order[0] if order else None)


class QueueHistory(RuleBasedStateMachine):
    """Tasks come, leave by their turn, leave out of turn, and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(Options(), ("root",), ())
        self.tasks = []
        self.live = []

    def push(self, task):
        task.state = QUEUED
        self.queue.push(task)
        self.live.append(task)

    @rule(priority=st.integers(-(2**62), 2**62))
    def come(self, priority):
        task = Task(f"t{len(self.tasks)}", None, b"", Options(), priority, ())
        self.tasks.append(task)
        self.push(task)

    @rule(data=st.data())
    def leave_out_of_turn(self, data):
        if self.live:
            task = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
            task.state = RELEASED
            self.queue.discard()

    @rule(data=st.data())
    def come_back(self, data):
        gone = [task for task in self.tasks if task.state is not QUEUED]
        if gone:
            self.push(data.draw(st.sampled_from(gone)))

    @rule(count=st.integers(1, 300))
    def come_and_leave(self, count):
        for number in range(count):
            task = Task(f"s{number}", None, b"", Options(), number, ())
            self.push(task)
            self.live.pop()
            task.state = RELEASED
            self.queue.discard()

    @rule()
    def leave_by_turn(self):
        if self.live:
            priority, task = self.queue.head()
            assert priority == task.priority == min(one.priority for one in self.live)
            # (As committing does it.)
            self.queue.entries.remove((priority, task))
            self.queue.entries.sort(key=lambda entry: entry[0])
            self.queue.live_count -= 1
            task.state = ASSIGNED
            self.live.remove(task)

    @invariant()
    def live_ones_are_counted_and_stale_ones_swept(self):
        assert self.queue.live_count == len(self.live)
        there = {id(task) for _, task in self.queue.entries if task.state is QUEUED}
        assert there == {id(task) for task in self.live}

    @invariant()
    def the_head_is_the_least(self):
        if self.live:
            assert self.queue.head()[0] == min(one.priority for one in self.live)

    def teardown(self):
        expected = sorted(task.priority for task in self.live)
        found = []
        while self.live:
            found.append(self.queue.head()[0])
            self.leave_by_turn()
        assert found == expected


TestQueueHistory = QueueHistory.TestCase


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_queue_keeps_few_that_left(kept_count, left_count):
    queue = Queue(Options(), ("root",), ())
    tasks = [make_task(number) for number in range(kept_count + left_count)]
    for task in tasks:
        task.state = QUEUED
        queue.push(task)
    for task in tasks[kept_count:]:
        task.state = RELEASED
        queue.discard()
    assert queue.live_count == kept_count
    assert len(queue.entries) <= 2 * kept_count + STALE_COUNT
