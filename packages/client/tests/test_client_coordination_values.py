"""Queues, variables, events and barriers from their users' side."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from hocket.client import (
    Barrier,
    BarrierBroken,
    CoordinationRefused,
    Event,
    Future,
    LockLost,
    Queue,
    QueueClosed,
    Variable,
)
from hocket.client.shell import coordinating, ways
from hocket.core.errors import LocalProtocolError, SerializationError, UnknownKey
from hocket.protocol.messages import (
    ChangeBarrier,
    ChangeEvent,
    CloseQueue,
    Denial,
    GetVariable,
    ItemsGiven,
    ItemsReceived,
    LookAt,
    PutItem,
    RequestDenied,
    RequestDone,
    SetVariable,
    StateTold,
    TakeItems,
    WaitBarrier,
    WaitEvent,
    WantKeys,
    WithdrawRequest,
)


@dataclass
class Box:
    """Hides a future in data."""

    future: Any


@pytest.fixture
def storing(scheduler):
    """A scheduler with one queue, which it gives out as one wants it, and one variable."""
    items: list[tuple[bytes, list[str]]] = []

    def put(one):
        items.append((one.value, one.keys))
        return RequestDone(one.request, len(items))

    def take(one):
        given = items[: one.count_max]
        del items[: one.count_max]
        return ItemsGiven(one.request, [one[0] for one in given], [one[1] for one in given])

    def deny(one):
        return RequestDenied(one.request, Denial.WITHDRAWN, "it was withdrawn")

    scheduler.answers |= {
        PutItem: put,
        SetVariable: put,
        TakeItems: take,
        GetVariable: lambda one: ItemsGiven(one.request, [items[-1][0]], [items[-1][1]]),
        WithdrawRequest: deny,
        LookAt: lambda one: StateTold(one.request, [3, 5, 1]),
        CloseQueue: lambda one: RequestDone(one.request),
        ChangeEvent: lambda one: RequestDone(one.request),
        ChangeBarrier: lambda one: RequestDone(one.request),
        WaitEvent: lambda one: RequestDone(one.request, 1),
        WaitBarrier: lambda one: RequestDone(one.request, 2),
    }
    return scheduler


VALUES = [None, [1, [2, ()]], {"a": {1, 2}}, b"x", lambda x: x + 1]


@pytest.mark.parametrize("value", VALUES, ids=lambda one: type(one).__name__)
def test_any_value_goes_through(storing, client, value):
    queue, variable = Queue("q", client, 5), Variable("v", client)
    variable.set(value)
    queue.put(value)
    for got in (variable.get(), queue.get()):
        assert got == value or got(1) == value(1)
    assert storing.of(PutItem)[0].capacity == 5
    storing.await_message(ItemsReceived, 2)
    assert [one.is_kept for one in storing.of(ItemsReceived)] == [True, True]


def test_futures_go_through_and_are_kept_before_the_scheduler_lets_go(storing, client):
    future = client.submit(abs, -3)
    Queue("q", client=client).put([future, Box(future)])
    assert storing.of(PutItem)[0].keys == [future.key]
    assert future.result(10) == 3
    key = future.key
    del future
    storing.await_released([key])
    storing.values[key] = 3
    first, box = Queue("q", client=client).get()
    assert isinstance(first, Future)
    assert isinstance(box.future, Future)
    assert first.result(10) == box.future.result(10) == 3
    storing.await_message(ItemsReceived)
    told = [type(one) for one in storing.seen]
    assert told.index(WantKeys) < told.index(ItemsReceived)
    client.submit(abs, -4).result(10)
    del first, box
    storing.await_released([key])


def test_a_batch(storing, client):
    queue = Queue("q", client=client)
    for number in range(5):
        queue.put(number)
    assert queue.get(batch=2) == [0, 1]
    assert queue.get(batch=True) == [2, 3, 4]
    assert queue.get(batch=True) == []
    two, every = storing.of(TakeItems)[:2]
    assert (two.count_min, two.count_max) == (2, 2)
    assert every.count_min == 0
    with pytest.raises(ValueError, match="batch"):
        queue.get(batch=-1)


def test_time_is_over(storing, client):
    for kind in (PutItem, TakeItems, GetVariable, WaitEvent, WaitBarrier):
        del storing.answers[kind]
    with pytest.raises(TimeoutError, match=r"no room after 0.01 s"):
        Queue("q", client=client).put(1, timeout=0.01)
    with pytest.raises(TimeoutError, match="not 1 values after 0 s"):
        Queue("q", client=client).get(timeout=0)
    with pytest.raises(TimeoutError, match=r"no value after 0.01 s"):
        Variable("v", client).get(timeout=0.01)
    with pytest.raises(BarrierBroken, match=r"not there after 0.01 s"):
        Barrier("b", 2, client).wait(timeout=0.01)
    assert Event("e", client).wait(timeout=0.01) is False


def test_what_comes_when_nobody_waits_any_more_goes_back(storing, client, monkeypatch):
    monkeypatch.setattr(coordinating, "_SETTLE_S", 0.01)
    del storing.answers[TakeItems]
    del storing.answers[WithdrawRequest]
    with pytest.raises(TimeoutError):
        Queue("q", client=client).get(timeout=0.01)
    request = storing.await_message(WithdrawRequest).request
    storing.send(ItemsGiven(request, [b"v"], [["k"]]))
    assert storing.await_message(ItemsReceived) == ItemsReceived(request, False)
    assert not storing.of(WantKeys)


def test_what_comes_as_the_wait_is_interrupted_goes_back(storing, client, monkeypatch):
    def interrupt(waiter, *_):
        assert waiter.acquire(timeout=10)
        raise KeyboardInterrupt

    Queue("q", client=client).put(client.submit(abs, 1))
    monkeypatch.setattr(ways, "block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Queue("q", client=client).get()
    assert storing.await_message(ItemsReceived).is_kept is False
    storing.await_released(storing.of(PutItem)[0].keys)


def test_denials_are_errors_that_name_names(storing, client):
    def deny(kind):
        storing.answers[PutItem] = lambda one: RequestDenied(one.request, kind, "because")
        storing.answers[WaitBarrier] = storing.answers[PutItem]

    queue = Queue("q", client=client)
    expected = {
        Denial.MISMATCH: CoordinationRefused,
        Denial.LIMIT: CoordinationRefused,
        Denial.TASK_OVER: CoordinationRefused,
        Denial.CLOSED: QueueClosed,
        Denial.UNKNOWN_KEY: UnknownKey,
        Denial.NOT_HELD: LockLost,
    }
    for kind, error in expected.items():
        deny(kind)
        with pytest.raises(error):
            queue.put(1, fence=8)
    deny(Denial.BROKEN)
    with pytest.raises(BarrierBroken, match="'b' is broken: because"):
        Barrier("b", 2, client).wait()
    storing.answers[PutItem] = lambda one: StateTold(one.request, [])
    with pytest.raises(LocalProtocolError):
        queue.put(1)


def test_a_fence_is_a_token(storing, client):
    Variable("v", client).set(1, fence=8)
    Event("e", client).set(fence=9)
    assert storing.of(SetVariable)[0].fence == 8
    assert storing.of(ChangeEvent)[0].fence == 9
    for bad in ("lock", -1):
        with pytest.raises(TypeError, match="fence"):
            Variable("v", client).set(1, fence=bad)
    storing.answers[SetVariable] = lambda one: RequestDenied(one.request, Denial.NOT_HELD, "no")
    with pytest.raises(LockLost, match="the fence for variable 'v' was held under token 8"):
        Variable("v", client).delete(fence=8)


def test_what_cannot_be_pickled_is_named(storing, client):
    with pytest.raises(SerializationError, match="generator"):
        Queue("q", client=client).put(one for one in ())
    assert not storing.of(PutItem)


def test_the_small_questions(storing, client):
    queue, barrier, event = Queue("q", client, 3), Barrier("b", 3, client), Event("e", client)
    assert queue.qsize() == 3
    queue.close()
    assert Variable("v", client).is_set()
    assert event.is_set()
    event.clear()
    assert event.wait()
    assert (barrier.n_waiting(), barrier.broken(), barrier.wait()) == (3, True, 2)
    barrier.abort()
    barrier.reset()
    assert [one.is_broken for one in storing.of(ChangeBarrier)] == [True, False]
    for one in (queue, barrier, event, Variable("v", client)):
        again = pickle.loads(pickle.dumps(one))
        assert again.name == one.name
        assert again._arguments() == one._arguments()
    for bad in (-1, True, 1.5):
        with pytest.raises(ValueError, match="maxsize"):
            Queue("q", maxsize=bad)
        with pytest.raises(ValueError, match="parties"):
            Barrier("b", bad)


def test_all_of_it_with_coroutines(storing, client):
    async def main():
        queue = Queue("q", client=client, asynchronous=True)
        variable = Variable("v", client, asynchronous=True)
        event = Event("e", client, asynchronous=True)
        barrier = Barrier("b", 3, client, asynchronous=True)
        await asyncio.gather(queue.put(1), queue.put(2))
        got = [await queue.get(batch=2), await event.wait(), await barrier.wait()]
        await variable.set([3])
        storing.answers[PutItem] = lambda one: RequestDenied(one.request, Denial.NOT_HELD, "")
        with pytest.raises(LockLost):
            await queue.put(1, fence=1)
        return [*got, await variable.get(timeout=5), await queue.qsize()]

    assert asyncio.run(main()) == [[1, 2], True, 2, [3], 3]


def test_coroutines_inside_tasks_give_their_slots_up(storing, client, make_task):
    del storing.answers[TakeItems]

    async def main():
        queue = Queue("q", asynchronous=True)
        getting = asyncio.ensure_future(queue.get())
        while "secede" not in task.log:  # noqa: ASYNC110 - the log is a list
            await asyncio.sleep(0.01)
        request = storing.of(TakeItems)[0].request
        await asyncio.to_thread(storing.send, ItemsGiven(request, [pickle.dumps(((5,), {}))], [[]]))
        return await getting

    with make_task() as task:
        assert asyncio.run(main()) == 5
        assert task.log == ["secede", "rejoin"]
    assert storing.of(TakeItems)[0].task_key == "the-task"
