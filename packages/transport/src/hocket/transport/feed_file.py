"""Recordings of the feed, read from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hocket.protocol.feed.recording import FeedDecoder
from hocket.protocol.messages import Events, Snapshot

__all__ = ["read_recording"]

_CHUNK_NBYTES: Final = 1 << 20


def read_recording(path: str | Path) -> Iterator[Snapshot | Events]:
    """Yield what stands in a recording; an end that is torn off is left out.

    Parameters
    ----------
    path
        What `hocket.client.Client.record_feed` wrote.

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
