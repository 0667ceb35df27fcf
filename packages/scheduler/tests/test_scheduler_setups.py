"""Set-ups: every worker gets them, those that come before any task; failing ones go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hocket.protocol.messages import (
    DropSetup,
    EverywhereRan,
    Failure,
    FailureKind,
    HereRan,
    KeepSetup,
    LeaveCluster,
    RequestRefused,
    RunHere,
    RunTasks,
)

CLIENT = 1000

Make = Callable[..., Any]

FAILURE = Failure(FailureKind.RAISED, "", "no such licence")


def calls(out: dict[int, list[Any]]) -> dict[int, list[RunHere]]:
    found = {id_: [m for m in messages if type(m) is RunHere] for id_, messages in out.items()}
    return {id_: messages for id_, messages in found.items() if messages}


def keep(it: Any, name: str, payload: bytes = b"p", *, request: int = 1) -> dict[int, RunHere]:
    """Keep a set-up; return what the workers that are there are to run."""
    it.ask(KeepSetup(request, name, b"f", payload))
    return {id_: messages[-1] for id_, messages in calls(it.turn()).items()}


def test_those_that_are_there_run_it_beside_their_tasks(house: Make) -> None:
    it = house(workers=2)
    asked = keep(it, "s")
    assert {id_: (one.function, one.payload, one.before_tasks) for id_, one in asked.items()} == {
        1: (b"f", b"p", False),
        2: (b"f", b"p", False),
    }
    it.say(1, HereRan(asked[1].request, b"v1", None))
    assert CLIENT not in it.turn()
    it.say(2, HereRan(asked[2].request, b"v2", None))
    assert it.turn() == {
        CLIENT: [EverywhereRan(1, ["tcp://w1", "tcp://w2"], [b"v1", b"v2"], [None, None])]
    }


def test_those_that_come_run_all_in_order_before_any_task(house: Make) -> None:
    it = house(workers=0)
    for name in "abc":
        assert keep(it, name, name.encode()) == {}
    # Under the same name it takes the place of the other, and comes last.
    keep(it, "a", b"A")
    it.submit(["t"])
    it.join(1)
    messages = it.turn()[1]
    assert [one.payload for one in messages if type(one) is RunHere] == [b"b", b"c", b"A"]
    assert all(one.before_tasks for one in messages if type(one) is RunHere)
    first_task = next(n for n, one in enumerate(messages) if type(one) is RunTasks)
    assert all(type(one) is RunHere for one in messages[:first_task])


def test_without_workers_the_answer_is_empty(house: Make) -> None:
    it = house(workers=0)
    it.ask(KeepSetup(5, "s", b"f", b"p"))
    assert it.turn() == {CLIENT: [EverywhereRan(5, [], [], [])]}


def test_what_fails_where_it_is_tried_is_not_kept(house: Make) -> None:
    it = house(workers=2)
    asked = keep(it, "s")
    it.say(1, HereRan(asked[1].request, None, FAILURE))
    it.lose(2)
    (answer,) = it.turn()[CLIENT]
    assert answer.failures[0] == FAILURE
    assert answer.failures[1].kind is FailureKind.WORKER_DIED
    assert it.machine.setups.names == []
    it.join(3)
    assert calls(it.turn()) == {}


def test_a_worker_that_comes_and_fails_is_let_go(house: Make) -> None:
    it = house(workers=0)
    keep(it, "s")
    it.submit(["t"])
    it.join(1)
    (call,) = calls(it.turn())[1]
    it.say(1, HereRan(call.request, None, FAILURE))
    assert it.turn() == {1: [LeaveCluster("its set-up 's' failed: no such licence")]}
    it.lose(1, "it left")
    assert it.machine.tables.tasks["t"].state == "queued"
    assert it.machine.setups.names == ["s"]


def test_it_outlives_the_client(house: Make) -> None:
    it = house(workers=1)
    asked = keep(it, "s")
    it.lose(CLIENT)
    it.say(1, HereRan(asked[1].request, b"v", None))
    assert CLIENT not in it.turn()
    it.join(2)
    assert [one.function for one in calls(it.turn())[2]] == [b"f"]


def test_dropping(house: Make) -> None:
    it = house(workers=1)
    asked = keep(it, "s")
    it.say(1, HereRan(asked[1].request, b"v", None))
    it.turn()
    it.ask(DropSetup(2, "s", b"undo", b"q"))
    (call,) = calls(it.turn())[1]
    assert (call.function, call.payload, call.before_tasks) == (b"undo", b"q", False)
    it.say(1, HereRan(call.request, b"v", None))
    assert it.turn() == {CLIENT: [EverywhereRan(2, ["tcp://w1"], [b"v"], [None])]}
    it.ask(DropSetup(3, "s", b"undo", b"q"))
    (refused,) = it.turn()[CLIENT]
    assert isinstance(refused, RequestRefused)
    assert "'s'" in refused.reason
    it.join(2)
    assert calls(it.turn()) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only makes
@given(
    deeds=st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=12)), max_size=30
    )
)
def test_no_more_is_kept_than_may_be(house: Make, deeds: list[tuple[str, bytes | None]]) -> None:
    it = house(workers=0, setups_max=2, setups_nbytes_max=20)
    model: dict[str, int] = {}
    for name, payload in deeds:
        if payload is None:
            it.ask(DropSetup(1, name, b"", b""))
            fits = model.pop(name, None) is not None
        else:
            it.ask(KeepSetup(1, name, b"f", payload))
            others = {one: size for one, size in model.items() if one != name}
            fits = len(others) < 2 and sum(others.values()) + 1 + len(payload) <= 20
            if fits:
                model = {**others, name: 1 + len(payload)}
        (answer,) = it.turn()[CLIENT]
        assert type(answer) is (EverywhereRan if fits else RequestRefused)
        assert it.machine.setups.names == list(model)
