"""What must hold of coordination between events. Slow, total, and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hocket.core.errors import InvariantBroken

if TYPE_CHECKING:
    from hocket.scheduler.coordination.desk import Coordination
    from hocket.scheduler.coordination.parcels import Parcel
    from hocket.scheduler.coordination.register import Wish

__all__ = ["check", "check_attempts"]


def check(coordination: Coordination) -> None:
    """Raise InvariantBroken, naming rule and record, if the rooms contradict themselves."""
    register = coordination.register
    waiting: list[Wish] = []
    _check_grants(coordination)
    for name, lock in coordination.locks.records.items():
        waiting += lock.line
        if lock.grant is None:
            _demand(lock.line, "a lock that says nothing is dropped", name)
            head = next(iter(lock.line))
            free = [one for one in head.names if _is_free(coordination, head, one)]
            _demand(len(free) < head.count, "nobody waits for a lock that is free", head)
    for name, semaphore in coordination.semaphores.records.items():
        waiting += semaphore.line
        line = list(semaphore.line)
        _demand(semaphore.used_count or line, "a semaphore that says nothing is dropped", name)
        if line:
            is_free = semaphore.used_count + line[0].count <= semaphore.limit
            _demand(not is_free, "nobody waits for leases that are free", line[0])
    for name, event in coordination.events.records.items():
        waiting += event.waiting
        _demand(event.is_set or event.waiting, "an event that says nothing is dropped", name)
        _demand(not (event.is_set and event.waiting), "nobody waits for a set event", name)
    for name, barrier in coordination.barriers.records.items():
        waiting += barrier.waiting
        _demand(barrier.broken or barrier.waiting, "an idle barrier is dropped", name)
        _demand(not (barrier.broken and barrier.waiting), "nobody waits at a broken one", name)
        is_full = bool(barrier.waiting) and len(barrier.waiting) >= barrier.parties
        _demand(not is_full, "nobody waits when all are there", name)
    waiting += _check_values(coordination)
    filed = [one for entries in register.wishes.by_client.values() for one in entries]
    _demand(len(filed) == len({id(one) for one in filed}), "wishes are filed once", filed)
    _demand(
        {id(one) for one in filed} == {id(one) for one in waiting},
        "who is filed waits, and who waits is filed",
        (filed, waiting),
    )
    for wish in filed:
        _demand(register.is_waiting(wish), "a wish is found by its number", wish)
    watched = {*register.wishes.by_task, *register.held.by_task}
    _demand(register.tasks.watched == watched, "tasks that wait or hold are watched", watched)


def check_attempts(coordination: Coordination) -> None:
    """Raise InvariantBroken if, after a turn, something is left of an attempt that is over."""
    register = coordination.register
    for ledger in (register.wishes.by_task, register.held.by_task):
        for entries in ledger.values():
            for entry in entries:
                task = entry.task
                is_running = task is not None and register.tasks.is_running(*task)
                _demand(is_running, "what waits or holds for a task is of one that runs", entry)


def _is_free(coordination: Coordination, wish: Wish, name: str) -> bool:
    lock = coordination.locks.records[name]
    return lock.grant is None and next(iter(lock.line)) is wish


def _check_grants(coordination: Coordination) -> None:
    register = coordination.register
    grants = register.grants
    filed = {one.token for entries in register.held.by_client.values() for one in entries}
    _demand(filed == grants.keys(), "grants are filed by client", filed)
    used: Counter[str] = Counter()
    held: list[str] = []
    for token, grant in grants.items():
        _demand(grant.token == token <= register.token, "tokens grow", grant)
        if grant.room is coordination.semaphores:
            used[grant.names[0]] += grant.count
        else:
            held += grant.names
            for name in grant.names:
                lock = coordination.locks.records.get(name)
                _demand(lock and lock.grant is grant, "a lock knows who holds it", grant)
    _demand(len(held) == len(set(held)), "no lock is held twice", held)
    for name, lock in coordination.locks.records.items():
        token = 0 if lock.grant is None else lock.grant.token
        _demand(not token or token in grants, "who holds a lock has a grant", (name, token))
    for name, semaphore in coordination.semaphores.records.items():
        _demand(semaphore.used_count == used.pop(name, 0), "leases are counted", name)
        _demand(semaphore.used_count <= semaphore.limit, "no more leases than there are", name)
    _demand(not used, "leases are of semaphores that are there", used)


def _check_values(coordination: Coordination) -> list[Wish]:
    """Check queues, variables and what lies in them; return who waits there."""
    parcels = coordination.parcels
    waiting: list[Wish] = []
    places: list[Parcel] = []
    for name, variable in coordination.variables.records.items():
        waiting += variable.waiting
        is_set = variable.parcel is not None
        _demand(is_set or variable.waiting, "a variable that says nothing is dropped", name)
        _demand(not (is_set and variable.waiting), "nobody waits for a value that is there", name)
        if variable.parcel is not None:
            places.append(variable.parcel)
    for name, queue in coordination.queues.records.items():
        waiting += queue.putting
        waiting += queue.taking
        places += queue.items
        places += [wish.parcel for wish in queue.putting]
        says = queue.items or queue.capacity or queue.putting or queue.taking
        _demand(says, "a queue that says nothing is dropped", name)
        room_count = queue.capacity or coordination.register.limits.items_max
        is_full = len(queue.items) >= room_count
        _demand(is_full or not queue.putting, "nobody waits for room that is there", name)
        for taker in list(queue.taking)[:1]:
            has_enough = len(queue.items) >= taker.count_min
            _demand(not has_enough, "nobody waits for values that are there", taker)
    for lents in parcels.lent.values():
        _demand(lents, "only those are noted to whom something is lent", lents)
        for lent in lents.values():
            places += lent.parcels
    _check_places(coordination, places)
    return waiting


def _check_places(coordination: Coordination, places: Iterable[Parcel]) -> None:
    parcels = coordination.parcels
    counts: Counter[int] = Counter()
    by_id: dict[int, Parcel] = {}
    for parcel in places:
        counts[id(parcel)] += 1
        by_id[id(parcel)] = parcel
    for identity, parcel in by_id.items():
        is_true = parcel.holders_count == counts[identity]
        _demand(is_true, "a parcel's places are counted", parcel.keys)
    pins = Counter(key for parcel in by_id.values() for key in parcel.keys)
    _demand(pins == parcels.pins, "keys are kept for the values that are there", pins)
    nbytes = sum(parcel.nbytes for parcel in by_id.values())
    _demand(nbytes == parcels.nbytes, "the bytes of values are counted", nbytes)


def _demand(holds: object, rule: str, detail: object) -> None:
    if not holds:
        raise InvariantBroken(rule=rule, detail=repr(detail))
