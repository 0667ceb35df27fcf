"""Where a listener listens, and that nobody unknown comes in."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from hocket.core.errors import ConnectFailed, SettingsError
from hocket.protocol.roles import Role
from hocket.transport import listen, parse, serve_data


def ignore(channel):
    channel.close()


async def open_listener(bench, address, secret="s"):
    return await listen(
        address,
        role=Role.SCHEDULER,
        name="n",
        secret=secret,
        settings=bench.settings(),
        on_channel=ignore,
        cluster_id="fake",
    )


async def open_data_server(bench, address, secret="s"):
    async def answer(message, buffers):
        raise NotImplementedError

    return await serve_data(address, secret=secret, settings=bench.settings(), handler=answer)


both = pytest.mark.parametrize("open_any", [open_listener, open_data_server])


@both
@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:0"])
def test_other_hosts_need_a_secret(with_bench, open_any, address):
    async def test(bench):
        with pytest.raises(SettingsError, match=r"security\.secret"):
            await open_any(bench, address, secret="")

    with_bench(test)


@both
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "tcp://localhost:0"])
def test_on_loopback_the_secret_may_be_empty(with_bench, open_any, address):
    async def test(bench):
        listener = await open_any(bench, address, secret="")
        actual = parse(listener.address)
        assert actual.port > 0
        assert actual.host == parse(address).host
        await listener.close()

    with_bench(test)


@both
def test_without_a_secret_channels_open_where_no_other_host_can(with_bench, open_any):
    async def test(bench):
        for scheme in ("tcp", "unix", "inproc"):
            house = await bench.house(scheme, secret="")
            await bench.works(house)

    with_bench(test)


@both
def test_a_taken_port_is_an_error(with_bench, open_any):
    async def test(bench):
        first = await open_any(bench, "tcp://127.0.0.1:0")
        with pytest.raises(OSError, match="in use"):
            await open_any(bench, first.address)
        await first.close()
        # A port that was closed can be had again at once.
        again = await open_any(bench, first.address)
        assert again.address == first.address
        await again.close()

    with_bench(test)


@both
def test_a_taken_name_is_an_error(with_bench, open_any):
    async def test(bench):
        first = await open_any(bench, "inproc://one")
        with pytest.raises(SettingsError, match="inproc://one"):
            await open_any(bench, "inproc://one")
        await first.close()
        again = await open_any(bench, "inproc://one")
        await again.close()
        await again.close()

    with_bench(test)


@both
def test_a_unix_socket_is_for_its_owner_and_goes_with_its_listener(with_bench, tmp_path, open_any):
    async def test(bench):
        listener = await open_any(bench, f"unix://{path}")
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(OSError, match="in use"):
            await open_any(bench, f"unix://{path}")
        await listener.close()

    path = tmp_path / "s"
    with_bench(test)
    assert not path.exists()


@both
def test_a_unix_socket_that_a_dead_process_left_is_replaced(with_bench, tmp_path, open_any):
    async def test(bench):
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        listener = await open_any(bench, f"unix://{path}")
        await listener.close()

    with_bench(test)


@both
def test_a_file_that_is_no_socket_is_left_alone(with_bench, tmp_path, open_any):
    async def test(bench):
        with pytest.raises(OSError, match="in use"):
            await open_any(bench, f"unix://{path}")

    path: Path = tmp_path / "precious"
    path.write_text("data")
    with_bench(test)
    assert path.read_text() == "data"


def test_closing_while_somebody_is_in_the_handshake(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        peer = await bench.raw(house.address)
        peer.send(b"HOCK")
        await bench.until(lambda: house.listener._openings)
        await house.listener.close()
        assert await peer.read_to_end() == b""
        assert warnings_logged() == []
        with pytest.raises(ConnectFailed):
            await house.connect(connect_timeout_s=0.01)

    with_bench(test)
