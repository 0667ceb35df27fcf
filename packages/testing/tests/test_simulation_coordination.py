"""Locks and queues over sessions whose connection is cut at each message; and in simulated runs."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import pytest

from hocket.client.invariants import check as check_client
from hocket.client.machine import ClientMachine
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.framing import FrameReader
from hocket.protocol.messages import (
    AcquireLocks,
    GrantGiven,
    ItemsGiven,
    ItemsReceived,
    LookAt,
    Primitive,
    PutItem,
    ReleaseGrant,
    RequestDone,
    TakeItems,
)
from hocket.protocol.roles import Role
from hocket.protocol.session import Session, SessionLimits
from hocket.scheduler import SchedulerMachine
from hocket.scheduler.coordination.invariants import check
from hocket.testing import Faults, draw_swarm, simulate

FRAME_NBYTES_MAX = 2**20
ID = 1


class Wire:
    """Two sides with sessions, and a connection that loses the frames of these numbers.

    With a frame that is lost, all that is on its way is, and the sessions resume on another.
    """

    def __init__(self, lost: set[int]) -> None:
        self.lost = lost
        self.frames_count = 0
        self.client = ClientMachine("token")
        self.scheduler = SchedulerMachine()
        self.scheduler.client_joined(ID, "client")
        self.sessions = {
            side: Session(b"0123456789abcdef", SessionLimits()) for side in ("client", "scheduler")
        }
        self.readers = {side: FrameReader(FRAME_NBYTES_MAX) for side in self.sessions}
        self.on_the_way: deque[tuple[str, bytes]] = deque()

    def ask(self, make: Any) -> Any:
        """Ask, and let all travel until there is an answer."""
        request = self.client.ask(make, lambda: None)
        while request.reply is None:
            self.flush()
            assert self.on_the_way
            self.carry()
        return request.reply

    def flush(self) -> None:
        for frame in self.client.take_frames(FRAME_NBYTES_MAX):
            self.send("client", encode(frame))
        for _, frames in self.scheduler.turn(0.0):
            for frame in frames:
                self.send("scheduler", encode(frame))

    def send(self, side: str, payload: bytes) -> None:
        self.put(side, b"".join(self.sessions[side].send(payload)))

    def put(self, side: str, frame: bytes) -> None:
        self.on_the_way.append((side, frame))

    def carry(self) -> None:
        side, data = self.on_the_way.popleft()
        self.frames_count += 1
        if self.frames_count in self.lost:
            self.cut()
            return
        other = "scheduler" if side == "client" else "client"
        for frame in self.readers[other].feed(data):
            payload = self.sessions[other].receive(frame)
            if payload is None:
                continue
            if other == "scheduler":
                heard = decoder_for(Role.CLIENT, Role.SCHEDULER).decode(payload)
                assert self.scheduler.receive(ID, heard, 0.0) is None
                check(self.scheduler.coordination)
            else:
                for message in decoder_for(Role.SCHEDULER, Role.CLIENT).decode(payload):
                    self.client.receive(message)
                check_client(self.client)

    def cut(self) -> None:
        self.on_the_way.clear()
        self.readers = {side: FrameReader(FRAME_NBYTES_MAX) for side in self.sessions}
        client, scheduler = self.sessions["client"], self.sessions["scheduler"]
        seen = {"client": scheduler.seen, "scheduler": client.seen}
        for side, session in self.sessions.items():
            session.resume(seen[side])
            for frame in session.frames_after(seen[side]):
                self.put(side, b"".join(frame))


def history(lost: set[int]) -> tuple[list[Any], int]:
    """Return what comes of a few requests, and how many frames they took."""
    wire = Wire(lost)
    out: list[Any] = []
    for turn in range(3):
        granted = wire.ask(lambda number: AcquireLocks(number, ["l"], 1))
        assert isinstance(granted, GrantGiven)
        out.append(granted.token)
        data = b"%d" % turn
        done = wire.ask(lambda number, data=data: PutItem(number, "q", data))
        assert isinstance(done, RequestDone)
        out.append(done.number)
        token = granted.token
        assert isinstance(
            wire.ask(lambda number, token=token: ReleaseGrant(number, token)), RequestDone
        )
    for _ in range(2):
        given = wire.ask(lambda number: TakeItems(number, "q", 1, 1))
        assert isinstance(given, ItemsGiven)
        out.append(given.values)
        wire.client.post(ItemsReceived(given.request, True))
    out.append(wire.ask(lambda number: LookAt(number, Primitive.QUEUE, "q")).numbers[0])
    return out, wire.frames_count


def test_a_connection_that_is_cut_at_any_message_changes_nothing():
    expected, frames_count = history(set())
    assert expected == [1, 1, 2, 2, 3, 3, [b"0"], [b"1"], 1]
    assert frames_count == 24
    for number in range(1, frames_count + 1):
        assert history({number})[0] == expected
        assert history({number, number + 1, number + 3})[0] == expected


@pytest.mark.parametrize("first", [0, 10])
def test_runs_in_which_clients_share_locks_and_queues(first):
    told = 0
    for seed in range(first, first + 10):
        swarm = draw_swarm(seed)
        faults = replace(swarm.faults, coordination=True, cuts=True, client_crashes=seed % 2 == 0)
        report = simulate(seed, swarm=replace(swarm, faults=faults, clients_count=3))
        assert report.finding is None, report.describe()
        told += sum("GrantGiven" in line for line in report.trace)
    assert told > 20


def test_users_share_nothing_where_that_is_switched_off():
    report = simulate(5, swarm=replace(draw_swarm(5), faults=Faults()))
    assert not any("AcquireLocks" in line for line in report.trace)
