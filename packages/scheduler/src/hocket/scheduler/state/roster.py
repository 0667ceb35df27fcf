"""The roster: the workers that may be given more, least loaded first.

A heap whose entries are not taken out when a load changes: one that is stale is passed over, or put
back in its place, when it surfaces. A load that fell is entered anew; one that rose is found out
when its entry surfaces. So a turn costs what it changes, however many workers there are.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from hocket.scheduler.state.worker import Worker

__all__ = ["Roster"]

#: So many stale entries are not worth a sweep.
_STALE_COUNT_MAX: Final = 64
#: So many of the workers are looked at for one task that not every worker is right for.
_LOOKED_AT_MAX: Final = 64


class Roster:
    """Workers, by load.

    Attributes
    ----------
    members
        All that are listed (a dict for its order).
    """

    __slots__ = ("_entries", "members")

    def __init__(self) -> None:
        self.members: dict[Worker, None] = {}
        #: ``(load in seconds, worker id, worker)``
        self._entries: list[tuple[float, int, Worker]] = []

    def __bool__(self) -> bool:
        return bool(self.members)

    def __contains__(self, worker: object) -> bool:
        return worker in self.members

    def __len__(self) -> int:
        return len(self.members)

    def list(self, worker: Worker, now_s: float) -> None:
        """List a worker under its present load; again if its load may have fallen."""
        load_s = worker.load_s(now_s)
        if worker in self.members and worker.listed_s <= load_s:
            return
        self.members[worker] = None
        worker.listed_s = load_s
        heappush(self._entries, (load_s, worker.id, worker))
        if len(self._entries) > 2 * len(self.members) + _STALE_COUNT_MAX:
            self._entries = [(one.listed_s, one.id, one) for one in self.members]
            heapify(self._entries)

    def drop(self, worker: Worker) -> None:
        """List a worker no more."""
        self.members.pop(worker, None)

    def idlest(
        self, now_s: float, is_right: Callable[[Worker], bool] | None = None
    ) -> Worker | None:
        """Return the least loaded worker; entries are brought up to date as they surface.

        Parameters
        ----------
        now_s
            The time.
        is_right
            What it must be besides. Only so many are asked, the least loaded ones.
        """
        entries = self._entries
        aside: list[tuple[float, int, Worker]] = []
        found = None
        while entries:
            load_s, id_, worker = entries[0]
            if worker.listed_s != load_s or worker not in self.members:
                heappop(entries)
                continue
            present_s = worker.load_s(now_s)
            if present_s != load_s:
                worker.listed_s = present_s
                heapreplace(entries, (present_s, id_, worker))
                continue
            if is_right is None or is_right(worker):
                found = worker
                break
            aside.append(heappop(entries))
            if len(aside) >= _LOOKED_AT_MAX:
                break
        for entry in aside:
            heappush(entries, entry)
        return found

    def __repr__(self) -> str:
        return f"<Roster of {len(self.members)} workers>"
