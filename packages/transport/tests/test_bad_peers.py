"""Whoever sends what it should not loses its connection and costs one line in the log, no more."""

from __future__ import annotations

import asyncio
import logging
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.core.errors import ConnectFailed, HandshakeRefused
from hocket.core.settings import Settings
from hocket.protocol import handshake
from hocket.protocol.codec import decoder_for
from hocket.protocol.framing import FrameKind, encode_header
from hocket.protocol.messages import ReleaseKeys, SubmitTasks
from hocket.protocol.roles import Role
from hocket.protocol.versions import OUR_VERSIONS
from hocket.transport import Channel, PeerInfo
from hocket.transport import listener as listener_module

HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def see_that_others_are_not_disturbed(bench, house, channel):
    assert not channel.closed
    assert house.recorder.interruptions == 0
    await bench.works(house)


@pytest.mark.parametrize(
    "data",
    [
        HTTP,
        b"\0",
        b"\xff" * 100_000,
        b"HOCKET" + b"\xff" * 200,
        encode_header(FrameKind.MESSAGES, 1, 0, 1 << 60),
        bytes(range(256)) * 1000,
    ],
    ids=["http", "zero", "ones", "half right", "a frame", "much"],
)
def test_garbage_in_place_of_a_greeting(with_bench, warnings_logged, data):
    async def test(bench):
        house = await bench.house()
        channel, _ = await house.connect()
        peer = await bench.raw(house.address)
        peer.send(data)
        answer = await peer.read_to_end()
        # A stranger that does not speak hocket at all gets no answer.
        assert answer == b"" or data.startswith(b"HOCKET")
        (line,) = warnings_logged()
        assert "refused a connection from tcp://127.0.0.1:" in line
        await see_that_others_are_not_disturbed(bench, house, channel)

    with_bench(test)


@pytest.mark.parametrize("sent", [b"", b"HOCKET", b"HOCKET\0\1\1\1" + bytes(38)])
def test_a_connection_that_says_nothing_more(with_bench, warnings_logged, sent):
    async def test(bench):
        house = await bench.house(transport__handshake_timeout_s=0.05)
        peer = await bench.raw(house.address)
        peer.send(sent)
        await peer.read_to_end()
        (line,) = warnings_logged()
        assert "the handshake was not done within 0.05 s" in line
        await bench.works(house)

    with_bench(test)


def test_a_connection_that_says_one_byte_at_a_time_has_no_more_time(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house(transport__handshake_timeout_s=0.05)
        peer = await bench.raw(house.address)
        reading = asyncio.ensure_future(peer.read_to_end())
        greeting = b"HOCKET\0\1\1\1" + bytes(38)
        for byte in greeting[:-1]:
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        await reading
        assert "not done within 0.05 s" in warnings_logged()[0]
        assert len(warnings_logged()) == 1

    with_bench(test)


def test_an_authenticated_peer_that_never_says_hello(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house(transport__handshake_timeout_s=0.05)
        peer = await bench.raw(house.address)
        machine = handshake.HandshakeConnector(
            house.address, "s", bytes(32), handshake.Plane.CONTROL
        )
        peer.send(machine.begin())
        while not machine.done:
            peer.send(machine.feed(await peer.reader.read(1000)))
        assert await peer.read_to_end() == b""
        (line,) = warnings_logged()
        assert "not done within" in line

    with_bench(test)


def test_a_connection_that_is_closed_early(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        peer = await bench.raw(house.address)
        peer.send(b"HOCK")
        await peer.close()
        await bench.works(house)
        (line,) = warnings_logged()
        assert "closed during the handshake" in line

    with_bench(test)


def test_too_many_strangers_are_turned_away_with_one_line(with_bench, warnings_logged, monkeypatch):
    monkeypatch.setattr(listener_module, "OPENINGS_MAX", 3)

    async def test(bench):
        house = await bench.house()
        channel, _ = await house.connect()
        waiting = []
        for _ in range(3):
            peer = await bench.raw(house.address)
            peer.send(b"HOCK")
            waiting.append(peer)
        await bench.until(lambda: len(house.listener._openings) == 3)
        for _ in range(5):
            turned_away = await bench.raw(house.address)
            assert await turned_away.read_to_end() == b""
        (line,) = warnings_logged()
        assert "more are turned away" in line
        assert not channel.closed
        with pytest.raises(ConnectFailed):
            await house.connect(connect_timeout_s=0.05)
        for peer in waiting:
            await peer.close()
        await bench.works(house)

    with_bench(test)


def message_frame(payload: bytes, sequence: int = 1, acknowledged: int = 0) -> bytes:
    return encode_header(FrameKind.MESSAGES, sequence, acknowledged, len(payload)) + payload


FITTING = msgspec.msgpack.encode([ReleaseKeys(["k"])])
UNEVEN = SubmitTasks([b"d" * 16], [], [None], ["k"], [], [b"p"], [], [])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encode_header(FrameKind.MESSAGES, 1, 0, 1 << 60), "over the limit"),
        (encode_header(FrameKind.MESSAGES, 1, 0, (1 << 28) + 1), "over the limit"),
        (HTTP, "begins with b'GET '"),
        (bytes(64), "begins with"),
        (struct.pack("!4sBBHQQQ", b"HKT\1", 77, 0, 0, 1, 0, 0), "no frames of kind 77"),
        (struct.pack("!4sBBHQQQ", b"HKT\1", 1, 8, 0, 1, 0, 0), "unknown flags"),
        (encode_header(FrameKind.HELLO, 0, 0, 0), "within a session"),
        (encode_header(FrameKind.DATA, 0, 0, 0), "within a session"),
        (message_frame(FITTING, sequence=3), "frame 3 came where 1"),
        (message_frame(FITTING, acknowledged=9), "acknowledges frame 9"),
        (message_frame(b"\xc1"), "cannot be decoded"),
        (message_frame(b"\x91\x91\x63"), "none that may come here"),
        (message_frame(b"\x91" * 100_000), "none that may come here"),
        (message_frame(msgspec.msgpack.encode([[2, [5]]])), "ReleaseKeys.keys does not fit"),
        (message_frame(msgspec.msgpack.encode([UNEVEN])), "SubmitTasks.labels does not fit"),
    ],
)
def test_an_authenticated_peer_that_breaks_the_protocol(with_bench, warnings_logged, data, said):
    async def test(bench):
        house = await bench.house()
        channel, _ = await house.connect()
        peer = await bench.raw(house.address, secret="s")
        peer.send(data)
        # It is told why.
        *_, last = await peer.frames_to_end()
        assert last.kind == FrameKind.BREAK
        assert said in last.payload.decode()
        await house.recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = house.recorder.closed
        assert not clean
        assert said in reason
        (line,) = warnings_logged()
        assert said in line
        assert "client 'raw'" in line
        assert house.recorder.messages == []
        await see_that_others_are_not_disturbed(bench, house, channel)

    with_bench(test)


def test_what_fitted_before_is_delivered(with_bench):
    async def test(bench):
        house = await bench.house()
        peer = await bench.raw(house.address, secret="s")
        peer.send(message_frame(FITTING) + message_frame(b"\xc1", sequence=2))
        await house.recorder.until(lambda notes: notes.closed)
        assert house.recorder.messages == [ReleaseKeys(["k"])]

    with_bench(test)


def test_a_name_cannot_write_lines_into_the_log(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        peer = await bench.raw(house.address, secret="s", name="x\nERROR root: all is lost")
        peer.send(b"nonsense" * 10)
        await peer.read_to_end()
        (line,) = warnings_logged()
        assert "\n" not in line

    with_bench(test)


def test_a_process_of_another_version_is_refused_with_both_versions(
    with_bench, warnings_logged, monkeypatch
):
    async def test(bench):
        house = await bench.house()
        # Only the connecting side has the other version: ours is taken before the await.
        real = handshake.HandshakeAcceptor.__init__

        def of_version_1(self, *args):
            with monkeypatch.context() as other:
                other.setattr(handshake, "PROTOCOL_VERSION", 1)
                real(self, *args)

        check = handshake.HandshakeAcceptor._check_greeting

        def check_as_version_1(self, greeting):
            with monkeypatch.context() as other:
                if isinstance(self, handshake.HandshakeAcceptor):
                    other.setattr(handshake, "PROTOCOL_VERSION", 1)
                check(self, greeting)

        monkeypatch.setattr(handshake, "PROTOCOL_VERSION", 2)
        monkeypatch.setattr(handshake.HandshakeAcceptor, "__init__", of_version_1)
        monkeypatch.setattr(handshake.HandshakeAcceptor, "_check_greeting", check_as_version_1)
        with pytest.raises(HandshakeRefused) as caught:
            await house.connect()
        assert "speaks version 1 of the protocol and we speak 2" in caught.value.reason
        (line,) = warnings_logged()
        assert "speaks version 2 of the protocol and we speak 1" in line

    with_bench(test)


class Sink(asyncio.Transport):
    """A transport that only notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = False

    def write(self, data):
        self.written += data

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.closing = True

    def abort(self):
        self.closing = True

    def close(self):
        self.closing = True

    def is_closing(self):
        return self.closing

    def is_reading(self):
        return True

    def set_protocol(self, protocol):
        self.protocol = protocol

    def set_write_buffer_limits(self, high=None, low=None):
        pass


class NoKeeper:
    finished = 0

    def channel_interrupted(self, channel):
        raise AssertionError

    def channel_finished(self, channel):
        self.finished += 1


@settings(max_examples=200)
@given(st.integers(1, 6), st.data())
def test_whatever_comes_nothing_is_raised_and_what_was_right_is_delivered(count, data):
    frames = [message_frame(FITTING, sequence) for sequence in range(1, count + 1)]
    stream = bytearray(b"".join(frames))
    damaged = data.draw(st.integers(0, len(stream) - 1), "place of the damage")
    stream[damaged : damaged + 1] = data.draw(st.binary(max_size=40), "damage")
    cut = data.draw(st.integers(0, len(stream)), "cut")

    async def main():
        delivered, closed, keeper = [], [], NoKeeper()
        channel = Channel(
            PeerInfo(Role.CLIENT, "c", b"r" * 16, "tcp://c:1", OUR_VERSIONS),
            same_host=True,
            decoder=decoder_for(Role.CLIENT, Role.SCHEDULER),
            settings=Settings(),
            keeper=keeper,
        )
        channel.on_messages = lambda channel, messages: delivered.extend(messages)
        channel.on_closed = lambda channel, reason, clean: closed.append(clean)
        transport = Sink()
        channel.attach(transport, 0)
        for piece in (stream[:cut], stream[cut:]):
            transport.protocol.data_received(bytes(piece))
        whole = damaged // len(frames[0])
        assert delivered[:whole] == [ReleaseKeys(["k"])] * whole
        assert channel.closed == transport.closing == (keeper.finished == 1) == (len(closed) == 1)
        channel.close()

    logging.disable()
    try:
        asyncio.run(main())
    finally:
        logging.disable(logging.NOTSET)
