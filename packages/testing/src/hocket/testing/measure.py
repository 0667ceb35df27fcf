"""Measuring in virtual time: how long a graph takes on a cluster where nothing goes wrong.

The machines are the real ones, and what they say to each other is what they would say; what lies
between them is as short as it can be, so that ten thousand tasks take seconds: messages are handed
over as objects, nothing is checked, and no trace is kept. Scheduler and network think for no time;
tasks take theirs, messages have their latency, and data shares the bandwidth of the hosts' links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    RecallTasks,
    ReleaseKeys,
    SubmitTasks,
    TasksErred,
    TasksStored,
    WorkerJoined,
    WorkerReport,
)
from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.tables import Limits
from hocket.testing.bandwidth import Bandwidth
from hocket.testing.clock import Timeline
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.serving import LARGE_NBYTES_MIN, Serving
from hocket.worker.state import DropFile, Fetch, Spill, Task, Unspill

__all__ = ["Measurement", "Work", "run_graph"]

_CLIENT: Final = 1
_BATCH_TASKS: Final = 5000
#: When the word of a task's beginning leaves that nothing else takes along.
_FLUSH_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Work:
    """One task to be measured.

    Attributes
    ----------
    duration_s
        How long it runs.
    nbytes
        The size of its result.
    inputs
        Keys of the tasks whose results it reads.
    kind
        The name of its function: durations and sizes are learnt by kind.
    priority
        The user's.
    """

    duration_s: float
    nbytes: int = 0
    inputs: tuple[str, ...] = ()
    kind: str = "task"
    priority: int = 0


@dataclass(slots=True)
class Measurement:
    """What came of a graph.

    Attributes
    ----------
    makespan_s
        From the submission to the moment at which the client knows that the last result is there.
    work_s, critical_path_s
        The durations of all tasks, and of those on the longest path.
    transferred_nbytes, transfers_count
        What was copied from worker to worker, and in how many requests.
    sent_away_count
        Requests that a busy worker did not answer.
    executions_count
        Tasks that ran (more than there are, if some ran twice).
    recalls_count
        Tasks that workers were asked back for.
    frames_count
        What scheduler, workers and client sent.
    held_nbytes_max
        The most that one worker held at once.
    spilled_nbytes
        What was written into files, in all.
    busy_s
        Per worker: the seconds that its threads ran tasks.
    """

    makespan_s: float = 0.0
    work_s: float = 0.0
    critical_path_s: float = 0.0
    threads_count: int = 0
    transferred_nbytes: int = 0
    transfers_count: int = 0
    executions_count: int = 0
    sent_away_count: int = 0
    recalls_count: int = 0
    frames_count: int = 0
    held_nbytes_max: int = 0
    spilled_nbytes: int = 0
    busy_s: dict[str, float] = field(default_factory=dict)

    @property
    def bound_s(self) -> float:
        """No schedule is shorter: all threads busy from the first moment, or the longest path."""
        return max(self.critical_path_s, self.work_s / self.threads_count)


def run_graph(  # noqa: PLR0913 - each has a default, and its name
    graph: Mapping[str, Work],
    *,
    workers: int = 4,
    threads: int = 1,
    limits: Limits | None = None,
    settings: WorkerSettings | None = None,
    bandwidth_nbytes_per_s: float = 1e9,
    latency_s: float = 1e-4,
    memory_limit: int = 0,
    wanted: Collection[str] | None = None,
) -> Measurement:
    """Run a graph on a quiet cluster in virtual time.

    Parameters
    ----------
    graph
        Tasks by key, inputs before those that read them.
    workers, threads
        How many workers there are, and how many threads each has.
    limits
        Those of the scheduler.
    settings
        Those of the workers.
    bandwidth_nbytes_per_s
        What the link of a worker carries in each direction.
    latency_s
        How long a message is on its way.
    memory_limit
        What each worker tells of its memory, in bytes; 0: nothing.
    wanted
        Keys of results that are kept; None: those that no task reads.

    Raises
    ------
    InvariantBroken
        A task failed, or the cluster stood still.
    """
    cluster = _Cluster(
        graph,
        limits or Limits(),
        settings or WorkerSettings(),
        bandwidth_nbytes_per_s,
        latency_s,
    )
    for number in range(workers):
        cluster.add_worker(f"w{number}", threads, memory_limit)
    if wanted is None:
        read = {key for work in graph.values() for key in work.inputs}
        wanted = [key for key in graph if key not in read]
    return cluster.run(wanted)


class _Cluster:
    """The machines, and what lies between them."""

    def __init__(
        self,
        graph: Mapping[str, Work],
        limits: Limits,
        settings: WorkerSettings,
        bandwidth_nbytes_per_s: float,
        latency_s: float,
    ) -> None:
        self.graph = graph
        self.settings = settings
        self.latency_s = latency_s
        self.timeline = Timeline()
        self.bandwidth = Bandwidth(self.timeline, bandwidth_nbytes_per_s)
        self.scheduler = SchedulerMachine(limits)
        self.workers: dict[str, _Worker] = {}
        self.measurement = Measurement()
        self._by_id: dict[int, _Worker] = {}
        self._turn_is_due = False
        self._missing: set[str] = set()
        self.scheduler.client_joined(_CLIENT, "client")

    def add_worker(self, name: str, threads: int, memory_limit: int) -> None:
        worker = _Worker(self, name, len(self.workers) + _CLIENT + 1, threads, memory_limit)
        self.workers[worker.address] = self._by_id[worker.id] = worker
        self.measurement.threads_count += threads

    def run(self, wanted: Collection[str]) -> Measurement:
        measurement = self.measurement
        measurement.work_s, measurement.critical_path_s = _bounds(self.graph)
        timeline = self.timeline
        # All are there before the client is.
        while timeline.step():
            pass
        began_s = timeline.now_s
        self._missing = set(wanted)
        for message in _submissions(self.graph, self._missing):
            timeline.after(self.latency_s, lambda one=message: self.hear(_CLIENT, [one]))  # type: ignore[misc]
        while self._missing:
            if not timeline.step():
                detail = f"{len(self._missing)} results never came, such as {min(self._missing)!r}"
                raise InvariantBroken(rule="a graph is computed", detail=detail)
        measurement.makespan_s = timeline.now_s - began_s
        for worker in self.workers.values():
            measurement.busy_s[worker.name] = worker.busy_s
        return measurement

    def hear(self, id_: int, messages: Sequence[Any]) -> None:
        """Let the scheduler take in what a peer said."""
        refusal = self.scheduler.receive(id_, messages, self.timeline.now_s)
        if refusal is not None:
            raise InvariantBroken(rule="peers say what they may", detail=refusal)
        self._want_turn()

    def _want_turn(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self.timeline.after(0.0, self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        for id_, frames in self.scheduler.turn(self.timeline.now_s):
            hear = self._client_hears if id_ == _CLIENT else self._by_id[id_].hear
            for frame in frames:
                self.measurement.frames_count += 1
                self.timeline.after(self.latency_s, lambda hear=hear, frame=frame: hear(frame))  # type: ignore[misc]
        if self.scheduler.look_again_s is not None:
            self.timeline.after(self.scheduler.look_again_s, self._want_turn)

    def _client_hears(self, messages: Sequence[Any]) -> None:
        for message in messages:
            if isinstance(message, TasksErred):
                raise InvariantBroken(rule="a graph is computed", detail=repr(message.failures[0]))
            if isinstance(message, TasksStored):
                self._missing.difference_update(message.keys)


class _Worker:
    """One worker's machine, its threads and its data server."""

    def __init__(
        self, cluster: _Cluster, name: str, id_: int, threads: int, memory_limit: int
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.id = id_
        self.address = f"tcp://{name}:1"
        self.busy_s = 0.0
        self.machine = WorkerMachine(
            name=name,
            address=self.address,
            settings=cluster.settings,
            threads=threads,
            memory_limit=memory_limit,
        )
        self._is_limited = bool(memory_limit)
        self._serving = Serving(cluster.settings.serve_requests_max)
        self._has_spilled = False
        self._send_is_due = False
        self._begun_is_due = False
        self._tick_s: float | None = None
        cluster.scheduler.worker_greeted(id_)
        resources = dict(self.machine.resources)
        joined = WorkerJoined(name, self.address, name, 1, threads, memory_limit, resources)
        cluster.hear(id_, [joined])

    def hear(self, messages: Sequence[Any]) -> None:
        """Take in what the scheduler said."""
        measurement = self.cluster.measurement
        for message in messages:
            if isinstance(message, RecallTasks):
                measurement.recalls_count += len(message.keys)
        self.machine.handle(messages, self.cluster.timeline.now_s)
        self._after_event()

    def _after_event(self) -> None:
        machine, cluster = self.machine, self.cluster
        for command in machine.take_commands():
            assert isinstance(command, Fetch | Spill | Unspill | DropFile)
            cluster.timeline.after(cluster.latency_s, partial(self._obey, command))
        while machine.startable_count:
            task = machine.take()
            if task is None:
                break
            self._run(task)
        machine.take_discarded()
        held_nbytes = machine.held_nbytes
        cluster.measurement.held_nbytes_max = max(cluster.measurement.held_nbytes_max, held_nbytes)
        if self._is_limited:
            machine.memory_sampled(held_nbytes)
        if machine.pending:
            self._want_to_send()
        elif machine.has_unannounced and not self._begun_is_due:
            self._begun_is_due = True
            cluster.timeline.after(_FLUSH_S, self._send_begun)
        wake_s = machine.wake_s
        if wake_s is not None and (self._tick_s is None or wake_s < self._tick_s):
            self._tick_s = wake_s
            cluster.timeline.at(wake_s, self._tick)

    def _tick(self) -> None:
        self._tick_s = None
        self.machine.tick(self.cluster.timeline.now_s)
        self._after_event()

    def _want_to_send(self) -> None:
        if not self._send_is_due:
            self._send_is_due = True
            self.cluster.timeline.after(0.0, self._send)

    def _send_begun(self) -> None:
        self._begun_is_due = False
        if self.machine.has_unannounced:
            self._want_to_send()

    def _send(self) -> None:
        self._send_is_due = False
        messages = self.machine.take_outbox()
        cluster = self.cluster
        if messages:
            cluster.measurement.frames_count += 1
            cluster.timeline.after(cluster.latency_s, lambda: cluster.hear(self.id, messages))

    def _run(self, task: Task) -> None:
        work = self.cluster.graph[task.key]
        start_s = self.cluster.timeline.now_s
        self.cluster.measurement.executions_count += 1

        def end() -> None:
            self.busy_s += work.duration_s
            self.machine.executed(task, None, work.nbytes, start_s, work.duration_s)
            self._after_event()

        self.cluster.timeline.after(work.duration_s, end)

    def _fetch(self, fetch: Fetch) -> None:
        """Let the peer send what is asked for, which takes its time on the links."""
        cluster = self.cluster
        peer = cluster.workers[fetch.address]
        data = peer.machine.held(fetch.keys)
        answers = [
            Answer(-1) if datum is None else Answer(datum.attempt, datum.nbytes, None)
            for datum in data
        ]
        nbytes = sum(answer.nbytes for answer in answers)
        serving = peer._serving  # noqa: SLF001 - of the same class
        is_large = nbytes > LARGE_NBYTES_MIN
        if is_large and not serving.begin():
            addresses = serving.takers(data, self.address)
            cluster.timeline.after(cluster.latency_s, lambda: self._is_sent_away(fetch, addresses))
            return
        cluster.measurement.transferred_nbytes += nbytes
        cluster.measurement.transfers_count += 1

        def came() -> None:
            self.machine.fetched(fetch, answers, cluster.timeline.now_s)
            self._after_event()

        def end() -> None:
            if is_large:
                serving.end()
                serving.gave([one for one in data if one is not None], self.address)
            cluster.timeline.after(cluster.latency_s, came)

        if nbytes:
            cluster.bandwidth.start(peer.name, self.name, nbytes, end)
        else:
            end()

    def _obey(self, command: Fetch | Spill | Unspill | DropFile) -> None:
        if isinstance(command, Fetch):
            self._fetch(command)
        else:
            self._move(command)

    def _move(self, command: Spill | Unspill | DropFile) -> None:
        """Do what is to be done about a file; the disk is quick."""
        disk, now_s = self.machine.disk, self.cluster.timeline.now_s
        if isinstance(command, Spill):
            self.cluster.measurement.spilled_nbytes += command.nbytes
            disk.spilled(command, "a file", now_s, 0.0)
        elif isinstance(command, Unspill):
            disk.unspilled(command, None, now_s, 0.0)
        self._report()
        self._after_event()

    def _report(self) -> None:
        """Tell the scheduler when values are in files for the first time, or are no more."""
        has_spilled = self.machine.disk.spilled_nbytes > 0
        if has_spilled is not self._has_spilled:
            self._has_spilled = has_spilled
            cluster, machine = self.cluster, self.machine
            nbytes, spilled_nbytes = machine.held_nbytes, machine.disk.spilled_nbytes
            report = WorkerReport(cluster.timeline.now_s, nbytes, 0.0, nbytes, 0, 0, spilled_nbytes)
            cluster.timeline.after(cluster.latency_s, lambda: cluster.hear(self.id, [report]))

    def _is_sent_away(self, fetch: Fetch, addresses: list[list[str]]) -> None:
        self.cluster.measurement.sent_away_count += 1
        self.machine.fetch_busy(fetch, addresses, self.cluster.timeline.now_s)
        self._after_event()


def _bounds(graph: Mapping[str, Work]) -> tuple[float, float]:
    """Return the durations of all tasks, and of the longest path."""
    ends: dict[str, float] = {}
    for key, work in graph.items():
        ends[key] = work.duration_s + max((ends[one] for one in work.inputs), default=0.0)
    return sum(work.duration_s for work in graph.values()), max(ends.values(), default=0.0)


def _submissions(
    graph: Mapping[str, Work], wanted: Collection[str]
) -> list[SubmitTasks | ReleaseKeys]:
    """Return the messages that submit a graph, as a client sends them.

    All tasks of a message have one priority; a task that a later message needs is wanted as well
    until that message has come.
    """
    parts: list[list[str]] = []
    for key, work in graph.items():
        last = graph[parts[-1][-1]] if parts else None
        if last is None or last.priority != work.priority or len(parts[-1]) >= _BATCH_TASKS:
            parts.append([])
        parts[-1].append(key)
    part_of = {key: number for number, part in enumerate(parts) for key in part}
    kept = set(wanted)
    for key, work in graph.items():
        kept.update(one for one in work.inputs if part_of[one] != part_of[key])
    messages: list[SubmitTasks | ReleaseKeys] = [_submission(graph, part, kept) for part in parts]
    if len(kept) > len(wanted):
        messages.append(ReleaseKeys([key for key in graph if key in kept and key not in wanted]))
    return messages


def _submission(graph: Mapping[str, Work], keys: Sequence[str], kept: set[str]) -> SubmitTasks:
    kinds = list(dict.fromkeys(graph[key].kind for key in keys))
    kind_numbers = {kind: number for number, kind in enumerate(kinds)}
    inside = dict.fromkeys(keys)
    outside = dict.fromkeys(one for key in keys for one in graph[key].inputs if one not in inside)
    indices = {key: index for index, key in enumerate((*keys, *outside))}
    return SubmitTasks(
        functions=[hashlib.blake2b(kind.encode(), digest_size=16).digest() for kind in kinds],
        labels=kinds,
        blobs=[kind.encode() for kind in kinds],
        keys=list(indices),
        function_of=[kind_numbers[graph[key].kind] for key in keys],
        payloads=[b""] * len(keys),
        dependencies=[[indices[one] for one in graph[key].inputs] for key in keys],
        ranks=[],
        wanted=[index for index, key in enumerate(keys) if key in kept],
        priority=graph[keys[0]].priority,
    )
