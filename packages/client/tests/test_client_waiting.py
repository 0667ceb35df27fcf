"""Waiting, callbacks, and the life of futures, against a small scheduler."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from typing import Any

import numpy as np
import pytest

from hocket.client import (
    Client,
    as_completed,
    fire_and_forget,
    wait,
)
from hocket.core.errors import (
    LocalProtocolError,
    PeerLost,
    SerializationError,
    TaskCancelled,
)
from hocket.protocol.messages import (
    CancelTasks,
    ReleaseKeys,
    SubmitTasks,
    TasksStored,
    WantKeys,
)
from hocket.protocol.serialize import dump_value


def increment(x: int) -> int:
    return x + 1


def divide(x: int, y: int) -> float:
    return x / y


# ---------------------------------------------------------------------- waiting


def test_timeouts(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    futures = client.map(increment, [1, 2])
    with pytest.raises(TimeoutError, match=r"'increment.*0\.01"):
        futures[0].result(0.01)
    with pytest.raises(TimeoutError):
        futures[0].exception(0)
    with pytest.raises(TimeoutError, match="2 of 2"):
        client.gather(futures, timeout=0.01)
    with pytest.raises(TimeoutError, match="2 of 2"):
        wait(futures, 0.01)
    with pytest.raises(TimeoutError):
        wait(futures, 0.01, return_when="FIRST_COMPLETED")
    with pytest.raises(TimeoutError):
        next(as_completed(futures, timeout=0.01))
    # nobody is left waiting
    assert all(future.record.watches is None for future in futures)
    scheduler.let_go()
    assert client.gather(futures) == [2, 3]


def test_wait(client: Client, scheduler: Any) -> None:
    done = client.submit(increment, 1)
    wait(done, 5)
    scheduler.held = True
    pending = client.submit(divide, 1, 0)
    waited = wait([done, {"x": pending}], 5, return_when="FIRST_COMPLETED")
    assert waited.done == {done}
    assert waited.not_done == {pending}
    threading.Thread(target=scheduler.let_go).start()
    assert wait([done, pending], 5).done == {done, pending}
    assert wait([], 5).done == set()
    with pytest.raises(ValueError, match="return_when"):
        wait([done], return_when="NEVER")


def test_wait_for_the_first_of_those_pending(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    first, second = client.map(increment, [1, 2])
    scheduler.await_message(SubmitTasks)
    scheduler.send(TasksStored([second.key], [1], [dump_value(5)]))
    assert wait([first, second], 5, return_when="FIRST_COMPLETED").done == {second}
    assert first.record.watches is None


def test_as_completed(client: Client, scheduler: Any) -> None:
    futures = client.map(increment, range(5))
    assert {future.result() for future in as_completed(futures)} == {1, 2, 3, 4, 5}
    assert list(as_completed([])) == []
    pairs = list(as_completed(futures, with_results=True, timeout=5))
    assert sorted(value for _, value in pairs) == [1, 2, 3, 4, 5]
    assert len(list(as_completed([futures[0], futures[0]]))) == 2
    bad = client.submit(divide, 1, 0)
    with pytest.raises(ZeroDivisionError):
        list(as_completed([bad], with_results=True))
    ((_, error),) = as_completed([bad], with_results=True, raise_errors=False)
    assert isinstance(error, ZeroDivisionError)


def test_as_completed_takes_more_while_it_runs(client: Client, scheduler: Any) -> None:
    completed = as_completed(client.map(increment, [1, 2]))
    values = []
    for future in completed:
        values.append(future.result())
        if len(values) < 6:
            completed.add(client.submit(increment, future))
    assert len(values) == 7
    assert completed.is_empty()
    scheduler.held = True
    pending = client.map(increment, [1, 2, 3])
    completed.update(pending)
    assert completed.count() == 3
    assert not completed.has_ready()
    assert completed.next_batch(block=False) == []
    scheduler.await_message(SubmitTasks, 7)
    scheduler.let_go()
    assert set().union(*completed.batches()) == set(pending)
    scheduler.held = True
    completed.update(client.map(increment, [1]))
    completed.clear()
    assert completed.count() == 0


def test_callbacks(client: Client, scheduler: Any, caplog: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    seen: list[Any] = []
    done = threading.Event()
    # a result may be waited for in a callback: it is no event loop's thread
    future.add_done_callback(lambda one: seen.append((one.result(5), one is future)))
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(lambda _: done.set())
    scheduler.let_go()
    assert done.wait(5)
    assert seen == [(2, True)]
    assert "ZeroDivisionError" in caplog.text
    done.clear()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(5)


def test_futures_can_be_awaited(client: Client, scheduler: Any) -> None:
    async def main() -> list[Any]:
        first = await client.submit(increment, 1)
        big = await client.submit(np.zeros, 50_000)
        with pytest.raises(ZeroDivisionError):
            await client.submit(divide, 1, 0)
        scheduler.held = True
        pending = client.submit(increment, 2)
        task = asyncio.ensure_future(asyncio.wait_for(pending, 5))
        await asyncio.sleep(0)
        scheduler.let_go()
        cancelled = asyncio.ensure_future(asyncio.wait_for(client.submit(increment, 3), 5))
        cancelled.cancel()
        return [first, big.shape, await task]

    assert asyncio.run(main()) == [2, (50_000,), 3]


def test_blocking_calls_in_the_event_loop_are_refused(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    errors: list[BaseException] = []
    done = threading.Event()

    def block() -> None:
        for call in (future.result, client.scheduler_info, lambda: client.scatter(1)):
            try:
                call()
            except LocalProtocolError as error:
                errors.append(error)
        done.set()

    future.session.loop.call(block)
    assert done.wait(5)
    assert ["event loop's own thread" in str(error) for error in errors] == [True] * 3
    scheduler.let_go()
    assert future.result(5) == 2


# ---------------------------------------------------------------------- life of futures


def test_dropped_futures_are_released_in_batches(client: Client, scheduler: Any) -> None:
    futures = client.map(increment, range(100))
    client.gather(futures)
    keys = {future.key for future in futures}
    del futures
    assert scheduler.await_released(keys) < 20


def test_a_key_is_released_with_its_last_future(client: Client, scheduler: Any) -> None:
    first = client.submit(increment, 1, key="k")
    second = client.submit(increment, 1, key="k")
    assert copy.copy(first) is first
    assert copy.deepcopy([first])[0] is first
    first.release()
    assert first.status == "cancelled"
    assert second.result(5) == 2
    del first
    assert client.submit(increment, 5).result(5) == 6
    assert not any("k" in message.keys for message in scheduler.of(ReleaseKeys))
    second.release()
    scheduler.await_released(["k"])


def test_futures_die_in_any_thread_even_under_the_lock(client: Client, scheduler: Any) -> None:
    futures = client.map(increment, range(50))
    with futures[0].session.lock:
        keys = [future.key for future in futures]
        futures.clear()
        gc.collect()
    scheduler.await_released(keys)


def test_cancel(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    one, two, three = client.map(increment, [1, 2, 3])
    one.cancel()
    client.cancel([two])
    scheduler.await_message(CancelTasks, 2)
    with pytest.raises(TaskCancelled, match=two.key):
        two.result(5)
    assert one.cancelled()
    assert isinstance(one.exception(5), TaskCancelled)
    with pytest.raises(SerializationError, match="cancelled"):
        client.submit(increment, one)
    scheduler.let_go()
    assert three.result(5) == 4
    assert client.gather([one, three], errors="skip") == [4]
    three.cancel()
    assert three.result(5) == 4


def test_a_cancelled_key_may_be_submitted_again(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    first = client.submit(increment, 1, key="k")
    first.cancel()
    wait(first, 5)
    scheduler.let_go()
    second = client.submit(increment, 2, key="k")
    del first
    assert second.result(5) == 3


def test_fire_and_forget(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(increment, 1)
    key = future.key
    fire_and_forget([future])
    del future
    gc.collect()
    client.submit(increment, 2).release()
    scheduler.await_message(ReleaseKeys)
    assert key not in scheduler.of(ReleaseKeys)[-1].keys
    scheduler.let_go()
    scheduler.await_released([key])


def test_futures_pickle_to_the_client_at_hand(client: Client, scheduler: Any) -> None:
    future = client.submit(increment, 1)
    again = pickle.loads(pickle.dumps(future))
    assert again.record is future.record
    assert again.result(5) == 2
    data = pickle.dumps(future)
    with Client(scheduler.address, settings=scheduler.settings) as other:
        third = pickle.loads(data)
        assert third.session is not future.session
        assert third.result(5) == 2
        assert scheduler.of(WantKeys)[-1].keys == [future.key]
        assert other.submit(increment, future).result(5) == 3
    client.close()
    with pytest.raises(PeerLost, match="no client"):
        pickle.loads(data)


def test_future_of_a_key(client: Client) -> None:
    mine = client.submit(increment, 1, key="k")
    mine.result(5)
    assert client.future("k").record is mine.record
