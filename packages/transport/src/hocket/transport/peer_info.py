"""What is known of the process at the other end of a channel."""

from __future__ import annotations

from dataclasses import dataclass

from hocket.protocol.roles import Role
from hocket.protocol.versions import Versions

__all__ = ["PeerInfo"]


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """Who is at the other end: what it said of itself, and where the connection comes from.

    ``cluster_id`` is what a scheduler has said; empty of others.
    """

    role: Role
    name: str
    session_id: bytes
    address: str
    versions: Versions
    cluster_id: str = ""
