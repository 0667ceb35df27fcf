"""Addresses: ``tcp://host:port``, ``tls://host:port``, ``unix:///path``, ``inproc://name``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from hocket.core.errors import SettingsError

__all__ = ["Address", "is_loopback", "is_same_host", "join", "parse", "parse_all"]

_PORT_MAX: Final = 65535
#: More are tried by nobody.
_ADDRESSES_MAX: Final = 32
#: What fits the kernel's ``sockaddr_un`` on every system that has one.
_PATH_LENGTH_MAX: Final = 103
#: A name of the domain name system (RFC 1035), with the underscores that some networks use.
_NAME_LENGTH_MAX: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_FORMS: Final = "it must be tls://host:port, tcp://host:port, unix:///path or inproc://name"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process listens; its text form is what `parse` reads.

    ``host`` and ``port`` are of ``tcp`` and ``tls``; ``path`` is of ``unix`` (a file) and
    ``inproc`` (a name).
    Where to listen may be a range of ports, of which ``port_last`` is the last and the first free
    one is taken; elsewhere it is 0.
    """

    scheme: Literal["tcp", "tls", "unix", "inproc"]
    host: str = ""
    port: int = 0
    path: str = ""
    port_last: int = 0

    @property
    def is_network(self) -> bool:
        """Whether it has a host and a port."""
        return self.scheme in ("tcp", "tls")

    def __str__(self) -> str:
        if self.is_network:
            host = f"[{self.host}]" if ":" in self.host else self.host
            last = f"-{self.port_last}" if self.port_last else ""
            return f"{self.scheme}://{host}:{self.port}{last}"
        return f"{self.scheme}://{self.path}"


def parse(address: str) -> Address:
    """Return what an address says.

    Parameters
    ----------
    address
        ``tcp://host:port`` or ``tls://host:port``, an IPv6 host in brackets; port 0 asks the system
        for a free one when listening, and ``tcp://host:8786-8885`` takes the first of a range that
        is free.
        ``unix:///path``; ``inproc://name``. Without a scheme it is ``tcp``.

    Raises
    ------
    SettingsError
        It is no address.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "tcp", address
    if scheme in ("tcp", "tls"):
        return _parse_network("tls" if scheme == "tls" else "tcp", address, rest)
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


def parse_all(addresses: str) -> tuple[Address, ...]:
    """Return what a text with one or more addresses of one server says, commas between them.

    Raises
    ------
    SettingsError
        One is no address, or there are too many.
    """
    texts = [text.strip() for text in addresses.split(",")]
    if len(texts) > _ADDRESSES_MAX:
        raise _unfit(addresses, f"a server has at most {_ADDRESSES_MAX} addresses")
    return tuple(parse(text) for text in texts)


def join(addresses: Iterable[Address]) -> str:
    """Return the text that `parse_all` reads."""
    return ",".join(map(str, addresses))


def _parse_network(scheme: Literal["tcp", "tls"], address: str, rest: str) -> Address:
    host, separator, port_text = rest.rpartition(":")
    if not separator:
        raise _unfit(address, f"the port is missing; {_FORMS}")
    first, separator, last = port_text.partition("-")
    port, port_last = _parse_port(address, first), 0
    if separator:
        port_last = _parse_port(address, last)
        if not 0 < port < port_last:
            raise _unfit(address, "a range of ports is from a lower to a higher, as 8786-8885")
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
    return Address(scheme, host=host, port=port, port_last=port_last)


def _parse_port(address: str, text: str) -> int:
    # int() alone would take "+1", " 1", "1_0" and other scripts' digits.
    if text.isascii() and text.isdecimal() and int(text) <= _PORT_MAX:
        return int(text)
    raise _unfit(address, f"a port is a number from 0 to {_PORT_MAX}")


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
    if not theirs.is_network:
        return True
    return is_loopback(theirs.host) or ours.host == theirs.host
