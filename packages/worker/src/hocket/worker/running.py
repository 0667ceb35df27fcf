"""Slots: who runs, who runs beside them, and who comes back; as functions on the tables.

While the worker is paused only one task runs at once, whatever its executor. It waits for no other
task of this worker, unless it secedes first, and then the next may run: so none waits forever.
"""

from __future__ import annotations

import heapq
from typing import Final

from hocket.worker.lanes import Lane
from hocket.worker.spilling import unpin
from hocket.worker.state import Task, TaskState
from hocket.worker.tables import Tables

__all__ = [
    "end",
    "grant",
    "may_start",
    "name_running",
    "rejoin",
    "reserve",
    "secede",
    "startable_count",
]

#: Looked up once, not for each task.
_RUNNING: Final = TaskState.RUNNING
_GONE: Final = TaskState.GONE


def may_start(tables: Tables, lane: Lane[Task]) -> bool:
    """Whether, although the worker is paused, the best task of this lane may start."""
    return not tables.ready.is_occupied and tables.ready.best(tables.resources) is lane


def startable_count(tables: Tables, executor: str) -> int:
    """How many tasks of an executor could be taken now, at least."""
    lane = tables.ready.lanes.get(executor)
    if lane is None or tables.setups:
        return 0
    if tables.paused:
        return int(may_start(tables, lane))
    return tables.ready.startable_count(lane)


def reserve(tables: Tables, task: Task) -> None:
    """Reserve what a task needs while it runs."""
    resources, needs = tables.resources, task.terms.needs
    resources.reserve(needs)
    if resources.devices:
        task.devices = resources.take_devices(needs)


def end(tables: Tables, task: Task, *, is_actor: bool = False) -> bool:
    """Let a task go that a thread is done with; return whether anybody waits for it.

    An actor keeps what its task reserved.
    """
    terms = task.terms
    if task.state is _RUNNING:
        terms.lane.free += 1
    elif task.state is TaskState.REJOINING:
        tables.rejoining_count -= 1
        terms.lane.leave_line(task)
    elif task.state is not TaskState.SECEDED:
        return False
    task.state = _GONE
    del tables.running[task]
    if task.inputs:
        unpin(tables, task)
    if terms.needs and not (is_actor and tables.tasks.get(task.key) is task):
        tables.resources.release(terms.needs)
        if task.devices:
            tables.resources.give_devices_back(terms.needs, task.devices)
        tables.ready.unblock()
    if tables.rejoining_count:
        grant(tables)
    return tables.tasks.get(task.key) is task


def secede(tables: Tables, task: Task) -> bool:
    """Let a task run on without its slot; return whether it had one."""
    if task.state is not TaskState.RUNNING:
        return False
    task.state = TaskState.SECEDED
    task.terms.lane.free += 1
    if tables.tasks.get(task.key) is task:
        tables.outbox.seceded(task.key, task.attempt)
    if tables.rejoining_count:
        grant(tables)
    return True


def rejoin(tables: Tables, task: Task) -> bool:
    """Give a task a slot again, or let it stand in line for one; return whether it has one.

    A task that is over needs none.
    """
    if task.state is TaskState.SECEDED:
        task.state = TaskState.REJOINING
        tables.rejoining_count += 1
        entry = (task.priority, tables.ready.next_serial(), task)
        heapq.heappush(task.terms.lane.rejoining, entry)
        grant(tables)
        if task.state is TaskState.RUNNING:
            # Who asks is told at once.
            tables.granted.remove(task)
    return task.state is not TaskState.REJOINING


def grant(tables: Tables) -> None:
    """Give free slots to those that stand in line for them, the best first."""
    while not (tables.paused and tables.ready.is_occupied):
        heads = [
            (lane.rejoining[0][:2], lane)
            for lane in tables.ready.lanes.values()
            if lane.free and lane.rejoining
        ]
        if not heads:
            return
        lane = min(heads, key=lambda head: head[0])[1]
        task = heapq.heappop(lane.rejoining)[2]
        task.state = TaskState.RUNNING
        lane.free -= 1
        tables.rejoining_count -= 1
        tables.granted.append(task)
        # A lane without a free slot claims no resources.
        tables.ready.unblock()
        if tables.tasks.get(task.key) is task:
            tables.outbox.rejoined(task.key, task.attempt)


def name_running(tables: Tables) -> None:
    """Tell the scheduler of the tasks that run and that it was not told of."""
    unnamed = []
    for task in reversed(tables.running):
        if task.named:
            break
        unnamed.append(task)
    for task in reversed(unnamed):
        task.named = True
        if tables.tasks.get(task.key) is task:
            tables.outbox.begun(task.key, task.attempt)
