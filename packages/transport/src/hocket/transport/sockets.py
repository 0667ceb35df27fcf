"""Sockets: bound, connected and tuned, and what addresses they have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.transport.address import Address, is_loopback

__all__ = [
    "LISTEN_BACKLOG",
    "bind_socket",
    "connect_socket",
    "local_address",
    "peer_address",
    "refuse_open_door",
    "remove_unix_path",
    "resolve",
    "socket_peer_address",
    "tune_socket",
    "tune_transport",
]

#: Connections that wait to be accepted; a whole cluster may come at once.
LISTEN_BACKLOG: Final = 1024


async def resolve(address: Address) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return the family and the socket address that a tcp address stands for; IPv4 goes first.

    Raises
    ------
    OSError
        The name is not known.
    """
    kind = socket.SOCK_STREAM
    passive = socket.AI_PASSIVE
    try:
        # What is numeric needs no question to anybody, and so no thread that waits for the answer.
        found = socket.getaddrinfo(
            address.host, address.port, type=kind, flags=passive | socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=kind, flags=passive)
    family, _, _, _, where = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, where


def refuse_open_door(address: Address, host: str, secret: str) -> None:
    """Refuse to listen without a secret where other hosts can reach us.

    Raises
    ------
    SettingsError
        The address is not of this host alone, and the secret is empty.
    """
    if not secret and not is_loopback(host):
        raise SettingsError(
            name="security.secret",
            value="",
            allowed=f"listening on {address} lets other hosts in, which needs a secret;"
            " set security.secret, or listen on tcp://127.0.0.1",
            source="code",
        )


async def bind_socket(
    address: Address, secret: str, settings: Settings
) -> tuple[socket.socket, Address]:
    """Return a socket bound to an address that is not in the process, and what that is in the end.

    Where other hosts can reach it, it becomes a ``tls`` address, unless ``security.tls`` is off.

    Raises
    ------
    SettingsError
        Anybody could come in without a secret.
    OSError
        The address cannot be had.
    """
    if address.scheme == "unix":
        return _bind_unix(address.path), address
    family, where = await resolve(address)
    refuse_open_door(address, where[0], secret)
    tls = settings.security.tls
    if tls == "on" or (tls == "auto" and not is_loopback(where[0])):
        address = replace(address, scheme="tls")
    bound = _bind_network(address, family, where)
    return bound, replace(address, port=bound.getsockname()[1], port_last=0)


def _bind_network(
    address: Address, family: socket.AddressFamily, where: tuple[Any, ...]
) -> socket.socket:
    for port in range(where[1], address.port_last):
        with contextlib.suppress(OSError):
            bound = _bind_tcp(family, (where[0], port, *where[2:]))
            # Two that have not begun to listen may share a port, and only one of them can begin.
            bound.listen(LISTEN_BACKLOG)
            return bound
    try:
        return _bind_tcp(family, (where[0], address.port_last or where[1], *where[2:]))
    except OSError as error:
        # The system's words do not say which address it was.
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from None


def _bind_tcp(family: socket.AddressFamily, where: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.settimeout(0)
        if os.name == "posix":
            # On Windows this would let a second process take the port as well.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(where)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind_unix(path: str) -> socket.socket:
    _remove_stale_unix(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.settimeout(0)
        bound.bind(path)
        # For us alone; nobody can have come in before, since it does not listen yet.
        Path(path).chmod(stat.S_IRUSR | stat.S_IWUSR)
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_stale_unix(path: str) -> None:
    """Remove the socket that a process which died has left; one that is in use stays."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()
            except BlockingIOError:
                return


def remove_unix_path(address: Address) -> None:
    """Remove the file of a unix address that is no longer listened on."""
    if address.scheme == "unix":
        with contextlib.suppress(OSError):
            Path(address.path).unlink()


async def connect_socket(address: Address) -> socket.socket:
    """Return a non-blocking socket that is connected to an address; there is no TLS on it yet.

    Raises
    ------
    OSError
        Nobody answers there.
    """
    loop = asyncio.get_running_loop()
    where: Any = address.path
    family = socket.AF_UNIX
    if address.scheme != "unix":
        family, where = await resolve(address)
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        await loop.sock_connect(connection, where)
    except BaseException:
        connection.close()
        raise
    return connection


def tune_socket(connection: socket.socket, settings: Settings) -> None:
    """Have small writes leave at once, and the kernel notice a host that has gone."""
    connection.settimeout(0)
    if connection.family == socket.AF_UNIX:
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probe_s = max(1, round(settings.session.keepalive_s))
    silent_s = max(1, round(settings.session.silent_s))
    for name, value in (
        ("TCP_KEEPIDLE", probe_s),
        ("TCP_KEEPINTVL", probe_s),
        ("TCP_KEEPCNT", max(1, round(silent_s / probe_s))),
        ("TCP_USER_TIMEOUT", silent_s * 1000),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def tune_transport(transport: asyncio.BaseTransport) -> None:
    """Have small writes leave at once."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def socket_peer_address(connection: socket.socket, listening: Address) -> Address:
    """Return where a connection comes from."""
    if connection.family == socket.AF_UNIX:
        return listening
    try:
        host, port, *_ = connection.getpeername()
    except OSError:
        # It is gone already.
        return listening
    return replace(listening, host=host, port=port)


def peer_address(transport: asyncio.BaseTransport, listening: str) -> Address:
    """Return where a connection comes from."""
    return _address_of(transport, "peername", listening)


def local_address(transport: asyncio.BaseTransport, listening: str) -> Address:
    """Return our end of a connection."""
    return _address_of(transport, "sockname", listening)


def _address_of(transport: asyncio.BaseTransport, end: str, listening: str) -> Address:
    name = transport.get_extra_info(end)
    if isinstance(name, tuple):
        tls = transport.get_extra_info("ssl_object") is not None
        return Address("tls" if tls else "tcp", host=name[0], port=name[1])
    # The ends of unix sockets and of connections within the process have no names of their own.
    scheme, _, path = listening.partition("://")
    return Address("unix" if scheme == "unix" else "inproc", path=path)
