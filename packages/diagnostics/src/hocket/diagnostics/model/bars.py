"""The task stream: bars merged by lane and pixel, at several resolutions.

A lane is one place where a worker runs tasks, one after the other. Each task becomes a bar in its
lane. At a level of resolution ``r`` a bar swallows the next one of its lane

* if both are of the same group and the gap between them is shorter than ``r``, or
* if both together are shorter than ``r``, whatever their groups (it is then of the group that took
  most of its time, and counts the tasks of all).

So no lane has more than about ``window / r`` bars in a window, however many tasks ran, and none of
them vanishes. Bars of a coarser level are made from closed bars of the finer one, which costs next
to nothing.

Each level keeps so many bars and no more, so a coarser one reaches further back: the finest show
the last minutes, the coarsest hours of a cluster of thousands of lanes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hocket.diagnostics.model.rings import ColumnRing, Kind

__all__ = ["BAR_COLUMNS", "Bar", "Bars", "Level"]

#: Resolutions in seconds, from fine to coarse.
RESOLUTIONS_S: Final = (0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 180.0)
#: Bars kept at each level. (An hour of ten busy lanes at 1 s, and of two thousand at 180 s.)
BARS_MAX: Final = 40_000

BAR_COLUMNS: Final[dict[str, Kind]] = {
    "start_s": "float",
    "stop_s": "float",
    "lane": "integer",
    "group": "text",
    "tasks": "integer",
    "failed": "integer",
    "busy_s": "float",
    "nbytes": "integer",
}


@dataclass(slots=True)
class Bar:
    """What ran in a lane from one time to another.

    Attributes
    ----------
    start_s, stop_s
        Seconds since the epoch.
    lane
        Its number.
    group
        The group that took most of the time.
    tasks, failed
        How many tasks, and how many of them failed.
    busy_s
        Time in which one ran.
    nbytes
        Size of their results.
    """

    start_s: float
    stop_s: float
    lane: int
    group: str
    tasks: int
    failed: int
    busy_s: float
    nbytes: int
    #: The time of its group's tasks, of ``busy_s``.
    group_s: float

    def is_one_with(self, group: str, start_s: float, stop_s: float, resolution_s: float) -> bool:
        """Whether what comes next in the lane cannot be told apart from this."""
        return stop_s - self.start_s < resolution_s or (
            self.group == group and start_s - self.stop_s < resolution_s
        )

    def swallow(self, bar: Bar) -> None:
        """Take in what comes next in the lane."""
        self.start_s = min(self.start_s, bar.start_s)
        self.stop_s = max(self.stop_s, bar.stop_s)
        self.tasks += bar.tasks
        self.failed += bar.failed
        self.busy_s += bar.busy_s
        self.nbytes += bar.nbytes
        if self.group == bar.group:
            self.group_s += bar.group_s
        elif bar.group_s > self.group_s:
            self.group, self.group_s = bar.group, bar.group_s

    def values(self) -> tuple[float, float, int, str, int, int, float, int]:
        """Return the values in the order of `BAR_COLUMNS`."""
        return (
            self.start_s,
            self.stop_s,
            self.lane,
            self.group,
            self.tasks,
            self.failed,
            self.busy_s,
            self.nbytes,
        )


class Level:
    """Bars of one resolution: closed ones in a ring, and the open one of each lane."""

    __slots__ = ("_latest_s", "closed", "coarser", "open", "resolution_s")

    def __init__(self, resolution_s: float, coarser: Level | None, bars_max: int) -> None:
        self.resolution_s: Final = resolution_s
        self.coarser: Final = coarser
        #: (The end of a lane's last bar may be long ago when that is closed, so the latest end of
        #: all bars up to each is kept along.)
        columns: dict[str, Kind] = {**BAR_COLUMNS, "latest_s": "float"}
        self.closed: Final = ColumnRing(columns, bars_max)
        self._latest_s = -math.inf
        self.open: Final[dict[int, Bar]] = {}

    @property
    def since_s(self) -> float:
        """From when on all bars are still there."""
        return self.closed.first("latest_s") if self.closed.begin else -math.inf

    def add(self, bar: Bar) -> None:
        """Take a bar, which belongs to the level from now on."""
        former = self.open.get(bar.lane)
        if former is None:
            self.open[bar.lane] = bar
        elif former.is_one_with(bar.group, bar.start_s, bar.stop_s, self.resolution_s):
            former.swallow(bar)
        else:
            self.open[bar.lane] = bar
            self._latest_s = max(self._latest_s, former.stop_s)
            self.closed.append(*former.values(), self._latest_s)
            if self.coarser is not None:
                self.coarser.add(former)

    def pending(self) -> Iterator[Bar]:
        """Yield what is not in `closed` yet, from the finer levels' share on; lanes in order."""
        for lane in sorted(self.open):
            yield self.open[lane]


class Bars:
    """The task stream at all resolutions.

    Parameters
    ----------
    resolutions_s
        From fine to coarse.
    bars_max
        Bars kept at each.
    """

    __slots__ = ("levels",)

    def __init__(
        self, resolutions_s: tuple[float, ...] = RESOLUTIONS_S, bars_max: int = BARS_MAX
    ) -> None:
        coarser: Level | None = None
        levels = []
        for resolution_s in reversed(resolutions_s):
            coarser = Level(resolution_s, coarser, bars_max)
            levels.append(coarser)
        #: From fine to coarse.
        self.levels: Final = tuple(reversed(levels))

    def add(
        self,
        lane: int,
        group: str,
        start_s: float,
        stop_s: float,
        *,
        failed: bool = False,
        nbytes: int = 0,
    ) -> None:
        """Take a task that ended."""
        busy_s = max(stop_s - start_s, 0.0)
        stop_s = max(stop_s, start_s)
        bar = Bar(start_s, stop_s, lane, group, 1, int(failed), busy_s, nbytes, busy_s)
        self.levels[0].add(bar)

    def level_for(
        self, window_s: float, lanes: int, bars_max: int, since_s: float = math.inf
    ) -> int:
        """Return the index of the finest level that shows a window with about so many bars.

        Parameters
        ----------
        window_s, lanes
            What is shown.
        bars_max
            How many bars may be.
        since_s
            When the window begins: finer levels that have forgotten it are passed over.
        """
        for index, level in enumerate(self.levels):
            if max(lanes, 1) * window_s / level.resolution_s > bars_max:
                continue
            if level.since_s <= since_s:
                return index
        return len(self.levels) - 1

    def last_s(self, lane: int) -> float:
        """Return until when something ran in a lane."""
        bar = self.levels[0].open.get(lane)
        return -math.inf if bar is None else bar.stop_s

    def newest(self, index: int) -> list[Bar]:
        """Return the bars that a level's ring does not hold yet, oldest first for each lane.

        That is the open bar of each lane, at this level and at all finer ones.
        """
        found = [bar for level in self.levels[: index + 1] for bar in level.pending()]
        found.sort(key=lambda bar: (bar.lane, bar.start_s))
        return found
