"""A session survives its connections: nothing is lost, nothing comes twice, the order holds."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys

import pytest

from hocket.protocol.framing import FrameKind, FrameReader, encode_header
from hocket.protocol.hello import Refusal
from hocket.protocol.messages import ReleaseKeys, WaitForWorkers, WorkersReady
from hocket.protocol.roles import Role
from hocket.transport import Channel

SCHEMES = ["tcp", "tls", "unix", "inproc"]


def cut(channel: Channel) -> None:
    channel._wire.transport.abort()


def count_up(start: int, end: int) -> list[ReleaseKeys]:
    return [ReleaseKeys([str(number)]) for number in range(start, end)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("side", ["connecting", "listening"])
def test_a_cut_connection_is_made_again(with_bench, scheme, side):
    async def test(bench):
        house = await bench.house(scheme, session__local_grace_s=20)
        channel, recorder = await house.connect()
        theirs = house.channels[0]
        channel.send([WaitForWorkers(1, 0)])
        await recorder.until(lambda notes: notes.messages)
        cut(channel if side == "connecting" else theirs)
        await recorder.until(lambda notes: notes.interruptions)
        assert not channel.connected
        # What is said meanwhile is not lost.
        channel.send([WaitForWorkers(2, 0)])
        theirs.send([WorkersReady(7, 7)])
        await recorder.until(lambda notes: len(notes.messages) == 3)
        await house.recorder.until(lambda notes: notes.resumptions)
        assert recorder.messages[0] == WorkersReady(1, 0)
        assert {message.request for message in recorder.messages[1:]} == {2, 7}
        assert house.channels == [theirs]
        assert channel.connected
        assert theirs.connected
        assert (recorder.interruptions, recorder.resumptions) == (1, 1)
        assert recorder.closed == house.recorder.closed == []

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cuts_under_traffic_lose_and_double_nothing(with_bench, scheme):
    async def test(bench):
        house = await bench.house(
            scheme, session__local_grace_s=20, session__ack_frames=5, session__ack_nbytes=2000
        )
        channel, recorder = await house.connect()
        theirs = house.channels[0]
        chance = random.Random(scheme)
        ours, answers = count_up(0, 3000), [WorkersReady(number, 0) for number in range(3000)]
        for number in range(3000):
            channel.send(ours[number : number + 1])
            theirs.send(answers[number : number + 1])
            if chance.random() < 0.02:
                for each in (channel, theirs):
                    if each.connected and chance.random() < 0.7:
                        cut(each)
            if chance.random() < 0.1:
                await asyncio.sleep(0)
        await house.recorder.until(lambda notes: len(notes.messages) >= len(ours))
        await recorder.until(lambda notes: len(notes.messages) >= len(answers))
        assert house.recorder.messages == ours
        assert recorder.messages == answers
        assert recorder.interruptions >= 5
        assert recorder.closed == house.recorder.closed == []

    with_bench(test)


class Cutter:
    """Stands between the two ends and cuts each connection after some number of bytes."""

    def __init__(self, port: int, lengths: list[int]) -> None:
        self._port = port
        self._lengths = lengths
        self._far: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self) -> str:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self._server.close()
        await asyncio.gather(*self._far)

    def _accept(self) -> asyncio.Protocol:
        self.connections += 1
        left = [self._lengths.pop(0) if self._lengths else 1 << 60]
        near, far = CutterEnd(left), CutterEnd(left)
        near.other, far.other = far, near
        task = asyncio.ensure_future(self._reach(near, far))
        self._far.add(task)
        return near

    async def _reach(self, near: CutterEnd, far: CutterEnd) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: far, "127.0.0.1", self._port)
        except ConnectionError:
            near.transport.abort()


class CutterEnd(asyncio.Protocol):
    """One of the two connections; both share how many bytes they may still carry."""

    other: CutterEnd
    transport: asyncio.Transport | None = None

    def __init__(self, left: list[int]) -> None:
        self._left = left
        self._early = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        if self.other.transport is None:
            return
        if self.other.transport.is_closing():
            transport.abort()
        self._carry(self.other._early)

    def data_received(self, data: bytes) -> None:
        if self.other.transport is None:
            self._early += data
        else:
            self.other._carry(data)

    def _carry(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data[: self._left[0]])
        self._left[0] -= len(data)
        if self._left[0] <= 0:
            self.transport.abort()
            self.other.transport.abort()

    def connection_lost(self, error) -> None:
        if self.other.transport is not None:
            self.other.transport.abort()


@pytest.mark.parametrize("seed", range(5))
def test_cuts_after_any_byte_lose_and_double_nothing(with_bench, seed):
    async def test(bench):
        chance = random.Random(seed)
        house = await bench.house(
            session__local_grace_s=20, session__ack_frames=5, session__ack_nbytes=2000
        )
        port = int(house.address.rpartition(":")[2])
        # The first connection has to open; of the others some are cut while they do.
        lengths = [chance.randrange(500, 3000) for _ in range(20)]
        lengths[1:1] = [chance.randrange(1, 700) for _ in range(10)]
        cutter = Cutter(port, lengths)
        address = await cutter.start()
        channel, recorder = await house.connect(address=address)
        theirs = house.channels[0]
        ours, answers = count_up(0, 500), [WorkersReady(number, 0) for number in range(500)]
        for number in range(500):
            channel.send(ours[number : number + 1])
            theirs.send(answers[number : number + 1])
            if number % 10 == 0:
                await asyncio.sleep(0)
        await house.recorder.until(lambda notes: len(notes.messages) >= len(ours))
        await recorder.until(lambda notes: len(notes.messages) >= len(answers))
        assert house.recorder.messages == ours
        assert recorder.messages == answers
        assert len(house.channels) == 1
        assert cutter.connections > 3
        channel.close()
        await channel.wait_closed()
        await house.recorder.until(lambda notes: notes.closed)
        await cutter.close()

    with_bench(test)


def test_both_ends_learn_when_the_grace_time_is_over(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=0.05)
        channel, recorder = await house.connect()
        theirs = house.channels[0]
        # Nobody can connect again.
        house.listener._server.close()
        cut(channel)
        await recorder.until(lambda notes: notes.closed)
        await house.recorder.until(lambda notes: notes.closed)
        for notes in (recorder, house.recorder):
            ((reason, clean),) = notes.closed
            assert not clean
            assert "did not come back in 0.05 s" in reason
        assert channel.closed
        assert theirs.closed
        assert house.listener.channels == []

    with_bench(test)


def test_without_grace_a_cut_is_the_end(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=0)
        channel, recorder = await house.connect()
        cut(channel)
        await recorder.until(lambda notes: notes.closed)
        await house.recorder.until(lambda notes: notes.closed)
        assert recorder.interruptions == house.recorder.interruptions == 0

    with_bench(test)


def test_a_listener_that_was_started_anew_does_not_know_the_session(with_bench):
    async def test(bench):
        house = await bench.house("unix", session__local_grace_s=20)
        channel, recorder = await house.connect()
        # As if the process had died: its listener and its sessions are gone without a word.
        house.listener._server.close()
        theirs = house.channels[0]
        house.listener._channels.clear()
        again = await bench.house("unix", session__local_grace_s=20)
        cut(theirs)
        await recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = recorder.closed
        assert not clean
        assert "not known" in reason
        assert again.channels == []
        assert channel.closed
        theirs.close()

    with_bench(test)


def test_a_channel_that_is_closed_while_it_is_cut_does_not_come_back(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=0.1)
        channel, recorder = await house.connect()
        cut(channel)
        await recorder.until(lambda notes: notes.interruptions)
        channel.close()
        await house.recorder.until(lambda notes: notes.closed)
        assert house.recorder.closed[0][1] is False
        assert recorder.closed == []

    with_bench(test)


def frames(*pieces: bytes):
    return FrameReader(1 << 20).feed(b"".join(pieces))


def test_a_newer_connection_takes_the_place_of_one_that_seems_to_live(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        first = await bench.raw(house.address, secret="s")
        (channel,) = house.channels
        channel.send([WorkersReady(1, 0)])
        channel.send([WorkersReady(2, 0)])
        # The peer has got the first frame only, and its side of the connection is gone.
        second = await bench.raw(house.address, secret="s", resumes=True, seen=1)
        assert second.welcome.seen == 0
        await first.read_to_end()
        channel.send([WorkersReady(3, 0)])
        channel.close("bye")
        got = await second.frames_to_end()
        assert [(frame.kind, frame.sequence) for frame in got] == [
            (FrameKind.MESSAGES, 2),
            (FrameKind.MESSAGES, 3),
            (FrameKind.GOODBYE, 0),
        ]
        assert house.channels == [channel]
        assert (house.recorder.interruptions, house.recorder.resumptions) == (0, 0)
        assert house.recorder.closed == []

    with_bench(test)


def test_what_still_comes_on_the_old_connection_does_not_count(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        first = await bench.raw(house.address, secret="s")
        second = await bench.raw(house.address, secret="s", resumes=True)
        payload = b"\x91\x92\x02\x91\xa1"
        header = encode_header(FrameKind.MESSAGES, 1, 0, len(payload) + 1)
        with contextlib.suppress(ConnectionError):
            first.send(header, payload + b"a")
        second.send(header, payload + b"b")
        await house.recorder.until(lambda notes: notes.messages)
        assert house.recorder.messages == [ReleaseKeys(["b"])]

    with_bench(test)


@pytest.mark.parametrize(
    ("hello", "refusal"),
    [
        ({"name": "thief"}, Refusal.UNFIT),
        ({"role": Role.WORKER}, Refusal.UNFIT),
        ({"seen": 5}, Refusal.UNFIT),
        ({"session_id": b"x" * 16}, Refusal.UNKNOWN_SESSION),
    ],
)
def test_a_session_is_only_resumed_by_its_own_peer(with_bench, warnings_logged, hello, refusal):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        peer = await bench.raw(house.address, secret="s")
        other = await bench.raw(house.address, secret="s", **({"resumes": True} | hello))
        assert other.welcome.refusal is refusal
        assert other.welcome.reason
        assert await other.read_to_end() == b""
        assert len(warnings_logged()) == 1
        # The session itself goes on.
        (channel,) = house.channels
        assert channel.connected
        channel.close("bye")
        assert [frame.kind for frame in await peer.frames_to_end()] == [FrameKind.GOODBYE]

    with_bench(test)


def test_a_first_connection_that_was_lost_on_the_way_is_not_a_second_session(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        # The welcome to the first never arrived, so the second does not say that it resumes.
        await bench.raw(house.address, secret="s")
        second = await bench.raw(house.address, secret="s")
        assert second.welcome.refusal is Refusal.NONE
        assert len(house.channels) == 1

    with_bench(test)


def test_an_error_in_on_interrupted_does_not_keep_the_session_from_coming_back(
    with_bench, warnings_logged
):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)

        def fail(channel):
            raise ZeroDivisionError

        channel, recorder = await house.connect(on_interrupted=fail)
        cut(channel)
        await recorder.until(lambda notes: notes.resumptions)
        assert len(warnings_logged()) == 1

    with_bench(test)


CHILD = """
import asyncio, sys
from hocket.core.settings import Settings
from hocket.protocol.messages import ReleaseKeys
from hocket.protocol.roles import Role
from hocket.transport import connect

async def main():
    nothing = lambda *args: None
    channel = await connect(sys.argv[1], role=Role.CLIENT, name="doomed", secret="s",
        settings=Settings(), on_messages=nothing, on_closed=nothing)
    channel.send([ReleaseKeys(["alive"])])
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("scheme", ["tcp", "tls", "unix"])
def test_the_death_of_a_process_on_this_host_is_noticed(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme, session__local_grace_s=0.05, session__grace_s=1000)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, house.address)
        await house.recorder.until(lambda notes: notes.messages)
        child.kill()
        await house.recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = house.recorder.closed
        assert not clean
        assert "did not come back in 0.05 s" in reason
        await child.wait()

    with_bench(test)


def test_a_listener_that_claims_to_have_what_was_never_sent(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        channel, recorder = await house.connect()
        house.channels[0]._session.seen = 99
        cut(channel)
        await recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = recorder.closed
        assert not clean
        assert "resumes after frame 99" in reason

    with_bench(test)


def test_an_error_of_ours_while_a_session_is_resumed_ends_it(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        channel, recorder = await house.connect()

        async def fail(timeout_s):
            raise ZeroDivisionError

        channel._keeper.open = fail
        cut(channel)
        await recorder.until(lambda notes: notes.closed)
        assert recorder.closed == [("an internal error: ZeroDivisionError()", False)]
        assert len(warnings_logged()) == 1

    with_bench(test)


def test_a_connection_that_is_lost_before_it_is_used_is_made_again(with_bench):
    async def test(bench):
        def cut_at_once(channel):
            if channel.peer.name == "c":
                cut(channel)

        house = await bench.house(on_channel=cut_at_once, session__local_grace_s=20)
        channel, recorder = await house.connect()
        assert "open" in repr(channel)
        channel.send([WaitForWorkers(1, 0)])
        await recorder.until(lambda notes: notes.messages)
        assert recorder.messages == [WorkersReady(1, 0)]

    with_bench(test)


def test_a_connection_that_is_lost_while_it_is_handed_over_is_made_again(with_bench, monkeypatch):
    async def test(bench):
        house = await bench.house(session__local_grace_s=20)
        real = Channel.attach

        def attach_too_late(self, transport, peer_seen):
            monkeypatch.undo()
            transport.abort()
            real(self, transport, peer_seen)

        monkeypatch.setattr(Channel, "attach", attach_too_late)
        # The listening side attaches first, and so is the one that loses its connection.
        channel, recorder = await house.connect()
        channel.send([WaitForWorkers(1, 0)])
        await recorder.until(lambda notes: notes.messages)
        assert len(house.channels) == 1
        monkeypatch.setattr(Channel, "attach", attach_too_late)
        other, recorder = await house.connect()
        other.send([WaitForWorkers(1, 0)])
        await recorder.until(lambda notes: notes.messages)

    with_bench(test)


def test_an_error_in_on_closed_is_logged(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()

        def fail(channel, reason, clean):
            raise ZeroDivisionError

        _, recorder = await house.connect(on_closed=fail)
        house.channels[0].close()
        await bench.until(warnings_logged)
        assert "an error in on_closed" in warnings_logged()[0]
        assert recorder.messages == []

    with_bench(test)
