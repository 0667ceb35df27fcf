"""The worker's machine: decides what a worker runs, fetches, keeps and reports.

It does no I/O and knows no thread, but it is made to be shared by threads: the shell guards it with
one lock, and the threads that run tasks call `WorkerMachine.take`, `executed` and `failed`
themselves, so a task costs no trip through the event loop. What is to be sent, fetched and called
piles up in the machine until the shell takes it.

Nothing that a peer says makes a method raise: what does not fit is passed over, or given back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    ACTORS,
    THREADS,
    Failure,
    HereRan,
    SchedulerToWorker,
    WorkerToScheduler,
)
from hocket.protocol.messages.feed import LineLogged, TaskOutcome, WorkerSampled
from hocket.worker import fetching
from hocket.worker.cancelled import say_end
from hocket.worker.disk import Disk
from hocket.worker.feed import Feed, Phases
from hocket.worker.fetching import Answer, look_at_clock, settle_and_ask
from hocket.worker.intake import take_in
from hocket.worker.overdue import look_at_deadlines, timed_out
from hocket.worker.pausing import look_at_memory
from hocket.worker.policy.memory import PausePolicy, SpillPolicy
from hocket.worker.resources import Resources
from hocket.worker.running import (
    end,
    may_start,
    name_running,
    rejoin,
    reserve,
    secede,
    startable_count,
)
from hocket.worker.spilling import read_back
from hocket.worker.state import SCATTERED, Datum, Fetch, Task, TaskState
from hocket.worker.tables import Command, Tables
from hocket.worker.transitions import drop, hold, remove

__all__ = ["PENDING_NBYTES_MAX", "Answer", "WorkerMachine"]

#: Bytes of values and exceptions that may wait to be sent; while there are more, reports go without
#: them, so that what is sent at once stays far below what fits into a frame.
PENDING_NBYTES_MAX: Final = 16 << 20
#: Looked up once, not for each task.
_RUNNING: Final = TaskState.RUNNING
#: What remains of the text of a failure that goes without its exception.
_SHORT_TEXT_LENGTH: Final = 1000


class WorkerMachine:
    """The state of one worker, and how events change it.

    Times are seconds since the epoch.

    Parameters
    ----------
    name
        Stands in failures that arise here.
    address
        Where the worker's data server listens, as others name it.
    settings
        Limits for fetching, and for memory.
    resources
        What tasks may reserve, by name.
    threads
        How many tasks the executor `THREADS` runs at once, if `executors` does not say.
    executors
        How many tasks each executor runs at once, by name.
    memory_limit
        What the worker is to stay within, in bytes; 0: no limit. Offered as the resource `memory`
        unless `resources` names that.
    devices
        Indices of the devices behind a resource; see `Resources`.

    Raises
    ------
    ValueError
        The resources make no sense; see `Resources`.
    """

    def __init__(
        self,
        *,
        name: str,
        address: str,
        settings: WorkerSettings,
        resources: Mapping[str, float] | None = None,
        threads: int = 1,
        executors: Mapping[str, int] | None = None,
        memory_limit: int = 0,
        devices: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.name = name
        #: How many tasks run at once, by executor.
        self.slots: Mapping[str, int] = dict(executors or {THREADS: threads})
        offered = Resources(resources or {}, devices, memory_limit)
        spill_policy = SpillPolicy(
            memory_limit,
            settings.memory_target,
            settings.memory_spill,
            is_allowed=settings.spill,
        )
        self.tables = Tables(name, address, settings, offered, self.slots, spill_policy)
        #: For what the shell has to tell of files.
        self.disk = Disk(self.tables)
        self._pause_policy = PausePolicy(memory_limit, settings.pause_part)
        self._pending_nbytes = 0
        #: Whether the worker said that it is to end.
        self.leaving = False

    # What the threads that run tasks call.

    def take(self, executor: str = THREADS) -> Task | None:
        """Take the best ready task of an executor, with a slot and its resources.

        Returns
        -------
        Task | None
            None if nothing can run now. If the task is `announced`, its beginning must be on its
            way to the scheduler (`take_outbox`) before it is run.
        """
        tables = self.tables
        lane = tables.ready.lanes.get(executor)
        if lane is None or tables.setups or (tables.paused and not may_start(tables, lane)):
            return None
        task = tables.ready.take(lane, tables.resources)
        if task is None:
            return None
        task.state = _RUNNING
        lane.free -= 1
        tables.running[task] = None
        if tables.feed.watch is not None:
            tables.feed.watch.taken(task)
        terms = task.terms
        if terms.timeout_s:
            tables.deadlines.begun(task)
            # So that the clock is looked at.
            tables.outbox.pending = True
        if terms.needs:
            reserve(tables, task)
        if terms.announced:
            name_running(tables)
        if tables.reads:
            read_back(tables)
        return task

    def executed(
        self,
        task: Task,
        value: object,
        nbytes: int,
        start_s: float,
        duration_s: float,
        inline: bytes | None = None,
        phases: Phases = (0.0, 0.0),
    ) -> None:
        """End a task that was taken: it has a value.

        Parameters
        ----------
        task
            As `take` gave it.
        value, nbytes
            The value and its estimated size.
        start_s, duration_s
            When the function began, in seconds since the epoch, and how long it ran.
        inline
            The pickled value, if it is to go along with the report.
        phases
            See `Phases`.
        """
        tables = self.tables
        if task.terms.timeout_s:
            overdue = timed_out(tables, task, duration_s)
            if overdue is not None:
                self._failed(task, overdue, start_s, duration_s)
                return
        is_actor = task.terms.lane.name == ACTORS
        is_current = end(tables, task, is_actor=is_actor)
        if tables.feed.watch is not None:
            outcome = TaskOutcome.STORED if is_current else TaskOutcome.DROPPED
            tables.feed.watch.ended(task, outcome, start_s, duration_s, nbytes, phases)
        if is_current:
            del tables.tasks[task.key]
            hold(tables, task.key, task.attempt, nbytes, value)
            if is_actor:
                tables.actors.open(task.key, task.attempt, task.terms.needs, task.devices)
            if inline is not None:
                self._pending_nbytes += len(inline)
                if self._pending_nbytes > PENDING_NBYTES_MAX:
                    self._pending_nbytes -= len(inline)
                    inline = None
            tables.outbox.done(task.key, task.attempt, nbytes, start_s, duration_s, inline)
        else:
            say_end(tables, task, by_itself=True)
        if tables.paused or tables.unsettled or tables.reads:
            settle_and_ask(tables)

    def failed(self, task: Task, failure: Failure, start_s: float, duration_s: float) -> None:
        """End a task that was taken: it has failed."""
        if task.terms.timeout_s:
            failure = timed_out(self.tables, task, duration_s) or failure
        self._failed(task, failure, start_s, duration_s)

    def _failed(self, task: Task, failure: Failure, start_s: float, duration_s: float) -> None:
        tables = self.tables
        is_current = end(tables, task)
        if tables.feed.watch is not None:
            outcome = TaskOutcome.FAILED if is_current else TaskOutcome.DROPPED
            error = _summary_of(failure)
            tables.feed.watch.ended(task, outcome, start_s, duration_s, error=error)
        if is_current:
            remove(tables, task)
            self._pending_nbytes += len(failure.exception) + len(failure.text)
            if self._pending_nbytes > PENDING_NBYTES_MAX:
                text = failure.text[:_SHORT_TEXT_LENGTH]
                failure = replace(failure, exception=b"", text=text)
            tables.outbox.failed(task.key, task.attempt, start_s, duration_s, failure)
        else:
            say_end(tables, task, by_itself=False)
        settle_and_ask(tables)

    def rescheduled(self, task: Task, start_s: float, duration_s: float) -> None:
        """End a task that was taken: it asks to be run again, rather elsewhere."""
        # (What it did here is no measure of how long it takes: the scheduler is not told.)
        tables = self.tables
        tables.deadlines.ended(task)
        is_current = end(tables, task)
        if tables.feed.watch is not None:
            outcome = TaskOutcome.RESCHEDULED if is_current else TaskOutcome.DROPPED
            tables.feed.watch.ended(task, outcome, start_s, duration_s)
        if is_current:
            remove(tables, task)
            tables.outbox.rescheduled(task.key, task.attempt)
        else:
            say_end(tables, task, by_itself=True)
        settle_and_ask(tables)

    def secede(self, task: Task) -> bool:
        """Let a task that was taken run on without its slot, which another may have.

        Returns
        -------
        bool
            False if it has no slot: it had seceded before, or is over.
        """
        done = secede(self.tables, task)
        if done and (self.tables.paused or self.tables.reads):
            settle_and_ask(self.tables)
        return done

    def rejoin(self, task: Task) -> bool:
        """Take a slot again for a task that had seceded.

        Returns
        -------
        bool
            Whether it has one (or needs none, since it is over). If not, it stands in line, before
            all ready tasks, and comes out of `take_granted` when it got one.
        """
        return rejoin(self.tables, task)

    def take_granted(self) -> list[Task]:
        """Return the tasks that got a slot again since they stood in line, and forget them."""
        granted, self.tables.granted = self.tables.granted, []
        return [task for task in granted if task.state is TaskState.RUNNING]

    # What the event loop calls.

    def handle(self, messages: Iterable[SchedulerToWorker], now_s: float) -> None:
        """Do what the scheduler asks for.

        Parameters
        ----------
        messages
            As they came, in order.
        now_s
            The time.
        """
        tables = self.tables
        look_at_clock(tables, now_s)
        for message in messages:
            take_in(tables, message, now_s)
        settle_and_ask(tables)

    def fetched(self, fetch: Fetch, answers: Sequence[Answer], now_s: float) -> None:
        """Take in what a peer answered to a fetch.

        Parameters
        ----------
        fetch
            The command that is answered.
        answers
            One for each key of it, in its order; those that are not there count as "not here".
        now_s
            The time.
        """
        look_at_clock(self.tables, now_s)
        fetching.fetched(self.tables, fetch, answers, now_s)
        settle_and_ask(self.tables)

    def fetch_busy(self, fetch: Fetch, addresses: Sequence[Sequence[str]], now_s: float) -> None:
        """Take in that a peer is busy: others are asked first, and it again after a while.

        Parameters
        ----------
        fetch
            The command that is answered.
        addresses
            For each key of it, who else may have the value.
        now_s
            The time.
        """
        look_at_clock(self.tables, now_s)
        fetching.busy(self.tables, fetch, addresses, now_s)
        settle_and_ask(self.tables)

    def fetch_failed(self, fetch: Fetch, now_s: float) -> None:
        """Give up a fetch: the peer could not be reached, or did not answer.

        It is left alone for a while. Where others hold the same, or after three times in a row, it
        counts as a holder no more, until the scheduler names it again.
        """
        look_at_clock(self.tables, now_s)
        fetching.failed(self.tables, fetch, now_s)
        settle_and_ask(self.tables)

    @property
    def wake_s(self) -> float | None:
        """When `tick` is to be called at the latest; None: not at all."""
        times = (self.tables.backoff.wake_s, self.tables.deadlines.wake_s, self.disk.wake_s)
        return min((one for one in times if one is not None), default=None)

    def tick(self, now_s: float) -> None:
        """Do what was put off until now."""
        look_at_clock(self.tables, now_s)
        look_at_deadlines(self.tables, now_s)
        self.disk.look(now_s)
        settle_and_ask(self.tables)

    def put(self, key: str, value: object, nbytes: int) -> None:
        """Keep a value that a client put here.

        Nothing is reported: the client tells the scheduler. A report of ours might come first, and
        make the scheduler drop what it does not know of yet.
        """
        hold(self.tables, key, SCATTERED, nbytes, value)

    def here_ran(self, message: HereRan) -> None:
        """Report the answer to a `RunHere`."""
        if message.failure is None:
            self.tables.setups.discard(message.request)
        self.tables.outbox.here_ran(message)

    def forget_loaded(self) -> None:
        """Have the shell make functions of their pickles anew: the modules may be others now."""
        for function in self.tables.functions.values():
            function.loaded = None

    def held(self, keys: Iterable[str]) -> list[Datum | None]:
        """Return the values of these keys, as far as they are here; some may be in files."""
        held = self.tables.held
        data = [held.get(key) for key in keys]
        if self.tables.shelf.idle:
            self.disk.used(data)
        return data

    def memory_sampled(self, process_nbytes: int) -> None:
        """Spill, pause or go on, given the memory that the worker's process uses."""
        if look_at_memory(self.tables, self._pause_policy, process_nbytes):
            settle_and_ask(self.tables)

    def sampled(self, sample: WorkerSampled, lines: Iterable[LineLogged] = ()) -> None:
        """Take note of how the worker is, and of what was logged, for those who look on."""
        feed = self.tables.feed
        for line in lines:
            feed.saw(line)
        feed.saw(sample)
        # So what happened without a report leaves now.
        self.tables.outbox.pending = True

    def log_event(self, topic: str, time_s: float, key: str, payload: bytes) -> None:
        """Pass on what a task says about a topic."""
        self.tables.outbox.logged(topic, time_s, key, payload)

    @property
    def feed(self) -> Feed:
        """What happens here, for those who look on."""
        return self.tables.feed

    def leave(self, reason: str) -> None:
        """Tell the scheduler, once, that the worker is to end; it answers with `Leave`."""
        if not self.leaving:
            self.leaving = True
            self.tables.outbox.leaving(reason)

    def let_go(self) -> list[object]:
        """Forget all values, since the worker has ended; return them, as `take_discarded` does."""
        for datum in list(self.tables.held.values()):
            drop(self.tables, datum)
        return self.take_discarded()

    # What the shell looks at, and takes away.

    @property
    def paused(self) -> bool:
        """Whether the worker is short of memory, and so runs one task at a time."""
        return self.tables.paused

    @property
    def resources(self) -> Mapping[str, float]:
        """What tasks may reserve, by name; memory is among it if there is a limit."""
        return self.tables.resources.offered

    @property
    def held_nbytes(self) -> int:
        """Estimated size of the values that are in memory."""
        return self.tables.held_nbytes

    @property
    def running_count(self) -> int:
        """Tasks that threads have, also those that have seceded."""
        return len(self.tables.running)

    @property
    def ready_count(self) -> int:
        """Tasks that lack nothing but a slot or resources."""
        return self.tables.ready.count

    @property
    def pending(self) -> bool:
        """Whether there is something to send or to do."""
        return self.tables.outbox.pending or bool(self.tables.commands)

    @property
    def has_unannounced(self) -> bool:
        """Whether a task runs that the scheduler was not told of; `pending` does not count it."""
        tasks = self.tables.running
        return bool(tasks) and not next(reversed(tasks)).named

    @property
    def startable_count(self) -> int:
        """How many tasks `take` would give now, at least (see `ReadyQueue.startable_count`)."""
        return startable_count(self.tables, THREADS)

    def startable(self, executor: str) -> int:
        """Return how many tasks `take` would give this executor now, at least."""
        return startable_count(self.tables, executor)

    def take_outbox(self) -> list[WorkerToScheduler]:
        """Return what is to be sent to the scheduler, in order, and forget it."""
        self._pending_nbytes = 0
        name_running(self.tables)
        messages = self.tables.outbox.take()
        seen = self.tables.feed.take_report()
        if seen is not None:
            messages.append(seen)
        return messages

    def take_commands(self) -> list[Command]:
        """Return what is to be fetched and called, and forget it."""
        commands, self.tables.commands = self.tables.commands, []
        return commands

    def take_discarded(self) -> list[object]:
        """Return values that are dropped, to be let go of outside of the lock.

        They may be large, and may run code of the user's as they go.
        """
        discarded, self.tables.discarded = self.tables.discarded, []
        return discarded


def _summary_of(failure: Failure) -> str:
    """Return the last line of a failure's text, which says what it is."""
    lines = failure.text.strip().splitlines()
    return lines[-1] if lines else failure.kind.name.lower()
