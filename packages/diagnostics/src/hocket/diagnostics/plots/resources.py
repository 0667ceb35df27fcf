"""The page of resources, and that of a worker's GPUs: what is offered, and who has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np

from hocket.core.resource_names import MEMORY
from hocket.core.units import format_bytes
from hocket.diagnostics.model import ClusterModel, Rows, WorkerRecord
from hocket.diagnostics.view import Columns, View
from hocket.diagnostics.visuals import Row, page, plot, table

__all__ = ["devices", "gpu_memory", "gpu_use", "resources", "worker_devices"]


def _has_gpus(model: ClusterModel) -> bool:
    return model.rings["gpu_samples"].end > 0


page("resources", "Resources", order=70, text="What workers offer and tasks reserve.")
page("gpus", "GPUs", role="worker", order=25, when=_has_gpus)

_DASHES: Final = ("solid", "dashed", "dotted", "dotdash")

_DEVICES: Final = {
    "worker": "Worker",
    "resource": "Resource",
    "index": "Index",
    "device": "Device",
    "what": "What it is",
    "reserved_part": "Reserved",
    "key": "For",
    "others": "And",
    "busy_part": "Busy",
    "memory_nbytes": "Memory in use",
    "memory_limit_nbytes": "Of",
}


@table(
    "Resources",
    {"worker": "Worker", "resource": "Resource", "offered": "Offered", "reserved": "Reserved"},
    on="resources",
    reads=(),
    place=10,
)
def resources(model: ClusterModel, words: str) -> Iterator[Row]:
    """What each worker offers, and what tasks and actors there have reserved of it."""
    del words
    for record in model.alive:
        reserved = {} if record.sample is None else record.sample.reserved
        for name, offered in sorted(record.came.resources.items()):
            amounts = {"offered": offered, "reserved": reserved.get(name)}
            yield {
                "worker": record.name,
                "resource": name,
                **{
                    column: format_bytes(round(amount))
                    if name == MEMORY and amount is not None
                    else amount
                    for column, amount in amounts.items()
                },
            }


@table(
    "Devices",
    _DEVICES,
    on="resources",
    reads=(),
    place=20,
    text="Who holds which GPU, or other device that tasks are told of; busy and memory are of the"
    " whole device, whoever uses it.",
)
def devices(model: ClusterModel, words: str) -> Iterator[Row]:
    """List the devices of all workers."""
    del words
    for record in model.alive:
        yield from _devices_of(record)


@table(
    "Devices",
    {name: title for name, title in _DEVICES.items() if name != "worker"},
    on="gpus",
    role="worker",
    reads=(),
    place=30,
    text="Who holds which device; busy and memory are of the whole device, whoever uses it.",
)
def worker_devices(model: ClusterModel, words: str) -> Iterator[Row]:
    """List the devices of this worker."""
    return devices(model, words)  # type: ignore[return-value]


def _devices_of(record: WorkerRecord) -> Iterator[Row]:
    if record.sample is None:
        return
    gpus = {gpu.gpu: gpu for gpu in record.sample.gpus}
    for device in record.sample.devices:
        gpu = gpus.pop(device.device, None)
        others = len(device.keys) - 1
        yield {
            "worker": record.name,
            "resource": device.resource,
            "index": device.index,
            "device": device.device,
            "what": "" if gpu is None else gpu.model,
            "reserved_part": device.reserved,
            "key": device.keys[0] if device.keys else "",
            "others": f"{others} more" if others > 0 else "",
            "busy_part": None if gpu is None or gpu.busy_part < 0 else gpu.busy_part,
            "memory_nbytes": None if gpu is None else gpu.memory_nbytes,
            "memory_limit_nbytes": None if gpu is None else gpu.memory_limit,
        }


@plot("GPU use", on="gpus", role="worker", reads=(), place=10)
def gpu_use(view: View) -> Any:
    """The part of the time in which each GPU had something to do, whoever used it."""
    return _lines(view, "busy_part", "{0%}", y_range=(0, 1.05))


@plot("GPU memory", on="gpus", role="worker", reads=(), place=20)
def gpu_memory(view: View) -> Any:
    """Memory in use on each GPU, whoever uses it."""
    return _lines(view, "memory_nbytes", "{0.[00] ib}", y_unit="bytes")


def _lines(view: View, column: str, form: str, **options: Any) -> Any:
    """Draw a line for each GPU that is known."""
    figure = view.figure(
        x_axis_type="datetime", tooltips=[("GPU", "@gpu"), ("", f"@{column}{form}")], **options
    )
    names = dict.fromkeys(view.model.rings["gpu_samples"].read().columns["gpu"])
    for index, name in enumerate(names):
        figure.line(
            "time_ms",
            column,
            source=view.stream("gpu_samples", partial(_of_gpu, name)),
            line_width=2,
            line_color=view.theme.accents[index % len(view.theme.accents)],
            line_dash=_DASHES[index // len(view.theme.accents) % len(_DASHES)],
            legend_label=name,
        )
    figure.y_range.start = 0
    if names:
        figure.legend.orientation = "horizontal"
        figure.add_layout(figure.legend[0], "above")
    return figure


def _of_gpu(name: str, rows: Rows) -> Columns:
    """Return the samples of one GPU; what could not be measured leaves a gap."""
    chosen = [index for index, gpu in enumerate(rows.columns["gpu"]) if gpu == name]
    columns: dict[str, Any] = {"gpu": [name] * len(chosen)}
    for column in ("time_s", "busy_part", "memory_nbytes"):
        columns[column] = np.asarray(rows.columns[column], dtype=float)[chosen]
    columns["time_ms"] = columns.pop("time_s") * 1000
    columns["busy_part"][columns["busy_part"] < 0] = np.nan
    return columns
