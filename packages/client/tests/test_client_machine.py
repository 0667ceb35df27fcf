"""The client's machine: futures counted, messages in, messages and wake-ups out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Struct

from hocket.client.batches import TaskBatch, TaskOptions
from hocket.client.invariants import check
from hocket.client.machine import (
    CANCELLED,
    FAILED,
    LOST,
    PENDING,
    STORED,
    ClientMachine,
    FutureState,
    Watch,
)
from hocket.core.errors import DuplicateKey, PeerLost
from hocket.protocol.messages import (
    CancelTasks,
    DescribeCluster,
    ExplainKeys,
    Explanation,
    Failure,
    FailureKind,
    ForgetFunctions,
    KeysExplained,
    KeysLost,
    KeysRebalanced,
    KeysReplicated,
    KeysScattered,
    LocateKeys,
    RebalanceKeys,
    ReleaseKeys,
    ReplicateKeys,
    RequestRefused,
    RetireWorkers,
    ScatterAccepted,
    SubmitTasks,
    TasksCancelled,
    TasksErred,
    TasksStored,
    WantKeys,
    WorkersRetired,
)
from hocket.protocol.serialize import FunctionPickle

FUNCTION = FunctionPickle(b"d" * 16, b"blob", "f", [])
GONE = PeerLost(address="tcp://x:1", reason="gone")


def nothing() -> None:
    pass


def batch(keys: Sequence[str], **columns: Any) -> TaskBatch:
    return TaskBatch([FUNCTION], list(keys), [b"p"] * len(keys), **columns)


def failure(key: str) -> Failure:
    return Failure(FailureKind.RAISED, key, "text")


def stored(*keys: str, value: bytes | None = b"v") -> TasksStored:
    return TasksStored(list(keys), [7] * len(keys), [value] * len(keys))


def sent(machine: ClientMachine) -> list[Struct]:
    return [message for frame in machine.take_frames(10**9) for message in frame]


# ---------------------------------------------------------------------- submitting


def test_a_batch_becomes_one_message_of_columns() -> None:
    machine = ClientMachine("token")
    states = machine.submit(batch(["a", "b"], references=[["x", "y"], ["y", "a"]]))
    assert [(state.key, state.status) for state in states] == [("a", PENDING), ("b", PENDING)]
    (message,) = sent(machine)
    assert message == SubmitTasks(
        functions=[b"d" * 16],
        labels=["f"],
        blobs=[b"blob"],
        keys=["a", "b", "x", "y"],
        function_of=[],
        payloads=[b"p", b"p"],
        dependencies=[[2, 3], [3, 0]],
        ranks=[],
    )
    assert not machine.has_output
    assert set(machine.states) == {"a", "b"}


def test_only_wanted_tasks_have_states() -> None:
    machine = ClientMachine("token")
    states = machine.submit(batch(["a", "b", "c"], wanted=[2, 0]))
    assert [state.key for state in states] == ["c", "a"]
    assert set(machine.states) == {"a", "c"}
    (message,) = sent(machine)
    assert message.wanted == [2, 0]


def test_numbers_are_given_once() -> None:
    machine = ClientMachine("token")
    assert [machine.take_numbers(3), machine.take_numbers(1), machine.take_numbers(1)] == [0, 3, 4]


def test_the_same_content_under_the_same_key_is_one_task() -> None:
    machine = ClientMachine("token")
    (first,) = machine.submit(batch(["a"], specs=[b"1"]))
    states = machine.submit(batch(["b", "a", "b"], specs=[b"2", b"1", b"2"]))
    assert states[1] is first
    assert states[0] is states[2]
    assert (first.references, states[0].references) == (2, 2)
    assert [message.keys for message in sent(machine)] == [["a"], ["b"]]
    assert machine.submit(batch(["a"], specs=[b"1"])) == [first]
    assert not machine.has_output


@pytest.mark.parametrize("keys", [["a", "c"], ["c", "c"]])
def test_other_content_under_the_same_key_is_refused(keys: list[str]) -> None:
    machine = ClientMachine("token")
    machine.submit(batch(["a"], specs=[b"1"]))
    sent(machine)
    with pytest.raises(DuplicateKey):
        machine.submit(batch(keys, specs=[b"2", b"3"]))
    assert not machine.has_output
    assert set(machine.states) == {"a"}
    check(machine)


def test_a_key_is_free_again_when_it_is_released() -> None:
    machine = ClientMachine("token")
    machine.release(machine.submit(batch(["a"], specs=[b"1"])))
    (state,) = machine.submit(batch(["a"], specs=[b"2"]))
    assert state.references == 1
    # not ReleaseKeys, which is not confirmed
    assert [type(m) for m in sent(machine)] == [SubmitTasks, CancelTasks, SubmitTasks]


def test_a_cancelled_key_may_be_submitted_anew() -> None:
    machine = ClientMachine("token")
    (old,) = machine.submit(batch(["a"], specs=[b"1"]))
    machine.cancel([old])
    (new,) = machine.submit(batch(["a"], specs=[b"2"]))
    assert (old.status, new.status) == (CANCELLED, PENDING)
    sent(machine)
    machine.release([old])
    assert not machine.has_output
    assert machine.find("a") is new


def test_functions_are_sent_once_and_few_are_remembered() -> None:
    machine = ClientMachine("token", functions_known_max=2)

    def submit(*names: bytes) -> list[Struct]:
        functions = [FunctionPickle(name * 16, name, "f", []) for name in names]
        machine.submit(TaskBatch(functions, [f"k{machine.take_numbers(1)}"], [b"p"]))
        return sent(machine)

    (message,) = submit(b"a", b"b")
    assert message.blobs == [b"a", b"b"]
    (message,) = submit(b"a")
    assert message.blobs == [None]
    message, forgotten = submit(b"c")
    assert message.blobs == [b"c"]
    assert forgotten == ForgetFunctions([b"b" * 16])
    message, forgotten = submit(b"b", b"a", b"d")
    assert message.blobs == [b"b", None, b"d"]
    assert forgotten == ForgetFunctions([b"c" * 16])


def test_frames_are_ended_by_size() -> None:
    machine = ClientMachine("token")
    for number, nbytes in enumerate([5, 5, 1, 20, 3, 8]):
        machine.post(DescribeCluster(number), nbytes)
    frames = [[message.request for message in frame] for frame in machine.take_frames(10)]
    assert frames == [[0, 1], [2], [3], [4], [5]]
    assert machine.take_frames(10) == []


# ---------------------------------------------------------------------- futures


def test_values_and_failures() -> None:
    machine = ClientMachine("token")
    a, b, c = machine.submit(batch("abc"))
    machine.receive(stored("a", "unknown"))
    machine.receive(stored("b", value=None))
    machine.receive(TasksErred(["c", "unknown"], [failure("c"), failure("unknown")]))
    assert (a.status, a.value, a.nbytes) == (STORED, b"v", 7)
    assert (b.status, b.value) == (STORED, None)
    assert (c.status, c.failure) == (FAILED, failure("c"))
    check(machine)


def test_a_lost_value_is_pending_unless_it_came_along() -> None:
    machine = ClientMachine("token")
    a, b, c = machine.submit(batch("abc"))
    machine.receive(stored("a"))
    machine.receive(stored("b", value=None))
    machine.receive(KeysLost(["a", "b", "c", "unknown"]))
    assert [one.status for one in (a, b, c)] == [STORED, PENDING, PENDING]


def test_cancelling() -> None:
    machine = ClientMachine("token")
    a, b, c = machine.submit(batch("abc"))
    machine.receive(stored("a"))
    sent(machine)
    watch = Watch(nothing)
    machine.watch([b, c], watch)
    machine.cancel([a, b, c, b])
    assert sent(machine) == [CancelTasks(["b", "c"])]
    assert machine.take_fired() == [watch]
    # c was running and has its value after all
    machine.receive(stored("c", "b"))
    machine.receive(TasksErred(["c"], [failure("c")]))
    machine.receive(TasksCancelled(["b", "c"]))
    assert [one.status for one in (a, b, c)] == [STORED, CANCELLED, CANCELLED]
    machine.cancel([a, b, c])
    assert not machine.has_output
    check(machine)


@pytest.mark.parametrize("leave", ["cancel", "release"])
def test_late_news_of_a_key_are_not_taken_for_news_of_its_next_task(leave: str) -> None:
    machine = ClientMachine("token")
    old = machine.submit(batch(["a"], specs=[b"1"]))
    machine.cancel(old) if leave == "cancel" else machine.release(old)
    (new,) = machine.submit(batch(["a"], specs=[b"2"]))
    machine.receive(stored("a", value=b"old"))
    machine.receive(TasksErred(["a"], [failure("a")]))
    machine.receive(KeysLost(["a"]))
    assert new.status is PENDING
    machine.receive(TasksCancelled(["a"]))
    machine.receive(stored("a", value=b"new"))
    assert new.value == b"new"


def test_a_key_that_was_left_twice_is_confirmed_twice() -> None:
    machine = ClientMachine("token")
    for _ in range(2):
        machine.cancel(machine.submit(batch(["a"], specs=[b"1"])))
    (new,) = machine.submit(batch(["a"], specs=[b"2"]))
    machine.receive(TasksCancelled(["a"]))
    machine.receive(stored("a", value=b"old"))
    assert new.status is PENDING
    machine.receive(TasksCancelled(["a"]))
    machine.receive(stored("a", value=b"new"))
    assert new.value == b"new"


def test_release_by_the_last_future() -> None:
    machine = ClientMachine("token")
    a, b = machine.submit(batch("ab"))
    machine.retain(a)
    sent(machine)
    machine.release([a, b])
    assert sent(machine) == [ReleaseKeys(["b"])]
    machine.release([a])
    assert sent(machine) == [ReleaseKeys(["a"])]
    assert machine.states == {}
    # what was dropped by the user without a release, is no news
    machine.release([FutureState("a", references=0)])
    assert not machine.has_output


def test_wanting_keys_of_others() -> None:
    machine = ClientMachine("token")
    state = machine.want("x")
    assert machine.want("x") is state
    assert state.references == 2
    assert sent(machine) == [WantKeys(["x"])]


# ---------------------------------------------------------------------- watches


def test_a_watch_is_woken_once_when_all_are_there() -> None:
    machine = ClientMachine("token")
    a, b, c = machine.submit(batch("abc"))
    machine.receive(stored("a"))
    watch = Watch(nothing)
    assert machine.watch([a, b, c, b], watch) == 3
    machine.receive(stored("b"))
    assert machine.take_fired() == []
    machine.receive(TasksErred(["c"], [failure("c")]))
    assert machine.take_fired() == [watch]
    assert all(one.watches is None for one in (a, b, c))
    assert machine.watch([a, b, c], watch) == 0


def test_a_failure_may_end_the_wait() -> None:
    machine = ClientMachine("token")
    a, b, c = machine.submit(batch("abc"))
    watch = Watch(nothing, first_failure=True)
    assert machine.watch([a, b, c], watch) == 3
    machine.receive(stored("a"))
    assert machine.take_fired() == []
    machine.receive(TasksErred(["b"], [failure("b")]))
    assert machine.take_fired() == [watch]
    machine.receive(TasksErred(["c"], [failure("c")]))
    assert machine.take_fired() == []
    late = Watch(nothing, first_failure=True)
    (d,) = machine.submit(batch("d"))
    assert machine.watch([d, b], late) == 0
    assert d.watches is None


def test_a_watch_of_each_hears_of_each() -> None:
    machine = ClientMachine("token")
    states = machine.submit(batch("abc"))
    watch = Watch(nothing, every=True)
    machine.watch(states, watch)
    machine.receive(stored("c", "a"))
    assert machine.take_fired() == [watch]
    assert watch.arrived == [states[2], states[0]]
    machine.receive(stored("b"))
    assert machine.take_fired() == [watch]
    assert watch.arrived == [states[2], states[0], states[1]]


def test_two_watches_of_one_state() -> None:
    machine = ClientMachine("token")
    states = machine.submit(batch("ab"))
    first, second = Watch(nothing), Watch(nothing)
    machine.watch(states, first)
    machine.watch(states, second)
    machine.unwatch(states, first)
    machine.receive(stored("a", "b"))
    assert machine.take_fired() == [second]
    assert first.missing == 0


# ---------------------------------------------------------------------- questions


def test_answers_find_their_questions() -> None:
    machine = ClientMachine("token")
    first = machine.ask(DescribeCluster, nothing)
    second = machine.ask(lambda number: LocateKeys(number, ["a"]), nothing)
    assert [message.request for message in sent(machine)] == [first.number, second.number]
    machine.receive(RequestRefused(second.number, "no"))
    assert machine.take_fired() == [second]
    assert second.reply == RequestRefused(second.number, "no")
    machine.withdraw(first)
    machine.receive(RequestRefused(first.number, "late"))
    assert (machine.take_fired(), first.reply) == ([], None)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (lambda n: ExplainKeys(n, ["a"]), lambda n: KeysExplained(n, [Explanation("a", "", "")])),
        (lambda n: ReplicateKeys(n, ["a"], 2), lambda n: KeysReplicated(n, [2])),
        (RebalanceKeys, lambda n: KeysRebalanced(n, 1, 7)),
        (lambda n: RetireWorkers(n, ["w"]), lambda n: WorkersRetired(n, ["w"])),
    ],
)
def test_every_question_has_its_answer(question: Any, answer: Any) -> None:
    machine = ClientMachine("token")
    other = machine.ask(DescribeCluster, nothing)
    request = machine.ask(question, nothing)
    assert sent(machine)[1:] == [question(request.number)]
    assert set(machine.requests) == {other.number, request.number}
    check(machine)
    machine.receive(answer(request.number))
    assert machine.take_fired() == [request]
    assert request.reply == answer(request.number)
    machine.receive(answer(request.number))
    machine.receive(answer(99))
    assert machine.take_fired() == []
    assert set(machine.requests) == {other.number}
    check(machine)


def test_tasks_travel_with_their_options() -> None:
    machine = ClientMachine("token")
    options = TaskOptions(retries=1, retry_delay_s=0.5, executor="loop", resources={"memory": 5e9})
    machine.submit(batch(["a"], options=options))
    machine.submit_call("f-", FUNCTION, b"p", [], options)
    machine.submit(batch(["c", "d"], specs=[b"1", b"2"], options=options))
    machine.submit(batch(["c", "e"], specs=[b"1", b"3"], options=options))
    messages = sent(machine)
    assert [message.keys for message in messages] == [["a"], ["f-0"], ["c", "d"], ["e"]]
    for message in messages:
        assert (message.retry_delay_s, message.executor) == (0.5, "loop")
        assert message.resources == {"memory": 5e9}


def test_scattered_values_are_pending_until_they_are_accepted() -> None:
    machine = ClientMachine("token")
    request, states = machine.scattered(
        lambda number: KeysScattered(number, ["a"], [5], [["w"]]), ["a"], nothing
    )
    watch = Watch(nothing)
    assert machine.watch(states, watch) == 1
    machine.receive(ScatterAccepted(request.number))
    machine.accept_scattered(states, [5])
    assert machine.take_fired() == [request, watch]
    assert (states[0].status, states[0].nbytes) == (STORED, 5)
    machine.accept_scattered(states, [6])
    assert states[0].nbytes == 5


def test_the_end_tells_everybody() -> None:
    machine = ClientMachine("token")
    a, b = machine.submit(batch("ab"))
    machine.receive(stored("a"))
    watch = Watch(nothing)
    machine.watch([b], watch)
    request = machine.ask(DescribeCluster, nothing)
    machine.close(GONE, lost=True)
    assert set(machine.take_fired()) == {watch, request}
    assert request.error is GONE
    assert [a.status, b.status] == [STORED, LOST]
    assert not machine.has_output
    machine.close(PeerLost(address="y", reason="again"))
    assert machine.closed is GONE
    machine.release([a, b])
    machine.cancel([b])
    assert not machine.has_output
    for call in (
        lambda: machine.submit(batch("c")),
        lambda: machine.want("c"),
        lambda: machine.ask(DescribeCluster, nothing),
    ):
        with pytest.raises(PeerLost):
            call()
    check(machine)


def test_leaving_cancels() -> None:
    machine = ClientMachine("token")
    (state,) = machine.submit(batch("a"))
    machine.close(GONE)
    assert state.status is CANCELLED


def test_to_start_anew_is_to_want_nothing() -> None:
    machine = ClientMachine("token")
    stored, pending = machine.submit(batch("ab"))
    machine.receive(TasksStored(["a"], [8], [b"value"]))
    watch = Watch(lambda: None)
    machine.watch([pending], watch)
    machine.cancel_all()
    check(machine)
    assert (stored.status, stored.value, pending.status) == (CANCELLED, None, CANCELLED)
    assert machine.take_fired() == [watch]
    assert machine.take_frames(1000)[-1][-1] == CancelTasks(["a", "b"])
    machine.release([stored, pending])
    assert machine.states == {}
