"""What a worker tells of itself and of the tasks that it runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import NamedTuple

import psutil
import pytest

from hocket.core.errors import Reschedule
from hocket.core.settings import Settings
from hocket.core.task_context import current_task, rejoin, secede
from hocket.protocol.messages import (
    CopiesFailed,
    CopyData,
    ReplicasStored,
    TasksBegun,
    TasksDone,
    TasksRejoined,
    TasksRescheduled,
    TasksSeceded,
    WorkerPaused,
)
from hocket.protocol.serialize import load_value
from hocket.worker.shell import monitor

GATES = {}


def wait_at(gate):
    entered, opened = GATES[gate]
    entered.release()
    opened.acquire()
    return gate


async def wait_in_loop_at(gate):
    return await asyncio.to_thread(wait_at, gate)


@pytest.fixture
def gate():
    """A gate at which tasks wait; opened for all at the end."""
    GATES["gate"] = entered, opened = threading.Semaphore(0), threading.Semaphore(0)
    yield entered, opened
    for _ in range(10):
        opened.release()
    del GATES["gate"]


async def in_thread(function, *args):
    return await asyncio.to_thread(function, *args)


async def until(condition):
    """Let the loop turn until something has come about that tells nobody."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)


def double(x):
    return 2 * x


@pytest.mark.parametrize("executor", ["threads", "loop"])
def test_what_runs_for_long_is_told(with_scheduler, scheme, gate, executor):
    _, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        function = wait_at if executor == "threads" else wait_in_loop_at
        message = scheduler.task(function, "gate")
        message.executor = executor
        scheduler.send(message)
        # Nothing else happens that would make the worker speak.
        await scheduler.hear(lambda: scheduler.of(TasksBegun))
        (begun,) = scheduler.of(TasksBegun)
        assert (begun.keys, begun.attempts) == (message.keys, message.attempts)
        opened.release()
        await scheduler.hear(scheduler.ends)
        assert len(scheduler.of(TasksBegun)) == 1

    with_scheduler(scenario, scheme)


def test_what_begins_after_another_is_told(with_scheduler, gate):
    _, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        scheduler.send(scheduler.many(wait_at, ["gate", "gate"]))
        await scheduler.hear(lambda: scheduler.of(TasksBegun))
        opened.release()
        await scheduler.hear(lambda: len(scheduler.of(TasksBegun)) == 2)
        assert [begun.keys for begun in scheduler.of(TasksBegun)] == [["task-0"], ["task-1"]]
        opened.release()

    with_scheduler(scenario)


def test_who_a_resource_that_came_free_lets_begin_is_told(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=3, resources={"GPU": 2})
        # One that needs both, then two that can run together.
        first = scheduler.task(wait_at, "gate", key="first", resources={"GPU": 2})
        scheduler.send(first)
        await in_thread(entered.acquire)
        for key in ("second", "third"):
            scheduler.send(scheduler.task(wait_at, "gate", key=key, resources={"GPU": 1}))
        opened.release()
        await scheduler.hear(
            lambda: (
                {key for begun in scheduler.of(TasksBegun) for key in begun.keys}
                >= {"second", "third"}
            )
        )
        opened.release(2)

    with_scheduler(scenario)


def test_announced_tasks_begin_when_that_is_said(with_scheduler, scheme):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=2)
        message = scheduler.many(double, range(20), announced=True)
        await scheduler.run(message)
        told = [key for begun in scheduler.of(TasksBegun) for key in begun.keys]
        assert sorted(told) == sorted(message.keys)
        for key in message.keys:
            is_begun = [
                type(each)
                for each in scheduler.heard
                if isinstance(each, TasksBegun | TasksDone) and key in each.keys
            ]
            assert is_begun == [TasksBegun, TasksDone]

    with_scheduler(scenario, scheme)


def test_announced_tasks_wait_for_a_connection(with_scheduler, gate):
    entered, opened = gate

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        wired, worker._channel._wire = worker._channel._wire, None
        message = scheduler.task(wait_at, "gate")
        message.announced = True
        with worker._lock:
            worker._machine.handle([message], 0.0)
        worker._flusher.stir()
        await until(lambda: worker._flusher._interrupted)
        assert not entered.acquire(blocking=False)
        worker._channel._wire = wired
        worker._flusher._on_resumed(worker._channel)
        await in_thread(entered.acquire)
        opened.release()

    with_scheduler(scenario)


def test_an_announced_task_of_a_worker_that_is_closed_never_begins(with_scheduler, gate):
    entered, _ = gate

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        wired, worker._channel._wire = worker._channel._wire, None
        message = scheduler.task(wait_at, "gate")
        message.announced = True
        with worker._lock:
            worker._machine.handle([message], 0.0)
        worker._flusher.stir()
        await until(lambda: worker._flusher._interrupted)
        worker._channel._wire = wired
        await worker.close()
        assert not worker._threads._threads or all(
            not thread.is_alive() for thread in worker._threads._threads
        )
        assert not entered.acquire(blocking=False)

    with_scheduler(scenario)


def secede_and_wait_at(gate):
    secede()
    wait_at(gate)
    rejoin()
    return current_task().key


def test_a_task_that_secedes_lets_others_run(with_scheduler, scheme, gate):
    entered, opened = gate

    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        away = scheduler.task(secede_and_wait_at, "gate", key="away")
        scheduler.send(away)
        await scheduler.hear(lambda: scheduler.of(TasksSeceded))
        await in_thread(entered.acquire)
        assert load_value(await scheduler.result(scheduler.task(double, 2, key="other"))) == 4
        opened.release()
        await scheduler.hear(lambda: len(scheduler.ends()) == 2)
        (seceded,) = scheduler.of(TasksSeceded)
        assert (seceded.keys, seceded.attempts) == (away.keys, away.attempts)
        (rejoined,) = scheduler.of(TasksRejoined)
        assert (rejoined.keys, rejoined.attempts) == (away.keys, away.attempts)

    with_scheduler(scenario, scheme)


def raise_reschedule():
    raise Reschedule("not here")


def test_a_task_that_asks_to_be_run_again(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker()
        message = scheduler.task(raise_reschedule)
        scheduler.send(message)
        await scheduler.hear(lambda: scheduler.of(TasksRescheduled))
        (said,) = scheduler.of(TasksRescheduled)
        assert (said.keys, said.attempts) == (message.keys, message.attempts)

    with_scheduler(scenario)


def describe_me():
    task = current_task()
    return dict(task.devices), task.scheduler_address, task.secret, task.settings.worker.threads


def test_a_task_is_told_its_devices_and_how_to_reach_the_cluster(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1, resources={"GPU": 2})
        message = scheduler.task(describe_me, resources={"GPU": 2})
        told = load_value(await scheduler.result(message))
        assert told == ({"GPU": (0, 1)}, scheduler.address, "", 2)

    with_scheduler(scenario)


class Memory(NamedTuple):
    rss: int


def test_a_worker_short_of_memory_pauses_and_goes_on(with_scheduler, gate, monkeypatch):
    monkeypatch.setattr(monitor, "MEMORY_INTERVAL_S", 0.001)
    entered, opened = gate
    used = [900]

    class Process:
        oneshot = contextlib.nullcontext
        cpu_times = psutil.Process().cpu_times

        def memory_info(self):
            return Memory(used[0])

    monkeypatch.setattr(monitor.psutil, "Process", Process)

    async def scenario(scheduler):
        settings = Settings.build(overrides={"worker.pause_part": 0.8, "session.local_grace_s": 0})
        await scheduler.add_worker(threads=2, memory_limit=1000, settings=settings)
        await scheduler.hear(lambda: scheduler.of(WorkerPaused))
        assert scheduler.of(WorkerPaused) == [WorkerPaused(True)]
        # One at a time.
        scheduler.send(scheduler.many(wait_at, ["gate", "gate"]))
        await scheduler.hear(lambda: scheduler.of(TasksBegun))
        await in_thread(entered.acquire)
        await scheduler.settle()
        assert not entered.acquire(blocking=False)
        # What it looks at while it is paused makes it go on, though nothing else happens.
        used[0] = 500
        await scheduler.hear(lambda: len(scheduler.of(WorkerPaused)) == 2)
        assert scheduler.of(WorkerPaused)[1] == WorkerPaused(False)
        await in_thread(entered.acquire)
        opened.release(2)
        await scheduler.hear(lambda: len(scheduler.ends()) == 2)

    with_scheduler(scenario)


def test_copies_are_fetched_and_kept(with_scheduler, scheme):
    async def scenario(scheduler):
        ann = await scheduler.add_worker()
        bob = await scheduler.add_worker()
        source = scheduler.task(list, "abc", key="source", wanted=0)
        await scheduler.run(source)
        scheduler.send(
            CopyData(
                ["source", "lost"], [source.attempts[0], 77], [9, 9], [[0], [0]], [ann.address]
            ),
            to=1,
        )
        await scheduler.hear(lambda: scheduler.of(ReplicasStored) and scheduler.of(CopiesFailed))
        assert scheduler.of(ReplicasStored)[0].keys == ["source"]
        assert scheduler.of(CopiesFailed)[0].keys == ["lost"]
        _, values = await scheduler.fetch(bob.address, "source")
        assert values == [["a", "b", "c"]]

    with_scheduler(scenario, scheme)
