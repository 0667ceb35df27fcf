"""Which inputs to ask for next, whom, and which of them together.

One request at a time goes to one peer, so that a request carries all that piled up for that peer
meanwhile. The most urgent value that an idle peer holds goes first; values of the same peer go
along in their order until the request is full. A value with several holders stands in the queue of
each, and goes to the peer that is free first.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final

from hocket.worker.state import Datum, Want, WantState

__all__ = ["FetchLimits", "FetchQueue"]

#: A wanted value in a peer's queue: lower priority first, then first come, first served. Its `Want`
#: stands here as well, so that an entry of an earlier want of the same value is known as stale.
_Entry = tuple[int, int, Datum, Want]

#: Peers that cost the least are asked first; a scheme that is not here costs the most.
_SCHEME_COSTS: Final = {"inproc": 0, "unix": 1}


def _cost(address: str) -> int:
    return _SCHEME_COSTS.get(address.partition("://")[0], 2)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much a worker asks for at once.

    Attributes
    ----------
    connections_max
        Requests on their way.
    nbytes_max
        Bytes in one request; a single value may be larger.
    in_flight_nbytes_max
        Bytes in all requests on their way; a single request may be larger.
    """

    connections_max: int
    nbytes_max: int
    in_flight_nbytes_max: int

    def room(self, fetches_count: int, fetching_nbytes: int) -> int | None:
        """Return the most bytes that a further request may ask for; None if any number."""
        return self.in_flight_nbytes_max - fetching_nbytes if fetches_count else None


class FetchQueue:
    """Values in state QUEUED, in a queue for each peer that holds them.

    A value that leaves that state stays in the queues as a stale entry and is passed over there.
    """

    __slots__ = ("_queues", "_serial")

    def __init__(self) -> None:
        self._queues: dict[str, list[_Entry]] = {}
        self._serial = 0

    def __bool__(self) -> bool:
        return bool(self._queues)

    def push(self, datum: Datum, want: Want) -> None:
        """Put a value in the queue of each of its holders; again if its priority has changed."""
        self._serial += 1
        entry = (want.priority, self._serial, datum, want)
        for address in want.holders:
            heapq.heappush(self._queues.setdefault(address, []), entry)

    def at(self, address: str) -> Iterator[Datum]:
        """Yield the values queued at a peer, each once, in no particular order."""
        seen = set()
        for entry in self._queues.get(address, ()):
            datum = entry[2]
            if _is_live(entry, address) and id(datum) not in seen:
                seen.add(id(datum))
                yield datum

    def next(
        self, busy: Container[str], nbytes_max: int, room_nbytes: int | None = None
    ) -> tuple[str, list[Datum]] | None:
        """Take out the next request: a peer that is not `busy`, and what to ask it for.

        Parameters
        ----------
        busy
            Addresses that are being asked, or left alone.
        nbytes_max
            Most bytes in one request; a single value may be larger.
        room_nbytes
            Most bytes in this one, with no exception: the most urgent value waits until there is
            room for it, and smaller ones do not overtake it. None: no such limit.
        """
        best: tuple[int, int, int] | None = None
        best_address = ""
        for address in [address for address in self._queues if address not in busy]:
            head = self._head(address)
            if head is not None:
                rank = (head[0], _cost(address), head[1])
                if best is None or rank < best:
                    best, best_address = rank, address
        if best is None:
            return None
        if room_nbytes is not None:
            if self._queues[best_address][0][2].nbytes > room_nbytes:
                return None
            nbytes_max = min(nbytes_max, room_nbytes)
        return best_address, self._gather(best_address, nbytes_max)

    def _head(self, address: str) -> _Entry | None:
        """Return the first live entry of a queue; forget stale ones, and a queue with no other."""
        queue = self._queues[address]
        while queue and not _is_live(queue[0], address):
            heapq.heappop(queue)
        if queue:
            return queue[0]
        del self._queues[address]
        return None

    def _gather(self, address: str, nbytes_max: int) -> list[Datum]:
        data: list[Datum] = []
        nbytes = 0
        while address in self._queues:
            head = self._head(address)
            if head is None:
                break
            datum, want = head[2], head[3]
            nbytes += datum.nbytes
            if data and nbytes > nbytes_max:
                break
            heapq.heappop(self._queues[address])
            want.state = WantState.FETCHING
            data.append(datum)
        return data


def _is_live(entry: _Entry, address: str) -> bool:
    want = entry[3]
    return want.state is WantState.QUEUED and address in want.holders
