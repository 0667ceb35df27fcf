"""Interrupting: the user's code is hit, and nothing else, whenever it comes."""

from __future__ import annotations

import asyncio
import sys
import threading
from time import sleep

import pytest

from hocket.protocol.messages import Failure
from hocket.protocol.serialize import dump_function, dump_value
from hocket.worker.lanes import Lane
from hocket.worker.shell.execution import execute
from hocket.worker.shell.interrupting import Guard
from hocket.worker.state import Function, Task, Terms

TIMEOUT_S = 20


def task_of(function, *args):
    pickled = dump_function(function)
    function = Function(pickled.digest, pickled.label, pickled.blob)
    return Task("k", 7, 0, function, dump_value((args, {})), True, Terms(Lane("threads", 1), ()))


def run(task, guard):
    """Return a task's value, or the text of its failure."""
    outcome = execute(task, "w", 1000, guard)
    # Nothing is pending: this would be hit.
    for _ in range(50):
        pass
    assert guard.task is None
    failure = outcome.failure
    assert failure is None or isinstance(failure, Failure)
    return outcome.value if failure is None else failure.text


def count_to(number):
    count = 0
    for _ in range(number):
        count += 1
    return count


@pytest.mark.parametrize("length", [1, 20, 2000])
def test_an_interrupt_hits_nothing_but_the_function(length):
    """However close to its end it comes, and however many come at once: thousands of times."""
    guard = Guard()
    task = task_of(count_to, length)
    is_over = threading.Event()

    def interrupt():
        while not is_over.is_set():
            guard.interrupt(task)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        ends = set()
        for _ in range(3000):
            end = run(task, guard)
            ends.add(end if isinstance(end, int) else end.split()[-1].rpartition(".")[2])
    finally:
        is_over.set()
        thread.join()
    assert ends <= {length, "TaskInterrupted"}
    assert "TaskInterrupted" in ends


def test_what_is_interrupted_before_it_begins_does_not_begin():
    guard = Guard()
    begun = []
    task = task_of(count_to, 1)
    task.function.loaded = type("Loaded", (), {"call": staticmethod(begun.append)})
    guard.interrupt(task)
    assert "TaskInterrupted" in run(task, guard)
    assert not begun
    assert run(task, guard) is None
    assert begun == [1]


def test_another_task_in_its_place_is_not_hit():
    guard = Guard()
    former, present = task_of(count_to, 1), task_of(count_to, 2)
    guard.interrupt(former)
    assert run(present, guard) == 2


def fail():
    raise KeyError("no")


def test_errors_and_values_pass_through():
    guard = Guard()
    assert run(task_of(count_to, 7), guard) == 7
    assert "KeyError" in run(task_of(fail), guard)


async def wait_for_ever(log):
    try:
        BEGUN.release()
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        LOG.append(log)


BEGUN = threading.Semaphore(0)
LOG: list[str] = []


def test_a_coroutine_on_a_thread_is_interrupted_where_it_waits():
    guard = Guard()
    task = task_of(wait_for_ever, "cleaned up")

    def interrupt():
        assert BEGUN.acquire(timeout=TIMEOUT_S)
        guard.interrupt(task)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert "CancelledError" in run(task, guard)
    thread.join()
    assert LOG == ["cleaned up"]


async def turn_for_ever():
    BEGUN.release()
    while True:  # noqa: ASYNC110 - it turns, as users' code may
        await asyncio.sleep(0)


async def divide(number):
    await asyncio.sleep(0)
    return 1 / number


def test_what_a_coroutine_raises_has_the_frames_of_the_user_alone():
    text = run(task_of(divide, 0), Guard())
    assert text.count("File ") == 1
    assert "in divide" in text
    assert run(task_of(divide, 4), Guard()) == 0.25


def test_a_coroutine_ends_whenever_it_comes_and_its_loop_is_not_hit(caplog):
    for _ in range(100):
        guard = Guard()
        task = task_of(turn_for_ever)

        def interrupt(guard=guard, task=task):
            assert BEGUN.acquire(timeout=TIMEOUT_S)
            guard.interrupt(task)

        thread = threading.Thread(target=interrupt)
        thread.start()
        end = run(task, guard)
        assert "CancelledError" in end or "TaskInterrupted" in end
        thread.join()
    assert caplog.records == []


def swallow(times):
    swallowed = 0
    BEGUN.release()
    while swallowed < times:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - what users do
            swallowed += 1
            BEGUN.release()
    return swallowed


def test_one_that_swallows_it_is_interrupted_again():
    guard = Guard()
    task = task_of(swallow, 3)

    def interrupt():
        for _ in range(3):
            assert BEGUN.acquire(timeout=TIMEOUT_S)
            guard.interrupt(task)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run(task, guard) == 3
    thread.join()
    assert BEGUN.acquire(timeout=TIMEOUT_S)


def test_a_wait_of_ours_is_ended():
    guard = Guard()
    gate = threading.Lock()
    gate.acquire()
    task = task_of(count_to, 1)

    def wait(_):
        guard.wake_by(gate.release)
        BEGUN.release()
        gate.acquire()

    task.function.loaded = type("Loaded", (), {"call": staticmethod(wait)})

    def interrupt():
        assert BEGUN.acquire(timeout=TIMEOUT_S)
        sleep(0.01)
        guard.interrupt(task)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert "TaskInterrupted" in run(task, guard)
    thread.join()


def test_waits_of_other_threads_are_theirs():
    guard = Guard()
    ended = []
    task = task_of(count_to, 1)

    def spin(_):
        in_thread(guard.wake_by, lambda: ended.append(1))
        in_thread(guard.interrupt, task)
        count_to(1000)

    task.function.loaded = type("Loaded", (), {"call": staticmethod(spin)})
    assert "TaskInterrupted" in run(task, guard)
    assert not ended


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


class Counted:
    """Changes two things, which must stay equal."""

    def __init__(self, guard):
        self.guard = guard
        self.first = self.second = 0

    def change(self, times):
        for _ in range(times):
            with self.guard.shielded():
                self.first += 1
                count_to(20)
                self.second += 1


def test_what_is_shielded_is_never_left_half_done():
    guard = Guard()
    counted = Counted(guard)
    task = task_of(count_to, 30)
    task.function.loaded = type("Loaded", (), {"call": staticmethod(counted.change)})
    is_over = threading.Event()

    def interrupt():
        while not is_over.is_set():
            guard.interrupt(task)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for _ in range(1000):
            run(task, guard)
            assert counted.first == counted.second
    finally:
        is_over.set()
        thread.join()
    assert counted.first


def test_what_comes_while_it_is_shielded_comes_afterwards():
    guard = Guard()
    task = task_of(count_to, 1)
    log = []

    def work(_):
        with guard.shielded():
            in_thread(guard.interrupt, task)
            count_to(1000)
            log.append("shielded")
        log.append("not reached")

    task.function.loaded = type("Loaded", (), {"call": staticmethod(work)})
    assert "TaskInterrupted" in run(task, guard)
    assert log == ["shielded"]


def test_what_cleans_up_after_it_may_be_shielded():
    guard = Guard()
    task = task_of(count_to, 1)
    log = []

    def work(_):
        try:
            in_thread(guard.interrupt, task)
            count_to(1000)
        finally:
            with guard.shielded():
                log.append("cleaned up")
            log.append("further")

    task.function.loaded = type("Loaded", (), {"call": staticmethod(work)})
    assert "TaskInterrupted" in run(task, guard)
    assert log == ["cleaned up", "further"]


def test_outside_of_tasks_shields_are_nothing():
    guard = Guard()
    assert guard.shield() is None
    guard.unshield(None)
    guard.task = object()
    found = []
    in_thread(lambda: found.append(guard.shield()))
    assert found == [None]


def test_a_thread_that_is_traced_goes_on_after_an_interrupt():
    guard = Guard()
    task = task_of(count_to, 10)
    guard.interrupt(task)
    assert "TaskInterrupted" in run(task, guard)
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        assert count_to(3) == 3
    finally:
        sys.settrace(before)
