"""Which of a server's addresses to try, in which order: pure, for the shells to obey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hocket.transport.address import Address, is_loopback
from hocket.transport.interfaces import Network

__all__ = ["explain", "order"]


def order(
    addresses: Sequence[Address], networks: Sequence[Network], won: Address | None = None
) -> list[Address]:
    """Return addresses of one server, the one most likely to be the best way first.

    The one that led there last goes first; then what only this host can have, which is fast where
    it is there at all and fails at once where not; then those in a network that we are part of;
    then the others, as the server has put them.

    Parameters
    ----------
    addresses
        Where the server listens, best first in its own opinion.
    networks
        Those that this host is part of.
    won
        By which it was reached before, if it was.
    """

    def rank(address: Address) -> int:
        if address == won:
            return 0
        if not address.is_network:
            return 1
        if is_loopback(address.host):
            return 2
        return 3 if any(network.contains(address.host) for network in networks) else 4

    # (Sorting keeps the order of equals.)
    return sorted(dict.fromkeys(addresses), key=rank)


def explain(addresses: Sequence[Address], reasons: Mapping[Address, str], missing: str) -> str:
    """Return in words why none of a server's addresses could be reached.

    Parameters
    ----------
    addresses
        Those that there are, in the order in which they were tried.
    reasons
        Why each could not be reached, as far as it was tried.
    missing
        The reason where none is known.
    """
    if len(addresses) == 1:
        return reasons.get(addresses[0], missing)
    told = (f"{address}: {reasons.get(address, missing)}" for address in addresses)
    return "all of its addresses were tried: " + "; ".join(told)
