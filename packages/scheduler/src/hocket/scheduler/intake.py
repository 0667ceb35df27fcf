"""What clients hand in: batches of tasks, and values that they put on workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import Failure, FailureKind, KeysScattered, SubmitTasks
from hocket.scheduler.policy.fairness import Tags
from hocket.scheduler.refusal import Refusal
from hocket.scheduler.state import FAILED, RELEASED, STORED, Client, Options, Task, TaskClass
from hocket.scheduler.transitions import release, to_failed, want

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hocket.scheduler.state import Worker
    from hocket.scheduler.tables import Tables

__all__ = ["accept_scattered", "accept_tasks"]

#: Addresses without a worker that are remembered, and values at each; who is there comes soon.
_STRAYS_MAX: Final = 1000

#: A graph of more tasks would not fit the memory of any scheduler; ranks are part of priorities,
#: which have 64 bits on the wire.
_RANK_MAX: Final = 2**40


def accept_tasks(tables: Tables, client: Client, message: SubmitTasks) -> None:
    """Make the records of a batch and bring those that are needed on their way."""
    intake = _Intake(tables, client, message)
    intake.make_records()
    intake.start()


class _Intake:
    """One batch on its way into the tables."""

    def __init__(self, tables: Tables, client: Client, message: SubmitTasks) -> None:
        self.tables = tables
        self.client = client
        self.message = message
        count = len(message.payloads)
        #: Per key of the message: the record, None where there is none (yet).
        self.records: list[Task | None] = [None] * count
        self.records.extend(tables.tasks.get(key) for key in message.keys[count:])
        self.fresh: list[Task] = []
        #: Rows that get no record.
        self.refused: dict[int, Failure] = {}

    def make_records(self) -> None:
        """Make a record for each row, or find the equal one that is there."""
        tables, message = self.tables, self.message
        ranks = message.ranks
        if ranks and not 0 <= min(ranks) <= max(ranks) <= _RANK_MAX:
            raise Refusal(f"SubmitTasks.ranks does not fit: a rank is not in 0 to {_RANK_MAX}")
        kinds = [
            _kind(tables, self.client, digest, label, blob)
            for digest, label, blob in zip(
                message.functions, message.labels, message.blobs, strict=True
            )
        ]
        options = Options(
            message.priority,
            message.retries,
            tuple(message.workers),
            message.resources,
            allow_other_workers=message.allow_other_workers,
            retry_delay_s=message.retry_delay_s,
            executor=message.executor,
            timeout_s=message.timeout_s,
        )
        tags = Tags(tables, self.client, message, kinds)
        function_of, dependencies = message.function_of, message.dependencies
        for row, payload in enumerate(message.payloads):
            key = message.keys[row]
            kind = kinds[function_of[row] if function_of else 0]
            if kind is None:
                text = f"the function of {key!r} is not known here; submit it again"
                self.refused[row] = Failure(FailureKind.SERIALIZATION, key, text)
                continue
            inputs: tuple[Task, ...] = ()
            unknown: str | None = None
            if dependencies and dependencies[row]:
                inputs, unknown = self._inputs(dependencies[row])
            task = tables.tasks.get(key)
            if task is not None:
                is_broken = unknown is not None
                self._share(row, task, kind, payload, inputs, is_broken=is_broken)
                continue
            priority = tags.priority(ranks[row] if ranks else row)
            task = Task(key, kind, payload, options, priority, inputs)
            self.records[row] = tables.tasks[key] = task
            self.fresh.append(task)
            kind.tasks_count += 1
            for source in inputs:
                source.add_dependent(task)
            if unknown is not None:
                text = f"{key!r} depends on {unknown!r}, which is not known here"
                tables.broken[key] = Failure(FailureKind.UNKNOWN_KEY, unknown, text)

    def start(self) -> None:
        """Note what the client wants, and bring that on its way."""
        tables, client, message = self.tables, self.client, self.message
        wanted = range(len(message.payloads)) if message.wanted is None else message.wanted
        for row in wanted:
            failure = self.refused.get(row)
            task = self.records[row]
            if failure is not None:
                client.outbox.erred(message.keys[row], failure)
            elif task is not None:
                want(tables, task, client)
        if message.wanted is not None:
            for task in self.fresh:
                release(tables, task)

    def _inputs(self, indices: list[int]) -> tuple[tuple[Task, ...], str | None]:
        """Return the records at these indices, and the first key that has none."""
        inputs = []
        unknown = None
        for index in indices:
            source = self.records[index]
            if source is not None:
                inputs.append(source)
            elif unknown is None:
                unknown = self.message.keys[index]
        return tuple(inputs), unknown

    def _share(
        self,
        row: int,
        task: Task,
        kind: TaskClass,
        payload: bytes,
        inputs: tuple[Task, ...],
        *,
        is_broken: bool,
    ) -> None:
        """Use a record that is there, if it is of an equal task."""
        if (
            task.kind is kind
            and task.payload == payload
            and task.dependencies == inputs
            and is_broken == (task.key in self.tables.broken)
        ):
            self.records[row] = task
        else:
            text = f"the key {task.key!r} already stands for another task"
            self.refused[row] = Failure(FailureKind.DUPLICATE_KEY, task.key, text)


def _kind(
    tables: Tables, client: Client, digest: bytes, label: str, blob: bytes | None
) -> TaskClass | None:
    kind = tables.kinds.get(digest)
    if kind is None:
        if blob is None:
            return None
        kind = tables.kinds[digest] = TaskClass(digest, label, blob)
    kind.pinned_by.add(client.id)
    client.functions[digest] = kind
    return kind


def accept_scattered(tables: Tables, client: Client, message: KeysScattered) -> None:
    """Note values that now lie on workers; one that lies nowhere any more is lost."""
    for key, nbytes, addresses in zip(message.keys, message.nbytes, message.addresses, strict=True):
        task = tables.tasks.get(key)
        workers = _workers_at(tables, addresses, key)
        if task is None:
            task = Task(key, None, b"", Options(), 0, ())
            tables.tasks[key] = task
        elif task.kind is not None or task.state is FAILED:
            # What lies there now is nobody's.
            for worker in workers:
                worker.outbox.drop(key, 0)
        if task.kind is not None:
            text = f"the key {key!r} already stands for a task"
            client.outbox.erred(key, Failure(FailureKind.DUPLICATE_KEY, key, text))
            continue
        if workers:
            if task.state is RELEASED:
                task.nbytes = nbytes
                tables.move(task, STORED)
            if task.state is STORED:
                for worker in workers:
                    tables.hold(task, worker)
        elif task.state is RELEASED:
            text = f"the workers that {key!r} was put on are gone"
            task.want(client)
            client.wanted[task] = None
            to_failed(tables, task, Failure(FailureKind.LOST, key, text))
            continue
        want(tables, task, client)


def _workers_at(tables: Tables, addresses: Sequence[str], key: str) -> list[Worker]:
    """Return the workers that a client says to have given a value, as far as they are known."""
    known = tables.workers_by_address
    for address in addresses:
        if address not in known:
            # Who comes there may have been given it before we heard of him.
            if len(tables.strays) >= _STRAYS_MAX:
                tables.strays.clear()
            strays = tables.strays.setdefault(address, {})
            if len(strays) < _STRAYS_MAX:
                strays[key] = None
    return [known[one] for one in addresses if one in known]
