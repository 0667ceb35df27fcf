"""The task stream: what ran where and when, a lane for each place where tasks run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from hocket.diagnostics.model import Bar, ClusterModel, Rows
from hocket.diagnostics.model.bars import BAR_COLUMNS
from hocket.diagnostics.model.cluster import DISK, TRANSFERS, Lane, natural
from hocket.diagnostics.theme import HATCHES
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot
from hocket.protocol.messages.values import THREADS

__all__ = ["TaskStream", "task_stream", "worker_stream"]

#: Rectangles at which a browser without a fast graphics card is still quick.
BARS_MAX: Final = 5_000
#: What a new tab shows, in seconds.
WINDOW_S: Final = 60.0
#: Pixels across, for the least width of a bar.
_WIDTH_PX: Final = 1_000
#: Lanes with a label each; beyond, each worker has one.
_LABELS_MAX: Final = 24
#: How high lanes of data are, where a thread's is 1.
_DATA_HEIGHT: Final = 0.45
#: These, and how they are sorted.
_DATA: Final = {TRANSFERS: 1, DISK: 2}
#: Of a bar's height that is left where it was hardly ever busy.
_HEIGHT_PART_MIN: Final = 0.25
#: Of a lane's height that bars take.
_FILLED: Final = 0.84

#: All patterns that a bar may have.
_PATTERNS: Final = tuple(pattern for pattern in HATCHES if pattern.strip())

_TOOLTIPS: Final = [
    ("function", "@group"),
    ("how many", "@tasks"),
    ("failed", "@failed"),
    ("busy", "@busy_s{0.0000} s"),
    ("size", "@nbytes{0.[00] ib}"),
    ("from", "@left{%H:%M:%S.%3N}"),
    ("where", "@where"),
]

page("status", "Status", order=10, text="")


@plot(
    "Task stream",
    on="status",
    size="full",
    height_px=300,
    reads=("tasks", "transfers"),
    place=10,
    text="A bar is one task, or several of one lane that are too close together to be told apart:"
    " the lower, the less it was busy. Its colour is its function's, and crosses say that one"
    " failed; red is data that a worker fetched, brown what went to its disk and back. Drag to look"
    " back; reset to follow again.",
)
def task_stream(view: View) -> Any:
    """Draw the lanes of all workers."""
    return TaskStream(view).figure


@plot(
    "What ran",
    on="main",
    role="worker",
    size="full",
    height_px=220,
    reads=("tasks", "transfers"),
    place=10,
    text="A bar is one task, or several of one thread that are too close together to be told"
    " apart: the lower, the less it was busy. Red is data that was fetched, brown what went to disk"
    " and back. Drag to look back; reset to follow again.",
)
def worker_stream(view: View) -> Any:
    """Draw the lanes of this worker."""
    return TaskStream(view).figure


class _Place(NamedTuple):
    """Where a lane is drawn."""

    y: float
    height: float
    name: str


class TaskStream:
    """The figure of one tab, and what it shows now.

    While nobody has panned or zoomed, its end is now and bars are streamed. Otherwise what lies in
    the window, and a little more to both sides, is sent whenever the window comes near the end of
    what was.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._lanes: list[Lane] = []
        self._places: dict[int, _Place] = {}
        self._level = -1
        self._cursor = 0
        self._follows = True
        end_ms = view.model.time_s * 1000
        self._window_s = _whole_s(view.model) if view.is_report else WINDOW_S
        self._range = Range1d(start=end_ms - self._window_s * 1000, end=end_ms)
        self._set = (self._range.start, self._range.end)
        #: From when to when bars were sent, of a window that the reader has chosen.
        self._sent_s = (0.0, 0.0)
        self._closed = view.add_source(ColumnDataSource(self._columns((), self._window_s)))
        self._newest = view.add_source(ColumnDataSource(self._columns((), self._window_s)))
        self.figure = view.figure(
            x_axis_type="datetime",
            x_range=self._range,
            y_range=Range1d(start=0, end=1),
            tools="xpan,xwheel_zoom,xbox_zoom,xzoom_in,xzoom_out,reset,save",
            active_scroll="xwheel_zoom",
        )
        #: Bars with a pattern lie over those without: a pattern for each bar would cost the browser
        #: an image for each. Closed ones, and the newest.
        self._patterned = [
            {pattern: ColumnDataSource(_nowhere()) for pattern in _PATTERNS} for _ in range(2)
        ]
        place: dict[str, Any] = {"y": "y", "left": "left", "right": "right", "height": "height_y"}
        place["line_color"] = None
        for source in (self._closed, self._newest):
            self.figure.hbar(source=source, fill_color="color", **place)
        for sources in self._patterned:
            for pattern, source in sources.items():
                self.figure.hbar(
                    source=source,
                    fill_color=None,
                    hatch_pattern=pattern,
                    hatch_color=view.theme.hatch,
                    hatch_scale=8,
                    hatch_alpha=0.8,
                    **place,
                )
        self.figure.add_tools(
            HoverTool(tooltips=_TOOLTIPS, formatters={"@left": "datetime"}, mode="mouse")
        )
        self.figure.ygrid.visible = False
        self.figure.yaxis.ticker = FixedTicker(ticks=[])
        if not view.is_report:
            self.figure.on_event("reset", self._on_reset)
        self._update()
        view.on_tick(self._update)

    def _on_reset(self, _event: object) -> None:
        self._follows = True
        self._set = (0, 0)
        self._level = -1

    def _update(self) -> None:
        """Show what is new, or the window that the reader has chosen."""
        window = (self._range.start, self._range.end)
        is_chosen_now = self._follows and self._set not in {window, (0, 0)}
        if is_chosen_now:
            self._follows = False
        has_changed = self._place_lanes()
        if self._follows:
            self._follow(has_changed=has_changed)
        elif has_changed or is_chosen_now or window != self._set:
            self._set = window
            self._look_back(window[0] / 1000, window[1] / 1000, anew=has_changed or is_chosen_now)

    def _follow(self, *, has_changed: bool) -> None:
        bars = self._view.model.bars
        end_s = self._view.model.time_s
        start_s = end_s - self._window_s
        level = bars.level_for(self._window_s, len(self._places), BARS_MAX, start_s)
        if has_changed or level != self._level:
            self._level = level
            self._send(start_s, end_s, self._window_s)
        else:
            rows = bars.levels[level].closed.read(self._cursor)
            self._cursor = rows.end
            if len(rows):
                columns = self._columns(_bars_of(rows), self._window_s)
                self._closed.stream(columns, rollover=BARS_MAX)
                for pattern, part in self._by_pattern(columns):
                    self._patterned[0][pattern].stream(part, rollover=BARS_MAX)
        self._show(1, self._columns(bars.newest(level), self._window_s))
        start_ms, end_ms = start_s * 1000, end_s * 1000
        if self._set != (start_ms, end_ms):
            self._set = (start_ms, end_ms)
            self._range.update(start=start_ms, end=end_ms)

    def _look_back(self, start_s: float, stop_s: float, *, anew: bool) -> None:
        """Send what lies in a window, and its width to both sides, unless it is there already."""
        bars = self._view.model.bars
        window_s = max(stop_s - start_s, 1e-6)
        level = bars.level_for(3 * window_s, len(self._places), BARS_MAX, start_s)
        near_s = window_s / 4
        if (
            not anew
            and level == self._level
            and self._sent_s[0] <= start_s - near_s
            and stop_s + near_s <= self._sent_s[1]
        ):
            return
        self._level = level
        self._sent_s = (start_s - window_s, stop_s + window_s)
        self._send(*self._sent_s, window_s)
        newest = [each for each in bars.newest(level) if each.start_s <= self._sent_s[1]]
        self._show(1, self._columns(newest, window_s))

    def _send(self, start_s: float, stop_s: float, window_s: float) -> None:
        """Send the closed bars of a span of time."""
        rows = self._view.model.bars.levels[self._level].closed.read(0)
        self._cursor = rows.end
        starts = np.asarray(rows.columns["start_s"])
        stops = np.asarray(rows.columns["stop_s"])
        chosen = np.flatnonzero((stops >= start_s) & (starts <= stop_s))[-BARS_MAX:].tolist()
        self._show(0, self._columns(_bars_of(rows, chosen), window_s))

    def _show(self, which: int, columns: dict[str, Any]) -> None:
        """Put bars in the place of the closed (0) or the newest ones (1)."""
        source = (self._closed, self._newest)[which]
        if columns["left"] or len(source.data["left"]):
            source.data = columns
        parts = dict(self._by_pattern(columns))
        for pattern, over in self._patterned[which].items():
            if pattern in parts or len(over.data["left"]):
                over.data = parts.get(pattern, _nowhere())

    def _place_lanes(self) -> bool:
        """Give each lane its height; return whether that has changed."""
        model = self._view.model
        lanes = list(model.lanes)
        if self._follows and not self._view.is_report:
            # Of workers that have left, those of which something is to be seen.
            since_s = model.time_s - self._window_s
            lanes = [
                lane
                for lane, number in model.lanes.items()
                if model.is_there(lane[0]) or model.bars.last_s(number) > since_s
            ]
        if lanes == self._lanes:
            return False
        self._lanes = lanes
        order = sorted(lanes, key=_order_of)
        self._places = {}
        top = 0.0
        for lane in reversed(order):
            height = _DATA_HEIGHT if lane[1] in _DATA else 1.0
            place = _Place(top + height / 2, height * _FILLED, _name_of(lane))
            self._places[model.lanes[lane]] = place
            top += height
        labels: dict[float, str] = {}
        if len(order) <= _LABELS_MAX:
            labels = {place.y: place.name for place in self._places.values()}
        else:
            by_worker: dict[str, list[float]] = {}
            for lane in order:
                by_worker.setdefault(lane[0], []).append(self._places[model.lanes[lane]].y)
            labels = {sum(ys) / len(ys): worker for worker, ys in by_worker.items()}
        self.figure.y_range.update(start=0, end=max(top, 1))
        self.figure.yaxis.ticker = FixedTicker(ticks=_some(sorted(labels)))
        self.figure.yaxis.major_label_overrides = labels
        return True

    def _columns(self, bars: Iterable[Sequence[Any] | Bar], window_s: float) -> dict[str, Any]:
        view, places = self._view, self._places
        least_s = window_s / _WIDTH_PX
        colors = {TRANSFERS: view.theme.transfer, DISK: view.theme.disk}
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for bar in bars:
            values = bar.values() if isinstance(bar, Bar) else bar
            start_s, stop_s, lane, group, tasks, failed, busy_s, nbytes = values
            place = places.get(lane)
            if place is None:
                continue
            # (What is merged may have gaps: the lower, the less it was busy.)
            busy = busy_s / max(stop_s - start_s, 1e-9) if tasks > 1 else 1.0
            height = place.height * min(max(busy, _HEIGHT_PART_MIN), 1.0)
            columns["y"].append(round(place.y - (place.height - height) / 2, 3))
            columns["height_y"].append(round(height, 3))
            columns["left"].append(round(start_s * 1000, 3))
            columns["right"].append(round(max(stop_s, start_s + least_s) * 1000, 3))
            color = colors.get(group) or view.color(group)
            columns["color"].append(view.theme.bad if 2 * failed >= tasks else color)
            columns["group"].append(group)
            columns["tasks"].append(tasks)
            columns["failed"].append(failed)
            columns["busy_s"].append(round(busy_s, 6))
            columns["nbytes"].append(nbytes)
            columns["where"].append(place.name)
        return columns

    def _by_pattern(self, columns: dict[str, Any]) -> Iterator[tuple[str, dict[str, list[float]]]]:
        """Yield the places of the bars of each pattern that there are."""
        of_group = {group: self._view.hatch(group) for group in set(columns["group"])}
        chosen: dict[str, list[int]] = {}
        for index, (group, failed) in enumerate(
            zip(columns["group"], columns["failed"], strict=True)
        ):
            pattern = "x" if failed else of_group[group]
            if pattern != " ":
                chosen.setdefault(pattern, []).append(index)
        for pattern, indices in chosen.items():
            yield pattern, {name: [columns[name][index] for index in indices] for name in _PLACE}


#: Where a bar is, and what is told of it.
_PLACE: Final = ("y", "height_y", "left", "right")
_COLUMNS: Final = (*_PLACE, "color", "group", "tasks", "failed", "busy_s", "nbytes", "where")


def _nowhere() -> dict[str, list[float]]:
    return {name: [] for name in _PLACE}


def _order_of(lane: Lane) -> tuple[Any, ...]:
    """Return what lanes are sorted by: a worker's threads, other executors, its data."""
    worker, executor, number = lane
    return natural(worker), _DATA.get(executor, 0), executor != THREADS, executor, number


def _some(ticks: list[float]) -> list[float]:
    """Return so many of the ticks that their labels do not overlap."""
    return ticks[:: -(-len(ticks) // _LABELS_MAX)] if ticks else ticks


def _whole_s(model: ClusterModel) -> float:
    """Return how long all took, by the coarsest level that has kept all of it."""
    starts = [bar.start_s for level in model.bars.levels for bar in level.open.values()] + [
        float(start_s)
        for level in model.bars.levels
        for start_s in level.closed.read(0).columns["start_s"][:1]
    ]
    return max(model.time_s - min(starts, default=model.time_s), 1.0)


def _name_of(lane: Lane) -> str:
    worker, executor, number = lane
    place = "" if executor == THREADS else f" {executor}"
    return f"{worker}{place}" + (f" / {number}" if number >= 0 else "")


def _bars_of(rows: Rows, chosen: Sequence[int] | None = None) -> list[Sequence[Any]]:
    """Return some or all rows of a level, one after the other."""
    columns = [rows.columns[name] for name in BAR_COLUMNS]
    if chosen is None:
        return list(zip(*columns, strict=True))
    return [tuple(column[index] for column in columns) for index in chosen]
