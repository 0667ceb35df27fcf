"""The page of transfers: who gave how much to whom, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bokeh.models import FactorRange, LinearColorMapper

from hocket.core.units import format_bytes
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.model.cluster import natural
from hocket.diagnostics.plots.series import time_lines
from hocket.diagnostics.view import Columns, View
from hocket.diagnostics.visuals import Row, page, plot, table

__all__ = ["bandwidths", "latest_transfers", "moved"]

page("transfers", "Transfers", order=60)

#: Workers along each side.
_SIDE_MAX: Final = 30
#: Up to so many, cells have their numbers written in them.
_WRITTEN_MAX: Final = 8


def _ends(model: ClusterModel) -> list[str]:
    names = {name for route in model.routes for name in route}
    return sorted((name or "client" for name in names), key=natural)[:_SIDE_MAX]


@plot(
    "Bandwidth between workers",
    on="transfers",
    height_px=380,
    place=10,
    reads=("transfers",),
    text="The mean bandwidth of transfers from the worker on the left to the one below.",
)
def bandwidths(view: View) -> Any:
    """Draw a matrix."""

    def compute(model: ClusterModel) -> Columns:
        routes = list(model.routes.values())
        written = len(_ends(model)) <= _WRITTEN_MAX
        rates = [route.nbytes_per_s for route in routes]
        most = max(rates, default=0.0)
        return {
            "source": [route.source or "client" for route in routes],
            "target": [route.target or "client" for route in routes],
            "nbytes_per_s": rates,
            "nbytes": [route.nbytes for route in routes],
            "transfers": [route.transfers for route in routes],
            "text_y": [f"{format_bytes(round(rate))}/s" if written else "" for rate in rates],
            "ink_color": [_ink(view, rate, most) for rate in rates],
        }

    source = view.computed(compute)
    figure = view.figure(
        x_range=FactorRange(),
        y_range=FactorRange(),
        tools="",
        x_axis_label="to",
        y_axis_label="from",
        tooltips=[
            ("from", "@source"),
            ("to", "@target"),
            ("mean", "@text_y"),
            ("moved", "@nbytes{0.[00] ib} in @transfers"),
        ],
    )
    mapper = LinearColorMapper(palette=view.theme.ramp, low=0)
    figure.rect(
        x="target",
        y="source",
        width=0.98,
        height=0.98,
        source=source,
        line_color=None,
        fill_color={"field": "nbytes_per_s", "transform": mapper},
    )
    figure.text(
        x="target",
        y="source",
        text="text_y",
        source=source,
        text_align="center",
        text_baseline="middle",
        text_font_size="12px",
        text_color="ink_color",
    )
    figure.grid.visible = False
    view.categories(figure, _ends)
    view.categories(figure, _ends, axis="x")
    return figure


def _ink(view: View, rate: float, most: float) -> str:
    """Return a colour that can be read on the cell's own."""
    is_high = rate > most / 2
    return "#ffffff" if is_high == (view.theme.name == "light") else "#10151c"


@plot("Moved", on="transfers", height_px=380, place=20, reads=("transfers",))
def moved(view: View) -> Any:
    """Bytes that workers got from each other, in a second."""
    lines = {"transferred_nbytes_per_s": "bytes a second"}
    return time_lines(view, view.stream("rates"), lines, y_unit="bytes")


@table(
    "Latest transfers",
    {
        "start_s": "Began",
        "source": "From",
        "target": "To",
        "nbytes": "Size",
        "duration_s": "Took",
        "nbytes_per_s": "Bandwidth",
        "count": "Values",
        "key": "First key",
        "error": "Error",
    },
    on="transfers",
    place=30,
    reads=("transfers",),
)
def latest_transfers(model: ClusterModel, words: str) -> Iterator[Row]:
    """Transfers, the latest first."""
    return list_transfers(model, 20_000 if words else 300)


def list_transfers(model: ClusterModel, rows_max: int) -> Iterator[Row]:
    """Yield the latest transfers."""
    columns = model.rings["transfers"].read(0, rows_max).columns
    names = list(columns)
    for values in zip(*(reversed(column) for column in columns.values()), strict=True):
        row = dict(zip(names, values, strict=True))
        row["source"] = row["source"] or "client"
        row["target"] = row["target"] or "client"
        row["nbytes_per_s"] = row["nbytes"] / row["duration_s"] if row["duration_s"] else None
        yield row
