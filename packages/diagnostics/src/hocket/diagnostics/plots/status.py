"""The first page of the scheduler: what is under way, and how the workers are."""

from __future__ import annotations

from typing import Any, Final

from bokeh.models import AdaptiveTicker, FactorRange, Range1d

from hocket.core.units import MIB
from hocket.diagnostics.model import ClusterModel, GroupRecord, WorkerRecord
from hocket.diagnostics.view import BYTES, Columns, View
from hocket.diagnostics.visuals import plot

__all__ = ["cluster_rates", "worker_cpu", "worker_memory", "worker_occupancy"]

#: Rows of a bar chart that can be read.
ROWS_MAX: Final = 24


def busiest(model: ClusterModel) -> list[WorkerRecord]:
    """Return the workers that fit on a chart: all, or those with the most memory in use."""
    alive = model.alive
    if len(alive) <= ROWS_MAX:
        return alive
    return sorted(alive, key=lambda one: -(one.sample.memory_nbytes if one.sample else 0))[
        :ROWS_MAX
    ]


def names_of_busiest(model: ClusterModel) -> list[str]:
    """Return the names of these."""
    return [record.name for record in busiest(model)]


def groups_shown(model: ClusterModel) -> list[GroupRecord]:
    """Return the functions that fit on a chart: those with tasks under way, then the latest."""
    known = [record for record in model.groups.values() if record.counted is not None]
    known.sort(key=lambda one: (-(_under_way(one) > 0), -_time_of(one)))
    return known[:ROWS_MAX]


def _under_way(record: GroupRecord) -> int:
    counted = record.counted
    return 0 if counted is None else counted.waiting + counted.queued + counted.assigned


def _time_of(record: GroupRecord) -> float:
    return 0.0 if record.counted is None else record.counted.time_s


@plot(
    "Progress",
    on="status",
    size="half",
    text="Of each function: executions that ended well (full), tasks on workers (striped), tasks"
    " that wait (pale), failed (crossed).",
)
def progress(view: View) -> Any:
    """Draw a bar for each function."""

    def compute(model: ClusterModel) -> Columns:
        columns: dict[str, list[Any]] = {name: [] for name in _PROGRESS}
        for record in groups_shown(model):
            counted = record.counted
            assert counted is not None
            ended = max(counted.finished, counted.stored)
            total = max(ended + counted.failed + _under_way(record), 1)
            done = ended / total
            failed = done + counted.failed / total
            assigned = failed + counted.assigned / total
            color = view.color(record.name)
            text = _short(total) if ended == total else f"{_short(ended)} of {_short(total)}"
            if counted.failed:
                text += f", {_short(counted.failed)} failed"
            values = (record.name, done, failed, assigned, 1.0, color, text, ended)
            for name, value in zip(_PROGRESS, values, strict=False):
                columns[name].append(value)
            columns["assigned"].append(counted.assigned)
            columns["waiting"].append(counted.waiting + counted.queued)
            columns["failed"].append(counted.failed)
            columns["text_y"].append(0.0)
        return columns

    source = view.computed(compute)
    figure = view.figure(
        y_range=FactorRange(),
        x_range=(0, 1.65),
        tools="",
        tooltips=[
            ("function", "@group"),
            ("done", "@finished"),
            ("on workers", "@assigned"),
            ("waiting", "@waiting"),
            ("failed", "@failed"),
        ],
    )
    bar = {"y": "group", "height": 0.76, "source": source, "line_color": None}
    figure.hbar(left=0, right="done_y", fill_color="color", **bar)
    figure.hbar(
        left="done_y",
        right="failed_y",
        fill_color=view.theme.bad,
        hatch_pattern="x",
        hatch_color=view.theme.hatch,
        hatch_scale=8,
        **bar,
    )
    figure.hbar(
        left="failed_y",
        right="assigned_y",
        fill_color="color",
        fill_alpha=0.7,
        hatch_pattern="/",
        hatch_color=view.theme.hatch,
        hatch_scale=6,
        **bar,
    )
    figure.hbar(left="assigned_y", right="all_y", fill_color="color", fill_alpha=0.22, **bar)
    figure.text(
        x=1.02,
        y="group",
        text="text_y_label",
        source=source,
        text_baseline="middle",
        text_font_size="12px",
        text_color=view.theme.text,
    )
    figure.xgrid.visible = figure.ygrid.visible = False
    figure.xaxis.visible = False
    view.categories(figure, lambda model: [record.name for record in groups_shown(model)])
    return figure


def _short(count: int) -> str:
    """Return a number in a few characters: 9999, 12.3k, 4.56M."""
    for size, letter in ((10_000_000, "M"), (10_000, "k")):
        if count >= size:
            return f"{count / size * 10:.3g}{letter}"
    return str(count)


_PROGRESS: Final = (
    "group",
    "done_y",
    "failed_y",
    "assigned_y",
    "all_y",
    "color",
    "text_y_label",
    "finished",
    "assigned",
    "waiting",
    "failed",
    "text_y",
)


@plot(
    "Memory by worker",
    on="status",
    size="half",
    text="Results held (full), the rest of the process (pale), results on disk (striped); the line"
    " is the limit.",
)
def worker_memory(view: View) -> Any:
    """Draw a stacked bar for each worker."""

    def compute(model: ClusterModel) -> Columns:
        shown = [record for record in busiest(model) if record.sample is not None]
        managed = [record.sample.managed_nbytes for record in shown if record.sample]
        process = [
            max(record.sample.memory_nbytes, record.sample.managed_nbytes)
            for record in shown
            if record.sample
        ]
        spilled = [record.sample.spilled_nbytes for record in shown if record.sample]
        return {
            "worker": [record.name for record in shown],
            "managed_nbytes": managed,
            "process_nbytes": process,
            "spilled_nbytes": spilled,
            "stack_y": [sum(pair) for pair in zip(process, spilled, strict=True)],
            "limit_nbytes": [record.came.memory_limit or None for record in shown],
            "paused": ["paused" if record.paused else "" for record in shown],
        }

    source = view.computed(compute)
    figure = view.figure(
        y_range=FactorRange(),
        x_range=Range1d(start=0, end=_memory_end(view.model)),
        x_unit="bytes",
        tools="",
        tooltips=[
            ("worker", "@worker @paused"),
            ("results", f"@managed_nbytes{{{BYTES}}}"),
            ("process", f"@process_nbytes{{{BYTES}}}"),
            ("on disk", f"@spilled_nbytes{{{BYTES}}}"),
            ("limit", f"@limit_nbytes{{{BYTES}}}"),
        ],
    )
    color = view.theme.accents[0]
    bar = {"y": "worker", "height": 0.7, "source": source, "line_color": None}
    figure.hbar(left=0, right="managed_nbytes", fill_color=color, **bar)
    figure.hbar(
        left="managed_nbytes", right="process_nbytes", fill_color=color, fill_alpha=0.3, **bar
    )
    figure.hbar(
        left="process_nbytes",
        right="stack_y",
        fill_color="#999999",
        hatch_pattern="/",
        hatch_color=view.theme.hatch,
        hatch_scale=6,
        **bar,
    )
    figure.scatter(
        marker="dash",
        x="limit_nbytes",
        y="worker",
        angle=1.5708,
        size=18,
        line_width=2,
        source=source,
        line_color=view.theme.warning,
    )

    def fit() -> None:
        end = _memory_end(view.model)
        if figure.x_range.end != end:
            figure.x_range.end = end

    view.on_tick(fit)
    figure.ygrid.visible = False
    view.categories(figure, names_of_busiest)
    return figure


def _memory_end(model: ClusterModel) -> float:
    """Return where the axis of memory ends: at the limit, once a good part of it is in use."""
    used = limit = 0
    for record in model.alive:
        limit = max(limit, record.came.memory_limit)
        if record.sample is not None:
            used = max(used, record.sample.memory_nbytes + record.sample.spilled_nbytes)
    if limit and used > limit / 8:
        return max(limit, used) * 1.06
    # (In steps, so that it does not change all the time.)
    return float(1 << int(max(used * 1.2, MIB)).bit_length())


@plot(
    "Occupancy",
    on="status",
    size="third",
    text="Tasks that run (full), of the worker's threads (line); tasks that could (pale).",
)
def worker_occupancy(view: View) -> Any:
    """Draw what runs and what waits on each worker."""

    def compute(model: ClusterModel) -> Columns:
        shown = busiest(model)
        running = [record.sample.running if record.sample else 0 for record in shown]
        ready = [record.sample.ready if record.sample else 0 for record in shown]
        most = [4 * record.slots for record in shown]
        return {
            "worker": [record.name for record in shown],
            "running": running,
            "ready": ready,
            "waiting": [record.sample.waiting if record.sample else 0 for record in shown],
            "stack_y": [
                min(one + two, limit) for one, two, limit in zip(running, ready, most, strict=True)
            ],
            "threads": [record.slots for record in shown],
        }

    source = view.computed(compute)
    figure = view.figure(
        y_range=FactorRange(),
        tools="",
        tooltips=[
            ("worker", "@worker"),
            ("running", "@running of @threads"),
            ("ready", "@ready"),
            ("waiting for inputs", "@waiting"),
        ],
    )
    bar = {"y": "worker", "height": 0.7, "source": source, "line_color": None}
    figure.hbar(left=0, right="running", fill_color=view.theme.accents[2], **bar)
    figure.hbar(
        left="running", right="stack_y", fill_color=view.theme.accents[2], fill_alpha=0.3, **bar
    )
    figure.scatter(
        marker="dash",
        x="threads",
        y="worker",
        angle=1.5708,
        size=18,
        line_width=2,
        source=source,
        line_color=view.theme.warning,
    )
    figure.x_range.start = 0
    figure.xaxis.ticker = AdaptiveTicker(mantissas=[1, 2, 5], min_interval=1)
    figure.ygrid.visible = False
    view.categories(figure, names_of_busiest)
    return figure


@plot("CPU", on="status", size="third", text="Processor cores that each worker uses.")
def worker_cpu(view: View) -> Any:
    """Draw the cores that each worker uses."""

    def compute(model: ClusterModel) -> Columns:
        shown = busiest(model)
        return {
            "worker": [record.name for record in shown],
            "cpu": [record.sample.cpu if record.sample else 0.0 for record in shown],
        }

    source = view.computed(compute)
    figure = view.figure(
        y_range=FactorRange(),
        tools="",
        tooltips=[("worker", "@worker"), ("cores", "@cpu{0.00}")],
    )
    figure.hbar(
        y="worker",
        left=0,
        right="cpu",
        height=0.7,
        source=source,
        line_color=None,
        fill_color=view.theme.accents[1],
    )
    figure.x_range.start = 0
    figure.ygrid.visible = False
    view.categories(figure, names_of_busiest)
    return figure


@plot("Rates", on="status", size="third", text="Executions of tasks that ended, in a second.")
def cluster_rates(view: View) -> Any:
    """Draw tasks a second over time."""
    source = view.stream("rates")
    figure = view.figure(
        x_axis_type="datetime",
        tooltips=[("ended", "@finished_per_s{0} /s"), ("failed", "@failed_per_s{0} /s")],
    )
    figure.line(
        "time_ms",
        "finished_per_s",
        source=source,
        line_width=2,
        line_color=view.theme.accents[0],
        legend_label="ended",
    )
    figure.line(
        "time_ms",
        "failed_per_s",
        source=source,
        line_width=2,
        line_color=view.theme.bad,
        line_dash="dashed",
        legend_label="failed",
    )
    figure.y_range.start = 0
    figure.legend.orientation = "horizontal"
    figure.add_layout(figure.legend[0], "above")
    return figure
