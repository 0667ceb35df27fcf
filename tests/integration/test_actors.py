"""Actors on real clusters: order, state, coroutines, tasks that use them, workers that die."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Actor, ActorLost, ActorRestarted, Client, get_client
from hocket.core.errors import NoCapacity, SerializationError, TaskCancelled
from hocket.deploy import LocalCluster


class Counter:
    """Counts, and remembers in which thread."""

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.steps: list[Any] = []
        self.threads = {threading.get_ident()}

    def add(self, step: int = 1) -> int:
        self.threads.add(threading.get_ident())
        self.count += step
        return self.count

    def note(self, step: Any) -> None:
        self.steps.append(step)

    def fail(self) -> None:
        raise ZeroDivisionError(f"count is {self.count}")

    def pid(self) -> int:
        return os.getpid()

    @property
    def double(self) -> int:
        return 2 * self.count


class Saved(Counter):
    """Is restarted where it was."""

    def __checkpoint__(self) -> int:
        return self.count

    def __restore__(self, state: int) -> None:
        self.count = state


class SavedMeeting(Saved):
    """The same on a loop."""

    async def add(self, step: int = 1) -> int:  # type: ignore[override]
        return super().add(step)


class Meeting:
    """Calls that wait for other calls."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.begun: list[int] = []

    async def wait(self, number: int) -> int:
        self.begun.append(number)
        await self.event.wait()
        return number

    async def open(self) -> None:
        self.event.set()

    def seen(self) -> list[int]:
        return self.begun


class Slow:
    """Has calls that take their time."""

    def __init__(self) -> None:
        self.naps = 0

    def nap(self, seconds: float, begun: Path) -> None:
        begun.touch()
        time.sleep(seconds)
        self.naps += 1

    def count(self) -> int:
        return self.naps


def add_in_task(actor: Any, step: int) -> int:
    result: int = actor.add(step).result()
    return result


class Relay:
    """An actor that calls another."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def add(self, step: int) -> int:
        result: int = self.target.add(step).result()
        return result


def keys_on_workers(client: Client) -> list[str]:
    return [key for keys in client.has_what().values() for key in keys]


def wait_until(holds: Any, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_an_actor_has_methods_attributes_and_errors_of_its_own(client: Client) -> None:
    counter = client.actor(Counter, 5)
    assert counter.add(2).result(timeout=10) == 7
    assert (counter.count, counter.double) == (7, 14)
    with pytest.raises(ZeroDivisionError, match="count is 7"):
        counter.fail().result(timeout=10)
    assert isinstance(counter.fail().exception(timeout=10), ZeroDivisionError)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = counter.nothing
    with pytest.raises(AttributeError, match="give Counter a method"):
        counter.count = 3
    with pytest.raises(SerializationError, match="'add'"):
        counter.add(threading.Lock())
    assert len(counter.threads) == 1
    answer = counter.add()
    assert answer.result(timeout=10) == 8
    assert (answer.done(), answer.status) == (True, "finished")
    assert "add" in repr(answer)
    assert "Counter" in repr(counter)


def test_calls_are_made_in_the_order_of_their_caller(client: Client) -> None:
    counter = client.actor(Counter)
    for number in range(1000):
        counter.note(number)
    assert counter.steps == list(range(1000))


def test_each_of_many_threads_keeps_its_order(client: Client) -> None:
    counter = client.actor(Counter)

    def hammer(name: int) -> None:
        for number in range(200):
            counter.note((name, number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hammer, range(8)))
    steps = counter.steps
    assert len(steps) == 1600
    for name in range(8):
        assert [number for one, number in steps if one == name] == list(range(200))


def test_submit_with_actor_gives_a_future_of_an_actor(client: Client) -> None:
    future = client.submit(Counter, 3, actor=True)
    actor = future.result(timeout=10)
    assert isinstance(actor, Actor)
    assert actor.add().result(timeout=10) == 4
    assert client.submit(add_in_task, future, 1).result(timeout=10) == 5


def test_coroutine_methods_begin_in_order_and_wait_beside_each_other(client: Client) -> None:
    meeting = client.actor(Meeting)
    answers = [meeting.wait(number) for number in range(50)]
    assert meeting.seen().result(timeout=10) == list(range(50))
    assert not answers[0].done()
    meeting.open()
    assert [one.result(timeout=10) for one in answers] == list(range(50))


def test_tasks_and_other_actors_use_an_actor(client: Client) -> None:
    counter = client.actor(Counter)
    futures = [client.submit(add_in_task, counter, 1) for _ in range(10)]
    assert sorted(client.gather(futures, timeout=20)) == list(range(1, 11))
    relay = client.actor(Relay, counter)
    assert relay.add(5).result(timeout=10) == 15
    assert counter.count == 15


def make_in_task() -> int:
    counter = get_client().actor(Counter, 10)
    result: int = counter.add(1).result()
    return result


def test_a_task_may_have_an_actor_of_its_own(client: Client) -> None:
    assert client.submit(make_in_task).result(timeout=20) == 11
    wait_until(lambda: not keys_on_workers(client))


def test_answers_can_be_awaited(client: Client) -> None:
    counter = client.actor(Counter)

    async def use() -> list[int]:
        return list(await asyncio.gather(*[counter.add() for _ in range(5)]))

    assert asyncio.run(use()) == [1, 2, 3, 4, 5]
    called = threading.Event()
    counter.add().add_done_callback(lambda _: called.set())
    assert called.wait(10)


def test_it_lives_until_nobody_holds_it_or_waits_for_it(client: Client) -> None:
    counter = client.actor(Counter)
    assert counter.add().result(timeout=10) == 1
    assert counter.key in str(client.processing())
    assert client.who_has([client.future(counter.key)])[counter.key]
    assert "actor" in str(client.why(counter.key))
    last = counter.add()
    del counter
    assert last.result(timeout=10) == 2
    wait_until(lambda: not keys_on_workers(client))


def test_a_constructor_that_raises_fails_all_calls(client: Client) -> None:
    counter = client.actor(Counter, *range(5))
    with pytest.raises(TypeError, match="positional"):
        counter.add().result(timeout=10)


def test_bad_use_is_refused_at_once(client: Client) -> None:
    with pytest.raises(TypeError, match="made of a class"):
        client.actor(abs)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a thread of its own"):
        client.submit(Counter, actor=True, executor="loop")
    with pytest.raises(ValueError, match="two actors are never the same"):
        client.submit(Counter, actor=True, pure=True)
    with pytest.raises(ValueError, match="checkpoint_every"):
        client.actor(Counter, checkpoint_every=0)
    counter = client.actor(Counter)
    with pytest.raises(TypeError, match="cannot be called"):
        counter()


def test_a_lost_actor_says_so_and_is_not_made_again(fresh: tuple[LocalCluster, Client]) -> None:
    _, client = fresh
    future = client.submit(Counter, actor=True)
    counter = future.result(timeout=10)
    pid = counter.pid().result(timeout=10)
    assert counter.add(5).result(timeout=10) == 5
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ActorLost, match=r"Counter.*worker-.*__checkpoint__"):
        counter.add().result(timeout=20)
    with pytest.raises(ActorLost):
        counter.add().result(timeout=20)
    # Who asks for it gets a new one.
    future.retry()
    assert counter.add().result(timeout=20) == 1


def test_calls_are_cancelled_where_that_can_be(client: Client, tmp_path: Path) -> None:
    meeting = client.actor(Meeting)
    waiting = [meeting.wait(number) for number in range(3)]
    assert meeting.seen().result(timeout=20) == [0, 1, 2]
    waiting[1].cancel()
    with pytest.raises(TaskCancelled, match="wait"):
        waiting[1].result(timeout=20)
    assert waiting[1].cancelled()
    assert waiting[1].status == "cancelled"
    meeting.open()
    assert waiting[0].result(timeout=20) == 0
    assert not waiting[0].cancelled()
    # A plain method that runs goes on, and what waits behind it is not made.
    slow = client.actor(Slow)
    begun = tmp_path / "begun"
    running, behind, last = slow.nap(0.3, begun), slow.nap(0, begun), slow.count()
    while not begun.exists():
        time.sleep(0.01)
    running.cancel()
    behind.cancel()
    assert running.exception(timeout=20) is None
    assert isinstance(behind.exception(timeout=20), TaskCancelled)
    assert last.result(timeout=20) == 1


def test_what_is_read_of_an_asynchronous_client_is_awaited(cluster: LocalCluster) -> None:
    async def main() -> None:
        async with Client(cluster, asynchronous=True) as client:
            counter = client.actor(Counter, 4)
            read = counter.double
            counter.add()
            assert await read == 8
            assert (await counter.count, await counter.double) == (5, 10)
            with pytest.raises(AttributeError, match="no_such"):
                await counter.no_such
            answer = counter.add()
            answer.cancel()
            await wait_for(answer)
            assert answer.cancelled() or await answer == 6

    asyncio.run(main())


async def wait_for(answer: Any) -> None:
    """Wait until there is an answer, or it is known that there will be none."""
    with suppress(TaskCancelled):
        await answer


@pytest.mark.parametrize("cls", [Saved, SavedMeeting])
def test_a_planned_leave_loses_no_call(fresh: tuple[LocalCluster, Client], cls: Any) -> None:
    _, client = fresh
    counter = client.actor(cls, checkpoint_every=1_000_000)
    pid = counter.pid().result(timeout=20)
    home = client.who_has([counter._future])[counter.key]
    answers: list[Any] = []
    moved = threading.Event()

    def call() -> None:
        while not moved.is_set() or len(answers) % 50:
            answers.append(counter.add())
            answers[-1].result(timeout=20) if len(answers) % 20 == 0 else None

    caller = threading.Thread(target=call)
    caller.start()
    client.retire_workers(home)
    while counter.pid().result(timeout=20) == pid:
        time.sleep(0.01)
    moved.set()
    caller.join()
    # Each was made once, in its order, and none was lost; what was not begun was made elsewhere.
    assert [one.result(timeout=20) for one in answers] == list(range(1, len(answers) + 1))


def test_a_saved_actor_goes_on_elsewhere(fresh: tuple[LocalCluster, Client]) -> None:
    _, client = fresh
    counter = client.actor(Saved)
    for _ in range(10):
        counter.add()
    pid = counter.pid().result(timeout=10)
    plain = client.actor(Counter)
    assert plain.add().result(timeout=10) == 1
    names = [one["name"] for one in client.scheduler_info()["workers"].values()]
    with pytest.raises(NoCapacity, match="without checkpoints"):
        client.retire_workers(names)
    os.kill(pid, signal.SIGKILL)
    unlucky = counter.add()
    error = unlucky.exception(timeout=20)
    # Whether it had come there when the process died, only chance knows.
    if error is not None:
        assert isinstance(error, ActorRestarted)
        [lost] = error.lost
        assert lost.startswith("add() (call ")
    assert counter.add().result(timeout=20) == (11 if error is not None else 12)
    assert counter.pid().result(timeout=10) != pid
