"""The executor of an asynchronous client: on an event loop it blocks nothing, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hocket.client import Client
from hocket.client.executor import ClientExecutor
from hocket.protocol.messages import ListTasks, TasksListed


@pytest.fixture(autouse=True)
def nothing_runs(scheduler: Any) -> None:
    scheduler.answers[ListTasks] = lambda message: TasksListed(message.request, [], [])


def on_a_loop(scheduler: Any, play: Callable[[ClientExecutor], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Client(
            scheduler.address, settings=scheduler.settings, asynchronous=True
        ) as client:
            await asyncio.wait_for(play(client.get_executor()), 20)

    asyncio.run(main())


def test_a_loop_runs_calls_and_cancels_them_unasked(scheduler: Any) -> None:
    async def play(executor: ClientExecutor) -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor, pow, 2, 5) == 32
        scheduler.held = True
        pending = loop.run_in_executor(executor, pow, 2, 6)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pending, 0.01)
        assert pending.cancelled()
        future = executor.submit(pow, 2, 7)
        assert future.cancel()
        assert future.cancelled()
        assert scheduler.of(ListTasks) == []
        executor.shutdown()

    on_a_loop(scheduler, play)


def test_what_would_block_a_loop_is_refused(scheduler: Any) -> None:
    async def play(executor: ClientExecutor) -> None:
        scheduler.held = True
        future = executor.submit(pow, 2, 5)
        with pytest.raises(RuntimeError, match=r"running\(\).*block this event loop.*to_thread"):
            future.running()
        assert not await asyncio.to_thread(future.running)
        with pytest.raises(RuntimeError, match=r"shutdown\(\).*block this event loop.*to_thread"):
            executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(pow, 2, 5)
        executor.shutdown(wait=False, cancel_futures=True)
        assert future.cancelled()
        await asyncio.to_thread(executor.shutdown)

    on_a_loop(scheduler, play)
