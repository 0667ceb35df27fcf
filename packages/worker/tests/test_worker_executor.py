"""The threads that run tasks, without an event loop."""

from __future__ import annotations

import contextlib
import queue
import threading

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import RunTasks, TasksDone, TasksFailed
from hocket.protocol.serialize import ArgumentPickler, dump_function
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.executor import Executor, Flush

TIMEOUT_S = 20


class Bench:
    """A machine and its threads; wake-ups of the loop go into a queue."""

    def __init__(self, threads_count, resources=None):
        self.lock = threading.Lock()
        self.machine = WorkerMachine(
            name="w", address="tcp://w:1", settings=WorkerSettings(), resources=resources
        )
        self.wakeups = queue.SimpleQueue()
        self.executor = Executor(
            self.machine,
            self.lock,
            name="w",
            threads_count=threads_count,
            inline_nbytes_max=1000,
            wake_loop=lambda: self.wakeups.put(None),
            on_broken=lambda: self.wakeups.put("broken"),
        )
        self.executor.start()

    def run(self, function, count, first=0, **options):
        pickled = dump_function(function)
        numbers = range(first, first + count)
        message = RunTasks(
            functions=[pickled.digest],
            labels=["f"],
            blobs=[pickled.blob],
            keys=[f"k{number}" for number in numbers],
            attempts=[number + 1 for number in numbers],
            priorities=list(numbers),
            function_of=[],
            payloads=[ArgumentPickler().dumps((number,), {}) for number in numbers],
            wanted=[],
            inputs=[],
            **options,
        )
        with self.lock:
            self.machine.handle([message], 0.0)
            self.executor.wake()

    def flush(self):
        """Wait for a wake-up, and take what there is."""
        self.wakeups.get(timeout=TIMEOUT_S)
        with self.lock:
            self.executor.flush = Flush.NONE
            check(self.machine)
            return self.machine.take_outbox()

    def collect(self, count):
        ends = {}
        while len(ends) < count:
            for message in self.flush():
                assert isinstance(message, TasksDone | TasksFailed)
                ends.update(dict.fromkeys(message.keys, type(message)))
        return ends


@pytest.fixture
def bench():
    with contextlib.ExitStack() as stack:

        def make(*args, **kwargs):
            made = Bench(*args, **kwargs)
            stack.callback(lambda: made.executor.close(TIMEOUT_S))
            return made

        yield make


def square(x):
    return x * x


@pytest.mark.parametrize("threads_count", [1, 2, 8])
def test_all_tasks_run_and_are_reported_once(bench, threads_count):
    made = bench(threads_count)
    for start in range(0, 3000, 500):
        made.run(square, 500, start)
    ends = made.collect(3000)
    assert set(ends.values()) == {TasksDone}
    assert made.machine.running_count == made.machine.ready_count == 0


GATES = {}


@pytest.fixture
def gates():
    """Per task two semaphores: it raises the first when it begins, and waits at the second."""
    GATES.update({number: (threading.Semaphore(0), threading.Semaphore(0)) for number in range(8)})
    yield GATES
    for _, opened in GATES.values():
        opened.release()
    GATES.clear()


def pass_gate(number):
    entered, opened = GATES[number]
    entered.release()
    assert opened.acquire(timeout=TIMEOUT_S)


def square_or_pass_gate(number):
    return square(number) if number < 999 else pass_gate(number - 999)


def test_one_wake_up_carries_all_that_piles_up(bench, gates):
    made = bench(1)
    made.run(square_or_pass_gate, 1000)
    made.wakeups.get(timeout=TIMEOUT_S)
    # Nobody flushes, so nobody is waked again, however many tasks end.
    entered, opened = gates[0]
    assert entered.acquire(timeout=TIMEOUT_S)
    opened.release()
    assert made.executor.close(TIMEOUT_S)
    assert made.wakeups.empty()
    assert made.executor.flush is Flush.WAKE
    (done,) = made.machine.take_outbox()
    assert len(done.keys) == 1000


def test_while_the_timer_runs_only_a_thread_that_goes_idle_wakes_the_loop(bench, gates):
    made = bench(1)
    made.executor.flush = Flush.TIMER
    made.run(pass_gate, 2)
    gates[0][1].release()
    assert gates[1][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        # The first has ended, the second is under way: the timer will see to it.
        assert made.machine.pending
        assert made.executor.flush is Flush.TIMER
    assert made.wakeups.empty()
    gates[1][1].release()
    made.wakeups.get(timeout=TIMEOUT_S)
    with made.lock:
        assert made.executor.flush is Flush.WAKE


def test_as_many_threads_wake_as_there_are_tasks(bench, gates):
    made = bench(4)
    made.run(pass_gate, 3)
    for number in range(3):
        assert gates[number][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        assert made.machine.running_count == 3
    for number in range(3):
        gates[number][1].release()
    made.collect(3)


def test_resources_that_come_free_wake_who_waits_for_them(bench):
    made = bench(4, {"GPU": 2})
    made.run(square, 200, resources={"GPU": 1})
    made.run(square, 200, 200, resources={"GPU": 2})
    assert len(made.collect(400)) == 400


def test_a_bug_of_ours_is_told(bench, monkeypatch, caplog):
    made = bench(1)
    monkeypatch.setattr(made.machine, "executed", lambda *_: 1 / 0)
    made.run(square, 1)
    assert made.wakeups.get(timeout=TIMEOUT_S) == "broken"
    assert "a thread of 'w' ended" in caplog.text


def test_close_lets_running_tasks_end_and_runs_no_others(bench, gates):
    made = bench(1)
    made.run(pass_gate, 2)
    assert gates[0][0].acquire(timeout=TIMEOUT_S)
    assert not made.executor.close(0)
    gates[0][1].release()
    assert made.executor.close(TIMEOUT_S)
    assert made.machine.ready_count == 1
