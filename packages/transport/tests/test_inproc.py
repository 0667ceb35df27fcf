"""Connections within the process: like sockets, also between event loops of two threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hocket.protocol.messages import ReleaseKeys, WaitForWorkers, WorkersReady
from hocket.protocol.roles import Role
from hocket.transport import LoopThread, connect, inproc, listen
from hocket.transport.inproc import bind_name, connect_name, release_name


class Notes(asyncio.Protocol):
    def __init__(self) -> None:
        self.heard: list[bytes | str] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard.append(data)

    def eof_received(self):
        self.heard.append("eof")

    def connection_lost(self, error):
        self.heard.append("lost")
        self.ended.set_result(None)


def pair(test):
    """Run a test with two connected protocols."""

    async def main():
        loop = asyncio.get_running_loop()
        accepted = []

        def accept():
            accepted.append(Notes())
            return accepted[-1]

        bind_name("x", loop, accept)
        ours = Notes()
        connect_name("x", ours)
        await asyncio.sleep(0)
        release_name("x")
        await test(ours, accepted[0])

    asyncio.run(main())


def test_bytes_and_the_end_arrive_in_order():
    async def test(ours, theirs):
        ours.transport.write(b"a")
        ours.transport.write(bytearray(b"b"))
        ours.transport.close()
        ours.transport.write(b"too late")
        await theirs.ended
        await ours.ended
        assert theirs.heard == [b"a", b"b", "eof", "lost"]
        assert ours.heard == ["lost"]
        assert theirs.transport.is_closing()

    pair(test)


def test_the_sender_may_change_its_buffer_afterwards():
    async def test(ours, theirs):
        buffer = bytearray(b"a")
        ours.transport.write(buffer)
        buffer[:] = b"b"
        ours.transport.close()
        await theirs.ended
        assert theirs.heard[0] == b"a"

    pair(test)


def test_after_the_end_of_one_direction_the_other_goes_on():
    async def test(ours, theirs):
        theirs.transport.write(b"first")
        ours.transport.write_eof()
        await ours.ended
        assert ours.heard == [b"first", "eof", "lost"]
        assert theirs.heard == ["eof", "lost"]

    pair(test)


def test_reading_can_be_paused():
    async def test(ours, theirs):
        theirs.transport.pause_reading()
        assert not theirs.transport.is_reading()
        ours.transport.write(b"a")
        for _ in range(5):
            await asyncio.sleep(0)
        assert theirs.heard == []
        theirs.transport.resume_reading()
        ours.transport.close()
        await theirs.ended
        assert theirs.heard[0] == b"a"

    pair(test)


def test_a_protocol_can_take_over():
    async def test(ours, theirs):
        heir = Notes()
        theirs.transport.set_protocol(heir)
        ours.transport.write(b"a")
        ours.transport.abort()
        await heir.ended
        assert theirs.transport.get_protocol() is heir
        assert (theirs.heard, heir.heard) == ([], [b"a", "eof", "lost"])

    pair(test)


def test_two_loops_in_two_threads(with_bench):
    thread = LoopThread("other")
    heard: list[object] = []
    threads: set[threading.Thread] = set()

    def on_channel(channel):
        def answer(channel, messages):
            threads.add(threading.current_thread())
            channel.send([WorkersReady(messages[0].request, 1)])

        channel.on_messages = answer
        channel.on_closed = lambda channel, reason, clean: heard.append((reason, clean))

    async def test(bench):
        settings = bench.settings()
        listener = thread.run(
            listen(
                "inproc://other",
                role=Role.SCHEDULER,
                name="s",
                secret="",
                settings=settings,
                on_channel=on_channel,
                cluster_id="fake",
            )
        )
        got = []
        done = asyncio.Event()

        def on_messages(channel, messages):
            assert threading.current_thread() is threading.main_thread()
            got.extend(messages)
            if len(got) == 200:
                done.set()

        channel = await connect(
            listener.address,
            role=Role.CLIENT,
            name="c",
            secret="",
            settings=settings,
            on_messages=on_messages,
            on_closed=lambda *args: None,
        )
        for number in range(200):
            channel.send([WaitForWorkers(number, 1)])
        await done.wait()
        assert got == [WorkersReady(number, 1) for number in range(200)]
        channel.close("bye")
        await channel.wait_closed()
        thread.run(listener.close())

    with_bench(test)
    thread.close()
    assert heard == [("bye", True)]
    assert [each.name for each in threads] == ["other"]


def test_a_loop_that_is_gone_is_a_lost_connection(with_bench):
    async def test(bench):
        house = await bench.house(session__local_grace_s=0)
        thread = LoopThread("short-lived")
        listener = thread.run(
            listen(
                "inproc://gone",
                role=Role.SCHEDULER,
                name="s",
                secret="s",
                settings=house.settings,
                on_channel=lambda channel: None,
                cluster_id="fake",
            )
        )
        channel, recorder = await house.connect(address=listener.address)
        thread.close()
        channel.send([ReleaseKeys(["k"])])
        await recorder.until(lambda notes: notes.closed)
        assert recorder.closed[0][1] is False
        release_name("gone")

    with_bench(test)


def test_nobody_listens():
    async def main():
        with pytest.raises(ConnectionRefusedError):
            connect_name("nobody", Notes())

    asyncio.run(main())
    assert inproc._acceptors == {}
