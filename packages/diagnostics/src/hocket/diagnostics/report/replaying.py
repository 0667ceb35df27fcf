"""Folding a recording of the feed into a model."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.diagnostics.model import ClusterModel
from hocket.protocol.messages import Events, Snapshot

__all__ = ["replay"]


def replay(recording: Iterable[Snapshot | Events]) -> ClusterModel:
    """Return a model that has seen all of a recording."""
    model = ClusterModel()
    for part in recording:
        if isinstance(part, Snapshot):
            model.begin(part)
        else:
            model.fold(part.events, lost=part.dropped)
    return model
