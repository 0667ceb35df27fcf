"""Retraction: what is asked back was not begun, somebody can take it, and it does not go in rounds.

Tables are made by the real machine: everything is given out at once (no windows), some of it is
said to run, workers join with nothing to do, and time goes by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hocket.protocol.messages import (
    RecallTasks,
    RunTasks,
    SubmitTasks,
    TasksBegun,
    TasksDone,
    TasksReturned,
    TasksSeceded,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
)
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.policy.placement.transfer import transfer_s
from hocket.scheduler.policy.retraction import (
    LOOK_AGAIN_S,
    choose_leaving,
    choose_recalls,
    choose_stuck,
)
from hocket.scheduler.state import Options

CLIENT = 1000
RECALLS_MAX = 2
GAIN_S_MIN = 0.002


@dataclass
class Cluster:
    """The machine, and what each worker was told last."""

    machine: SchedulerMachine
    now_s: float = 0.0
    jobs: dict[int, dict[str, int]] = field(default_factory=dict)
    recalls: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[int, str, int]] = field(default_factory=list)
    count: int = 0

    @property
    def tables(self):
        return self.machine.tables

    def say(self, id_, message):
        assert self.machine.receive(id_, [message], self.now_s) is None
        check(self.tables)

    def join(self, id_, threads):
        self.machine.worker_greeted(id_)
        self.jobs[id_] = {}
        self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", "host", id_, threads))

    def submit(self, dependencies, known=(), **options):
        count = len(dependencies)
        names = [f"t{self.count + row}" for row in range(count)]
        self.count += count
        self.say(
            CLIENT,
            SubmitTasks(
                [b"f" * 16],
                ["f"],
                [b"pickle"],
                [*names, *known],
                [],
                [b"x"] * count,
                dependencies,
                [],
                **options,
            ),
        )
        return names

    def turn(self):
        for id_, frames in self.machine.turn(self.now_s):
            for message in (message for frame in frames for message in frame):
                if type(message) is RunTasks:
                    self.jobs[id_].update(zip(message.keys, message.attempts, strict=True))
                elif type(message) is RecallTasks:
                    for key, attempt in zip(message.keys, message.attempts, strict=True):
                        self.recalls[key] = self.recalls.get(key, 0) + 1
                        self.asked.append((id_, key, attempt))
        check(self.tables)

    def done(self, id_, key, nbytes=8, duration_s=0.01):
        attempt = self.jobs[id_].pop(key)
        self.say(id_, TasksDone([key], [attempt], [nbytes], [0.0], [duration_s], [None]))


@st.composite
def clusters(draw):
    """Draw loaded workers beside idle ones."""
    window_s = draw(st.sampled_from([0.1, float("inf")]))
    cluster = Cluster(SchedulerMachine(Limits(window_s=window_s)))
    cluster.machine.client_joined(CLIENT, "client")
    loaded_count = draw(st.integers(1, 3))
    for id_ in range(1, loaded_count + 1):
        cluster.join(id_, draw(st.integers(1, 3)))
    if draw(st.booleans()):
        # How long they take is known, and where some large value lies.
        [name] = cluster.submit([[]])
        cluster.turn()
        [id_] = [id_ for id_, jobs in cluster.jobs.items() if name in jobs]
        duration_s = draw(st.sampled_from([1e-5, 0.001, 0.05, 10.0]))
        cluster.done(id_, name, draw(st.sampled_from([8, 10**7])), duration_s)
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, 12))
        known = [one for one in ("t0",) if one in cluster.tables.tasks]
        choices = [[], [count]] if known else [[]]
        dependencies = [draw(st.sampled_from(choices)) for _ in range(count)]
        if draw(st.booleans()):
            # A chain: its later links wait where its first one is.
            dependencies[1:] = [[row] for row in range(count - 1)]
        workers = draw(st.sampled_from([[], [], ["w1"], ["w9"]]))
        cluster.submit(
            dependencies, known, workers=workers, allow_other_workers=draw(st.booleans())
        )
    cluster.turn()
    cluster.now_s += draw(st.sampled_from([0.0, 0.03, 1.0]))
    for record in list(cluster.tables.workers.values()):
        ready = [one for one in record.assigned if not one.missing_count]
        running = ready[: draw(st.integers(0, record.threads))]
        keys, attempts = [one.key for one in running], [one.attempt for one in running]
        cluster.say(record.id, TasksBegun(keys, attempts))
        if draw(st.booleans()):
            cluster.say(record.id, TasksSeceded(keys[:1], attempts[:1]))
    for id_ in range(11, 11 + draw(st.integers(1, 3))):
        cluster.join(id_, draw(st.integers(1, 3)))
        how = draw(st.sampled_from([None, None, None, WorkerPaused(True), WorkerLeaving("over")]))
        if how is not None:
            cluster.say(id_, how)
    for task in cluster.tables.tasks.values():
        if task.state == "assigned":
            count = draw(st.sampled_from([0, 0, 0, 1, 2]))
            if count:
                cluster.tables.recalls[task.key] = count
    cluster.tables.refresh_rosters()
    return cluster


def takers_of(tables, task):
    """Return those with idle threads that may run a task and do not have it."""
    fitting = tables.fitting(task.options)
    return [
        one
        for one in tables.hungry
        if one in fitting and one is not task.worker and not one.leaving and not one.is_paused
    ]


@given(clusters())
@settings(deadline=None)
def test_what_is_asked_back_can_be_given_and_taken(cluster):
    tables = cluster.tables
    counts = dict(tables.recalls)
    chosen = choose_recalls(tables)
    assert len(set(map(id, chosen))) == len(chosen)
    for task in chosen:
        assert task.state == "assigned"
        assert task not in task.worker.begun
        assert not task.missing_count
        assert counts.get(task.key, 0) < RECALLS_MAX
        load_s = task.worker.load_s(tables.now_s)
        assert load_s >= GAIN_S_MIN
        assert any(transfer_s(task, one) < load_s for one in takers_of(tables, task))
    for record in tables.workers.values():
        kept = [one for one in record.assigned if one not in chosen]
        if record in tables.loaded and tables.now_s - record.progress_s <= LOOK_AGAIN_S:
            # Its threads have something to do until more comes.
            assert len(kept) - len(record.seceded) >= min(
                record.threads, len(record.assigned) - len(record.seceded)
            )
    check(tables)


@given(clusters())
@settings(deadline=None)
def test_an_idle_worker_beside_a_loaded_one_gets_something(cluster):
    tables = cluster.tables
    now_s = tables.now_s
    donor = max(tables.loaded, key=lambda one: (one.load_s(now_s), -one.id), default=None)
    assume(donor is not None and donor.load_s(now_s) >= GAIN_S_MIN)
    is_late = now_s - donor.progress_s > LOOK_AGAIN_S
    ready = [
        one
        for one in donor.assigned
        if one.state == "assigned" and not one.missing_count and one not in donor.begun
    ]
    tables.next_look_s = 0.0
    kept_count = 0 if is_late else donor.threads - len(donor.begun) + len(donor.seceded)
    load_s = donor.load_s(now_s)
    movable = [
        one
        for one in ready
        if tables.recalls.get(one.key, 0) < RECALLS_MAX
        and any(4 * transfer_s(one, taker) < load_s for taker in takers_of(tables, one))
    ]
    assume(len(ready) > max(0, kept_count) and movable)
    assert choose_recalls(tables)


@given(clusters(), st.data())
@settings(max_examples=50, deadline=None)
def test_nothing_travels_for_ever(cluster, data):
    """Workers give back all they are asked for and never begin a thing: it comes to rest."""
    before = dict(cluster.tables.recalls)
    for _ in range(4 * RECALLS_MAX * max(1, len(cluster.tables.tasks))):
        cluster.now_s += data.draw(st.sampled_from([0.06, 1.0]))
        cluster.turn()
        asked, cluster.asked = cluster.asked, []
        for id_, key, attempt in asked:
            if cluster.jobs[id_].get(key) == attempt:
                del cluster.jobs[id_][key]
                cluster.say(id_, TasksReturned([key], [attempt]))
        if not asked:
            break
    for key, count in cluster.recalls.items():
        assert count <= RECALLS_MAX - before.get(key, 0)
    cluster.now_s += 1.0
    cluster.turn()
    assert not cluster.asked


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 20), st.integers(1, 3))
@settings(deadline=None)
def test_a_worker_that_comes_late_takes_its_part(threads, more_threads, count, comers_count):
    cluster = Cluster(SchedulerMachine(Limits()))
    cluster.machine.client_joined(CLIENT, "client")
    cluster.join(1, threads)
    cluster.submit([[]] * count)
    cluster.turn()
    for id_ in range(2, 2 + comers_count):
        cluster.join(id_, more_threads)
    cluster.now_s += 0.01
    for _ in range(3):
        cluster.turn()
        asked, cluster.asked = cluster.asked, []
        for id_, key, attempt in asked:
            del cluster.jobs[id_][key]
            cluster.say(id_, TasksReturned([key], [attempt]))
        cluster.now_s += 0.03
    if count > threads:
        assert any(cluster.jobs[id_] for id_ in range(2, 2 + comers_count))
    assert len(cluster.jobs[1]) >= min(threads, count)


@given(clusters())
@settings(deadline=None)
def test_who_is_to_end_is_asked_for_all_that_it_has_not_begun(cluster):
    for record in cluster.tables.workers.values():
        asked = {id(one) for one in choose_leaving(record)}
        # (What was asked back already is on its way.)
        unbegun = [one for one in record.assigned if one not in record.begun]
        assert asked == {id(one) for one in unbegun if one.state == "assigned"}
        for seceded in record.seceded:
            stuck = choose_stuck(record, seceded)
            assert asked.issuperset(map(id, stuck))
            readers = [one for one in unbegun if seceded in one.dependencies]
            assert {id(one) for one in readers if one.state == "assigned"} <= set(map(id, stuck))


@given(st.integers(3, 20), st.integers(4, 20), st.integers(1, 3))
@settings(deadline=None)
def test_who_may_give_nothing_does_not_stand_before_others(bound_count, free_count, idle_count):
    cluster = Cluster(SchedulerMachine(Limits(window_s=float("inf"))))
    cluster.machine.client_joined(CLIENT, "client")
    cluster.join(1, 1)
    cluster.submit([[]] * (bound_count + free_count), workers=["w1"])
    cluster.turn()
    cluster.join(2, 1)
    cluster.submit([[]] * free_count, workers=["w2"])
    cluster.turn()
    record = cluster.tables.workers[2]
    for task in record.assigned:
        # (They may run anywhere from now on.)
        task.options = Options()
    for id_ in range(3, 3 + idle_count):
        cluster.join(id_, 1)
    cluster.tables.refresh_rosters()
    cluster.tables.next_look_s = 0.0
    chosen = choose_recalls(cluster.tables)
    assert chosen
    assert all(task.worker is record for task in chosen)
