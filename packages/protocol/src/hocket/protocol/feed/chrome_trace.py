"""A feed as a trace that Perfetto (ui.perfetto.dev) and Chrome show: the Trace Event Format.

Each worker is a process of the trace. Its lanes are threads, with a slice for each phase of a task;
transfers lie on threads of their own; memory, processors and tasks are counters; what happens at
one moment is an instant event. Times are microseconds since the first event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from hocket.protocol.messages.feed import (
    Event,
    SchedulerSampled,
    SpillDone,
    TaskEnded,
    TaskOutcome,
    TaskRecalled,
    TransferDone,
    UserEvent,
    WorkerGone,
    WorkerPauseChanged,
    WorkerSampled,
)

__all__ = ["trace_bytes", "trace_rows"]

#: The scheduler, and clients, as a process of the trace.
_SCHEDULER: Final = 1
#: Threads from here on are lanes for transfers, for tasks whose thread is not known, and for what
#: goes to disk and back.
_TRANSFERS_FROM: Final = 10_000
_UNKNOWN_FROM: Final = 20_000
_DISK_FROM: Final = 30_000
#: Of each executor but the first, lanes begin here.
_EXECUTOR_STEP: Final = 1000

_WITH_START: Final = frozenset({TransferDone, SpillDone})
_COLOURS: Final = {TaskOutcome.FAILED: "terrible", TaskOutcome.DROPPED: "grey"}
_encoder: Final = msgspec.json.Encoder()

_Row = dict[str, Any]


def trace_bytes(events: Iterable[Event]) -> bytes:
    """Return a whole trace file, JSON."""
    return _encoder.encode({"displayTimeUnit": "ms", "traceEvents": list(trace_rows(events))})


def trace_rows(events: Iterable[Event]) -> Iterator[_Row]:
    """Yield the rows of a trace, each as the format has it; names of processes come first."""
    kept = [event for event in events if type(event) in _MAKERS]
    first_s = min(map(_begin_of, kept), default=0.0)
    places = _Places()
    rows: list[_Row] = []
    for event in sorted(kept, key=_begin_of):
        rows.extend(_MAKERS[type(event)](event, places, first_s))
    yield from places.names()
    yield from rows


def _begin_of(event: Any) -> float:
    if type(event) is TaskEnded:
        return float(event.start_s - event.ready_s - event.fetching_s)
    return float(event.start_s if type(event) in _WITH_START else event.time_s)


class _Places:
    """Numbers for workers and their lanes."""

    def __init__(self) -> None:
        self._workers: dict[str, int] = {"": _SCHEDULER}
        self._threads: dict[tuple[int, int], str] = {}
        self._executors: dict[str, int] = {"threads": 0}
        #: By worker and first thread: when each lane from there on is free again.
        self._free_s: dict[tuple[int, int], list[float]] = {}

    def worker(self, name: str) -> int:
        return self._workers.setdefault(name, len(self._workers) + 1)

    def lane(self, worker: int, executor: str, lane: int) -> int:
        step = self._executors.setdefault(executor, len(self._executors))
        thread = 1 + step * _EXECUTOR_STEP + lane % _EXECUTOR_STEP
        self._threads[worker, thread] = f"{executor} {lane}"
        return thread

    def transfer(self, worker: int, start_s: float, end_s: float) -> int:
        """Return a lane for transfers on which nothing overlaps."""
        return self._free(worker, _TRANSFERS_FROM, "transfers", start_s, end_s)

    def unknown(self, worker: int, start_s: float, end_s: float) -> int:
        """Return a lane on which nothing overlaps, for a task that ended before anybody looked."""
        return self._free(worker, _UNKNOWN_FROM, "lane unknown", start_s, end_s)

    def disk(self, worker: int, start_s: float, end_s: float) -> int:
        """Return a lane on which nothing overlaps, for what goes to disk or comes from there."""
        return self._free(worker, _DISK_FROM, "disk", start_s, end_s)

    def _free(self, worker: int, first: int, label: str, start_s: float, end_s: float) -> int:
        free_s = self._free_s.setdefault((worker, first), [])
        for index, until_s in enumerate(free_s):
            if until_s <= start_s:
                free_s[index] = end_s
                break
        else:
            index = len(free_s)
            free_s.append(end_s)
        thread = first + index
        self._threads[worker, thread] = f"{label} {index}"
        return thread

    def names(self) -> Iterator[_Row]:
        for name, number in self._workers.items():
            label = name or "scheduler"
            yield _row("process_name", "M", number, 0, args={"name": label})
            yield _row("process_sort_index", "M", number, 0, args={"sort_index": number})
        for (worker, thread), name in sorted(self._threads.items()):
            yield _row("thread_name", "M", worker, thread, args={"name": name})
            yield _row("thread_sort_index", "M", worker, thread, args={"sort_index": thread})


def _row(name: str, phase: str, process: int, thread: int, **more: Any) -> _Row:
    return {"name": name, "ph": phase, "pid": process, "tid": thread, **more}


def _microseconds(time_s: float) -> float:
    return round(max(time_s, 0.0) * 1e6, 3)


def _task(event: TaskEnded, places: _Places, first_s: float) -> Iterator[_Row]:
    process = places.worker(event.worker)
    begin_s = event.start_s - first_s
    whole_s = event.deserialising_s + event.running_s + event.storing_s
    if event.lane < 0:
        thread = places.unknown(process, begin_s, begin_s + whole_s)
    else:
        thread = places.lane(process, event.executor, event.lane)
    args = {
        "key": event.key,
        "attempt": event.attempt,
        "outcome": event.outcome.name.lower(),
        "nbytes": event.nbytes,
        "waiting_s": event.waiting_s,
        "fetching_s": event.fetching_s,
        "ready_s": event.ready_s,
    }
    if event.error:
        args["error"] = event.error
    row = _row(
        event.group,
        "X",
        process,
        thread,
        cat="task",
        ts=_microseconds(begin_s),
        dur=_microseconds(whole_s),
        args=args,
    )
    if event.outcome in _COLOURS:
        row["cname"] = _COLOURS[event.outcome]
    yield row
    at_s = begin_s
    for name, part_s in (
        ("deserialising", event.deserialising_s),
        ("running", event.running_s),
        ("storing", event.storing_s),
    ):
        if part_s > 0 and part_s < whole_s:
            times = {"ts": _microseconds(at_s), "dur": _microseconds(part_s)}
            yield _row(name, "X", process, thread, cat="phase", **times)
        at_s += part_s
    if event.fetching_s > 0:
        start_s = begin_s - event.ready_s - event.fetching_s
        common = {"cat": "fetching", "id": f"{event.worker} {event.attempt}"}
        name = f"inputs of {event.group}"
        yield _row(name, "b", process, 0, ts=_microseconds(start_s), **common)
        end_s = start_s + event.fetching_s
        yield _row(name, "e", process, 0, ts=_microseconds(end_s), **common)


def _transfer(event: TransferDone, places: _Places, first_s: float) -> Iterator[_Row]:
    # (Of what a client fetches, who gave it tells.)
    process = places.worker(event.target or event.source)
    start_s = event.start_s - first_s
    thread = places.transfer(process, start_s, start_s + event.duration_s)
    yield _row(
        f"from {event.source}" if event.target else "to a client",
        "X",
        process,
        thread,
        cat="transfer",
        ts=_microseconds(start_s),
        dur=_microseconds(event.duration_s),
        args={
            "nbytes": event.nbytes,
            "count": event.count,
            "key": event.key,
            **({"error": event.error} if event.error else {}),
        },
    )


def _spill(event: SpillDone, places: _Places, first_s: float) -> Iterator[_Row]:
    process = places.worker(event.worker)
    start_s = event.start_s - first_s
    yield _row(
        "read back" if event.is_read else "to disk",
        "X",
        process,
        places.disk(process, start_s, start_s + event.duration_s),
        cat="spill",
        ts=_microseconds(start_s),
        dur=_microseconds(event.duration_s),
        args={"nbytes": event.nbytes, "key": event.key, "error": event.error},
    )


def _worker_sample(event: WorkerSampled, places: _Places, first_s: float) -> Iterator[_Row]:
    process = places.worker(event.worker)
    stamp = {"ts": _microseconds(event.time_s - first_s)}
    other = max(event.memory_nbytes - event.managed_nbytes, 0)
    counters: dict[str, dict[str, float]] = {
        "memory": {"results": event.managed_nbytes, "other": other},
        "processors": {"cores": event.cpu},
        "tasks": {"running": event.running, "ready": event.ready, "waiting": event.waiting},
    }
    for name, args in counters.items():
        yield _row(name, "C", process, 0, args=args, **stamp)


def _scheduler_sample(event: SchedulerSampled, places: _Places, first_s: float) -> Iterator[_Row]:
    del places
    stamp = {"ts": _microseconds(event.time_s - first_s)}
    counters = {
        "processors": {"cores": event.cpu},
        "tasks": {"known": event.tasks, "queued": event.queued},
        "loop lag (ms)": {"lag": event.loop_lag_s * 1e3},
    }
    for name, args in counters.items():
        yield _row(name, "C", _SCHEDULER, 0, args=args, **stamp)


def _instant(event: Any, places: _Places, first_s: float) -> Iterator[_Row]:
    stamp = {"ts": _microseconds(event.time_s - first_s)}
    process, scope, name, args = _SCHEDULER, "g", "", {}
    if isinstance(event, UserEvent):
        name, args = event.topic, {"source": event.source, "key": event.key}
    elif isinstance(event, TaskRecalled):
        process, scope = places.worker(event.worker), "p"
        name, args = f"recall {event.step.name.lower()}", {"key": event.key}
    elif isinstance(event, WorkerPauseChanged):
        process, scope = places.worker(event.worker), "p"
        name = "paused" if event.paused else "goes on"
    elif isinstance(event, WorkerGone):
        process, scope = places.worker(event.worker), "p"
        name, args = "gone", {"reason": event.reason}
    yield _row(name or "?", "i", process, 0, cat="event", s=scope, args=args, **stamp)


_MAKERS: Final[dict[type, Any]] = {
    TaskEnded: _task,
    TransferDone: _transfer,
    SpillDone: _spill,
    WorkerSampled: _worker_sample,
    SchedulerSampled: _scheduler_sample,
    UserEvent: _instant,
    TaskRecalled: _instant,
    WorkerPauseChanged: _instant,
    WorkerGone: _instant,
}
