"""The threads that run tasks, without an event loop."""

from __future__ import annotations

import threading

import pytest

from hocket.core.errors import Reschedule
from hocket.core.task_context import current_task, rejoin, secede
from hocket.protocol.messages import (
    AbandonTasks,
    TasksBegun,
    TasksDone,
    TasksRejoined,
    TasksRescheduled,
    TasksSeceded,
)
from hocket.worker.invariants import check
from hocket.worker.shell.desk import Flush

TIMEOUT_S = 20


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
    assert made.close(TIMEOUT_S)
    assert made.wakeups.empty()
    assert made.desk.flush is Flush.WAKE
    (done,) = made.machine.take_outbox()
    assert len(done.keys) == 1000


def test_while_the_timer_runs_only_a_thread_that_goes_idle_wakes_the_loop(bench, gates):
    made = bench(1)
    made.desk.flush = Flush.TIMER
    made.run(pass_gate, 2)
    gates[0][1].release()
    assert gates[1][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        # The first has ended, the second is under way: the timer will see to it.
        assert made.machine.pending
        assert made.desk.flush is Flush.TIMER
    assert made.wakeups.empty()
    gates[1][1].release()
    made.wakeups.get(timeout=TIMEOUT_S)
    with made.lock:
        assert made.desk.flush is Flush.WAKE


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
    assert not made.close(0)
    gates[0][1].release()
    assert made.close(TIMEOUT_S)
    assert made.machine.ready_count == 1


def secede_and_come_back(number):
    secede()
    pass_gate(number)
    rejoin()


def test_an_extra_thread_takes_the_slot_of_a_task_that_secedes(bench, gates):
    made = bench(1)
    made.run(secede_and_come_back, 1)
    made.run(square, 1, 1)
    ends, said = made.collect(1, (TasksSeceded, "k0"))
    assert ends == {"k1": TasksDone}
    gates[0][1].release()
    ends, said = made.collect(1, (TasksRejoined, "k0"))
    assert (ends, said) == ({"k0": TasksDone}, [(TasksRejoined, "k0")])


def secede_and_pass_gate(number):
    secede()
    pass_gate(number)
    rejoin()


def test_there_are_never_more_tasks_with_a_slot_than_slots(bench, gates):
    made = bench(2)
    made.run(secede_and_pass_gate, 4)
    for number in range(4):
        assert gates[number][0].acquire(timeout=TIMEOUT_S)
    made.run(pass_gate, 4, 4)
    for number in (4, 5):
        assert gates[number][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        check(made.machine)
        assert made.machine.running_count == 6
        assert made.machine.ready_count == 2
    for number in range(4):
        gates[number][1].release()
    made.until(lambda: len(made.desk._rejoining) == 4)
    with made.lock:
        check(made.machine)
    # Those that come back stand in line before those that have not begun.
    gates[4][1].release()
    assert gates[6][0].acquire(timeout=TIMEOUT_S)
    ends = made.collect(5)
    assert set(ends) == {f"k{number}" for number in range(5)}
    for number in (5, 6, 7):
        gates[number][1].release()
    ends |= made.collect(3)
    assert set(ends.values()) == {TasksDone}
    assert len(ends) == 8


def test_extra_threads_end_when_there_is_nothing_for_them(bench, gates):
    made = bench(1)
    before = set(threading.enumerate()) - made.executor._threads
    made.run(secede_and_pass_gate, 8)
    for number in range(8):
        assert gates[number][0].acquire(timeout=TIMEOUT_S)
    extra = set(made.executor._threads)
    assert len(extra) >= 8
    for number in range(8):
        gates[number][1].release()
    made.collect(8)
    with made.lock:
        leaving = extra - made.executor._threads
    for thread in leaving:
        thread.join(TIMEOUT_S)
    # One for the slot, and one for the next task that secedes; some may yet be on their way.
    made.run(square, 1, 100)
    made.collect(1)
    assert made.close()
    assert set(threading.enumerate()) <= before


def secede_twice(_number):
    task = current_task()
    assert task.secede()
    assert not task.secede()
    task.rejoin()
    task.rejoin()
    assert current_task() is task
    return task


def test_a_context_is_of_use_only_while_its_task_runs(bench):
    made = bench(1)
    made.run(secede_twice, 1)
    assert made.collect(1) == {"k0": TasksDone}
    (datum,) = made.machine.held(["k0"])
    task = datum.value
    assert (task.key, task.attempt, task.worker, task.devices) == ("k0", 1, "w", {})
    assert not task.secede()
    task.rejoin()


def secede_for_good(number):
    secede()
    pass_gate(number)


def test_a_task_may_end_without_a_slot(bench, gates):
    made = bench(1)
    for number in (0, 1):
        made.run(secede_for_good, 1, number)
        assert gates[number][0].acquire(timeout=TIMEOUT_S)
    for number in (0, 1):
        gates[number][1].release()
    made.run(square, 100, 100)
    assert len(made.collect(102)) == 102
    with made.lock:
        assert not made.executor._seceded


def test_close_lets_nobody_wait_for_a_slot(bench, gates):
    made = bench(1)
    made.run(secede_and_come_back, 1)
    assert gates[0][0].acquire(timeout=TIMEOUT_S)
    made.run(pass_gate, 1, 1)
    assert gates[1][0].acquire(timeout=TIMEOUT_S)
    gates[0][1].release()
    made.until(lambda: made.desk._rejoining)
    gates[1][1].release()
    assert made.close()


def test_the_system_has_no_more_threads(bench, gates, monkeypatch, caplog):
    made = bench(1)
    with made.lock:
        monkeypatch.setattr(threading.Thread, "start", refuse)
    made.run(secede_and_pass_gate, 3)
    assert gates[0][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        made.desk.wake()
    # The others wait for the thread that there is.
    for number in range(3):
        gates[number][1].release()
    assert len(made.collect(3)) == 3
    (record,) = caplog.records
    assert "cannot start another thread: no more" in record.getMessage()


def refuse(_thread):
    raise RuntimeError("no more")


def ask_to_run_again(number):
    if number % 2:
        raise Reschedule("not here")


def test_tasks_may_ask_to_be_run_again(bench):
    made = bench(2)
    made.run(ask_to_run_again, 10)
    ends = made.collect(10)
    assert ends == {f"k{number}": (TasksDone, TasksRescheduled)[number % 2] for number in range(10)}
    assert made.machine.running_count == 0


def test_what_is_announced_begins_when_that_is_sent(bench, gates):
    made = bench(1)
    made.run(pass_gate, 1, announced=True)
    made.until(lambda: made.desk._unsent)
    assert not gates[0][0].acquire(blocking=False)
    (begun,) = made.flush()
    assert (type(begun), begun.keys) == (TasksBegun, ["k0"])
    assert gates[0][0].acquire(timeout=TIMEOUT_S)
    gates[0][1].release()
    assert made.collect(1) == {"k0": TasksDone}


def test_what_could_not_be_announced_does_not_begin(bench, gates):
    made = bench(1)
    made.run(pass_gate, 1, announced=True)
    made.until(lambda: made.desk._unsent)
    assert made.close()
    assert not gates[0][0].acquire(blocking=False)
    assert made.machine.running_count == 1


def test_what_begins_after_an_abandoned_task_is_told(bench, gates):
    made = bench(1)
    made.run(pass_gate, 2)
    assert gates[0][0].acquire(timeout=TIMEOUT_S)
    with made.lock:
        made.machine.handle([AbandonTasks(["k0"], [1])], 0.0)
        made.machine.take_outbox()
        made.desk.flush = Flush.NONE
    while not made.wakeups.empty():
        made.wakeups.get()
    gates[0][1].release()
    assert gates[1][0].acquire(timeout=TIMEOUT_S)
    (begun,) = made.flush()
    assert (type(begun), begun.keys) == (TasksBegun, ["k1"])
