"""Looking on at a real scheduler: observers over the wire, readers in its process, samples."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hocket.core.settings import Settings
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    Events,
    FindTasks,
    RunTasks,
    Snapshot,
    SubmitTasks,
    Subscribe,
    TasksFound,
    WorkerJoined,
)
from hocket.protocol.messages.feed import ClientCame, EventKinds, LineLogged, SchedulerSampled
from hocket.protocol.roles import Role
from hocket.scheduler.shell import Scheduler
from hocket.transport.channel import Channel
from hocket.transport.connector import connect
from hocket.transport.vitals import LoopLag, Vitals

SETTINGS = Settings.build(overrides={"session": {"local_grace_s": 0}})
SUBMIT = SubmitTasks([b"f" * 16], ["f"], [b"p"], ["k"], [], [b"x"], [], [])


class Peer:
    """A channel with its messages in a queue."""

    channel: Channel

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(self, _channel: Channel, messages: list[Any]) -> None:
        for message in messages:
            self.inbox.put_nowait(message)

    async def connect(self, address: str, role: Role) -> Peer:
        self.channel = await connect(
            address,
            role=role,
            name=role.name.lower(),
            secret="s",
            settings=SETTINGS,
            on_messages=self.hear,
            on_closed=lambda _channel, reason, _clean: self.closed.set_result(reason),
        )
        return self

    async def next(self, kind: type) -> Any:
        while True:
            message = await self.inbox.get()
            if type(message) is kind:
                return message


def with_scheduler(play: Callable[[Scheduler], Awaitable[None]]) -> None:
    async def run() -> None:
        scheduler = Scheduler(SETTINGS, secret="s")
        await scheduler.start("tcp://127.0.0.1:0")
        try:
            await asyncio.wait_for(play(scheduler), 20)
        finally:
            await scheduler.close()

    asyncio.run(run())


def test_an_observer_sees_who_comes_and_how_the_scheduler_is() -> None:
    async def play(scheduler: Scheduler) -> None:
        observer = await Peer().connect(scheduler.address, Role.OBSERVER)
        observer.channel.send([Subscribe(1, int(EventKinds.SCHEDULER))])
        snapshot = await observer.next(Snapshot)
        assert snapshot.address == scheduler.address
        assert abs(snapshot.time_s - asyncio.get_running_loop().time()) > 1e6  # the epoch's
        client = await Peer().connect(scheduler.address, Role.CLIENT)
        seen: set[type] = set()
        while not {ClientCame, SchedulerSampled} <= seen:
            events = await observer.next(Events)
            seen |= {type(event) for event in events.events}
        client.channel.close()
        observer.channel.close("enough")
        for _ in range(1000):
            await asyncio.sleep(0.005)
            if not scheduler.machine.feed.kinds:
                break
        assert scheduler.machine.feed.kinds == 0
        assert scheduler.feed._timer is None

    with_scheduler(play)


def test_an_observer_may_ask_but_not_submit() -> None:
    async def play(scheduler: Scheduler) -> None:
        observer = await Peer().connect(scheduler.address, Role.OBSERVER)
        observer.channel.send([DescribeCluster(1), FindTasks(2)])
        assert (await observer.next(ClusterDescribed)).request == 1
        assert (await observer.next(TasksFound)).tasks == []
        observer.channel.send([SUBMIT])
        assert "protocol" in await observer.closed
        assert not scheduler.machine.tables.tasks

    logging.getLogger("hocket").setLevel(logging.CRITICAL)
    try:
        with_scheduler(play)
    finally:
        logging.getLogger("hocket").setLevel(logging.NOTSET)


def test_a_reader_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # What it logs is no text that a report of tests could have.
    monkeypatch.setattr(logging.getLogger("hocket"), "propagate", False)

    async def play(scheduler: Scheduler) -> None:
        worker = await Peer().connect(scheduler.address, Role.WORKER)
        worker.channel.send([WorkerJoined("w", "tcp://w:1", "h", 1, 1)])
        client = await Peer().connect(scheduler.address, Role.CLIENT)
        client.channel.send([SUBMIT])
        await worker.next(RunTasks)
        reader = scheduler.feed.read(EventKinds.LOGS | EventKinds.GROUPS)
        assert [one.worker for one in reader.snapshot().workers] == ["w"]
        assert [(one.group, one.assigned) for one in reader.snapshot().groups] == [("f", 1)]
        found = await scheduler.feed.ask(FindTasks(0, "k"))
        assert isinstance(found, TasksFound)
        assert [one.workers for one in found.tasks] == [["w"]]
        logging.getLogger("hocket.scheduler").error("a line \ud800")
        lines: list[Any] = []
        while not lines:
            await asyncio.sleep(0.01)
            lines = [one for one in reader.take().events if type(one) is LineLogged]
        assert (lines[0].level, lines[0].worker, lines[0].text) == ("ERROR", "", "a line ?")
        reader.close()
        reader.close()
        assert scheduler.machine.feed.kinds == 0
        handlers = logging.getLogger("hocket").handlers
        assert not any("Recorder" in type(one).__name__ for one in handlers)

    with_scheduler(play)


def test_vitals_are_rates() -> None:
    vitals = Vitals()
    signs = vitals.look()
    assert signs.cpu >= 0
    assert signs.memory_nbytes > 1 << 20
    assert all(value >= -1 for value in signs)


def test_the_lag_of_a_loop() -> None:
    async def measure() -> float:
        lag = LoopLag()
        lag.start()
        lag.start()
        longest_s = 0.0
        while not longest_s:
            await asyncio.sleep(0.01)
            longest_s = lag.take_max()
        lag.stop()
        lag.stop()
        return longest_s

    assert 0 < asyncio.run(measure()) < 60
