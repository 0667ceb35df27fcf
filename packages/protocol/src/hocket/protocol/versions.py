"""The versions that a process speaks and runs, as it tells them to its peers."""

from __future__ import annotations

import sys
from typing import Final

from msgspec import Struct

__all__ = ["HOCKET_VERSION", "OUR_VERSIONS", "PROTOCOL_VERSION", "Versions"]

#: Rises with every change of the wire that an older process would not understand. Peers whose
#: numbers differ refuse each other before anything else is said.
PROTOCOL_VERSION: Final = 1

#: The version of all our packages; written here because reading it from their metadata costs a
#: tenth of the time that a worker takes to start.
HOCKET_VERSION: Final = "0.1.0"


class Versions(Struct, frozen=True, array_like=True):
    """What a process speaks (``protocol``) and runs (``hocket``, ``python``)."""

    protocol: int
    hocket: str
    python: str


OUR_VERSIONS: Final = Versions(
    protocol=PROTOCOL_VERSION,
    hocket=HOCKET_VERSION,
    python=".".join(map(str, sys.version_info[:3])),
)
