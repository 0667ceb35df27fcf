"""What clients hand in: batches of tasks, and values that they put on workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import Failure, FailureKind, KeysScattered, SubmitTasks
from hocket.scheduler.state import RELEASED, STORED, Client, Options, Task, TaskClass
from hocket.scheduler.transitions import release, to_failed, want

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["accept_scattered", "accept_tasks"]


def accept_tasks(tables: Tables, client: Client, message: SubmitTasks) -> None:
    """Make the records of a batch and bring those that are needed on their way."""
    kinds = [
        _kind(tables, client, digest, label, blob)
        for digest, label, blob in zip(
            message.functions, message.labels, message.blobs, strict=True
        )
    ]
    options = Options(
        message.priority,
        message.retries,
        tuple(message.workers),
        message.allow_other_workers,
        message.resources,
    )
    keys = message.keys
    count = len(message.payloads)
    dependencies = message.dependencies
    function_of = message.function_of
    ranks = message.ranks
    wanted = range(count) if message.wanted is None else message.wanted
    sources: list[Task | None] = [None] * count
    sources.extend(tables.tasks.get(key) for key in keys[count:])
    known = tables.tasks
    fresh: list[Task] = []
    refused: dict[int, Failure] = {}
    broken: list[tuple[Task, Failure]] = []
    for index, payload in enumerate(message.payloads):
        key = keys[index]
        kind = kinds[function_of[index] if function_of else 0]
        inputs: tuple[Task, ...] = ()
        unknown: str | None = None
        if dependencies and dependencies[index]:
            found = [(one, sources[one]) for one in dependencies[index]]
            inputs = tuple(source for _, source in found if source is not None)
            if len(inputs) < len(found):
                unknown = next(keys[one] for one, source in found if source is None)
        task = known.get(key)
        if kind is None:
            text = f"the function of {key!r} is not known here; submit it again"
            refused[index] = Failure(FailureKind.SERIALIZATION, key, text)
        elif task is not None:
            if task.kind is kind and task.payload == payload and task.dependencies == inputs:
                sources[index] = task
            else:
                text = f"the key {key!r} already stands for another task"
                refused[index] = Failure(FailureKind.DUPLICATE_KEY, key, text)
        else:
            rank = ranks[index] if ranks else index
            task = Task(key, kind, payload, options, tables.priority_of(options, rank), inputs)
            known[key] = task
            kind.tasks_count += 1
            sources[index] = task
            fresh.append(task)
            for source in inputs:
                source.add_dependent(task)
            if unknown is not None:
                text = f"{key!r} depends on {unknown!r}, which is not known here"
                broken.append((task, Failure(FailureKind.UNKNOWN_KEY, unknown, text)))
    tables.submitted_count += count
    for index in wanted:
        failure = refused.get(index)
        if failure is not None:
            client.outbox.erred(keys[index], failure)
            continue
        task = sources[index]
        if task is not None:
            want(tables, task, client)
    for task, failure in broken:
        # Only now, so that dependents in the same batch are on their way and fail with it.
        if task.is_needed():
            to_failed(tables, task, failure)
    if message.wanted is not None:
        for task in fresh:
            release(tables, task)


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
        if task is None:
            task = Task(key, None, b"", Options(), 0, ())
            tables.tasks[key] = task
        elif task.kind is not None:
            text = f"the key {key!r} already stands for a task"
            client.outbox.erred(key, Failure(FailureKind.DUPLICATE_KEY, key, text))
            continue
        workers = [
            tables.workers_by_address[one] for one in addresses if one in tables.workers_by_address
        ]
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
