"""What is known of the values that are large enough to go into files, where memory is short.

A value that is here is in one of four states. One that some task here has among its inputs stays in
memory; one that has just been read stays there longest::

        to spill                written
    HELD --------> SPILLING ------------> SPILLED
      ^               |                    |   ^
      | not written,  |          a task or |   | nobody waits any more
      | or a reader   |    a copy needs it |   |
      | came          |                    v   |
      +---------------+--------------- READING-+
                           read back       |
                                           +-> lost: the file was damaged

HELD and SPILLING are in memory, and `Datum.want` is None; a SPILLING one stands in `Shelf.spilling`
and may go on to be read as if nothing were. SPILLED and READING are states of the datum's `Want`,
like those of values that are to come from other workers: tasks wait for them in the same way. A
value that is dropped while somebody waits for it to be read back is read nevertheless, and kept no
longer than that.

`hocket.worker.spilling` makes the moves.
"""

from __future__ import annotations

import heapq
from typing import Final, TypeAlias

from hocket.worker.policy.memory import SpillPolicy
from hocket.worker.state import Datum, Spill, Unspill, Want, WantState

__all__ = ["SPILLING_MAX", "Shelf"]

#: Values that are being written at once: one, and one more so that the writer need not wait.
SPILLING_MAX: Final = 2
#: No value is as large.
_NEVER_NBYTES: Final = 1 << 62

#: A value that is to be read back: lower priority first, then first come, first served. Its `Want`
#: stands here as well, so that an entry of an earlier want of the same value is known as stale.
_Entry: TypeAlias = tuple[int, int, Datum, Want]


class Shelf:
    """Plain records, as `hocket.worker.tables` has them.

    Parameters
    ----------
    policy
        Says how much is to leave the memory.
    nbytes_min
        Smaller values never do.

    Attributes
    ----------
    nbytes_min
        As given; more than any value has where nothing is to leave.
    idle
        Values in memory that may leave it, those first that nobody has used for the longest time.
    spilling, spilling_nbytes
        What is being written, and the size of that.
    spilled, spilled_nbytes
        What is in files alone (also where nobody but a waiting task wants it any more), and the
        size of that.
    reading, reading_nbytes
        What of that is being read back, and the size of that.
    unspillable
        Values that cannot leave, and why.
    process_excess_nbytes
        By how much the process is to shrink.
    is_full
        Whether the disk took no more the last time.
    retry_s
        When it is tried again; None: nothing is tried.
    queue
        A heap of what may be waiting to be read back; see `next`.
    """

    __slots__ = (
        "_serial",
        "idle",
        "is_full",
        "nbytes_min",
        "policy",
        "process_excess_nbytes",
        "queue",
        "reading",
        "reading_nbytes",
        "retry_s",
        "spilled",
        "spilled_nbytes",
        "spilling",
        "spilling_nbytes",
        "unspillable",
    )

    def __init__(self, policy: SpillPolicy, nbytes_min: int) -> None:
        self.policy = policy
        self.nbytes_min = nbytes_min if policy.is_on else _NEVER_NBYTES
        self.idle: dict[Datum, None] = {}
        self.spilling: dict[Datum, Spill] = {}
        self.spilling_nbytes = 0
        self.spilled: dict[Datum, None] = {}
        self.spilled_nbytes = 0
        self.reading: dict[Datum, Unspill] = {}
        self.reading_nbytes = 0
        self.unspillable: dict[Datum, str] = {}
        self.process_excess_nbytes = 0.0
        self.is_full = False
        self.retry_s: float | None = None
        self.queue: list[_Entry] = []
        self._serial = 0

    # What is to be read back.

    def push(self, datum: Datum, want: Want) -> None:
        """Let a value in state SPILLED be read back in its turn."""
        self._serial += 1
        heapq.heappush(self.queue, (want.priority, self._serial, datum, want))

    def next(self) -> Datum | None:
        """Return what is to be read back first; None if there is nothing. It stays in line."""
        queue = self.queue
        while queue:
            _, _, datum, want = queue[0]
            if want.state is WantState.SPILLED and (want.waiters or want.is_copy):
                return datum
            heapq.heappop(queue)
        return None

    def queued(self) -> list[Datum]:
        """Return all that is to be read back, in no particular order, perhaps twice."""
        return [
            datum
            for _, _, datum, want in self.queue
            if want.state is WantState.SPILLED and (want.waiters or want.is_copy)
        ]
