"""All that the scheduler knows, in one place, and the numbers that it gives out."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from hocket.scheduler.books import Books
from hocket.scheduler.limits import Limits
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    QUEUED,
    RELEASED,
    STORED,
    Client,
    Options,
    Queue,
    Task,
    TaskClass,
    TaskState,
)

if TYPE_CHECKING:
    from hocket.protocol.messages import Failure

__all__ = ["PRIORITY_BITS", "Limits", "Tables"]

#: A priority is ``-user priority * 2**PRIORITY_BITS + tag``: one integer of 64 bits.
PRIORITY_BITS: Final = 47
#: Before so many tasks were forgotten, tables keep their room.
_FORGOTTEN_MIN: Final = 10_000


class Tables(Books):
    """The state of the scheduler: the books of the workers, and those of tasks and clients."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.tasks: dict[str, Task] = {}
        self.kinds: dict[bytes, TaskClass] = {}
        self.clients: dict[int, Client] = {}
        #: Stand among the clients that want a key, for what is kept in the scheduler itself.
        self.keepers: list[Client] = []
        #: Queued tasks that rest before they are tried again, each with the time when it may; and
        #: the same in the order of time, with stale entries.
        self.resting: dict[Task, float] = {}
        self._alarms: list[tuple[float, int, Task]] = []
        plain = Options()
        #: By signature, of those tasks that are queued, and the two without demands.
        self.queues: dict[tuple[object, ...], Queue] = {
            signature: Queue(plain, signature, self.resting)
            for signature in (plain.signature, plain.root_signature)
        }
        self._plain = frozenset(self.queues)
        #: Per task: how often it was asked back.
        self.recalls: dict[str, int] = {}
        #: Per task: why the workers died that it was running on.
        self.deaths: dict[str, list[str]] = {}
        #: Per task: how often it may have been running on a worker that died.
        self.suspicions: dict[str, int] = {}
        #: Per task: how often it came back because a holder of an input could not be reached.
        self.returns: dict[str, int] = {}
        #: Tasks that can never be computed since they depend on a key that nobody knew, and what
        #: whoever wants them is told.
        self.broken: dict[str, Failure] = {}
        self.attempts_count = 0
        #: Tasks that were forgotten since tables last gave back their room.
        self.forgotten_count = 0
        #: By user priority: the tag of what finished last.
        self.clock: dict[int, int] = {}
        #: Keys of which every move is noted, and those that have moved.
        self.watched: set[str] = set()
        self.moved: list[str] = []
        #: Called with (task, from, to) at every move, when somebody watches.
        self.trace: Callable[[Task, TaskState, TaskState], None] | None = None

    def move(self, task: Task, target: TaskState) -> None:
        """Put a task into a state; the effects are the caller's."""
        source = task.state
        if self.trace is not None:
            self.trace(task, source, target)
        task.state = target
        if self.watched and task.key in self.watched:
            self.moved.append(task.key)
        if self.actors and target in (RELEASED, FAILED):
            self.actors.pop(task, None)
        if source is QUEUED and target is not ASSIGNED:
            if task in self.resting:
                del self.resting[task]
            else:
                signature = task.queue_signature
                self.queues[signature].discard()
                self.drop_empty_queue(signature)
        elif source is STORED and self.copies:
            for worker in self.copies.cancel(task):
                worker.outbox.drop(task.key, task.attempt)

    def enqueue(self, task: Task) -> None:
        """Put a task whose inputs are all stored into its queue."""
        self.move(task, QUEUED)
        self.put(task)

    def rest(self, task: Task, delay_s: float) -> None:
        """Let a task whose inputs are all stored wait for so long before it is queued."""
        self.move(task, QUEUED)
        due_s = self.resting[task] = self.now_s + delay_s
        heappush(self._alarms, (due_s, task.attempt, task))

    def wake_resting(self) -> float | None:
        """Queue the tasks that have rested; return when the next one will have (None: none will).

        (A task that rests again, or left, has stale entries.)
        """
        alarms = self._alarms
        while alarms:
            due_s, _, task = alarms[0]
            if self.resting.get(task) == due_s:
                if due_s > self.now_s:
                    return due_s
                del self.resting[task]
                self.put(task)
            heappop(alarms)
        return None

    def put(self, task: Task) -> None:
        """Have a queued task stand in the queue that its options say."""
        signature = task.queue_signature
        queue = self.queues.get(signature)
        if queue is None:
            queue = self.queues[signature] = Queue(task.options, signature, self.resting)
        queue.push(task)

    def drop_empty_queue(self, signature: tuple[object, ...]) -> None:
        """Drop a queue in which nothing is left."""
        if signature not in self._plain and not self.queues[signature].live_count:
            del self.queues[signature]

    def expected_s(self, task: Task) -> float:
        """Return how long a task is expected to run, in seconds."""
        kind = task.kind
        if kind is None or not kind.measured_count:
            return self.limits.unknown_duration_s
        return kind.duration_s

    def forgive(self, task: Task) -> None:
        """Drop what is remembered of a task's misfortunes."""
        # (Nearly always there is none to drop.)
        if self.deaths or self.returns or self.recalls or self.suspicions:
            self.deaths.pop(task.key, None)
            self.suspicions.pop(task.key, None)
            self.returns.pop(task.key, None)
            self.recalls.pop(task.key, None)

    def give_back_room(self) -> None:
        """Let go of the room that tables took while there were many tasks, once there are none.

        (A dict that was emptied piece by piece keeps what it had at its fullest.)
        """
        if self.tasks or self.forgotten_count < _FORGOTTEN_MIN + len(self.workers):
            return
        self.forgotten_count = 0
        self.tasks.clear()
        for client in (*self.clients.values(), *self.keepers):
            client.wanted.clear()
        for worker in self.workers.values():
            # (None of them can have anything in it.)
            worker.assigned.clear()
            worker.held.clear()
            worker.promised.clear()

    def forget_kind(self, kind: TaskClass) -> None:
        """Drop a class that no task and no client refers to."""
        if kind.tasks_count or kind.pinned_by or self.kinds.get(kind.digest) is not kind:
            return
        del self.kinds[kind.digest]
        for worker in self.workers.values():
            worker.outbox.drop_function(kind.digest)
