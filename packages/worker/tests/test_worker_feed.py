"""The worker's feed: tasks with the times of their phases, told only while somebody looks."""

from __future__ import annotations

import threading

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    DropData,
    EventsSeen,
    Failure,
    FailureKind,
    LogEvents,
    RecallTasks,
    ReportEvents,
    RunTasks,
    TasksDone,
)
from hocket.protocol.messages.feed import (
    EventKinds,
    LineLogged,
    TaskEnded,
    TaskOutcome,
    TransferDone,
    WorkerSampled,
)
from hocket.protocol.roles import Role
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.shell.execution import execute
from hocket.worker.shell.profiler import Profiler, current_stacks
from hocket.worker.state import Fetch

ALL = ReportEvents(int(EventKinds.ALL))


@pytest.fixture
def machine():
    return WorkerMachine(name="w", address="tcp://own:1", settings=WorkerSettings(), threads=3)


def run_tasks(keys, inputs=False):
    message = RunTasks([b"f" * 16], ["f"], [b"blob"], keys, [], [], [], [], [], [])
    message.attempts = list(range(1, len(keys) + 1))
    message.priorities = [0] * len(keys)
    message.payloads = [b"payload"] * len(keys)
    if inputs:
        message.inputs = [[0]] * len(keys)
        message.input_keys, message.input_attempts = ["in"], [99]
        message.input_nbytes, message.input_holders = [10], [[0]]
        message.addresses = ["tcp://a:1"]
    return message


def outbox(machine):
    return decoder_for(Role.WORKER, Role.SCHEDULER).decode(encode(machine.take_outbox()))


def seen(machine):
    return [e for one in outbox(machine) if type(one) is EventsSeen for e in one.events]


def test_nothing_is_recorded_for_nobody(machine):
    machine.handle([run_tasks(["a"])], 1.0)
    machine.executed(machine.take(), 1, 8, 2.0, 0.5)
    assert [type(one) for one in outbox(machine)] == [TasksDone]
    assert len(machine.feed.ring) == 0
    assert machine.feed.watch is None


def test_the_phases_of_a_task(machine):
    machine.handle([ALL, run_tasks(["a"], inputs=True)], 10.0)
    (fetch,) = machine.take_commands()
    assert isinstance(fetch, Fetch)
    machine.tick(11.0)
    machine.feed.watch.now_s = 12.0
    machine.fetched(fetch, [Answer(99, 10, "value")], 12.0)
    task = machine.take()
    machine.executed(task, 1, 8, 15.0, 2.5, None, (0.5, 0.25))
    (event,) = seen(machine)
    assert event == TaskEnded(
        "a",
        1,
        "f",
        "w",
        TaskOutcome.STORED,
        15.0,
        2.0,
        8,
        lane=0,
        fetching_s=2.0,
        ready_s=3.0,
        deserialising_s=0.5,
        storing_s=0.25,
    )


def test_lanes_are_used_again(machine):
    machine.handle([ALL, run_tasks(["a", "b", "c", "d"])], 1.0)
    first, second = machine.take(), machine.take()
    machine.executed(first, 1, 8, 1.0, 0.1)
    third = machine.take()
    machine.executed(third, 1, 8, 1.0, 0.1)
    machine.executed(second, 1, 8, 1.0, 0.1)
    assert [event.lane for event in seen(machine)] == [0, 0, 1]


def test_outcomes(machine):
    machine.handle([ALL, run_tasks(["a", "b", "c", "d"])], 1.0)
    failed, asked, dropped = machine.take(), machine.take(), machine.take()
    machine.failed(failed, Failure(FailureKind.RAISED, "a", "line\nValueError: no"), 1.0, 0.1)
    machine.rescheduled(asked, 1.0, 0.1)
    again = run_tasks(["c"])
    again.attempts = [9]
    machine.handle([again], 1.0)
    machine.executed(dropped, 1, 8, 1.0, 0.1)
    machine.handle([RecallTasks(["d"], [4])], 1.0)
    events = seen(machine)
    assert [(event.key, event.outcome.name, event.error) for event in events] == [
        ("a", "FAILED", "ValueError: no"),
        ("b", "RESCHEDULED", ""),
        ("c", "DROPPED", ""),
    ]
    # Of what was given back nothing is remembered.
    assert set(machine.feed.watch._came_s) == {9}


def test_tasks_that_run_already_when_somebody_comes(machine):
    machine.handle([run_tasks(["a"])], 1.0)
    task = machine.take()
    machine.handle([ALL], 2.0)
    machine.executed(task, 1, 8, 1.5, 1.0)
    (event,) = seen(machine)
    assert (event.lane, event.executor, event.ready_s) == (-1, "threads", 0.0)


def test_what_others_tell_of_is_not_told_twice(machine):
    machine.handle([ALL], 1.0)
    reader = machine.feed.read(EventKinds.TRANSFERS, -1, 1.0)
    machine.feed.saw(TransferDone(1.0, 0.1, 5, "tcp://a:1", "w", 1, "k"))
    machine.feed.saw(TransferDone(1.0, 0.1, 5, "w", "tcp://a:1", 1, "k"))
    machine.feed.saw(TransferDone(1.0, 0.1, 5, "w", "", 1, "k"))
    assert [event.target for event in seen(machine)] == ["w", ""]
    assert [event.target for event in reader.cursor.take().events] == ["w", "tcp://a:1", ""]


def test_samples_carry_what_has_piled_up(machine):
    machine.handle([ReportEvents(int(EventKinds.WORKERS | EventKinds.LOGS))], 1.0)
    outbox(machine)
    line = LineLogged(1.0, "", "INFO", "x", "text")
    sample = WorkerSampled(1.0, "w", 0.5, 7, 5)
    machine.sampled(sample, [line])
    assert machine.pending
    assert seen(machine) == [line, sample]
    machine.handle([ReportEvents(0)], 1.0)
    machine.sampled(sample, [line])
    assert seen(machine) == []


def test_a_reader_here_sees_more_than_the_scheduler(machine):
    reader = machine.feed.read(EventKinds.TASKS, -1, 5.0)
    machine.handle([run_tasks(["a"])], 1.0)
    machine.executed(machine.take(), 1, 8, 2.0, 0.5)
    assert [type(one) for one in outbox(machine)] == [TasksDone]
    assert [event.key for event in reader.cursor.take().events] == ["a"]
    assert reader.snapshot().address == "tcp://own:1"
    reader.cursor.close()
    assert machine.feed.kinds == 0


def test_too_many_events_are_dropped_and_counted(machine, monkeypatch):
    machine.feed.ring._events_max = 3
    machine.handle([ALL], 1.0)
    for index in range(10):
        machine.feed.saw(LineLogged(float(index), "", "INFO", "x", "text"))
    (message,) = outbox(machine)
    assert (len(message.events), message.dropped) == (3, 7)


def test_topics_are_passed_on(machine):
    machine.log_event("news", 1.5, "k", b"\x01")
    machine.log_event("other", 2.5, "", b"\x02")
    assert outbox(machine) == [
        LogEvents(["news", "other"], [1.5, 2.5], ["k", ""], [b"\x01", b"\x02"])
    ]
    machine.handle([DropData(["a"], [1])], 1.0)
    assert outbox(machine) == []


class _Function:
    label = "work"

    def __init__(self, call):
        self.loaded = self
        self.call = call


class _Task:
    key, attempt, inputs, wanted = "k", 1, (), False
    payload = b""


def test_a_profile_has_the_frames_of_tasks_and_none_of_ours(monkeypatch):
    inside, leave = threading.Event(), threading.Event()

    def work():
        inside.set()
        leave.wait()

    task = _Task()
    task.function = _Function(work)
    monkeypatch.setattr("hocket.worker.shell.execution.load_arguments", lambda _data: ((), {}))
    thread = threading.Thread(target=execute, args=(task, "w", 0))
    thread.start()
    try:
        inside.wait()
        profiler = Profiler("w", lambda: {thread.ident: "work"})
        profiler.look()
        profiler.look()
        stacks = current_stacks({thread.ident: "k"})
    finally:
        leave.set()
        thread.join()
    sampled = profiler.take()
    assert (sampled.samples, sampled.frames[0], sampled.counts[0]) == (2, "work", 2)
    assert sampled.frames[1].startswith("test_a_profile_has_the_frames")
    assert sampled.frames[1].partition(";")[0].endswith("work")
    assert stacks["k"][0].endswith("work")
    assert "execution.py" not in "".join(sampled.frames)
    assert profiler.take().samples == 0
    profiler.look()
    assert profiler.take().samples in (0, 1)


def test_a_profiler_ends():
    profiler = Profiler("w", dict)
    profiler.start()
    profiler.stop()
    profiler._thread.join(5.0)
    assert not profiler._thread.is_alive()
