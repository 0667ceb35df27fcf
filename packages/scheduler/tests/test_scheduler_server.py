"""The scheduler's shell on a real loop: channels in, the machine's answers out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.protocol.messages import (
    ClusterEnds,
    DescribeCluster,
    DropData,
    EndCluster,
    ReleaseKeys,
    RunTasks,
    SubmitTasks,
    TasksDone,
    TasksStored,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.scheduler.shell import Scheduler
from hocket.transport.channel import Channel
from hocket.transport.connector import connect

SETTINGS = Settings.build(overrides={"session": {"local_grace_s": 0}})


class Peer:
    """A channel with its messages in a queue."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.closed: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
        self.channel: Channel

    async def connect(self, address: str, role: Role, name: str) -> None:
        self.channel = await connect(
            address,
            role=role,
            name=name,
            secret="s",
            settings=SETTINGS,
            on_messages=lambda _, messages: [self.inbox.put_nowait(one) for one in messages],  # type: ignore[func-returns-value]
            on_closed=lambda _, reason, clean: self.closed.set_result((reason, clean)),
        )


def with_scheduler(play: Callable[[Scheduler], Awaitable[None]], *addresses: str) -> None:
    async def run() -> None:
        scheduler = Scheduler(SETTINGS, secret="s")
        await scheduler.start(*addresses)
        try:
            await asyncio.wait_for(play(scheduler), 20)
        finally:
            await scheduler.close()

    asyncio.run(run())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "inproc://scheduler-test"])
def test_a_task_goes_round(address: str) -> None:
    async def play(scheduler: Scheduler) -> None:
        worker, client = Peer(), Peer()
        await worker.connect(scheduler.address, Role.WORKER, "w")
        worker.channel.send([WorkerJoined("w", "tcp://w:1", "h", 1, 1)])
        await client.connect(scheduler.address, Role.CLIENT, "c")
        client.channel.send([SubmitTasks([b"f" * 16], ["f"], [b"p"], ["k"], [], [b"x"], [], [])])
        run = await worker.inbox.get()
        assert type(run) is RunTasks
        assert run.keys == ["k"]
        worker.channel.send([TasksDone(["k"], run.attempts, [4], [0.0], [0.1], [b"v"])])
        assert await client.inbox.get() == TasksStored(["k"], [4], [b"v"])
        client.channel.close()
        assert await worker.inbox.get() == DropData(["k"], run.attempts)
        worker.channel.close()

    with_scheduler(play, address)


def test_a_peer_out_of_order_loses_its_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def play(scheduler: Scheduler) -> None:
        worker, client = Peer(), Peer()
        await worker.connect(scheduler.address, Role.WORKER, "rude")
        await client.connect(scheduler.address, Role.CLIENT, "c")
        worker.channel.send([TasksDone(["k"], [1], [4], [0.0], [0.1], [None])])
        reason, _ = await worker.closed
        assert "introduced" in reason
        client.channel.send([ReleaseKeys(["nothing"]), DescribeCluster(1)])
        assert (await client.inbox.get()).workers == []
        client.channel.close()

    with caplog.at_level(logging.WARNING, logger="hocket"):
        with_scheduler(play, "tcp://127.0.0.1:0")
    assert [one.name for one in caplog.records if "rude" in one.getMessage()] == [
        "hocket.scheduler"
    ]


def test_a_lost_worker_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def play(scheduler: Scheduler) -> None:
        worker, client = Peer(), Peer()
        await worker.connect(scheduler.address, Role.WORKER, "w")
        worker.channel.send([WorkerJoined("w", "tcp://w:1", "h", 1, 1)])
        await client.connect(scheduler.address, Role.CLIENT, "c")
        worker.channel.fail("pulled the plug")
        while (await ask(client)).workers:
            pass
        client.channel.close()

    async def ask(client: Peer) -> Any:
        client.channel.send([DescribeCluster(1)])
        return await client.inbox.get()

    with caplog.at_level(logging.WARNING, logger="hocket.scheduler"):
        with_scheduler(play, "tcp://127.0.0.1:0")
    assert any("lost worker w" in one.getMessage() for one in caplog.records)


def test_other_hosts_need_a_secret() -> None:
    async def start() -> None:
        await Scheduler(SETTINGS, secret="").start("tcp://0.0.0.0:0")

    with pytest.raises(SettingsError, match="secret"):
        asyncio.run(start())


def test_what_cannot_be_sent_costs_one_session(caplog: pytest.LogCaptureFixture) -> None:
    async def play(scheduler: Scheduler) -> None:
        worker, other = Peer(), Peer()
        await worker.connect(scheduler.address, Role.WORKER, "first")
        worker.channel.send([WorkerJoined("first", "tcp://first:1", "h", 1, 1)])
        await other.connect(scheduler.address, Role.CLIENT, "c")
        while not (await ask(other)).workers:
            pass
        # A bug of ours: something that has no place on the wire.
        machine = scheduler.machine
        next(iter(machine.tables.workers.values())).outbox.add(DropData(["k"], [2**70]))
        assert (await ask(other)).workers == []
        reason, clean = await worker.closed
        assert clean
        assert "cannot be sent" in reason
        other.channel.close()

    async def ask(client: Peer) -> Any:
        client.channel.send([DescribeCluster(1)])
        await client.inbox.get()
        # (The first answer was made before the turn that it came with.)
        client.channel.send([DescribeCluster(2)])
        return await client.inbox.get()

    with caplog.at_level(logging.WARNING, logger="hocket"):
        with_scheduler(play, "tcp://127.0.0.1:0")
    assert [one.levelname for one in caplog.records if "first" in one.getMessage()] == ["ERROR"]


def test_frames_stay_below_the_limit_that_is_set() -> None:
    settings = Settings.build(overrides={"transport.frame_nbytes_max": "32 MiB"})
    limits = Scheduler(settings).machine.tables.limits
    assert limits.frame_nbytes_aim == 8 * 2**20
    assert limits.answer_nbytes_max == 16 * 2**20


def test_nothing_happens_after_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        scheduler = Scheduler(SETTINGS, secret="s")
        await scheduler.start("inproc://closing-test")
        scheduler._schedule_turn()
        monkeypatch.setattr(scheduler.machine, "turn", pytest.fail)
        await scheduler.close()
        await asyncio.sleep(0)
        assert scheduler._look_again is None

    asyncio.run(run())


def test_a_start_that_fails_listens_nowhere() -> None:
    async def run() -> None:
        scheduler = Scheduler(SETTINGS, secret="s")
        with pytest.raises(SettingsError):
            await scheduler.start("inproc://start-test", "nonsense://")
        again = Scheduler(SETTINGS, secret="s")
        await again.start("inproc://start-test")
        await again.close()

    asyncio.run(run())


def test_a_client_ends_it_and_all_are_told_who() -> None:
    async def play(scheduler: Scheduler) -> None:
        worker, client, other = Peer(), Peer(), Peer()
        await worker.connect(scheduler.address, Role.WORKER, "w")
        worker.channel.send([WorkerJoined("w", "tcp://w:1", "h", 1, 1)])
        await client.connect(scheduler.address, Role.CLIENT, "c")
        await other.connect(scheduler.address, Role.CLIENT, "d")
        client.channel.send([EndCluster(5)])
        assert await client.inbox.get() == ClusterEnds(5, accepted=True)
        reason = await asyncio.wait_for(ended, 5)
        assert reason == "client c ended the cluster"
        await scheduler.close()
        for peer in (worker, client, other):
            assert await peer.closed == (reason, True)

    async def run() -> None:
        nonlocal ended
        ended = asyncio.get_running_loop().create_future()
        scheduler = Scheduler(SETTINGS, secret="s", on_ended=ended.set_result)
        await scheduler.start("tcp://127.0.0.1:0")
        try:
            await asyncio.wait_for(play(scheduler), 20)
        finally:
            await scheduler.close()

    ended: asyncio.Future[str]
    asyncio.run(run())
