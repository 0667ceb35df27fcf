"""The data plane: values arrive as they were, failures are answered, bad peers are dropped."""

from __future__ import annotations

import array
import asyncio
import ctypes
import pickle
import random
import threading

import pytest

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    LocalProtocolError,
    PeerLost,
    RemoteProtocolError,
)
from hocket.protocol.messages import DataReply, DataStored, FetchData, PeerBusy, PutData
from hocket.transport import DataAnswer, DataPool, LoopThread, data, data_pool, reaching, serve_data

SCHEMES = ["tcp", "tls", "unix", "inproc"]
SOCKETS = ["tcp", "tls", "unix"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_are_fetched_with_what_is_not_there(with_bench, scheme):
    async def test(bench):
        store = {"a": [b"pickle", b"", b"x" * 1000], "b": [b"p"]}
        async with bench.data_plane(scheme, store) as plane:
            reply, buffers = await plane.fetch("a", "gone", "b")
        assert reply == DataReply([[6, 0, 1000], None, [1]], [1, -1, 1], ["", "gone", ""])
        assert [bytes(buffer) for buffer in buffers] == [b"pickle", b"", b"x" * 1000, b"p"]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_are_put(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {}) as plane:
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
        async with bench.data_plane(scheme, {"k": buffers}) as plane:
            for _ in range(2):
                _, received = await plane.fetch("k")
                assert [bytes(buffer) for buffer in received] == buffers
            await plane.put(buffers)
            assert plane.store.values["k0"] == buffers

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_received_buffers_are_aligned_and_writable(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"a" * 3, b"b" * 100, b"c"]}) as plane:
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
        async with bench.data_plane(scheme, {"k": given}) as plane:
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
        async with bench.data_plane("inproc", {"k": [buffer]}) as plane:
            _, (received,) = await plane.fetch("k")
            assert received.obj is buffer
            assert received.readonly

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_many_requests_run_at_once(with_bench, scheme):
    async def test(bench):
        values = {str(number): [str(number).encode() * 1000] for number in range(50)}
        async with bench.data_plane(scheme, values) as plane:
            plane.store.gate.clear()
            asking = [asyncio.ensure_future(plane.fetch(key)) for key in values]
            await bench.until(lambda: len(plane.store.requests) == 50)
            plane.store.gate.set()
            for key, (_, buffers) in zip(values, await asyncio.gather(*asking), strict=True):
                assert bytes(buffers[0]) == values[key][0]

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_connections_are_used_again(with_bench, scheme, monkeypatch):
    opened = []
    real = reaching.connect_socket

    async def counted(address):
        opened.append(address)
        return await real(address)

    monkeypatch.setattr(reaching, "connect_socket", counted)

    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
            for _ in range(10):
                await plane.fetch("k")
            assert len(opened) == 1
            await asyncio.gather(*(plane.fetch("k") for _ in range(10)))
            assert len(opened) == 10
            # Of which a few are kept.
            assert sum(map(len, plane.pool._idle.values())) == data_pool._IDLE_MAX

    with_bench(test)


def test_only_so_many_connections_are_kept_for_all_addresses(with_bench, monkeypatch):
    monkeypatch.setattr(data_pool, "_IDLE_ALL_MAX", 3)

    async def test(bench):
        settings = bench.settings()
        servers = [
            await serve_data(
                "tcp://127.0.0.1:0", secret="s", settings=settings, handler=bench.store().answer
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
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
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
        async with bench.data_plane(scheme, {}) as plane:

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
        PeerBusy([]),
        PeerBusy([[], []]),
    ],
)
def test_a_reply_that_answers_something_else_is_refused(with_bench, scheme, reply):
    async def test(bench):
        async with bench.data_plane(scheme, {}) as plane:

            async def answer(message, buffers):
                return reply, []

            plane.server.handler = answer
            with pytest.raises(RemoteProtocolError):
                await plane.fetch("k")
            assert plane.pool._idle == {}

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_busy_server_says_who_else_has_the_values(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
            real = plane.server.handler

            async def refuse(message, buffers):
                plane.server.handler = real
                return PeerBusy([["tcp://127.0.0.1:1", "unix://a"], []]), []

            plane.server.handler = refuse
            reply = PeerBusy([["tcp://127.0.0.1:1", "unix://a"], []])
            assert await plane.fetch("k", "l") == (reply, [])
            # The connection is as good as before.
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_nobody_is_too_busy_for_a_put(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {}) as plane:

            async def refuse(message, buffers):
                return PeerBusy([[]]), []

            plane.server.handler = refuse
            with pytest.raises(RemoteProtocolError, match="answered by \\['PeerBusy'\\]"):
                await plane.put([b"v"])

    with_bench(test)


def answering(reply, buffers, ends):
    async def answer(message, received):
        return DataAnswer(reply, buffers, ends.append)

    return answer


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_handler_can_hear_that_its_reply_was_sent(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {}) as plane:
            ends = []
            reply = DataReply([[1_000_000]], [1], [""])
            plane.server.handler = answering(reply, [bytes(1_000_000)], ends)
            await plane.fetch("k")
            await bench.until(lambda: ends)
            assert ends == [True]
            # Nothing is sent of what does not announce its buffers.
            plane.server.handler = answering(reply, [b"short"], ends)
            with pytest.raises(PeerLost):
                await plane.fetch("k")
            await bench.until(lambda: len(ends) == 2)
            assert ends == [True, False]

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_handler_hears_that_its_reply_could_not_be_sent(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {}) as plane:
            ends, asked = [], asyncio.Event()
            # More than the system takes on while nobody reads.
            large = bytes(64 << 20)

            async def answer(message, received):
                asked.set()
                return DataAnswer(DataReply([[len(large)]], [1], [""]), [large], ends.append)

            plane.server.handler = answer
            asking = asyncio.ensure_future(plane.fetch("k"))
            await asked.wait()
            assert ends == []
            asking.cancel()
            await bench.until(lambda: ends)
            assert ends == [False]

    with_bench(test)


def test_a_request_that_does_not_announce_its_buffers_is_the_askers_error(with_bench):
    async def test(bench):
        async with bench.data_plane("tcp", {}) as plane:
            with pytest.raises(LocalProtocolError):
                await plane.pool.request(plane.server.address, PutData(["k"], [[3]]), [b"four"])
            with pytest.raises(LocalProtocolError):
                await plane.pool.request(plane.server.address, FetchData(["k"]), [b"four"])

    with_bench(test)


@pytest.mark.parametrize("scheme", [each for each in SOCKETS if each != "tls"])
def test_a_wrong_secret_is_told_to_both(with_bench, warnings_logged, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {}, secret="another") as plane:
            with pytest.raises(HandshakeRefused, match="the secrets differ"):
                await plane.fetch("k")
            await bench.until(warnings_logged)
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
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
            await plane.fetch("k")
            await plane.server.close()
            with pytest.raises(ConnectFailed):
                await plane.fetch("k")

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_server_that_was_started_anew_answers_at_once(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"old"]}) as plane:
            await plane.fetch("k")
            address = plane.server.address
            await plane.server.close()
            again = await serve_data(
                address,
                secret="s",
                settings=bench.settings(),
                handler=bench.store({"k": [b"new"]}).answer,
            )
            # The idle connection is dead, which only shows when it is used.
            _, (value,) = await plane.fetch("k")
            assert bytes(value) == b"new"
            await again.close()

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_server_that_dies_while_it_answers(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            await bench.until(lambda: plane.store.requests)
            await plane.server.close()
            with pytest.raises(PeerLost):
                await asking

    with_bench(test)


@pytest.mark.parametrize("scheme", SOCKETS)
def test_a_request_that_is_cancelled_costs_its_connection_only(with_bench, scheme):
    async def test(bench):
        async with bench.data_plane(scheme, {"k": [b"v"]}) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            await bench.until(lambda: plane.store.requests)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert plane.pool._idle == {}
            plane.store.gate.set()
            assert (await plane.fetch("k"))[1] == [b"v"]

    with_bench(test)


def test_a_pool_that_is_closed_fails_what_is_under_way(with_bench):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            plane.store.gate.clear()
            asking = asyncio.ensure_future(plane.fetch("k"))
            await bench.until(lambda: plane.store.requests)
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
        silence = {"session__keepalive_s": 0.1, "session__silent_s": 0.4}
        async with bench.data_plane(scheme, {"k": [b"v"]}, **silence) as plane:
            plane.store.gate.clear()
            with pytest.raises(PeerLost, match=r"no byte was moved for 0\.4 s"):
                await plane.fetch("k")

    with_bench(test)


def test_a_server_in_another_thread_of_the_process(with_bench):
    thread = LoopThread("data")

    async def test(bench):
        async def answer(message, buffers):
            assert threading.current_thread().name == "data"
            return DataReply([[1]], [1], [""]), [b"v"]

        settings = bench.settings()
        server = thread.run(
            serve_data("inproc://thread", secret="s", settings=settings, handler=answer)
        )
        pool = DataPool("s", settings)
        _, (value,) = await pool.request(server.address, FetchData(["k"]))
        assert bytes(value) == b"v"
        pool.close()
        thread.run(server.close())

    with_bench(test)
    thread.close()


def test_a_server_that_cannot_accept_tries_again(with_bench, warnings_logged, monkeypatch):
    monkeypatch.setattr(data, "_ACCEPT_PAUSE_S", 0)

    async def test(bench):
        loop = asyncio.get_running_loop()
        real = loop.sock_accept
        errors = [OSError(24, "Too many open files"), ConnectionAbortedError()]

        async def accept(listening):
            if errors:
                raise errors.pop(0)
            return await real(listening)

        monkeypatch.setattr(loop, "sock_accept", accept, raising=False)
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            assert (await plane.fetch("k"))[1] == [b"v"]
        (line,) = warnings_logged()
        assert "Too many open files" in line

    with_bench(test)
