"""Locks from the side of who holds them: nothing is held that nobody knows of, or believed so."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest

from hocket.client import Client, Lock, LockLost, MultiLock, NotHeld, Semaphore
from hocket.client.coordination import errors
from hocket.client.shell import coordinating, ways
from hocket.core.errors import PeerLost
from hocket.protocol.messages import (
    AcquireLeases,
    AcquireLocks,
    Denial,
    GrantGiven,
    GrantsRevoked,
    LookAt,
    ReleaseGrant,
    RequestDenied,
    RequestDone,
    StateTold,
    WithdrawRequest,
)


@pytest.fixture
def granting(scheduler):
    """A scheduler that grants every lock at once."""
    scheduler.answers[AcquireLocks] = lambda one: GrantGiven(one.request, 7)
    scheduler.answers[ReleaseGrant] = lambda one: RequestDone(one.request)
    scheduler.answers[LookAt] = lambda one: StateTold(one.request, [one.token or 7, 0])
    return scheduler


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(coordinating, "_SETTLE_S", 0.01)


def test_a_lock_is_acquired_and_released(granting, client):
    lock = Lock("a", client)
    with pytest.raises(NotHeld, match="lock 'a'"):
        _ = lock.fencing_token
    with pytest.raises(NotHeld):
        lock.release()
    with lock as same:
        assert same is lock
        assert lock.fencing_token == lock.check() == 7
        assert lock.locked()
    assert granting.of(AcquireLocks)[0].names == ["a"]
    assert granting.of(AcquireLocks)[0].task_key == ""
    assert granting.of(ReleaseGrant)[0].token == 7
    with pytest.raises(NotHeld):
        lock.check()


def test_who_does_not_wait_withdraws_at_once(scheduler, client):
    scheduler.answers[WithdrawRequest] = lambda one: RequestDenied(
        one.request, Denial.WITHDRAWN, "it was withdrawn"
    )
    lock = Lock("a", client)
    assert lock.acquire(timeout=0) is False
    assert lock.acquire(blocking=False) is False
    assert lock.acquire(timeout=0.01) is False
    wanted = [one.request for one in scheduler.of(AcquireLocks)]
    assert [one.request for one in scheduler.of(WithdrawRequest)] == wanted
    scheduler.answers[WithdrawRequest] = lambda one: GrantGiven(one.request, 5)
    # It was granted just before.
    assert lock.acquire(timeout=0.01) is True
    assert lock.fencing_token == 5


def test_what_is_granted_when_nobody_waits_any_more_goes_back(scheduler, client, impatient):
    assert Lock("a", client).acquire(timeout=0.01) is False
    request = scheduler.await_message(WithdrawRequest).request
    scheduler.send(GrantGiven(request, 9))
    assert scheduler.await_message(ReleaseGrant) == ReleaseGrant(0, 9)


def test_an_interrupted_wait_leaves_nothing_behind(scheduler, client, monkeypatch):
    def interrupt(waiter, *_):
        # The answer comes just then.
        if scheduler.answers:
            assert waiter.acquire(timeout=10)
        raise KeyboardInterrupt

    monkeypatch.setattr(ways, "block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Lock("a", client).acquire()
    assert scheduler.await_message(WithdrawRequest).request == 1
    scheduler.answers[AcquireLocks] = lambda one: GrantGiven(one.request, 9)
    with pytest.raises(KeyboardInterrupt):
        Lock("a", client).acquire()
    assert scheduler.await_message(ReleaseGrant) == ReleaseGrant(0, 9)


def test_a_cancelled_coroutine_leaves_nothing_behind(scheduler, client):
    async def main():
        waiting = asyncio.ensure_future(Lock("a", client, asynchronous=True).acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    request = scheduler.await_message(WithdrawRequest).request
    scheduler.send(GrantGiven(request, 9))
    assert scheduler.await_message(ReleaseGrant) == ReleaseGrant(0, 9)


def test_coroutines_hold_locks(granting, client):
    async def main():
        async with Lock("a", client) as lock:
            token = lock.fencing_token
        other = Lock("a", client, asynchronous=True)
        with pytest.raises(TypeError, match="async with"), other:
            pass
        taken = await other.acquire(timeout=5), await other.check(), await other.locked()
        await other.release()
        return token, taken

    assert asyncio.run(main()) == (7, (True, 7, True))
    assert len(granting.of(ReleaseGrant)) == 2


def test_who_lost_a_lock_is_told_whatever_is_asked(granting, client):
    lock = Lock("a", client)
    for ask in (lambda: lock.fencing_token, lock.check, lock.locked, lock.release):
        lock.acquire()
        granting.send(GrantsRevoked([7], "the attempt is over"))
        while not client._session.machine.revoked:
            pass
        with pytest.raises(LockLost, match="the attempt is over") as caught:
            ask()
        assert caught.value.token == 7
        client._session.machine.revoked.clear()


def test_the_end_of_a_block_tells_of_a_lost_lock(granting, client):
    granting.answers[ReleaseGrant] = lambda one: RequestDenied(one.request, Denial.NOT_HELD, "no")
    lock = Lock("a", client)
    with pytest.raises(LockLost, match="under token 7"), lock:
        pass
    with pytest.raises(ZeroDivisionError) as caught, lock:
        1 / 0  # noqa: B018
    assert "is not any more" in caught.value.__notes__[0]

    async def main(body):
        async with Lock("a", client):
            body()

    with pytest.raises(LockLost):
        asyncio.run(main(int))
    with pytest.raises(ZeroDivisionError) as caught:
        asyncio.run(main(lambda: 1 / 0))
    assert caught.value.__notes__


def test_the_scheduler_knows_better(granting, client):
    lock = Lock("a", client)
    lock.acquire()
    granting.answers[LookAt] = lambda one: StateTold(one.request, [0, 0])
    with pytest.raises(LockLost):
        lock.check()
    with pytest.raises(LockLost):
        lock.locked()


def test_a_lock_is_lost_with_its_session(granting, client):
    locks = [Lock(name, client) for name in "abcd"]
    for lock in locks:
        lock.acquire()
    waiting = Lock("e", client)
    del granting.answers[AcquireLocks]
    failed = []

    def wait():
        with pytest.raises(PeerLost):
            waiting.acquire()
        failed.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    granting.await_message(AcquireLocks, 5)
    granting.abort()
    thread.join(10)
    assert failed
    asks = (lambda: locks[0].fencing_token, locks[1].check, locks[2].locked, locks[3].release)
    for ask in asks:
        with pytest.raises(LockLost, match="its client is over"):
            ask()
    with pytest.raises(NotHeld):
        locks[3].release()
    with pytest.raises(PeerLost):
        locks[3].acquire()


def test_a_request_of_a_task_names_it(granting, client, make_task):
    with make_task() as task:
        lock = Lock("a")
        assert lock.acquire()
        assert task.log == []
    (message,) = granting.of(AcquireLocks)
    assert (message.task_key, message.attempt) == ("the-task", 1)


def test_a_task_that_waits_for_long_does_so_without_its_slot(scheduler, client, make_task):
    def grant():
        scheduler.send(GrantGiven(scheduler.await_message(AcquireLocks).request, 7))

    with make_task() as task:
        task._context.secede  # noqa: B018
        lock = Lock("a")
        timer = threading.Timer(0.2, grant)
        timer.start()
        assert lock.acquire()
        timer.join()
        assert task.log == ["secede", "rejoin"]


def test_the_more_tasks_wait_the_longer_they_keep_their_slots():
    waits = []
    with coordinating._patience() as first:
        for _ in range(200):
            waits.append(coordinating._patience())
            last = waits[-1].__enter__()
        assert first < last <= 60.0
        for one in waits:
            one.__exit__(None, None, None)
    with coordinating._patience() as again:
        assert again == first


def test_several_locks_and_leases(granting, client):
    granting.answers[AcquireLeases] = lambda one: GrantGiven(one.request, 8)
    with MultiLock(["a", "b", "a"], client) as locks:
        assert locks.fencing_token == 7
    assert locks.acquire(num_locks=1)
    every, some = granting.of(AcquireLocks)
    assert (every.names, every.count, some.count) == (["a", "b"], 2, 1)
    semaphore = Semaphore(3, "s", client)
    assert semaphore.acquire(n=2)
    assert semaphore.get_value() == 7
    (message,) = granting.of(AcquireLeases)
    assert (message.name, message.limit, message.count) == ("s", 3, 2)
    for bad in ("names", []):
        with pytest.raises((TypeError, ValueError)):
            MultiLock(bad, client)


def test_they_travel_by_name(client, scheduler):
    for one in (Lock("a", client), MultiLock(["a", "b"], client), Semaphore(3, "s", client)):
        again = pickle.loads(pickle.dumps(one))
        assert repr(again) == repr(one)
        assert again._session() is client._session
    with Client(scheduler.address, settings=scheduler.settings) as other:
        # Of the client made last; one that was closed is left for another.
        lock = Lock("a")
        assert lock._session() is other._session
    assert lock._session() is client._session


def test_nonsense_is_refused(client):
    assert Lock().name != Lock().name
    for name in ("", "x" * 1025):
        with pytest.raises(ValueError, match="1 to 1024"):
            Lock(name)
    with pytest.raises(TypeError):
        Lock(7)
    with pytest.raises(ValueError, match="max_leases"):
        Semaphore(0, "s")
    with pytest.raises(ValueError, match="timeout"):
        Lock("a", client).acquire(timeout=-1)


@pytest.mark.parametrize(
    "error",
    [
        errors.NotHeld(what="lock 'a'"),
        errors.LockLost(what="lock 'a'", token=7, reason="so"),
        errors.CoordinationRefused(what="queue 'q'", reason="so"),
        errors.BarrierBroken(name="b", reason="so"),
        errors.QueueClosed(name="q"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
