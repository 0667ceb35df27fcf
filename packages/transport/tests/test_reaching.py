"""A server is reached by whichever of its addresses leads there, and errors name them all."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import ConnectFailed, HandshakeRefused, SettingsError
from hocket.transport.address import Address, join, parse, parse_all
from hocket.transport.choosing import explain, order
from hocket.transport.interfaces import Network, advertise, host_networks, interface_host

HERE = [Network("eth0", "10.0.0.5", 24), Network("ib0", "192.168.7.5", 16)]
UNIX = Address("unix", path="/tmp/x")


def at(host, port=1):
    return Address("tls", host=host, port=port)


def test_the_order_is_the_last_way_then_this_host_then_our_networks():
    far, near, infiniband, home = at("8.8.8.8"), at("10.0.0.9"), at("192.168.1.1"), at("127.0.0.1")
    addresses = [far, infiniband, near, home, UNIX]
    assert order(addresses, HERE) == [UNIX, home, infiniband, near, far]
    assert order(addresses, HERE, won=far) == [far, UNIX, home, infiniband, near]
    assert order(addresses, []) == [UNIX, home, far, infiniband, near]


@given(st.lists(st.sampled_from([at(f"10.{n}.0.1") for n in range(8)] + [UNIX]), max_size=9))
def test_no_address_is_lost_or_tried_twice(addresses):
    found = order(addresses, HERE)
    assert set(found) == set(addresses)
    assert len(found) == len(set(found))


def test_all_addresses_are_told_with_their_reasons():
    first, second = at("10.0.0.1"), at("10.0.0.2")
    told = explain([first, second], {first: "Connection refused"}, "no answer")
    assert told == (
        "all of its addresses were tried: tls://10.0.0.1:1: Connection refused;"
        " tls://10.0.0.2:1: no answer"
    )
    assert explain([first], {first: "why"}, "no answer") == "why"


def test_several_addresses_are_one_text():
    text = "unix:///tmp/x,tls://10.0.0.1:1,tcp://[::1]:2"
    assert join(parse_all(text)) == text
    assert parse_all("a:1, b:2") == (parse("tcp://a:1"), parse("tcp://b:2"))
    with pytest.raises(SettingsError, match="at most 32"):
        parse_all(",".join(["a:1"] * 33))
    with pytest.raises(SettingsError):
        parse_all("a:1,,b:2")


def test_a_server_on_all_networks_says_where_others_reach_it():
    networks = [Network("lo", "127.0.0.1", 8), Network("bad", "169.254.0.3", 16), *HERE]
    everywhere = at("0.0.0.0", 8786)
    assert advertise(everywhere, networks) == [at("10.0.0.5", 8786), at("192.168.7.5", 8786)]
    assert advertise(everywhere, networks[:1]) == [at("127.0.0.1", 8786)]
    assert advertise(at("10.0.0.5"), networks) == [at("10.0.0.5")]
    assert interface_host("ib0", networks) == "192.168.7.5"
    with pytest.raises(SettingsError, match="lo, bad, eth0, ib0"):
        interface_host("eth9", networks)


def test_a_network_knows_who_lies_in_it():
    assert HERE[0].contains("10.0.0.200")
    assert not HERE[0].contains("10.0.1.1")
    assert not HERE[0].contains("node7")
    assert not Network("x", "10.0.0.5").contains("10.0.0.6")


def test_this_host_has_a_loopback():
    assert any(network.host == "127.0.0.1" and network.prefix == 8 for network in host_networks())


@pytest.fixture
def closed_port():
    """Return an address where nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def silent_port():
    """Return an address that never answers: the queue of connections is full."""
    with socket.socket() as deaf, socket.socket() as filler:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        filler.setblocking(False)
        filler.connect_ex(deaf.getsockname())
        yield f"tcp://127.0.0.1:{deaf.getsockname()[1]}"


def test_a_channel_opens_by_the_address_that_answers(with_bench, closed_port, silent_port):
    async def test(bench):
        house = await bench.house()
        text = f"unix:///nobody/here,{closed_port},{silent_port},{house.address}"
        channel, _ = await house.connect(address=text)
        assert channel.same_host
        assert channel.peer.address == text

    with_bench(test)


def test_another_cluster_at_one_of_the_addresses_is_passed_over(with_bench, warnings_logged):
    async def test(bench):
        other = await bench.house(secret="another")
        house = await bench.house()
        channel, _ = await house.connect(address=f"{other.address},{house.address}")
        assert house.channels
        assert not other.channels
        channel.close()
        third = await bench.house(secret="a third")
        with pytest.raises(HandshakeRefused, match=r"all of its addresses.*secrets.*secrets"):
            await house.connect(address=f"{other.address},{third.address}")
        warnings_logged()

    with_bench(test)


def test_all_that_failed_is_named(with_bench, closed_port):
    async def test(bench):
        house = await bench.house()
        with pytest.raises(ConnectFailed) as caught:
            await house.connect(
                address=f"unix:///nobody/here,{closed_port}", connect_timeout_s=0.05
            )
        assert f"{closed_port}: Connect" in str(caught.value)
        assert "unix:///nobody/here: No such file" in str(caught.value)

    with_bench(test)


def test_data_is_had_by_the_address_that_answers(with_bench, closed_port, tmp_path):
    async def test(bench):
        async with bench.data_plane("tcp", {"k": [b"v"]}) as plane:
            server = plane.server
            for text in (f"{closed_port},{server.address}", f"unix:///no,{server.address}"):
                for _ in range(2):
                    real, server._addresses = server._addresses, parse_all(text)
                    _, buffers = await plane.fetch("k")
                    server._addresses = real
                    assert [bytes(each) for each in buffers] == [b"v"]
                assert str(plane.pool._ways[text]) == server.address

    with_bench(test)


def test_a_data_server_has_several_doors(with_bench, tmp_path):
    async def test(bench):
        plane = bench.data_plane("tcp", {"k": [b"v"]})
        plane._address = f"unix://{tmp_path}/d,tcp://127.0.0.1:0,tls://127.0.0.1:0"
        async with plane:
            doors = plane.server.address.split(",")
            assert [door.partition(":")[0] for door in doors] == ["unix", "tcp", "tls"]
            for door in parse_all(plane.server.address):
                plane.server._addresses = [door]
                await plane.fetch("k")
        assert len(plane.store.requests) == 3

    with_bench(test)


def test_the_first_free_port_of_a_range_is_taken(with_bench):
    async def test(bench):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            ports = f"{port}-{min(port + 20, 65535)}"
            # While the first is somebody else's the next is taken.
            bench.address = lambda scheme: f"{scheme}://127.0.0.1:{ports}"
            house = await bench.house()
            assert port < parse(house.address).port <= port + 20
            second = await bench.house()
            assert parse(second.address).port > parse(house.address).port
            await bench.works(second)

    with_bench(test)


@pytest.mark.parametrize(
    "text", ["h:5-4", "h:5-5", "h:0-5", "h:5-", "h:-5", "h:1-70000", "h:1-2-3"]
)
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(SettingsError):
        parse(text)


def test_no_attempt_is_left_over(with_bench, silent_port):
    async def test(bench):
        house = await bench.house()
        with pytest.raises(ConnectFailed, match="no answer"):
            await house.connect(
                address=f"{silent_port},{silent_port.replace('0.0.1', '0.1.1')}",
                connect_timeout_s=0.02,
            )
        assert len(asyncio.all_tasks()) == 1

    with_bench(test)
