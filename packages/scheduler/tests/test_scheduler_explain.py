"""Explanations: for a task in any state, words that are true and say what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hocket.protocol.messages import (
    CancelTasks,
    ExplainKeys,
    Explanation,
    Failure,
    FailureKind,
    KeysExplained,
    ReleaseKeys,
    ReplicateKeys,
    RequestRefused,
    RunTasks,
    TasksBegun,
    TasksFailed,
    TasksRescheduled,
    TasksSeceded,
    WorkerLeaving,
    WorkerPaused,
)

CLIENT = 1000

Make = Callable[..., Any]


def why(it: Any, *keys: str) -> list[Explanation]:
    """Return the explanations of these keys, and see that they fit each other."""
    it.ask(ExplainKeys(3, list(keys)))
    (answer,) = [one for one in it.turn()[CLIENT] if type(one) is KeysExplained]
    assert answer.request == 3
    assert [one.key for one in answer.explanations] == list(keys)
    return list(answer.explanations)


def refusals(it: Any, key: str) -> dict[str, str]:
    (one,) = why(it, key)
    assert one.state == "queued"
    return dict(zip(one.considered, one.refusals, strict=True))


def test_an_unknown_key(house: Make) -> None:
    it = house()
    (one,) = why(it, "ghost")
    assert one.state == ""
    assert "knows nothing of it" in one.text


def test_a_waiting_task_names_the_inputs_that_are_missing(house: Make) -> None:
    it = house(workers=1, window_tasks_min=1, window_s=0.0)
    inputs = [f"i{one}" for one in range(30)]
    it.submit([*inputs, "t"], [*([] for _ in inputs), list(range(30))], wanted=[30])
    it.turn()
    (one,) = why(it, "t")
    assert one.state == "waiting"
    assert one.text == (
        "30 inputs of 30 have no value yet: 'i0' is assigned on w1, 'i1' is queued, 'i2' is queued,"
        " 'i3' is queued, 'i4' is queued, and 25 more"
    )
    assert one.waits_for == inputs[:20]
    it.done(1, RunTasks([], [], [], ["i0"], [1], [0], [], [], [], []))
    (one,) = why(it, "t")
    assert one.text.startswith("29 inputs of 30 have")


def test_without_workers_that_is_said(house: Make) -> None:
    it = house(workers=0)
    it.submit(["a"])
    (one,) = why(it, "a")
    assert (one.state, one.text, one.considered) == ("queued", "there are no workers", [])


def test_a_retry_rests(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"], retries=2, retry_delay_s=5.0)
    it.turn()
    failure = Failure(FailureKind.RAISED, "a", "no")
    it.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    it.now_s = 3.5
    (one,) = why(it, "a")
    assert one.state == "queued"
    assert one.text == "it failed, and is tried again in 1.5 s (1 retry left after that)"


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (
            {"resources": {"GPU": 2.0}},
            "it needs 2 of GPU, and none has that; the most is 1, on w2",
        ),
        ({"resources": {"license": 1.0}}, "it needs 1 of license, and none has that"),
        ({"resources": {"GPU": 1.0, "disk": 1.0}}, "none has all that it needs at once"),
        ({"executor": "actors"}, "none has an executor 'actors'"),
        ({"workers": ["w7", "w8"]}, "it may only run on w7, w8, and no such worker is here"),
        (
            {"workers": ["w1"], "resources": {"GPU": 1.0}},
            "it may only run on w1, where something is missing that it needs",
        ),
    ],
)
def test_what_no_worker_has_is_said_first(
    house: Make, options: dict[str, Any], missing: str
) -> None:
    it = house(workers=0)
    it.join(1, resources={"disk": 1.0})
    it.join(2, resources={"GPU": 1.0})
    it.submit(["a"], **options)
    (one,) = why(it, "a")
    assert one.state == "queued"
    assert one.text == f"no worker that is here can run it: {missing}"
    assert one.considered == ["w1", "w2"]


def test_each_worker_that_cannot_run_it_has_its_reason(house: Make) -> None:
    it = house(workers=0, window_tasks_min=1, window_s=0.0)
    for id_ in range(1, 5):
        it.join(id_, resources={"GPU": 1.0} if id_ != 3 else {}, executors={"loop": 1})
    it.submit(["other"], resources={"GPU": 1.0}, workers=["w1"])
    it.submit(["a"], resources={"GPU": 1.0}, workers=["w1", "w3"])
    it.turn()
    (one,) = why(it, "a")
    assert one.text == "it waits for room on one of 1 worker that can run it (3 others cannot)"
    assert dict(zip(one.considered, one.refusals, strict=True)) == {
        "w1": "of its 1 of GPU, 1 are for tasks that it was given",
        "w2": "the task may only run on w1, w3",
        "w3": "it has 0 of GPU, and the task needs 1",
        "w4": "the task may only run on w1, w3",
    }


def test_leaving_paused_and_full_workers(house: Make) -> None:
    it = house(workers=4, window_tasks_min=1, window_s=0.0, unknown_duration_s=0.5)
    it.submit([f"t{one}" for one in range(6)])
    out = it.turn()
    it.say(1, WorkerLeaving("its time is over"))
    it.say(2, WorkerPaused(True))
    it.done(4, out[4][0])
    it.submit(["never"], executor="loop")
    it.submit(["last"])
    assert refusals(it, "last") == {
        "w1": "it is to end: its time is over",
        "w2": "it is short of memory, and gets no more tasks before it has ended what it has",
        "w3": "it has 1 task, which is work for about 500 ms",
        "w4": "it has 1 task, which is work for about 10 ms",
    }
    assert set(refusals(it, "never").values()) == {"it has no executor 'loop'"}


def test_a_full_executor(house: Make) -> None:
    it = house(workers=0, window_tasks_min=1)
    it.join(1, threads=2, executors={"loop": 2})
    it.submit(["a", "b", "c"], executor="loop")
    it.turn()
    assert refusals(it, "c") == {"w1": "its executor 'loop' has 2 tasks for its 2"}


def test_a_worker_that_failed_it_is_avoided(house: Make) -> None:
    it = house(workers=2, window_tasks_min=1, window_s=0.0)
    it.submit(["a"])
    ((first, (run,)),) = it.turn().items()
    it.submit(["b", "c", "d"])
    it.turn()
    it.say(first, TasksRescheduled(["a"], run.attempts))
    assert refusals(it, "a")[f"w{first}"] == "the task failed there, and others can run it"


def test_a_kind_that_is_not_known_yet(house: Make) -> None:
    it = house(workers=1)
    it.submit([f"t{one}" for one in range(5)])
    it.turn()
    assert refusals(it, "t2") == {
        "w1": "no task of its kind (f) has finished yet, so that only 2 of them are under way"
    }


def test_a_worker_that_has_its_share(house: Make) -> None:
    it = house(workers=2, unknown_duration_s=1e-6, window_s=10.0)
    it.submit(["r", *(f"t{one}" for one in range(100))], [[], *([0] for _ in range(100))])
    ((id_, (run,)),) = it.turn().items()
    it.done(id_, run)
    it.turn()
    texts = set(refusals(it, "t99").values())
    assert len(texts) == 2
    for text in texts:
        assert text.endswith("tasks now; more are given to it bit by bit, as it ends those")


def test_a_worker_without_memory_for_it(house: Make) -> None:
    it = house(workers=0)
    it.join(1, memory_limit=1000 * 2**10)
    it.submit(["a"])
    (run,) = it.turn()[1]
    it.done(1, run, nbytes=200 * 2**10)
    it.submit([f"t{one}" for one in range(10)])
    it.turn()
    assert refusals(it, "t5") == {
        "w1": "it has 0 B of memory left for data, and the task is expected to make 200 KiB"
    }


def test_of_many_workers_some_are_named(house: Make) -> None:
    it = house(workers=50, window_tasks_min=1, window_s=0.0)
    it.submit([f"t{one}" for one in range(60)])
    it.turn()
    (one,) = why(it, "t59")
    assert len(one.considered) == len(set(one.considered)) == 20
    assert one.text.endswith("; 30 workers more were considered, but are not named here")
    # Of many keys, each has fewer.
    many = why(it, *[f"t{one}" for one in range(60)] * 20)
    assert {len(one.considered) for one in many if one.state == "queued"} == {1}


def test_an_assigned_task(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b", "c"], [[], [], [1]], wanted=[0, 2])
    it.turn()
    it.say(1, TasksBegun(["a"], [1]))
    one, two, three = why(it, "a", "b", "c")
    assert one.text == "given to w1 as attempt 1; it runs there"
    assert one.workers == ["w1"]
    assert two.text == (
        "given to w1 as attempt 2; it has not been said to run there,"
        " and stands behind 1 task of that worker"
    )
    assert three.text == (
        "given to w1 as attempt 3; it waits there for 1 input that the worker makes"
    )
    it.say(1, TasksSeceded(["a"], [1]), WorkerPaused(True))
    (one,) = why(it, "a")
    assert one.text == (
        "given to w1 as attempt 1; it runs there, and has given up its slot to others;"
        " the worker is short of memory, and runs one task at a time"
    )


def test_a_recalled_task(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    it.turn()
    it.say(1, WorkerLeaving("its time is over"))
    (one,) = why(it, "a")
    assert one.state == "recalled"
    assert one.text == (
        "w1 was asked to give it back, since that is to end (its time is over);"
        " it will, unless it has begun with it"
    )


def test_a_stored_value(house: Make) -> None:
    it = house(workers=3)
    it.put({"a": 2048}, 1, 2)
    (one,) = why(it, "a")
    assert one.text == "its value of 2 KiB is on 2 workers; a client put it there"
    assert one.workers == ["w2", "w1"]
    it.ask(ReplicateKeys(1, ["a"], 3))
    it.turn()
    (one,) = why(it, "a")
    assert one.text == (
        "its value of 2 KiB is on 2 workers, and comes to w3; a client put it there"
    )


def test_a_failed_task(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"], [[], [0]])
    it.turn()
    failure = Failure(FailureKind.RAISED, "a", "ValueError: " + "no" * 10_000, b"", "w1", 1)
    it.say(1, TasksFailed(["a"], [1], [0.0], [0.0], [failure]))
    one, two = why(it, "a", "b")
    assert one.state == two.state == "failed"
    assert one.text.startswith("it raised, on w1: ValueError: no")
    assert two.text.startswith("it raised, or rather 'a' did, which it needs, on w1: ValueError")
    assert len(one.text) < 10_100


def test_a_released_task(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a", "b"], [[], [0]])
    (run,) = it.turn()[1]
    it.done(1, run)
    it.ask(ReleaseKeys(["a"]))
    (one,) = why(it, "a")
    assert one.state == "released"
    assert one.text == "nobody needs its value now; it is made again if somebody does"


def test_the_answer_is_given_when_all_has_been_given_out(house: Make) -> None:
    it = house(workers=1)
    it.submit(["a"])
    # It was queued a moment ago, and no reason for that would be true.
    (one,) = why(it, "a")
    assert one.state == "assigned"


def test_answers_are_bounded(house: Make) -> None:
    it = house(workers=1, answer_nbytes_max=2000)
    it.ask(ExplainKeys(1, [f"k{one}" for one in range(100)]))
    it.ask(ExplainKeys(2, [f"k{one}" for one in range(10_001)]))
    it.ask(ExplainKeys(3, []))
    out = it.turn()[CLIENT]
    assert out == [
        RequestRefused(
            1, "the explanations are more than one message may hold; ask for fewer keys"
        ),
        RequestRefused(2, "10001 keys are more than can be explained at once; ask for 10000"),
        KeysExplained(3, []),
    ]


def test_a_client_that_is_gone_gets_no_answer(house: Make) -> None:
    it = house(workers=1)
    it.join_client(2000)
    it.say(2000, ExplainKeys(1, ["a"]), CancelTasks(["a"]))
    it.lose(2000)
    assert it.turn() == {}
