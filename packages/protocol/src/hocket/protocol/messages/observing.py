"""Subscribing to the feed, events that users log, and metadata that they keep.

A subscription is a number that the subscriber chooses, unique in its session. It is answered by one
`Snapshot`, and then by `Events`, as many as there is credit for: each event costs one, and the
subscriber grants more when it has worked through what came. Who falls behind loses the oldest, and
is told how many; the scheduler never waits.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from hocket.protocol.messages.feed import (
    Amount,
    Attempt,
    ClientCame,
    Count,
    Event,
    EventKinds,
    GroupCounted,
    Key,
    Name,
    Payload,
    Text,
    UserEvent,
    WorkerCame,
    WorkerEvent,
    WorkerSampled,
)

__all__ = [
    "CREDIT_MAX",
    "PATH_LENGTH_MAX",
    "Asks",
    "DescribeGraph",
    "Events",
    "EventsListed",
    "EventsSeen",
    "FindTasks",
    "GetMetadata",
    "GrantCredit",
    "GraphDescribed",
    "GraphNode",
    "ListEvents",
    "LogEvents",
    "MetadataTold",
    "ReportEvents",
    "SetMetadata",
    "Snapshot",
    "Subscribe",
    "TaskDescription",
    "TasksFound",
    "Tells",
    "Unsubscribe",
]


#: More events than these are never under way.
CREDIT_MAX: Final = 100_000
#: Names in the path of a piece of metadata.
PATH_LENGTH_MAX: Final = 32

#: Credit is bounded, so that what is under way to a reader is.
Credit: TypeAlias = Annotated[int, Meta(ge=0, le=CREDIT_MAX)]
#: Of names, the outermost first.
Path: TypeAlias = Annotated[list[Name], Meta(min_length=1, max_length=PATH_LENGTH_MAX)]


class Subscribe(Struct, array_like=True, tag=141, gc=False):
    """Send me events of these kinds. Answered by ``Snapshot``, then by ``Events``."""

    request: Count
    #: A sum of `EventKinds`.
    kinds: Count = int(EventKinds.ALL)
    #: The number of the first event wanted; -1: what happens from now on; 0: all that is kept.
    position: Annotated[int, Meta(ge=-1, le=1 << 62)] = -1
    #: So many events may be sent before more is granted.
    credit: Credit = 10_000
    #: Events are held back for so long, so that many go together.
    interval_s: Amount = 0.1
    #: Of `UserEvent`, only these topics; empty: all.
    topics: list[Name] = []


class GrantCredit(Struct, array_like=True, tag=142, gc=False):
    """So many events of this subscription have been dealt with; as many more may come."""

    request: Count
    count: Count


class Unsubscribe(Struct, array_like=True, tag=143, gc=False):
    """Send no more of this."""

    request: Count


class LogEvents(Struct, array_like=True, tag=144, gc=False):
    """Keep these under their topics, and tell whoever reads the feed."""

    topics: list[Name]
    times: list[Amount]
    #: The task that says it; "" if none does.
    keys: list[Key]
    #: MessagePack of plain data.
    payloads: list[Payload]


class ListEvents(Struct, array_like=True, tag=145, gc=False):
    """What was logged under this topic ("": any)? Answered by ``EventsListed``."""

    request: Count
    topic: Name = ""


class SetMetadata(Struct, array_like=True, tag=146, gc=False):
    """Keep this under a path of names. Answered by ``MetadataTold`` with the same value."""

    request: Count
    path: Path
    #: MessagePack of plain data; None: forget what is there.
    value: Payload | None


class GetMetadata(Struct, array_like=True, tag=147, gc=False):
    """What is kept under this path? Answered by ``MetadataTold``."""

    request: Count
    path: Path


class FindTasks(Struct, array_like=True, tag=148, gc=False):
    """Which tasks have this text in their keys ("": any)? Answered by ``TasksFound``."""

    request: Count
    text: Text = ""
    #: Only those in these states of the scheduler; empty: any.
    states: list[Name] = []
    #: Only those of this function ("": of any).
    group: Name = ""
    count_max: Count = 100


class DescribeGraph(Struct, array_like=True, tag=149, gc=False):
    """What depends on what? Answered by ``GraphDescribed``."""

    request: Count
    #: Where there are more tasks than this, those of one function and state make one node.
    nodes_max: Count = 300


class TaskDescription(Struct, array_like=True, gc=False):
    """One task, for people."""

    key: Key
    group: Name
    state: Name
    attempt: Attempt
    nbytes: Count
    #: Names of the worker that was given it, or of those that hold its value.
    workers: list[Name]
    dependencies: list[Key]
    dependents: Count


class GraphNode(Struct, array_like=True, gc=False):
    """A task, or several of one function (then without a key)."""

    key: Key
    group: Name
    state: Name
    count: Count


class Snapshot(Struct, array_like=True, tag=151, gc=False):
    """What is there as a subscription begins: the events from ``position`` on continue it."""

    request: Count
    #: The number of the event that comes first, and that of the next that will happen.
    position: Count
    following: Count
    time_s: Amount
    #: The address of the scheduler (or worker) that speaks.
    address: Name
    workers: list[WorkerCame]
    samples: list[WorkerSampled]
    groups: list[GroupCounted]
    clients: list[ClientCame]


class Events(Struct, array_like=True, tag=152, gc=False):
    """What happened, in order: the events of the wanted kinds among those of these numbers."""

    request: Count
    #: The number of the first event that was looked at, and of the one after the last.
    first: Count
    following: Count
    #: How many were lost before ``first``, since they came faster than they were read.
    dropped: Count
    events: list[Event]


class EventsListed(Struct, array_like=True, tag=153, gc=False):
    """Answer to ``ListEvents``, the oldest first."""

    request: Count
    events: list[UserEvent]


class MetadataTold(Struct, array_like=True, tag=154, gc=False):
    """Answer to ``GetMetadata`` and ``SetMetadata``; None: there is nothing."""

    request: Count
    value: Payload | None


class TasksFound(Struct, array_like=True, tag=155, gc=False):
    """Answer to ``FindTasks``: the first that fit, and whether there are more."""

    request: Count
    tasks: list[TaskDescription]
    more: bool


class GraphDescribed(Struct, array_like=True, tag=156, gc=False):
    """Answer to ``DescribeGraph``: nodes, and edges as pairs of indices into them."""

    request: Count
    nodes: list[GraphNode]
    sources: list[Count]
    targets: list[Count]
    #: Whether the nodes are single tasks.
    single: bool


class ReportEvents(Struct, array_like=True, tag=49, gc=False):
    """Report events of these kinds to the scheduler from now on; 0: none, nobody looks."""

    kinds: Count
    #: Time between two samples.
    interval_s: Amount = 0.5


class EventsSeen(Struct, array_like=True, tag=76, gc=False):
    """What happened on the worker, along with what it reports anyway."""

    events: list[WorkerEvent]
    #: How many were lost before these, since there were too many.
    dropped: Count = 0


#: What clients and observers may say of all this, and what they are answered.
Asks = Subscribe | GrantCredit | Unsubscribe | ListEvents | GetMetadata | FindTasks | DescribeGraph
Tells = Snapshot | Events | EventsListed | MetadataTold | TasksFound | GraphDescribed
