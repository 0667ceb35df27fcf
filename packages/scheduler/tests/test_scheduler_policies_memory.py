"""Memory: root tasks are held back, somebody goes on, and a reduction of any size fits.

The scheduler's machine is the real one. Its workers are models that begin the first of what they
were given as soon as its inputs are there; what each holds is counted here, and not believed.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.graph import Graph, Ref, order
from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    RecallTasks,
    ReplicasStored,
    RunTasks,
    SubmitTasks,
    TasksDone,
    TasksReturned,
    TasksStored,
    WorkerJoined,
    WorkerReport,
)
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.policy.memory import NOTEWORTHY_NBYTES, is_probed, may_add
from hocket.scheduler.state import Options, TaskClass
from hocket.scheduler.state import Task as Record

CLIENT = 1000
CHUNK_NBYTES = 10**6
#: The memory of a worker. (The trees here are up to eight deep and four wide.)
LIMIT_CHUNKS = 24
PART = Limits().memory_part


class Job:
    """One attempt of a task on a worker."""

    def __init__(self, key, attempt, priority, inputs):
        self.key = key
        self.attempt = attempt
        self.priority = priority
        #: Per input: the attempt that made it, and addresses of its holders.
        self.inputs = inputs

    def __lt__(self, other):
        return (self.priority, self.attempt) < (other.priority, other.attempt)


class ModelWorker:
    """Runs what it was given, first things first; fetching takes no time."""

    def __init__(self, cluster, id_, threads, limit_nbytes):
        self.cluster = cluster
        self.id = id_
        self.address = f"tcp://w{id_}"
        self.threads = threads
        self.limit_nbytes = limit_nbytes
        self.jobs = {}
        self.running = []
        self.held = {}
        self.held_nbytes_max = 0

    def told(self, message):
        if type(message) is RunTasks:
            for row, (key, attempt) in enumerate(zip(message.keys, message.attempts, strict=True)):
                inputs = {
                    message.input_keys[one]: (
                        message.input_attempts[one],
                        [message.addresses[place] for place in message.input_holders[one]],
                    )
                    for one in (message.inputs[row] if message.inputs else [])
                }
                self.jobs[attempt] = Job(key, attempt, message.priorities[row], inputs)
        elif type(message) is DropData:
            for key, attempt in zip(message.keys, message.attempts, strict=True):
                if self.held.get(key, (None,))[0] == attempt:
                    del self.held[key]
        elif type(message) is AbandonTasks:
            raise AssertionError("nothing is given up here")
        elif type(message) is RecallTasks:
            for key, attempt in zip(message.keys, message.attempts, strict=True):
                if self.jobs.pop(attempt, None) is not None:
                    self.cluster.say(self.id, TasksReturned([key], [attempt]))
                    self.give_back_readers(key, attempt)

    def give_back_readers(self, key, attempt):
        for job in list(self.jobs.values()):
            if job.inputs.get(key, (None,))[0] == attempt:
                del self.jobs[job.attempt]
                self.cluster.say(self.id, TasksReturned([job.key], [job.attempt]))
                self.give_back_readers(job.key, job.attempt)

    def hold(self, key, attempt, nbytes):
        self.held[key] = (attempt, nbytes)
        held_nbytes = sum(nbytes for _, nbytes in self.held.values())
        self.held_nbytes_max = max(self.held_nbytes_max, held_nbytes)

    def begin(self):
        """Let free threads take what is ready, first things first."""
        ready = sorted(self.jobs.values())
        while len(self.running) < self.threads and ready:
            job = ready.pop(0)
            if self.bring(job):
                del self.jobs[job.attempt]
                self.running.append(job)

    def bring(self, job):
        """Fetch what a job lacks; return False if some of it is not made yet."""
        missing = [key for key, (made_by, _) in job.inputs.items() if self.lacks(key, made_by)]
        for key in missing:
            if not job.inputs[key][1]:
                return False
        for key in missing:
            made_by, holders = job.inputs[key]
            nbytes = next(
                nbytes
                for address in holders
                for attempt, nbytes in [self.cluster.by_address[address].held[key]]
                if attempt == made_by
            )
            self.hold(key, made_by, nbytes)
            self.cluster.say(self.id, ReplicasStored([key], [made_by]))
        return True

    def lacks(self, key, made_by):
        return self.held.get(key, (None,))[0] != made_by

    def finish(self, row):
        job = self.running.pop(row)
        nbytes = self.cluster.nbytes_of[job.key]
        self.hold(job.key, job.attempt, nbytes)
        self.cluster.say(
            self.id, TasksDone([job.key], [job.attempt], [nbytes], [0.0], [0.01], [None])
        )


class Cluster:
    """The scheduler's machine with some model workers and a client that wants a graph's end."""

    def __init__(self, workers_count, threads, limit_nbytes, **limits):
        self.machine = SchedulerMachine(Limits(**limits))
        self.now_s = 0.0
        self.machine.client_joined(CLIENT, "client")
        self.workers = {}
        self.nbytes_of = {}
        self.stored = set()
        for id_ in range(1, workers_count + 1):
            worker = self.workers[id_] = ModelWorker(self, id_, threads, limit_nbytes)
            self.machine.worker_greeted(id_)
            name = f"w{id_}"
            self.say(id_, WorkerJoined(name, worker.address, "host", id_, threads, limit_nbytes))
        self.by_address = {worker.address: worker for worker in self.workers.values()}

    def say(self, id_, message):
        assert self.machine.receive(id_, [message], self.now_s) is None

    def submit(self, shape, wanted):
        """Submit tasks, named by their place; each is ``(function, inputs, nbytes)``."""
        kinds = sorted({kind for kind, _, _ in shape})
        self.nbytes_of.update({f"t{row}": nbytes for row, (_, _, nbytes) in enumerate(shape)})
        self.say(
            CLIENT,
            SubmitTasks(
                [kind.encode() * 16 for kind in kinds],
                kinds,
                [b"pickle"] * len(kinds),
                [f"t{row}" for row in range(len(shape))],
                [kinds.index(kind) for kind, _, _ in shape],
                [b"x"] * len(shape),
                [list(inputs) for _, inputs, _ in shape],
                [],
                wanted=wanted,
            ),
        )

    def turn(self):
        records = list(self.machine.tables.workers.values())
        assigned = {record: set(record.assigned) for record in records}
        free_nbytes = {record: record.free_nbytes(PART) for record in records}
        outgoing = self.machine.turn(self.now_s)
        self.check_promises(assigned, free_nbytes)
        for id_, frames in outgoing:
            for message in (message for frame in frames for message in frame):
                if id_ == CLIENT:
                    assert type(message) is TasksStored, message
                    self.stored.update(message.keys)
                else:
                    self.workers[id_].told(message)

    def check_promises(self, assigned, free_nbytes):
        """Go through what a turn assigned, in order: each root task had room, or a good reason."""
        fresh = [
            (task.attempt, task, record)
            for record, before in assigned.items()
            for task in record.assigned
            if task not in before
        ]
        # (Attempts are numbers, each of them once.)
        for _, task, record in sorted(fresh):
            promised_nbytes = record.promised.get(task, 0)
            free_nbytes[record] -= promised_nbytes
            if promised_nbytes and not task.dependencies and free_nbytes[record] < 0:
                assert not assigned[record]
                nothing_goes_on = not any(assigned.values())
                trusted_nbytes = (1 - PART) / 2 * self.workers[record.id].limit_nbytes
                assert nothing_goes_on or free_nbytes[record] >= -trusted_nbytes
            assigned[record].add(task)

    def run(self, wanted, random):
        """Let tasks end in any order until all that is wanted is stored."""
        while True:
            self.turn()
            if wanted <= self.stored:
                return
            running = self.begin()
            if not running:
                # What was given back just now goes elsewhere.
                self.turn()
                running = self.begin()
            assert running, "all stand still"
            for worker in random.sample(running, random.randint(1, len(running))):
                worker.finish(random.randrange(len(worker.running)))
                self.now_s += 0.01

    def begin(self):
        for worker in self.workers.values():
            worker.begin()
        return [worker for worker in self.workers.values() if worker.running]


def in_good_order(shape):
    """Return the tasks in the order of a depth-first walk, as a client submits a graph."""
    graph = Graph({row: [Ref(one) for one in inputs] for row, (_, inputs, _) in enumerate(shape)})
    place = order(graph)
    rows = sorted(range(len(shape)), key=lambda row: place[row])
    return [
        (shape[row][0], tuple(place[one] for one in shape[row][1]), shape[row][2]) for row in rows
    ]


def reduce_rows(shape, row, kind, fan_in, nbytes):
    while len(row) > 1:
        above = []
        for start in range(0, len(row), fan_in):
            group = tuple(row[start : start + fan_in])
            if len(group) == 1:
                above += group
            else:
                above.append(len(shape))
                shape.append((kind, group, nbytes))
        row = above
    return shape


def binary_tree(count):
    shape = [("load", (), CHUNK_NBYTES)] * count
    return reduce_rows(shape, list(range(count)), "add", 2, CHUNK_NBYTES)


def sum_in_batches(count):
    shape = [("load", (), CHUNK_NBYTES)] * count
    return reduce_rows(shape, list(range(count)), "sum", 4, 8)


def map_then_pairwise(count):
    shape = [("load", (), CHUNK_NBYTES)] * count
    mapped = []
    for row in range(count):
        mapped.append(len(shape))
        shape.append(("map", (row,), CHUNK_NBYTES))
    return reduce_rows(shape, mapped, "add", 2, CHUNK_NBYTES)


SHAPES = [binary_tree, sum_in_batches, map_then_pairwise]


@given(
    shape=st.sampled_from(SHAPES),
    workers_count=st.integers(1, 4),
    threads=st.integers(1, 2),
    chunks_count=st.integers(64, 200),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=15, deadline=None)
def test_a_reduction_of_much_data_runs_in_the_memory_of_few(
    shape, workers_count, threads, chunks_count, random
):
    tasks = in_good_order(shape(chunks_count))
    limit_nbytes = LIMIT_CHUNKS * CHUNK_NBYTES
    cluster = Cluster(workers_count, threads, limit_nbytes)
    cluster.submit(tasks, [len(tasks) - 1])
    cluster.run({f"t{len(tasks) - 1}"}, random)
    for worker in cluster.workers.values():
        assert worker.held_nbytes_max <= limit_nbytes
    check(cluster.machine.tables)


@given(
    workers_count=st.integers(1, 3),
    limit_chunks=st.sampled_from([0.5, 1, 2, 3]),
    count=st.integers(1, 20),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_somebody_goes_on_however_little_there_is(workers_count, limit_chunks, count, random):
    """No memory is enough for what is wanted here; it is computed all the same."""
    cluster = Cluster(workers_count, 1, int(limit_chunks * CHUNK_NBYTES))
    cluster.submit([("load", (), CHUNK_NBYTES)] * count, None)
    cluster.run({f"t{row}" for row in range(count)}, random)
    check(cluster.machine.tables)


@given(
    sizes=st.lists(st.sampled_from([0, 8, 5000, CHUNK_NBYTES]), min_size=1, max_size=4),
    workers_count=st.integers(1, 3),
    count=st.integers(1, 40),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_without_a_limit_nobody_is_held_back_for_memory(sizes, workers_count, count, random):
    cluster = Cluster(workers_count, 1, 0)
    shape = [(f"f{row % len(sizes)}", (), sizes[row % len(sizes)]) for row in range(count)]
    cluster.submit(shape, None)
    cluster.run({f"t{row}" for row in range(count)}, random)
    assert all(not one.promised for one in cluster.machine.tables.workers.values())


@st.composite
def crowds(draw):
    """Draw a scheduler whose workers have limits, hold some, were promised some, and report."""
    count = draw(st.integers(1, 4))
    cluster = Cluster(count, 1, draw(st.sampled_from([0, 10_000, 10**8, 2**63 - 1])))
    tables = cluster.machine.tables
    tables.idle.clear()
    for record in tables.workers.values():
        record.held_nbytes = draw(st.sampled_from([0, 5000, 5 * 10**7, 2**62]))
        record.promised_nbytes = draw(st.sampled_from([0, 5000, 10**7]))
        if draw(st.booleans()):
            process_nbytes = draw(st.sampled_from([0, 10**7, 9 * 10**7, 2**63]))
            report = WorkerReport(0.0, process_nbytes, 0.0, 0, 0, 0)
            record.report = report
        if draw(st.booleans()):
            tables.idle[record] = None
        else:
            record.assigned[Record("busy", None, b"", Options(), 0, ())] = 1.0
    return tables


@given(crowds(), st.sampled_from([0, 8, 4095, 4096, 10**6, 5 * 10**7, 2**62]))
def test_more_is_added_only_where_there_is_room_or_need(tables, nbytes):
    for record in tables.workers.values():
        allowed = may_add(tables, record, nbytes)
        limit = record.memory_limit
        if not limit or nbytes < NOTEWORTHY_NBYTES or len(tables.idle) == len(tables.workers):
            assert allowed
            continue
        data_nbytes = record.held_nbytes + record.promised_nbytes + nbytes
        if allowed:
            assert data_nbytes <= limit * ((1 + PART) / 2 if record in tables.idle else PART)
        elif record.report is None:
            assert data_nbytes > limit * PART
        # What is not data is put down to others up to half of the limit, and no further.
        elif data_nbytes <= limit * (PART - 0.5):
            pytest.fail("there was room")


@given(
    assigned_count=st.integers(0, 20),
    workers_count=st.integers(0, 4),
    window_s=st.sampled_from([0.1, float("inf")]),
    is_measured=st.booleans(),
)
def test_what_is_not_known_is_tried_a_few_times_first(
    assigned_count, workers_count, window_s, is_measured
):
    tables = Cluster(workers_count, 1, 0, window_s=window_s).machine.tables
    kind = TaskClass(b"f" * 16, "f", b"")
    kind.assigned_count = assigned_count
    if is_measured:
        kind.measure(1.0, 8)
    task = Record("t", kind, b"", Options(), 0, ())
    if is_measured or window_s == float("inf") or assigned_count == 0:
        assert not is_probed(tables, task)
    else:
        enough = tables.limits.window_tasks_min * max(1, workers_count)
        assert is_probed(tables, task) == (assigned_count >= enough)
    assert not is_probed(tables, Record("data", None, b"", Options(), 0, ()))
