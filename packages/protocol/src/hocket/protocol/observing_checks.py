"""Whether messages of the feed fit in themselves; see `hocket.protocol.checks`.

Lengths and ranges of events are bounded by their types, so that many are looked at at once.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from msgspec import Struct

from hocket.protocol import rules
from hocket.protocol.messages.feed import ProfileSampled
from hocket.protocol.messages.observing import (
    DescribeGraph,
    Events,
    EventsListed,
    EventsSeen,
    FindTasks,
    GetMetadata,
    GrantCredit,
    GraphDescribed,
    ListEvents,
    LogEvents,
    MetadataTold,
    ReportEvents,
    SetMetadata,
    Snapshot,
    Subscribe,
    TasksFound,
    Unsubscribe,
)

__all__ = ["OBSERVING_TESTS"]


def _events(message: Any) -> None:
    for event in message.events:
        if type(event) is ProfileSampled:
            _profile(message, event)


def _profile(message: Any, event: ProfileSampled) -> None:
    if not len(event.frames) == len(event.parents) == len(event.counts):
        raise rules.misfit(message, "events", "the columns of a profile differ in length")
    if any(not -1 <= parent < node for node, parent in enumerate(event.parents)):
        raise rules.misfit(message, "events", "a node of a profile stands before its parent")


def _graph(message: GraphDescribed) -> None:
    if len(message.sources) != len(message.targets):
        raise rules.misfit(message, "targets", "there are more ends of edges on one side")
    rules.in_range(message, "sources", message.sources, len(message.nodes))
    rules.in_range(message, "targets", message.targets, len(message.nodes))


def _interval(message: Any) -> None:
    if not (isfinite(message.interval_s) and message.interval_s >= 0):
        raise rules.misfit(message, "interval_s", f"{message.interval_s} is no time")


OBSERVING_TESTS: Final[dict[type[Struct], tuple[rules.Rule, ...]]] = {
    Subscribe: (_interval,),
    GrantCredit: (),
    Unsubscribe: (),
    LogEvents: (rules.equal("topics", "times", "keys", "payloads"), rules.amounts("times")),
    ListEvents: (),
    SetMetadata: (),
    GetMetadata: (),
    FindTasks: (),
    DescribeGraph: (),
    Snapshot: (),
    Events: (_events,),
    EventsListed: (),
    MetadataTold: (),
    TasksFound: (),
    GraphDescribed: (_graph,),
    ReportEvents: (_interval,),
    EventsSeen: (_events,),
}
