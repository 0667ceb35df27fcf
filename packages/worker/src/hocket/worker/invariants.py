"""The rules that a worker's tables keep between any two events.

`check` recounts everything, so it is for tests, for simulators and for hunting a bug, not for
production.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hocket.core.errors import InvariantBroken
from hocket.worker.actors import Actor
from hocket.worker.lanes import Lane
from hocket.worker.machine import WorkerMachine
from hocket.worker.shelf_invariants import check_shelf
from hocket.worker.state import BEGUN, ON_DISK, Datum, Task, TaskState, WantState
from hocket.worker.tables import Tables
from hocket.worker.units import UNITS

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
    _check_lanes(tables)
    _check_resources(tables)
    _check_devices(tables)
    _check_held(tables)
    _check_wanted(tables)
    _check_sources(tables)
    _check_copies(tables)
    _check_fetches(tables)
    _check_actors(tables)
    _check_backoff(tables)
    check_shelf(tables)
    for task in tables.deadlines.tasks:
        _require(task in tables.running, "only what runs can run too long", task)


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
    ready = tables.ready.count
    _require(ready == states[TaskState.READY], "ready tasks are counted", ready)
    _require(not tables.unsettled, "every event settles what it stirs up", tables.unsettled)


def _check_running(tables: Tables) -> None:
    for task in tables.running:
        _require(task.state in BEGUN, "who runs knows it", task)
    for task in tables.tasks.values():
        if task.state in BEGUN:
            _require(task in tables.running, "who runs is known", task)
    unnamed = [not task.named for task in tables.running]
    _require(unnamed == sorted(unnamed), "those that were not named come last", unnamed)


def _check_lanes(tables: Tables) -> None:
    lanes = tables.ready.lanes
    for name, lane in lanes.items():
        _require(lane.name == name, "an executor stands under its name", name)
        tasks = [task for task in tables.running if task.terms.lane is lane]
        with_slot = sum(task.state is TaskState.RUNNING for task in tasks)
        _require(0 <= lane.free <= lane.slots, "slots are between none and all", (name, lane.free))
        _require(
            lane.slots - lane.free == with_slot,
            "slots are those of running tasks",
            (name, lane.slots - lane.free, with_slot),
        )
        ready = [
            task
            for task in tables.tasks.values()
            if task.terms.lane is lane and task.state is TaskState.READY
        ]
        _require(lane.count == len(ready), "ready tasks are counted", (name, lane.count))
        _check_rejoining(tables, lane, tasks)
    for task in [*tables.running, *tables.tasks.values()]:
        lane = task.terms.lane
        _require(lanes.get(lane.name) is lane, "a task has an executor of this worker", task)
    rejoining = sum(task.state is TaskState.REJOINING for task in tables.running)
    _require(
        tables.rejoining_count == rejoining,
        "those that rejoin are counted",
        (tables.rejoining_count, rejoining),
    )


def _check_rejoining(tables: Tables, lane: Lane[Task], tasks: list[Task]) -> None:
    waiting = [entry[2] for entry in lane.rejoining]
    rejoining = [task for task in tasks if task.state is TaskState.REJOINING]
    _require(
        sorted(map(id, waiting)) == sorted(map(id, rejoining)),
        "who rejoins stands in line",
        waiting,
    )
    if waiting and lane.free:
        occupied = any(each.free < each.slots for each in tables.ready.lanes.values())
        _require(tables.paused and occupied, "nobody waits for a slot that is free", waiting)


def _check_resources(tables: Tables) -> None:
    reserved: Counter[str] = Counter()
    for task in tables.running:
        reserved.update(dict(task.terms.needs))
    for actor in tables.actors:
        reserved.update(dict(actor.needs))
    for name, total in tables.resources.total.items():
        free = tables.resources.free[name]
        _require(0 <= free <= total, "resources are between none and all", (name, free))
        _require(
            total - free == reserved[name],
            "reserved resources are those of running tasks",
            (name, total - free, reserved[name]),
        )


def _check_devices(tables: Tables) -> None:
    """Every running task has the devices that it needs, and no device has too many tasks."""
    used: Counter[tuple[str, int]] = Counter()
    for task in tables.running:
        needs = {
            name: units for name, units in task.terms.needs if name in tables.resources.devices
        }
        _require(needs.keys() == task.devices.keys(), "who needs devices has them", task)
        _count_devices(task, needs, used)
    for actor in tables.actors:
        _count_devices(actor, {name: n for name, n in actor.needs if name in actor.devices}, used)
    for name, devices in tables.resources.devices.items():
        for index, free in devices.free.items():
            _require(0 <= free <= UNITS, "nobody shares a whole device", (name, index, free))
            _require(
                UNITS - free == used[name, index],
                "devices are those of running tasks",
                (name, index, free, used[name, index]),
            )


def _count_devices(
    task: Task | Actor, needs: Mapping[str, int], used: Counter[tuple[str, int]]
) -> None:
    for name, units in needs.items():
        whole, part = divmod(units, UNITS)
        indices = task.devices[name]
        _require(len(indices) == whole + bool(part), "who needs devices has them", task)
        for place, index in enumerate(indices):
            used[name, index] += UNITS if place < whole else part


def _check_held(tables: Tables) -> None:
    for key, datum in tables.held.items():
        _require(datum.key == key, "a value stands under its key", datum)
        is_here = datum.want is None or datum.want.state in ON_DISK
        _require(is_here, "what is held is not wanted", datum)


def _check_actors(tables: Tables) -> None:
    for key, actor in tables.actors.by_key.items():
        datum = tables.held.get(key)
        is_held = datum is not None and datum.attempt == actor.attempt
        _require(actor.key == key and not actor.is_over, "an actor stands under its key", actor)
        _require(is_held, "what stands for an actor is held where it lives", actor)
        for caller, number in actor.running:
            _require(number <= actor.begun[caller], "what runs has begun", (actor, caller))
        numbers: dict[str, int] = {}
        for call in actor.calls:
            last = numbers.get(call.caller, actor.begun.get(call.caller, 0))
            _require(call.number > last, "calls of one caller are in order", (actor, call))
            numbers[call.caller] = call.number
        for caller, number in numbers.items():
            _require(number <= actor.taken[caller], "what waits was taken", (actor, caller))


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
        elif want.state in ON_DISK:
            _require(datum in tables.shelf.spilled, "what is on disk is known", datum)
        else:
            raise InvariantBroken(rule="what is wanted has a source", detail=repr(datum))
        if want.state is not WantState.FETCHING:
            wished = want.waiters or want.is_copy
            _require(wished, "what is wanted is wanted by somebody", datum)


def _check_copies(tables: Tables) -> None:
    for key, datum in tables.copies.items():
        _require(datum.key == key, "a copy stands under its key", datum)
        _require(
            tables.wanted.get((key, datum.attempt)) is datum,
            "what is to be copied is wanted",
            datum,
        )
        held = tables.held.get(key)
        _require(held is None or held.attempt < datum.attempt, "no older copy is asked for", datum)
    for datum in tables.wanted.values():
        is_copy = datum.want is not None and datum.want.is_copy
        _require(is_copy == (tables.copies.get(datum.key) is datum), "copies are known", datum)
        if tables.paused and is_copy and datum.want is not None:
            state = datum.want.state
            _require(state is not WantState.QUEUED, "who is short of memory copies nothing", datum)


def _fetch_count(tables: Tables, datum: Datum) -> int:
    return sum(fetch.data.count(datum) for fetch in tables.fetches.values())


def _check_fetches(tables: Tables) -> None:
    for address, fetch in tables.fetches.items():
        _require(fetch.address == address, "a fetch stands under its address", fetch)
        _require(fetch.data, "a fetch asks for something", fetch)
        for datum in fetch.data:
            state = None if datum.want is None else datum.want.state
            _require(
                state in (None, WantState.FETCHING, *ON_DISK),
                "what is being fetched is on its way, or came otherwise",
                datum,
            )
    nbytes = sum(fetch.nbytes for fetch in tables.fetches.values())
    _require(
        tables.fetching_nbytes == nbytes,
        "bytes on their way are counted",
        (tables.fetching_nbytes, nbytes),
    )
    _require(
        len(tables.fetches) <= 1 or nbytes <= tables.limits.in_flight_nbytes_max,
        "bytes on their way are limited",
        nbytes,
    )
    _require(
        len(tables.fetches) <= tables.limits.connections_max,
        "requests are limited",
        len(tables.fetches),
    )


def _check_backoff(tables: Tables) -> None:
    """Who rests is known, who is known is needed, and nobody waits without a reason."""
    resting = tables.backoff.resting
    for address in resting:
        _require(address in tables.backoff.peers, "who rests is known", address)
        _require(address not in tables.fetches, "who rests is not asked", address)
    for address in tables.backoff.peers:
        is_needed = address in tables.fetches or any(tables.queue.at(address))
        _require(address in resting or is_needed, "who is not needed is forgotten", address)
    if tables.fetches or tables.paused:
        return
    for datum in tables.wanted.values():
        want = datum.want
        if want is not None and want.state is WantState.QUEUED:
            _require(
                all(address in resting for address in want.holders),
                "what is queued waits for somebody",
                datum,
            )
