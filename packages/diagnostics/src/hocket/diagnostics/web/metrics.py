"""What Prometheus scrapes: ``/metrics``, with the names that docs/diagnostics.md lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.web.handlers import Handler

__all__ = ["METRICS", "MetricsHandler", "collect"]

_STATES: Final = ("waiting", "queued", "assigned", "stored", "failed")

#: Names and what they are, in the order in which they are told; labels in braces.
METRICS: Final = {
    "hocket_workers": "Workers that are there.",
    "hocket_clients": "Clients that are connected.",
    "hocket_tasks": "Tasks by state {state}.",
    "hocket_group_executions_total": "Executions that ended well, by function {group}.",
    "hocket_group_running_seconds_total": "How long these ran, by function {group}.",
    "hocket_worker_cpu_cores": "Processor cores that a worker uses {worker}.",
    "hocket_worker_memory_bytes": "Memory of a worker: process, managed, spilled {worker, kind}.",
    "hocket_worker_memory_limit_bytes": "The memory limit of a worker, if it has one {worker}.",
    "hocket_worker_tasks": "Tasks on a worker: running, ready, waiting {worker, state}.",
    "hocket_worker_threads": "Threads that run tasks {worker}.",
    "hocket_worker_paused": "1 if a worker is short of memory, else 0 {worker}.",
    "hocket_worker_transfer_bytes_per_second": "Data received and sent {worker, direction}.",
    "hocket_worker_loop_lag_seconds": "The longest wait for a worker's event loop {worker}.",
    "hocket_worker_gpu_busy": "The part of the time that a GPU is in use {worker, gpu}.",
    "hocket_worker_gpu_memory_bytes": "Memory in use on a GPU {worker, gpu}.",
    "hocket_worker_gpu_memory_limit_bytes": "The memory of a GPU {worker, gpu}.",
    "hocket_scheduler_cpu_cores": "Processor cores that the scheduler uses.",
    "hocket_scheduler_memory_bytes": "Memory of the scheduler's process.",
    "hocket_scheduler_loop_lag_seconds": "The longest wait for the scheduler's event loop.",
    "hocket_scheduler_messages_per_second": "Messages that come and go {direction}.",
    "hocket_feed_events_per_second": "Events that the feed recorded.",
    "hocket_dashboard_events_lost_total": "Events that this dashboard never saw.",
}


class MetricsHandler(Handler):
    """Answers Prometheus."""

    async def get(self) -> None:
        """Tell the metrics as they are now."""
        await self.site.need()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(self.site.model))
        self.set_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.finish(generate_latest(registry))


class _Snapshot(Collector):
    def __init__(self, model: ClusterModel) -> None:
        self._model = model

    def collect(self) -> Iterator[Metric]:
        return collect(self._model)


def collect(model: ClusterModel) -> Iterator[Metric]:
    """Yield the metrics of a model."""
    yield _gauge("hocket_workers", len(model.alive))
    yield _gauge("hocket_clients", len(model.clients))
    counted = [record.counted for record in model.groups.values() if record.counted is not None]
    tasks = _labelled("hocket_tasks", "state")
    for state in _STATES:
        tasks.add_metric([state], sum(getattr(each, state) for each in counted))
    yield tasks
    executions = _counter("hocket_group_executions_total")
    running = _counter("hocket_group_running_seconds_total")
    for each in counted:
        executions.add_metric([each.group], each.finished)
        running.add_metric([each.group], each.running_s)
    yield executions
    yield running
    yield from _worker_metrics(model)
    yield from _gpu_metrics(model)
    yield from _scheduler_metrics(model)
    lost = "hocket_dashboard_events_lost_total"
    yield CounterMetricFamily(lost, METRICS[lost], value=model.lost)


def _worker_metrics(model: ClusterModel) -> Iterator[Metric]:
    cpu = _labelled("hocket_worker_cpu_cores", "worker")
    memory = _labelled("hocket_worker_memory_bytes", "worker", "kind")
    limit = _labelled("hocket_worker_memory_limit_bytes", "worker")
    tasks = _labelled("hocket_worker_tasks", "worker", "state")
    threads = _labelled("hocket_worker_threads", "worker")
    paused = _labelled("hocket_worker_paused", "worker")
    transfers = _labelled("hocket_worker_transfer_bytes_per_second", "worker", "direction")
    lag = _labelled("hocket_worker_loop_lag_seconds", "worker")
    for record in model.alive:
        name, sample = record.name, record.sample
        threads.add_metric([name], record.came.threads)
        paused.add_metric([name], float(record.paused))
        if record.came.memory_limit:
            limit.add_metric([name], record.came.memory_limit)
        if sample is None:
            continue
        cpu.add_metric([name], sample.cpu)
        memory.add_metric([name, "process"], sample.memory_nbytes)
        memory.add_metric([name, "managed"], sample.managed_nbytes)
        memory.add_metric([name, "spilled"], sample.spilled_nbytes)
        tasks.add_metric([name, "running"], sample.running)
        tasks.add_metric([name, "ready"], sample.ready)
        tasks.add_metric([name, "waiting"], sample.waiting)
        transfers.add_metric([name, "in"], sample.received_nbytes_per_s)
        transfers.add_metric([name, "out"], sample.sent_nbytes_per_s)
        lag.add_metric([name], sample.loop_lag_s)
    yield from (cpu, memory, limit, tasks, threads, paused, transfers, lag)


def _gpu_metrics(model: ClusterModel) -> Iterator[Metric]:
    busy = _labelled("hocket_worker_gpu_busy", "worker", "gpu")
    memory = _labelled("hocket_worker_gpu_memory_bytes", "worker", "gpu")
    limit = _labelled("hocket_worker_gpu_memory_limit_bytes", "worker", "gpu")
    for record in model.alive:
        for gpu in () if record.sample is None else record.sample.gpus:
            labels = [record.name, gpu.gpu]
            memory.add_metric(labels, gpu.memory_nbytes)
            limit.add_metric(labels, gpu.memory_limit)
            if gpu.busy_part >= 0:
                busy.add_metric(labels, gpu.busy_part)
    yield from (busy, memory, limit)


def _scheduler_metrics(model: ClusterModel) -> Iterator[Metric]:
    ring = model.rings["scheduler_samples"]
    if not len(ring):
        return
    yield _gauge("hocket_scheduler_cpu_cores", ring.last("cpu"))
    yield _gauge("hocket_scheduler_memory_bytes", ring.last("memory_nbytes"))
    yield _gauge("hocket_scheduler_loop_lag_seconds", ring.last("loop_lag_s"))
    messages = _labelled("hocket_scheduler_messages_per_second", "direction")
    messages.add_metric(["in"], ring.last("messages_in_per_s"))
    messages.add_metric(["out"], ring.last("messages_out_per_s"))
    yield messages
    yield _gauge("hocket_feed_events_per_second", ring.last("events_per_s"))


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, METRICS[name], value=value)


def _labelled(name: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, METRICS[name], labels=labels)


def _counter(name: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, METRICS[name], labels=["group"])
