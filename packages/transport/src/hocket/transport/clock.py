"""The real clock, handed into machines as values by the shells."""

from __future__ import annotations

import time

__all__ = ["monotonic", "now"]


def now() -> float:
    """Return the seconds since the epoch; may jump when the host's clock is set."""
    return time.time()


def monotonic() -> float:
    """Return seconds from an arbitrary start, which never run backwards; for deadlines."""
    return time.monotonic()
