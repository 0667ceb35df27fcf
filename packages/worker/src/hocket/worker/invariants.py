"""The rules that a worker's tables keep between any two events.

`check` recounts everything, so it is for tests, for simulators and for hunting a bug, not for
production.
"""

from __future__ import annotations

from collections import Counter

from hocket.core.errors import InvariantBroken
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Datum, TaskState, WantState
from hocket.worker.tables import Tables

__all__ = ["check"]


def check(machine: WorkerMachine) -> None:
    """Check all rules.

    Raises
    ------
    InvariantBroken
        A rule does not hold; the error names it, and what breaks it.
    """
    tables = machine.tables
    _check_tasks(tables)
    _check_running(tables)
    _check_held(tables)
    _check_wanted(tables)
    _check_sources(tables)
    _check_fetches(tables)


def _require(holds: object, rule: str, detail: object) -> None:
    if not holds:
        raise InvariantBroken(rule=rule, detail=repr(detail))


def _check_tasks(tables: Tables) -> None:
    states = Counter(task.state for task in tables.tasks.values())
    for key, task in tables.tasks.items():
        _require(task.key == key, "a task stands under its key", task)
        _require(task.state is not TaskState.GONE, "what is gone is not in the table", task)
        missing = [datum for datum in task.inputs if datum.want is not None]
        if task.state is TaskState.WAITING:
            _require(task.missing == len(missing), "missing inputs are counted", task)
            _require(missing, "who waits waits for something", task)
        else:
            _require(not missing, "who is ready has all inputs", task)
        for datum in missing:
            _require(
                datum.want is not None and task in datum.want.waiters,
                "who waits stands in the list of what it waits for",
                (task, datum),
            )
    _require(
        tables.ready.count == states[TaskState.READY], "ready tasks are counted", tables.ready.count
    )
    _require(not tables.unsettled, "every event settles what it stirs up", tables.unsettled)


def _check_running(tables: Tables) -> None:
    for task in tables.running:
        _require(task.state is TaskState.RUNNING, "who runs knows it", task)
    for task in tables.tasks.values():
        if task.state is TaskState.RUNNING:
            _require(task in tables.running, "who runs is known", task)
    reserved: Counter[str] = Counter()
    for task in tables.running:
        reserved.update(dict(task.needs))
    for name, total in tables.resources.total.items():
        free = tables.resources.free[name]
        _require(0 <= free <= total, "resources are between none and all", (name, free))
        _require(
            total - free == reserved[name],
            "reserved resources are those of running tasks",
            (name, total - free, reserved[name]),
        )


def _check_held(tables: Tables) -> None:
    for key, datum in tables.held.items():
        _require(datum.key == key, "a value stands under its key", datum)
        _require(datum.want is None, "what is held is not wanted", datum)
    nbytes = sum(datum.nbytes for datum in tables.held.values())
    _require(tables.held_nbytes == nbytes, "held bytes are counted", (tables.held_nbytes, nbytes))


def _check_wanted(tables: Tables) -> None:
    for (key, attempt), datum in tables.wanted.items():
        name = (datum.key, datum.attempt)
        _require(name == (key, attempt), "a wanted value stands under its name", datum)
        want = datum.want
        if want is None:
            raise InvariantBroken(rule="what is wanted says why", detail=repr(datum))
        held = tables.held.get(key)
        _require(held is None or held.attempt != attempt, "what is held is not wanted", datum)
        for task in want.waiters:
            _require(tables.tasks.get(task.key) is task, "waiters are here", (datum, task))
            _require(task.state is TaskState.WAITING, "waiters wait", (datum, task))
            _require(datum in task.inputs, "waiters need it", (datum, task))
            _require(
                want.priority <= task.priority, "a value is as urgent as its waiters", (datum, task)
            )


def _check_sources(tables: Tables) -> None:
    """Every wanted value has one source, so that nobody waits for nothing."""
    for datum in tables.wanted.values():
        want = datum.want
        if want is None:
            continue
        if want.state is WantState.EXPECTED:
            producer = tables.tasks.get(datum.key)
            _require(
                producer is not None and producer.attempt == datum.attempt,
                "what is expected is made here",
                datum,
            )
        elif want.state is WantState.QUEUED:
            _require(want.holders, "what is queued has a holder", datum)
            _require(tables.address not in want.holders, "nobody asks itself", datum)
            for address in want.holders:
                queued = list(tables.queue.at(address))
                _require(datum in queued, "what is queued stands in the queues", (address, datum))
        elif want.state is WantState.FETCHING:
            _require(_fetch_count(tables, datum) == 1, "what is fetched is asked for once", datum)
        else:
            raise InvariantBroken(rule="what is wanted has a source", detail=repr(datum))
        if want.state is not WantState.FETCHING:
            _require(want.waiters, "what is wanted is wanted by somebody", datum)


def _fetch_count(tables: Tables, datum: Datum) -> int:
    return sum(fetch.data.count(datum) for fetch in tables.fetches.values())


def _check_fetches(tables: Tables) -> None:
    for address, fetch in tables.fetches.items():
        _require(fetch.address == address, "a fetch stands under its address", fetch)
        _require(fetch.data, "a fetch asks for something", fetch)
        for datum in fetch.data:
            state = None if datum.want is None else datum.want.state
            _require(
                state in (None, WantState.FETCHING),
                "what is being fetched is on its way, or came otherwise",
                datum,
            )
