"""Fairness between clients: whose tasks come next.

Start-time fair queuing (Goyal, Vin, Cheng, "Start-time Fair Queuing", SIGCOMM 1996), once for each
user priority. A submission gets tags from where its client's last one ended, or from what runs at
the moment if that is later; the least tag runs first. So a client that has queued a hundred
thousand tasks and one that comes with a single task each get their turn: the latter's tag is that
of what runs now, long before the former's last. Tags count expected work in milliseconds, a task at
least one, so that a client with long tasks does not get more than one with short ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hocket.scheduler.tables import PRIORITY_BITS

if TYPE_CHECKING:
    from hocket.protocol.messages import SubmitTasks
    from hocket.scheduler.state import Client, Task, TaskClass
    from hocket.scheduler.tables import Tables

__all__ = ["Tags", "note_finished"]

_TAG_MAX: Final[int] = 2**PRIORITY_BITS - 1
#: The most that one task adds to its client's tags, however long it runs.
_STRIDE_MAX: Final = 1000
#: What finishes moves the clock on by so much at the most, whatever tag it has: a client chooses
#: its ranks itself.
_STEP_MAX: Final = 2**32


class Tags:
    """The priorities of one submission's tasks."""

    __slots__ = ("_base", "_level", "_stride")

    def __init__(
        self,
        tables: Tables,
        client: Client,
        message: SubmitTasks,
        kinds: Sequence[TaskClass | None],
    ) -> None:
        level = message.priority
        self._level: int = -level << PRIORITY_BITS
        self._base = max(tables.clock.get(level, 0), client.tags.get(level, 0))
        durations = [one.duration_s for one in kinds if one is not None and one.measured_count]
        mean_s = sum(durations) / len(durations) if durations else 0.0
        self._stride = min(max(round(mean_s * 1000), 1), _STRIDE_MAX)
        count = len(message.payloads)
        client.tags[level] = min(self._base + count * self._stride, _TAG_MAX)

    def priority(self, rank: int) -> int:
        """Return the priority of the task of this rank in the submission."""
        return self._level + min(self._base + rank * self._stride, _TAG_MAX)


def note_finished(tables: Tables, task: Task) -> None:
    """Move the clock of its user priority on to a task that has finished."""
    priority = task.priority
    level = -(priority >> PRIORITY_BITS)
    clock = tables.clock.get(level, 0)
    tag = priority & _TAG_MAX
    if tag > clock:
        tables.clock[level] = min(tag, clock + _STEP_MAX)
