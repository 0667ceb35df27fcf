"""Where a worker lives: the address of its data, its threads, its share of the memory."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from hocket.core.settings import WorkerSettings
from hocket.transport import Address, parse
from hocket.transport.address import is_loopback, join, parse_all
from hocket.transport.interfaces import host_networks, interface_host

__all__ = ["DataPlace", "memory_limit_of", "threads_count_of"]

#: A unix socket's path may not be longer; see `hocket.transport.parse`.
_PATH_LENGTH_MAX = 100


class DataPlace:
    """Where a worker's data server listens.

    Chosen by how the worker reaches its scheduler, since others reach the worker the same way:
    within a process by name; on one host by a unix socket in a directory of our own, which moves
    bytes faster than the loopback and which no other user can open; and where the scheduler is
    elsewhere, or the settings say so, also on the networks that lead to it.

    Parameters
    ----------
    scheduler_address
        As the worker was told; may be several.
    settings
        Where it is to listen, if its user has said so.

    Attributes
    ----------
    address
        To listen on; may be several.
    calls_address
        Where it takes calls of actors.
    """

    def __init__(self, scheduler_address: str, settings: WorkerSettings | None = None) -> None:
        self._directory: Path | None = None
        self.address = self._choose(parse_all(scheduler_address), settings or WorkerSettings())
        self.calls_address = _beside(self.address)

    def close(self) -> None:
        """Remove what was made for it."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _choose(self, scheduler: Sequence[Address], settings: WorkerSettings) -> str:
        if scheduler[0].scheme == "inproc":
            return f"inproc://worker-{secrets.token_hex(8)}"
        hosts = _hosts(scheduler, settings)
        places = [parse(f"tcp://{_bracketed(host)}:{settings.port}") for host in hosts]
        path = self._unix_path()
        if path:
            places.insert(0, Address("unix", path=path))
        return join(places) or f"tcp://127.0.0.1:{settings.port}"

    def _unix_path(self) -> str:
        """Return where a socket for this host alone may lie; empty: nowhere."""
        if hasattr(socket, "AF_UNIX"):
            # Made for its owner only (0700).
            self._directory = Path(tempfile.mkdtemp(prefix="hocket-"))
            path = self._directory / "data"
            if len(os.fsencode(path)) <= _PATH_LENGTH_MAX:
                return str(path)
            self.close()
        return ""


def _beside(address: str) -> str:
    """Return an address like the last of these, which reaches furthest, that is free."""
    last = parse(address.rpartition(",")[2])
    if not last.is_network:
        return f"{last}-calls"
    # (Of a range the next free one is taken, and 0 is any; beside a certain one, the next.)
    is_certain = last.port and not last.port_last
    return str(replace(last, port=last.port + 1) if is_certain else last)


def _hosts(scheduler: Sequence[Address], settings: WorkerSettings) -> list[str]:
    """Return our numeric addresses, or names, where others than this host's can reach us."""
    if settings.interface:
        return [interface_host(settings.interface, host_networks())]
    if settings.host:
        return [settings.host]
    towards = dict.fromkeys(_host_towards(each) for each in scheduler if each.is_network)
    return [host for host in towards if not is_loopback(host)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_towards(scheduler: Address) -> str:
    """Return our own numeric address, as the scheduler sees it."""
    found = socket.getaddrinfo(scheduler.host, scheduler.port, type=socket.SOCK_DGRAM)
    for family, kind, protocol, _, where in found:
        # Connecting a datagram socket sends nothing; it only asks for the route.
        with suppress(OSError), socket.socket(family, kind, protocol) as probe:
            probe.connect(where)
            host: str = probe.getsockname()[0]
            return host
    return "127.0.0.1"


def threads_count_of(asked: int | None) -> int:
    """Return how many threads are meant; None and 0 stand for the cores that we may use."""
    if asked:
        return asked
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit_of(asked: int | str | None, threads_count: int) -> int:
    """Return a limit in bytes, 0 for none; ``"auto"`` is the threads' share of the memory."""
    if asked == "auto":
        cores_count = os.cpu_count() or 1
        total_nbytes: int = psutil.virtual_memory().total
        return int(total_nbytes * min(1.0, threads_count / cores_count))
    return int(asked or 0)
