"""The roles that a process may have in a cluster."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Role"]


class Role(IntEnum):
    """What a peer is, and with that what it may say."""

    CLIENT = 1
    SCHEDULER = 2
    WORKER = 3
    OBSERVER = 4
