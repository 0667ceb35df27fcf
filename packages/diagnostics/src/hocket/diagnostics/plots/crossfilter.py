"""The worker's crossfilter: any two measures against each other, brushed and coloured by others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import (
    BasicTickFormatter,
    BoxSelectTool,
    ColumnDataSource,
    LassoSelectTool,
    Select,
)

from hocket.diagnostics.theme import PALETTE
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot

__all__ = ["Crossfilter", "crossfilter"]

page("crossfilter", "Crossfilter", role="worker", order=30)

#: Marks drawn at most: the latest.
MARKS_MAX: Final = 2_000
_BINS: Final = 24
#: Ticks between two looks at what is new.
_TICKS: Final = 4

_TASKS: Final = {
    "start_s": "start, s from now",
    "running_s": "running, s",
    "waiting_s": "waiting, s",
    "fetching_s": "fetching, s",
    "ready_s": "ready, s",
    "deserialising_s": "deserialising, s",
    "storing_s": "storing, s",
    "nbytes": "size of the result, bytes",
    "lane": "thread",
}
_TRANSFERS: Final = {
    "start_s": "start, s from now",
    "duration_s": "duration, s",
    "nbytes": "size, bytes",
    "nbytes_per_s": "bandwidth, bytes/s",
    "count": "values",
}
_MEASURES: Final = {"transfers": _TRANSFERS, "tasks": _TASKS}
_COLORS: Final = {
    "transfers": {"direction": "direction", "peer": "peer"},
    "tasks": {"group": "function", "outcome": "outcome", "executor": "executor"},
}
_FIRST: Final = {"transfers": ("nbytes", "duration_s"), "tasks": ("nbytes", "running_s")}


@plot(
    "Transfers and tasks",
    on="crossfilter",
    role="worker",
    size="full",
    height_px=660,
    widgets=True,
    text="Choose what stands along each side and what colours the marks. Select with box or lasso:"
    " the bars below count what is selected, against all.",
)
def crossfilter(view: View) -> Any:
    """Draw one mark for each transfer, or for each execution of a task."""
    return Crossfilter(view).layout


class Crossfilter:
    """What one tab has chosen, and the figures that follow from it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._shown = -1
        self._ticks = 0
        self._kind = self._select("Of", {"transfers": "transfers", "tasks": "tasks"}, "transfers")
        self._x = self._select("X", _TRANSFERS, "nbytes")
        self._y = self._select("Y", _TRANSFERS, "duration_s")
        self._size = self._select("Size", {"": "equal", **_TRANSFERS}, "")
        self._color = self._select("Colour", _COLORS["transfers"], "direction")
        self._scale = self._select("Scale", {"linear": "linear", "log": "logarithmic"}, "linear")
        self._marks = view.add_source(ColumnDataSource(self._empty()))
        self._counts = view.add_source(
            ColumnDataSource({"left": [], "right": [], "all": [], "selected": []})
        )
        self.figure = view.figure(
            tools="pan,wheel_zoom,box_zoom,reset,save",
            height=440,
            sizing_mode="stretch_width",
            tooltips=[("", "@label"), ("x", "@x"), ("y", "@y"), ("", "@what")],
        )
        self.figure.add_tools(BoxSelectTool(), LassoSelectTool())
        self.figure.axis.formatter = BasicTickFormatter(use_scientific=False)
        self.figure.scatter(
            "x",
            "y",
            source=self._marks,
            size="size",
            marker="marker",
            fill_color="color",
            line_color=None,
            fill_alpha=0.7,
            nonselection_fill_alpha=0.08,
        )
        self.histogram = view.figure(
            height=130, tools="", sizing_mode="stretch_width", x_range=self.figure.x_range
        )
        for name, alpha in (("all", 0.25), ("selected", 1.0)):
            self.histogram.quad(
                left="left",
                right="right",
                bottom=0,
                top=name,
                source=self._counts,
                fill_color=view.theme.accents[0],
                fill_alpha=alpha,
                line_color=None,
            )
        self.histogram.y_range.start = 0
        self.histogram.xaxis.formatter = BasicTickFormatter(use_scientific=False)
        self._marks.selected.on_change("indices", lambda _attr, _old, _new: self._count())
        self._fill()
        view.on_tick(self._tick)
        chosen = row(self._kind, self._x, self._y, self._size, self._color, self._scale)
        self.layout = column(chosen, self.figure, self.histogram, sizing_mode="stretch_width")

    def _select(self, title: str, options: dict[str, str], value: str) -> Select:
        select = Select(title=title, options=list(options.items()), value=value, width=150)
        select.on_change("value", lambda _attr, _old, _new: self._chosen(select))
        return select

    def _chosen(self, select: Select) -> None:
        if select is self._kind:
            kind = str(select.value)
            self._x.options = self._y.options = list(_MEASURES[kind].items())
            self._size.options = [("", "equal"), *_MEASURES[kind].items()]
            self._color.options = list(_COLORS[kind].items())
            self._size.value = ""
            self._color.value = next(iter(_COLORS[kind]))
            self._x.value, self._y.value = _FIRST[kind]
        self._marks.selected.indices = []
        self._fill()

    def _tick(self) -> None:
        self._ticks += 1
        # What is selected stays as it is, as long as it is.
        if self._ticks % _TICKS == 0 and not self._marks.selected.indices:
            ring = self._view.model.rings[str(self._kind.value)]
            if ring.end != self._shown:
                self._fill()

    @staticmethod
    def _empty() -> dict[str, list[Any]]:
        names = ("x", "y", "size", "color", "marker", "label", "what")
        return {name: [] for name in names}

    def _fill(self) -> None:
        kind = str(self._kind.value)
        ring = self._view.model.rings[kind]
        self._shown = ring.end
        columns: dict[str, Sequence[Any]] = dict(ring.read(0, MARKS_MAX).columns)
        now_s = self._view.model.time_s
        columns["start_s"] = [start_s - now_s for start_s in columns["start_s"]]
        if kind == "transfers":
            _add_transfer_columns(columns, self._view.name)
        marks = self._empty()
        kinds = sorted(set(columns[str(self._color.value)]))
        logarithmic = self._scale.value == "log"
        sizes = columns.get(str(self._size.value), ())
        largest = max([1e-12, *sizes])
        for index, (x, y) in enumerate(
            zip(columns[str(self._x.value)], columns[str(self._y.value)], strict=True)
        ):
            of_kind = columns[str(self._color.value)][index]
            place = kinds.index(of_kind)
            marks["x"].append(_scaled(x, logarithmic))
            marks["y"].append(_scaled(y, logarithmic))
            marks["size"].append(5 + 20 * math.sqrt(max(sizes[index], 0) / largest) if sizes else 8)
            marks["color"].append(PALETTE[place % len(PALETTE)])
            marks["marker"].append(_MARKERS[place % len(_MARKERS)])
            marks["label"].append(of_kind)
            marks["what"].append(columns["key"][index])
        self._marks.data = marks
        form = "log10 of " if logarithmic else ""
        self.figure_labels(form, kind)
        self._count()

    def figure_labels(self, form: str, kind: str) -> None:
        """Say along the axes what stands there."""
        if hasattr(self, "figure"):
            self.figure.xaxis.axis_label = form + _MEASURES[kind][str(self._x.value)]
            self.figure.yaxis.axis_label = form + _MEASURES[kind][str(self._y.value)]

    def _count(self) -> None:
        """Count marks along x: all, and those that are selected."""
        values = np.asarray(self._marks.data["x"], dtype=float)
        if not len(values):
            return
        counts, edges = np.histogram(values, bins=_BINS)
        indices = self._marks.selected.indices
        selected, _ = np.histogram(values[indices] if indices else values[:0], bins=edges)
        self._counts.data = {
            "left": edges[:-1].tolist(),
            "right": edges[1:].tolist(),
            "all": counts.tolist(),
            "selected": selected.tolist(),
        }


_MARKERS: Final = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star")


def _add_transfer_columns(columns: dict[str, Sequence[Any]], worker: str) -> None:
    """Add bandwidth, direction and peer to columns of transfers."""
    pairs = list(zip(columns["source"], columns["target"], strict=True))
    columns["direction"] = ["in" if target == worker else "out" for _, target in pairs]
    columns["peer"] = [
        (source if target == worker else target) or "client" for source, target in pairs
    ]
    columns["nbytes_per_s"] = [
        nbytes / duration_s if duration_s > 0 else 0.0
        for nbytes, duration_s in zip(columns["nbytes"], columns["duration_s"], strict=True)
    ]


def _scaled(value: float, logarithmic: bool) -> float:  # noqa: FBT001 - there are two
    return math.log10(max(value, 1e-9)) if logarithmic else float(value)
