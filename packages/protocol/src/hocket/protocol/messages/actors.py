"""What is said about actors, and what callers and the workers that hold actors say to each other.

Calls go straight from the process that makes them to the worker that holds the actor, in a session
of their own between the two, and what came of them comes back the same way. Only where an actor is,
and what it is to be restarted from, goes by the scheduler.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeAlias

from msgspec import Struct

from hocket.protocol.messages.values import Failure

__all__ = [
    "ACTORS",
    "CHECKPOINT_NBYTES_MAX",
    "ActorSaved",
    "ActorsPlaced",
    "ActorsRestarting",
    "CallActors",
    "CallKind",
    "CallerToWorker",
    "CallsEnded",
    "CancelCalls",
    "CheckpointsKept",
    "RestoreActor",
    "WorkerToCaller",
]

#: The executor that makes and keeps actors: a task of it is one.
ACTORS: Final = "actors"
#: The scheduler keeps checkpoints, in its memory; larger states go elsewhere, and their names here.
CHECKPOINT_NBYTES_MAX: Final = 1 << 20


class CallKind(IntEnum):
    """What a caller wants of an actor."""

    #: Call a method; the payload is the pickled ``(args, kwargs)``.
    METHOD = 0
    #: Read an attribute; the payload is empty.
    ATTRIBUTE = 1


class ActorSaved(Struct, array_like=True, tag=181, gc=False):
    """A checkpoint: what an actor can be restarted from, and which calls are in that."""

    key: str
    attempt: int
    #: What ``__checkpoint__`` returned, pickled.
    state: bytes
    #: Per caller: the last of its calls that is in the state.
    callers: list[str]
    numbers: list[int]
    #: The how many-th of this incarnation.
    serial: int = 0


class CheckpointsKept(Struct, array_like=True, tag=187, gc=False):
    """The scheduler has these checkpoints: they would be what the actors are restarted from."""

    keys: list[str]
    attempts: list[int]
    serials: list[int]


class RestoreActor(Struct, array_like=True, tag=182, gc=False):
    """The task of this attempt, which follows, is an actor to be restarted from a checkpoint."""

    key: str
    attempt: int
    state: bytes
    callers: list[str]
    numbers: list[int]


class ActorsPlaced(Struct, array_like=True, tag=183, gc=False):
    """These actors are on these workers now, each in this incarnation, and take calls there."""

    keys: list[str]
    #: The incarnation of each: the attempt that made it.
    attempts: list[int]
    workers: list[str]
    #: Where each worker takes calls.
    addresses: list[str]
    #: Per actor that was restarted from a checkpoint, per caller: the last of its calls in that.
    callers: list[list[str]]
    saved_numbers: list[list[int]]


class ActorsRestarting(Struct, array_like=True, tag=184, gc=False):
    """The workers of these incarnations are gone; each is restarted from its last checkpoint."""

    keys: list[str]
    attempts: list[int]
    reasons: list[str]


class CallActors(Struct, array_like=True, tag=185, gc=False):
    """Call these actors, in this order. Each call is answered by ``CallsEnded``, once.

    The numbers of one caller's calls of one actor rise. One that is not greater than those before
    has come twice, and is passed over.
    """

    #: Names the caller in the whole cluster, whatever connection it comes on.
    caller: str
    keys: list[str]
    #: The incarnation that is meant: no other one takes the call.
    attempts: list[int]
    numbers: list[int]
    methods: list[str]
    #: See `CallKind`.
    kinds: list[int]
    payloads: list[bytes]


class CancelCalls(Struct, array_like=True, tag=188, gc=False):
    """Do not make these calls, or interrupt them where they wait.

    No answer of its own: each ends as it does, in good order or as cancelled.
    """

    caller: str
    keys: list[str]
    attempts: list[int]
    numbers: list[int]


class CallsEnded(Struct, array_like=True, tag=186, gc=False):
    """What came of calls: each has a pickled value or a failure."""

    keys: list[str]
    attempts: list[int]
    numbers: list[int]
    values: list[bytes | None]
    failures: list[Failure | None]
    #: Per call: the last of this caller's calls of this actor that is in a checkpoint which the
    #: scheduler has; 0: none.
    saved: list[int]


CallerToWorker: TypeAlias = CallActors | CancelCalls
WorkerToCaller: TypeAlias = CallsEnded
