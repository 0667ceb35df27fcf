"""What must hold of the scheduler's tables between events. Slow, total, and named."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import THREADS
from hocket.scheduler.actors import actors_of
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    FORGOTTEN,
    QUEUED,
    RECALLED,
    RELEASED,
    STORED,
    UNFINISHED,
    WAITING,
    Task,
    Worker,
)
from hocket.scheduler.state.worker import ENDLESS_S

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["check"]


def check(tables: Tables) -> None:
    """Raise InvariantBroken, naming rule and record, if the tables contradict themselves."""
    queued = {
        id(task)
        for signature, queue in tables.queues.items()
        for _, task in queue.entries
        if task.queue_signature == signature
    }
    for key, task in tables.tasks.items():
        _demand(task.key == key, "a task is filed under its key", key)
        _check_task(tables, task, queued)
    _check_counts(tables)
    _check_queues(tables)
    for worker in tables.workers.values():
        _check_worker(tables, worker)
    mortal_count = sum(worker.life_s < ENDLESS_S for worker in tables.workers.values())
    _demand(mortal_count == tables.mortal_count, "workers with an end are counted", mortal_count)
    limited_count = sum(1 for worker in tables.workers.values() if worker.memory_limit)
    _demand(limited_count == tables.limited_count, "limited workers are counted", limited_count)
    gpus_count = sum(worker.has_gpus for worker in tables.workers.values())
    _demand(gpus_count == tables.gpu_workers_count, "workers with GPUs are counted", gpus_count)
    threads_count = sum(worker.threads for worker in tables.workers.values())
    _demand(threads_count == tables.threads_count, "threads are counted", tables.threads_count)
    _check_copies(tables)
    _check_arrivals(tables)
    _check_actors(tables)
    _check_goals(tables)
    for client in (*tables.clients.values(), *tables.keepers):
        for task in client.wanted:
            _demand(client in task.clients(), "a wanted task knows its client", task)
            _demand(tables.tasks.get(task.key) is task, "a wanted task is in the tables", task)


def _check_worker(tables: Tables, worker: Worker) -> None:
    for task in worker.assigned:
        _demand(task.worker is worker, "an assigned task knows its worker", task)
        _demand(tables.tasks.get(task.key) is task, "an assigned task is in the tables", task)
    total_s = sum(worker.assigned.values())
    close = abs(total_s - worker.occupancy_s) <= 1e-6 * max(1.0, abs(total_s))
    _demand(close, "occupancy is the sum over assigned tasks", worker)
    for some in (worker.begun, worker.seceded, worker.promised):
        for task in some:
            _demand(task in worker.assigned, "only assigned tasks are running", (worker, task))
    for task in worker.seceded:
        _demand(task in worker.begun, "who seceded had begun", task)
    present = {task.attempt for task in worker.assigned}
    _demand(present.isdisjoint(worker.stopping), "what is needed is not interrupted", worker)
    _demand(worker.stuck.keys() <= worker.stopping.keys(), "what is stuck was cancelled", worker)
    promised = sum(worker.promised.values())
    _demand(promised == worker.promised_nbytes, "promised bytes are counted", worker)
    executors = Counter(
        task.options.executor
        for task in worker.assigned
        if task.options.executor != THREADS and task not in worker.seceded
    )
    _demand(dict(executors) == worker.counts, "tasks of other executors are counted", worker)
    _check_reserved(worker)
    for task in worker.held:
        _demand(task.is_held_by(worker), "a held task knows its holder", task)
    nbytes = sum(task.nbytes for task in worker.held)
    _demand(nbytes == worker.held_nbytes, "held bytes are the sum over held tasks", worker)
    for task in worker.kept:
        _demand(task in worker.held, "what is kept is held", (worker, task))
    kept_nbytes = sum(task.nbytes for task in worker.kept)
    _demand(kept_nbytes == worker.kept_nbytes, "kept bytes are the sum over kept tasks", worker)
    is_idle = len(worker.assigned) == len(worker.seceded)
    _demand((worker in tables.idle) == is_idle, "idle workers are known", worker)
    is_loaded = len(worker.assigned) > worker.threads
    _demand((worker in tables.loaded) == is_loaded, "loaded workers are known", worker)
    followers_count = sum(
        1 for task in worker.assigned if task.missing_count and task not in worker.seceded
    )
    _demand(followers_count == worker.followers_count, "followers are counted", worker)
    if worker not in tables.changed:
        is_hungry = worker.free_threads_count > 0
        _demand((worker in tables.hungry) == is_hungry, "hungry workers are known", worker)
        is_open = worker in tables.open
        has_room = tables.has_room(worker)
        _demand(is_open == has_room, "open workers are those with room", worker)
        is_ajar = not has_room and not worker.is_paused and tables.has_room(worker, 2)
        _demand((worker in tables.ajar) == is_ajar, "ajar workers are nearly full", worker)


def _check_reserved(worker: Worker) -> None:
    reserved: dict[str, float] = {}
    for task in worker.assigned:
        for name, amount in task.options.resources.items():
            reserved[name] = reserved.get(name, 0.0) + amount
    withheld: dict[str, float] = {}
    for task in actors_of(worker):
        for name, amount in task.options.resources.items():
            reserved[name] = reserved.get(name, 0.0) + amount
    for task in (*worker.seceded, *actors_of(worker)):
        for name, amount in task.options.resources.items():
            withheld[name] = withheld.get(name, 0.0) + amount
    _demand(withheld == worker.withheld, "what is withheld is a recount", worker)
    for name, (amount, amount_s) in worker.reserved.items():
        expected = reserved.get(name, 0.0)
        close = abs(amount - expected) <= 1e-6 * max(1.0, expected)
        _demand(close and amount_s >= 0, "committed resources are a recount", (worker, name))
    _demand(reserved.keys() <= worker.reserved.keys(), "committed resources are known", worker)


def _check_actors(tables: Tables) -> None:
    for worker in tables.workers.values():
        for task in worker.actors:
            is_coming = task in worker.assigned
            lives_here = task in tables.actors and tables.actors[task].home is worker
            _demand(is_coming or lives_here, "a worker's actors live there", (worker, task))
    for task, actor in tables.actors.items():
        _demand(tables.tasks.get(task.key) is task, "an actor is in the tables", task)
        lives = actor.home is not None
        _demand(lives == (task.state is STORED), "an actor that is stored lives somewhere", task)
        if actor.home is not None:
            _demand(task in actor.home.actors, "a home knows its actors", task)
            _demand(task.is_held_by(actor.home), "an actor is held where it lives", task)
        else:
            _demand(actor.state is not None, "only what was saved is restarted", task)


def _check_arrivals(tables: Tables) -> None:
    coming: Counter[Worker] = Counter()
    for source, targets in tables.arrivals.by_source.items():
        _demand(targets, "who expects a value is known", source)
        for worker, (count, nbytes) in targets.items():
            readers_count = sum(1 for one in worker.assigned if source in one.dependencies)
            _demand(0 < count <= readers_count, "arrivals have readers", (source, worker))
            _demand(not source.is_held_by(worker), "what has arrived is not expected", source)
            coming[worker] += nbytes
    for worker in tables.workers.values():
        _demand(coming[worker] == worker.coming_nbytes, "bytes to fetch are counted", worker)


def _check_copies(tables: Tables) -> None:
    copies = tables.copies
    by_target = {(task, one) for task, targets in copies.by_task.items() for one in targets}
    known = {(task, one) for one in tables.workers.values() for task in one.copies}
    _demand(by_target == known, "copies on their way are known by task and by target", known)
    incoming: Counter[Worker] = Counter()
    outgoing: Counter[Worker] = Counter()
    for task, targets in copies.by_task.items():
        _demand(task.state is STORED, "only what is stored is copied", task)
        for target, copy in targets.items():
            is_present = target.copies[task] == task.attempt
            _demand(is_present, "the value is copied that is stored", (task, target))
            _demand(not target.leaving, "nothing is copied to who is to end", (task, target))
            incoming[target] += copy.nbytes
            if tables.workers.get(copy.source.id) is copy.source:
                outgoing[copy.source] += copy.nbytes
    _demand(incoming == copies.incoming, "bytes that come are counted", copies.incoming)
    _demand(outgoing == copies.outgoing, "bytes that go are counted", copies.outgoing)
    for task in copies.doubtful:
        _demand(task.state is STORED, "only copies of what is stored are doubtful", task)


def _check_goals(tables: Tables) -> None:
    owners = {goal.owner: None for goals in tables.goals.values() for goal in goals}
    queued = Counter(goal for owner in owners for goal in owner.queue)
    for task, goals in tables.goals.items():
        _demand(goals, "a value without goals is not among those that have some", task)
        for goal in goals:
            _demand(goal.task is task, "a goal is filed under its task", goal)
            _demand(goal in goal.owner.goals, "a goal's owner knows it", goal)
            is_looked_at = goal.is_queued or task in tables.copies.ended
            is_coming = task in tables.copies.by_task
            _demand(is_looked_at or is_coming, "a goal is looked at or waits for copies", goal)
            _demand(queued[goal] == goal.is_queued, "a goal is queued once", goal)
    goals_count = sum(len(owner.goals) for owner in owners)
    counted = sum(len(goals) for goals in tables.goals.values())
    _demand(goals_count == counted, "an owner's goals are filed", owners)
    for worker, drain in tables.drains.items():
        _demand(tables.workers.get(worker.id) is worker, "who drains is there", worker)
        _demand(drain.worker is worker, "a drain is filed under its worker", worker)
        _demand(not drain.has_left or not drain.goals, "who may leave has no goals", worker)
        _demand(not drain.has_left or not worker.assigned, "who may leave has no tasks", worker)
    for worker in tables.workers.values():
        _demand(bool(worker.leaving) == (worker in tables.drains), "who leaves drains", worker)


def _check_queues(tables: Tables) -> None:
    queued = Counter(
        task.queue_signature
        for task in tables.tasks.values()
        if task.state is QUEUED and task not in tables.resting
    )
    for task in tables.resting:
        _demand(task.state is QUEUED, "only queued tasks rest", task)
        _demand(tables.tasks.get(task.key) is task, "a resting task is in the tables", task)
    for signature, queue in tables.queues.items():
        _demand(queue.live_count == queued[signature], "queued tasks are counted", queue)
        is_plain = signature in ((), ("root",))
        _demand(bool(queue.live_count) or is_plain, "an empty queue is dropped", queue)
        stale_count = len(queue.entries) - queue.live_count
        _demand(stale_count <= queue.live_count + 64, "a queue is swept", queue)
    remembered = (tables.recalls, tables.deaths, tables.suspicions, tables.returns, tables.broken)
    for key in chain.from_iterable(remembered):
        _demand(key in tables.tasks, "only tasks that are there are remembered", key)
    for index in (tables.workers_by_name, tables.workers_by_address):
        _demand(len(index) == len(tables.workers), "workers are found by name and address", index)


def _check_task(tables: Tables, task: Task, queued: set[int]) -> None:
    state = task.state
    _demand(state is not FORGOTTEN, "a forgotten task is not in the tables", task)
    on_worker = state in (ASSIGNED, RECALLED)
    _demand((task.worker is not None) == on_worker, "only assigned tasks have a worker", task)
    if task.worker is not None:
        _demand(task in task.worker.assigned, "a worker knows its tasks", task)
        _demand(tables.workers.get(task.worker.id) is task.worker, "the worker is there", task)
    _demand((task.holders is not None) == (state is STORED), "only stored tasks are held", task)
    for worker in task.holding_workers():
        _demand(task in worker.held, "a holder knows what it holds", task)
        _demand(tables.workers.get(worker.id) is worker, "the holder is there", task)
    _demand(
        (task.failure is not None) == (state is FAILED), "only failed tasks have failures", task
    )
    if state in UNFINISHED:
        missing = sum(1 for one in task.dependencies if one.state is not STORED)
        _demand(missing == task.missing_count, "missing inputs are counted", task)
        if state is WAITING:
            _demand(missing, "a waiting task waits for an input", task)
        elif state is QUEUED:
            _demand(missing == 0, "a queued task has its inputs", task)
            is_there = id(task) in queued or task in tables.resting
            _demand(is_there, "a queued task is in a queue, or rests", task)
    if state in UNFINISHED:
        _demand(task.is_needed(), "an unfinished task is needed", task)
        for source in task.dependencies:
            _demand(
                source.state in UNFINISHED or source.state is STORED,
                "inputs of an unfinished task are stored or on their way",
                (task, source),
            )
    if state in (STORED, FAILED):
        _demand(task.is_needed(), "a stored or failed task is needed", task)
    if state is RELEASED:
        _demand(not task.is_needed(), "a released task is not needed", task)
        _demand(task.dependents_count > 0, "a released task has dependents", task)
    for client in task.clients():
        is_there = tables.clients.get(client.id) is client or client in tables.keepers
        _demand(is_there, "the client is there", task)
        _demand(task in client.wanted, "a client knows its wishes", task)
    for source in task.dependencies:
        _demand(tables.tasks.get(source.key) is source, "dependencies are in the tables", task)
        _demand(task in (source.dependents or ()), "a dependency knows its dependents", task)


def _check_counts(tables: Tables) -> None:
    needed_by: Counter[int] = Counter()
    dependents: Counter[int] = Counter()
    kinds: Counter[bytes] = Counter()
    assigned: Counter[bytes] = Counter()
    for task in tables.tasks.values():
        if task.kind is not None:
            kinds[task.kind.digest] += 1
            worker = task.worker
            assigned[task.kind.digest] += worker is not None and task not in worker.seceded
        for source in task.dependencies:
            dependents[id(source)] += 1
            if task.state in UNFINISHED:
                needed_by[id(source)] += 1
    for task in tables.tasks.values():
        _demand(needed_by[id(task)] == task.needed_by_count, "needed_by is a recount", task)
        _demand(dependents[id(task)] == task.dependents_count, "dependents are counted", task)
    for digest, kind in tables.kinds.items():
        _demand(kinds[digest] == kind.tasks_count, "tasks of a class are counted", kind)
        _demand(assigned[digest] == kind.assigned_count, "assigned ones are counted", kind)
        _demand(bool(kind.tasks_count or kind.pinned_by), "a class is used or pinned", kind)


def _demand(holds: object, rule: str, detail: object) -> None:
    if not holds:
        raise InvariantBroken(rule=rule, detail=repr(detail))
