"""The page of stealing: what was asked back from loaded workers for idle ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bokeh.models import FactorRange

from hocket.diagnostics.model import ClusterModel, Rows
from hocket.diagnostics.model.cluster import natural
from hocket.diagnostics.view import Columns, View
from hocket.diagnostics.visuals import Row, page, plot, table

__all__ = ["latest_recalls", "recalls"]

page(
    "stealing",
    "Stealing",
    order=65,
    text="Where one worker idles beside a loaded one, tasks are asked back from this; a worker"
    " gives those that it has not begun.",
)

_MARKERS: Final = {"asked": "circle", "given": "triangle", "kept": "x"}


@plot(
    "Asked back, given, kept",
    on="stealing",
    size="full",
    height_px=300,
    reads=("recalls",),
    place=10,
)
def recalls(view: View) -> Any:
    """Each mark is one task on one worker: asked (ring), given (triangle), kept (cross)."""

    def make(rows: Rows) -> Columns:
        columns = rows.columns
        return {
            "time_ms": [time_s * 1000 for time_s in columns["time_s"]],
            "worker": list(columns["worker"]),
            "step": list(columns["step"]),
            "key": list(columns["key"]),
            "marker_y": [_MARKERS.get(step, "circle") for step in columns["step"]],
            "color": [
                view.theme.accents[list(_MARKERS).index(step) if step in _MARKERS else 0]
                for step in columns["step"]
            ],
        }

    def workers(model: ClusterModel) -> list[str]:
        names = set(model.rings["recalls"].read(0).columns["worker"])
        names |= {record.name for record in model.alive}
        return sorted(names, key=natural)

    figure = view.figure(
        x_axis_type="datetime",
        y_range=FactorRange(),
        tooltips=[("key", "@key"), ("worker", "@worker"), ("", "@step")],
    )
    figure.scatter(
        "time_ms",
        "worker",
        source=view.stream("recalls", make),
        marker="marker_y",
        size=9,
        fill_alpha=0.3,
        line_color="color",
        fill_color="color",
    )
    view.categories(figure, workers)
    return figure


@table(
    "Latest",
    {
        "time_s": "Time",
        "key": "Key",
        "group": "Function",
        "worker": "Worker",
        "step": "What",
        "attempt": "Attempt",
    },
    on="stealing",
    reads=("recalls",),
    place=20,
)
def latest_recalls(model: ClusterModel, words: str) -> Iterator[Row]:
    """What was asked and answered, the latest first."""
    columns = model.rings["recalls"].read(0, 10_000 if words else 300).columns
    names = list(columns)
    for values in zip(*(reversed(column) for column in columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))
