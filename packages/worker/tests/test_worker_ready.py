"""The queue of ready tasks against a plain list."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.ready import ReadyQueue
from hocket.worker.resources import Resources, needs_of
from hocket.worker.state import Function, Task, TaskState

FUNCTION = Function(b"f", "f", b"")
OFFERED = {"GPU": 2, "licence": 1}


def make(key, priority, needs=()):
    task = Task(key, 1, priority, FUNCTION, b"", True, needs)
    task.state = TaskState.READY
    return task


def expected(tasks, resources):
    """Return what is to be taken, the slow way: tasks stand in the order in which they came."""
    spoken_for = set()
    seen = set()
    for task in sorted(tasks, key=lambda task: task.priority):
        names = {name for name, _ in task.needs}
        if task.needs in seen:
            continue  # One with equal needs stands before it.
        seen.add(task.needs)
        if spoken_for & names:
            continue
        if resources.fit(task.needs):
            return task
        spoken_for |= names
    return None


needs = st.sampled_from(
    [{}, {}, {"GPU": 1}, {"GPU": 2}, {"licence": 0.5}, {"GPU": 1, "licence": 1}]
).map(needs_of)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(-3, 3), needs),
        st.tuples(st.just("take")),
        st.tuples(st.just("end"), st.integers(0, 50)),
        st.tuples(st.just("leave"), st.integers(0, 50)),
    ),
    max_size=60,
)


@given(steps)
def test_it_gives_what_a_plain_list_gives(steps):
    queue, resources = ReadyQueue(), Resources(OFFERED)
    ready, running = [], []
    for number, (what, *options) in enumerate(steps):
        if what == "push":
            ready.append(make(str(number), *options))
            queue.push(ready[-1])
        elif what == "take":
            startable = queue.startable_count()
            wanted = expected(ready, resources)
            task = queue.take(resources)
            assert task is wanted
            if task is None:
                assert queue.startable_count() == 0
            else:
                ready.remove(task)
                task.state = TaskState.RUNNING
                resources.reserve(task.needs)
                running.append(task)
            if startable == 0:
                assert task is None
        elif what == "end" and running:
            task = running.pop(options[0] % len(running))
            resources.release(task.needs)
            queue.unblock()
        elif what == "leave" and ready:
            task = ready.pop(options[0] % len(ready))
            task.state = TaskState.GONE
            queue.discard()
        assert queue.count == len(ready)


def test_equal_priorities_come_first_come_first_served():
    queue, resources = ReadyQueue(), Resources({})
    tasks = [make(str(number), priority) for number, priority in enumerate([1, 0, 1, 0, 1])]
    for task in tasks:
        queue.push(task)
    order = [queue.take(resources).key for _ in tasks]
    assert order == ["1", "3", "0", "2", "4"]
    assert queue.take(resources) is None


def test_a_task_that_needs_much_is_not_overtaken_for_ever():
    queue, resources = ReadyQueue(), Resources({"GPU": 2})
    one, two = needs_of({"GPU": 1}), needs_of({"GPU": 2})
    first = make("first", 0, one)
    queue.push(first)
    queue.push(make("large", 1, two))
    queue.push(make("small", 2, one))
    assert queue.take(resources) is first
    resources.reserve(one)
    assert queue.take(resources) is None
    assert queue.startable_count() == 0
    resources.release(one)
    queue.unblock()
    assert queue.take(resources).key == "large"


def test_tasks_that_left_do_not_pile_up():
    queue = ReadyQueue()
    gpu = needs_of({"GPU": 1})
    for number in range(5000):
        task = make(str(number), number % 7, gpu if number % 2 else ())
        queue.push(task)
        task.state = TaskState.GONE
        queue.discard()
    assert queue.count == 0
    assert sum(len(line) for line in queue._lines.values()) < 1000
