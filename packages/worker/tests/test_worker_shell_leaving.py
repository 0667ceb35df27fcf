"""How a worker leaves: let go by its scheduler, asked to, or in a hurry."""

from __future__ import annotations

import asyncio
import logging
import threading

from hocket.core.settings import Settings
from hocket.protocol.messages import LeaveCluster, TasksDone, WorkerLeaving

SOON = Settings.build(overrides={"worker.leave_timeout_s": 0, "session.local_grace_s": 0})


def double(x):
    return 2 * x


def test_a_worker_that_is_let_go_ends_in_good_order(with_scheduler, scheme, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        ends = asyncio.Queue()
        channel = scheduler.channels[0]
        channel.on_closed = lambda _, reason, clean: ends.put_nowait((reason, clean))
        scheduler.send(LeaveCluster("nothing to do"))
        assert await worker.wait_finished() == ("nothing to do", True)
        await worker.close()
        assert await ends.get() == ("nothing to do", True)
        assert not caplog.records

    with_scheduler(scenario, scheme)


def test_a_worker_that_leaves_works_on_until_it_is_let_go(with_scheduler):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        leaving = asyncio.ensure_future(worker.leave("the host goes down"))
        again = asyncio.ensure_future(worker.leave("really"))
        await scheduler.hear(lambda: scheduler.of(WorkerLeaving))
        assert isinstance(await end_of(scheduler, scheduler.task(double, 2)), TasksDone)
        assert not leaving.done()
        scheduler.send(LeaveCluster("drained"))
        await asyncio.gather(leaving, again)
        assert await worker.wait_finished() == ("drained", True)
        assert scheduler.of(WorkerLeaving) == [WorkerLeaving("the host goes down")]

    with_scheduler(scenario)


async def end_of(scheduler, message):
    ((report, _),) = (await scheduler.run(message)).values()
    return report


def test_a_worker_does_not_wait_for_ever_to_be_let_go(with_scheduler, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(name="ann", settings=SOON)
        await worker.leave("the host goes down")
        assert await worker.wait_finished() == ("the host goes down", True)
        assert "'ann' ends, although its scheduler did not let it go within 0 s" in caplog.text

    with_scheduler(scenario)


def test_a_worker_that_leaves_may_lose_its_scheduler(with_scheduler):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        leaving = asyncio.ensure_future(worker.leave("the host goes down"))
        await scheduler.hear(lambda: scheduler.of(WorkerLeaving))
        scheduler.channels[0].detach()
        await leaving
        _, clean = await worker.wait_finished()
        assert not clean

    with_scheduler(scenario)


ENTERED, OPENED = threading.Semaphore(0), threading.Semaphore(0)


def wait_in_the_middle(x):
    if x == 1:
        ENTERED.release()
        OPENED.acquire()
    return x


def test_what_was_done_is_said_before_the_end(with_scheduler):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        # Nothing is sent otherwise.
        worker._flusher._flush = lambda: None
        scheduler.send(scheduler.many(wait_in_the_middle, [0, 1]))
        await asyncio.to_thread(ENTERED.acquire)
        await worker.close(timeout_s=0)
        OPENED.release()
        await scheduler.hear(lambda: scheduler.of(TasksDone))
        (done,) = scheduler.of(TasksDone)
        assert done.keys == ["task-0"]

    with_scheduler(scenario)


async def hang():
    await asyncio.Event().wait()


def test_close_ends_coroutines(with_scheduler, caplog):
    caplog.set_level(logging.INFO, logger="hocket.worker")

    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        message = scheduler.task(hang)
        message.executor = "loop"
        scheduler.send(message)
        await scheduler.settle()
        await worker.close()
        assert not scheduler.ends()
        assert "while tasks of it were running" not in caplog.text

    with_scheduler(scenario)
