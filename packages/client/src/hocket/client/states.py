"""What the client knows of a key, and who waits for what: the records of its machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from hocket.core.errors import HocketError
from hocket.protocol.messages import Failure

__all__ = [
    "CANCELLED",
    "FAILED",
    "LOST",
    "PENDING",
    "STORED",
    "FutureState",
    "Request",
    "Watch",
]

# What became of a future; the words are those that users of dask.distributed know.
PENDING: Final = "pending"
STORED: Final = "finished"
FAILED: Final = "error"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"


class FutureState(Struct, eq=False, gc=False):
    """What is known of a key; one object for all futures of the key.

    Not tracked by the garbage collector, since there may be a million of them; they refer to
    nothing that refers to them for long.
    """

    key: str
    status: str = PENDING
    #: Futures of this key.
    references: int = 1
    #: Size of the value in bytes, as its worker estimates it.
    nbytes: int = 0
    #: The pickled value, where it is small enough to have come along.
    value: bytes | None = None
    failure: Failure | None = None
    #: Who waits for the next change; never changed in place, as many states share one.
    watches: tuple[Watch, ...] | None = None
    #: What must live as long as this: data that was scattered for the task's sake.
    holds: Any = None


class Watch:
    """Somebody who waits for futures: for a number of them, or to hear of each.

    Parameters
    ----------
    wake
        Called, outside of the machine, when there is news; must neither raise nor block.
    missing
        Futures to wait for.
    first_failure
        Whether one that failed ends the wait.
    every
        Whether to wake for each, and note it in `arrived`.
    """

    __slots__ = ("arrived", "fired", "first_failure", "missing", "wake")

    def __init__(
        self, wake: Callable[[], None], *, first_failure: bool = False, every: bool = False
    ) -> None:
        self.wake = wake
        self.missing = 0
        self.first_failure = first_failure
        self.arrived: list[FutureState] | None = [] if every else None
        self.fired = False


class Request:
    """A question to the scheduler that waits for its answer."""

    __slots__ = ("error", "fired", "number", "reply", "states", "wake")

    def __init__(self, number: int, wake: Callable[[], None]) -> None:
        self.number = number
        self.wake = wake
        #: The answer, once it is there.
        self.reply: Struct | None = None
        #: Of the keys in the answer, each counted for one future, where these are to be kept.
        self.states: list[FutureState] = []
        #: Why there will be none.
        self.error: HocketError | None = None
        self.fired = False
