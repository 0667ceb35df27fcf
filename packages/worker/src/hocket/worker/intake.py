"""What the scheduler's messages do, as functions on the tables.

Each message fits in itself (`hocket.protocol.checks` sees to that at the door); whether it fits
what is here is seen to here, and what does not is passed over, or given back.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any, Final

from hocket.protocol.messages import (
    AbandonTasks,
    CancelOutcome,
    CheckpointsKept,
    CopyData,
    DropData,
    DropFunctions,
    Failure,
    FailureKind,
    LeaveCluster,
    RecallTasks,
    ReportEvents,
    RestoreActor,
    RunHere,
    RunTasks,
    SchedulerToWorker,
)
from hocket.worker.cancelled import interrupt_cancelled
from hocket.worker.state import BEGUN, Datum, Function, Leave, Task, TaskState, Terms
from hocket.worker.tables import Tables
from hocket.worker.transitions import (
    add_holders,
    cancel_older_copy,
    drop,
    hasten,
    look_for,
    make_ready,
    remove,
    return_task,
    subscribe,
    want_copy,
    want_no_copy,
)
from hocket.worker.units import needs_of

__all__ = ["take_in"]

#: Looked up once, not for each task.
_READY: Final = TaskState.READY


def take_in(tables: Tables, message: SchedulerToWorker, now_s: float) -> None:
    """Do what the scheduler asks for; what it unsettles is not settled yet."""
    _ACTIONS[type(message)](tables, message, now_s)


# Tasks.


def _run_tasks(tables: Tables, message: RunTasks, now_s: float) -> None:
    functions = [
        _function(tables, digest, label, blob)
        for digest, label, blob in zip(
            message.functions, message.labels, message.blobs, strict=True
        )
    ]
    terms = _terms(tables, message)
    rows = zip(
        message.keys,
        message.attempts,
        message.priorities,
        message.payloads,
        message.function_of or repeat(0),
        message.wanted or repeat(1),
        strict=False,  # Two of them may be endless.
    )
    if tables.feed.watch is not None:
        tables.feed.watch.came(message.attempts, now_s)
    tasks, copies, inputs = tables.tasks, tables.copies, message.inputs
    push = tables.ready.push
    waiting: list[tuple[Task, list[int]]] = []
    for row, (key, attempt, priority, payload, function_index, wanted) in enumerate(rows):
        function = functions[function_index]
        if key in tasks and not _replace(tables, key, attempt):
            tables.actors.forget_restore(key, attempt)
            continue
        if copies:
            cancel_older_copy(tables, key, attempt)
        if terms is None or function is None:
            _refuse(tables, key, attempt, message.labels[function_index], function, now_s)
            continue
        task = Task(key, attempt, priority, function, payload, bool(wanted), terms)
        tasks[key] = task
        if inputs and inputs[row]:
            waiting.append((task, inputs[row]))
        else:
            task.state = _READY
            push(task)
    if waiting:
        _find_inputs(tables, message, waiting)


def _function(tables: Tables, digest: bytes, label: str, blob: bytes | None) -> Function | None:
    function = tables.functions.get(digest)
    if function is None and blob is not None:
        function = tables.functions[digest] = Function(digest, label, blob)
    return function


def _terms(tables: Tables, message: RunTasks) -> Terms | None:
    """Return how the tasks of a batch are to run; None if they can never run here."""
    lane = tables.ready.lanes.get(message.executor)
    if lane is None or not lane.slots:
        return None
    needs = needs_of(message.resources)
    if needs is None or not tables.resources.could_ever_fit(needs):
        return None
    return Terms(lane, needs, announced=message.announced, timeout_s=message.timeout_s)


def _replace(tables: Tables, key: str, attempt: int) -> bool:
    """Return whether an attempt takes the place of another of its key, which is here."""
    former = tables.tasks[key]
    if attempt > former.attempt:
        remove(tables, former)
        return True
    if attempt < former.attempt:
        tables.outbox.returned(key, attempt)
    return False


def _refuse(
    tables: Tables, key: str, attempt: int, label: str, function: Function | None, now_s: float
) -> None:
    """Say at once that a task will not be run."""
    tables.actors.forget_restore(key, attempt)
    if function is not None:
        tables.outbox.returned(key, attempt)
        return
    text = (
        f"worker {tables.name!r} never got the function {label!r}"
        " of this task; please report this as a bug of hocket"
    )
    failure = Failure(FailureKind.SERIALIZATION, key, text, b"", tables.name, attempt)
    tables.outbox.failed(key, attempt, now_s, 0.0, failure)


def _find_inputs(tables: Tables, message: RunTasks, waiting: list[tuple[Task, list[int]]]) -> None:
    """Let these new tasks wait for their inputs; most share some."""
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
        subscribe(tables, task, list(dict.fromkeys([seen[index] for index in indices])))
        if not task.missing:
            make_ready(tables, task)
    # Not before all tasks are in the table: one may make what another needs.
    tables.unsettled.extend(seen.values())


def _recall_tasks(tables: Tables, message: RecallTasks, _now_s: float) -> None:
    for key, attempt in zip(message.keys, message.attempts, strict=True):
        task = tables.tasks.get(key)
        if task is not None and task.attempt == attempt and task.state not in BEGUN:
            return_task(tables, task)


def _abandon_tasks(tables: Tables, message: AbandonTasks, now_s: float) -> None:
    for key, attempt in zip(message.keys, message.attempts, strict=True):
        task = tables.tasks.get(key)
        outcome: CancelOutcome | None = CancelOutcome.ENDED
        if task is not None and task.attempt == attempt:
            outcome = None if task.state in BEGUN else CancelOutcome.NOT_BEGUN
            remove(tables, task)
            if message.interrupt and outcome is None:
                interrupt_cancelled(tables, task, now_s)
        if message.interrupt and outcome is not None:
            tables.outbox.interrupted(key, attempt, outcome)


def _drop_functions(tables: Tables, message: DropFunctions, _now_s: float) -> None:
    for digest in message.digests:
        tables.functions.pop(digest, None)


# Data.


def _copy_data(tables: Tables, message: CopyData, _now_s: float) -> None:
    rows = zip(message.keys, message.attempts, message.nbytes, message.holders, strict=True)
    for key, attempt, nbytes, holders in rows:
        datum = want_copy(tables, key, attempt, nbytes)
        if datum is not None:
            add_holders(datum, [message.addresses[each] for each in holders])


def _drop_data(tables: Tables, message: DropData, _now_s: float) -> None:
    for key, attempt in zip(message.keys, message.attempts, strict=True):
        datum = tables.held.get(key)
        if datum is not None and datum.attempt == attempt:
            drop(tables, datum)
            continue
        datum = tables.copies.get(key)
        if datum is not None and datum.attempt == attempt:
            want_no_copy(tables, datum)


# Actors.


def _restore_actor(tables: Tables, message: RestoreActor, _now_s: float) -> None:
    tables.actors.to_restore(message)


def _checkpoints_kept(tables: Tables, message: CheckpointsKept, _now_s: float) -> None:
    tables.actors.kept(message)


# The worker itself.


def _run_here(tables: Tables, message: RunHere, _now_s: float) -> None:
    if message.before_tasks:
        tables.setups.add(message.request)
    tables.commands.append(message)


def _report_events(tables: Tables, message: ReportEvents, _now_s: float) -> None:
    tables.feed.report(message)


def _leave_cluster(tables: Tables, message: LeaveCluster, _now_s: float) -> None:
    tables.commands.append(Leave(message.reason))


_ACTIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    RunTasks: _run_tasks,
    RecallTasks: _recall_tasks,
    AbandonTasks: _abandon_tasks,
    DropFunctions: _drop_functions,
    CopyData: _copy_data,
    DropData: _drop_data,
    RunHere: _run_here,
    LeaveCluster: _leave_cluster,
    RestoreActor: _restore_actor,
    CheckpointsKept: _checkpoints_kept,
    ReportEvents: _report_events,
}
