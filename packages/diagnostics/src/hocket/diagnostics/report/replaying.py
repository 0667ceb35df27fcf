"""Folding a recording of the feed into a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hocket.diagnostics.model import ClusterModel
from hocket.protocol.feed.recording import FeedDecoder
from hocket.protocol.messages import Events, Snapshot

__all__ = ["read_recording", "replay"]

_CHUNK_NBYTES: Final = 1 << 20


def replay(recording: Iterable[Snapshot | Events]) -> ClusterModel:
    """Return a model that has seen all of a recording."""
    model = ClusterModel()
    for part in recording:
        if isinstance(part, Snapshot):
            model.begin(part)
        else:
            model.fold(part.events, lost=part.dropped)
    return model


def read_recording(path: str | Path) -> Iterable[Snapshot | Events]:
    """Yield what stands in a recording; an end that is torn off is left out.

    Raises
    ------
    OSError
        It cannot be read.
    RemoteProtocolError
        It is no recording, or damaged.
    """
    decoder = FeedDecoder()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK_NBYTES):
            yield from decoder.feed(chunk)
