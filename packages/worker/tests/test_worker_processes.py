"""The executor of processes, without an event loop: what a task sees there, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from hocket.core.errors import WorkerDied
from hocket.protocol.messages import (
    FailureKind,
    TasksDone,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksSeceded,
)
from hocket.protocol.serialize import load_exception
from hocket.worker.shell.desk import PROCESSES
from hocket.worker.shell.packed import Packed, value_of
from hocket.worker.state import Interrupt

#: Each starts processes.
pytestmark = pytest.mark.slow

TIMEOUT_S = 30


def run(made, function, count=1, first=0, **options):
    made.run(function, count, first, executor=PROCESSES, **options)


def value(made, key):
    (datum,) = made.machine.held([key])
    return value_of(datum)


def failures(made, count):
    """Return why so many tasks failed, by key."""
    found = {}
    while len(found) < count:
        for message in made.flush():
            if isinstance(message, TasksFailed):
                found.update(zip(message.keys, message.failures, strict=True))
            else:
                assert not isinstance(message, TasksDone)
    return found


# Functions are made in tests, so that they travel by value: other processes cannot import tests.


def test_tasks_run_in_processes_that_are_used_again(bench):
    def who(_number):
        import os  # noqa: PLC0415

        return os.getpid()

    made = bench(1)
    run(made, who, 20)
    assert set(made.collect(20).values()) == {TasksDone}
    pids = {value(made, f"k{number}") for number in range(20)}
    assert os.getpid() not in pids
    # As many as it has slots.
    assert 1 <= len(pids) <= 2


def test_a_task_sees_its_devices_and_no_others(bench, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")

    def seen(_number):
        import os  # noqa: PLC0415

        from hocket.core.worker_view import current_worker  # noqa: PLC0415

        return os.environ["CUDA_VISIBLE_DEVICES"], current_worker().devices.get("GPU")

    made = bench(1, {"GPU": 2})
    run(made, seen, 12, resources={"GPU": 0.5})
    run(made, seen, 1, 12, resources={"GPU": 2})
    run(made, seen, 1, 13)
    made.collect(14)
    shared = {value(made, f"k{number}") for number in range(12)}
    assert shared <= {("GPU-a", ("GPU-a",)), ("GPU-b", ("GPU-b",))}
    assert value(made, "k12") == ("GPU-a,GPU-b", ("GPU-a", "GPU-b"))
    # One that asked for none sees what its worker sees.
    assert value(made, "k13") == ("GPU-a,GPU-b", None)


def test_values_come_as_they_lie_and_are_not_unpickled_on_the_way(bench):
    numpy = pytest.importorskip("numpy")

    def double(number):
        import numpy  # noqa: PLC0415, ICN001

        return numpy.full(100_000, 2 * number)

    made = bench(1)
    run(made, double, 1, 7)
    made.collect(1)
    (datum,) = made.machine.held(["k7"])
    assert type(datum.value) is Packed
    assert datum.nbytes == 800_000
    array = value_of(datum)
    assert numpy.array_equal(array, numpy.full(100_000, 14))
    assert array.flags.writeable


def test_what_a_task_raises_comes_back(bench):
    def fail(number):
        raise ValueError(f"no {number}") if number == 1 else SystemExit(number)

    made = bench(1)
    run(made, fail, 2, 1)
    found = failures(made, 2)
    errors = {key: load_exception(failure.exception) for key, failure in found.items()}
    assert {type(error) for error in errors.values()} == {ValueError, SystemExit}
    assert str(errors["k1"]) == "no 1"


def test_a_result_that_cannot_be_pickled_is_named(bench):
    def lock(_number):
        import threading  # noqa: PLC0415

        return threading.Lock()

    made = bench(1)
    run(made, lock)
    (failure,) = failures(made, 1).values()
    assert failure.kind is FailureKind.SERIALIZATION
    assert "the result of task 'k0'" in failure.text


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as on POSIX")
def test_a_process_that_dies_takes_nobody_along(bench):
    def die(number):
        import os  # noqa: PLC0415
        import signal  # noqa: PLC0415

        if number == 1:
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)

    made = bench(1)
    run(made, die, 2, 1)
    found = failures(made, 2)
    errors = {key: load_exception(failure.exception) for key, failure in found.items()}
    assert {type(error) for error in errors.values()} == {WorkerDied}
    assert "exit code 3" in str(errors["k1"])
    assert "killed by SIGKILL" in str(errors["k2"])
    run(made, abs, 1, 5)
    assert made.collect(1) == {"k5": TasksDone}


def test_what_runs_too_long_is_killed(bench):
    def spin(_number):
        import time  # noqa: PLC0415

        # One call, in which no exception can be raised.
        time.sleep(100)

    made = bench(1)
    run(made, spin, timeout_s=0.3)
    deadline_s = time.monotonic() + TIMEOUT_S
    failed = {}
    while not failed and time.monotonic() < deadline_s:
        time.sleep(0.05)
        with made.lock:
            made.machine.tick(time.time())
            commands = made.machine.take_commands()
        for command in commands:
            assert isinstance(command, Interrupt)
            made.processes.interrupt(command.task)
        with made.lock:
            for message in made.machine.take_outbox():
                if isinstance(message, TasksFailed):
                    failed.update(zip(message.keys, message.failures, strict=True))
    (failure,) = failed.values()
    assert failure.kind is FailureKind.TIMED_OUT
    assert made.processes.close(TIMEOUT_S)


def test_tasks_may_be_run_again_give_up_their_slots_and_say_things(bench):
    def wander(number):
        from hocket.core.errors import Reschedule  # noqa: PLC0415
        from hocket.core.task_context import current_task, rejoin, secede  # noqa: PLC0415
        from hocket.core.worker_view import current_worker  # noqa: PLC0415

        if number == 1:
            raise Reschedule
        secede()
        current_worker().log_event("topic", number)
        rejoin()
        return current_task().key, current_worker().directory

    made = bench(1)
    said = []
    view = made.processes._view
    # (What is over before it could be told is not told at all.)
    seceded, rejoined = threading.Event(), threading.Event()

    def send_event(topics, message):
        said.append((topics, message))
        assert seceded.wait(TIMEOUT_S)

    def find_directory():
        assert rejoined.wait(TIMEOUT_S)
        return "/here"

    view.send_event, view.find_directory = send_event, find_directory
    run(made, wander, 2, 1)
    ends = made.collect(0, (TasksSeceded, "k2"))[0]
    seceded.set()
    ends |= made.collect(0, (TasksRejoined, "k2"))[0]
    rejoined.set()
    ends |= made.collect(2 - len(ends))
    assert ends == {"k1": TasksRescheduled, "k2": TasksDone}
    assert value(made, "k2") == ("k2", "/here")
    assert said == [(["topic"], 2)]


def test_modules_that_changed_are_imported_anew(bench, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "hocket_test_changing.py"
    module.write_text("value = 1\n")

    def read(_number):
        import hocket_test_changing  # noqa: PLC0415

        return hocket_test_changing.value

    made = bench(1)
    run(made, read)
    made.collect(1)
    assert value(made, "k0") == 1
    module.write_text("value = 1 + 1\n")
    run(made, read, 1, 1)
    made.collect(1)
    assert value(made, "k1") == 1
    made.processes.renew()
    run(made, read, 1, 2)
    made.collect(1)
    assert value(made, "k2") == 2


def test_memory_of_processes_is_counted_while_they_are_there(bench):
    made = bench(1)
    assert made.processes.memory_nbytes() == 0
    run(made, abs)
    made.collect(1)
    assert made.processes.memory_nbytes() > 2**20
    made.processes.renew()
    assert made.processes.memory_nbytes() == 0


def test_nothing_of_a_task_stays_in_its_process(bench):
    def make(number):
        import gc  # noqa: PLC0415
        import sys  # noqa: PLC0415
        import weakref  # noqa: PLC0415

        class Big:
            """Stands for an array on a device."""

            def __reduce__(self):
                return int, (number,)

        alive = sys.modules.setdefault("hocket_test_alive", weakref.WeakSet())
        gc.disable()
        count = len(alive)
        big = Big()
        alive.add(big)
        if number % 3 == 1:
            raise ValueError(big)
        if number % 3 == 2:
            return count
        return [big, count]

    made = bench(1, {"GPU": 1})
    run(made, make, 1, 0, resources={"GPU": 1})
    made.collect(1)
    run(made, make, 1, 1, resources={"GPU": 1})
    failures(made, 1)
    run(made, make, 1, 2, resources={"GPU": 1})
    made.collect(1)
    assert value(made, "k0") == [0, 0]
    # (The same process: there is one for the device.)
    assert value(made, "k2") == 0
