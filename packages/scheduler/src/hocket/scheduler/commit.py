"""Committing: queued tasks go to workers ahead of their threads, as far as the windows allow.

The window of a worker is measured in seconds of expected work, so that cheap tasks travel by the
thousand and hide the round trip, while a few long ones stay in the queue, where they can still go
to whoever is free first. Near the end of a queue no worker takes more than its share of what is
left. Where all windows are full, a task that matters more than what was committed goes all the
same, into a second window: it is not to wait for those.

Along with a task go those that need nothing but what its worker was given already: the next links
of a chain, the sum of its siblings. So they need no round trip of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush, heapreplace
from math import sqrt
from sys import maxsize
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import ACTORS, THREADS
from hocket.scheduler.policy.homes import choose_home
from hocket.scheduler.policy.lifetimes import length_of, outlasts
from hocket.scheduler.policy.memory import is_probed, may_add
from hocket.scheduler.policy.placement import PLACEMENTS
from hocket.scheduler.policy.placement.transfer import LATENCY_S, transfer_s
from hocket.scheduler.policy.sparing import has_kinds, is_plain, is_spare
from hocket.scheduler.state import (
    ASSIGNED,
    STORED,
    WAITING,
    Options,
    Queue,
    Task,
    TaskClass,
    Worker,
)
from hocket.scheduler.state.worker import BANDWIDTH_NBYTES_PER_S, NOTEWORTHY_NBYTES
from hocket.scheduler.transitions import to_assigned

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["commit"]

#: Tasks with more inputs are not looked at for company: that would be quadratic.
_INPUTS_MAX: Final = 8
#: Of the tasks that read one value, so many go along with it; more are better spread.
_FOLLOWERS_MAX: Final = 2
#: Moving what is missing may cost a follower so much beside the round trip that it saves.
_FOLLOWING_S_MAX: Final = 4 * LATENCY_S

#: What a frame to a worker costs the scheduler, and the least that a task is taken to need.
_FRAME_S: Final = 15e-6
_DURATION_S_MIN: Final = 1e-6

#: So many tasks that wait for memory are passed over in one turn, and so many that wait for who
#: lasts longer are put among their like.
_HELD_MAX: Final = 64
_SORTED_MAX: Final = 1000
#: Of the workers that fit a task with demands so many are looked at, the least loaded ones.
_LOOKED_AT_MAX: Final = 64

#: ``(load in seconds, worker id, worker)``
Entry = tuple[float, int, Worker]


class _Line:
    """A queue during one turn, and how a worker is found for its tasks."""

    __slots__ = ("fitting", "is_root", "loads", "queue", "signature")

    def __init__(self, tables: Tables, signature: tuple[object, ...], queue: Queue) -> None:
        self.signature = signature
        self.queue = queue
        self.is_root = signature[:1] == ("root",)
        #: The workers that may run its tasks; None: all.
        self.fitting: dict[Worker, None] | None = None
        #: Of those the ones with room, a heap. Made when it is the queue's turn.
        self.loads: list[Entry] | None = None
        if queue.options.signature:
            self.fitting = tables.fitting(queue.options)

    def idlest(
        self, tables: Tables, share_count: int, is_fit: Callable[[Worker], bool] | None
    ) -> Worker | None:
        """Return the least loaded worker with room, with less than its share, that is fit."""

        def is_right(worker: Worker) -> bool:
            return worker.tasks_count < share_count * worker.threads and (
                is_fit is None or is_fit(worker)
            )

        if self.fitting is not None:
            if self.queue.options.executor != THREADS:
                # (Their slots are not threads, of which each has a share.)
                return self._idlest_fitting(tables, self.fitting, is_fit)
            return self._idlest_fitting(tables, self.fitting, is_right)
        worker = tables.open.idlest(tables.now_s)
        if worker is None or is_right(worker):
            return worker
        return tables.open.idlest(tables.now_s, is_right)

    def _idlest_fitting(
        self,
        tables: Tables,
        fitting: dict[Worker, None],
        is_right: Callable[[Worker], bool] | None,
    ) -> Worker | None:
        options, now_s = self.queue.options, tables.now_s
        loads = self.loads
        if loads is None:
            members = tables.open.members
            if options.executor == THREADS and len(members) < len(fitting):
                some = [one for one in members if one in fitting]
            else:
                some = list(fitting)
            loads = self.loads = [
                (one.load_for_s(options, now_s), one.id, one)
                for one in some
                if tables.has_room_for(one, options)
            ]
            heapify(loads)
        aside: list[Entry] = []
        found = None
        while loads and len(aside) < _LOOKED_AT_MAX:
            load_s, id_, worker = loads[0]
            if not tables.has_room_for(worker, options):
                heappop(loads)
                continue
            present_s = worker.load_for_s(options, now_s)
            if present_s != load_s:
                heapreplace(loads, (present_s, id_, worker))
            elif is_right is None or is_right(worker):
                found = worker
                break
            else:
                aside.append(heappop(loads))
        for entry in aside:
            heappush(loads, entry)
        return found


def commit(tables: Tables) -> None:
    """Assign queued tasks, lowest priority number first, while workers have room for them."""
    tables.refresh_rosters()
    lines = [
        (queue.head()[0], number, _Line(tables, signature, queue))
        for number, (signature, queue) in enumerate(tables.queues.items())
        if queue.live_count
    ]
    if not lines:
        return
    heapify(lines)
    drain = _Drain(tables)
    while lines:
        _, number, line = lines[0]
        # Tasks of one queue are assigned in a row until another queue's head comes first.
        bound = min((other[0] for other in lines[1:3]), default=None)
        if drain.run(line, bound):
            heapreplace(lines, (line.queue.head()[0], number, line))
        else:
            heappop(lines)
            tables.drop_empty_queue(line.signature)


class _Drain:
    """Takes tasks from queues and gives them to workers."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._place = PLACEMENTS[tables.limits.placement]
        self._is_limited = bool(tables.limited_count)
        self._may_spare = has_kinds(tables)
        self._is_mortal = bool(tables.mortal_count)
        #: Of the present queue: kinds of tasks for which no worker with room lasts long enough.
        self._long_kinds: set[TaskClass | None] = set()
        #: Tasks that were put among their like in this turn; what they had for options, and have.
        self._sorted_count = 0
        self._sorted: tuple[Options, Options] | None = None

    def run(self, line: _Line, bound: int | None) -> bool:
        """Assign from one queue up to a priority; return False if that was all for this turn."""
        tables = self._tables
        queue = line.queue
        entries = queue.entries
        live_count = queue.live_count
        tasks_min = tables.limits.window_tasks_min
        share_threads_count = 2 * max(1, tables.threads_count)
        is_eager = tables.limits.is_eager
        open_workers = tables.open.members
        is_passed = False
        worker: Worker | None = None
        kind: TaskClass | None = None
        #: So many of the next tasks, if they are of this kind, go to the same worker.
        rest_count = 0
        #: What waits for memory, and its kinds; others behind it may go.
        held: list[tuple[int, Task]] = []
        held_kinds: set[TaskClass | None] = set()
        self._long_kinds.clear()
        while live_count > len(held):
            priority, task = entries[0]
            if not queue.is_live(task):
                heappop(entries)
                continue
            if bound is not None and priority > bound:
                is_passed = True
                break
            if rest_count and task.kind is kind and worker in open_workers:
                rest_count -= 1
            elif task.kind in held_kinds or task.kind in self._long_kinds:
                worker = None
            else:
                share_count = maxsize if is_eager else live_count // share_threads_count
                share_count = max(tasks_min, share_count)
                worker = self._worker(line, task, share_count)
                kind = task.kind
                rest_count = self._grain(line, kind, live_count) - 1
            if worker is None:
                if self._is_mortal and self._sort(line, task, share_count):
                    heappop(entries)
                    live_count -= 1
                    continue
                if len(held) >= _HELD_MAX or not self._waits_for_memory(line, task):
                    break
                held.append(heappop(entries))
                held_kinds.add(task.kind)
                continue
            heappop(entries)
            live_count -= 1
            to_assigned(tables, task, worker)
            if task.dependents is not None:
                self._bring_followers(task, worker)
        queue.leave(live_count, held)
        return is_passed and not held

    def _sort(self, line: _Line, task: Task, share_count: int) -> bool:
        """Have a task stand among its like, if it is too long for all workers with room.

        Returns False if that is not what keeps it, or it stands there already.
        """
        tables = self._tables
        options, kind = task.options, task.kind
        if self._sorted_count >= _SORTED_MAX or options.executor == ACTORS:
            return False
        if kind not in self._long_kinds:
            if line.idlest(tables, share_count, self._memory_test(line, task)) is None:
                return False
            if not options.ran_s:
                self._long_kinds.add(kind)
        length = length_of(tables, task)
        if length == options.length:
            return False
        known = self._sorted
        if known is None or known[0] is not options or known[1].length != length:
            known = self._sorted = (options, options.of_length(length))
        task.options = known[1]
        tables.put(task)
        self._sorted_count += 1
        return True

    def _waits_for_memory(self, line: _Line, task: Task) -> bool:
        """Tell whether a task that got no worker may have got one if it made less data."""
        tables = self._tables
        return (
            line.is_root
            and self._is_limited
            and bool(tables.open)
            and tables.expected_nbytes(task) >= NOTEWORTHY_NBYTES
        )

    def _grain(self, line: _Line, kind: TaskClass | None, live_count: int) -> int:
        """Return how many tasks of a kind one worker is given in a row, at least.

        With n tasks of d seconds on k workers, to each of which a frame costs f, all is done after
        n d / k + f k seconds: the least for k = sqrt(n d / f), which are n / k tasks for each.
        """
        if kind is None or not kind.measured_count:
            return 1
        if self._is_limited and kind.nbytes >= NOTEWORTHY_NBYTES:
            return 1
        if not line.is_root or line.fitting is not None:
            return 1
        if self._is_mortal and kind.duration_s >= self._tables.limits.long_s:
            return 1
        duration_s = max(kind.duration_s, _DURATION_S_MIN)
        return max(1, int(sqrt(live_count * _FRAME_S / duration_s)))

    def _worker(self, line: _Line, task: Task, share_count: int) -> Worker | None:
        """Choose a worker for a task; None: it is to wait."""
        tables = self._tables
        if task.options.executor == ACTORS:
            return choose_home(tables, task)
        is_fit = None
        if self._is_limited or self._is_mortal:
            is_fit = self._fitness_test(line, task)
        worker = line.idlest(tables, share_count, is_fit)
        if self._may_spare and worker is not None and worker.has_gpus and is_plain(task.options):
            worker = self._other(line, share_count, is_fit) or worker
        if line.is_root and worker is not None:
            if is_probed(tables, task) and not worker.free_threads_count:
                worker = None
            elif task.dependents is not None:
                return self._beside_siblings(task, worker, line.fitting)
        if worker is None:
            return self._out_of_turn(line, task)
        if task.dependencies:
            chosen = self._place(tables, task, worker, line.fitting)
            return worker if self._is_mortal and not outlasts(tables, chosen, task) else chosen
        return worker

    def _other(
        self, line: _Line, share_count: int, is_fit: Callable[[Worker], bool] | None
    ) -> Worker | None:
        """Choose a worker that spares one with GPUs a task; None: there is none to spare."""
        other = line.idlest(
            self._tables, share_count, lambda one: is_spare(one) and (is_fit is None or is_fit(one))
        )
        # (What is free now only becomes less in this turn.)
        self._may_spare = other is not None
        return other

    def _memory_test(self, line: _Line, task: Task) -> Callable[[Worker], bool] | None:
        """Return what tells whether a worker has memory for a task; None: all have."""
        if not self._is_limited or not line.is_root or task.options.executor != THREADS:
            return None
        tables = self._tables
        return partial(may_add, tables, nbytes=tables.expected_nbytes(task))

    def _fitness_test(self, line: _Line, task: Task) -> Callable[[Worker], bool] | None:
        """Return what tells whether a worker has memory and time for a task; None: all have."""
        has_memory = self._memory_test(line, task)
        if not self._is_mortal:
            return has_memory
        tables = self._tables

        def is_fit(worker: Worker) -> bool:
            return outlasts(tables, worker, task) and (has_memory is None or has_memory(worker))

        return is_fit

    def _out_of_turn(self, line: _Line, task: Task) -> Worker | None:
        """Choose a worker whose window is full of tasks that matter less than this one."""
        if line.fitting is not None:
            return None
        tables = self._tables
        worker = tables.ajar.idlest(tables.now_s)
        if worker is None or worker.worst_priority <= task.priority:
            return None
        if line.is_root and not may_add(tables, worker, tables.expected_nbytes(task)):
            return None
        return None if self._is_mortal and not outlasts(tables, worker, task) else worker

    def _beside_siblings(
        self, task: Task, idlest: Worker, fitting: dict[Worker, None] | None
    ) -> Worker:
        """Choose the worker of a task that is read together with this one, if that costs less.

        What is made in one place need not be moved to be put together.
        """
        tables = self._tables
        dependents = task.dependents
        if not dependents:
            return idlest
        reader = dependents[0]
        if len(reader.dependencies) > _INPUTS_MAX:
            return idlest
        nbytes = tables.expected_nbytes(task)
        for sibling in reader.dependencies:
            worker = sibling.worker
            if worker is None:
                latest = sibling.latest_holders(1)
                worker = latest[0] if latest else None
            if (
                worker is not None
                and worker is not idlest
                and (worker in tables.open.members or worker in tables.ajar.members)
                and (fitting is None or worker in fitting)
                and not tables.is_barred(worker, task.options)
                and not (self._is_mortal and not outlasts(tables, worker, task))
            ):
                slack_s = LATENCY_S + nbytes / BANDWIDTH_NBYTES_PER_S
                if worker.load_s(tables.now_s) <= idlest.load_s(tables.now_s) + slack_s and (
                    not self._is_limited or may_add(tables, worker, nbytes)
                ):
                    return worker
        return idlest

    def _bring_followers(self, task: Task, worker: Worker) -> None:
        """Give a worker those readers of what it makes that need nothing else from elsewhere."""
        tables = self._tables
        todo = [task]
        while todo:
            task = todo.pop()
            dependents = task.dependents
            if dependents is None or task.dependents_count > _INPUTS_MAX:
                continue
            followers_count = 0
            for reader in dependents:
                if reader.state is not WAITING or not self._may_follow(reader, worker):
                    continue
                if worker not in tables.open.members and worker not in tables.ajar.members:
                    return
                to_assigned(tables, reader, worker)
                todo.append(reader)
                followers_count += 1
                if followers_count >= _FOLLOWERS_MAX:
                    break

    def _may_follow(self, reader: Task, worker: Worker) -> bool:
        """Tell whether a worker makes all that a waiting task lacks, and the rest is at hand."""
        if len(reader.dependencies) > _INPUTS_MAX or reader.options.signature:
            return False
        for source in reader.dependencies:
            if source.state is not STORED and (
                source.worker is not worker
                or source.state is not ASSIGNED
                or source in worker.seceded
            ):
                return False
        if self._is_mortal and not outlasts(self._tables, worker, reader):
            return False
        if reader.missing_count == len(reader.dependencies):
            return True
        return transfer_s(reader, worker) <= _FOLLOWING_S_MAX
