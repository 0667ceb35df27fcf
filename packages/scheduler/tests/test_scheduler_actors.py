"""Actors in the scheduler: where they live, what they keep, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest
from scheduler_house import CLIENT, House

from hocket.protocol.messages import (
    ACTORS,
    ActorSaved,
    ActorsPlaced,
    ActorsRestarting,
    CheckpointsKept,
    DropData,
    ExplainKeys,
    FailureKind,
    KeysExplained,
    LeaveCluster,
    ListTasks,
    ReleaseKeys,
    ReplicasStored,
    RequestRefused,
    RestoreActor,
    RetireWorkers,
    RunTasks,
    TaskPlace,
    TasksErred,
    TasksListed,
    WantKeys,
    WorkerLeaving,
)


def actors_house(workers: int = 2, **more: Any) -> House:
    it = House(workers=0)
    for id_ in range(1, workers + 1):
        join(it, id_, **more)
    return it


def join(it: House, id_: int, **more: Any) -> None:
    it.join(id_, executors={"threads": 1, ACTORS: 8}, calls_address=f"calls://w{id_}", **more)


def of_type(out: dict[int, list[Any]], id_: int, kind: type[Any]) -> Any:
    found = [one for one in out.get(id_, []) if type(one) is kind]
    return found[0] if found else None


def runs(out: dict[int, list[Any]]) -> dict[str, tuple[int, int]]:
    """Return per key the worker that is to run it, and the attempt."""
    return {
        key: (id_, attempt)
        for id_, messages in out.items()
        for message in messages
        if type(message) is RunTasks
        for key, attempt in zip(message.keys, message.attempts, strict=True)
    }


def live(it: House, key: str = "a", state: bytes | None = None, **more: Any) -> tuple[int, int]:
    """Have an actor made; return its worker and its incarnation."""
    it.submit([key], executor=ACTORS, **more)
    id_, attempt = runs(it.turn())[key]
    if state is not None:
        it.say(id_, ActorSaved(key, attempt, state, [], []))
    it.done(id_, key, attempt, b"reference")
    return id_, attempt


@pytest.fixture
def it() -> House:
    return actors_house()


def test_clients_are_told_where_an_actor_is(it):
    id_, attempt = live(it)
    placed = of_type(it.turn(), CLIENT, ActorsPlaced)
    assert placed == ActorsPlaced(["a"], [attempt], [f"w{id_}"], [f"calls://w{id_}"], [[]], [[]])
    it.machine.client_joined(101, "late")
    it.say(101, WantKeys(["a"]))
    assert of_type(it.turn(), 101, ActorsPlaced) == placed


def test_actors_spread_over_workers_though_none_has_anything_to_do(it):
    homes = [live(it, key)[0] for key in "abcd"]
    assert sorted(homes) == [1, 1, 2, 2]


def test_workers_without_that_executor_keep_none():
    it = House(workers=1)
    it.submit(["a"], executor=ACTORS)
    assert not runs(it.turn())
    it.say(CLIENT, ExplainKeys(1, ["a"]))
    explained = of_type(it.turn(), CLIENT, KeysExplained)
    assert "actors" in str(explained)


def test_an_actor_keeps_its_resources_until_it_is_let_go_of():
    it = actors_house(workers=1, resources={"GPU": 1})
    id_, attempt = live(it, resources={"GPU": 1.0})
    it.turn()
    it.submit(["t"], resources={"GPU": 1.0})
    assert not runs(it.turn())
    it.say(CLIENT, ReleaseKeys(["a"]))
    out = it.turn()
    assert of_type(out, id_, DropData) == DropData(["a"], [attempt])
    assert "t" in {**runs(out), **runs(it.turn())}


def test_without_a_checkpoint_it_is_lost_with_its_worker_and_not_made_again(it):
    id_, attempt = live(it)
    other = 3 - id_
    it.submit(["t"], [[1]], known=["a"])
    reader, number = runs(it.turn())["t"]
    it.say(other, ReplicasStored(["a"], [attempt]))
    it.done(reader, "t", number)
    it.machine.peer_lost(id_, "it burnt", 0.0)
    out = it.turn()
    erred = of_type(out, CLIENT, TasksErred)
    assert erred.keys == ["a"]
    failure = erred.failures[0]
    assert failure.kind is FailureKind.ACTOR_LOST
    assert (failure.worker, failure.text, failure.attempt) == (f"w{id_}", "it burnt", attempt)
    # A copy of what stands for it is no actor.
    assert "a" in of_type(out, other, DropData).keys
    assert it.state("a") == "failed"
    assert not runs(it.turn())


def test_with_a_checkpoint_it_is_restarted_elsewhere_from_that(it):
    id_, attempt = live(it, state=b"0")
    it.turn()
    it.say(id_, ActorSaved("a", attempt, b"7", ["c1"], [7], 4))
    assert of_type(it.turn(), id_, CheckpointsKept) == CheckpointsKept(["a"], [attempt], [4])
    it.machine.peer_lost(id_, "it burnt", 0.0)
    out = it.turn()
    other = 3 - id_
    restarting = of_type(out, CLIENT, ActorsRestarting)
    assert restarting == ActorsRestarting(["a"], [attempt], ["it burnt"])
    again, incarnation = runs(out)["a"]
    assert again == other
    kinds = [type(one) for one in out[other]]
    assert kinds.index(RestoreActor) < kinds.index(RunTasks)
    restore = of_type(out, other, RestoreActor)
    assert restore == RestoreActor("a", incarnation, b"7", ["c1"], [7])
    it.done(other, "a", incarnation, b"reference")
    placed = of_type(it.turn(), CLIENT, ActorsPlaced)
    assert placed == ActorsPlaced(
        ["a"], [incarnation], [f"w{other}"], [f"calls://w{other}"], [["c1"]], [[7]]
    )


def test_a_checkpoint_of_another_incarnation_or_worker_is_passed_over(it):
    id_, attempt = live(it, state=b"0")
    it.say(3 - id_, ActorSaved("a", attempt, b"x", [], []))
    it.say(id_, ActorSaved("a", attempt + 1, b"x", [], []))
    it.say(id_, ActorSaved("unknown", attempt, b"x", [], []))
    [actor] = it.machine.tables.actors.values()
    assert actor.state == b"0"


def test_an_actor_that_dies_again_and_again_before_it_does_anything_is_given_up():
    it = actors_house(workers=4)
    live(it, state=b"0")
    for _ in range(3):
        [actor] = it.machine.tables.actors.values()
        it.machine.peer_lost(actor.home.id, "it burnt", 0.0)
        out = it.turn()
        if "a" in runs(out):
            id_, attempt = runs(out)["a"]
            it.done(id_, "a", attempt, b"reference")
    erred = of_type(out, CLIENT, TasksErred)
    assert erred.failures[0].text == "it burnt; it burnt; it burnt"
    assert it.state("a") == "failed"


def test_one_that_has_done_something_since_is_restarted_as_often_as_it_takes():
    it = actors_house(workers=5)
    id_, attempt = live(it, state=b"0")
    for _ in range(4):
        it.say(id_, ActorSaved("a", attempt, b"1", [], []))
        it.machine.peer_lost(id_, "it burnt", 0.0)
        id_, attempt = runs(it.turn())["a"]
        it.done(id_, "a", attempt, b"reference")
    assert it.state("a") == "stored"


def test_nobody_restarts_what_nobody_wants(it):
    id_, _ = live(it, state=b"0")
    it.say(CLIENT, ReleaseKeys(["a"]))
    it.machine.peer_lost(id_, "it burnt", 0.0)
    assert not runs(it.turn())
    assert not it.machine.tables.actors
    assert not it.machine.tables.tasks


def test_it_may_be_let_go_of_while_it_is_restarted():
    it = actors_house(workers=1)
    id_, _ = live(it, state=b"0")
    it.machine.peer_lost(id_, "it burnt", 0.0)
    it.turn()
    it.say(CLIENT, ReleaseKeys(["a"]))
    assert not it.machine.tables.actors
    join(it, 2)
    assert not runs(it.turn())


def test_it_is_listed_where_it_lives_and_explained(it):
    id_, attempt = live(it, state=b"12345")
    for place in (TaskPlace.ASSIGNED, TaskPlace.RUNNING, TaskPlace.HELD):
        it.say(CLIENT, ListTasks(1, place, [f"w{id_}"]))
        assert of_type(it.turn(), CLIENT, TasksListed).keys == [["a"]]
    it.say(CLIENT, ExplainKeys(2, ["a"]))
    text = of_type(it.turn(), CLIENT, KeysExplained).explanations[0].text
    assert f"lives on w{id_} (incarnation {attempt})" in text
    assert "checkpoint of 5 B" in text


def test_a_worker_with_actors_that_would_be_lost_is_not_retired(it):
    id_, _ = live(it)
    it.turn()
    it.say(CLIENT, RetireWorkers(1, [f"w{id_}"]))
    refused = of_type(it.turn(), CLIENT, RequestRefused)
    assert "1 actors without checkpoints (a)" in refused.reason
    assert "__checkpoint__" in refused.reason


def test_a_worker_that_wants_to_leave_waits_for_its_actors(it):
    id_, _ = live(it)
    it.say(id_, WorkerLeaving("time is over"))
    assert of_type(it.turn(), id_, LeaveCluster) is None
    it.say(CLIENT, ReleaseKeys(["a"]))
    assert of_type(it.turn(), id_, LeaveCluster) is not None


def test_actors_with_checkpoints_go_elsewhere_when_their_worker_leaves(it):
    id_, _ = live(it, state=b"0")
    it.say(id_, WorkerLeaving("time is over"))
    assert of_type(it.turn(), id_, LeaveCluster) is not None
    it.machine.peer_lost(id_, "it left", 0.0)
    assert runs(it.turn())["a"][0] == 3 - id_


def test_locks_that_an_actor_took_last_as_long_as_it_does(it):
    id_, attempt = live(it)
    is_running = it.machine.coordination.register.tasks.is_running
    assert is_running("a", attempt)
    assert not is_running("a", attempt + 1)
    it.machine.peer_lost(id_, "it burnt", 0.0)
    assert not is_running("a", attempt)


def test_what_an_actor_keeps_draws_no_task_to_its_worker_that_needs_it():
    it = actors_house(resources={"GPU": 2})
    home, attempt = live(it, resources={"GPU": 1.0})
    other = 3 - home
    it.turn()
    # Its reader would be nearest there, and would wait for as long as the actor lives.
    it.submit(["t"], [[1]], known=["a"], resources={"GPU": 1.5})
    out = runs(it.turn())
    assert out["t"][0] == other
    assert attempt
