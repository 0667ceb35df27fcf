"""The worker's machine: decides what a worker runs, fetches, keeps and reports.

It does no I/O and knows no thread, but it is made to be shared by threads: the shell guards it with
one lock, and the threads that run tasks call `WorkerMachine.take`, `executed` and `failed`
themselves, so a task costs no trip through the event loop. What is to be sent, fetched and called
piles up in the machine until the shell takes it.

Nothing that a peer says makes a method raise: what does not fit is passed over, or given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

from msgspec.structs import replace

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    DropData,
    DropFunctions,
    Failure,
    FailureKind,
    HereRan,
    RecallTasks,
    RunHere,
    RunTasks,
    SchedulerToWorker,
    WorkerToScheduler,
)
from hocket.worker.resources import needs_of
from hocket.worker.state import (
    SCATTERED,
    Datum,
    Fetch,
    Function,
    Task,
    TaskState,
    WantState,
)
from hocket.worker.tables import Tables
from hocket.worker.transitions import (
    add_holders,
    drop,
    fail_waiters,
    hasten,
    hold,
    look_for,
    make_ready,
    remove,
    return_task,
    settle,
    subscribe,
    take_holder_away,
)

__all__ = ["PENDING_NBYTES_MAX", "Answer", "WorkerMachine"]

#: Bytes of values and exceptions that may wait to be sent; while there are more, reports go without
#: them, so that what is sent at once stays far below what fits into a frame.
PENDING_NBYTES_MAX: Final = 16 << 20
#: What remains of the text of a failure that goes without its exception.
_SHORT_TEXT_LENGTH: Final = 1000


class Answer:
    """What a peer said to a fetch about one key.

    Parameters
    ----------
    attempt
        The attempt that made the value, -1 if it is not there.
    nbytes, value
        The value and its estimated size.
    error
        Why the value, although it is there, could not be sent or read; "" if it could.
    """

    __slots__ = ("attempt", "error", "nbytes", "value")

    def __init__(
        self, attempt: int, nbytes: int = 0, value: object = None, error: str = ""
    ) -> None:
        self.attempt = attempt
        self.nbytes = nbytes
        self.value = value
        self.error = error


class WorkerMachine:
    """The state of one worker, and how events change it.

    Parameters
    ----------
    name
        Stands in failures that arise here.
    address
        Where the worker's data server listens, as others name it.
    settings
        Limits for fetching.
    resources
        What tasks may reserve, by name.
    """

    def __init__(
        self,
        *,
        name: str,
        address: str,
        settings: WorkerSettings,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self.name = name
        self.tables = Tables(address, resources or {})
        self._fetch_connections_max = settings.fetch_connections_max
        self._fetch_nbytes_max = settings.fetch_nbytes_max
        self._commands: list[Fetch | RunHere] = []
        self._pending_nbytes = 0

    # What the threads that run tasks call.

    def take(self) -> Task | None:
        """Take the best ready task and reserve its resources; None if nothing can run now."""
        tables = self.tables
        task = tables.ready.take(tables.resources)
        if task is None:
            return None
        task.state = TaskState.RUNNING
        tables.running[task] = None
        if task.needs:
            tables.resources.reserve(task.needs)
        return task

    def executed(
        self,
        task: Task,
        value: object,
        nbytes: int,
        start_s: float,
        duration_s: float,
        inline: bytes | None = None,
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
        """
        if not self._end(task):
            return
        tables = self.tables
        del tables.tasks[task.key]
        hold(tables, task.key, task.attempt, nbytes, value)
        if inline is not None:
            self._pending_nbytes += len(inline)
            if self._pending_nbytes > PENDING_NBYTES_MAX:
                self._pending_nbytes -= len(inline)
                inline = None
        tables.outbox.done(task.key, task.attempt, nbytes, start_s, duration_s, inline)

    def failed(self, task: Task, failure: Failure, start_s: float, duration_s: float) -> None:
        """End a task that was taken: it has failed."""
        if not self._end(task):
            return
        tables = self.tables
        remove(tables, task)
        self._pending_nbytes += len(failure.exception) + len(failure.text)
        if self._pending_nbytes > PENDING_NBYTES_MAX:
            text = failure.text[:_SHORT_TEXT_LENGTH]
            failure = replace(failure, exception=b"", text=text)
        tables.outbox.failed(task.key, task.attempt, start_s, duration_s, failure)
        self._settle()

    def _end(self, task: Task) -> bool:
        """Let a task go that a thread is done with. Return whether anybody waits for it."""
        tables = self.tables
        if task.state is not TaskState.RUNNING:
            return False
        task.state = TaskState.GONE
        del tables.running[task]
        if task.needs:
            tables.resources.release(task.needs)
            tables.ready.unblock()
        return tables.tasks.get(task.key) is task

    # What the event loop calls.

    def handle(self, messages: Iterable[SchedulerToWorker], now_s: float) -> None:
        """Do what the scheduler asks for.

        Parameters
        ----------
        messages
            As they came, in order.
        now_s
            Seconds since the epoch.
        """
        for message in messages:
            _HANDLERS[type(message)](self, message, now_s)
        self._settle()

    def fetched(self, fetch: Fetch, answers: Sequence[Answer], now_s: float) -> None:
        """Take in what a peer answered to a fetch.

        Parameters
        ----------
        fetch
            The command that is answered.
        answers
            One for each key of it, in its order; those that are not there count as "not here".
        now_s
            Seconds since the epoch.
        """
        tables = self.tables
        if tables.fetches.get(fetch.address) is not fetch:
            return
        del tables.fetches[fetch.address]
        missing = Answer(-1)
        for index, datum in enumerate(fetch.data):
            answer = answers[index] if index < len(answers) else missing
            self._answered(fetch.address, datum, answer, now_s)
        self._settle()

    def _answered(self, address: str, datum: Datum, answer: Answer, now_s: float) -> None:
        """Take in what a peer said about one value."""
        tables = self.tables
        if datum.want is None:
            return  # Made or put here in the meantime.
        if answer.attempt != datum.attempt:
            take_holder_away(tables, datum, address, gone=True)
        elif answer.error:
            fail_waiters(tables, datum, self._unreadable(datum, answer.error), now_s)
        elif datum.want.waiters:
            hold(tables, datum.key, datum.attempt, answer.nbytes, answer.value)
            tables.outbox.replica(datum.key, datum.attempt)
        else:
            # All who waited for it are gone.
            datum.want.state = WantState.NEW
            tables.unsettled.append(datum)
            tables.discarded.append(answer.value)

    def fetch_failed(self, fetch: Fetch) -> None:
        """Give up a fetch: the peer could not be reached, or did not answer.

        It is not asked for anything else either, until the scheduler names it again.
        """
        tables = self.tables
        if tables.fetches.get(fetch.address) is not fetch:
            return
        del tables.fetches[fetch.address]
        for datum in [*fetch.data, *tables.queue.at(fetch.address)]:
            if datum.want is not None:
                take_holder_away(tables, datum, fetch.address, gone=False)
        self._settle()

    def put(self, key: str, value: object, nbytes: int) -> None:
        """Keep a value that a client put here.

        Nothing is reported: the client tells the scheduler. A report of ours might come first, and
        make the scheduler drop what it does not know of yet.
        """
        hold(self.tables, key, SCATTERED, nbytes, value)

    def here_ran(self, message: HereRan) -> None:
        """Report the answer to a `RunHere`."""
        self.tables.outbox.here_ran(message)

    def held(self, keys: Iterable[str]) -> list[Datum | None]:
        """Return the values of these keys, as far as they are here."""
        held = self.tables.held
        return [held.get(key) for key in keys]

    # What the shell looks at, and takes away.

    @property
    def held_nbytes(self) -> int:
        """Estimated size of the values that are here."""
        return self.tables.held_nbytes

    @property
    def running_count(self) -> int:
        """Tasks that threads have."""
        return len(self.tables.running)

    @property
    def ready_count(self) -> int:
        """Tasks that lack nothing but a thread or resources."""
        return self.tables.ready.count

    @property
    def pending(self) -> bool:
        """Whether there is something to send or to do."""
        return self.tables.outbox.pending or bool(self._commands)

    @property
    def startable_count(self) -> int:
        """How many tasks `take` would give now, at least (see `ReadyQueue.startable_count`)."""
        return self.tables.ready.startable_count()

    def take_outbox(self) -> list[WorkerToScheduler]:
        """Return what is to be sent to the scheduler, in order, and forget it."""
        self._pending_nbytes = 0
        return self.tables.outbox.take()

    def take_commands(self) -> list[Fetch | RunHere]:
        """Return what is to be fetched and called, and forget it."""
        commands, self._commands = self._commands, []
        return commands

    def take_discarded(self) -> list[object]:
        """Return values that are dropped, to be let go of outside of the lock.

        They may be large, and may run code of the user's as they go.
        """
        discarded, self.tables.discarded = self.tables.discarded, []
        return discarded

    # The scheduler's messages.

    def _on_run_tasks(self, message: RunTasks, now_s: float) -> None:
        functions = [
            self._function(digest, label, blob)
            for digest, label, blob in zip(
                message.functions, message.labels, message.blobs, strict=True
            )
        ]
        needs = needs_of(message.resources)
        if needs is not None and not self.tables.resources.could_ever_fit(needs):
            needs = None
        rows = zip(
            message.keys,
            message.attempts,
            message.priorities,
            message.payloads,
            message.function_of or repeat(0),
            message.wanted or repeat(1),
            strict=False,  # Two of them may be endless.
        )
        tasks = self.tables.tasks
        ready = self.tables.ready
        waiting: list[tuple[Task, list[int]]] = []
        for row, (key, attempt, priority, payload, function_index, wanted) in enumerate(rows):
            function = functions[function_index]
            if key in tasks and not self._replace(key, attempt):
                continue
            if needs is None or function is None:
                self._refuse(key, attempt, message, function_index, function, now_s)
                continue
            task = Task(key, attempt, priority, function, payload, bool(wanted), needs)
            tasks[key] = task
            if message.inputs and message.inputs[row]:
                waiting.append((task, message.inputs[row]))
            else:
                task.state = TaskState.READY
                ready.push(task)
        if waiting:
            self._find_inputs(message, waiting)

    def _function(self, digest: bytes, label: str, blob: bytes | None) -> Function | None:
        function = self.tables.functions.get(digest)
        if function is None and blob is not None:
            function = self.tables.functions[digest] = Function(digest, label, blob)
        return function

    def _replace(self, key: str, attempt: int) -> bool:
        """Return whether an attempt takes the place of another of its key, which is here."""
        former = self.tables.tasks[key]
        if attempt > former.attempt:
            remove(self.tables, former)
            return True
        if attempt < former.attempt:
            self.tables.outbox.returned(key, attempt)
        return False

    def _refuse(
        self,
        key: str,
        attempt: int,
        message: RunTasks,
        function_index: int,
        function: Function | None,
        now_s: float,
    ) -> None:
        """Say at once that a task will not be run."""
        if function is not None:
            self.tables.outbox.returned(key, attempt)
            return
        text = (
            f"worker {self.name!r} never got the function {message.labels[function_index]!r}"
            " of this task; please report this as a bug of hocket"
        )
        failure = Failure(FailureKind.SERIALIZATION, key, text, b"", self.name, attempt)
        self.tables.outbox.failed(key, attempt, now_s, 0.0, failure)

    def _find_inputs(self, message: RunTasks, waiting: list[tuple[Task, list[int]]]) -> None:
        """Let these new tasks wait for their inputs; most share some."""
        tables = self.tables
        seen: dict[int, Datum] = {}
        for task, indices in waiting:
            if task.state is TaskState.GONE:
                continue  # Replaced by a newer attempt in the same message.
            for index in indices:
                if index not in seen:
                    seen[index] = look_for(
                        tables,
                        message.input_keys[index],
                        message.input_attempts[index],
                        message.input_nbytes[index],
                        task.priority,
                    )
                    holders = [message.addresses[each] for each in message.input_holders[index]]
                    add_holders(seen[index], holders)
                hasten(seen[index], task.priority)
            subscribe(task, list(dict.fromkeys([seen[index] for index in indices])))
            if not task.missing:
                make_ready(tables, task)
        # Not before all tasks are in the table: one may make what another needs.
        tables.unsettled.extend(seen.values())

    def _on_drop_data(self, message: DropData, _now_s: float) -> None:
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            datum = self.tables.held.get(key)
            if datum is not None and datum.attempt == attempt:
                drop(self.tables, datum)

    def _on_recall_tasks(self, message: RecallTasks, _now_s: float) -> None:
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if task is None or task.attempt != attempt or task.state is TaskState.RUNNING:
                continue
            return_task(self.tables, task)

    def _on_abandon_tasks(self, message: AbandonTasks, _now_s: float) -> None:
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = self.tables.tasks.get(key)
            if task is not None and task.attempt == attempt:
                remove(self.tables, task)

    def _on_drop_functions(self, message: DropFunctions, _now_s: float) -> None:
        for digest in message.digests:
            self.tables.functions.pop(digest, None)

    def _on_run_here(self, message: RunHere, _now_s: float) -> None:
        self._commands.append(message)

    # Fetching.

    def _settle(self) -> None:
        """See to it that each wanted value has a source, and ask peers as far as the limits go."""
        tables = self.tables
        if tables.unsettled:
            settle(tables)
        while tables.queue and len(tables.fetches) < self._fetch_connections_max:
            request = tables.queue.next(tables.fetches, self._fetch_nbytes_max)
            if request is None:
                return
            fetch = tables.fetches[request[0]] = Fetch(*request)
            self._commands.append(fetch)

    def _unreadable(self, datum: Datum, error: str) -> Failure:
        text = f"the value of {datum.key!r} cannot be brought to worker {self.name!r}: {error}"
        return Failure(FailureKind.SERIALIZATION, datum.key, text, b"", self.name, datum.attempt)


_HANDLERS: dict[type, Callable[[WorkerMachine, Any, float], None]] = {
    RunTasks: WorkerMachine._on_run_tasks,  # noqa: SLF001
    DropData: WorkerMachine._on_drop_data,  # noqa: SLF001
    RecallTasks: WorkerMachine._on_recall_tasks,  # noqa: SLF001
    AbandonTasks: WorkerMachine._on_abandon_tasks,  # noqa: SLF001
    DropFunctions: WorkerMachine._on_drop_functions,  # noqa: SLF001
    RunHere: WorkerMachine._on_run_here,  # noqa: SLF001
}
