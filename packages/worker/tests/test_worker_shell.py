"""A real worker against a scheduler that does what the test says."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import threading
import weakref
from pathlib import Path

import pytest

from hocket.core.errors import ConnectFailed, TaskFailed
from hocket.core.settings import Settings
from hocket.core.task_context import current_task
from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    FailureKind,
    HereRan,
    RecallTasks,
    RunHere,
    TasksDone,
    TasksReturned,
    WorkerJoined,
    WorkerReport,
)
from hocket.protocol.serialize import (
    ArgumentPickler,
    dump_function,
    load_exception,
    load_value,
)
from hocket.worker.shell import Worker


def double(x):
    return x * 2


def test_the_first_message_introduces_the_worker(with_scheduler, scheme):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(
            name="ann", threads=3, memory_limit=1000, resources={"GPU": 2}
        )
        joined = scheduler.heard[0]
        assert isinstance(joined, WorkerJoined)
        assert (joined.name, joined.threads, joined.memory_limit) == ("ann", 3, 1000)
        assert (joined.address, joined.pid) == (worker.address, os.getpid())
        assert joined.resources == {"GPU": 2.0, "memory": 1000}
        assert joined.executors == {"threads": 3, "loop": 100, "processes": 3, "actors": 8}
        assert joined.calls_address not in ("", joined.address)
        expected = "inproc://" if scheme == "inproc" else "unix://"
        assert worker.address.startswith(expected)

    with_scheduler(scenario, scheme)


def test_small_wanted_results_come_along(with_scheduler, scheme):
    async def scenario(scheduler):
        await scheduler.add_worker()
        ends = await scheduler.run(scheduler.many(double, range(500)))
        for index in range(500):
            report, row = ends[f"task-{index}"]
            assert isinstance(report, TasksDone)
            assert load_value(report.values[row]) == 2 * index
            assert report.starts[row] > 1e9
            assert report.durations[row] >= 0

    with_scheduler(scenario, scheme)


def test_large_and_unwanted_results_stay_and_can_be_fetched_and_dropped(with_scheduler, scheme):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        large = scheduler.task(bytes, 1_000_000, key="large")
        unwanted = scheduler.task(double, 4, key="unwanted", wanted=0)
        assert await scheduler.result(large) is None
        assert await scheduler.result(unwanted) is None
        reply, values = await scheduler.fetch(worker.address, "large", "none", "unwanted")
        assert values == [bytes(1_000_000), None, 8]
        assert reply.attempts == [large.attempts[0], -1, unwanted.attempts[0]]
        assert reply.errors == ["", "", ""]
        # A wrong attempt drops nothing.
        scheduler.send(DropData(["large", "unwanted"], [large.attempts[0], 99]))
        await scheduler.result(scheduler.task(double, 1))
        reply, values = await scheduler.fetch(worker.address, "large", "unwanted")
        assert values == [None, 8]

    with_scheduler(scenario, scheme)


class Tracked:
    alive = weakref.WeakSet()

    def __init__(self):
        self.alive.add(self)

    def __reduce__(self):
        return Tracked, ()


def test_a_dropped_value_is_let_go_even_by_idle_threads(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        message = scheduler.task(Tracked, wanted=0)
        await scheduler.run(message)
        assert len(Tracked.alive) == 1
        scheduler.send(DropData(message.keys, message.attempts))
        await scheduler.settle()
        gc.collect()
        assert len(Tracked.alive) == 0

    with_scheduler(scenario)


def raise_error(kind, *args):
    raise kind(*args)


def test_an_error_of_the_users_comes_with_its_traceback(with_scheduler):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        message = scheduler.task(raise_error, ValueError, "seven")
        failure = await scheduler.result(message)
        assert failure.kind is FailureKind.RAISED
        assert (failure.key, failure.worker, failure.attempt) == (
            "task",
            worker.name,
            message.attempts[0],
        )
        assert "ValueError: seven" in failure.text
        error = load_exception(failure.exception)
        assert isinstance(error, ValueError)
        trace = error.__traceback__
        assert trace.tb_frame.f_code.co_name == "raise_error"
        assert trace.tb_next is None

    with_scheduler(scenario)


@pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, MemoryError]
)
def test_no_error_ends_a_thread(with_scheduler, kind):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        failure = await scheduler.result(scheduler.task(raise_error, kind))
        assert failure.kind is FailureKind.RAISED
        assert type(load_exception(failure.exception)) is kind
        assert load_value(await scheduler.result(scheduler.task(double, 2))) == 4

    with_scheduler(scenario)


class Nasty(Exception):
    """Can be neither pickled nor printed."""

    def __reduce__(self):
        raise SystemExit

    def __str__(self):
        raise KeyboardInterrupt

    __repr__ = __str__


def raise_nasty():
    raise Nasty


class Unpicklable:
    def __init__(self, error=TypeError):
        self.error = error

    def __reduce__(self):
        raise self.error("not me")

    def __repr__(self):
        return "<an unpicklable " + "x" * 1000


def make_unpicklable(error=TypeError):
    return Unpicklable(error)


def test_an_error_that_can_be_neither_pickled_nor_printed(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        failure = await scheduler.result(scheduler.task(raise_nasty))
        assert failure.kind is FailureKind.RAISED
        assert "Nasty" in failure.text
        assert isinstance(load_exception(failure.exception, "k", failure.text), TaskFailed)
        assert load_value(await scheduler.result(scheduler.task(double, 2))) == 4

    with_scheduler(scenario)


@pytest.mark.parametrize("error", [TypeError, SystemExit])
def test_an_unpicklable_result_fails_by_name(with_scheduler, error):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        failure = await scheduler.result(scheduler.task(make_unpicklable, error, key="odd"))
        assert failure.kind is FailureKind.SERIALIZATION
        for part in ("'odd'", "Unpicklable", "<an unpicklable xxx", error.__name__):
            assert part in failure.text
        assert "x" * 500 not in failure.text
        assert load_value(await scheduler.result(scheduler.task(double, 2))) == 4

    with_scheduler(scenario)


def test_a_function_of_a_module_that_is_not_here(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        missing = (b"m" * 16, b"cno_such_module\nfind\n.", "find")
        for _ in range(2):
            failure = await scheduler.result(scheduler.task(missing, 1, key="lost"))
            assert failure.kind is FailureKind.SERIALIZATION
            for part in ("'find'", "'lost'", "no_such_module", "install", "register_pickle_by"):
                assert part in failure.text
        not_callable = (b"n" * 16, pickle.dumps(3), "three")
        failure = await scheduler.result(scheduler.task(not_callable, 1))
        assert failure.kind is FailureKind.SERIALIZATION
        assert "not callable" in failure.text

    with_scheduler(scenario)


@pytest.mark.parametrize("payload", [b"garbage", b"", pickle.dumps(3), pickle.dumps((1, 2))])
def test_arguments_that_are_none(with_scheduler, payload):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        message = scheduler.task(double, 1, key="odd")
        message.payloads = [payload]
        failure = await scheduler.result(message)
        assert failure.kind in (FailureKind.SERIALIZATION, FailureKind.RAISED)
        assert "odd" in failure.text or "must be" in failure.text
        assert load_value(await scheduler.result(scheduler.task(double, 2))) == 4

    with_scheduler(scenario)


async def double_later(x):
    await asyncio.sleep(0)
    return 2 * x


def test_coroutine_functions_run_in_their_thread(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker()
        assert load_value(await scheduler.result(scheduler.task(double_later, 3))) == 6

    with_scheduler(scenario)


def describe_me():
    task = current_task()
    return task.key, task.attempt, task.worker


def test_a_task_can_ask_who_it_is(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(name="ann")
        message = scheduler.task(describe_me, key="who")
        assert load_value(await scheduler.result(message)) == ("who", message.attempts[0], "ann")
        assert current_task() is None

    with_scheduler(scenario)


GATES = {}


def wait_at(gate):
    entered, opened = GATES[gate]
    entered.release()
    opened.acquire()
    return gate


@pytest.fixture
def gate():
    """A gate at which tasks wait; opened for all at the end."""
    name = object()
    GATES["gate"] = entered, opened = threading.Semaphore(0), threading.Semaphore(0)
    yield entered, opened
    for _ in range(10):
        opened.release()
    del name, GATES["gate"]


async def in_thread(function, *args):
    return await asyncio.to_thread(function, *args)


def test_tasks_not_begun_are_given_back_in_one_report(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        scheduler.send(scheduler.task(wait_at, "gate", key="busy"))
        await in_thread(entered.acquire)
        waiting = scheduler.many(double, range(5))
        scheduler.send(waiting)
        recalled = ["busy", *waiting.keys[1:3]]
        scheduler.send(RecallTasks(recalled, [1, *waiting.attempts[1:3]]))
        await scheduler.hear(lambda: scheduler.of(TasksReturned))
        (returned,) = scheduler.of(TasksReturned)
        assert returned.keys == waiting.keys[1:3]
        opened.release()
        await scheduler.hear(lambda: len(scheduler.ends()) == 6)

    with_scheduler(scenario)


def test_what_is_abandoned_is_not_reported(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        scheduler.send(scheduler.task(wait_at, "gate", key="busy"))
        await in_thread(entered.acquire)
        scheduler.send(scheduler.task(double, 1, key="next"))
        scheduler.send(AbandonTasks(["busy", "next"], [1, 2]))
        last = scheduler.task(double, 1, key="last")
        scheduler.send(last)
        await scheduler.settle()
        opened.release()
        await scheduler.hear(scheduler.ends)
        assert set(scheduler.ends()) == {("last", last.attempts[0])}
        reply, _ = await scheduler.fetch(worker.address, "busy", "next")
        assert reply.attempts == [-1, -1]

    with_scheduler(scenario)


def test_run_here_runs_beside_the_tasks(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        scheduler.send(scheduler.task(wait_at, "gate", key="busy"))
        await in_thread(entered.acquire)
        arguments = ArgumentPickler().dumps((21,), {})
        scheduler.send(RunHere(5, dump_function(double).blob, arguments))
        scheduler.send(RunHere(6, dump_function(double_later).blob, arguments))
        scheduler.send(RunHere(7, dump_function(lambda x: 1 / 0).blob, arguments))
        scheduler.send(RunHere(8, dump_function(make_unpicklable).blob, arguments))
        scheduler.send(RunHere(9, b"garbage", arguments))
        await scheduler.hear(lambda: len(scheduler.of(HereRan)) == 5)
        answers = {answer.request: answer for answer in scheduler.of(HereRan)}
        assert load_value(answers[5].value) == load_value(answers[6].value) == 42
        kinds = [answers[request].failure.kind for request in (7, 8, 9)]
        assert kinds == [
            FailureKind.RAISED,
            FailureKind.SERIALIZATION,
            FailureKind.SERIALIZATION,
        ]
        assert isinstance(load_exception(answers[7].failure.exception), ZeroDivisionError)
        assert not scheduler.ends()
        opened.release()

    with_scheduler(scenario)


def test_resources_limit_what_runs_at_once(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=4, resources={"GPU": 1})
        for index in range(3):
            scheduler.send(
                scheduler.task(wait_at, "gate", key=f"gpu-{index}", resources={"GPU": 1})
            )
        await in_thread(entered.acquire)
        # A task that needs nothing goes past them.
        assert load_value(await scheduler.result(scheduler.task(double, 1))) == 2
        for _ in range(2):
            assert worker._machine.running_count == 1
            opened.release()
            await in_thread(entered.acquire)
        opened.release()
        await scheduler.hear(lambda: len(scheduler.ends()) == 4)

    with_scheduler(scenario)


def test_the_worker_says_how_it_is(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker()
        await scheduler.hear(lambda: scheduler.of(WorkerReport))
        (report,) = scheduler.of(WorkerReport)
        assert report.memory_nbytes > 1_000_000
        assert report.time_s > 1e9

    with_scheduler(scenario)


def test_a_scheduler_that_says_goodbye(with_scheduler, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        scheduler.channels[0].close("that was all")
        assert await worker.wait_finished() == ("that was all", True)
        assert not caplog.records

    with_scheduler(scenario)


def test_a_scheduler_that_is_lost(with_scheduler, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(name="ann")
        scheduler.channels[0].detach()
        reason, clean = await worker.wait_finished()
        assert not clean
        assert reason
        (record,) = [one for one in caplog.records if one.name == "hocket.worker"]
        assert record.levelno == logging.WARNING
        assert "'ann' lost its scheduler" in record.getMessage()

    with_scheduler(scenario)


def test_a_scheduler_that_is_not_there(tmp_path):
    async def scenario():
        settings = Settings.build(overrides={"transport.connect_timeout_s": 0.05})
        worker = Worker(f"inproc://{tmp_path.name}", name="w", settings=settings)
        with pytest.raises(ConnectFailed):
            await worker.start()

    before = threading.active_count()
    asyncio.run(scenario())
    assert threading.active_count() == before


def test_close_can_be_repeated_and_leaves_nothing(with_scheduler):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        directory = Path(worker.address.removeprefix("unix://")).parent
        assert directory.stat().st_mode & 0o777 == 0o700
        await asyncio.gather(worker.close(), worker.close("again"))
        await worker.close()
        assert await worker.wait_finished() == ("the worker was closed", True)
        assert not directory.exists()

    with_scheduler(scenario, "tcp")


def test_close_does_not_wait_for_ever(with_scheduler, gate, caplog):
    caplog.set_level(logging.INFO, logger="hocket.worker")
    entered, opened = gate

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        scheduler.send(scheduler.task(wait_at, "gate"))
        await in_thread(entered.acquire)
        await worker.close(timeout_s=0)
        assert "while tasks of it were running" in caplog.text
        opened.release()

    with_scheduler(scenario)


def test_a_worker_with_a_bug_leaves(with_scheduler, monkeypatch, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        monkeypatch.setattr(worker._machine, "executed", lambda *_: 1 / 0)
        scheduler.send(scheduler.task(double, 1))
        reason, clean = await worker.wait_finished()
        assert not clean
        assert "bug" in reason
        assert "ZeroDivisionError" in caplog.text

    with_scheduler(scenario)
