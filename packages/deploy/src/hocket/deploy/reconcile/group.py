"""A group of workers: how many jobs it is to have, and how its jobs have fared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.core.settings import JobsSettings
    from hocket.deploy.reconcile.jobs import Job

__all__ = ["Group"]

#: How long a job is expected to take until its workers are there, while none has come.
_LEAD_UNKNOWN_S: Final = 30.0
_LEAD_MIN_S: Final = 5.0
#: What the newest job's time counts for.
_LEAD_WEIGHT: Final = 0.3
#: So many jobs in a row that others cancel are no accident.
_CANCELLED_MAX: Final = 10


class Group:
    """One kind of workers.

    Parameters
    ----------
    name
        Of the group.
    workers_per_job
        Worker processes that each job starts.
    walltime_s
        How long its jobs may run; None: for ever.
    margin_s
        How long before their end its workers begin to leave.

    Attributes
    ----------
    wanted_count
        Jobs that it is to have.
    stopped
        Why it gets no more; empty: it does.
    lead_s
        How long a job takes from its submission until its workers are there, as observed.
    """

    def __init__(
        self,
        name: str,
        *,
        workers_per_job: int = 1,
        walltime_s: float | None = None,
        margin_s: float = 0.0,
    ) -> None:
        self.name = name
        self.workers_per_job = workers_per_job
        self.walltime_s = walltime_s
        self.margin_s = margin_s
        self.wanted_count = 0
        #: Whether workers may stay for the sake of what they hold.
        self.is_patient = False
        self.stopped = ""
        self.lead_s: float | None = None
        self.jobs_count = 0
        #: In a row: jobs that failed to start, or submissions that did; and jobs that somebody
        #: cancelled before their workers came.
        self.failures: list[str] = []
        self.failed_jobs: list[str] = []
        self.cancelled_count = 0
        #: No submission before this time.
        self.rests_until_s = 0.0

    def want(self, count: int) -> None:
        """Have so many jobs; a group that was given up begins anew."""
        self.wanted_count = count
        self.is_patient = False
        self.stopped = ""
        self.forgive()

    def resize(self, count: int) -> None:
        """Have so many jobs, of which none goes that the others cannot do without."""
        self.wanted_count = count
        self.is_patient = True

    def forgive(self) -> None:
        """Forget failures: a job's workers came and stayed, or somebody wants to try again."""
        self.failures.clear()
        self.failed_jobs.clear()
        self.cancelled_count = 0
        self.rests_until_s = 0.0

    def failed(self, job: Job, reason: str, limits: JobsSettings, now_s: float) -> None:
        """Note that a job failed to start, or its submission did."""
        self.failures.append(reason)
        self.failed_jobs.append(job.name)
        self._rest(len(self.failures), limits, now_s)

    def cancelled(self, limits: JobsSettings, now_s: float) -> None:
        """Note that somebody cancelled a job before its workers came."""
        self.cancelled_count += 1
        self._rest(self.cancelled_count, limits, now_s)

    def verdict(self, limits: JobsSettings) -> str:
        """Return why it is to be given up; empty: it is not."""
        if len(self.failures) >= limits.failures_max:
            return (
                f"{len(self.failures)} jobs in a row failed to start, the last: {self.failures[-1]}"
            )
        if self.cancelled_count >= _CANCELLED_MAX:
            return f"{self.cancelled_count} jobs in a row were cancelled from outside"
        return ""

    def came_up(self, job: Job, now_s: float) -> None:
        """Learn from a job whose workers have all come."""
        took_s = now_s - job.submitted_s
        known_s = self.lead_s
        self.lead_s = took_s if known_s is None else known_s + _LEAD_WEIGHT * (took_s - known_s)

    def is_ageing(self, job: Job, now_s: float) -> bool:
        """Tell whether a job is so near its end that another is to be there when it goes."""
        if job.running_s is None:
            return False
        if job.leaves_s is not None:
            # What its workers know is nearer to the truth than what was asked for them.
            leaves_s, life_s = job.leaves_s, job.leaves_s - job.running_s
        elif self.walltime_s is not None:
            leaves_s = job.running_s + self.walltime_s - self.margin_s
            life_s = self.walltime_s - self.margin_s
        else:
            return False
        lead_s = _LEAD_UNKNOWN_S if self.lead_s is None else max(self.lead_s, _LEAD_MIN_S)
        # (Of a short life at least half is to be of use.)
        early_s = min(lead_s, life_s / 2)
        return now_s >= leaves_s - early_s

    def _rest(self, count: int, limits: JobsSettings, now_s: float) -> None:
        rest_s = min(limits.backoff_s * 2.0 ** (count - 1), limits.backoff_max_s)
        self.rests_until_s = max(self.rests_until_s, now_s + rest_s)
