"""The scheduler's feed: what happens, in a ring, for whoever reads it.

While nobody reads, no task costs anything but an entry among the last ones that ended: the hook for
moves is empty, and workers report no events. The first reader turns all that on, for the kinds that
it wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hocket.protocol.feed import Cursor, Ring, Subscriptions, fit_text
from hocket.protocol.messages import (
    DescribeCluster,
    DescribeGraph,
    Events,
    EventsSeen,
    ExplainKeys,
    FindTasks,
    GetMetadata,
    GrantCredit,
    ListEvents,
    ListTasks,
    LocateKeys,
    LogEvents,
    ReportEvents,
    RequestRefused,
    SetMetadata,
    Snapshot,
    Subscribe,
    TasksDone,
    Unsubscribe,
)
from hocket.protocol.messages.feed import (
    KIND_OF,
    ClientCame,
    ClientGone,
    Event,
    EventKinds,
    TaskEnded,
    TransferDone,
    UserEvent,
    WorkerCame,
    WorkerGone,
    WorkerPauseChanged,
    WorkerSampled,
)
from hocket.scheduler.feed.recent import Recent
from hocket.scheduler.feed.searching import Searching
from hocket.scheduler.feed.topics import Topics
from hocket.scheduler.feed.watch import Watch
from hocket.scheduler.refusal import Refusal
from hocket.scheduler.state import Client, Worker

if TYPE_CHECKING:
    from hocket.scheduler.explain import Explaining
    from hocket.scheduler.requests import Requests
    from hocket.scheduler.tables import Tables

__all__ = ["Feed", "LocalReader"]

#: What only workers know.
_OF_WORKERS: Final = (
    EventKinds.TASKS
    | EventKinds.WORKERS
    | EventKinds.TRANSFERS
    | EventKinds.LOGS
    | EventKinds.PROFILE
)
#: For which the moves of tasks must be followed.
_OF_MOVES: Final = EventKinds.TASKS | EventKinds.MOVES | EventKinds.GROUPS | EventKinds.RECALLS
#: (What flags do is done in Python, and slow.)
_GROUPS: Final = int(EventKinds.GROUPS)
_TASKS: Final = int(EventKinds.TASKS)
#: Time between two counts of the groups.
_COUNTS_INTERVAL_S: Final = 0.25
#: What a row takes in a message, roughly.
_ROW_NBYTES: Final = 200


class LocalReader:
    """A reader in the scheduler's own process; see `hocket.protocol.feed.Reader`."""

    def __init__(self, snapshot: Snapshot, cursor: Cursor) -> None:
        self._snapshot = snapshot
        self._cursor = cursor

    def snapshot(self) -> Snapshot:
        """Return what was there when the reader was made."""
        return self._snapshot

    def take(self, count_max: int = 10_000) -> Events:
        """Return the events that came since, at most so many."""
        return self._cursor.take(count_max)

    def close(self) -> None:
        """Read no more. May be called twice."""
        self._cursor.close()


class Feed:
    """The events of a scheduler, and who reads them.

    Parameters
    ----------
    tables
        The scheduler's.
    requests, explaining
        Answer other questions.
    """

    def __init__(self, tables: Tables, requests: Requests, explaining: Explaining) -> None:
        self._tables = tables
        self._requests = requests
        self.ring = Ring()
        self._subscriptions = Subscriptions(self.ring)
        self._readers: dict[Cursor, None] = {}
        self.topics = Topics(tables.limits.answer_nbytes_max)
        self._searching = Searching(tables)
        self._watch: Watch | None = None
        self._recent = Recent()
        #: The kinds of events that somebody wants now.
        self.kinds = 0
        self._wanted: frozenset[type] = frozenset()
        #: What to add to the machine's time for seconds since the epoch; the shell's to set.
        self.offset_s = 0.0
        self._workers: dict[int, WorkerCame] = {}
        self._samples: dict[int, WorkerSampled] = {}
        self._clients: dict[int, ClientCame] = {}
        self._counts_due_s = 0.0
        #: By id. (They are recorded as clients that want nothing.)
        self.observers: dict[int, Client] = {}
        #: What clients and observers may ask, and what clients may say beside it.
        questions: dict[type[Any], Callable[[Client, Any], None]] = {
            Subscribe: self._on_subscribe,
            GrantCredit: self._on_grant_credit,
            Unsubscribe: self._on_unsubscribe,
            FindTasks: self._searching.find,
            DescribeGraph: self._searching.describe_graph,
            ListEvents: self.topics.list_events,
            GetMetadata: self.topics.get_metadata,
        }
        self.handlers: dict[type[Any], Callable[[Client, Any], None]] = {
            **questions,
            LogEvents: self._on_client_logs,
            SetMetadata: self.topics.set_metadata,
        }
        self._of_observers: dict[type[Any], Callable[[Client, Any], None]] = {
            **questions,
            DescribeCluster: requests.describe,
            ExplainKeys: explaining.tell,
            ListTasks: requests.list_tasks,
            LocateKeys: requests.locate,
        }

    def _now_s(self) -> float:
        return self._tables.now_s + self.offset_s

    # Who reads.

    @property
    def observers_count(self) -> int:
        """How many read, here and elsewhere."""
        return self._subscriptions.count + len(self._readers)

    def read(self, kinds: int, position: int = -1) -> LocalReader:
        """Let somebody in this process read."""
        self._tell_recent(kinds)
        cursor = Cursor(self.ring, kinds, position=position)

        def close() -> None:
            self._readers.pop(cursor, None)
            self._look_at_kinds()

        cursor.on_close = close
        self._readers[cursor] = None
        self._look_at_kinds()
        return LocalReader(self._snapshot(0, cursor), cursor)

    def observer_came(self, id_: int, name: str) -> None:
        """Open the books for an observer."""
        tables = self._tables
        self.observers[id_] = Client(id_, name, tables.full, tables.limits.frame_nbytes_aim)

    def receive(self, id_: int, message: Any) -> bool:
        """Take in what an observer says; return whether this is one.

        Raises
        ------
        Refusal
            It may not say this.
        """
        observer = self.observers.get(id_)
        if observer is None:
            return False
        handler = self._of_observers.get(type(message))
        if handler is None:
            raise Refusal(f"an observer may only read, and not say {type(message).__name__}")
        handler(observer, message)
        return True

    def answer(self, question: Any) -> Any:
        """Answer at once what somebody in this process asks."""
        full: dict[int, Any] = {}
        asker = Client(0, "", full, self._tables.limits.frame_nbytes_aim)
        self._of_observers[type(question)](asker, question)
        return asker.outbox.take()[0][0]

    def peer_lost(self, id_: int, reason: str) -> None:
        """Take note that a client, an observer or a worker is gone."""
        self._subscriptions.peer_lost(id_)
        self.observers.pop(id_, None)
        came = self._clients.pop(id_, None)
        if came is not None and self.kinds & EventKinds.SCHEDULER:
            self.ring.add(ClientGone(self._now_s(), came.client, came.number, fit_text(reason)))
        worker = self._workers.pop(id_, None)
        self._samples.pop(id_, None)
        if worker is not None and self.kinds & EventKinds.WORKERS:
            self.ring.add(WorkerGone(self._now_s(), worker.worker, fit_text(reason)))
        self._look_at_kinds()

    def _on_subscribe(self, client: Client, message: Subscribe) -> None:
        self._tell_recent(message.kinds)
        cursor = self._subscriptions.add(client.id, message)
        if cursor is None:
            text = (
                f"the subscription {message.request} is there already, or there are too many of"
                " this peer: end one first"
            )
            client.outbox.add(RequestRefused(message.request, text))
            return
        self._look_at_kinds()
        snapshot = self._snapshot(message.request, cursor)
        rows_count = len(snapshot.workers) + len(snapshot.groups) + len(snapshot.clients)
        client.outbox.add(snapshot, _ROW_NBYTES * rows_count)

    def _on_grant_credit(self, client: Client, message: GrantCredit) -> None:
        self._subscriptions.grant(client.id, message)

    def _on_unsubscribe(self, client: Client, message: Unsubscribe) -> None:
        self._subscriptions.drop(client.id, message.request)
        self._look_at_kinds()

    def _snapshot(self, request: int, cursor: Cursor) -> Snapshot:
        return Snapshot(
            request,
            max(cursor.position, self.ring.first),
            self.ring.following,
            self._now_s(),
            self._requests.address,
            list(self._workers.values()),
            [
                self._samples.get(id_) or _sample_of(worker, self._now_s())
                for id_, worker in self._tables.workers.items()
            ],
            [] if self._watch is None else self._watch.all_counted(),
            list(self._clients.values()),
        )

    def _tell_recent(self, kinds: int) -> None:
        """Make events of what ended while nobody looked, before somebody does."""
        if kinds & _TASKS and not self.kinds & _TASKS:
            self.ring.extend(self._recent.take())

    def _look_at_kinds(self) -> None:
        """Turn on and off what those who read want, together."""
        kinds = self._subscriptions.kinds
        for cursor in self._readers:
            kinds |= cursor.kinds
        if kinds == self.kinds:
            return
        former, self.kinds = self.kinds, kinds
        self._wanted = frozenset(cls for cls, kind in KIND_OF.items() if kind & kinds)
        if kinds & _OF_MOVES:
            if self._watch is None:
                self._watch = Watch(self._tables, self.ring, self._now_s)
            self._watch.tells_moves = bool(kinds & EventKinds.MOVES)
            self._watch.tells_recalls = bool(kinds & EventKinds.RECALLS)
        elif self._watch is not None:
            self._watch.close()
            self._watch = None
        if (kinds ^ former) & _OF_WORKERS:
            for worker in self._tables.workers.values():
                worker.outbox.add(ReportEvents(kinds & _OF_WORKERS))
            if not kinds & EventKinds.WORKERS:
                self._samples.clear()

    # What happens.

    def client_came(self, id_: int, name: str) -> None:
        """Take note of a client."""
        came = self._clients[id_] = ClientCame(self._now_s(), name, id_)
        if self.kinds & EventKinds.SCHEDULER:
            self.ring.add(came)

    def worker_came(self, worker: Worker) -> None:
        """Take note of a worker, and tell it what to report."""
        came = self._workers[worker.id] = WorkerCame(
            self._now_s(),
            worker.name,
            worker.address,
            worker.host,
            worker.pid,
            worker.threads,
            worker.memory_limit,
            worker.resources,
            worker.executors,
            worker.dashboard,
        )
        if self.kinds & EventKinds.WORKERS:
            self.ring.add(came)
        if self.kinds & _OF_WORKERS:
            worker.outbox.add(ReportEvents(self.kinds & _OF_WORKERS))

    def paused(self, worker: Worker) -> None:
        """Take note that a worker pauses, or goes on."""
        if self.kinds & EventKinds.WORKERS:
            self.ring.add(WorkerPauseChanged(self._now_s(), worker.name, worker.is_paused))

    def sampled(self, event: Event) -> None:
        """Record what the shell found out about the scheduler itself."""
        if type(event) in self._wanted:
            self.ring.add(event)

    def done(self, worker: Worker, message: TasksDone, groups: list[str]) -> None:
        """Keep what ended, unless the workers tell of it at length."""
        if not self.kinds & _TASKS:
            self._recent.add(worker.name, message, groups)

    def on_events_seen(self, worker: Worker, message: EventsSeen) -> None:
        """Record what a worker saw."""
        name, wanted = worker.name, self._wanted
        for event in message.events:
            if type(event) not in wanted:
                # It was told by now that nobody wants these any more.
                continue
            if type(event) is TransferDone:
                self._name_ends(worker, event)
            else:
                # (Nobody speaks for another.)
                event.worker = name  # type: ignore[union-attr]
                if type(event) is TaskEnded:
                    if self._watch is not None:
                        self._watch.ended(event)
                elif type(event) is WorkerSampled:
                    self._samples[worker.id] = event
            self.ring.add(event)

    def _name_ends(self, worker: Worker, event: TransferDone) -> None:
        if event.target:
            event.target = worker.name
            other = self._tables.workers_by_address.get(event.source)
            if other is not None:
                event.source = other.name
        else:
            event.source = worker.name

    def on_worker_logs(self, worker: Worker, message: LogEvents) -> None:
        """Keep what tasks said about topics."""
        self._keep(worker.name, message)

    def _on_client_logs(self, client: Client, message: LogEvents) -> None:
        self._keep(client.name, message)

    def _keep(self, source: str, message: LogEvents) -> None:
        events: list[UserEvent] = self.topics.keep(source, message)
        if self.kinds & EventKinds.TOPICS:
            self.ring.extend(events)

    # What is sent.

    def turn(self, now_s: float, wake_s: float | None) -> float | None:
        """Send what is due; return when to call again: not after this time (None: any)."""
        watch = self._watch
        if watch is not None and self.kinds & _GROUPS and watch.is_changed:
            if self._counts_due_s <= now_s:
                self.ring.extend(watch.counted())
                self._counts_due_s = now_s + _COUNTS_INTERVAL_S
            elif wake_s is None or self._counts_due_s < wake_s:
                wake_s = self._counts_due_s
        if self._subscriptions.kinds:
            due, due_s = self._subscriptions.due(now_s)
            for peer, events in due:
                client = self._tables.clients.get(peer) or self.observers.get(peer)
                if client is not None:
                    client.outbox.add(events, _ROW_NBYTES * len(events.events))
            if due_s is not None and (wake_s is None or due_s < wake_s):
                wake_s = due_s
        return wake_s


def _sample_of(worker: Worker, now_s: float) -> WorkerSampled:
    """Return how a worker is, as far as it tells when nobody looks."""
    report = worker.report
    if report is None:
        return WorkerSampled(now_s, worker.name, 0.0, 0, 0)
    return WorkerSampled(
        report.time_s,
        worker.name,
        0.0,
        report.memory_nbytes,
        report.held_nbytes,
        report.spilled_nbytes,
        running=report.running,
        ready=report.ready,
        held=len(worker.held),
    )
