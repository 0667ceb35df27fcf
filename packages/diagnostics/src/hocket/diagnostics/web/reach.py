"""From where a server can be reached, and by which names."""

from __future__ import annotations

import ipaddress
import socket

from hocket.core.name_lists import split_names
from hocket.core.settings import Settings

__all__ = ["is_loopback", "names_of", "needs_login", "uses_tls"]


def needs_login(settings: Settings, host: str) -> bool:
    """Whether who looks at a server on this host has to log in."""
    return settings.diagnostics.login == "always" or not is_loopback(host)


def uses_tls(settings: Settings, host: str) -> bool:
    """Whether a server on this host speaks TLS."""
    asked = settings.diagnostics.tls
    return asked == "on" or (asked == "auto" and not is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a server that is bound to this host can be reached from it alone."""
    try:
        return all(
            ipaddress.ip_address(found[4][0]).is_loopback
            for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
    except (OSError, ValueError):
        return False


def names_of(settings: Settings) -> set[str]:
    """Return the names by which this host may be called, with those of the settings."""
    given = split_names(settings.diagnostics.hosts)
    hostname = socket.gethostname()
    return {hostname, f"{hostname}.local", *given} - {""}
