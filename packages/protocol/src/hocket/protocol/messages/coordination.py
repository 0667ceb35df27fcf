"""What clients and the scheduler say to each other about locks, queues and their kin.

Every request has a number, by which it is answered exactly once; one that waits may be withdrawn.
A request of code inside a task names the task and its attempt: what it waits for or holds is over
when the attempt is. What is held is known by its token, a number that only ever grows.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

__all__ = [
    "AcquireLeases",
    "AcquireLocks",
    "ChangeBarrier",
    "ChangeEvent",
    "ClientCoordinates",
    "CloseQueue",
    "Denial",
    "GetVariable",
    "GrantGiven",
    "GrantsRevoked",
    "ItemsGiven",
    "ItemsReceived",
    "LookAt",
    "Primitive",
    "PutItem",
    "ReleaseGrant",
    "RequestDenied",
    "RequestDone",
    "SchedulerCoordinates",
    "SetVariable",
    "StateTold",
    "TakeItems",
    "WaitBarrier",
    "WaitEvent",
    "WithdrawRequest",
]


class Primitive(IntEnum):
    """What can be looked at."""

    #: A grant, by its token.
    GRANT = 0
    LOCK = 1
    SEMAPHORE = 2
    EVENT = 3
    VARIABLE = 4
    QUEUE = 5
    BARRIER = 6


class Denial(IntEnum):
    """Why a request is not met."""

    #: It was withdrawn in time.
    WITHDRAWN = 1
    #: The token stands for nothing that the client holds (any more).
    NOT_HELD = 2
    #: Others use the same name with another size.
    MISMATCH = 3
    #: The barrier is broken.
    BROKEN = 4
    #: It is over a limit of the scheduler's.
    LIMIT = 5
    #: A value refers to a key that the scheduler does not know.
    UNKNOWN_KEY = 6
    #: The attempt of the task that asked is over.
    TASK_OVER = 7
    #: The queue was closed meanwhile.
    CLOSED = 8


class AcquireLocks(Struct, array_like=True, tag=101, gc=False):
    """Hold so many of these locks, all at once. Answered by ``GrantGiven``."""

    request: int
    names: list[str]
    count: int
    task_key: str = ""
    attempt: int = 0


class AcquireLeases(Struct, array_like=True, tag=102, gc=False):
    """Hold so many of a semaphore's ``limit`` leases. Answered by ``GrantGiven``."""

    request: int
    name: str
    limit: int
    count: int
    task_key: str = ""
    attempt: int = 0


class ReleaseGrant(Struct, array_like=True, tag=103, gc=False):
    """Let go of what a token stands for. Answered by ``RequestDone``."""

    request: int
    token: int


class WaitEvent(Struct, array_like=True, tag=104, gc=False):
    """Say when the event is set. Answered by ``RequestDone``."""

    request: int
    name: str
    task_key: str = ""
    attempt: int = 0


class ChangeEvent(Struct, array_like=True, tag=105, gc=False):
    """Set or clear an event. Answered by ``RequestDone``."""

    request: int
    name: str
    is_set: bool
    #: Where not 0: only if what this token stands for is held.
    fence: int = 0


class SetVariable(Struct, array_like=True, tag=106, gc=False):
    """Give a variable a value (None: none). Answered by ``RequestDone``."""

    request: int
    name: str
    value: bytes | None
    #: Of the futures in the value, which live as long as it does.
    keys: list[str] = []
    fence: int = 0


class GetVariable(Struct, array_like=True, tag=107, gc=False):
    """Give the value of a variable, as soon as it has one. Answered by ``ItemsGiven``."""

    request: int
    name: str
    task_key: str = ""
    attempt: int = 0


class PutItem(Struct, array_like=True, tag=108, gc=False):
    """Put a value at the end of a queue, when there is room. Answered by ``RequestDone``."""

    request: int
    name: str
    value: bytes
    keys: list[str] = []
    #: Of the queue, if the client knows one; 0: it does not.
    capacity: int = 0
    fence: int = 0
    task_key: str = ""
    attempt: int = 0


class TakeItems(Struct, array_like=True, tag=109, gc=False):
    """Take the first values of a queue when so many are there. Answered by ``ItemsGiven``."""

    request: int
    name: str
    count_min: int
    count_max: int
    capacity: int = 0
    task_key: str = ""
    attempt: int = 0


class CloseQueue(Struct, array_like=True, tag=110, gc=False):
    """Forget a queue, with what is in it. Answered by ``RequestDone``."""

    request: int
    name: str


class WaitBarrier(Struct, array_like=True, tag=111, gc=False):
    """Say when so many wait. Answered by ``RequestDone`` with the place in the order of arrival."""

    request: int
    name: str
    parties: int
    task_key: str = ""
    attempt: int = 0


class ChangeBarrier(Struct, array_like=True, tag=112, gc=False):
    """Break a barrier, or make a broken one whole. Answered by ``RequestDone``."""

    request: int
    name: str
    is_broken: bool


class LookAt(Struct, array_like=True, tag=113, gc=False):
    """How does it stand with this? Answered by ``StateTold``."""

    request: int
    kind: Primitive
    name: str = ""
    token: int = 0


class WithdrawRequest(Struct, array_like=True, tag=114, gc=False):
    """Deny this request, if it is not answered yet."""

    request: int


class ItemsReceived(Struct, array_like=True, tag=115, gc=False):
    """The items of this request have arrived: they are kept, or go back to where they were."""

    request: int
    is_kept: bool


class GrantGiven(Struct, array_like=True, tag=121, gc=False):
    """Answer to ``AcquireLocks`` and ``AcquireLeases``: it is held, under this token."""

    request: int
    token: int


class GrantsRevoked(Struct, array_like=True, tag=122, gc=False):
    """What these tokens stood for is not held any more, for this reason."""

    tokens: list[int]
    reason: str


class ItemsGiven(Struct, array_like=True, tag=123, gc=False):
    """Answer to ``TakeItems`` and ``GetVariable``; to be answered by ``ItemsReceived``."""

    request: int
    values: list[bytes]
    keys: list[list[str]]


class RequestDone(Struct, array_like=True, tag=124, gc=False):
    """Answer to a request that asks for no more than a number, or none."""

    request: int
    number: int = 0


class RequestDenied(Struct, array_like=True, tag=125, gc=False):
    """Answer to a request that is not met."""

    request: int
    kind: Denial
    text: str


class StateTold(Struct, array_like=True, tag=126, gc=False):
    """Answer to ``LookAt``: numbers, whose meaning depends on the kind."""

    request: int
    numbers: list[int]


ClientCoordinates = (
    AcquireLocks
    | AcquireLeases
    | ReleaseGrant
    | WaitEvent
    | ChangeEvent
    | SetVariable
    | GetVariable
    | PutItem
    | TakeItems
    | CloseQueue
    | WaitBarrier
    | ChangeBarrier
    | LookAt
    | WithdrawRequest
    | ItemsReceived
)

SchedulerCoordinates = (
    GrantGiven | GrantsRevoked | ItemsGiven | RequestDone | RequestDenied | StateTold
)
