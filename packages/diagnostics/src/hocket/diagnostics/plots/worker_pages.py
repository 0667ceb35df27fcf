"""The pages of a worker: main, system, store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bokeh.models import FactorRange

from hocket.diagnostics.model import ClusterModel, Rows
from hocket.diagnostics.model.cluster import natural
from hocket.diagnostics.plots.series import time_lines
from hocket.diagnostics.plots.transfers import list_transfers
from hocket.diagnostics.view import Columns, View
from hocket.diagnostics.visuals import Row, page, plot, table

__all__ = ["counts", "peers", "spills", "state"]

page("main", "Main", role="worker", order=10)
page("worker-system", "System", role="worker", order=20)
page("store", "Store", role="worker", order=40)


@table(
    "Now",
    {
        "running": "Running",
        "ready": "Ready",
        "waiting": "Waiting for inputs",
        "held": "Keys held",
        "managed_nbytes": "Results",
        "spilled_nbytes": "On disk",
        "memory_nbytes": "Process",
        "transfers": "Transfers under way",
        "received_nbytes_per_s": "In",
        "sent_nbytes_per_s": "Out",
        "cpu": "CPU, cores",
        "loop_lag_s": "Loop lag",
    },
    on="main",
    role="worker",
    reads=(),
    place=5,
)
def state(model: ClusterModel, words: str) -> Iterator[Row]:
    """How the worker is now."""
    del words
    columns = model.rings["worker_samples"].read(0, 1).columns
    if len(columns["time_s"]):
        yield {name: values[-1] for name, values in columns.items()}


@plot("Tasks", on="main", role="worker", place=20, height_px=220)
def counts(view: View) -> Any:
    """Tasks that run, that could, and that wait for inputs."""
    lines = {"running": "running", "ready": "ready", "waiting": "waiting"}
    return time_lines(view, view.stream("worker_samples"), lines)


@plot("Bandwidth", on="main", role="worker", place=30, height_px=220)
def bandwidth(view: View) -> Any:
    """Bytes that it fetched and sent, in a second."""
    lines = {"received_nbytes_per_s": "in", "sent_nbytes_per_s": "out"}
    return time_lines(view, view.stream("worker_samples"), lines, y_unit="bytes")


#: Bandwidths from which a transfer is drawn full, and the palest, in bytes a second.
_FULL_NBYTES_PER_S: Final = 1e9
_ALPHA_MIN: Final = 0.25


@plot(
    "Transfers with peers",
    on="main",
    role="worker",
    place=35,
    reads=("transfers",),
    text="A lane for each peer; in is blue and on top, out is orange and below; the fuller, the"
    " faster.",
)
def peers(view: View) -> Any:
    """Draw a bar for each transfer."""

    def make(rows: Rows) -> Columns:
        columns: dict[str, list[Any]] = {name: [] for name in _TRANSFER}
        wanted = ("start_s", "duration_s", "nbytes", "source", "target")
        for start_s, duration_s, nbytes, source, target in zip(
            *(rows.columns[name] for name in wanted), strict=True
        ):
            is_in = target == view.name
            rate = nbytes / duration_s if duration_s else 0.0
            peer = (source if is_in else target) or "client"
            columns["peer"].append(peer)
            columns["y_y"].append((peer, 0.22 if is_in else -0.22))
            columns["left"].append(start_s * 1000)
            columns["right"].append((start_s + max(duration_s, 0.02)) * 1000)
            columns["direction"].append("in" if is_in else "out")
            columns["nbytes"].append(nbytes)
            columns["nbytes_per_s"].append(rate)
            columns["color"].append(view.theme.accents[0 if is_in else 1])
            part = (rate / _FULL_NBYTES_PER_S) ** 0.5
            columns["alpha_y"].append(min(1.0, _ALPHA_MIN + part))
        return columns

    def names(model: ClusterModel) -> list[str]:
        columns = model.rings["transfers"].read(0, 2000).columns
        found = {*columns["source"], *columns["target"]} - {view.name}
        return sorted((name or "client" for name in found), key=natural)[:30]

    source = view.stream("transfers", make)
    figure = view.figure(
        x_axis_type="datetime",
        y_range=FactorRange(),
        tooltips=[
            ("peer", "@peer, @direction"),
            ("size", "@nbytes{0.[00] ib}"),
            ("a second", "@nbytes_per_s{0.[00] ib}"),
        ],
    )
    figure.hbar(
        y="y_y",
        left="left",
        right="right",
        height=0.4,
        source=source,
        line_color=None,
        fill_color="color",
        fill_alpha="alpha_y",
    )
    figure.ygrid.visible = False
    view.categories(figure, names)
    return figure


_TRANSFER: Final = (
    "peer",
    "y_y",
    "left",
    "right",
    "direction",
    "nbytes",
    "nbytes_per_s",
    "color",
    "alpha_y",
)


@table(
    "Latest transfers",
    {
        "start_s": "Began",
        "source": "From",
        "target": "To",
        "nbytes": "Size",
        "duration_s": "Took",
        "nbytes_per_s": "Bandwidth",
        "key": "First key",
        "error": "Error",
    },
    on="main",
    role="worker",
    place=60,
    reads=("transfers",),
)
def worker_transfers(model: ClusterModel, words: str) -> Iterator[Row]:
    """Transfers, the latest first."""
    return list_transfers(model, 5_000 if words else 50)


def _sampled(title: str, lines: dict[str, str], *, y_unit: str = "", text: str = "") -> None:
    """Make a plot of the worker's samples on its page of the system."""

    def draw(view: View) -> Any:
        return time_lines(view, view.stream("worker_samples"), lines, y_unit=y_unit)

    draw.__name__ = f"worker-{title.lower().replace(' ', '-')}"
    plot(title, on="worker-system", role="worker", reads=(), height_px=200, text=text)(draw)


_sampled("Processor", {"cpu": "cores"}, text="Processor cores that the process uses.")
_sampled(
    "Memory",
    {"memory_nbytes": "process", "managed_nbytes": "results", "spilled_nbytes": "on disk"},
    y_unit="bytes",
    text="Memory of the process, and results held in memory and on disk.",
)
_sampled(
    "Network",
    {"network_in_nbytes_per_s": "in", "network_out_nbytes_per_s": "out"},
    y_unit="bytes",
    text="Bytes a second of the whole host.",
)
_sampled(
    "Disk",
    {"disk_read_nbytes_per_s": "read", "disk_written_nbytes_per_s": "written"},
    y_unit="bytes",
    text="Bytes a second of the whole host.",
)
_sampled("Open files", {"fds": "file descriptors"}, text="Open file descriptors.")
_sampled("Loop lag", {"loop_lag_s": "seconds"}, text="The longest wait for the event loop.")


@plot("Tiers", on="store", role="worker", size="full", place=10)
def tiers(view: View) -> Any:
    """Results in memory, results on disk, and the rest of the process."""
    lines = {"managed_nbytes": "in memory", "spilled_nbytes": "on disk", "memory_nbytes": "process"}
    return time_lines(view, view.stream("worker_samples"), lines, y_unit="bytes")


@plot("Keys held", on="store", role="worker", place=20, height_px=220)
def keys_held(view: View) -> Any:
    """How many results the worker holds."""
    return time_lines(view, view.stream("worker_samples"), {"held": "keys"})


@table(
    "Memory to disk and back",
    {
        "start_s": "Began",
        "step": "What",
        "key": "Key",
        "nbytes": "Size",
        "duration_s": "Took",
        "nbytes_per_s": "Bandwidth",
        "error": "Error",
    },
    on="store",
    role="worker",
    place=40,
    reads=("transfers",),
)
def spills(model: ClusterModel, words: str) -> Iterator[Row]:
    """Results that went to disk, or were read back, the latest first."""
    columns = model.rings["spills"].read(0, 5_000 if words else 200).columns
    names = list(columns)
    for values in zip(*(reversed(column) for column in columns.values()), strict=True):
        row = dict(zip(names, values, strict=True))
        row["nbytes_per_s"] = row["nbytes"] / row["duration_s"] if row["duration_s"] else None
        yield row


@table(
    "Results made",
    {
        "group": "Function",
        "executions": "Made",
        "nbytes": "Size in sum",
        "mean_nbytes": "Mean size",
        "storing_s": "Storing in sum",
    },
    on="store",
    role="worker",
    place=30,
    size="half",
    reads=("tasks",),
)
def results(model: ClusterModel, words: str) -> Iterator[Row]:
    """What was made here while somebody watched, the largest first."""
    del words
    for record in sorted(model.groups.values(), key=lambda one: -one.nbytes):
        if record.executions:
            yield {**record.to_row(), "mean_nbytes": record.nbytes / record.executions}
