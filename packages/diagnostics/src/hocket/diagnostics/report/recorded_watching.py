"""Watching a recording: a model that has seen all of it, and changes no more."""

from __future__ import annotations

from pathlib import Path

from hocket.core.errors import LocalProtocolError
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.report.replaying import replay
from hocket.protocol.feed import Answer, Question
from hocket.protocol.messages.feed import EventKinds
from hocket.transport.feed_file import read_recording

__all__ = ["RecordedWatch"]


class RecordedWatch:
    """A recording, as pages read it.

    Parameters
    ----------
    path
        What `hocket.client.Client.record_feed` wrote.
    """

    def __init__(self, path: Path) -> None:
        self.model: ClusterModel = replay(read_recording(path))
        self.state = f"recorded: {path.name}"

    async def need(self, kinds: EventKinds) -> None:
        """Do nothing: all that there is has been read."""

    async def ask(self, question: Question) -> Answer:
        """Refuse: nobody is there to answer."""
        raise LocalProtocolError(reason=f"a recording cannot be asked {type(question).__name__}")

    async def close(self) -> None:
        """Do nothing."""
