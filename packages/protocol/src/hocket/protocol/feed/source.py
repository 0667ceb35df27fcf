"""What reads the feed sees: the same for a scheduler in this process, one far away, and a file."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    DescribeGraph,
    Events,
    EventsListed,
    ExplainKeys,
    FindTasks,
    GetMetadata,
    GraphDescribed,
    KeysExplained,
    KeysLocated,
    ListEvents,
    ListTasks,
    LocateKeys,
    MetadataTold,
    RequestRefused,
    Snapshot,
    TasksFound,
    TasksListed,
)
from hocket.protocol.messages.feed import EventKinds

__all__ = ["Answer", "Question", "Reader", "Source"]

#: What may be asked. (The number of the request is seen to by whoever asks.)
Question: TypeAlias = (
    FindTasks
    | DescribeGraph
    | ExplainKeys
    | ListTasks
    | LocateKeys
    | DescribeCluster
    | ListEvents
    | GetMetadata
)
Answer: TypeAlias = (
    TasksFound
    | GraphDescribed
    | KeysExplained
    | TasksListed
    | KeysLocated
    | ClusterDescribed
    | EventsListed
    | MetadataTold
    | RequestRefused
)


class Reader(Protocol):
    """One reader of a feed."""

    def snapshot(self) -> Snapshot:
        """Return what was there when the reader was made."""

    def take(self, count_max: int = 10_000) -> Events:
        """Return the events that came since, at most so many; never waits."""

    def close(self) -> None:
        """Read no more. May be called twice."""


class Source(Protocol):
    """A feed that can be read. For the thread of the event loop that it belongs to."""

    def read(self, kinds: int = EventKinds.USUAL, position: int = -1) -> Reader:
        """Begin to read; nothing is recorded for nobody, so close what is not read any more.

        Parameters
        ----------
        kinds
            A sum of `EventKinds`.
        position
            The number of the first event wanted; -1: what happens from now on, 0: all that is kept.
        """

    async def ask(self, question: Question) -> Answer:
        """Ask for something that stands in no event."""
