"""Which requests fetch many byte ranges: neighbours together, giants in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.records import dataclass

__all__ = ["RangePolicy", "Request", "deliver", "plan_requests"]


@dataclass(frozen=True, slots=True)
class RangePolicy:
    """How a remote store is asked.

    Parameters
    ----------
    gap_nbytes
        Two ranges that lie at most this far apart are fetched together: what lies between costs
        less than another round trip.
    part_nbytes
        The largest request; more than that is fetched in parts, side by side.
    in_flight_nbytes
        What all requests under way may bring, so that memory stays bounded.
    """

    gap_nbytes: int = 1 << 20
    part_nbytes: int = 8 << 20
    in_flight_nbytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One piece to fetch, and the ranges (by index) that need bytes of it."""

    offset: int
    nbytes: int
    wanted_by: tuple[int, ...]


def plan_requests(ranges: Sequence[tuple[int, int]], policy: RangePolicy) -> list[Request]:
    """Return the requests that bring every byte of the ranges, in the order of their offsets."""
    order = sorted(
        (index for index, (_, nbytes) in enumerate(ranges) if nbytes), key=ranges.__getitem__
    )
    requests: list[Request] = []
    group: list[int] = []
    group_end = 0
    for index in order:
        offset, nbytes = ranges[index]
        if group and offset > group_end + policy.gap_nbytes:
            requests += _parts_of(ranges, group, group_end, policy)
            group = []
        group_end = max(group_end, offset + nbytes) if group else offset + nbytes
        group.append(index)
    if group:
        requests += _parts_of(ranges, group, group_end, policy)
    return requests


def _parts_of(
    ranges: Sequence[tuple[int, int]], group: list[int], end: int, policy: RangePolicy
) -> list[Request]:
    requests = []
    start = ranges[group[0]][0]
    first = 0
    while start < end:
        stop = min(start + policy.part_nbytes, end)
        # The group is in the order of offsets; those that ended before this part are left behind.
        while first < len(group) and sum(ranges[group[first]]) <= start:
            first += 1
        wanted = []
        for index in group[first:]:
            if ranges[index][0] >= stop:
                break
            if sum(ranges[index]) > start:
                wanted.append(index)
        if wanted:
            requests.append(Request(start, stop - start, tuple(wanted)))
        start = stop
    return requests


def deliver(
    request: Request,
    data: NDArray[np.uint8],
    ranges: Sequence[tuple[int, int]],
    destinations: Sequence[NDArray[np.uint8]],
) -> None:
    """Copy what a request brought to the ranges that it was made for."""
    for index in request.wanted_by:
        offset, nbytes = ranges[index]
        start = max(offset, request.offset)
        stop = min(offset + nbytes, request.offset + request.nbytes)
        destinations[index][start - offset : stop - offset] = data[
            start - request.offset : stop - request.offset
        ]
