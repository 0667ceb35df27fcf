"""The model of a cluster: a fold over the feed's events into rings and records.

Everything in it is bounded. It is filled once in a process, however many pages read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from hocket.diagnostics.model.bars import Bars
from hocket.diagnostics.model.profile import ProfileTree
from hocket.diagnostics.model.records import ClientRecord, GroupRecord, RouteRecord, WorkerRecord
from hocket.diagnostics.model.rings import Ring
from hocket.diagnostics.model.tables import make_rings
from hocket.protocol.messages.feed import (
    ClientCame,
    ClientGone,
    Event,
    GroupCounted,
    LineLogged,
    ProfileSampled,
    SchedulerSampled,
    SpillDone,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    TaskRecalled,
    TransferDone,
    UserEvent,
    WorkerCame,
    WorkerGone,
    WorkerPauseChanged,
    WorkerSampled,
)
from hocket.protocol.messages.observing import Snapshot
from hocket.protocol.messages.values import THREADS

__all__ = ["DISK", "TRANSFERS", "ClusterModel", "Lane"]

#: Groups, routes, workers that are gone, and lanes, of which the oldest are forgotten beyond.
GROUPS_MAX: Final = 1_000
ROUTES_MAX: Final = 10_000
GONE_MAX: Final = 100
LANES_MAX: Final = 2_000
#: Time that one row of the table of rates stands for, in seconds.
RATE_INTERVAL_S: Final = 0.5
#: How much later than others a worker may tell of what it did, in seconds.
LATE_S: Final = 2.0
#: Text of an event of a topic is cut here.
_TEXT_LENGTH_MAX: Final = 500

#: A place where tasks run one after the other: worker, executor, number.
Lane = tuple[str, str, int]
#: Stand for executor and function where a lane is that of a worker's transfers, or of its disk.
TRANSFERS: Final = "transfers"
DISK: Final = "disk"


class ClusterModel:
    """What is known of a cluster.

    Parameters
    ----------
    only
        The name of a worker, to pass over what others did; empty: all are wanted.

    Attributes
    ----------
    rings
        The tables of `hocket.diagnostics.model.tables.TABLES`, by name.
    workers, groups, clients, routes
        Records; workers that are gone stay for a while, and say so.
    names
        Of workers, by each of the addresses by which events may call them.
    bars
        The task stream.
    lanes
        The number of each lane in it.
    lost
        Events that were never seen, since they came faster than they were read.
    version
        Rises with every batch of events.
    """

    def __init__(self, only: str = "") -> None:
        self._only = only
        self.rings: Final[dict[str, Ring]] = make_rings()
        self.workers: Final[dict[str, WorkerRecord]] = {}
        self.groups: Final[dict[str, GroupRecord]] = {}
        self.clients: Final[dict[int, ClientRecord]] = {}
        self.routes: Final[dict[tuple[str, str], RouteRecord]] = {}
        self.names: Final[dict[str, str]] = {}
        self.bars: Final = Bars()
        self.lanes: Final[dict[Lane, int]] = {}
        self.address = ""
        self.time_s = 0.0
        self.lost = 0
        self.version = 0
        #: Answers to questions that visuals ask, by the visual's name.
        self.answers: Final[dict[str, Any]] = {}
        #: The profile of all workers: see `hocket.diagnostics.model.profile`.
        self.profile: Final = ProfileTree()
        self._groups_count = 0
        self._lanes_count = 0
        self._finished = 0
        self._failed = 0
        self._transferred_nbytes = 0
        self._rated_s = 0.0
        self._folds: Final[dict[type, Callable[[Any], None]]] = {
            TaskEnded: self._on_task_ended,
            TaskMoved: self._on_task_moved,
            GroupCounted: self._on_group_counted,
            WorkerCame: self._on_worker_came,
            WorkerGone: self._on_worker_gone,
            WorkerPauseChanged: self._on_pause_changed,
            WorkerSampled: self._on_worker_sampled,
            TransferDone: self._on_transfer_done,
            SpillDone: self._on_spill_done,
            TaskRecalled: self._on_task_recalled,
            LineLogged: self._on_line_logged,
            UserEvent: self._on_user_event,
            SchedulerSampled: self._on_scheduler_sampled,
            ClientCame: self._on_client_came,
            ClientGone: self._on_client_gone,
            ProfileSampled: self.profile.add,
        }

    @property
    def alive(self) -> list[WorkerRecord]:
        """The workers that are there, by name."""
        found = [record for record in self.workers.values() if not record.gone]
        return sorted(found, key=lambda record: natural(record.name))

    def is_there(self, worker: str) -> bool:
        """Whether a worker is known, and has not left."""
        record = self.workers.get(worker)
        return record is not None and not record.gone

    def begin(self, snapshot: Snapshot) -> None:
        """Take what is there as a subscription begins, in place of what was believed."""
        self.address = snapshot.address
        self.time_s = max(self.time_s, snapshot.time_s)
        there = {each.worker for each in snapshot.workers}
        for name in set(self.workers) - there:
            self.workers[name].gone = self.workers[name].gone or "it left while nobody watched"
        for came in snapshot.workers:
            self._place(came)
        for sample in snapshot.samples:
            # (Not into the ring: the events that follow may be older.)
            if sample.worker in self.workers:
                self.workers[sample.worker].sample = sample
        for counted in snapshot.groups:
            self._on_group_counted(counted)
        self.clients.clear()
        for client in snapshot.clients:
            self.clients[client.number] = ClientRecord(client.client, client.number, client.time_s)
        self.version += 1

    def fold(self, events: Iterable[Event], *, lost: int = 0) -> None:
        """Take events, in order.

        Parameters
        ----------
        events
            What happened.
        lost
            How many events before these were never seen.
        """
        folds = self._folds
        if self._only:
            events = [event for event in events if self._is_wanted(event)]
        for event in events:
            folds[type(event)](event)
        self.lost += lost
        self.version += 1
        self._rate()

    def _is_wanted(self, event: Event) -> bool:
        if isinstance(event, TransferDone):
            return self._only in {self._name_of(event.source), self._name_of(event.target)}
        return isinstance(event, WorkerCame) or getattr(event, "worker", "") == self._only

    def _group(self, name: str) -> GroupRecord:
        record = self.groups.get(name)
        if record is None:
            if len(self.groups) >= GROUPS_MAX:
                self.groups.pop(next(iter(self.groups)))
            record = self.groups[name] = GroupRecord(name, self._groups_count)
            self._groups_count += 1
        return record

    def _lane(self, lane: Lane) -> int:
        number = self.lanes.get(lane)
        if number is None:
            if len(self.lanes) >= LANES_MAX:
                self.lanes.pop(next(iter(self.lanes)))
            number = self.lanes[lane] = self._lanes_count
            self._lanes_count += 1
        return number

    def _on_task_ended(self, event: TaskEnded) -> None:
        stop_s = event.start_s + event.deserialising_s + event.running_s + event.storing_s
        is_failure = event.outcome is TaskOutcome.FAILED
        self._group(event.group).add(event)
        worker = self.workers.get(event.worker)
        if worker is not None:
            worker.finished += 1
            worker.failed += is_failure
            worker.busy_s += event.running_s
        # (What ended while nobody watched says nothing about now.)
        if stop_s >= self._rated_s - LATE_S:
            self._finished += 1
            self._failed += is_failure
        number = event.lane
        if number < 0 and event.executor == THREADS:
            number = self._free_thread(event.worker, event.start_s)
        lane = self._lane((event.worker, event.executor, number))
        self.bars.add(
            lane, event.group, event.start_s, stop_s, failed=is_failure, nbytes=event.nbytes
        )
        self.rings["tasks"].append(event)
        if is_failure:
            self.rings["failures"].append(
                stop_s, event.key, event.attempt, event.group, event.worker, event.error
            )
        self.time_s = max(self.time_s, stop_s)

    def _free_thread(self, worker: str, start_s: float) -> int:
        """Return a thread on which nothing is known to have run then.

        (Of what ended before anybody watched it is not known which it was.)
        """
        record = self.workers.get(worker)
        found, found_s = 0, math.inf
        for number in range(1 if record is None else record.slots):
            lane = self.lanes.get((worker, THREADS, number))
            last_s = -math.inf if lane is None else self.bars.last_s(lane)
            if last_s <= start_s:
                return number
            if last_s < found_s:
                found, found_s = number, last_s
        return found

    def _on_task_moved(self, event: TaskMoved) -> None:
        self.rings["moves"].append(event)
        self.time_s = max(self.time_s, event.time_s)

    def _on_group_counted(self, event: GroupCounted) -> None:
        self._group(event.group).counted = event
        self.time_s = max(self.time_s, event.time_s)

    def _place(self, came: WorkerCame) -> None:
        for address in came.address.split(","):
            if len(self.names) >= ROUTES_MAX:
                self.names.pop(next(iter(self.names)))
            self.names[address] = came.worker
        record = self.workers.get(came.worker)
        if record is None or record.gone:
            self.workers[came.worker] = WorkerRecord(came)
        else:
            record.came = came

    def _on_worker_came(self, event: WorkerCame) -> None:
        self.workers.pop(event.worker, None)
        self._place(event)
        self._happen(event.time_s, "worker came", event.worker, f"{event.threads} threads")

    def _on_worker_gone(self, event: WorkerGone) -> None:
        record = self.workers.get(event.worker)
        if record is not None:
            record.gone = event.reason or "it left"
        self._happen(event.time_s, "worker gone", event.worker, event.reason)
        gone = [record for record in self.workers.values() if record.gone]
        for surplus in gone[: max(len(gone) - GONE_MAX, 0)]:
            del self.workers[surplus.name]

    def _on_pause_changed(self, event: WorkerPauseChanged) -> None:
        record = self.workers.get(event.worker)
        if record is not None:
            record.paused = event.paused
        what = "worker paused" if event.paused else "worker resumed"
        self._happen(event.time_s, what, event.worker, "")

    def _on_worker_sampled(self, event: WorkerSampled) -> None:
        record = self.workers.get(event.worker)
        if record is not None:
            record.sample = event
        values = (getattr(event, name) for name in self.rings["worker_samples"].kinds)
        self.rings["worker_samples"].append(*values)
        for gpu in event.gpus:
            self.rings["gpu_samples"].append(
                event.time_s,
                event.worker,
                gpu.gpu,
                gpu.model,
                gpu.busy_part,
                gpu.memory_nbytes,
                gpu.memory_limit,
            )
        self.time_s = max(self.time_s, event.time_s)

    def _on_transfer_done(self, event: TransferDone) -> None:
        source, target = self._name_of(event.source), self._name_of(event.target)
        route = self.routes.get((source, target))
        if route is None:
            if len(self.routes) >= ROUTES_MAX:
                self.routes.pop(next(iter(self.routes)))
            route = self.routes[source, target] = RouteRecord(source, target)
        route.transfers += 1
        route.nbytes += event.nbytes
        route.duration_s += event.duration_s
        route.errors += bool(event.error)
        # (Who received it tells of it; where that was a client, who gave it.)
        self._add_bar(target or source, TRANSFERS, event)
        self._transferred_nbytes += event.nbytes
        self.rings["transfers"].append(
            event.start_s,
            event.duration_s,
            event.nbytes,
            source,
            target,
            event.count,
            event.key,
            event.error,
        )
        self.time_s = max(self.time_s, event.start_s + event.duration_s)

    def _on_spill_done(self, event: SpillDone) -> None:
        self._add_bar(event.worker, DISK, event)
        self.rings["spills"].append(
            event.start_s,
            event.duration_s,
            event.nbytes,
            event.worker,
            event.key,
            "read back" if event.is_read else "written",
            event.error,
        )
        self.time_s = max(self.time_s, event.start_s + event.duration_s)

    def _add_bar(self, worker: str, what: str, event: TransferDone | SpillDone) -> None:
        """Draw data that moved in a lane of a worker, if it is one that is drawn."""
        if worker not in self.workers or self._only not in {"", worker}:
            return
        self.bars.add(
            self._lane((worker, what, -1)),
            what,
            event.start_s,
            event.start_s + event.duration_s,
            failed=bool(event.error),
            nbytes=event.nbytes,
        )

    def _name_of(self, place: str) -> str:
        """Return the name of a worker that an event calls by its name or its address."""
        if place in self.workers or not place:
            return place
        return self.names.get(place, place)

    def _on_task_recalled(self, event: TaskRecalled) -> None:
        step = event.step.name.lower()
        self.rings["recalls"].append(
            event.time_s, event.key, event.attempt, event.group, event.worker, step
        )
        self.time_s = max(self.time_s, event.time_s)

    def _on_line_logged(self, event: LineLogged) -> None:
        self.rings["lines"].append(
            event.time_s, event.worker, event.level, event.logger, event.text, event.key
        )
        self.time_s = max(self.time_s, event.time_s)

    def _on_user_event(self, event: UserEvent) -> None:
        self.rings["topics"].append(
            event.time_s, event.topic, event.source, event.key, _text_of(event.payload)
        )
        self.time_s = max(self.time_s, event.time_s)

    def _on_scheduler_sampled(self, event: SchedulerSampled) -> None:
        values = (getattr(event, name) for name in self.rings["scheduler_samples"].kinds)
        self.rings["scheduler_samples"].append(*values)
        self.time_s = max(self.time_s, event.time_s)

    def _on_client_came(self, event: ClientCame) -> None:
        self.clients[event.number] = ClientRecord(event.client, event.number, event.time_s)
        self._happen(event.time_s, "client came", event.client, "")

    def _on_client_gone(self, event: ClientGone) -> None:
        self.clients.pop(event.number, None)
        self._happen(event.time_s, "client gone", event.client, event.reason)

    def _happen(self, time_s: float, what: str, who: str, text: str) -> None:
        self.rings["happenings"].append(time_s, what, who, text)
        self.time_s = max(self.time_s, time_s)

    def _rate(self) -> None:
        """Append a row to the table of rates, if it is time."""
        elapsed_s = self.time_s - self._rated_s
        if elapsed_s < RATE_INTERVAL_S:
            return
        if self._rated_s:
            samples = [
                each.sample for each in self.workers.values() if each.sample and not each.gone
            ]
            self.rings["rates"].append(
                self.time_s,
                self._finished / elapsed_s,
                self._failed / elapsed_s,
                sum(sample.running for sample in samples),
                sum(sample.ready for sample in samples),
                sum(sample.waiting for sample in samples),
                sum(sample.memory_nbytes for sample in samples),
                sum(sample.managed_nbytes for sample in samples),
                sum(sample.spilled_nbytes for sample in samples),
                sum(sample.cpu for sample in samples),
                self._transferred_nbytes / elapsed_s,
            )
        self._rated_s = self.time_s
        self._finished = self._failed = self._transferred_nbytes = 0


def natural(name: str) -> tuple[Any, ...]:
    """Return a key that sorts names with numbers in them as people do."""
    parts: list[Any] = []
    digits = ""
    for character in name + "\0":
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((1, int(digits), ""))
            digits = ""
        parts.append((0, 0, character))
    return tuple(parts)


def _text_of(payload: bytes) -> str:
    """Return the plain data of an event as text."""
    try:
        text = msgspec.json.encode(msgspec.msgpack.decode(payload)).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, ValueError, RecursionError):
        return "(it cannot be read)"
    return text if len(text) <= _TEXT_LENGTH_MAX else f"{text[:_TEXT_LENGTH_MAX]}..."
