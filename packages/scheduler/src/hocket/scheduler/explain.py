"""Explaining: why a task is where it is, in words for people.

A request is answered at the end of the turn, when everything that could be given out has been. So
what holds a task back is what held it back, and the words come from the rules by which that was
decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from hocket.core.units import format_bytes, format_seconds
from hocket.protocol.messages import (
    THREADS,
    ExplainKeys,
    Explanation,
    FailureKind,
    KeysExplained,
    RequestRefused,
)
from hocket.scheduler.naming import enumerate_names
from hocket.scheduler.policy.lifetimes import begins_in_s, needed_s, outlasts
from hocket.scheduler.policy.memory import is_probed, may_add
from hocket.scheduler.state import (
    ASSIGNED,
    FAILED,
    QUEUED,
    RECALLED,
    STORED,
    WAITING,
    Client,
    Options,
    Task,
    Worker,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hocket.scheduler.tables import Tables

__all__ = ["Explaining"]

#: So many keys are explained at once; so many workers are considered for each of a few, and for all
#: of many together.
_KEYS_MAX: Final = 10_000
_CONSIDERED_MAX: Final = 20
_CONSIDERED_TOGETHER_MAX: Final = 2000
#: Of the inputs that are missing and of the holders of a value, so many are named.
_NAMED_MAX: Final = 20
#: Of those, so many stand in the text with their states.
_SHOWN_MAX: Final = 5
#: Of a failure's text, so many characters are shown.
_TEXT_LENGTH_MAX: Final = 10_000
#: What a row costs beside its texts, roughly.
_ROW_NBYTES: Final = 64

_FAILURES: Final = {
    FailureKind.RAISED: "it raised",
    FailureKind.SERIALIZATION: "something of it could not be pickled or unpickled",
    FailureKind.WORKER_DIED: "the workers that it ran on died",
    FailureKind.INPUT_FAILED: "an input failed",
    FailureKind.UNKNOWN_KEY: "a key that it needs is not known",
    FailureKind.DUPLICATE_KEY: "its key stands for another task",
    FailureKind.LOST: "its value was lost",
    FailureKind.ACTOR_LOST: "it is an actor, and the worker that kept it is gone",
    FailureKind.TIMED_OUT: "it ran longer than its time-out",
    FailureKind.CANCELLED: "a client cancelled it for all that wanted it",
    FailureKind.NOT_MADE: "its worker left before it began",
}


class Explaining:
    """Requests for explanations, which are answered at the end of a turn."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._asked: list[tuple[Client, ExplainKeys]] = []
        self._say: dict[str, Callable[[Task, int], Explanation]] = {
            WAITING: self._waiting,
            QUEUED: self._queued,
            ASSIGNED: self._assigned,
            RECALLED: self._recalled,
            STORED: self._stored,
            FAILED: self._failed,
        }

    def ask(self, client: Client, message: ExplainKeys) -> None:
        """Take in a request."""
        self._asked.append((client, message))

    def answer(self) -> None:
        """Answer the requests."""
        if self._asked:
            asked, self._asked = self._asked, []
            for client, message in asked:
                if client.id in self._tables.clients:
                    self.tell(client, message)

    def tell(self, client: Client, message: ExplainKeys) -> None:
        """Answer one request at once."""
        keys = message.keys
        if len(keys) > _KEYS_MAX:
            text = f"{len(keys)} keys are more than can be explained at once; ask for {_KEYS_MAX}"
            client.outbox.add(RequestRefused(message.request, text))
            return
        considered_max = min(_CONSIDERED_MAX, _CONSIDERED_TOGETHER_MAX // max(1, len(keys)))
        explanations = []
        nbytes = 0
        for key in keys:
            explanation = self._explain(key, considered_max)
            nbytes += _nbytes(explanation)
            if nbytes > self._tables.limits.answer_nbytes_max:
                text = "the explanations are more than one message may hold; ask for fewer keys"
                client.outbox.add(RequestRefused(message.request, text))
                return
            explanations.append(explanation)
        client.outbox.add(KeysExplained(message.request, explanations), nbytes)

    def _explain(self, key: str, considered_max: int) -> Explanation:
        task = self._tables.tasks.get(key)
        if task is None:
            text = (
                "the scheduler knows nothing of it: it was never submitted, or everybody let go of"
                " it"
            )
            if considered_max >= _CONSIDERED_MAX:
                text = self._cancelled(key) or text
            return Explanation(key, "", text)
        say = self._say.get(task.state)
        if say is not None:
            return say(task, considered_max)
        return Explanation(
            key,
            task.state,
            "nobody needs its value now; it is made again if somebody does",
        )

    def _cancelled(self, key: str) -> str:
        """Say where a key runs on that was cancelled; "" if it does not."""
        for worker in self._tables.workers.values():
            for one in worker.stopping.values():
                if one.key == key:
                    how = f"it was cancelled; attempt {one.attempt} still runs on {worker.name}"
                    if one.attempt in worker.stuck:
                        how += ", and keeps its slot: it cannot be interrupted where it is"
                    return how
        return ""

    # By state -------------------------------------------------------------------------------

    def _waiting(self, task: Task, _considered_max: int) -> Explanation:
        missing = list(dict.fromkeys(one for one in task.dependencies if one.state is not STORED))
        shown = [self._briefly(one) for one in missing[:_SHOWN_MAX]]
        text = (
            f"{_count(len(missing), 'input')} of {len(set(task.dependencies))}"
            f" {_has(len(missing))} no value yet: {_listed(shown, len(missing))}"
        )
        return Explanation(task.key, task.state, text, [one.key for one in missing[:_NAMED_MAX]])

    def _queued(self, task: Task, considered_max: int) -> Explanation:
        tables = self._tables
        due_s = tables.resting.get(task)
        if due_s is not None:
            rest_s = max(0.0, due_s - tables.now_s)
            text = (
                f"it failed, and is tried again in {format_seconds(rest_s)}"
                f" ({_count(task.retries_left, 'retry', 'retries')} left after that)"
            )
            return Explanation(task.key, task.state, text)
        options = task.options
        fitting = tables.fitting(options)
        if not tables.workers:
            text = "there are no workers"
        elif not fitting:
            text = f"no worker that is here can run it: {self._lacking(options)}"
        elif not any(outlasts(tables, worker, task, 0.0) for worker in fitting):
            text = f"it waits for a worker that lasts longer: {self._length(task)}"
        else:
            count = len(fitting)
            others = len(tables.workers) - count
            text = f"it waits for room on one of {_count(count, 'worker')} that can run it"
            if others:
                text += f" ({_count(others, 'other')} cannot)"
        considered: dict[Worker, str] = {}
        unfit = (one for one in tables.workers.values() if one not in fitting)
        for some in (fitting, unfit):
            for worker in islice(some, considered_max - len(considered)):
                considered[worker] = self._refusal(task, worker, fitting)
        more_count = len(tables.workers) - len(considered)
        if more_count and considered:
            text += f"; {_count(more_count, 'worker')} more were considered, but are not named here"
        return Explanation(
            task.key,
            task.state,
            text,
            considered=[worker.name for worker in considered],
            refusals=list(considered.values()),
        )

    def _assigned(self, task: Task, considered_max: int) -> Explanation:
        worker = task.worker
        assert worker is not None
        if task in worker.seceded:
            how = "runs there, and has given up its slot to others"
        elif task in worker.begun:
            how = "runs there"
        elif task.missing_count:
            how = f"waits there for {_count(task.missing_count, 'input')} that the worker makes"
        else:
            how = "has not been said to run there"
            if considered_max >= _CONSIDERED_MAX:
                before_count = sum(1 for one in worker.assigned if one.priority < task.priority)
                how += f", and stands behind {_count(before_count, 'task')} of that worker"
        text = f"given to {worker.name} as attempt {task.attempt}; it {how}"
        if worker.is_paused:
            text += "; the worker is short of memory, and runs one task at a time"
        return Explanation(task.key, task.state, text, workers=[worker.name])

    def _recalled(self, task: Task, _considered_max: int) -> Explanation:
        worker = task.worker
        assert worker is not None
        why = f", since that is to end ({worker.leaving})" if worker.leaving else ""
        text = f"{worker.name} was asked to give it back{why}; it will, unless it has begun with it"
        return Explanation(task.key, task.state, text, workers=[worker.name])

    def _stored(self, task: Task, _considered_max: int) -> Explanation:
        names = [worker.name for worker in task.latest_holders(_NAMED_MAX)]
        text = (
            f"its value of {format_bytes(task.nbytes)} is on {_count(task.holders_count, 'worker')}"
        )
        coming = self._tables.copies.by_task.get(task, ())
        if coming:
            text += f", and comes to {enumerate_names([worker.name for worker in coming])}"
        if task.kind is None:
            text += "; a client put it there"
        actor = self._tables.actors.get(task)
        if actor is not None and actor.home is not None:
            text += (
                f"; it is an actor, which lives on {actor.home.name} (incarnation {task.attempt})"
                " and takes calls there; "
            )
            if actor.state is None:
                text += "it has no checkpoint, and is lost with that worker"
            else:
                size = format_bytes(len(actor.state))
                text += f"it would be restarted from a checkpoint of {size}"
        return Explanation(task.key, task.state, text, workers=names)

    def _failed(self, task: Task, _considered_max: int) -> Explanation:
        failure = task.failure
        assert failure is not None
        text = _FAILURES[failure.kind]
        if failure.key != task.key:
            text += f", or rather {failure.key!r} did, which it needs"
        if failure.worker:
            text += f", on {failure.worker}"
        if failure.text:
            text += f": {failure.text[:_TEXT_LENGTH_MAX]}"
        return Explanation(task.key, task.state, text)

    def _briefly(self, task: Task) -> str:
        where = f" on {task.worker.name}" if task.worker is not None else ""
        return f"{task.key!r} is {task.state}{where}"

    # Why not there? -------------------------------------------------------------------------

    def _lacking(self, options: Options) -> str:
        """Say what it is that no worker has which a task asks for."""
        tables = self._tables
        workers = list(tables.workers.values())
        if not any(worker.offers(options) for worker in workers):
            if not any(options.executor in worker.executors for worker in workers):
                return f"none has an executor {options.executor!r}"
            for name, amount in options.resources.items():
                most, who = max(
                    ((one.resources.get(name, 0.0), -one.id) for one in workers),
                )
                if most < amount:
                    best = f"; the most is {most:g}, on {tables.workers[-who].name}"
                    return f"it needs {amount:g} of {name}, and none has that{best if most else ''}"
            return "none has all that it needs at once"
        named = enumerate_names(list(options.workers))
        if any(tables.named(name) for name in options.workers):
            return f"it may only run on {named}, where something is missing that it needs"
        return f"it may only run on {named}, and no such worker is here"

    def _refusal(self, task: Task, worker: Worker, fitting: dict[Worker, None]) -> str:
        """Say why a worker does not get a queued task now."""
        tables = self._tables
        options = task.options
        if worker not in fitting:
            return self._misfit(options, worker)
        if worker.leaving or not outlasts(tables, worker, task):
            return self._shortness(task, worker)
        if not tables.has_room_for(worker, options):
            return self._fullness(options, worker)
        if not task.dependencies:
            if is_probed(tables, task):
                kind = task.kind
                assert kind is not None
                return (
                    f"no task of its kind ({kind.label}) has finished yet, so that only"
                    f" {kind.assigned_count} of them are under way"
                )
            nbytes = tables.expected_nbytes(task)
            if not may_add(tables, worker, nbytes):
                free = max(0.0, worker.free_nbytes(tables.limits.memory_part))
                return (
                    f"it has {format_bytes(free)} of memory left for data, and the task is expected"
                    f" to make {format_bytes(nbytes)}"
                )
        count = _count(worker.tasks_count, "task")
        return f"it has {count} now; more are given to it bit by bit, as it ends those"

    def _length(self, task: Task) -> str:
        """Say how long a task is expected to run, and how that is known."""
        needed = format_seconds(needed_s(self._tables, task))
        if task.options.ran_s:
            ran = format_seconds(task.options.ran_s)
            return f"it ran for {ran} where the worker had to end, and is taken to need {needed}"
        kind = task.kind
        if kind is not None and kind.measured_count:
            mean = format_seconds(kind.duration_s)
            return f"tasks of its kind ({kind.label}) run for about {mean}"
        return f"its time-out is {format_seconds(task.options.timeout_s)}"

    def _shortness(self, task: Task, worker: Worker) -> str:
        """Say why a worker would not end a task before it leaves."""
        if worker.leaving:
            return f"it is to end: {worker.leaving}"
        tables = self._tables
        rest_s = max(0.0, worker.leaves_s - tables.now_s)
        text = f"its time ends, and it leaves in {format_seconds(rest_s)}"
        if needed_s(tables, task):
            text += f"; {self._length(task)}"
        load_s = begins_in_s(tables, worker, task)
        if load_s:
            text += f"; it has other work for about {format_seconds(load_s)}"
        return text

    def _misfit(self, options: Options, worker: Worker) -> str:
        """Say why a worker cannot run tasks with these options."""
        if options.executor not in worker.executors:
            return f"it has no executor {options.executor!r}"
        for name, amount in options.resources.items():
            offered = worker.resources.get(name, 0.0)
            if offered < amount:
                return f"it has {offered:g} of {name}, and the task needs {amount:g}"
        if worker.id in options.avoided:
            return "the task failed there, and others can run it"
        return f"the task may only run on {enumerate_names(list(options.workers))}"

    def _fullness(self, options: Options, worker: Worker) -> str:
        """Say of what a worker that could run a task has no more to give now."""
        if worker.is_paused:
            return "it is short of memory, and gets no more tasks before it has ended what it has"
        tables = self._tables
        for name, amount in options.resources.items():
            if not tables.has_resource(worker, name, amount):
                reserved = worker.reserved[name][0]
                return (
                    f"of its {worker.resources[name]:g} of {name}, {reserved:g} are for tasks that"
                    " it was given"
                )
        executor = options.executor
        if executor != THREADS:
            count = _count(worker.counts.get(executor, 0), "task")
            return f"its executor {executor!r} has {count} for its {worker.executors[executor]}"
        if worker.is_stuck:
            shown = [repr(key) for key in islice(worker.stuck.values(), _SHOWN_MAX)]
            return (
                "tasks that were cancelled keep its threads, since they cannot be interrupted where"
                f" they are: {_listed(shown, len(worker.stuck))}"
            )
        ahead_s = worker.load_s(tables.now_s)
        return (
            f"it has {_count(worker.tasks_count, 'task')}, which is work for about"
            f" {format_seconds(ahead_s)}"
        )


def _nbytes(explanation: Explanation) -> int:
    texts: Iterable[str] = (
        explanation.key,
        explanation.text,
        *explanation.waits_for,
        *explanation.workers,
        *explanation.considered,
        *explanation.refusals,
    )
    # (A character may take four bytes.)
    return sum(4 * len(one) + 8 for one in texts) + _ROW_NBYTES


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _listed(shown: Sequence[str], count: int) -> str:
    more = f", and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
