"""Slots of executors: who runs, who secedes and comes back, and what the scheduler hears of it."""

from __future__ import annotations

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    Failure,
    FailureKind,
    RecallTasks,
    RunTasks,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
)
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import TaskState

OWN = "tcp://own:1"
GIB = 2**30


def make(threads=1, **options):
    return WorkerMachine(
        name="w", address=OWN, settings=WorkerSettings(), **{"threads": threads} | options
    )


def run(machine, *rows, resources=None, executor="threads", announced=False):
    """Give the machine tasks; rows: (key, attempt, priority)."""
    message = RunTasks(
        functions=[b"f" * 16],
        labels=["f"],
        blobs=[b"blob"],
        keys=[row[0] for row in rows],
        attempts=[row[1] for row in rows],
        priorities=[row[2] if len(row) > 2 else 0 for row in rows],
        function_of=[],
        payloads=[b""] * len(rows),
        wanted=[],
        inputs=[],
        resources=resources or {},
        executor=executor,
        announced=announced,
    )
    handle(machine, message)


def run_dependent(machine, key, attempt, on, on_attempt):
    """Give the machine a task that reads what another one here makes."""
    message = RunTasks(
        [b"f" * 16], ["f"], [b"blob"], [key], [attempt], [0], [], [b""], [], [[0]],
        input_keys=[on], input_attempts=[on_attempt], input_nbytes=[1], input_holders=[[]],
    )  # fmt: skip
    handle(machine, message)


def handle(machine, *messages):
    machine.handle(messages, 5.0)
    check(machine)


def take(machine, executor="threads"):
    task = machine.take(executor)
    check(machine)
    return task


def done(machine, task):
    machine.executed(task, "value", 8, 1.0, 0.5)
    check(machine)


# Slots.


def test_no_more_tasks_run_than_there_are_slots():
    machine = make(threads=2)
    run(machine, ("a", 1), ("b", 2), ("c", 3))
    assert (machine.startable_count, machine.ready_count) == (2, 3)
    first, _ = take(machine), take(machine)
    assert machine.startable_count == 0
    assert take(machine) is None
    done(machine, first)
    assert machine.startable_count == 1
    assert take(machine).key == "c"


def test_each_executor_has_slots_and_tasks_of_its_own():
    machine = make(executors={"threads": 1, "loop": 2})
    assert machine.slots == {"threads": 1, "loop": 2}
    run(machine, ("a", 1), ("b", 2))
    run(machine, ("c", 3), ("d", 4), ("e", 5), executor="loop")
    assert (machine.startable("threads"), machine.startable("loop")) == (1, 2)
    assert machine.startable_count == 1
    assert take(machine).executor == "threads"
    assert [take(machine, "loop").key for _ in range(2)] == ["c", "d"]
    assert take(machine, "loop") is None
    assert take(machine) is None


def test_an_executor_that_is_not_here_runs_nothing():
    machine = make(executors={"threads": 1, "loop": 0})
    run(machine, ("a", 1), executor="tape")
    run(machine, ("b", 2), executor="loop")
    assert machine.take_outbox() == [TasksReturned(["a", "b"], [1, 2])]
    assert machine.take("tape") is None
    assert machine.startable("tape") == 0


def test_the_best_task_of_all_executors_gets_a_resource():
    machine = make(executors={"threads": 1, "loop": 1}, resources={"licence": 1})
    run(machine, ("later", 1, 5), resources={"licence": 1})
    run(machine, ("sooner", 2, 1), resources={"licence": 1}, executor="loop")
    assert take(machine) is None
    assert machine.startable("threads") == 0
    assert machine.startable("loop") == 1
    sooner = take(machine, "loop")
    assert take(machine) is None
    done(machine, sooner)
    assert machine.startable("threads") == 1
    assert take(machine).key == "later"


def test_an_executor_without_a_free_slot_claims_no_resources():
    machine = make(executors={"threads": 1, "loop": 1}, resources={"licence": 1})
    run(machine, ("plain", 1), executor="loop")
    assert take(machine, "loop").key == "plain"
    run(machine, ("sooner", 2, 1), resources={"licence": 1}, executor="loop")
    run(machine, ("later", 3, 5), resources={"licence": 1})
    assert take(machine).key == "later"


# Secession.


def test_a_task_that_secedes_makes_room_and_is_reported():
    machine = make()
    run(machine, ("a", 1), ("b", 2))
    first = take(machine)
    assert machine.secede(first)
    assert not machine.secede(first)
    check(machine)
    assert machine.startable_count == 1
    assert machine.running_count == 1
    assert machine.take_outbox() == [TasksBegun(["a"], [1]), TasksSeceded(["a"], [1])]
    assert take(machine).key == "b"
    done(machine, first)
    assert machine.take() is None


def test_a_task_that_rejoins_has_a_slot_at_once_if_there_is_one():
    machine = make()
    run(machine, ("a", 1), ("b", 2))
    task = take(machine)
    assert machine.rejoin(task)  # It never gave it up.
    machine.secede(task)
    machine.take_outbox()
    assert machine.rejoin(task)
    check(machine)
    assert machine.take_granted() == []
    assert machine.take_outbox() == [TasksRejoined(["a"], [1])]
    assert take(machine) is None


def test_a_task_that_rejoins_stands_in_line_before_ready_tasks():
    machine = make()
    run(machine, ("a", 1, 9), ("b", 2, 9), ("c", 3, 1))
    run(machine, ("d", 4, 0))
    tasks = {}
    for _ in range(3):
        task = take(machine)
        tasks[task.key] = task
        machine.secede(task)
    assert sorted(tasks) == ["a", "c", "d"]
    machine.take_outbox()
    blocker = take(machine)
    assert blocker.key == "b"
    run(machine, ("e", 5, -5))
    assert not machine.rejoin(tasks["a"])
    assert not machine.rejoin(tasks["c"])
    assert not machine.rejoin(tasks["c"])
    check(machine)
    assert not machine.secede(tasks["c"])
    done(machine, blocker)
    assert take(machine) is None
    assert machine.take_granted() == [tasks["c"]]
    assert machine.take_granted() == []
    reports = machine.take_outbox()
    assert TasksRejoined(["c"], [3]) in reports
    assert machine.secede(tasks["c"])
    check(machine)
    assert machine.take_granted() == [tasks["a"]]
    done(machine, tasks["a"])
    assert take(machine).key == "e"


def test_a_task_may_end_while_it_has_no_slot():
    machine = make()
    run(machine, ("a", 1), ("b", 2), ("c", 3), ("d", 4))
    seceded, rejoining = take(machine), None
    machine.secede(seceded)
    rejoining = take(machine)
    machine.secede(rejoining)
    running = take(machine)
    assert not machine.rejoin(rejoining)
    done(machine, rejoining)
    machine.failed(seceded, Failure(FailureKind.RAISED, "a", "boom"), 1.0, 0.5)
    check(machine)
    assert take(machine) is None
    done(machine, running)
    assert machine.take_granted() == []
    assert take(machine).key == "d"
    # What is over has nothing to wait for.
    assert machine.rejoin(rejoining)
    assert not machine.secede(rejoining)
    check(machine)


def test_who_got_a_slot_and_ended_is_not_handed_out():
    machine = make()
    run(machine, ("a", 1), ("b", 2))
    first = take(machine)
    machine.secede(first)
    second = take(machine)
    assert not machine.rejoin(first)
    done(machine, second)
    done(machine, first)
    assert machine.take_granted() == []


def test_an_abandoned_task_takes_its_turn_and_nothing_is_said():
    machine = make()
    run(machine, ("a", 1), ("b", 2))
    first = take(machine)
    handle(machine, AbandonTasks(["a"], [1]))
    assert machine.has_unannounced
    assert machine.take_outbox() == []
    assert not machine.has_unannounced
    assert machine.secede(first)
    second = take(machine)
    assert not machine.rejoin(first)
    done(machine, second)
    assert machine.take_granted() == [first]
    reports = machine.take_outbox()
    assert [type(report) for report in reports] == [TasksDone]


def test_a_short_secession_between_two_sendings_is_not_worth_a_word():
    machine = make()
    run(machine, ("a", 1))
    task = take(machine)
    machine.take_outbox()
    machine.secede(task)
    machine.rejoin(task)
    assert machine.take_outbox() == []
    machine.secede(task)
    machine.rejoin(task)
    machine.secede(task)
    assert machine.take_outbox() == [TasksSeceded(["a"], [1])]
    machine.rejoin(task)
    machine.secede(task)
    assert machine.take_outbox() == []


def test_what_has_seceded_is_not_recalled():
    machine = make()
    run(machine, ("a", 1))
    task = take(machine)
    machine.secede(task)
    machine.take_outbox()
    handle(machine, RecallTasks(["a"], [1]))
    assert machine.take_outbox() == []
    assert task.state is TaskState.SECEDED


def test_a_seceded_task_keeps_its_resources():
    machine = make(resources={"GPU": 1})
    run(machine, ("a", 1), ("b", 2), resources={"GPU": 1})
    task = take(machine)
    machine.secede(task)
    assert take(machine) is None
    done(machine, task)
    assert take(machine).key == "b"


# What has begun.


def test_running_tasks_are_named_once_and_those_that_are_over_are_not():
    machine = make(threads=3)
    run(machine, ("a", 1), ("b", 2), ("c", 3), ("d", 4))
    first = take(machine)
    take(machine)
    assert (machine.pending, machine.has_unannounced) == (False, True)
    done(machine, first)
    begun, ended = machine.take_outbox()
    assert begun == TasksBegun(["b"], [2])
    assert ended.keys == ["a"]
    assert not machine.has_unannounced
    assert machine.take_outbox() == []
    take(machine)
    assert machine.has_unannounced
    assert machine.take_outbox() == [TasksBegun(["c"], [3])]


def test_an_announced_task_is_named_when_it_is_taken():
    machine = make(threads=3)
    run(machine, ("a", 1))
    run(machine, ("b", 2), announced=True)
    first, second = take(machine), take(machine)
    assert not first.announced
    assert second.announced
    assert machine.pending
    assert not machine.has_unannounced
    assert machine.take_outbox() == [TasksBegun(["a", "b"], [1, 2])]
    assert machine.take_outbox() == []


# Rescheduling.


def test_a_rescheduled_task_is_given_back_with_those_that_wait_for_it():
    machine = make(resources={"GPU": 1})
    run(machine, ("a", 1), resources={"GPU": 1})
    run_dependent(machine, "b", 2, "a", 1)
    task = take(machine)
    machine.rescheduled(task, 1.0, 0.5)
    check(machine)
    assert machine.take_outbox() == [TasksRescheduled(["a"], [1]), TasksReturned(["b"], [2])]
    assert machine.startable_count == 0
    machine.rescheduled(task, 1.0, 0.5)
    machine.executed(task, "late", 8, 1.0, 0.5)
    assert machine.take_outbox() == []
    assert machine.held_nbytes == 0


def test_an_abandoned_task_that_reschedules_says_nothing():
    machine = make()
    run(machine, ("a", 1))
    task = take(machine)
    handle(machine, AbandonTasks(["a"], [1]))
    machine.rescheduled(task, 1.0, 0.5)
    check(machine)
    assert machine.take_outbox() == []


# Devices.


def devices_of(machine, count=1):
    return [take(machine).devices for _ in range(count)]


def test_whole_amounts_get_devices_of_their_own():
    machine = make(9, resources={"GPU": 3, "licence": 5})
    run(machine, ("a", 1), ("b", 2), resources={"GPU": 1, "licence": 1})
    run(machine, ("c", 3))
    tasks = [take(machine) for _ in range(3)]
    assert [task.devices for task in tasks] == [{"GPU": (0,)}, {"GPU": (1,)}, {}]
    done(machine, tasks[0])
    run(machine, ("d", 4), resources={"GPU": 2})
    assert devices_of(machine) == [{"GPU": (0, 2)}]


def test_parts_share_a_device_and_wholes_do_not_get_it():
    machine = make(9, resources={"GPU": 2}, devices={"GPU": (4, 7)})
    run(machine, *((f"p{number}", number) for number in range(3)), resources={"GPU": 0.4})
    parts = [take(machine) for _ in range(3)]
    assert [task.devices["GPU"] for task in parts] == [(4,), (4,), (7,)]
    run(machine, ("whole", 9), resources={"GPU": 1})
    assert take(machine) is None
    done(machine, parts[2])
    assert take(machine).devices == {"GPU": (7,)}


def test_a_part_must_be_had_in_one_piece():
    machine = make(9, resources={"GPU": 2})
    run(machine, *((f"p{number}", number) for number in range(3)), resources={"GPU": 0.6})
    first, second = take(machine), take(machine)
    # There is 0.8 left, of two devices.
    assert take(machine) is None
    assert machine.startable_count == 0
    done(machine, second)
    assert take(machine).devices == {"GPU": (1,)}
    done(machine, first)


def test_a_seceded_task_keeps_its_devices():
    machine = make(2, resources={"GPU": 2})
    run(machine, ("a", 1), ("b", 2), resources={"GPU": 1})
    first = take(machine)
    machine.secede(first)
    check(machine)
    assert first.devices == {"GPU": (0,)}
    assert take(machine).devices == {"GPU": (1,)}


def test_memory_is_a_resource_if_there_is_a_limit():
    machine = make(9, memory_limit=GIB)
    assert machine.resources == {"memory": GIB}
    run(machine, ("a", 1), ("b", 2), resources={"memory": 0.6 * GIB})
    run(machine, ("c", 3), resources={"memory": GIB + 1})
    assert machine.take_outbox() == [TasksReturned(["c"], [3])]
    first = take(machine)
    assert take(machine) is None
    done(machine, first)
    assert take(machine).key == "b"
    own = make(memory_limit=GIB, resources={"memory": 5, "GPU": 0.5})
    assert own.resources == {"memory": 5, "GPU": 0.5}


@pytest.mark.parametrize("devices", [{"GPU": (0,)}, {"GPU": (0, 0)}, {"tape": (1,)}])
def test_there_must_be_as_many_devices_as_there_is_of_the_resource(devices):
    with pytest.raises(ValueError, match="as many different devices"):
        make(resources={"GPU": 2}, devices=devices)


def test_a_failed_task_frees_its_devices():
    machine = make(resources={"GPU": 1})
    run(machine, ("a", 1), ("b", 2), resources={"GPU": 1})
    task = take(machine)
    machine.failed(task, Failure(FailureKind.RAISED, "a", "boom"), 1.0, 0.5)
    check(machine)
    assert take(machine).devices == {"GPU": (0,)}
    assert any(isinstance(report, TasksFailed) for report in machine.take_outbox())
