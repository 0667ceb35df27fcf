"""The task stream: what ran where and when, a lane for each place where tasks run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from hocket.diagnostics.model import Bar, ClusterModel, Rows
from hocket.diagnostics.model.bars import BAR_COLUMNS
from hocket.diagnostics.model.cluster import natural
from hocket.diagnostics.theme import HATCHES
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot

__all__ = ["TaskStream", "task_stream", "worker_stream"]

#: Rectangles at which a browser without a fast graphics card is still quick.
BARS_MAX: Final = 5_000
#: What a new tab shows, in seconds.
WINDOW_S: Final = 60.0
#: Pixels across, for the least width of a bar.
_WIDTH_PX: Final = 1_000
#: Lanes with a label each; beyond, each worker has one.
_LABELS_MAX: Final = 24

#: All patterns that a bar may have.
_PATTERNS: Final = tuple(pattern for pattern in HATCHES if pattern.strip())

_TOOLTIPS: Final = [
    ("function", "@group"),
    ("tasks", "@tasks"),
    ("failed", "@failed"),
    ("busy", "@busy_s{0.0000} s"),
    ("from", "@left{%H:%M:%S.%3N}"),
    ("where", "@where"),
]

page("status", "Status", order=10, text="")


@plot(
    "Task stream",
    on="status",
    size="full",
    height_px=300,
    reads=("tasks",),
    place=10,
    text="A bar is one task, or several of one lane that are too close together to be told apart;"
    " its colour is its function's, and crosses say that one failed. Drag to look back; reset to"
    " follow again.",
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
    reads=("tasks",),
    place=10,
    text="A bar is one task, or several of one thread that are too close together to be told"
    " apart. Drag to look back; reset to follow again.",
)
def worker_stream(view: View) -> Any:
    """Draw the lanes of this worker."""
    return TaskStream(view).figure


class TaskStream:
    """The figure of one tab, and what it shows now.

    While nobody has panned or zoomed, its end is now and bars are streamed. Otherwise what lies in
    the window, and a little more to both sides, is sent whenever the window has moved.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._places: dict[int, int] = {}
        self._level = -1
        self._cursor = 0
        self._follows = True
        end_ms = view.model.time_s * 1000
        self._window_s = _whole_s(view.model) if view.is_report else WINDOW_S
        self._range = Range1d(start=end_ms - self._window_s * 1000, end=end_ms)
        self._set = (self._range.start, self._range.end)
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
        place: dict[str, Any] = {"y": "y", "left": "left", "right": "right", "height": 0.84}
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
        has_changed = self._place_lanes()
        window = (self._range.start, self._range.end)
        if self._follows and self._set not in {window, (0, 0)}:
            self._follows = False
            has_changed = True
        if self._follows:
            self._follow(has_changed=has_changed)
        elif has_changed or window != self._set:
            self._set = window
            self._refill(window[0] / 1000, window[1] / 1000)

    def _follow(self, *, has_changed: bool) -> None:
        bars = self._view.model.bars
        level = bars.level_for(self._window_s, len(self._places), BARS_MAX)
        end_s = self._view.model.time_s
        if has_changed or level != self._level:
            self._level = level
            self._refill(end_s - self._window_s, end_s)
        else:
            rows = bars.levels[level].closed.read(self._cursor)
            self._cursor = rows.end
            if len(rows):
                columns = self._columns(_bars_of(rows), self._window_s)
                self._closed.stream(columns, rollover=BARS_MAX)
                for pattern, part in _by_pattern(columns):
                    self._patterned[0][pattern].stream(part, rollover=BARS_MAX)
        self._show(1, self._columns(bars.newest(level), self._window_s))
        start_ms, end_ms = (end_s - self._window_s) * 1000, end_s * 1000
        if self._set != (start_ms, end_ms):
            self._set = (start_ms, end_ms)
            self._range.update(start=start_ms, end=end_ms)

    def _refill(self, start_s: float, stop_s: float) -> None:
        """Send what lies in a window, and half of its width to both sides."""
        bars = self._view.model.bars
        window_s = max(stop_s - start_s, 1e-6)
        if not self._follows:
            self._level = bars.level_for(2 * window_s, len(self._places), BARS_MAX)
        level = bars.levels[self._level]
        rows = level.closed.read(0)
        self._cursor = rows.end
        margin_s = 0.0 if self._follows else window_s / 2
        starts = np.asarray(rows.columns["start_s"])
        stops = np.asarray(rows.columns["stop_s"])
        inside = (stops >= start_s - margin_s) & (starts <= stop_s + margin_s)
        chosen = np.flatnonzero(inside)[-BARS_MAX:].tolist()
        self._show(0, self._columns(_bars_of(rows, chosen), window_s))
        if not self._follows:
            newest = [each for each in bars.newest(self._level) if each.start_s <= stop_s]
            self._show(1, self._columns(newest, window_s))

    def _show(self, which: int, columns: dict[str, Any]) -> None:
        """Put bars in the place of the closed (0) or the newest ones (1)."""
        source = (self._closed, self._newest)[which]
        if columns["left"] or len(source.data["left"]):
            source.data = columns
        parts = dict(_by_pattern(columns))
        for pattern, over in self._patterned[which].items():
            if pattern in parts or len(over.data["left"]):
                over.data = parts.get(pattern, _nowhere())

    def _place_lanes(self) -> bool:
        """Give each lane its height; return whether that has changed."""
        lanes = self._view.model.lanes
        if len(lanes) == len(self._places):
            return False
        order = sorted(lanes, key=lambda lane: (natural(lane[0]), lane[1] != "threads", lane))
        self._places = {lanes[lane]: len(order) - place - 1 for place, lane in enumerate(order)}
        self._names = {lanes[lane]: _name_of(lane) for lane in order}
        labels: dict[float, str] = {}
        if len(order) <= _LABELS_MAX:
            for lane in order:
                labels[self._places[lanes[lane]] + 0.5] = _name_of(lane)
        else:
            by_worker: dict[str, list[int]] = {}
            for lane in order:
                by_worker.setdefault(lane[0], []).append(self._places[lanes[lane]])
            for worker, places in by_worker.items():
                labels[sum(places) / len(places) + 0.5] = worker
        self.figure.y_range.update(start=0, end=max(len(order), 1))
        self.figure.yaxis.ticker = FixedTicker(ticks=list(labels))
        self.figure.yaxis.major_label_overrides = labels
        return True

    def _columns(self, bars: Iterable[Sequence[Any] | Bar], window_s: float) -> dict[str, Any]:
        view, places = self._view, self._places
        least_s = window_s / _WIDTH_PX
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for bar in bars:
            values = bar.values() if isinstance(bar, Bar) else bar
            start_s, stop_s, lane, group, tasks, failed, busy_s = values
            place = places.get(lane)
            if place is None:
                continue
            columns["y"].append(place + 0.5)
            columns["left"].append(start_s * 1000)
            columns["right"].append(max(stop_s, start_s + least_s) * 1000)
            is_bad = 2 * failed >= tasks
            columns["color"].append(view.theme.bad if is_bad else view.color(group))
            columns["hatch"].append("x" if failed else view.hatch(group))
            columns["group"].append(group)
            columns["tasks"].append(tasks)
            columns["failed"].append(failed)
            columns["busy_s"].append(busy_s)
            columns["where"].append(self._names[lane])
        return columns


_COLUMNS: Final = (
    "y",
    "left",
    "right",
    "color",
    "hatch",
    "group",
    "tasks",
    "failed",
    "busy_s",
    "where",
)


def _nowhere() -> dict[str, list[float]]:
    return {"y": [], "left": [], "right": []}


def _by_pattern(columns: dict[str, Any]) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Yield the places of the bars of each pattern that there are."""
    for pattern in set(columns["hatch"]) & set(_PATTERNS):
        chosen = [index for index, each in enumerate(columns["hatch"]) if each == pattern]
        yield pattern, {name: [columns[name][index] for index in chosen] for name in _nowhere()}


def _whole_s(model: ClusterModel) -> float:
    """Return how long all took, by the coarsest level that has kept all of it."""
    starts = [bar.start_s for level in model.bars.levels for bar in level.open.values()] + [
        float(start_s)
        for level in model.bars.levels
        for start_s in level.closed.read(0).columns["start_s"][:1]
    ]
    return max(model.time_s - min(starts, default=model.time_s), 1.0)


def _name_of(lane: tuple[str, str, int]) -> str:
    worker, executor, number = lane
    place = "" if executor == "threads" else f" {executor}"
    return f"{worker}{place}" + (f" / {number}" if number >= 0 else "")


def _bars_of(rows: Rows, chosen: Sequence[int] | None = None) -> list[Sequence[Any]]:
    """Return some or all rows of a level, one after the other."""
    columns = [rows.columns[name] for name in BAR_COLUMNS]
    if chosen is None:
        return list(zip(*columns, strict=True))
    return [tuple(column[index] for column in columns) for index in chosen]
