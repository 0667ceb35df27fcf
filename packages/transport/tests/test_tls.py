"""Under TLS a server is known by the cluster's key, and nothing is said to any other."""

from __future__ import annotations

import asyncio
import pickle
import ssl

import pytest

from hocket.core.errors import ConnectFailed, HandshakeRefused, SettingsError
from hocket.protocol.credentials import parse_secret
from hocket.protocol.messages import WaitForWorkers, WorkersReady
from hocket.protocol.roles import Role
from hocket.transport.tls import connector_context, pin_of, server_context

PIN = pin_of("s")


class Bomb:
    """Goes off when it is unpickled."""

    gone_off = False

    def __reduce__(self):
        return setattr, (Bomb, "gone_off", True)


GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"HOCKET\0\1\1\1" + bytes(38),
    b"\x16\x03\x01\x02\x00\x01" + b"\xff" * 300,
    pickle.dumps(Bomb()) * 20,
    bytes(100_000),
]


async def secure_streams(address):
    host, _, port = address.removeprefix("tls://").rpartition(":")
    return await asyncio.open_connection(host, int(port), ssl=connector_context())


def text_for(role):
    return parse_secret("s").to_text(role, PIN)


@pytest.mark.parametrize("role", [Role.WORKER, Role.CLIENT])
def test_a_role_comes_in_with_what_was_made_for_it(with_bench, role):
    async def test(bench):
        house = await bench.house("tls")
        channel, _ = await house.connect(role=role, secret=text_for(role))
        assert channel.peer.role is Role.SCHEDULER
        assert house.channels[0].peer.role is role

    with_bench(test)


@pytest.mark.parametrize("role", [Role.WORKER, Role.CLIENT])
def test_a_weaker_key_does_not_let_in(with_bench, role):
    weaker = Role.CLIENT if role is Role.WORKER else Role.OBSERVER

    async def test(bench):
        house = await bench.house("tls")
        with pytest.raises(HandshakeRefused, match=f"of a role {weaker.name.lower()}"):
            await house.connect(role=role, secret=text_for(weaker))
        assert house.channels == []
        await bench.works(house)

    with_bench(test)


def test_data_is_had_with_a_clients_key_from_a_workers_server(with_bench):
    async def test(bench):
        async with bench.data_plane(
            "tls", {"a": [b"x" * 200_000, b"y"]}, secret=text_for(Role.CLIENT)
        ) as plane:
            _, buffers = await plane.fetch("a")
            assert [bytes(each) for each in buffers] == [b"x" * 200_000, b"y"]

    with_bench(test)


def test_data_is_not_had_with_an_observers_key(with_bench):
    async def test(bench):
        async with bench.data_plane("tls", {"a": [b"x"]}, secret=text_for(Role.OBSERVER)) as plane:
            with pytest.raises(HandshakeRefused, match="of a role observer"):
                await plane.fetch("a")
            assert plane.store.requests == []

    with_bench(test)


def test_another_clusters_server_is_told_nothing(with_bench):
    async def test(bench):
        house = await bench.house("tls")
        with pytest.raises(HandshakeRefused, match="it shows another key"):
            await house.connect(secret="another")
        async with bench.data_plane("tls", {}, secret="another") as plane:
            with pytest.raises(HandshakeRefused, match="it shows another key"):
                await plane.fetch("a")
        assert house.channels == []

    with_bench(test)


@pytest.mark.parametrize("sent", GARBAGE)
def test_garbage_outside_of_tls_harms_nobody(with_bench, sent):
    async def test(bench):
        house = await bench.house("tls", transport__handshake_timeout_s=0.5)
        for inside in (False, True):
            address = house.address.removeprefix("tls://")
            host, _, port = address.rpartition(":")
            if inside:
                reader, writer = await secure_streams(house.address)
            else:
                reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            answer = b""
            try:
                while piece := await reader.read(1000):
                    answer += piece
            except OSError:
                pass
            writer.transport.abort()
            assert len(answer) < 200
        assert not Bomb.gone_off
        assert house.channels == []
        house.settings = bench.settings()
        await bench.works(house)

    with_bench(test)


@pytest.mark.parametrize("sent", GARBAGE)
def test_garbage_harms_no_data_server(with_bench, sent):
    async def test(bench):
        async with bench.data_plane("tls", {"a": [b"x"]}) as plane:
            for inside in (False, True):
                host, _, port = plane.server.address.removeprefix("tls://").rpartition(":")
                if inside:
                    reader, writer = await secure_streams(plane.server.address)
                else:
                    reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(sent)
                writer.write(b"\0" * 1000)
                try:
                    while await reader.read(1000):
                        pass
                except OSError:
                    pass
                writer.transport.abort()
            assert not Bomb.gone_off
            assert plane.store.requests == []
            _, buffers = await plane.fetch("a")
            assert [bytes(each) for each in buffers] == [b"x"]

    with_bench(test)


def test_tls_to_a_port_without_it_and_the_reverse_are_told_apart(with_bench):
    async def test(bench):
        plain = await bench.house()
        with pytest.raises(ConnectFailed, match="its address begins with tcp://"):
            await plain.connect(
                address=plain.address.replace("tcp:", "tls:"), connect_timeout_s=0.3
            )
        secure = await bench.house("tls")
        with pytest.raises(ConnectFailed, match="the address begins with tls://"):
            await secure.connect(
                address=secure.address.replace("tls:", "tcp:"), connect_timeout_s=0.3
            )
        # (asyncio's own, for connections that it has accepted.)
        await bench.until(lambda: len(asyncio.all_tasks()) == 1)

    with_bench(test)


def test_older_tls_is_not_spoken(with_bench):
    async def test(bench):
        house = await bench.house("tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        host, _, port = house.address.removeprefix("tls://").rpartition(":")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(host, int(port), ssl=context)

    with_bench(test)


def test_it_is_on_where_the_settings_say_so(with_bench):
    async def test(bench):
        house = await bench.house(security__tls="on")
        assert house.address.startswith("tls://")
        channel, recorder = await house.connect()
        channel.send([WaitForWorkers(1, 1)])
        await recorder.until(lambda notes: notes.messages)
        assert recorder.messages == [WorkersReady(1, 1)]

    with_bench(test)


def test_off_this_host_it_is_on_by_itself_and_only_with_a_secret(with_bench, monkeypatch):
    monkeypatch.setattr("hocket.transport.sockets.is_loopback", lambda _host: False)

    async def test(bench):
        house = await bench.house()
        assert house.address.startswith("tls://")
        off = await bench.house(security__tls="off")
        assert off.address.startswith("tcp://")
        with pytest.raises(SettingsError, match="needs a secret"):
            await bench.house(secret="")

    with_bench(test)


def test_a_clients_secret_makes_no_server():
    with pytest.raises(HandshakeRefused, match="a client's secret makes no server"):
        server_context(text_for(Role.CLIENT))
