"""The executor of processes: what tasks fork, and what goes wrong, harms nobody else."""

from __future__ import annotations

import os
import signal

import pytest

from hocket.core.errors import SettingsError, WorkerDied
from hocket.protocol.messages import TasksDone, TasksFailed
from hocket.protocol.serialize import load_exception
from hocket.worker.shell import process_child, process_pool
from hocket.worker.shell.desk import PROCESSES
from hocket.worker.shell.packed import value_of
from hocket.worker.shell.process_pipe import Pipe

#: Each starts processes.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes as on POSIX"),
]

TIMEOUT_S = 30


def run(made, function, count=1, first=0):
    made.run(function, count, first, executor=PROCESSES)


def value(made, key):
    (datum,) = made.machine.held([key])
    return value_of(datum)


def error_of(made):
    """Return what the only task raised."""
    while True:
        for message in made.flush():
            if isinstance(message, TasksFailed):
                return load_exception(message.failures[0].exception)


# Functions are made in tests, so that they travel by value: other processes cannot import tests.


def test_a_task_may_have_a_pool_of_forked_processes_that_print(bench):
    def fan_out(number):
        import multiprocessing  # noqa: PLC0415

        # (At its end the pool sends signals, and waits for its processes.)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(print, range(20))
            return pool.map(abs, [-number, number])

    made = bench(1)
    run(made, fan_out, 2, 1)
    assert made.collect(2) == {"k1": TasksDone, "k2": TasksDone}
    assert value(made, "k2") == [2, 2]


@pytest.mark.parametrize("way", ["fork", "exec"])
def test_a_process_that_dies_is_missed_though_what_it_started_lives(bench, tmp_path, way):
    path = str(tmp_path / "pid")

    def leave_alone(_number):
        import os  # noqa: PLC0415
        import subprocess  # noqa: PLC0415
        import time  # noqa: PLC0415

        if way == "fork":
            pid = os.fork()
            if not pid:
                time.sleep(100)
        else:
            pid = subprocess.Popen(["sleep", "100"], close_fds=False).pid
        with open(path, "w") as file:  # noqa: PTH123
            file.write(str(pid))
        os._exit(3)

    made = bench(1)
    try:
        run(made, leave_alone)
        error = error_of(made)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert type(error) is WorkerDied
    assert "exit code 3" in str(error)


def test_what_the_worker_cannot_do_for_a_task_is_raised_in_the_task(bench):
    def ask(number):
        from hocket.core.worker_view import current_worker  # noqa: PLC0415

        view = current_worker()
        if number == 1:
            view.log_event("topic", 7)
        return view.directory

    made = bench(1)

    def refuse(*_arguments):
        raise SettingsError(name="topic", value="x", allowed="a text", source="log_event()")

    def fail():
        raise PermissionError("no directory")

    made.processes._view.send_event = refuse
    made.processes._view.find_directory = fail
    run(made, ask, 1, 1)
    assert type(error_of(made)) is SettingsError
    run(made, ask, 1, 2)
    assert type(error_of(made)) is PermissionError
    run(made, abs, 1, 3)
    assert made.collect(1) == {"k3": TasksDone}


def test_a_value_for_which_there_is_no_memory_fails_its_task(bench, monkeypatch):
    made = bench(1)
    read = Pipe._read

    def short(pipe, size):
        if size == 5_000_003:
            raise MemoryError
        return read(pipe, size)

    monkeypatch.setattr(Pipe, "_read", short)

    def large(number):
        import pickle  # noqa: PLC0415

        class Large:
            def __reduce_ex__(self, _protocol):
                return bytearray, (pickle.PickleBuffer(bytes(5_000_003)),)

        return Large() if number == 1 else number

    run(made, large, 1, 1)
    error = error_of(made)
    assert type(error) is WorkerDied
    assert "MemoryError" in str(error)
    run(made, large, 1, 2)
    assert made.collect(1) == {"k2": TasksDone}


def test_functions_that_were_forgotten_are_sent_again(bench, monkeypatch):
    # (A process has its own number, which is larger: it may know more than it is asked for.)
    monkeypatch.setattr(process_pool, "FUNCTIONS_MAX", 2)
    assert process_child.FUNCTIONS_MAX > 2
    made = bench(1)
    for number in range(6):
        run(made, [abs, float, str][number % 3], 1, number)
        made.collect(1)
    assert [value(made, f"k{number}") for number in (3, 4, 5)] == [3, 4.0, "5"]


def test_a_worker_that_ends_lets_tasks_end_in_processes_that_others_have_started(bench, tmp_path):
    started, ended = tmp_path / "started", str(tmp_path / "ended")

    def work(number):
        import pathlib  # noqa: PLC0415
        import time  # noqa: PLC0415

        if number >= 2:
            pathlib.Path(f"{started}{number}").touch()
            while not pathlib.Path(ended).exists():
                time.sleep(0.01)
            pathlib.Path(f"{ended}{number}").touch()

    made = bench(1)
    run(made, work, 2)
    made.collect(2)
    # The thread that started the process has nothing to do, unless it got the same one again.
    run(made, work, 1, 2)
    made.until((tmp_path / "started2").exists)
    with made.lock:
        made.desk.close()
    (seat,) = [seat for seat in made.processes._seats.values() if seat.task is not None]
    for _ in made.processes._seats:
        made.processes._tasks.put(None)
    for other in made.processes._seats.values():
        assert other is seat or other.is_done.wait(TIMEOUT_S)
    (tmp_path / "ended").touch()
    assert made.processes.close(TIMEOUT_S)
    assert (tmp_path / "ended2").exists()
    assert made.processes.memory_nbytes() == 0
