"""Addresses: ``tcp://host:port``, ``unix:///path`` and ``inproc://name``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal

from hocket.core.errors import SettingsError

__all__ = ["Address", "is_loopback", "is_same_host", "parse"]

_PORT_MAX: Final = 65535
#: What fits the kernel's ``sockaddr_un`` on every system that has one.
_PATH_LENGTH_MAX: Final = 103
#: A name of the domain name system (RFC 1035), with the underscores that some networks use.
_NAME_LENGTH_MAX: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_FORMS: Final = "it must be tcp://host:port, unix:///path or inproc://name"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens; its text form is what `parse` reads.

    ``host`` and ``port`` are of ``tcp``; ``path`` is of ``unix`` (a file) and ``inproc`` (a name).
    """

    scheme: Literal["tcp", "unix", "inproc"]
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme == "tcp":
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"tcp://{host}:{self.port}"
        return f"{self.scheme}://{self.path}"


def parse(address: str) -> Address:
    """Return what an address says.

    Parameters
    ----------
    address
        ``tcp://host:port``, an IPv6 host in brackets; port 0 asks the system for a free one when
        listening. ``unix:///path``; ``inproc://name``. Without a scheme it is ``tcp``.

    Raises
    ------
    SettingsError
        It is no address.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "tcp", address
    if scheme == "tcp":
        return _parse_tcp(address, rest)
    if scheme == "unix":
        if not rest.startswith("/"):
            raise _unfit(address, "the path of a unix socket begins with '/'")
        if len(rest.encode()) > _PATH_LENGTH_MAX or "\0" in rest:
            raise _unfit(address, f"a unix socket's path has at most {_PATH_LENGTH_MAX} bytes")
        return Address("unix", path=rest)
    if scheme == "inproc":
        if not rest:
            raise _unfit(address, _FORMS)
        return Address("inproc", path=rest)
    raise _unfit(address, _FORMS)


def _parse_tcp(address: str, rest: str) -> Address:
    host, separator, port_text = rest.rpartition(":")
    if not separator:
        raise _unfit(address, f"the port is missing; {_FORMS}")
    # int() alone would take "+1", " 1", "1_0" and other scripts' digits.
    if not (port_text.isascii() and port_text.isdecimal() and int(port_text) <= _PORT_MAX):
        raise _unfit(address, f"a port is a number from 0 to {_PORT_MAX}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _unfit(address, "only an IPv6 host stands in brackets") from None
    elif ":" in host:
        raise _unfit(address, "an IPv6 host stands in brackets: tcp://[::1]:8786")
    elif not _is_host_name(host):
        raise _unfit(address, f"the host is missing or is none; {_FORMS}")
    return Address("tcp", host=host, port=int(port_text))


def _is_host_name(host: str) -> bool:
    """Whether this could be a name or an IPv4 address; the resolver chokes on what could not."""
    if len(host) > _NAME_LENGTH_MAX:
        return False
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return False
    labels = name.removesuffix(".").split(".")
    return len(name) <= _NAME_LENGTH_MAX and all(_LABEL.fullmatch(label) for label in labels)


def _unfit(address: str, allowed: str) -> SettingsError:
    shown = address if len(address) <= 200 else address[:200] + "..."
    return SettingsError(name="address", value=shown, allowed=allowed, source="code")


def is_loopback(host: str) -> bool:
    """Whether a numeric IP address can only be reached from this host."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_same_host(ours: Address, theirs: Address) -> bool:
    """Whether the two ends of a connection lie on one host.

    Parameters
    ----------
    ours, theirs
        Addresses of the two ends, hosts numeric. A tunnel that ends on this host looks local.
    """
    if theirs.scheme != "tcp":
        return True
    return is_loopback(theirs.host) or ours.host == theirs.host
