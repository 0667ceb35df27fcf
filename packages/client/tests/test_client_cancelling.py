"""Cancelling: what is asked of the scheduler, and what the user hears of the answer."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from hocket.client import CancelReport, Client
from hocket.client.batches import TaskBatch
from hocket.client.invariants import check
from hocket.client.machine import CANCELLED, STORED, ClientMachine, FutureState
from hocket.client.shell.blocking import block, held_lock
from hocket.client.shell.task_lock import TaskLock
from hocket.core.errors import NoCapacity, PeerLost, SettingsError
from hocket.core.task_context import PROVIDER, TaskContext, TaskGuard
from hocket.protocol.messages import (
    CancelAnswered,
    CancelOutcome,
    CancelTasks,
    RequestRefused,
    TasksCancelled,
    TasksStored,
)
from hocket.protocol.serialize import FunctionPickle

TIMEOUT_S = 20
NOT_BEGUN, INTERRUPTED, ENDED, GOES_ON, NEEDED = CancelOutcome


# ---------------------------------------------------------------------- the machine


def nothing() -> None:
    pass


def submit(machine: ClientMachine, *keys: str) -> list[FutureState]:
    function = FunctionPickle(b"d" * 16, b"blob", "f", [])
    return machine.submit(TaskBatch([function], list(keys), [b"p"] * len(keys)))


def sent(machine: ClientMachine) -> list[CancelTasks]:
    frames = machine.take_frames(10**9)
    return [one for frame in frames for one in frame if type(one) is CancelTasks]


def test_what_is_pending_is_asked_about() -> None:
    machine = ClientMachine("t")
    states = submit(machine, "a", "b")
    machine.receive(TasksStored(["b"], [7], [b"v"]))
    keys, request = machine.cancel(states, interrupt=True, wake=nothing)
    check(machine)
    assert (keys, [state.status for state in states]) == (["a"], [CANCELLED, STORED])
    assert request is not None
    assert sent(machine) == [CancelTasks(["a"], interrupt=True, request=request.number)]
    machine.receive(TasksCancelled(["a"]))
    answer = CancelAnswered(request.number, ["a"], [INTERRUPTED], ["w"])
    machine.receive(answer)
    assert (machine.take_fired(), request.reply) == ([request], answer)
    check(machine)


def test_nothing_is_asked_where_nothing_is_pending() -> None:
    machine = ClientMachine("t")
    states = submit(machine, "a")
    machine.receive(TasksStored(["a"], [7], [b"v"]))
    assert machine.cancel(states, interrupt=True, wake=nothing) == ([], None)
    machine.close(PeerLost(address="tcp://x:1", reason="gone"))
    assert machine.cancel(states, interrupt=True, wake=nothing) == ([], None)
    assert not machine.requests


def test_futures_that_are_dropped_interrupt_nothing() -> None:
    machine = ClientMachine("t")
    machine.cancel(submit(machine, "a"))
    assert sent(machine) == [CancelTasks(["a"])]
    submit(machine, "b")
    machine.cancel_all()
    assert [one.interrupt for one in sent(machine)] == [False]


# ---------------------------------------------------------------------- the client


def answer_with(scheduler: Any, *rows: tuple[str, CancelOutcome, str]) -> None:
    keys, outcomes, workers = (list(column) for column in zip(*rows, strict=True))
    scheduler.answers[CancelTasks] = lambda message: CancelAnswered(
        message.request, keys, outcomes, workers
    )


def test_a_report_names_all(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    futures = [client.submit(abs, -1, key=key) for key in "abcde"]
    answer_with(
        scheduler,
        ("b", INTERRUPTED, "w1"),
        ("upstream", INTERRUPTED, "w2"),
        ("c", ENDED, ""),
        ("d", GOES_ON, "w1"),
        ("e", NEEDED, ""),
    )
    report = client.cancel(futures, timeout=TIMEOUT_S)
    assert report == CancelReport(
        not_begun=("a",),
        interrupted=("b", "upstream"),
        ended=("c",),
        running={"d": "w1"},
        needed=("e",),
    )
    assert str(report).splitlines() == [
        "will not be run: 'a'",
        "interrupted: 'b', 'upstream'",
        "had ended by themselves: 'c'",
        "run on, and cannot be interrupted where they are: 'd' on w1",
        "run on, since others need them: 'e'",
    ]


def test_what_is_not_said_in_time_is_not_known(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    future = client.submit(abs, -1)
    assert client.cancel(future, timeout=0.01).unknown == (future.key,)
    assert future.cancelled()


def test_what_was_done_has_ended(client: Client) -> None:
    future = client.submit(abs, -1)
    assert future.result(TIMEOUT_S) == 1
    report = client.cancel(future, timeout="5 s")
    assert (report.ended, future.status) == ((future.key,), "finished")
    assert str(client.cancel([], timeout=1)) == "nothing was cancelled"


def test_long_reports_are_short_as_text() -> None:
    text = str(CancelReport(not_begun=tuple(map(str, range(1000)))))
    assert len(text) < 100
    assert text.endswith("and 990 more")


def test_who_interrupts_and_who_does_not(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    assert client.cancel(client.submit(abs, -1, key="forced"), force=True) is None
    client.submit(abs, -1, key="future").cancel()
    call, of_joblib = (client.get_executor().submit(abs, number) for number in (1, 2))
    # (By the rules of `concurrent.futures`, what runs is let run.)
    assert call.cancel_unasked()
    assert of_joblib.cancel_unasked(interrupt=True)
    keys = ["forced", "future", call.key, of_joblib.key]
    scheduler.await_released(keys)
    asked = {message.keys[0]: message for message in scheduler.of(CancelTasks)}
    assert [(asked[key].interrupt, asked[key].force) for key in keys] == [
        (True, True),
        (True, False),
        (False, False),
        (True, False),
    ]


def test_an_answer_that_is_too_long_is_refused(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    scheduler.answers[CancelTasks] = lambda message: RequestRefused(message.request, "too many")
    with pytest.raises(NoCapacity, match="too many"):
        client.cancel(client.submit(abs, -1), timeout=TIMEOUT_S)


@pytest.mark.parametrize("timeout", [-1, "soon", float("nan")])
def test_times_that_are_none(client: Client, timeout: Any) -> None:
    with pytest.raises(SettingsError, match="timeout"):
        client.cancel([], timeout=timeout)


def test_reports_can_be_awaited(scheduler: Any) -> None:
    async def use() -> None:
        async with Client(scheduler.address, asynchronous=True) as client:
            scheduler.held = True
            future = client.submit(abs, -1, key="a")
            answer_with(scheduler, ("a", INTERRUPTED, "w"))
            assert (await client.cancel(future, timeout=TIMEOUT_S)).interrupted == ("a",)

    asyncio.run(use())


# ---------------------------------------------------------------------- in tasks


class Guard(TaskGuard):
    """Says what it is asked for."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.wakes: list[Any] = []

    def shield(self) -> object:
        self.log.append("shield")
        return 7

    def unshield(self, shielded: object) -> None:
        assert shielded == 7
        self.log.append("unshield")

    def wake_by(self, wake: Any) -> None:
        self.wakes.append(wake)


@pytest.fixture
def guard() -> Any:
    guard = Guard()
    task = TaskContext("k", 1, "w", guard=guard)
    token = PROVIDER.set(lambda: task)
    yield guard
    PROVIDER.reset(token)


def test_who_holds_the_lock_of_tasks_is_shielded(guard: Guard) -> None:
    lock = TaskLock()
    with lock:
        assert guard.log == ["shield"]
        thread = threading.Thread(target=lock.__enter__)
        thread.start()
    assert guard.log == ["shield", "unshield"]
    thread.join(TIMEOUT_S)
    lock.__exit__()
    assert guard.log == ["shield", "unshield"]


def test_a_task_that_waits_can_be_woken(guard: Guard) -> None:
    gate = held_lock()
    timer = threading.Timer(0.05, gate.release)
    timer.start()
    assert block(gate, None)
    assert guard.wakes[-1] is None
    timer.join()
    guard.wakes[0]()
    guard.wakes[0]()  # It may come when the wait is over.
