"""Placement rules: whatever the tables, the choice fits, is no worse than promised, and is one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.messages import WorkerJoined
from hocket.scheduler.policy.placement import PLACEMENTS
from hocket.scheduler.policy.placement.transfer import (
    BANDWIDTH_NBYTES_PER_S,
    LATENCY_S,
    transfer_s,
)
from hocket.scheduler.state import ASSIGNED, STORED, Options, Task
from hocket.scheduler.state.worker import Worker
from hocket.scheduler.tables import Limits, Tables

#: Rules that look at a few holders of each input see them all if there are no more.
HOLDERS_MAX = 8


@dataclass
class Case:
    """Tables, a task whose inputs lie somewhere, the idlest worker, and the workers that fit."""

    tables: Tables
    task: Task
    idlest: Worker
    fitting: dict[Worker, None] | None

    def cost_s(self, worker):
        return worker.load_s(self.tables.now_s) + transfer_s(self.task, worker)

    def place(self, name):
        return PLACEMENTS[name](self.tables, self.task, self.idlest, self.fitting)


@st.composite
def cases(draw):
    tables = Tables(Limits(window_tasks_min=1, window_s=draw(st.sampled_from([0.02, 1.0]))))
    workers_count = draw(st.integers(1, HOLDERS_MAX))
    for id_ in range(1, workers_count + 1):
        threads = draw(st.integers(1, 3))
        joined = WorkerJoined(f"w{id_}", f"tcp://w{id_}", "host", id_, threads)
        tables.add_worker(Worker(id_, joined, tables.full))
    workers = list(tables.workers.values())
    tables.attempts_count = draw(st.integers(0, 1000))
    tables.now_s = draw(st.sampled_from([0.0, 0.1, 5.0]))
    for number, worker in enumerate(draw(st.lists(st.sampled_from(workers), max_size=20))):
        busy = Task(f"busy{number}", None, b"", Options(), number, ())
        busy.state = ASSIGNED
        tables.assign(busy, worker, draw(st.sampled_from([0.001, 0.01, 2.0])))
    inputs = []
    for number in range(draw(st.integers(1, 5))):
        source = Task(f"input{number}", None, b"", Options(), number, ())
        source.state = STORED
        source.nbytes = draw(st.sampled_from([0, 8, 10**6, 10**9]))
        for worker in draw(st.lists(st.sampled_from(workers), min_size=1, unique=True)):
            tables.hold(source, worker)
        inputs.append(source)
    for worker in workers:
        worker.leaving = draw(st.sampled_from(["", "", "", "it is to end"]))
        worker.is_paused = draw(st.integers(0, 3)) == 3
    chosen = draw(st.none() | st.sets(st.sampled_from(workers), min_size=1))
    fitting = None
    if chosen is not None:
        fitting = dict.fromkeys(sorted(chosen, key=lambda one: one.id))
    tables.changed.update(dict.fromkeys(workers))
    tables.refresh_rosters()
    idlest = tables.open.idlest(tables.now_s, lambda one: fitting is None or one in fitting)
    if idlest is None:
        # Nobody has room: any that fits and stays serves as the one that is handed in.
        staying = [one for one in workers if fitting is None or one in fitting]
        idlest = staying[0]
        idlest.leaving = ""
        idlest.is_paused = False
    task = Task("task", None, b"", Options(), 0, tuple(inputs))
    return Case(tables, task, idlest, fitting)


@pytest.mark.parametrize("name", PLACEMENTS)
@given(case=cases())
def test_the_choice_fits_and_stays(name, case):
    worker = case.place(name)
    assert worker.id in case.tables.workers
    assert not worker.leaving
    assert case.fitting is None or worker in case.fitting
    # One that is short of memory may be handed in (it goes on with one task at a time), or stand
    # among those with room; it is not chosen for what it holds.
    assert not worker.is_paused or worker is case.idlest or worker in case.tables.open


@pytest.mark.parametrize("name", PLACEMENTS)
@given(case=cases())
def test_the_same_tables_give_the_same_choice(name, case):
    order = list(case.tables.open.members)
    worker = case.place(name)
    assert case.place(name) is worker
    # In whatever order workers came to have room.
    for one in reversed(order):
        del case.tables.open.members[one]
        case.tables.open.members[one] = None
    assert case.place(name) is worker


@given(case=cases())
def test_greedy_takes_no_worse_than_the_idlest_or_any_holder(case):
    chosen_s = case.cost_s(case.place("greedy"))
    holders = {one for source in case.task.dependencies for one in source.holding_workers()}
    for worker in [case.idlest, *holders]:
        may = case.fitting is None or worker in case.fitting
        if worker is case.idlest or (may and not worker.leaving and not worker.is_paused):
            assert chosen_s <= case.cost_s(worker) + 1e-9


@given(case=cases())
def test_earliest_takes_no_worse_than_any_with_room(case):
    chosen_s = case.cost_s(case.place("earliest"))
    for worker in [case.idlest, *case.tables.open.members]:
        if case.fitting is None or worker in case.fitting:
            assert chosen_s <= case.cost_s(worker)


@given(case=cases())
def test_greedy_is_as_good_as_earliest_where_inputs_lie_with_those_that_have_room(case):
    # (Only holders of inputs can be better than the idlest one, and greedy looks at those.)
    best_s = (
        min(
            case.cost_s(worker)
            for worker in [case.idlest, *case.tables.open.members]
            if (case.fitting is None or worker in case.fitting) and not worker.is_paused
        )
        if not case.idlest.is_paused
        else None
    )
    if best_s is not None:
        assert case.cost_s(case.place("greedy")) <= best_s + 1e-9


@given(case=cases())
def test_rules_that_know_nothing_use_every_worker_with_room(case):
    candidates = {
        one for one in case.tables.open.members if case.fitting is None or one in case.fitting
    }
    start = case.tables.attempts_count
    for name in ("round-robin", "random"):
        found = set()
        for number in range(40 * HOLDERS_MAX):
            case.tables.attempts_count = start + number
            found.add(case.place(name))
        assert found == (candidates or {case.idlest})


@given(case=cases())
def test_what_is_to_come_is_counted_once_for_each_input_that_lacks(case):
    for worker in case.tables.workers.values():
        lacking = [one for one in case.task.dependencies if worker not in one.holding_workers()]
        expected_s = sum(LATENCY_S + one.nbytes / BANDWIDTH_NBYTES_PER_S for one in lacking)
        assert transfer_s(case.task, worker) == pytest.approx(expected_s)
