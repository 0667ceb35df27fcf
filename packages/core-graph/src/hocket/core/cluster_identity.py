"""Which cluster something belongs to: its id, and how its scheduler is called.

A cluster gets its id when its scheduler is started. Addresses are used again, and one scheduler may
have several; so who compares clusters compares ids, and names addresses for people.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["CLUSTER_ID", "ClusterIdentity"]

#: What an id may be; it may stand in the name of a file.
CLUSTER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


class ClusterIdentity(NamedTuple):
    """A cluster, for who compares it with another.

    Attributes
    ----------
    id
        Its own alone.
    address
        Of its scheduler, as whoever speaks of it calls it.
    """

    id: str
    address: str

    def is_of(self, other: ClusterIdentity) -> bool:
        """Whether both are the same cluster."""
        return self.id == other.id

    def __str__(self) -> str:
        return f"{self.address} (id {self.id})"
