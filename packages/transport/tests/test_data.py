"""The data plane: values arrive as they were, failures are answered, bad peers are dropped."""

from __future__ import annotations

import array
import asyncio
import ctypes
import pickle
import random

import pytest

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    LimitExceeded,
    LocalProtocolError,
    PeerLost,
    RemoteProtocolError,
)
from hocket.protocol.codec import encode
from hocket.protocol.framing import FrameKind, FrameReader, encode_header
from hocket.protocol.handshake import HandshakeConnector, Plane
from hocket.protocol.messages import DataReply, DataStored, FetchData, PutData
from hocket.transport import DataPool, data, serve_data

SCHEMES = ["tcp", "unix", "inproc"]
SOCKETS = ["tcp", "unix"]


class Store:
    """A data server with values in memory, as a worker has one."""

    def __init__(self, values: dict[str, list[object]] | None = None) -> None:
        self.values = values or {}
        self.requests: list[object] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, message, buffers):
        self.requests.append(message)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if isinstance(message, PutData):
            rest = list(buffers)
            for key, sizes in zip(message.keys, message.sizes, strict=True):
                self.values[key] = [bytes(rest.pop(0)) for _ in sizes]
            return DataStored([sum(sizes) for sizes in message.sizes]), []
        found = [self.values.get(key) for key in message.keys]
        reply = DataReply(
            sizes=[
                None if value is None else [memoryview(each).nbytes for each in value]
                for value in found
            ],
            attempts=[-1 if value is None else 1 for value in found],
            errors=["gone" if value is None else "" for value in found],
        )
        return reply, [each for value in found if value is not None for each in value]


class Plane2:
    """A server and a pool, and their end."""

    def __init__(self, bench, scheme, store, secret="s", **settings):
        self._bench = bench
        self._scheme = scheme
        self.store = store
        self._secret = secret
        self._settings = bench.settings(**settings)

    async def __aenter__(self):
        self.server = await serve_data(
            self._bench.address(self._scheme),
            secret="s",
            settings=self._settings,
            handler=self.store.answer,
        )
        self.pool = DataPool(self._secret, self._settings)
        return self

    async def __aexit__(self, *error):
        self.pool.close()
        await self.server.close()

    async def fetch(self, *keys):
        return await self.pool.request(self.server.address, FetchData(list(keys)))

    async def put(self, *values):
        message = PutData(
            [f"k{number}" for number in range(len(values))],
            [[memoryview(each).nbytes for each in value] for value in values],
        )
        buffers = [each for value in values for each in value]
        return await self.pool.request(self.server.address, message, buffers)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_are_fetched_with_what_is_not_there(with_bench, scheme):
    async def test(bench):
        store = Store({"a": [b"pickle", b"", b"x" * 1000], "b": [b"p"]})
        async with Plane2(bench, scheme, store) as plane:
            reply, buffers = await plane.fetch("a", "gone", "b")
        assert reply == DataReply([[6, 0, 1000], None, [1]], [1, -1, 1], ["", "gone", ""])
        assert [bytes(buffer) for buffer in buffers] == [b"pickle", b"", b"x" * 1000, b"p"]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_are_put(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store()) as plane:
            reply, buffers = await plane.put([b"p", b"q" * 70_000], [b"r"], [])
        assert reply == DataStored([70_001, 1, 0])
        assert buffers == []
        assert plane.store.values == {"k0": [b"p", b"q" * 70_000], "k1": [b"r"], "k2": []}

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_buffers_of_all_sizes_arrive_both_ways(with_bench, scheme):
    async def test(bench):
        chance = random.Random(1)
        edge = 64 * 1024
        sizes = [0, 1, 63, 64, 65, edge - 1, edge, edge + 1, 3 * edge + 17, 9_000_001]
        sizes += [chance.randrange(200) for _ in range(2000)]
        chance.shuffle(sizes)
        buffers = [chance.randbytes(size) for size in sizes]
        async with Plane2(bench, scheme, Store({"k": buffers})) as plane:
            for _ in range(2):
                _, received = await plane.fetch("k")
                assert [bytes(buffer) for buffer in received] == buffers
            await plane.put(buffers)
            assert plane.store.values["k0"] == buffers

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_received_buffers_are_aligned_and_writable(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"a" * 3, b"b" * 100, b"c"]})) as plane:
            _, buffers = await plane.fetch("k")
        for buffer in buffers:
            assert ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % 64 == 0
            buffer[:1] = b"z"

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_buffer_is_sent_as_it_lies(with_bench, scheme):
    async def test(bench):
        numbers = array.array("d", [1.0, 2.0])
        table = memoryview(bytes(range(12))).cast("B", (3, 4))
        given = [numbers, table, pickle.PickleBuffer(b"abc"), bytearray(b"d")]
        async with Plane2(bench, scheme, Store({"k": given})) as plane:
            _, buffers = await plane.fetch("k")
            assert [bytes(buffer) for buffer in buffers] == [
                numbers.tobytes(),
                bytes(range(12)),
                b"abc",
                b"d",
            ]
            with pytest.raises(BufferError):
                await plane.put([memoryview(b"abcdef")[::2]])

    with_bench(test)


def test_within_the_process_nothing_is_copied_and_nothing_can_be_changed(with_bench):
    async def test(bench):
        buffer = bytearray(b"mine")
        async with Plane2(bench, "inproc", Store({"k": [buffer]})) as plane:
            _, (received,) = await plane.fetch("k")
            assert received.obj is buffer
            assert received.readonly

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_many_requests_run_at_once(with_bench, scheme):
    async def test(bench):
        values = {str(number): [str(number).encode() * 1000] for number in range(50)}
        async with Plane2(bench, scheme, Store(values)) as plane:
            plane.store.gate.clear()
            asking = [asyncio.ensure_future(plane.fetch(key)) for key in values]
            while len(plane.store.requests) < 50:
                await asyncio.sleep(0)
            plane.store.gate.set()
            for key, (_, buffers) in zip(values, await asyncio.gather(*asking), strict=True):
                assert bytes(buffers[0]) == values[key][0]

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_connections_are_used_again(with_bench, scheme, monkeypatch):
    opened = []
    real = data.connect_socket

    async def counted(address):
        opened.append(address)
        return await real(address)

    monkeypatch.setattr(data, "connect_socket", counted)

    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"v"]})) as plane:
            for _ in range(10):
                await plane.fetch("k")
            assert len(opened) == 1
            await asyncio.gather(*(plane.fetch("k") for _ in range(10)))
            assert len(opened) == 10
            # Of which a few are kept.
            assert sum(map(len, plane.pool._idle.values())) == data._IDLE_MAX

    with_bench(test)


def test_only_so_many_connections_are_kept_for_all_addresses(with_bench, monkeypatch):
    monkeypatch.setattr(data, "_IDLE_ALL_MAX", 3)

    async def test(bench):
        settings = bench.settings()
        servers = [
            await serve_data(
                "tcp://127.0.0.1:0", secret="s", settings=settings, handler=Store().answer
            )
            for _ in range(5)
        ]
        pool = DataPool("s", settings)
        for server in servers:
            await pool.request(server.address, FetchData([]))
        assert list(pool._idle) == [server.address for server in servers[2:]]
        pool.close()
        for server in servers:
            await server.close()

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_error_of_the_handler_is_answered(with_bench, warnings_logged, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"v"]})) as plane:
            plane.store.error = ZeroDivisionError("by\nzero")
            with pytest.raises(PeerLost) as caught:
                await plane.fetch("k")
            assert "failed to answer a FetchData: ZeroDivisionError: by" in caught.value.reason
            assert len(warnings_logged()) == 1
            plane.store.error = None
            assert (await plane.fetch("k"))[1] == [b"v"]
            # The connection is as good as before.
            assert len(plane.pool._idle.get(plane.server.address, [1])) == 1

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_reply_that_does_not_announce_its_buffers_is_a_failure(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store()) as plane:

            async def lie(message, buffers):
                return DataReply([[5]], [1], [""]), [b"four"]

            plane.server.handler = lie
            with pytest.raises(PeerLost, match="announces buffers"):
                await plane.fetch("k")

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
@pytest.mark.parametrize(
    "reply",
    [
        DataStored([1]),
        DataReply([], [], []),
        DataReply([None, None], [-1, -1], ["", ""]),
        DataReply([None], [-1, -1], [""]),
    ],
)
def test_a_reply_that_answers_something_else_is_refused(with_bench, scheme, reply):
    async def test(bench):
        async with Plane2(bench, scheme, Store()) as plane:

            async def answer(message, buffers):
                return reply, []

            plane.server.handler = answer
            with pytest.raises(RemoteProtocolError):
                await plane.fetch("k")
            assert plane.pool._idle == {}

    with_bench(test)


def test_a_request_that_does_not_announce_its_buffers_is_the_askers_error(with_bench):
    async def test(bench):
        async with Plane2(bench, "tcp", Store()) as plane:
            with pytest.raises(LocalProtocolError):
                await plane.pool.request(plane.server.address, PutData(["k"], [[3]]), [b"four"])
            with pytest.raises(LocalProtocolError):
                await plane.pool.request(plane.server.address, FetchData(["k"]), [b"four"])

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_wrong_secret_is_told_to_both(with_bench, warnings_logged, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store(), secret="another") as plane:
            with pytest.raises(HandshakeRefused, match="the secrets differ"):
                await plane.fetch("k")
            while not warnings_logged():
                await asyncio.sleep(0)
            (line,) = warnings_logged()
            assert "the secrets differ" in line
            assert plane.store.requests == []

    with_bench(test)


def test_a_control_address_is_none_for_data(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        pool = DataPool("s", bench.settings())
        with pytest.raises(HandshakeRefused, match="an address was taken for another"):
            await pool.request(house.address, FetchData(["k"]))
        pool.close()
        await bench.works(house)
        assert "an address was taken for another" in warnings_logged()[0]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_gone(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"v"]})) as plane:
            await plane.fetch("k")
            await plane.server.close()
            with pytest.raises(ConnectFailed):
                await plane.fetch("k")

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_server_that_was_started_anew_answers_at_once(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"old"]})) as plane:
            await plane.fetch("k")
            address = plane.server.address
            await plane.server.close()
            again = await serve_data(
                address,
                secret="s",
                settings=bench.settings(),
                handler=Store({"k": [b"new"]}).answer,
            )
            # The idle connection is dead, which only shows when it is used.
            _, (value,) = await plane.fetch("k")
            assert bytes(value) == b"new"
            await again.close()

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_server_that_dies_while_it_answers(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"v"]})) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            while not plane.store.requests:
                await asyncio.sleep(0)
            await plane.server.close()
            with pytest.raises(PeerLost):
                await asking

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_request_that_is_cancelled_costs_its_connection_only(with_bench, scheme):
    async def test(bench):
        async with Plane2(bench, scheme, Store({"k": [b"v"]})) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            while not plane.store.requests:
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert plane.pool._idle == {}
            plane.store.gate.set()
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


def test_a_pool_that_is_closed_fails_what_is_under_way(with_bench):
    async def test(bench):
        async with Plane2(bench, "tcp", Store({"k": [b"v"]})) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            while not plane.store.requests:
                await asyncio.sleep(0)
            plane.pool.close()
            with pytest.raises(PeerLost):
                await asking
            with pytest.raises(LocalProtocolError):
                await plane.fetch("k")
            plane.store.gate.set()

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_peer_that_hangs_is_given_up(with_bench, scheme):
    async def test(bench):
        silence = {"session__keepalive_s": 0.1, "session__silent_s": 0.1}
        async with Plane2(bench, scheme, Store({"k": [b"v"]}), **silence) as plane:
            plane.store.gate.clear()
            with pytest.raises(PeerLost, match=r"no byte was moved for 0\.1 s"):
                await plane.fetch("k")

    with_bench(test)


# ------------------------------------------------------------------ bad peers


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
        async with Plane2(bench, "tcp", Store({"k": [b"v"]})) as plane:
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
        async with Plane2(bench, "tcp", Store({"k": [b"v"]}), **limit) as plane:
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
        async with Plane2(bench, "tcp", Store({"k": [b"v"]})) as plane:
            waiting = [await stranger(plane.server.address) for _ in range(2)]
            while plane.server._openings < 2:
                await asyncio.sleep(0)
            for _ in range(3):
                reader, writer = await stranger(plane.server.address)
                assert await read_to_end(reader) == b""
                writer.close()
            assert len(warnings_logged()) == 1
            for _, writer in waiting:
                writer.close()
            while plane.server._openings:
                await asyncio.sleep(0)
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


def frame(payload: bytes, kind=FrameKind.DATA) -> bytes:
    return encode_header(kind, 0, 0, len(payload)) + payload


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
        async with Plane2(bench, "tcp", Store({"k": [b"v"]})) as plane:
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
        async with Plane2(bench, "tcp", Store({"k": [b"v"]})) as plane:
            for sent in (b"", frame(b"abc")[:20], frame(encode([PutData(["k"], [[1000]])]))):
                _, writer = await authenticated(plane.server.address)
                writer.write(sent)
                writer.close()
                await writer.wait_closed()
            while len(plane.server._serving):
                await asyncio.sleep(0)
            assert (await plane.fetch("k"))[1] == [b"v"]
            assert warnings_logged() == []

    with_bench(test)


def test_a_request_may_come_in_any_pieces(with_bench):
    async def test(bench):
        async with Plane2(bench, "tcp", Store()) as plane:
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
        async with Plane2(bench, "tcp", Store()) as plane:
            reply = frame(encode([DataReply([[1 << 60]], [1], [""])]))

            async def answer(stream):
                await stream.receive(1000)
                await stream.write(memoryview(reply))
                return False

            plane.server._answer = answer
            with pytest.raises(LimitExceeded):
                await plane.fetch("k")

    with_bench(test)
