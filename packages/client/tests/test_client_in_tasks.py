"""Code inside tasks: its client, what it gives up while it waits, and futures that come to it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hocket.client import (
    Client,
    Future,
    Reschedule,
    as_completed,
    current_client,
    current_task,
    get_client,
    rejoin,
    secede,
    wait,
)
from hocket.client.shell import asking, blocking
from hocket.client.shell.blocking import block, held_lock
from hocket.core.errors import PeerLost
from hocket.core.task_context import PROVIDER, TaskContext
from hocket.protocol.messages import (
    DescribeCluster,
    SubmitTasks,
    TasksStored,
    WaitForWorkers,
    WorkersReady,
)
from hocket.protocol.serialize import dump_value


def increment(x: int) -> int:
    return x + 1


# ---------------------------------------------------------------------- the client


def test_tasks_of_a_process_share_a_client(scheduler: Any, make_task: Any) -> None:
    found: list[Client] = []

    def run() -> None:
        with make_task():
            found.append(get_client())

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len(set(map(id, found))) == 1
    with make_task():
        client = get_client()
        assert client is found[0]
        assert client.submit(increment, 1).result(5) == 2
        # (A client may be welcomed a moment before the scheduler's code is told of it.)
        assert len(scheduler.channels) == 1
        # no task takes it from the others
        client.close()
        with client:
            pass
        assert get_client() is client
        assert not client.closed
        assert client.gather(client.map(increment, [1, 2])) == [2, 3]


def test_a_client_that_lost_its_scheduler_is_replaced(scheduler: Any, make_task: Any) -> None:
    with make_task():
        first = get_client()
        scheduler.held = True
        future = first.submit(increment, 1)
        scheduler.await_message(SubmitTasks)
        scheduler.abort()
        wait(future, 5)
        assert first.closed
        scheduler.held = False
        second = get_client()
        assert second is not first
        assert second.submit(increment, 2).result(5) == 3


def test_outside_of_tasks_there_is_none(scheduler: Any, client: Client) -> None:
    with pytest.raises(PeerLost, match=r"no task runs in this thread.*Client\(address\)"):
        get_client()
    assert current_task() is None


def test_a_worker_that_does_not_tell_its_scheduler() -> None:
    token = PROVIDER.set(lambda: TaskContext("k", 1, "w7"))
    try:
        with pytest.raises(PeerLost, match="w7"):
            get_client()
    finally:
        PROVIDER.reset(token)


def test_it_is_nobody_elses_current_client(scheduler: Any, make_task: Any) -> None:
    with make_task():
        get_client()
    with pytest.raises(PeerLost, match="make one"):
        current_client()
    with Client(scheduler.address, settings=scheduler.settings) as mine:
        with make_task():
            assert get_client() is not mine
        assert current_client() is mine


def test_names_for_tasks_are_at_hand(make_task: Any) -> None:
    with make_task() as task:
        context = current_task()
        assert context is not None
        assert (context.key, context.worker) == ("the-task", "w0")
        secede()
        rejoin()
    assert task.log == ["secede", "rejoin"]
    assert issubclass(Reschedule, Exception)


SCRIPT = """
    import sys
    from hocket.client import get_client
    from hocket.core.task_context import PROVIDER, TaskContext

    PROVIDER.set(lambda: TaskContext("k", 1, "w0", scheduler_address=sys.argv[1]))
    client = get_client()
    print(client.submit(divmod, 7, 2).result())
    pending = client.submit(divmod, 7, 3)
"""


@pytest.mark.parametrize("scheduler", ["tcp"], indirect=True)
def test_its_process_ends_quietly_and_says_goodbye(scheduler: Any) -> None:
    script = [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT), scheduler.address]
    with subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("(3, 1)\n", "", 0)
    scheduler.await_left()


# ---------------------------------------------------------------------- futures that come to tasks


def test_a_future_unpickled_in_a_task_is_the_tasks_own(
    scheduler: Any, client: Client, make_task: Any
) -> None:
    mine = client.submit(increment, 1)
    data = pickle.dumps([mine])
    with make_task():
        (future,) = pickle.loads(data)
        assert future.session is not mine.session
        assert future.session is get_client().submit(increment, 0).session
        assert future.result(5) == 2
        made = get_client().submit(increment, 5)
        back = pickle.dumps(made)
    # and what a task returns is, outside of tasks, of the client at hand
    returned = pickle.loads(back)
    assert returned.session is mine.session
    assert returned.result(5) == 6
    assert isinstance(returned, Future)


def test_futures_of_other_addresses_in_a_task(
    scheduler: Any, client: Client, make_task: Any
) -> None:
    mine = client.submit(increment, 1, key="k")
    mine.result(5)
    data = pickle.dumps(mine).replace(scheduler.address.encode(), b"x" * len(scheduler.address))
    # A cluster may have several addresses: what counts is its id.
    with make_task():
        future = pickle.loads(data)
        assert future.session is get_client().submit(increment, 0).session
        assert future.result(5) == 2
    assert pickle.loads(data).session is mine.session


# ---------------------------------------------------------------------- waiting


def later(scheduler: Any, task: Any) -> threading.Thread:
    """Let the scheduler's tasks go once the task has no slot: as on a cluster that is full."""

    def run() -> None:
        while task.has_slot:
            pass
        scheduler.let_go()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


WAITS: dict[str, Callable[[Client, list[Future]], Any]] = {
    "result": lambda _client, futures: futures[0].result(10),
    "result without end": lambda _client, futures: futures[0].result(),
    "exception": lambda _client, futures: futures[0].exception(10),
    "gather": lambda client, futures: client.gather(futures, timeout=10),
    "wait": lambda _client, futures: wait(futures, 10),
    "wait for the first": lambda _client, futures: wait(futures, 10, "FIRST_COMPLETED"),
    "as_completed": lambda _client, futures: next(as_completed(futures, timeout=10)),
    "get": lambda client, futures: client.get({"x": futures[0]}, "x", timeout=10),
    "gather what there is": lambda client, futures: client.gather(futures, "skip", 10),
}


@pytest.mark.parametrize("how", WAITS)
def test_a_task_that_waits_gives_up_its_slot(scheduler: Any, make_task: Any, how: str) -> None:
    with make_task() as task:
        client = get_client()
        scheduler.held = True
        futures = client.map(increment, [1, 2])
        scheduler.await_message(SubmitTasks)
        thread = later(scheduler, task)
        WAITS[how](client, futures)
        thread.join()
        assert task.log == ["secede", "rejoin"]
        # What is there already costs no slot.
        wait(futures, 10)
        task.log.clear()
        WAITS[how](client, futures)
        assert task.log == []


def test_a_task_that_does_not_wait_keeps_its_slot(
    scheduler: Any, make_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is just now.
    monkeypatch.setattr(asking, "_ANSWER_S", 10.0)
    with make_task() as task:
        client = get_client()
        done = client.submit(increment, 1)
        wait(done, 5)
        task.log.clear()
        scheduler.held = True
        pending = client.submit(increment, 1)
        for timeout in (0, -1):
            with pytest.raises(TimeoutError):
                pending.result(timeout)
            with pytest.raises(TimeoutError):
                wait([done, pending], timeout)
            with pytest.raises(TimeoutError):
                next(as_completed([pending], timeout=timeout))
        assert task.log == []
        # Nor does one that only asks.
        assert client.scheduler_info()["address"] == scheduler.address
        assert client.scatter(5).result(5) == 5
        client.wait_for_workers(1)
        assert task.log == []
        assert scheduler.of(DescribeCluster)


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two looks at the clock, however slow this machine is just now."""
    monkeypatch.setattr(blocking, "monotonic", lambda: 0.0)


@pytest.mark.usefixtures("still_clock")
def test_a_wait_that_ends_in_vain_takes_the_slot_again(scheduler: Any, make_task: Any) -> None:
    with make_task() as task:
        client = get_client()
        scheduler.held = True
        future = client.submit(increment, 1)
        with pytest.raises(TimeoutError):
            future.result(0.001)
        assert task.log == ["secede", "rejoin"]
        assert task.has_slot


def test_a_task_that_had_seceded_stays_so(scheduler: Any, make_task: Any) -> None:
    with make_task() as task:
        client = get_client()
        scheduler.held = True
        future = client.submit(increment, 1)
        secede()
        scheduler.await_message(SubmitTasks)
        thread = later(scheduler, task)
        assert future.result(10) == 2
        thread.join()
        assert task.log == ["secede"]
        assert not task.has_slot


def test_a_question_that_takes_long_gives_up_the_slot(scheduler: Any, make_task: Any) -> None:
    answered = threading.Event()

    def answer_late(task: Any, message: WaitForWorkers) -> None:
        while task.has_slot:
            pass
        answered.set()
        scheduler.send(WorkersReady(message.request, 100))

    with make_task() as task:
        client = get_client()
        thread = threading.Thread(
            target=lambda: answer_late(task, scheduler.await_message(WaitForWorkers)), daemon=True
        )
        thread.start()
        client.wait_for_workers(100, 10)
        thread.join()
        assert answered.is_set()
        assert task.log == ["secede", "rejoin"]


def test_outside_of_tasks_no_slot_is_looked_for(
    client: Client, scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "without_slot", None)
    scheduler.held = True
    future = client.submit(increment, 1)
    scheduler.await_message(SubmitTasks)
    threading.Thread(target=scheduler.let_go).start()
    assert future.result(5) == 2


@pytest.mark.usefixtures("still_clock")
def test_blocking_keeps_to_its_time(make_task: Any) -> None:
    free = threading.Lock()
    with make_task() as task:
        assert block(free, None)
        assert not block(free, 0)
        assert not block(free, -5)
        assert not block(free, 0.001, patience_s=5)
        assert task.log == []
        assert not block(held_lock(), 0.002, patience_s=0.001)
        assert task.log == ["secede", "rejoin"]
    assert not block(free, 0)
    assert not block(free, -1)
    free.release()
    assert block(free, 0)


def test_a_coroutine_gives_up_its_slot_while_it_waits(scheduler: Any, make_task: Any) -> None:
    async def run(client: Client, task: Any) -> list[Any]:
        scheduler.held = True
        futures = client.map(increment, [1, 2, 3])
        scheduler.await_message(SubmitTasks)
        thread = later(scheduler, task)
        values = [await futures[0], *await asyncio.gather(*futures)]
        thread.join()
        return values

    with make_task() as task:
        assert asyncio.run(run(get_client(), task)) == [2, 2, 3, 4]
        assert task.log == ["secede", "rejoin"]


def test_a_task_that_waits_in_two_places_has_no_slot_until_both_are_over(
    scheduler: Any, make_task: Any
) -> None:
    async def run(client: Client, task: Any) -> None:
        scheduler.held = True
        first, second = client.map(increment, [3, 4])
        both = [asyncio.ensure_future(_await(one)) for one in (first, second)]
        await asyncio.sleep(0)
        assert task.log == ["secede"]
        scheduler.await_message(SubmitTasks)
        scheduler.send(TasksStored([first.key], [1], [dump_value(4)]))
        assert await both[0] == 4
        assert task.log == ["secede"]
        scheduler.send(TasksStored([second.key], [1], [dump_value(5)]))
        assert await both[1] == 5
        assert task.log == ["secede", "rejoin"]

    with make_task() as task:
        asyncio.run(run(get_client(), task))


async def _await(future: Future) -> Any:
    return await future
