"""Whoever sends what it should not to a data server, or to a pool, is dropped; others go on."""

from __future__ import annotations

import asyncio

import pytest

from hocket.core.errors import LimitExceeded
from hocket.protocol.codec import encode
from hocket.protocol.framing import FrameKind, FrameReader, encode_header
from hocket.protocol.handshake import HandshakeConnector, Plane
from hocket.protocol.messages import DataReply, DataStored, FetchData, PutData
from hocket.transport import data


async def stranger(address):
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def read_to_end(reader):
    data = b""
    try:
        while piece := await reader.read(1 << 16):
            data += piece
    except ConnectionResetError:
        pass
    return data


async def authenticated(address):
    reader, writer = await stranger(address)
    machine = HandshakeConnector(address, "s", bytes(32), Plane.DATA)
    writer.write(machine.begin())
    while not machine.done:
        writer.write(machine.feed(await reader.read(1000)))
    return reader, writer


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, b"HOCKET" + b"\xff" * 200]
)
def test_garbage_in_place_of_a_greeting(with_bench, warnings_logged, sent):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            reader, writer = await stranger(plane.server.address)
            writer.write(sent)
            await read_to_end(reader)
            writer.close()
            (line,) = warnings_logged()
            assert "refused a data connection" in line
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


def test_a_stranger_that_says_nothing_has_little_time(with_bench, warnings_logged):
    async def test(bench):
        limit = {"transport__handshake_timeout_s": 0.05}
        async with bench.data_plane("tcp", {"k": [b"v"]}, **limit) as plane:
            reader, writer = await stranger(plane.server.address)
            writer.write(b"HOCKET")
            await read_to_end(reader)
            writer.close()
            (line,) = warnings_logged()
            assert "not done within 0.05 s" in line

    with_bench(test)


def test_too_many_strangers_are_turned_away(with_bench, warnings_logged, monkeypatch):
    monkeypatch.setattr(data, "_OPENINGS_MAX", 2)

    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            waiting = [await stranger(plane.server.address) for _ in range(2)]
            await bench.until(lambda: plane.server._openings == 2)
            for _ in range(3):
                reader, writer = await stranger(plane.server.address)
                assert await read_to_end(reader) == b""
                writer.close()
            assert len(warnings_logged()) == 1
            for _, writer in waiting:
                writer.close()
            await bench.until(lambda: not plane.server._openings)
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


def frame(payload: bytes, kind=FrameKind.DATA) -> bytes:
    return encode_header(kind, 0, 0, len(payload)) + payload


def test_a_peer_that_sends_more_than_is_asked_has_to_wait(with_bench):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v" * 1000]}) as plane:
            reader, writer = await authenticated(plane.server.address)
            request = frame(encode([FetchData(["k"])]))
            plane.store.gate.clear()
            # Far more than the scratch buffer holds comes while the first is being answered.
            writer.write(request * 20_000)
            await bench.until(lambda: plane.store.requests)
            plane.store.gate.set()
            reply = frame(encode([DataReply([[1000]], [1], [""])])) + b"v" * 1000
            for _ in range(20_000):
                assert await reader.readexactly(len(reply)) == reply
            assert len(plane.store.requests) == 20_000
            writer.close()

    with_bench(test)


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * 64,
        encode_header(FrameKind.DATA, 0, 0, 1 << 60),
        frame(b"", FrameKind.MESSAGES),
        frame(b"", FrameKind.DATA_FAILURE),
        frame(b"\xc1"),
        frame(b"\x90"),
        frame(encode([DataStored([1])]) + b"x"),
        frame(encode([FetchData(["k"]), FetchData(["k"])])),
        frame(encode([PutData(["k"], [[1 << 60]])])),
        frame(encode([PutData(["k"], [[1 << 62] * 1000])])),
        frame(encode([PutData(["k"], [[-1]])])),
        frame(encode([PutData(["k"], [])])),
    ],
)
def test_an_authenticated_peer_that_breaks_the_protocol_is_dropped(
    with_bench, warnings_logged, sent
):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            reader, writer = await authenticated(plane.server.address)
            writer.write(sent)
            assert await read_to_end(reader) == b""
            writer.close()
            (line,) = warnings_logged()
            assert "dropped a data connection from tcp://127.0.0.1:" in line
            assert (await plane.fetch("k"))[1] == [b"v"]
            assert plane.store.requests == [FetchData(["k"])]

    with_bench(test)


def test_a_peer_that_leaves_in_the_middle_is_no_event(with_bench, warnings_logged):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            for sent in (b"", frame(b"abc")[:20], frame(encode([PutData(["k"], [[1000]])]))):
                _, writer = await authenticated(plane.server.address)
                writer.write(sent)
                writer.close()
                await writer.wait_closed()
            await bench.until(lambda: not plane.server._serving)
            assert (await plane.fetch("k"))[1] == [b"v"]
            assert warnings_logged() == []

    with_bench(test)


def test_a_request_may_come_in_any_pieces(with_bench):
    async def test(bench):
        async with bench.data_plane("tcp", {}) as plane:
            reader, writer = await authenticated(plane.server.address)
            writer.transport.set_write_buffer_limits(0)
            request = frame(encode([PutData(["a", "b"], [[3, 0], [2]])])) + b"abcde"
            for byte in request:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
            frames = []
            replies = FrameReader(1000)
            while not frames:
                frames = replies.feed(await reader.read(1000))
            assert frames[0].payload == encode([DataStored([3, 2])])
            assert plane.store.values == {"a": [b"abc", b""], "b": [b"de"]}
            writer.close()

    with_bench(test)


def test_a_server_that_announces_too_much_is_refused(with_bench):
    async def test(bench):
        async with bench.data_plane("tcp", {}) as plane:
            reply = frame(encode([DataReply([[1 << 60]], [1], [""])]))

            async def answer(stream):
                await stream.receive(1000)
                await stream.write(memoryview(reply))
                return False

            plane.server._answer = answer
            with pytest.raises(LimitExceeded):
                await plane.fetch("k")

    with_bench(test)
