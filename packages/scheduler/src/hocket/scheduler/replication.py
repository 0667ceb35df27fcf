"""Replication: copies of values that no task asked for, from their beginning to their end.

What is wanted is a :class:`Goal`: a value on so many workers. Once per turn the goals are looked at
of which something changed; for each, copies are begun as far as there is room on the way. A goal
stands in its owner's queue while it has to wait for that, or waits for copies of its value that are
on their way; when one of those ends, however it does, the goal is looked at again. So nothing here
depends on what happened in which order, only on what is so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import KeysReplicated, RequestRefused
from hocket.scheduler.naming import choose_workers, enumerate_names, say_nobody
from hocket.scheduler.policy.replication import (
    Targets,
    can_try,
    choose_source,
    is_full,
    may_have,
    may_have_later,
)
from hocket.scheduler.state import STORED, Client, Goal, Task, Undertaking, Worker

if TYPE_CHECKING:
    from hocket.protocol.messages import CopiesFailed, ReplicateKeys
    from hocket.scheduler.tables import Tables

__all__ = ["Errand", "Replication", "drop_surplus"]

#: Beside the holder that is to give a value, so many others are named.
_OTHERS_MAX: Final = 3
#: So many goals of one owner that have to wait are looked at in one turn.
_MISSES_MAX: Final = 64


class Errand(Undertaking):
    """A client's request that needs copies; it is answered when its goals have ended.

    Parameters
    ----------
    client, request
        Whose it is; the client is None once it is gone.
    among
        The only workers that count; None: all.
    """

    __slots__ = ("client", "request")

    def __init__(
        self, client: Client, request: int, among: dict[Worker, None] | None = None
    ) -> None:
        super().__init__(among)
        self.client: Client | None = client
        self.request = request

    def answer(self, tables: Tables) -> None:
        """Answer the request: all goals have ended."""
        raise NotImplementedError


class Replication:
    """All copies that no task asked for."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        #: Requests that are not answered.
        self.errands: dict[Errand, None] = {}
        #: Undertakings that have goals to be looked at.
        self._due: dict[Undertaking, None] = {}

    # Events ---------------------------------------------------------------------------------

    def replicate(self, client: Client, message: ReplicateKeys) -> None:
        """Have values on so many workers."""
        workers = choose_workers(self._tables, message.workers)
        if not workers:
            client.outbox.add(RequestRefused(message.request, say_nobody(message.workers)))
        elif not self.refuse_more(client, message.request):
            among = dict.fromkeys(workers) if message.workers else None
            errand = _Replicating(client, message.request, message.keys, among)
            for key in dict.fromkeys(message.keys):
                task = self._tables.tasks.get(key)
                if task is not None and task.state is STORED:
                    self.add(Goal(errand, task, min(message.count, len(workers))))
            self.begin(errand)

    def refuse_more(self, client: Client, request: int) -> bool:
        """Refuse a request of a client that waits for too many already."""
        waits_max = self._tables.limits.waits_max
        if sum(1 for one in self.errands if one.client is client) < waits_max:
            return False
        text = f"{waits_max} requests of this client wait for copies already"
        client.outbox.add(RequestRefused(request, text))
        return True

    def begin(self, errand: Errand) -> None:
        """Take a request in whose goals were added."""
        self.errands[errand] = None
        self._due[errand] = None

    def failed(self, worker: Worker, message: CopiesFailed) -> None:
        """Take in that a worker could not get copies."""
        tables = self._tables
        for key, attempt in zip(message.keys, message.attempts, strict=True):
            task = tables.tasks.get(key)
            if task is None or worker.copies.get(task) != attempt:
                continue
            tables.copies.end(task, worker)
            for goal in tables.goals.get(task, ()):
                goal.failures[worker] = goal.failures.get(worker, 0) + 1
                goal.failures_count += 1

    def client_lost(self, client: Client) -> None:
        """Let go of a client's requests; what has begun of a move is ended."""
        for errand in [one for one in self.errands if one.client is client]:
            errand.client = None
            for goal in [one for one in errand.goals if not (one.is_begun and one.source)]:
                self._remove(goal)
            self._due[errand] = None

    # Goals ----------------------------------------------------------------------------------

    def add(self, goal: Goal) -> None:
        """Take in a goal."""
        owner = goal.owner
        owner.goals[goal] = None
        self._tables.goals.setdefault(goal.task, []).append(goal)
        self._enqueue(goal)

    def cancel(self, owner: Undertaking) -> None:
        """Let go of all goals of an undertaking; copies on their way come all the same."""
        for goal in list(owner.goals):
            self._remove(goal)
        owner.queue.clear()
        self._due.pop(owner, None)

    def turn(self) -> bool:
        """Begin the copies that there is room for; return whether a goal or a request ended."""
        tables = self._tables
        ended = tables.copies.ended
        if ended:
            for task in ended:
                for goal in tables.goals.get(task, ()):
                    self._enqueue(goal)
            ended.clear()
            # There is room on the way again.
            for owner in (*self.errands, *tables.drains.values()):
                if owner.queue:
                    self._due[owner] = None
        for drain in tables.drains.values():
            # Memory may have come free, and nobody says so.
            if drain.queue and drain.is_patient:
                self._due[drain] = None
        if not self._due:
            return False
        due = list(self._due)
        self._due.clear()
        is_news = False
        for owner in due:
            is_news |= self._advance(owner)
        return is_news

    def _enqueue(self, goal: Goal) -> None:
        if not goal.is_queued:
            goal.is_queued = True
            goal.owner.queue.append(goal)
        self._due[goal.owner] = None

    def _remove(self, goal: Goal) -> None:
        """Take a goal off the books."""
        del goal.owner.goals[goal]
        goals = self._tables.goals[goal.task]
        goals.remove(goal)
        if not goals:
            del self._tables.goals[goal.task]

    def _advance(self, owner: Undertaking) -> bool:
        """Look at an undertaking's goals; return whether one of them ended, or all is done."""
        tables = self._tables
        queue = owner.queue
        targets: Targets | None = None
        goals_count = len(owner.goals)
        misses_count = 0
        for _ in range(len(queue)):
            if misses_count >= _MISSES_MAX:
                break
            goal = queue.popleft()
            if goal not in owner.goals:
                continue
            if targets is None:
                workers = tables.workers.values() if owner.among is None else owner.among
                targets = Targets(tables, workers)
            if self._pursue(goal, targets):
                goal.is_queued = False
            else:
                queue.append(goal)
                misses_count += 1
        if not owner.goals and isinstance(owner, Errand) and owner in self.errands:
            del self.errands[owner]
            if owner.client is not None:
                owner.answer(tables)
            return True
        return len(owner.goals) < goals_count

    def _pursue(self, goal: Goal, targets: Targets) -> bool:
        """Begin copies for a goal, or end it; return False if it has to wait for room on the way.

        (If it waits for copies on their way, their end brings it back.)
        """
        tables = self._tables
        task = goal.task
        if task.state is not STORED or task.attempt != goal.attempt:
            self._end(goal, "the value is gone")
            return True
        present_count, coming_count = self._count(goal)
        if present_count >= goal.count:
            self._end(goal, "")
            return True
        while present_count + coming_count < goal.count:
            target, is_busy = self._choose_target(goal, targets)
            source = None if target is None else choose_source(tables, task)
            if target is None or source is None:
                if target is None and not is_busy and not coming_count:
                    if may_have_later(tables, goal):
                        return False
                    self._end(goal, _obstacle(goal))
                    return True
                return not is_busy and target is None
            others = [one for one in task.latest_holders(_OTHERS_MAX + 1) if one is not source]
            holders = [source, *others[:_OTHERS_MAX]]
            tables.copies.begin(task, source, target)
            target.outbox.copy(task, [one.address for one in holders])
            goal.is_begun = True
            coming_count += 1
        return True

    def _choose_target(self, goal: Goal, targets: Targets) -> tuple[Worker | None, bool]:
        """Choose who is to have the next copy; None and whether there will be somebody later."""
        planned = goal.target
        if planned is None:
            return targets.find(goal)
        tables = self._tables
        if can_try(goal) and planned not in goal.failures and may_have(tables, goal, planned):
            if is_full(tables, goal.task, planned):
                return None, True
            return planned, False
        found, is_busy = targets.find(goal)
        if found is not None:
            goal.target = found
        return found, is_busy

    def _count(self, goal: Goal) -> tuple[int, int]:
        """Return on how many of the workers that count a value is, and to how many it comes.

        Workers that are to end do not count.
        """
        task = goal.task
        coming = self._tables.copies.by_task.get(task, {})
        if goal.target is not None:
            target = goal.target
            is_present = task.is_held_by(target) and not target.leaving
            return int(is_present), int(target in coming)
        among = goal.owner.among
        if among is not None:
            present = [one for one in among if task.is_held_by(one) and not one.leaving]
            coming_count = sum(1 for one in coming if one in among and not task.is_held_by(one))
            return len(present), coming_count
        leaving_count = sum(1 for one in self._tables.drains if task.is_held_by(one))
        coming_count = sum(1 for one in coming if not task.is_held_by(one))
        return task.holders_count - leaving_count, coming_count

    def _end(self, goal: Goal, obstacle: str) -> None:
        self._remove(goal)
        goal.owner.ended(goal, obstacle)


class _Replicating(Errand):
    """One ``ReplicateKeys``."""

    __slots__ = ("keys",)

    def __init__(
        self, client: Client, request: int, keys: list[str], among: dict[Worker, None] | None
    ) -> None:
        super().__init__(client, request, among)
        self.keys = keys

    def ended(self, goal: Goal, obstacle: str) -> None:
        """Take note that a goal ended; what was reached is counted when all have."""

    def answer(self, tables: Tables) -> None:
        """Answer on how many workers the values are."""
        assert self.client is not None
        counts = []
        for key in self.keys:
            task = tables.tasks.get(key)
            if task is None or task.state is not STORED:
                counts.append(0)
            elif self.among is None:
                counts.append(task.holders_count)
            else:
                counts.append(sum(1 for one in self.among if task.is_held_by(one)))
        self.client.outbox.add(KeysReplicated(self.request, counts), 8 * len(counts))


def drop_surplus(tables: Tables, task: Task, worker: Worker) -> bool:
    """Let a worker drop its copy of a value that another one holds, which stays.

    Returns
    -------
    bool
        False if it keeps its copy: nobody else holds the value who is not to end.
    """
    if not task.is_held_by(worker):
        return True
    if task in worker.actors:
        return False
    leaving_count = sum(1 for one in tables.drains if one is not worker and task.is_held_by(one))
    if task.holders_count - leaving_count < 2:
        return False
    tables.unhold(task, worker)
    tables.copies.doubt(task, worker)
    worker.outbox.drop(task.key, task.attempt)
    return True


def _obstacle(goal: Goal) -> str:
    """Say why no more copies can be made for a goal."""
    key, nbytes = goal.task.key, goal.task.nbytes
    if goal.failures:
        names = enumerate_names([worker.name for worker in goal.failures])
        return f"{key!r} could not be copied to {names}"
    return f"no other worker could take {key!r} ({nbytes} bytes)"
