"""The worker's machine, promise by promise."""

from __future__ import annotations

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    DropFunctions,
    Failure,
    FailureKind,
    HereRan,
    InputsMissing,
    RecallTasks,
    ReplicasStored,
    RunHere,
    RunTasks,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksReturned,
)
from hocket.protocol.roles import Role
from hocket.worker.invariants import check
from hocket.worker.machine import PENDING_NBYTES_MAX, Answer, WorkerMachine
from hocket.worker.state import Fetch, TaskState

A, B, OWN = "tcp://a:1", "tcp://b:1", "tcp://own:1"


@pytest.fixture
def machine():
    return make()


def make(resources=None, **settings):
    return WorkerMachine(
        name="w", address=OWN, settings=WorkerSettings(**settings), resources=resources, threads=9
    )


def run_tasks(*rows, inputs=(), blob=b"blob", resources=None):
    """Return a message; rows: (key, attempt, [indices]); inputs: (key, attempt, *holders)."""
    message = RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[blob],
        keys=[row[0] for row in rows],
        attempts=[row[1] for row in rows],
        priorities=list(range(len(rows))),
        function_of=[],
        payloads=[b"payload"] * len(rows),
        wanted=[],
        inputs=[list(row[2]) if len(row) > 2 else [] for row in rows],
        input_keys=[key for key, _, *_ in inputs],
        input_attempts=[attempt for _, attempt, *_ in inputs],
        input_nbytes=[10 for _ in inputs],
        input_holders=[[(A, B, OWN).index(each) for each in holders] for _, _, *holders in inputs],
        addresses=[A, B, OWN],
        resources=resources or {},
    )
    # As it comes from a socket.
    decoder = decoder_for(Role.SCHEDULER, Role.WORKER)
    return decoder.decode(encode([message]))[0]


def handle(machine, *messages):
    machine.handle(messages, 5.0)
    check(machine)


def reports(machine):
    """Return what is to be sent, but for what has only begun; it passes the codec."""
    messages = machine.take_outbox()
    decoder_for(Role.WORKER, Role.SCHEDULER).decode(encode(messages))
    return [message for message in messages if not isinstance(message, TasksBegun)]


def fetches(machine):
    commands = machine.take_commands()
    assert all(isinstance(command, Fetch) for command in commands)
    return commands


def take_all(machine):
    tasks = []
    while (task := machine.take()) is not None:
        tasks.append(task)
    return tasks


def execute_all(machine, nbytes=8):
    for task in take_all(machine):
        machine.executed(task, f"value of {task.key}", nbytes, 1.0, 0.5, b"inline")
    check(machine)


def test_tasks_are_taken_in_order_and_reported_in_columns(machine):
    handle(machine, run_tasks(("a", 1), ("b", 2)))
    assert machine.ready_count == machine.startable_count == 2
    first, second = take_all(machine)
    assert (first.key, second.key, machine.running_count) == ("a", "b", 2)
    machine.executed(second, "B", 8, 2.0, 0.2, b"b")
    machine.executed(first, "A", 9, 1.0, 0.1)
    (done,) = reports(machine)
    assert done == TasksDone(["b", "a"], [2, 1], [8, 9], [2.0, 1.0], [0.2, 0.1], [b"b", None])
    assert machine.held_nbytes == 17
    assert [datum.value for datum in machine.held(["a", "b"])] == ["A", "B"]
    assert reports(machine) == []


def test_a_report_without_inline_values_has_no_column_of_them(machine):
    handle(machine, run_tasks(("a", 1)))
    machine.executed(machine.take(), "A", 8, 1.0, 0.1)
    assert reports(machine)[0].values == []


def test_a_dependent_of_a_task_here_is_ready_at_once(machine):
    inputs = [("a", 1)]
    handle(machine, run_tasks(("b", 2, [0]), ("a", 1), inputs=inputs))
    assert fetches(machine) == []
    (task,) = take_all(machine)
    machine.executed(task, "A", 8, 1.0, 0.1)
    (dependent,) = take_all(machine)
    assert dependent.key == "b"
    assert [datum.value for datum in dependent.inputs] == ["A"]


def test_an_input_that_several_tasks_share_is_fetched_once(machine):
    inputs = [("x", 7, A), ("y", 8, A), ("z", 9, B)]
    handle(machine, run_tasks(("a", 1, [0, 1]), ("b", 2, [1, 0, 1]), inputs=inputs))
    handle(machine, run_tasks(("c", 3, [0, 2]), inputs=inputs))
    first, second = fetches(machine)
    assert (first.address, first.keys, first.nbytes) == (A, ["x", "y"], 20)
    assert (second.address, second.keys) == (B, ["z"])
    machine.fetched(first, [Answer(7, 70, "X"), Answer(8, 80, "Y")], 5.0)
    check(machine)
    assert [task.key for task in take_all(machine)] == ["a", "b"]
    machine.fetched(second, [Answer(9, 90, "Z")], 5.0)
    (task,) = take_all(machine)
    assert [datum.value for datum in task.inputs] == ["X", "Z"]
    assert reports(machine) == [ReplicasStored(["x", "y", "z"], [7, 8, 9])]
    assert machine.held_nbytes == 240


def test_what_is_held_is_not_fetched_again(machine):
    handle(machine, run_tasks(("a", 1)))
    execute_all(machine)
    handle(machine, run_tasks(("b", 2, [0]), inputs=[("a", 1, A)]))
    assert fetches(machine) == []
    assert [task.key for task in take_all(machine)] == ["b"]


def test_another_attempt_of_an_input_is_not_it_and_is_replaced(machine):
    handle(machine, run_tasks(("a", 1)))
    execute_all(machine)
    reports(machine)
    handle(machine, run_tasks(("b", 3, [0]), inputs=[("a", 2, A)]))
    (fetch,) = fetches(machine)
    machine.fetched(fetch, [Answer(2, 20, "newer")], 5.0)
    check(machine)
    assert machine.held(["a"])[0].attempt == 2
    assert machine.held_nbytes == 20
    handle(machine, DropData(["a"], [1]))
    assert machine.held_nbytes == 20
    handle(machine, DropData(["a"], [2]))
    assert machine.held(["a"]) == [None]
    # What is ready to read it still has it.
    (task,) = take_all(machine)
    assert [datum.value for datum in task.inputs] == ["newer"]


def test_an_older_attempt_serves_those_that_waited_and_replaces_nothing(machine):
    handle(machine, run_tasks(("a", 5)))
    execute_all(machine)
    reports(machine)
    handle(machine, run_tasks(("b", 6, [0]), inputs=[("a", 2, A)]))
    (fetch,) = fetches(machine)
    machine.fetched(fetch, [Answer(2, 20, "older")], 5.0)
    check(machine)
    assert machine.held(["a"])[0].attempt == 5
    assert machine.held_nbytes == 8
    # Nobody is told of a copy that is not kept.
    assert reports(machine) == []
    (task,) = take_all(machine)
    assert [datum.value for datum in task.inputs] == ["older"]


def test_another_holder_is_asked_when_one_has_it_not(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, A, B)]))
    (fetch,) = fetches(machine)
    assert fetch.address == A
    machine.fetched(fetch, [Answer(-1)], 5.0)
    check(machine)
    assert reports(machine) == [InputsMissing(["x"], [7], A, True)]
    (fetch,) = fetches(machine)
    assert fetch.address == B
    machine.fetched(fetch, [Answer(8, 8, "another attempt")], 5.0)
    check(machine)
    assert reports(machine) == [
        InputsMissing(["x"], [7], B, True),
        TasksReturned(["a"], [1]),
    ]
    assert machine.tables.wanted == {}


def test_a_new_holder_is_asked_as_soon_as_it_is_named():
    machine = make(fetch_nbytes_max=1)
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [1]), inputs=[("x", 7, A), ("y", 8, A)]))
    assert [fetch.keys for fetch in fetches(machine)] == [["x"]]
    handle(machine, run_tasks(("c", 3, [0]), inputs=[("y", 8, B)]))
    assert [(fetch.address, fetch.keys) for fetch in fetches(machine)] == [(B, ["y"])]


def test_connections_are_limited():
    machine = make(fetch_connections_max=1)
    handle(machine, run_tasks(("a", 1, [0, 1]), inputs=[("x", 7, A), ("y", 8, B)]))
    (fetch,) = fetches(machine)
    machine.fetched(fetch, [Answer(7, 1, "X")], 5.0)
    (fetch,) = fetches(machine)
    assert fetch.address == B


def test_nobody_asks_itself(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, OWN)]))
    assert fetches(machine) == []
    assert reports(machine) == [
        InputsMissing(["x"], [7], OWN, True),
        TasksReturned(["a"], [1]),
    ]


def test_an_input_that_nobody_has_sends_the_task_back(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7)]))
    assert reports(machine) == [TasksReturned(["a"], [1])]


def test_a_value_that_cannot_be_read_fails_who_waits_for_it(machine):
    inputs = [("x", 7, A, B), ("y", 8, A)]
    handle(machine, run_tasks(("a", 1, [0]), ("b", 2, [0, 1]), ("c", 3, [1]), inputs=inputs))
    (fetch,) = fetches(machine)
    machine.fetched(fetch, [Answer(7, error="no pickle"), Answer(8, 8, "Y")], 5.0)
    check(machine)
    stored, failed = reports(machine)
    assert stored == ReplicasStored(["y"], [8])
    assert failed.keys == ["a", "b"]
    assert failed.starts == [5.0, 5.0]
    for failure in failed.failures:
        assert (failure.kind, failure.key) == (FailureKind.SERIALIZATION, "x")
        assert "no pickle" in failure.text
    assert [task.key for task in take_all(machine)] == ["c"]


def test_a_value_that_comes_when_nobody_waits_is_let_go(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, A)]))
    (fetch,) = fetches(machine)
    handle(machine, AbandonTasks(["a"], [1]))
    value = object()
    machine.fetched(fetch, [Answer(7, 8, value)], 5.0)
    check(machine)
    assert machine.held(["x"]) == [None]
    assert machine.take_discarded() == [value]
    assert reports(machine) == []


def test_a_value_on_its_way_serves_who_comes_later(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, A)]))
    (fetch,) = fetches(machine)
    handle(machine, RecallTasks(["a"], [1]), run_tasks(("b", 2, [0]), inputs=[("x", 7, A)]))
    assert fetches(machine) == []
    machine.fetched(fetch, [Answer(7, 8, "X")], 5.0)
    assert [task.key for task in take_all(machine)] == ["b"]


def test_a_short_or_repeated_answer(machine):
    handle(machine, run_tasks(("a", 1, [0, 1]), inputs=[("x", 7, A), ("y", 8, A)]))
    (fetch,) = fetches(machine)
    machine.fetched(fetch, [Answer(7, 8, "X")], 5.0)
    check(machine)
    assert reports(machine) == [
        ReplicasStored(["x"], [7]),
        InputsMissing(["y"], [8], A, True),
        TasksReturned(["a"], [1]),
    ]
    machine.fetched(fetch, [Answer(7, 8, "X"), Answer(8, 8, "Y")], 5.0)
    machine.fetch_failed(fetch, 5.0)
    check(machine)
    assert reports(machine) == []
    assert machine.held(["y"]) == [None]


def test_what_a_client_puts_here_serves_tasks_and_is_not_reported(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 0, A)]))
    (fetch,) = fetches(machine)
    machine.put("x", "X", 8)
    check(machine)
    assert [task.key for task in take_all(machine)] == ["a"]
    machine.fetched(fetch, [Answer(0, 9, "late")], 5.0)
    check(machine)
    assert machine.held(["x"])[0].value == "X"
    assert reports(machine) == []


def test_recalled_tasks_come_back_in_one_report_if_they_have_not_begun(machine):
    handle(machine, run_tasks(("a", 1), ("b", 2), ("c", 3), ("d", 4, [0]), inputs=[("x", 7, A)]))
    running = machine.take()
    handle(
        machine,
        RecallTasks(["a", "b", "nobody"], [1, 2, 9]),
        RecallTasks(["c", "c", "d"], [2, 3, 4]),
    )
    assert reports(machine) == [TasksReturned(["b", "c", "d"], [2, 3, 4])]
    machine.executed(running, "A", 8, 1.0, 0.5)
    assert reports(machine)[0].keys == ["a"]
    assert machine.take() is None


def test_who_waits_for_a_recalled_task_comes_back_with_it(machine):
    """A chain of any length comes apart without recursion."""
    count = 3000
    inputs = [(f"k{number}", number) for number in range(count)]
    rows = [("k0", 0), *((f"k{n}", n, [n - 1]) for n in range(1, count))]
    handle(machine, run_tasks(*rows, inputs=inputs))
    handle(machine, RecallTasks(["k0"], [0]))
    (returned,) = reports(machine)
    assert len(returned.keys) == count
    assert machine.tables.wanted == {}


def test_who_waits_for_a_failed_task_comes_back(machine):
    handle(machine, run_tasks(("a", 1), ("b", 2, [0]), inputs=[("a", 1)]))
    failure = Failure(FailureKind.RAISED, "a", "boom")
    machine.failed(machine.take(), failure, 1.0, 0.5)
    check(machine)
    assert reports(machine) == [
        TasksFailed(["a"], [1], [1.0], [0.5], [failure]),
        TasksReturned(["b"], [2]),
    ]


def test_who_waits_for_a_recalled_task_may_get_its_value_elsewhere(machine):
    handle(machine, run_tasks(("a", 1), ("b", 2, [0]), inputs=[("a", 1, A)]))
    handle(machine, RecallTasks(["a"], [1]))
    assert [(fetch.address, fetch.keys) for fetch in fetches(machine)] == [(A, ["a"])]


def test_the_end_of_an_abandoned_task_is_dropped(machine):
    handle(machine, run_tasks(("a", 1), ("b", 2), ("c", 3)))
    first, second = machine.take(), machine.take()
    handle(machine, AbandonTasks(["a", "b", "c"], [1, 2, 3]))
    machine.executed(first, "A", 8, 1.0, 0.5)
    machine.failed(second, Failure(FailureKind.RAISED, "b", "boom"), 1.0, 0.5)
    check(machine)
    assert reports(machine) == []
    assert machine.take() is None
    assert (machine.held_nbytes, machine.running_count) == (0, 0)


def test_a_task_ends_only_once(machine):
    handle(machine, run_tasks(("a", 1)))
    task = machine.take()
    for _ in range(2):
        machine.executed(task, "A", 8, 1.0, 0.5)
        machine.failed(task, Failure(FailureKind.RAISED, "a", "boom"), 1.0, 0.5)
        check(machine)
    (done,) = reports(machine)
    assert done.keys == ["a"]


def test_a_newer_attempt_takes_the_place_of_an_older(machine):
    handle(machine, run_tasks(("a", 1)))
    former = machine.take()
    handle(machine, run_tasks(("a", 2)))
    latter = machine.take()
    machine.executed(former, "old", 8, 1.0, 0.5)
    assert reports(machine) == []
    machine.executed(latter, "new", 8, 1.0, 0.5)
    assert reports(machine)[0].attempts == [2]
    assert machine.held(["a"])[0].value == "new"


def test_an_older_attempt_is_given_back_and_the_same_one_is_here_already(machine):
    handle(machine, run_tasks(("a", 2)), run_tasks(("a", 1)), run_tasks(("a", 2)))
    assert reports(machine) == [TasksReturned(["a"], [1])]
    assert [task.attempt for task in take_all(machine)] == [2]


def test_functions_are_kept_until_they_are_dropped(machine):
    handle(machine, run_tasks(("a", 1)))
    handle(machine, run_tasks(("b", 2), blob=None))
    handle(machine, DropFunctions([b"f" * 16, b"g" * 16]))
    handle(machine, run_tasks(("c", 3), blob=None))
    (failed,) = reports(machine)
    assert failed.keys == ["c"]
    assert failed.failures[0].kind is FailureKind.SERIALIZATION
    assert "'f'" in failed.failures[0].text
    first, second = take_all(machine)
    assert first.function is second.function
    assert (first.function.label, first.function.blob) == ("f", b"blob")


def test_a_task_reserves_resources_while_it_runs():
    machine = make({"GPU": 1, "licence": 0.5})
    handle(machine, run_tasks(("a", 1), ("b", 2), resources={"GPU": 1}))
    handle(machine, run_tasks(("c", 3), resources={"licence": 0.5}))
    handle(machine, run_tasks(("d", 4)))
    first, second, third = take_all(machine)
    assert (first.key, second.key, third.key) == ("a", "c", "d")
    assert (machine.startable_count, machine.ready_count) == (0, 1)
    machine.executed(first, "A", 8, 1.0, 0.5)
    assert machine.startable_count == 1
    assert machine.take().key == "b"


def test_an_abandoned_task_keeps_its_resources_until_it_ends():
    machine = make({"GPU": 1})
    handle(machine, run_tasks(("a", 1), ("b", 2), resources={"GPU": 1}))
    running = machine.take()
    handle(machine, AbandonTasks(["a"], [1]))
    assert machine.take() is None
    machine.executed(running, "A", 8, 1.0, 0.5)
    assert machine.take().key == "b"


def test_what_can_never_fit_is_given_back(machine):
    handle(machine, run_tasks(("a", 1), resources={"GPU": 1}))
    assert reports(machine) == [TasksReturned(["a"], [1])]


def test_calls_are_handed_out_and_answered(machine):
    call = RunHere(7, b"blob", b"payload")
    handle(machine, call)
    assert machine.pending
    assert machine.take_commands() == [call]
    assert machine.take_commands() == []
    machine.here_ran(HereRan(7, b"value", None))
    assert reports(machine) == [HereRan(7, b"value", None)]
    assert not machine.pending


def test_dropped_values_are_handed_out_to_be_let_go(machine):
    handle(machine, run_tasks(("a", 1)))
    execute_all(machine)
    handle(machine, DropData(["a", "a"], [1, 1]))
    (datum,) = machine.take_discarded()
    assert datum.value == "value of a"
    assert machine.take_discarded() == []


def test_all_values_are_let_go_of_at_the_end(machine):
    handle(machine, run_tasks(("a", 1)))
    execute_all(machine)
    assert [datum.value for datum in machine.let_go()] == ["value of a"]
    assert (machine.held(["a"]), machine.held_nbytes) == ([None], 0)


def test_a_ready_task_that_nobody_wants_keeps_no_inputs(machine):
    handle(machine, run_tasks(("a", 1)))
    execute_all(machine)
    handle(machine, run_tasks(("b", 2, [0]), inputs=[("a", 1, A)]))
    (task,) = [task for task in machine.tables.tasks.values() if task.key == "b"]
    (datum,) = task.inputs
    handle(machine, AbandonTasks(["b"], [2]), DropData(["a"], [1]))
    assert machine.take_discarded() == [[datum], datum]
    assert list(task.inputs) == []


def test_what_waits_to_be_sent_is_bounded(machine):
    nbytes = PENDING_NBYTES_MAX // 4
    handle(machine, run_tasks(*((f"k{number}", number) for number in range(12))))
    tasks = take_all(machine)
    for task in tasks[:6]:
        machine.executed(task, "V", 8, 1.0, 0.5, bytes(nbytes))
    failure = Failure(FailureKind.RAISED, "k", "x" * 5000, bytes(nbytes))
    for task in tasks[6:]:
        machine.failed(task, failure, 1.0, 0.5)
    done, failed = reports(machine)
    assert [value is not None for value in done.values] == [True] * 4 + [False] * 2
    assert {len(each.exception) for each in failed.failures} == {0}
    assert {len(each.text) for each in failed.failures} == {1000}
    # What was sent no longer counts.
    handle(machine, run_tasks(("last", 99)))
    machine.executed(machine.take(), "V", 8, 1.0, 0.5, bytes(nbytes))
    assert reports(machine)[0].values != []


def test_records_name_themselves(machine):
    handle(machine, run_tasks(("a", 1, [0]), inputs=[("x", 7, A)]))
    (fetch,) = fetches(machine)
    task = machine.tables.tasks["a"]
    assert repr(task) == "<Task 'a' attempt 1 waiting>"
    assert repr(fetch.data[0]) == "<Datum 'x' attempt 7 fetching>"
    assert repr(fetch) == "<Fetch 1 values from tcp://a:1>"
    machine.fetched(fetch, [Answer(7, 8, "X")], 5.0)
    assert repr(fetch.data[0]) == "<Datum 'x' attempt 7 held>"
    assert task.state is TaskState.READY
