"""Each promise is broken by hand once, so that none can sleep."""

from __future__ import annotations

import pytest

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import (
    AbandonTasks,
    CopiesFailed,
    CopyData,
    DropData,
    ReplicasStored,
    RunTasks,
    TasksBegun,
    TasksDone,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    WorkerLeaving,
    WorkerPaused,
)
from hocket.worker.promises import Promises


def run(*names):
    keys, attempts = [key for key, _ in names], [attempt for _, attempt in names]
    count = len(names)
    return RunTasks([], [], [], keys, attempts, [0] * count, [], [b""] * count, [], [])


def done(key, attempt):
    return TasksDone([key], [attempt], [1], [0.0], [0.0], [])


def copy(key, attempt):
    return CopyData([key], [attempt], [1], [[]], [])


@pytest.fixture
def promises():
    made = Promises()
    made.heard([run(("a", 1), ("b", 2))])
    return made


def test_a_task_that_runs_its_course_is_no_longer_owed(promises):
    promises.said([TasksBegun(["a"], [1]), TasksSeceded(["a"], [1])])
    assert promises.seceded == {("a", 1)}
    promises.said([TasksRejoined(["a"], [1]), TasksSeceded(["a"], [1])])
    promises.said([done("a", 1), TasksRescheduled(["b"], [2])])
    assert promises.owed == {}
    assert promises.begun == promises.seceded == set()


def test_what_was_abandoned_or_replaced_may_have_been_on_its_way(promises):
    promises.heard([AbandonTasks(["a", "c"], [1, 9]), run(("b", 3))])
    assert promises.owed == {"b": 3}
    promises.said([done("a", 1), TasksReturned(["b"], [2])])
    with pytest.raises(InvariantBroken, match="every attempt ends in one report"):
        promises.said([done("a", 1)])


def test_what_comes_too_late_is_given_back(promises):
    promises.heard([run(("b", 1))])
    promises.said([TasksReturned(["b"], [1])])
    assert promises.owed == {"a": 1, "b": 2}
    assert not promises.late.total()
    prompt = Promises(is_prompt=True)
    prompt.heard([run(("b", 2), ("b", 1))])
    with pytest.raises(InvariantBroken, match="what comes too late is given back"):
        prompt.said([])


def test_who_is_prompt_has_no_excuse_after_its_next_word():
    prompt = Promises(is_prompt=True)
    prompt.heard([run(("a", 1))])
    prompt.heard([AbandonTasks(["a"], [1])])
    prompt.said([])
    with pytest.raises(InvariantBroken, match="every attempt ends in one report"):
        prompt.said([done("a", 1)])


def test_copies_are_owed_until_they_are_reported_or_void(promises):
    promises.heard([copy("x", 1), copy("y", 1), copy("z", 1), copy("w", 1), copy("v", 1)])
    assert len(promises.owed_copies) == 5
    promises.said([ReplicasStored(["x"], [1]), CopiesFailed(["y"], [1])])
    promises.heard([DropData(["z"], [1]), copy("w", 2), run(("v", 2))])
    assert promises.owed_copies == {("w", 2)}
    promises.said([ReplicasStored(["w"], [3])])
    assert promises.owed_copies == set()


BREAKS = {
    "every attempt ends in one report": [done("a", 9)],
    "and is not named after it": [done("a", 1), TasksBegun(["a"], [1])],
    "what has begun is said once": [TasksBegun(["a", "a"], [1, 1])],
    "who secedes had a slot": [TasksSeceded(["a"], [1]), TasksSeceded(["a"], [1])],
    "who rejoins had seceded": [TasksRejoined(["a"], [1])],
    "who fails to copy was asked to": [CopiesFailed(["x"], [1])],
    "a pause is said when it changes": [WorkerPaused(paused=False)],
    "a worker leaves once": [WorkerLeaving("now"), WorkerLeaving("then")],
    "a message says something": [TasksReturned([], [])],
}


@pytest.mark.parametrize(("rule", "messages"), BREAKS.items())
def test_a_broken_promise_is_named(promises, rule, messages):
    with pytest.raises(InvariantBroken, match=rule):
        promises.said(messages)
