"""What a plot's function is given: the model, figures in house style, sources that keep up.

A view belongs to one document (one tab). Its sources are filled when they are made, and `View.tick`
brings them up to date: what is new in a ring is streamed, what changed in a computed table is
patched, and what is the same is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from bokeh.models import (
    AdaptiveTicker,
    ColumnDataSource,
    DatetimeTicker,
    DatetimeTickFormatter,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure as bokeh_figure

from hocket.diagnostics.model import ClusterModel, Rows
from hocket.diagnostics.theme import HATCHES, PALETTE, Theme

__all__ = ["BYTES", "Columns", "View"]

#: Columns of a source.
Columns = Mapping[str, Sequence[Any]]
#: How axes write bytes.
BYTES: Final = "0.[00] ib"

#: Times on axes: the date is that of today.
_TIMES: Final = {
    "microseconds": "%H:%M:%S.%6N",
    "milliseconds": "%H:%M:%S.%3N",
    "seconds": "%H:%M:%S",
    "minsec": "%H:%M:%S",
    "minutes": "%H:%M",
    "hourmin": "%H:%M",
    "hours": "%H:%M",
}

#: Rows of a ring that a new tab is given, and that a source keeps.
_STREAM_ROWS: Final = 2_000
#: Where fewer than this part of a source's cells differ, they are patched one by one.
_PATCH_PART_MAX: Final = 0.34


class _Feeder(Protocol):
    """Keeps one source up to date."""

    source: ColumnDataSource

    def tick(self) -> None:
        """Send what is new."""


class View:
    """The view of one tab.

    Parameters
    ----------
    model
        What there is to see.
    theme
        Light or dark.
    shared
        Results of computations that all tabs of this server share; see `computed`.
    role, name
        Of the process whose pages these are; the name is empty for the scheduler.
    is_report
        Whether this is drawn once, of what is over: then all of it is shown.
    """

    def __init__(
        self,
        model: ClusterModel,
        theme: Theme,
        *,
        shared: dict[tuple[str, int, str], tuple[int, Columns]] | None = None,
        role: str = "scheduler",
        name: str = "",
        is_report: bool = False,
    ) -> None:
        self.is_report: Final = is_report
        self.model: Final = model
        self.theme: Final = theme
        self.role: Final = role
        self.name: Final = name
        self._shared = {} if shared is None else shared
        self._feeders: list[_Feeder] = []
        self._ticks: list[Callable[[], None]] = []
        self._visual = ""
        self._count = 0
        #: The sources of the plots drawn so far, by plot; tables are made of them.
        self.sources: Final[dict[str, list[ColumnDataSource]]] = {}

    def draw(self, name: str, function: Callable[[View], Any]) -> Any:
        """Draw a plot; its sources are found under its name."""
        self._visual, self._count = name, 0
        self.sources[name] = []
        return function(self)

    def figure(self, **options: Any) -> Any:
        """Return a figure in house style; options are those of `bokeh.plotting.figure`.

        ``y_unit="bytes"`` writes bytes along the y axis, ``x_unit`` along the x axis. A time axis
        (``x_axis_type="datetime"``) follows the end.
        """
        units = {axis: options.pop(f"{axis}_unit", None) for axis in ("x", "y")}
        hover = options.pop("tooltips", None)
        settings: dict[str, Any] = {
            "sizing_mode": "stretch_both",
            "toolbar_location": "right",
            "tools": "xpan,xwheel_zoom,box_zoom,reset,save",
            "output_backend": "canvas",
            "min_border_left": 50,
        }
        settings.update(options)
        if not settings["tools"]:
            settings["toolbar_location"] = None
        figure = bokeh_figure(**settings)
        figure.toolbar.logo = None
        if hover is not None:
            figure.add_tools(HoverTool(tooltips=hover, point_policy="follow_mouse"))
        for axis, unit in units.items():
            if unit == "bytes":
                for each in getattr(figure, f"{axis}axis"):
                    each.formatter = NumeralTickFormatter(format=BYTES)
                    each.ticker = AdaptiveTicker(
                        base=1024,
                        mantissas=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
                        desired_num_ticks=5,
                        num_minor_ticks=0,
                    )
        if settings.get("x_axis_type") == "datetime":
            figure.xaxis.formatter = DatetimeTickFormatter(**_TIMES)
            figure.xaxis.ticker = DatetimeTicker(desired_num_ticks=4, num_minor_ticks=0)
        is_time = settings.get("x_axis_type") == "datetime"
        if is_time and "x_range" not in settings and not self.is_report:
            figure.x_range.follow = "end"
            figure.x_range.follow_interval = 120_000
            figure.x_range.range_padding = 0
        return figure

    def stream(
        self,
        table: str,
        make: Callable[[Rows], Columns] | None = None,
        *,
        rows_max: int = _STREAM_ROWS,
    ) -> ColumnDataSource:
        """Return a source of a ring's rows; each new row is sent once.

        Parameters
        ----------
        table
            One of `hocket.diagnostics.model.tables.TABLES`.
        make
            Makes columns of rows; by default those of the ring, and of each ``time_s`` and
            ``start_s`` a ``time_ms`` and ``start_ms``, as time axes want.
        rows_max
            Rows that the source keeps.
        """
        feeder = _Stream(self.model.rings[table], make or _plain_columns, rows_max)
        return self._add(feeder)

    def computed(
        self, compute: Callable[[ClusterModel], Columns], *, shared: bool = True
    ) -> ColumnDataSource:
        """Return a source of what a function makes of the model.

        Parameters
        ----------
        compute
            Is called when the model has changed, once for all tabs, and returns columns of equal
            length.
        shared
            False: what it returns depends on the tab, so each tab calls it.
        """
        self._count += 1
        key = (self._visual, self._count, self.theme.name)
        feeder = _Computed(self.model, compute, self._shared if shared else {}, key)
        return self._add(feeder)

    def categories(
        self, figure: Any, names: Callable[[ClusterModel], list[str]], *, axis: str = "y"
    ) -> None:
        """Keep the names along an axis up to date; the figure was made with that range as a list.

        On the y axis the first name is at the top.
        """
        one = getattr(figure, f"{axis}_range")

        def update() -> None:
            # (A range of no names is none that a browser can draw.)
            factors = names(self.model) or [" "]
            if axis == "y":
                factors = factors[::-1]
            if list(one.factors) != factors:
                one.factors = factors

        update()
        self.on_tick(update)

    def on_tick(self, function: Callable[[], None]) -> None:
        """Have a function called with every update of this tab."""
        self._ticks.append(function)

    def add_source(self, source: ColumnDataSource) -> ColumnDataSource:
        """Count a source that the plot fills itself among those that its table shows."""
        self.sources.setdefault(self._visual, []).append(source)
        return source

    def color(self, group: str) -> str:
        """Return the colour of a group."""
        record = self.model.groups.get(group)
        return PALETTE[0 if record is None else record.number % len(PALETTE)]

    def hatch(self, group: str) -> str:
        """Return the pattern of a group, which tells it from others of its colour."""
        record = self.model.groups.get(group)
        number = 0 if record is None else record.number
        return HATCHES[number // len(PALETTE) % len(HATCHES)]

    def follow(self, figure: Any, window_s: float) -> None:
        """Have a figure's time axis end now; who pans or zooms stops that, who resets resumes."""
        end_ms = self.model.time_s * 1000
        figure.x_range = Range1d(end_ms - window_s * 1000, end_ms)

    def tick(self) -> None:
        """Bring all sources up to date."""
        for feeder in self._feeders:
            feeder.tick()
        for function in self._ticks:
            function()

    def _add(self, feeder: _Feeder) -> ColumnDataSource:
        self._feeders.append(feeder)
        return self.add_source(feeder.source)


class _Stream:
    """Streams what is appended to a ring."""

    def __init__(self, ring: Any, make: Callable[[Rows], Columns], rows_max: int) -> None:
        self._ring = ring
        self._make = make
        self._rows_max = rows_max
        rows = ring.read(0, rows_max)
        self._cursor = rows.end
        self.source = ColumnDataSource(dict(make(rows)))

    def tick(self) -> None:
        if self._ring.end == self._cursor:
            return
        rows = self._ring.read(self._cursor, self._rows_max)
        self._cursor = rows.end
        columns = dict(self._make(rows))
        if len(next(iter(columns.values()), ())):
            self.source.stream(columns, rollover=self._rows_max)


class _Computed:
    """Patches what differs from what was computed before."""

    def __init__(
        self,
        model: ClusterModel,
        compute: Callable[[ClusterModel], Columns],
        shared: dict[tuple[str, int, str], tuple[int, Columns]],
        key: tuple[str, int, str],
    ) -> None:
        self._model = model
        self._compute = compute
        self._shared = shared
        self._key = key
        self._version = model.version
        self._sent = self._current()
        self.source = ColumnDataSource(dict(self._sent))

    def tick(self) -> None:
        if self._version == self._model.version:
            return
        self._version = self._model.version
        columns = self._current()
        former, self._sent = self._sent, columns
        patches = _differences(former, columns)
        if patches is None:
            self.source.data = dict(columns)
        elif patches:
            self.source.patch(patches)

    def _current(self) -> dict[str, list[Any]]:
        known = self._shared.get(self._key)
        if known is None or known[0] != self._model.version:
            columns = {name: list(values) for name, values in self._compute(self._model).items()}
            self._shared[self._key] = known = (self._model.version, columns)
        return dict(known[1])  # type: ignore[arg-type]


def _differences(
    former: Mapping[str, list[Any]], columns: Mapping[str, list[Any]]
) -> dict[str, list[tuple[int, Any]]] | None:
    """Return the cells that changed; None if it is better to send all."""
    if former.keys() != columns.keys():
        return None
    patches: dict[str, list[tuple[int, Any]]] = {}
    cells = changed = 0
    for name, values in columns.items():
        old = former[name]
        if len(old) != len(values):
            return None
        cells += len(values)
        if old == values:
            continue
        patches[name] = [
            (index, value)
            for index, (before, value) in enumerate(zip(old, values, strict=True))
            if before != value
        ]
        changed += len(patches[name])
    return None if changed > cells * _PATCH_PART_MAX else patches


def _plain_columns(rows: Rows) -> Columns:
    """Return the columns of a ring, and times in milliseconds for time axes."""
    columns: dict[str, Any] = {}
    for name, values in rows.columns.items():
        columns[name] = values if isinstance(values, list) else np.asarray(values)
    for name in ("time_s", "start_s"):
        if name in columns:
            columns[name.replace("_s", "_ms")] = columns[name] * 1000.0
    return columns
