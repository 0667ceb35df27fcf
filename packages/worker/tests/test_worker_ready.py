"""The queue of ready tasks against a plain list."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.ready import ReadyQueue
from hocket.worker.resources import Resources
from hocket.worker.state import Function, Task, TaskState, Terms
from hocket.worker.units import NOTHING, needs_of

FUNCTION = Function(b"f", "f", b"")
OFFERED = {"GPU": 2, "licence": 1}
SLOTS = {"threads": 3, "loop": 1}


def make(queue, key, priority, needs=NOTHING, executor="threads"):
    terms = Terms(queue.lanes[executor], needs)
    task = Task(key, 1, priority, FUNCTION, b"", True, terms)
    task.state = TaskState.READY
    return task


def push(queue, *args):
    task = make(queue, *args)
    queue.push(task)
    return task


def expected(tasks, lane, resources):
    """Return what is to be taken, the slow way: tasks stand in the order in which they came."""
    if not lane.free:
        return None
    spoken_for = set()
    seen = set()
    for task in sorted(tasks, key=lambda task: task.priority):
        own, needs = task.terms.lane, task.terms.needs
        names = {name for name, _ in needs}
        if not own.free or (own.name, needs) in seen:
            continue  # It has no slot, or one with equal needs stands before it.
        seen.add((own.name, needs))
        if spoken_for & names:
            continue
        if own is lane and resources.fit(needs):
            return task
        spoken_for |= names
    return None


needs = st.sampled_from(
    [
        {},
        {},
        {"GPU": 1},
        {"GPU": 2},
        {"GPU": 0.6},
        {"licence": 0.5},
        {"GPU": 1, "licence": 1},
    ]
).map(needs_of)
executors = st.sampled_from([*SLOTS])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(-3, 3), needs, executors),
        st.tuples(st.just("take"), executors),
        st.tuples(st.just("end"), st.integers(0, 50)),
        st.tuples(st.just("leave"), st.integers(0, 50)),
    ),
    max_size=60,
)


@given(steps)
def test_it_gives_what_a_plain_list_gives(steps):
    queue, resources = ReadyQueue(SLOTS), Resources(OFFERED)
    ready, running = [], []
    for number, (what, *options) in enumerate(steps):
        if what == "push":
            ready.append(push(queue, str(number), *options))
        elif what == "take":
            lane = queue.lanes[options[0]]
            startable = queue.startable_count(lane)
            task = queue.take(lane, resources)
            assert task is expected(ready, lane, resources)
            if task is None:
                assert queue.startable_count(lane) == 0
                continue
            assert 0 < startable <= lane.free
            ready.remove(task)
            task.state = TaskState.RUNNING
            lane.free -= 1
            resources.reserve(task.terms.needs)
            task.devices = resources.take_devices(task.terms.needs)
            running.append(task)
        elif what == "end" and running:
            task = running.pop(options[0] % len(running))
            task.terms.lane.free += 1
            if task.terms.needs:
                resources.release(task.terms.needs)
                resources.give_devices_back(task.terms.needs, task.devices)
                queue.unblock()
        elif what == "leave" and ready:
            task = ready.pop(options[0] % len(ready))
            task.state = TaskState.GONE
            queue.discard(task)
        assert queue.count == len(ready)
        best = [expected(ready, lane, resources) for lane in queue.lanes.values()]
        lane = queue.best(resources)
        if lane is None:
            assert best == [None] * len(best)
        else:
            assert expected(ready, lane, resources) is not None


def take(queue, resources, executor="threads"):
    return queue.take(queue.lanes[executor], resources)


def test_equal_priorities_come_first_come_first_served():
    queue, resources = ReadyQueue(SLOTS), Resources({})
    for number, priority in enumerate([1, 0, 1, 0, 1]):
        push(queue, str(number), priority)
    order = [take(queue, resources).key for _ in range(5)]
    assert order == ["1", "3", "0", "2", "4"]
    assert take(queue, resources) is None


def test_a_task_that_needs_much_is_not_overtaken_for_ever():
    queue, resources = ReadyQueue(SLOTS), Resources({"GPU": 2})
    one, two = needs_of({"GPU": 1}), needs_of({"GPU": 2})
    first = push(queue, "first", 0, one)
    push(queue, "large", 1, two)
    push(queue, "small", 2, one)
    push(queue, "elsewhere", 3, one, "loop")
    assert take(queue, resources) is first
    resources.reserve(one)
    assert take(queue, resources) is None
    assert take(queue, resources, "loop") is None
    assert queue.startable_count(queue.lanes["threads"]) == 0
    resources.release(one)
    queue.unblock()
    assert take(queue, resources).key == "large"


def test_the_best_of_all_executors_is_known():
    queue, resources = ReadyQueue(SLOTS), Resources({})
    assert queue.best(resources) is None
    push(queue, "later", 2)
    push(queue, "sooner", 1, NOTHING, "loop")
    assert queue.best(resources) is queue.lanes["loop"]
    queue.lanes["loop"].free = 0
    assert queue.best(resources) is queue.lanes["threads"]


def test_tasks_that_left_do_not_pile_up():
    queue = ReadyQueue(SLOTS)
    gpu = needs_of({"GPU": 1})
    for number in range(5000):
        executor = "loop" if number % 3 else "threads"
        task = push(queue, str(number), number % 7, gpu if number % 2 else NOTHING, executor)
        task.state = TaskState.GONE
        queue.discard(task)
    assert queue.count == 0
    lines = [line for lane in queue.lanes.values() for line in lane.lines.values()]
    assert sum(len(line) for line in lines) < 1000
