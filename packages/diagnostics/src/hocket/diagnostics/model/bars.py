"""The task stream: bars merged by lane and pixel, at several resolutions.

A lane is one place where a worker runs tasks, one after the other. Each task becomes a bar in its
lane. At a level of resolution ``r`` a bar swallows the next one of its lane

* if both are of the same group and the gap between them is shorter than ``r``, or
* if both together are shorter than ``r``, whatever their groups (it is then of the group that took
  most of its time, and counts the tasks of all).

So no lane has more than about ``window / r`` bars in a window, however many tasks ran, and none of
them vanishes. Bars of a coarser level are made from closed bars of the finer one, which costs next
to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hocket.diagnostics.model.rings import ColumnRing

__all__ = ["BAR_COLUMNS", "Bar", "Bars", "Level"]

#: Resolutions in seconds, from fine to coarse.
RESOLUTIONS_S: Final = (0.002, 0.01, 0.05, 0.25, 1.0, 5.0)
#: Bars kept at each level. (At 0.25 s and ten busy lanes that is an hour and more.)
BARS_MAX: Final = 40_000

BAR_COLUMNS: Final = {
    "start_s": "float",
    "stop_s": "float",
    "lane": "integer",
    "group": "text",
    "tasks": "integer",
    "failed": "integer",
    "busy_s": "float",
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
    """

    start_s: float
    stop_s: float
    lane: int
    group: str
    tasks: int
    failed: int
    busy_s: float
    #: The time of its group's tasks, of ``busy_s``.
    group_s: float

    def values(self) -> tuple[float, float, int, str, int, int, float]:
        """Return the values in the order of `BAR_COLUMNS`."""
        return (
            self.start_s,
            self.stop_s,
            self.lane,
            self.group,
            self.tasks,
            self.failed,
            self.busy_s,
        )


class Level:
    """Bars of one resolution: closed ones in a ring, and the open one of each lane."""

    __slots__ = ("closed", "coarser", "open", "resolution_s")

    def __init__(self, resolution_s: float, coarser: Level | None, bars_max: int) -> None:
        self.resolution_s: Final = resolution_s
        self.coarser: Final = coarser
        self.closed: Final = ColumnRing(BAR_COLUMNS, bars_max)  # type: ignore[arg-type]
        self.open: Final[dict[int, Bar]] = {}

    def add(self, bar: Bar) -> None:
        """Take a bar, which belongs to the level from now on."""
        former = self.open.get(bar.lane)
        if former is None:
            self.open[bar.lane] = bar
        elif not self._swallow(former, bar):
            self.open[bar.lane] = bar
            self.closed.append(*former.values())
            if self.coarser is not None:
                self.coarser.add(former)

    def pending(self) -> Iterator[Bar]:
        """Yield what is not in `closed` yet, from the finer levels' share on; lanes in order."""
        for lane in sorted(self.open):
            yield self.open[lane]

    def _swallow(self, former: Bar, bar: Bar) -> bool:
        is_tiny = bar.stop_s - former.start_s < self.resolution_s
        is_alike = former.group == bar.group and bar.start_s - former.stop_s < self.resolution_s
        if not (is_tiny or is_alike):
            return False
        former.start_s = min(former.start_s, bar.start_s)
        former.stop_s = max(former.stop_s, bar.stop_s)
        former.tasks += bar.tasks
        former.failed += bar.failed
        former.busy_s += bar.busy_s
        if former.group == bar.group:
            former.group_s += bar.group_s
        elif bar.group_s > former.group_s:
            former.group, former.group_s = bar.group, bar.group_s
        return True


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
        self, lane: int, group: str, start_s: float, stop_s: float, *, failed: bool = False
    ) -> None:
        """Take a task that ended."""
        busy_s = max(stop_s - start_s, 0.0)
        stop_s = max(stop_s, start_s)
        self.levels[0].add(Bar(start_s, stop_s, lane, group, 1, int(failed), busy_s, busy_s))

    def level_for(self, window_s: float, lanes: int, bars_max: int) -> int:
        """Return the index of the finest level that shows a window with about so many bars."""
        for index, level in enumerate(self.levels):
            if max(lanes, 1) * window_s / level.resolution_s <= bars_max:
                return index
        return len(self.levels) - 1

    def newest(self, index: int) -> list[Bar]:
        """Return the bars that a level's ring does not hold yet, oldest first for each lane.

        That is the open bar of each lane, at this level and at all finer ones.
        """
        found = [bar for level in self.levels[: index + 1] for bar in level.pending()]
        found.sort(key=lambda bar: (bar.lane, bar.start_s))
        return found
