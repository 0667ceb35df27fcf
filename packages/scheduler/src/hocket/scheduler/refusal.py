"""The refusal: how a machine's handler says that a peer did what it may not."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """A peer did what it may not; its session is to be closed with this reason."""
