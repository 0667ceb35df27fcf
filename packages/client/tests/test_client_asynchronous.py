"""The asynchronous client: what waits is awaited, and no loop is ever blocked."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from hocket.client import (
    Client,
    Lock,
    Variable,
    as_completed,
    current_client,
    fire_and_forget,
    get_client,
    progress,
    wait,
)
from hocket.client.shared_client import shared_client
from hocket.client.shell import blocking, ways
from hocket.core.errors import ConnectFailed, LimitExceeded, NoCapacity, PeerLost, TaskCancelled
from hocket.core.settings import Settings, TransportSettings
from hocket.transport.loop import LoopThread, shared_loop


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


class Particular:
    """Is pickled and unpickled beside the event loop only."""

    def __reduce__(self) -> Any:
        return _rebuild_beside, (_is_beside_loop(),)


def _rebuild_beside(was_beside: bool) -> tuple[bool, bool]:
    return was_beside, _is_beside_loop()


def _is_beside_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


@pytest.fixture
def run(scheduler: Any) -> Callable[[Callable[[Client], Coroutine[Any, Any, Any]]], Any]:
    """Return what runs a coroutine function with an asynchronous client."""

    async def main(function: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
        async with Client(
            scheduler.address,
            secret=scheduler.secret,
            settings=scheduler.settings,
            asynchronous=True,
        ) as client:
            return await function(client)

    return lambda function: asyncio.run(main(function))


@pytest.fixture(autouse=True)
def loops_are_not_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where something blocks a thread that runs an event loop."""

    def refuse() -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            pytest.fail("a loop was blocked")

    def block(*args: Any) -> bool:
        refuse()
        return blocking.block(*args)

    run = LoopThread.run

    def run_elsewhere(self: LoopThread, *args: Any) -> Any:
        if self is shared_loop():
            refuse()
        return run(self, *args)

    monkeypatch.setattr(ways, "block", block)
    monkeypatch.setattr(LoopThread, "run", run_elsewhere)


def test_tasks_from_submit_to_gather(run: Any) -> None:
    async def main(client: Client) -> None:
        assert (client.asynchronous, client.status) == (True, "running")
        futures = client.map(increment, range(10))
        assert await client.gather(futures) == list(range(1, 11))
        future = client.submit(increment, futures[3])
        assert await future == 5
        assert await future.result() == 5
        assert await future.exception() is None
        big = client.submit(np.ones, 50_000)
        values = await client.gather({"a": [big, 1]})
        assert values["a"][0].sum() == 50_000
        assert await client.get({"a": (increment, 1), "b": (increment, "a")}, ["a", "b"]) == [2, 3]

    run(main)


def test_errors_are_raised_where_one_awaits(run: Any) -> None:
    async def main(client: Client) -> None:
        futures = client.map(divide, [1, 1], [0, 1])
        with pytest.raises(ZeroDivisionError):
            await client.gather(futures)
        with pytest.raises(ZeroDivisionError):
            await futures[0]
        assert isinstance(await futures[0].exception(), ZeroDivisionError)
        assert (await futures[0].traceback()).tb_frame is not None
        assert await client.gather(futures, errors="skip") == [1.0]
        with pytest.raises(ValueError, match="errors is"):
            await client.gather(futures, errors="perhaps")  # type: ignore[arg-type]

    run(main)


def test_what_is_not_there_in_time(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.held = True
        future = client.submit(increment, 1)
        for late in (
            future.result(0.01),
            future.exception(0.01),
            client.gather([future], timeout=0.01),
            wait([future], 0.01),
            client.wait_for_workers(99, 0.01),
        ):
            with pytest.raises(TimeoutError):
                await late
        with pytest.raises(TimeoutError):
            async for _ in as_completed([future], timeout=0.01):
                pass

    run(main)


def test_what_is_done_first_comes_first(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        done = client.submit(increment, 1)
        assert await wait([done]) == ({done}, set())
        scheduler.held = True
        pending = client.submit(increment, 2)
        assert (await wait([pending, done], return_when="FIRST_COMPLETED")).done == {done}
        seen = []
        async for future, value in as_completed([pending, done], with_results=True):
            seen.append(value)
            if future is done:
                scheduler.let_go()
        assert seen == [2, 3]
        batches = [batch async for batch in as_completed([pending, done]).batches()]
        assert sum(map(len, batches)) == 2
        assert await as_completed([done]).next_batch() == [done]
        assert await wait([]) == (set(), set())
        with pytest.raises(ZeroDivisionError):
            async for _ in as_completed([client.submit(divide, 1, 0)], with_results=True):
                pass

    run(main)


def test_one_may_await_what_happens_at_once(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.held = True
        futures = client.map(increment, range(4))
        client.cancel(futures[0])
        await client.cancel(futures[1])
        await futures[2].cancel()
        await client.retry(futures[0])
        await futures[0].retry()
        for future in futures[:3]:
            with pytest.raises(TaskCancelled):
                await future

    run(main)


def test_questions_to_the_cluster(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        assert list((await client.nthreads()).values()) == [2, 2]
        assert len((await client.scheduler_info())["workers"]) == 2
        assert set((await client.run(increment, 1)).values()) == {2}
        future = client.submit(increment, 1)
        await wait(future)
        assert await client.who_has(future) == {future.key: list(scheduler.workers)}
        await client.wait_for_workers(2)
        assert len((await client.get_versions()).workers) == 2

    run(main)


def test_data_goes_to_workers_and_comes_back(run: Any) -> None:
    async def main(client: Client) -> None:
        one = await client.scatter(np.arange(100_000))
        assert (await one)[-1] == 99_999
        many = await client.scatter({"a": 1, "b": [2]}, broadcast=True)
        assert await client.gather(many) == {"a": 1, "b": [2]}

    run(main)


def test_large_arguments_travel_with_their_tasks(run: Any) -> None:
    async def main(client: Client) -> None:
        assert await client.submit(len, bytes(200_000)) == 200_000
        assert await client.gather(client.map(len, [bytes(200_000), b""])) == [200_000, 0]

    run(main)


def test_arguments_for_which_no_frame_is_large_enough(scheduler: Any) -> None:
    settings = Settings(
        session=scheduler.settings.session,
        transport=TransportSettings(frame_nbytes_max=1_000_000),
        client=scheduler.settings.client,
    )

    async def main() -> None:
        async with Client(scheduler.address, settings=settings, asynchronous=True) as client:
            with pytest.raises(LimitExceeded, match=r"await client\.scatter"):
                client.submit(len, bytes(700_000))
            with pytest.raises(LimitExceeded, match=r"await client\.scatter"):
                client.map(len, [bytes(700_000)])

    asyncio.run(main())


def test_values_are_pickled_and_unpickled_beside_the_loop(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.inline_nbytes_max = 0
        future = await client.scatter(Particular())
        (kept,) = scheduler.values.values()
        assert kept[0]
        assert (await client.gather([future, client.submit(Particular)]))[1][1]

    run(main)


def test_a_cancelled_coroutine_leaves_no_watch(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.held = True
        future = client.submit(increment, 1)
        for waiting in (future.result(), client.gather([future]), wait([future])):
            task = asyncio.ensure_future(waiting)
            await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert future.record.watches is None
        asking = asyncio.ensure_future(client.wait_for_workers(99))
        await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not future.session.machine.requests

    run(main)


def test_a_future_lives_while_its_result_is_awaited(run: Any) -> None:
    async def main(client: Client) -> None:
        assert await client.submit(increment, 1) == 2
        assert await client.submit(increment, 2).result() == 3
        fire_and_forget(client.submit(increment, 3))
        gc.collect()

    run(main)


def test_futures_of_a_blocking_client_on_any_loop(scheduler: Any) -> None:
    with Client(scheduler.address, settings=scheduler.settings) as client:

        async def main() -> Any:
            futures = client.map(increment, range(5))
            ordered = [await future async for future in as_completed(futures)]
            return sorted(ordered), await asyncio.gather(*futures)

        numbers = list(range(1, 6))
        assert asyncio.run(main()) == (numbers, numbers)
        assert shared_loop().run(_first(client.submit(increment, 1))) == 2


async def _first(future: Any) -> Any:
    return await future


def test_one_client_serves_loops_of_several_threads(run: Any) -> None:
    async def main(client: Client) -> None:
        async def total() -> int:
            return sum(await client.gather(client.map(increment, range(100))))

        values: list[int] = []
        threads = [
            threading.Thread(target=lambda: values.append(asyncio.run(total()))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        values.append(await total())
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert values == [5050] * 5

    run(main)


def test_locks_and_variables_follow_the_client(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        assert current_client() is client
        assert Lock("a").asynchronous
        assert Variable("a", client).asynchronous
        assert not Lock("a", client, asynchronous=False).asynchronous

    run(main)
    assert not Lock("a").asynchronous


def test_who_needs_a_blocking_client_gets_one(run: Any) -> None:
    async def main(client: Client) -> None:
        shared = await asyncio.to_thread(shared_client)
        assert (shared.asynchronous, shared.address) == (False, client.address)
        assert await asyncio.to_thread(shared_client) is shared
        assert await asyncio.to_thread(shared.submit(increment, 1).result, 10) == 2
        await asyncio.to_thread(shared.close)

    run(main)


def test_progress_is_awaited(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async def main(client: Client) -> None:
        await progress(client.map(increment, range(3)))

    run(main)
    assert "3/3" in capsys.readouterr().err


def test_refusals_are_raised_where_one_awaits(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.refuse = "there are none"
        with pytest.raises(NoCapacity, match="there are none"):
            await client.scatter([1], workers="nobody")

    run(main)


def test_a_lost_scheduler_ends_all_waiting(run: Any, scheduler: Any) -> None:
    async def main(client: Client) -> None:
        scheduler.held = True
        future = client.submit(increment, 1)
        task = asyncio.ensure_future(future.result())
        asking = asyncio.ensure_future(client.wait_for_workers(99))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(scheduler.abort)
        for waiting in (task, asking):
            with pytest.raises(PeerLost):
                await waiting
        assert client.status == "closed"

    run(main)


# ---------------------------------------------------------------------- its life


def test_it_connects_when_it_is_awaited(scheduler: Any) -> None:
    async def main() -> None:
        client = Client(scheduler.address, settings=scheduler.settings, asynchronous=True)
        assert (client.status, client.closed) == ("connecting", False)
        assert repr(client) == "<Client, not connected yet>"
        with pytest.raises(PeerLost, match="await it first"):
            client.submit(increment, 1)
        with pytest.raises(AttributeError, match="no attribute 'colour'"):
            _ = client.colour  # type: ignore[attr-defined]
        both = await asyncio.gather(_connected(client), _connected(client))
        assert both == [client, client]
        assert await client is client
        assert await client.submit(increment, 1) == 2
        await client.close()
        await client.close()
        assert client.status == "closed"
        with pytest.raises(PeerLost):
            client.submit(increment, 1)

    asyncio.run(main())


async def _connected(client: Client) -> Client:
    await client
    assert client.status == "running"
    return client


def test_one_that_was_never_connected_can_be_closed(scheduler: Any) -> None:
    async def main() -> None:
        client = Client(scheduler.address, settings=scheduler.settings, asynchronous=True)
        await client.close()
        assert await client is client
        assert client.status == "connecting"

    asyncio.run(main())


def test_nobody_answers() -> None:
    async def main() -> None:
        client = Client("inproc://nobody", timeout_s=0.01, asynchronous=True)
        results = await asyncio.gather(
            _connected(client), _connected(client), return_exceptions=True
        )
        assert all(isinstance(one, ConnectFailed) for one in results)

    asyncio.run(main())


def test_with_is_told_from_async_with(scheduler: Any, client: Client) -> None:
    async def main() -> None:
        other = Client(scheduler.address, settings=scheduler.settings, asynchronous=True)
        with pytest.raises(TypeError, match="'async with'"), other:
            pass
        with pytest.raises(TypeError, match="asynchronous=True"):
            async with client:
                pass

    asyncio.run(main())


def test_in_a_task_it_is_shared_and_none_closes_it(scheduler: Any, make_task: Any) -> None:
    async def main() -> None:
        async with get_client(asynchronous=True) as mine:
            assert mine is get_client(asynchronous=True)
            assert await mine.gather(mine.map(increment, [1])) == [2]
        assert mine.status == "running"
        scheduler.held = True
        pending = mine.submit(increment, 1)
        task.log.clear()
        waiting = asyncio.ensure_future(pending.result())
        await asyncio.sleep(0.01)
        assert task.log == ["secede"]
        scheduler.let_go()
        assert await waiting == 2
        assert task.log == ["secede", "rejoin"]
        assert await asyncio.to_thread(get_client) is not mine

    with make_task() as task:
        asyncio.run(main())
