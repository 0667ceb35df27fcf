"""The page of functions: where the time goes, by phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bokeh.models import FactorRange

from hocket.diagnostics.model import ClusterModel, GroupRecord
from hocket.diagnostics.model.records import PHASES
from hocket.diagnostics.theme import PALETTE
from hocket.diagnostics.view import Columns, View
from hocket.diagnostics.visuals import Row, page, plot, table

__all__ = ["groups", "phases", "worker_phases"]

page("groups", "Functions", order=50, text="Executions that ended while somebody watched.")

_ROWS_MAX: Final = 20
#: A pattern for each phase, so that colour is not all that tells them apart.
_HATCHES: Final = (" ", "/", ".", "x", " ", "-")


def _longest(model: ClusterModel) -> list[GroupRecord]:
    found = [record for record in model.groups.values() if record.executions]
    return sorted(found, key=lambda one: -sum(one.phases_s))[:_ROWS_MAX]


def draw_phases(view: View) -> Any:
    """Draw the mean time in each phase, for each function."""

    def compute(model: ClusterModel) -> Columns:
        shown = _longest(model)
        columns: dict[str, list[Any]] = {"group": [record.name for record in shown]}
        edges = [0.0] * len(shown)
        for index, phase in enumerate(PHASES):
            means = [record.phases_s[index] / record.executions for record in shown]
            columns[f"{phase}_s"] = means
            columns[f"{phase}_left_y"] = list(edges)
            edges = [edge + mean for edge, mean in zip(edges, means, strict=True)]
            columns[f"{phase}_right_y"] = list(edges)
        columns["executions"] = [record.executions for record in shown]
        return columns

    source = view.computed(compute)
    figure = view.figure(
        y_range=FactorRange(),
        tools="",
        x_axis_label="seconds",
        tooltips=[
            ("function", "@group"),
            ("executions", "@executions"),
            *((phase, f"@{phase}_s{{0.0000}} s") for phase in PHASES),
        ],
    )
    for index, phase in enumerate(PHASES):
        figure.hbar(
            y="group",
            left=f"{phase}_left_y",
            right=f"{phase}_right_y",
            height=0.7,
            source=source,
            line_color=None,
            fill_color=PALETTE[index],
            hatch_pattern=_HATCHES[index],
            hatch_color=view.theme.hatch,
            hatch_scale=6,
            legend_label=phase,
        )
    figure.x_range.start = 0
    figure.ygrid.visible = False
    figure.add_layout(figure.legend[0], "above")
    figure.legend.orientation = "horizontal"
    view.categories(figure, lambda model: [record.name for record in _longest(model)])
    return figure


@plot(
    "Phases",
    on="groups",
    size="full",
    height_px=340,
    place=10,
    reads=("tasks",),
    text="The mean time of one execution in each phase, the functions with most time first.",
)
def phases(view: View) -> Any:
    """Draw the phases of all functions."""
    return draw_phases(view)


@plot(
    "Delays",
    on="main",
    role="worker",
    height_px=260,
    place=40,
    reads=("tasks",),
    text="The mean time of one execution in each part of the code, by function.",
)
def worker_phases(view: View) -> Any:
    """Draw the phases of the functions that ran here."""
    return draw_phases(view)


@table(
    "Functions",
    {
        "group": "Function",
        "executions": "Ended",
        "failed_executions": "Failed",
        "mean_s": "Mean",
        "longest_s": "Longest",
        "running_s": "Running in sum",
        "waiting_s": "Waiting in sum",
        "fetching_s": "Fetching in sum",
        "nbytes": "Results",
        "waiting": "Waiting now",
        "queued": "Queued",
        "assigned": "On workers",
        "stored": "Stored",
        "failed": "Failed now",
    },
    on="groups",
    place=20,
    reads=("tasks",),
)
def groups(model: ClusterModel, words: str) -> Iterator[Row]:
    """The functions: how often, how long, and where their tasks stand."""
    del words
    for record in sorted(model.groups.values(), key=lambda one: -one.phases_s[4]):
        yield record.to_row()
