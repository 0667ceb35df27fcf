"""The networks of this host: where a server that listens on all of them can be reached."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import psutil

from hocket.core.errors import SettingsError
from hocket.transport.address import Address, is_loopback

__all__ = ["Network", "advertise", "host_networks", "interface_host"]

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 (to recognise, not to bind)


@dataclass(frozen=True, slots=True)
class Network:
    """A network that this host is part of.

    Attributes
    ----------
    interface
        Its name here, such as ``eth0``.
    host
        Our numeric address in it.
    prefix
        The length of its prefix in bits; 0 if it is not known.
    """

    interface: str
    host: str
    prefix: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether others could reach us here: neither the loopback nor of one link alone."""
        address = ipaddress.ip_address(self.host)
        return not (address.is_loopback or address.is_link_local)

    def contains(self, host: str) -> bool:
        """Whether a numeric address lies in it, so that no router is between us."""
        if not self.prefix:
            return False
        try:
            other = ipaddress.ip_address(host)
        except ValueError:
            return False
        return other in ipaddress.ip_network(f"{self.host}/{self.prefix}", strict=False)


def host_networks() -> list[Network]:
    """Return the networks of interfaces that are up; IPv4 goes first."""
    found = []
    states = psutil.net_if_stats()
    for family in _FAMILIES:
        for interface, addresses in psutil.net_if_addrs().items():
            if interface in states and not states[interface].isup:
                continue
            for one in addresses:
                if one.family == family:
                    host = one.address.partition("%")[0]
                    found.append(Network(interface, host, _prefix(host, one.netmask)))
    return found


def _prefix(host: str, mask: str | None) -> int:
    if mask is None:
        return 0
    try:
        number = int(ipaddress.ip_address(mask))
    except ValueError:
        return 0
    bits = ipaddress.ip_address(host).max_prefixlen
    ones = number.bit_count()
    return ones if number == ((1 << ones) - 1) << (bits - ones) else 0


def interface_host(interface: str, networks: Sequence[Network]) -> str:
    """Return our numeric address on an interface.

    Raises
    ------
    SettingsError
        There is no such interface, or it has no address.
    """
    for network in networks:
        if network.interface == interface:
            return network.host
    names: Mapping[str, None] = dict.fromkeys(network.interface for network in networks)
    raise SettingsError(
        name="interface",
        value=interface,
        allowed=f"it must be one of this host's that are up: {', '.join(names) or 'there is none'}",
        source="the settings",
    )


def advertise(listening: Address, networks: Sequence[Network]) -> list[Address]:
    """Return where others may reach a server, best first; it listens perhaps on all networks."""
    if listening.host not in _WILDCARDS:
        return [listening]
    is_v6 = ":" in listening.host
    hosts = [each.host for each in networks if each.is_usable and (":" in each.host) == is_v6]
    if not hosts:
        hosts = [each.host for each in networks if is_loopback(each.host)][:1] or ["127.0.0.1"]
    return [replace(listening, host=host) for host in dict.fromkeys(hosts)]
