"""The bounds within which jobs are submitted, replaced and waited for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["JobLimits"]


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Bounds; times in seconds.

    Attributes
    ----------
    pending_max
        Jobs of a group that wait in the queue at once.
    submit_burst, submit_rate
        Submissions at once, and afterwards in each second, over all groups.
    failures_max
        Jobs in a row that end without their workers having come, before a group is given up; and
        submissions in a row that fail.
    backoff_s, backoff_max_s
        The rest after the first such failure, twice as long after each more, and the longest.
    start_timeout_s
        How long a running job's workers may take to come.
    leave_timeout_s
        How long workers that were asked to leave may take, before their job is cancelled.
    cancel_timeout_s
        After which a job that was cancelled and is still there is cancelled again.
    bereft_timeout_s
        How long a job may run on after its workers are gone.
    missing_looks
        Looks at the queue in which a job must be missing to have ended.
    never_looks
        Looks in a row in which the batch system must say that a job can never start.
    settle_s
        How long a new job may be missing, since queues are slow to show it.
    short_life_s
        A job that ends sooner after its workers came counts as one that failed to start.
    """

    pending_max: int = 16
    submit_burst: int = 8
    submit_rate: float = 2.0
    failures_max: int = 3
    backoff_s: float = 0.5
    backoff_max_s: float = 60.0
    start_timeout_s: float = 120.0
    leave_timeout_s: float = 60.0
    cancel_timeout_s: float = 30.0
    bereft_timeout_s: float = 30.0
    missing_looks: int = 2
    never_looks: int = 2
    settle_s: float = 5.0
    short_life_s: float = 2.0
