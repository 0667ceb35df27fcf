"""Results: what clients are told is what the reference interpreter says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import Failure, FailureKind
from hocket.scheduler.state import FAILED, FORGOTTEN, STORED, TaskState
from hocket.testing.programs import Behaviour, Programs

__all__ = ["Results"]

_RAISING: Final = (Behaviour.RAISES, Behaviour.FLAKY, Behaviour.NESTED)
#: Deaths after which a suspect may be blamed.
_SUSPICIONS_MAX: Final = 30


class Results:
    """Looks at each result as it comes to a client.

    Parameters
    ----------
    programs
        The reference.
    raised
        How often each task raised, as the executors counted.
    shared
        Keys that were handed from client to client.
    deaths_max
        Deaths of workers after which a task is given up.
    """

    def __init__(
        self,
        programs: Programs,
        raised: Counter[str],
        shared: Collection[str],
        deaths_max: int,
    ) -> None:
        self._programs = programs
        self._raised = raised
        self._shared = shared
        self._deaths_max = deaths_max
        #: Attempts that really began, by the worker's name and life.
        self._begun: dict[tuple[str, int], set[tuple[str, int]]] = {}
        #: Per task: on how many workers it was running when the scheduler gave them up, since it
        #: last had a value; and how many those were when it failed.
        self._deaths: Counter[str] = Counter()
        self._deaths_at_failure: dict[str, int] = {}
        self._overdue: set[str] = set()
        self._cancelled: set[str] = set()
        #: How often it may have been.
        self._suspicions: Counter[str] = Counter()
        #: Keys and addresses of values that were put on workers, and that no client has claimed.
        self.unclaimed: set[tuple[str, str]] = set()
        #: Keys, attempts and addresses of values that workers lost without knowing.
        self.vanished: set[tuple[str, int, str]] = set()
        #: How many values and failures clients got, by kind.
        self.seen: Counter[str] = Counter()

    def task_begins(self, worker: str, life: int, key: str, attempt: int) -> None:
        """Take note that a worker really begins a task."""
        self._begun.setdefault((worker, life), set()).add((key, attempt))

    def task_overdue(self, key: str) -> None:
        """Take note that a task really runs longer than it may."""
        self._overdue.add(key)

    def cancelled(self, keys: Sequence[str]) -> None:
        """Take note that a client cancels keys for all that want them."""
        self._cancelled.update(keys)

    def worker_lost(self, worker: str, life: int, assigned: Sequence[tuple[str, int]]) -> None:
        """Take note that the scheduler gives a worker up, which it had given these attempts."""
        begun = self._begun.get((worker, life), set())
        for key, attempt in assigned:
            self._suspicions[key] += 1
            if (key, attempt) in begun:
                self._deaths[key] += 1

    def task_moved(self, key: str, target: TaskState) -> None:
        """Take note that a task enters a state of the scheduler's."""
        if target in (STORED, FORGOTTEN):
            self._deaths.pop(key, None)
        elif target is FAILED:
            count = self._deaths.pop(key, 0)
            self._deaths_at_failure[key] = max(count, self._deaths_at_failure.get(key, 0))

    def is_accounted_for(self, key: str, attempt: int, address: str) -> bool:
        """Tell whether the scheduler can know if this value is there.

        It cannot where a client put a value on a worker and never told the scheduler (it died, or
        heard of a failure although the value had come), and where a worker lost one.
        """
        is_unclaimed = attempt == 0 and (key, address) in self.unclaimed
        return not is_unclaimed and (key, attempt, address) not in self.vanished

    def saw_value(self, client: str, key: str, value: object) -> None:
        """Compare a value with the reference."""
        expected = self._programs.outcome(key).value
        if value != expected:
            raise InvariantBroken(
                rule="results equal the reference",
                detail=f"{client} got {value!r} for {key}; the reference says {expected!r}",
            )
        self.seen["value"] += 1

    def saw_failure(self, client: str, key: str, failure: Failure) -> None:
        """Tell whether a failure has a cause."""
        if not self._is_justified(key, failure):
            raise InvariantBroken(
                rule="tasks fail for a reason",
                detail=f"{client} was told that {key} failed: {failure}",
            )
        self.seen[failure.kind.name] += 1

    def could_not_fetch(self, client: str, key: str) -> None:
        """Tell whether a value may be stuck where it is."""
        if self._programs.specs[key].behaviour is not Behaviour.STUCK:
            raise InvariantBroken(rule="what can be sent is sent", detail=f"{key} to {client}")
        self.seen["stuck"] += 1

    def gave_up(self, client: str, key: str, address: str) -> None:
        """Tell whether it may be that no worker gives a value that is said to be there.

        It may where a client put it on a worker that was replaced by another at the same address
        before the scheduler was told: nobody can compute it, and the client cannot tell the
        scheduler whether the worker was out of reach or has it not.
        """
        if self._programs.specs[key].behaviour is not Behaviour.SCATTERED:
            raise InvariantBroken(rule="what is stored can be had", detail=f"{key} for {client}")
        self.unclaimed.add((key, address))
        self.seen["given up"] += 1

    def _is_justified(self, key: str, failure: Failure) -> bool:
        outcome = self._programs.outcome(key)
        origin = self._programs.specs.get(failure.key)
        if origin is None or failure.key not in outcome.ancestors:
            return False
        behaviour = origin.behaviour
        ancestors = self._programs.outcome(failure.key).ancestors
        may_be_unknown = not ancestors.isdisjoint(self._shared)
        causes = {
            FailureKind.RAISED: behaviour in _RAISING and self._raised[failure.key] > 0,
            FailureKind.SERIALIZATION: behaviour is Behaviour.STUCK,
            FailureKind.WORKER_DIED: self._has_killed(failure.key),
            FailureKind.CANCELLED: failure.key in self._cancelled,
            FailureKind.TIMED_OUT: failure.key in self._overdue,
            FailureKind.LOST: behaviour is Behaviour.SCATTERED,
            # Somebody used a key before it was known, or submitted the same that reads such a key:
            # then its own key stands for something that cannot be computed.
            FailureKind.UNKNOWN_KEY: may_be_unknown,
            FailureKind.DUPLICATE_KEY: may_be_unknown,
        }
        return causes.get(failure.kind, False)

    def _has_killed(self, key: str) -> bool:
        """Tell whether a task was running on enough workers that died.

        One of which the scheduler never hears that it begins, death after death, may be blamed
        without a proof in the end.
        """
        return (
            self._deaths_at_failure.get(key, 0) >= self._deaths_max
            or self._suspicions[key] > _SUSPICIONS_MAX
        )
