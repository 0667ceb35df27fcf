"""Actors of a worker: calls in order, each taken once, whatever comes twice, late or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    ACTORS,
    ActorSaved,
    CallActors,
    CancelCalls,
    CheckpointsKept,
    DropData,
    FailureKind,
    RestoreActor,
    RunTasks,
)
from hocket.worker.actors import Actor, Actors
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine


def calls(numbers: list[int], key: str = "a", attempt: int = 1, caller: str = "c1") -> CallActors:
    count = len(numbers)
    methods = [f"m{number}" for number in numbers]
    return CallActors(
        caller, [key] * count, [attempt] * count, numbers, methods, [0] * count, [b""] * count
    )


def run_all(actors: Actors, actor: Actor) -> list[int]:
    numbers = []
    while (call := actors.take(actor)) is not None:
        numbers.append(call.number)
        actors.end(actor, call, b"%d" % call.number, None)
    return numbers


@pytest.fixture
def actors() -> Actors:
    return Actors("w")


@pytest.fixture
def actor(actors: Actors) -> Actor:
    return actors.open("a", 1, (), {})


def test_calls_are_taken_in_order_and_answered_where_they_came_from(actors, actor):
    actors.receive(7, calls([1, 2]))
    actors.receive(8, calls([1], caller="c2"))
    assert run_all(actors, actor) == [1, 2, 1]
    replies = dict(actors.take_replies())
    assert replies[7][0].numbers == [1, 2]
    assert replies[7][0].values == [b"1", b"2"]
    assert replies[8][0].numbers == [1]
    assert actors.take_replies() == []


def test_what_comes_twice_is_taken_once_on_whatever_connection(actors, actor):
    actors.receive(7, calls([1, 2]))
    actors.receive(9, calls([2, 3]))
    assert run_all(actors, actor) == [1, 2, 3]
    actors.receive(9, calls([1, 3]))
    assert run_all(actors, actor) == []


def test_the_shell_is_told_of_the_next_call_only_if_it_waits(actors, actor):
    actors.receive(7, calls([1]))
    assert actors.take_woken() == ()
    assert run_all(actors, actor) == [1]
    actors.receive(7, calls([2, 3]))
    assert actors.take_woken() == [actor]
    assert actors.take_woken() == ()


def test_calls_of_another_incarnation_are_refused(actors, actor):
    actors.receive(7, calls([1], attempt=2))
    actors.receive(7, calls([1], key="b"))
    [(_, [message])] = actors.take_replies()
    assert [failure.kind for failure in message.failures] == [FailureKind.ACTOR_LOST] * 2
    assert run_all(actors, actor) == []


def test_an_actor_that_is_let_go_of_refuses_what_has_not_begun(actors, actor):
    assert actors.take(actor) is None
    actors.receive(7, calls([1, 2]))
    call = actors.take(actor)
    assert actors.close("a", 2) is None
    assert actors.close("a", 1) is actor
    assert actor.is_over
    assert actors.take_woken() == [actor]
    assert actors.take(actor) is None
    actors.end(actor, call, b"1", None)
    [(_, [message])] = actors.take_replies()
    assert message.numbers == [2, 1]
    assert [failure is None for failure in message.failures] == [False, True]


def test_what_a_lost_caller_had_not_begun_is_not_begun(actors, actor):
    actors.receive(7, calls([1, 2]))
    actors.receive(8, calls([1], caller="c2"))
    first = actors.take(actor)
    actors.lost(7)
    actors.end(actor, first, b"", None)
    assert actors.take(actor).caller == "c2"
    assert actors.take(actor) is None


def test_a_checkpoint_says_which_calls_are_in_it(actors, actor):
    actors.receive(7, calls([1, 2, 3]))
    actors.receive(8, calls([5], caller="c2"))
    first = actors.take(actor)
    second = actors.take(actor)
    saved = actors.end_saved(actor, first, b"1", None, b"state")
    # The second had begun: the state may hold a part of it.
    assert saved == ActorSaved("a", 1, b"state", ["c1"], [1], 1)
    actors.kept(CheckpointsKept(["a", "a"], [1, 2], [1, 7]))
    actors.end(actor, second, b"2", None)
    third = actors.take(actor)
    saved = actors.end_saved(actor, third, b"3", None, b"state")
    assert saved == ActorSaved("a", 1, b"state", ["c1"], [3], 2)
    # Only what the scheduler has counts.
    [(_, [message])] = actors.take_replies()
    assert message.saved == [0, 1, 1]
    actors.kept(CheckpointsKept(["a"], [1], [2]))
    assert actor.saved == {"c1": 3}
    assert not actor.unkept


def test_an_actor_that_is_restored_goes_on_where_it_was_saved(actors):
    actors.to_restore(RestoreActor("a", 4, b"state", ["c1"], [7]))
    assert actors.restoring("a", 4).state == b"state"
    actor = actors.open("a", 4, (), {})
    assert actors.restoring("a", 4) is None
    actors.receive(7, calls([6, 7, 8], attempt=4))
    assert run_all(actors, actor) == [8]
    [(_, [message])] = actors.take_replies()
    assert message.saved == [7]


def test_many_answers_go_in_several_messages(actors, actor):
    actors.receive(7, calls([1, 2, 3]))
    while (call := actors.take(actor)) is not None:
        actors.end(actor, call, bytes(3 << 20), None)
    [(_, messages)] = actors.take_replies()
    assert [message.numbers for message in messages] == [[1], [2], [3]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["c1", "c2"]),
            st.integers(1, 6),
            st.integers(1, 3),
            st.sampled_from(["come", "come", "take", "lose"]),
        ),
        max_size=40,
    )
)
def test_whatever_comes_each_call_is_taken_once_and_in_order(events):
    actors = Actors("w")
    actor = actors.open("a", 1, (), {})
    taken: dict[str, list[int]] = {"c1": [], "c2": []}
    answered = 0
    for caller, number, channel, what in events:
        if what == "come":
            actors.receive(channel, calls([number], caller=caller))
        elif what == "lose":
            actors.lost(channel)
        else:
            call = actors.take(actor)
            if call is not None:
                taken[call.caller].append(call.number)
                actors.end(actor, call, b"", None)
                answered += 1
    for numbers in taken.values():
        assert numbers == sorted(set(numbers))
    replies = sum(len(one.numbers) for _, messages in actors.take_replies() for one in messages)
    assert replies <= answered


def machine() -> WorkerMachine:
    return WorkerMachine(
        name="w",
        address="tcp://w:1",
        settings=WorkerSettings(),
        resources={"GPU": 2, "license": 1},
        executors={"threads": 1, ACTORS: 2},
    )


def run_actor(attempt: int, resources: dict[str, float]) -> RunTasks:
    return RunTasks(
        [b"d" * 16],
        ["Counter"],
        [b"blob"],
        ["a"],
        [attempt],
        [0],
        [],
        [b"payload"],
        [],
        [],
        resources=resources,
        executor=ACTORS,
    )


def test_an_actor_keeps_what_its_task_reserved_until_it_is_dropped():
    worker = machine()
    worker.handle([run_actor(3, {"GPU": 1, "license": 0.5})], 0.0)
    assert worker.take() is None
    task = worker.take(ACTORS)
    worker.executed(task, "reference", 100, 0.0, 0.1, b"reference")
    check(worker)
    actor = worker.tables.actors.find("a", 3)
    assert actor is not None
    assert actor.devices == {"GPU": (0,)}
    assert worker.tables.resources.free == {"GPU": 1_000_000, "license": 500_000}
    assert worker.running_count == 0
    worker.handle([DropData(["a"], [3])], 0.0)
    check(worker)
    assert actor.is_over
    assert worker.tables.actors.find("a", 3) is None
    assert worker.tables.resources.free == {"GPU": 2_000_000, "license": 1_000_000}


def test_an_actor_that_nobody_waits_for_any_more_keeps_nothing():
    worker = machine()
    worker.handle([RestoreActor("a", 3, b"s", [], []), run_actor(3, {"GPU": 1})], 0.0)
    task = worker.take(ACTORS)
    worker.handle([run_actor(4, {})], 0.0)
    worker.executed(task, "reference", 100, 0.0, 0.1)
    check(worker)
    assert worker.tables.actors.restoring("a", 3) is None
    assert worker.tables.resources.free["GPU"] == 2_000_000
    assert not worker.tables.actors.by_key


def test_checkpoints_of_one_actor_go_out_as_the_last_of_them():
    worker = machine()
    for state in (b"1", b"2"):
        worker.tables.outbox.saved(ActorSaved("a", 1, state, [], []))
    assert worker.take_outbox() == [ActorSaved("a", 1, b"2", [], [])]


def test_a_worker_that_leaves_hands_back_what_has_not_begun(actors, actor):
    actors.receive(7, calls([1, 2, 3]))
    first = actors.take(actor)
    idle = actors.open("b", 2, (), {})
    assert actors.take(idle) is None
    actors.leave()
    assert actors.take_woken() == [idle]
    # What runs ends, and is in the last checkpoint; what comes late goes back as well.
    assert actors.take(actor) is None
    actors.end(actor, first, b"1", None)
    actors.receive(7, calls([3, 4]))
    saved = actors.save(actor, b"state")
    assert (saved.callers, saved.numbers, saved.serial) == (["c1"], [1], 1)
    ((_, (message,)),) = actors.take_replies()
    assert message.numbers == [2, 3, 1, 4]
    kinds = [failure and failure.kind for failure in message.failures]
    assert kinds == [FailureKind.NOT_MADE, FailureKind.NOT_MADE, None, FailureKind.NOT_MADE]
    assert message.values == [b"", b"", b"1", b""]


def test_a_call_that_has_not_begun_is_cancelled_and_one_that_runs_is_the_shells(actors, actor):
    actors.receive(7, calls([1, 2, 3]))
    assert actors.take(actor).number == 1
    actors.receive(7, CancelCalls("c1", ["a", "a", "a", "b"], [1, 1, 2, 1], [1, 2, 3, 1]))
    assert actors.take_unwanted() == [(actor, "c1", 1)]
    assert actors.take_unwanted() == ()
    ((_, (message,)),) = actors.take_replies()
    assert (message.numbers, message.values) == ([2], [None])
    assert [one.kind for one in message.failures] == [FailureKind.CANCELLED]
    # Another's of the same number, and what comes twice, are nobody's.
    actors.receive(7, CancelCalls("c2", ["a", "a"], [1, 1], [3, 1]))
    assert actors.take_unwanted() == ()
    assert [one.number for one in actor.calls] == [3]
    assert not actors.has_replies
