"""What ``hocket doctor`` finds out on each host: whom it reaches, its clock, its limits.

`probe` runs on workers, so it brings along nothing but facts.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from hocket.core.package_versions import package_versions
from hocket.transport.address import Address, parse_all
from hocket.transport.interfaces import host_networks

__all__ = ["Probe", "probe"]

#: Servers that are probed at once; a probe mostly waits.
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Probe:
    """What one process has found.

    Attributes
    ----------
    host
        Where it is.
    time_s
        Its clock.
    ways
        By the server's name, by address, why it was not reached; empty: it was.
    took_s
        By the server's name, by address, how long connecting took.
    networks
        Its host's, as ``interface=address``.
    versions
        Of Python and of packages.
    open_files_max
        How many the process may have; 0: any number.
    """

    host: str
    time_s: float
    ways: dict[str, dict[str, str]] = field(default_factory=dict)
    took_s: dict[str, dict[str, float]] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    open_files_max: int = 0


def probe(servers: Iterable[tuple[str, str, str]], timeout_s: float) -> Probe:
    """Find out whom this process reaches, and what it is.

    Parameters
    ----------
    servers
        Names, their addresses as one text, and their hosts, if known: of servers elsewhere only
        addresses in a network are tried.
    timeout_s
        How long to wait for each address.
    """
    here = socket.gethostname()
    asked = [
        (name, at)
        for name, text, host in servers
        for at in parse_all(text)
        if at.is_network or host in ("", here)
    ]
    ways: dict[str, dict[str, str]] = {}
    took_s: dict[str, dict[str, float]] = {}
    with ThreadPoolExecutor(_AT_ONCE, "hocket doctor") as threads:
        found = threads.map(lambda one: _knock(one[1], timeout_s), asked)
        for (name, at), (reason, waited_s) in zip(asked, found, strict=True):
            ways.setdefault(name, {})[str(at)] = reason
            took_s.setdefault(name, {})[str(at)] = waited_s
    return Probe(
        host=here,
        time_s=time.time(),
        ways=ways,
        took_s=took_s,
        networks=[f"{each.interface}={each.host}" for each in host_networks() if each.is_usable],
        versions=dict(package_versions([])),
        open_files_max=_open_files_max(),
    )


def _knock(at: Address, timeout_s: float) -> tuple[str, float]:
    """Return why an address was not reached (empty: it was), and how long that took.

    Nothing is said there; who listens takes it for somebody who thought better of it.
    """
    start_s = time.monotonic()
    reason = ""
    try:
        if at.is_network:
            with socket.create_connection((at.host, at.port), timeout_s):
                pass
        elif at.scheme == "unix":
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout_s)
                connection.connect(at.path)
        else:
            reason = "it is within another process"
    except TimeoutError:
        reason = f"no answer in {timeout_s:g} s; a firewall may drop what is sent there"
    except OSError as error:
        reason = error.strerror or str(error)
    return reason, time.monotonic() - start_s


def _open_files_max() -> int:
    """Return how many open files are allowed; 0: any number."""
    if os.name != "posix":
        return 0
    import resource  # noqa: PLC0415 (not everywhere)

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft
