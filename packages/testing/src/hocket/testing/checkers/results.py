"""Results: what clients are told is what the reference interpreter says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import Failure, FailureKind
from hocket.testing.programs import Behaviour, Programs

__all__ = ["Results"]


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
    lost_workers_count
        Returns how many workers the scheduler has lost.
    deaths_max
        Deaths of workers after which a task is given up.
    """

    def __init__(
        self,
        programs: Programs,
        raised: Counter[str],
        shared: Collection[str],
        lost_workers_count: Callable[[], int],
        deaths_max: int,
    ) -> None:
        self._programs = programs
        self._raised = raised
        self._shared = shared
        self._lost_workers_count = lost_workers_count
        self._deaths_max = deaths_max
        #: Keys and addresses of values that were put on workers, and that no client has claimed.
        self.unclaimed: set[tuple[str, str]] = set()
        #: Keys, attempts and addresses of values that workers lost without knowing.
        self.vanished: set[tuple[str, int, str]] = set()
        #: How many values and failures clients got, by kind.
        self.seen: Counter[str] = Counter()

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
        causes = {
            FailureKind.RAISED: behaviour in (Behaviour.RAISES, Behaviour.FLAKY)
            and self._raised[failure.key] > 0,
            FailureKind.SERIALIZATION: behaviour is Behaviour.STUCK,
            FailureKind.WORKER_DIED: self._lost_workers_count() >= self._deaths_max,
            FailureKind.LOST: behaviour is Behaviour.SCATTERED,
            FailureKind.UNKNOWN_KEY: failure.key in self._shared,
        }
        return causes.get(failure.kind, False)
