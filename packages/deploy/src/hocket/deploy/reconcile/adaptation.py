"""How many jobs each group is to have, so that what is queued gets done: adaptive scaling.

The unit is the job. More are wanted when tasks wait that those which are there, or on their way,
cannot take on; fewer only by jobs whose every worker has had nothing to do for a while. How long a
job takes to come is known by then: none is asked for that would come when the work is done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hocket.deploy.reconcile.jobs import Job, JobState

__all__ = ["AdaptiveRules", "Adaptor", "Demand", "Offer"]

_SLACK: Final = 1e-9
#: Tasks that seem to take longer than workers last may be tried on fresh ones, but not if they seem
#: to take so many times that (as in `hocket.scheduler.policy.lifetimes`).
_DOUBT_FACTOR: Final = 1.8
_FRESH_PART: Final = 0.9
_COMING: Final = (JobState.SUBMITTING, JobState.PENDING, JobState.STARTING)


@dataclass(frozen=True, slots=True)
class Demand:
    """Tasks that wait and ask the same of a worker.

    Attributes
    ----------
    count
        How many.
    duration_s
        How long each runs; None: not known.
    resources
        What each reserves.
    """

    count: int
    duration_s: float | None = None
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a job of a group can take on at once.

    Attributes
    ----------
    slots
        Tasks that its workers run at once.
    resources
        Amounts that its workers offer together.
    lasts_s
        How long they take tasks, from when they come.
    """

    slots: int
    resources: Mapping[str, float] = field(default_factory=dict)
    lasts_s: float = math.inf

    def fits(self, demand: Demand) -> float:
        """Return how many of these tasks a job runs at once; 0: it never can."""
        if (demand.duration_s or 0.0) > _DOUBT_FACTOR * self.lasts_s:
            return 0.0
        count = float(self.slots)
        for name, amount in demand.resources.items():
            if amount > 0:
                count = min(count, self.resources.get(name, 0.0) / amount)
        return count if count > _SLACK else 0.0


@dataclass(frozen=True, slots=True)
class AdaptiveRules:
    """Bounds of one group; times in seconds.

    Attributes
    ----------
    minimum, maximum
        Jobs.
    idle_timeout_s
        How long a job must have had nothing to do before it goes, or one that waits must have been
        of no use.
    patience_s
        How long tasks must wait before a job is asked for.
    target_s
        Work of less than this for each slot is not worth another job.
    """

    minimum: int = 0
    maximum: int = 10
    idle_timeout_s: float = 300.0
    patience_s: float = 0.5
    target_s: float = 5.0


class Adaptor:
    """Adaptive scaling of groups; decides, and does nothing.

    Attributes
    ----------
    rules
        Of the groups that are scaled so.
    """

    def __init__(self) -> None:
        self.rules: dict[str, AdaptiveRules] = {}
        #: By job: since when it has had nothing to do.
        self._idle_s: dict[str, float] = {}
        #: By group: since when more jobs would help, and since when those coming are of no use.
        self._short_s: dict[str, float] = {}
        self._ample_s: dict[str, float] = {}

    def busy(self, job: str) -> None:
        """Take a job for one that is of use, for a while."""
        self._idle_s.pop(job, None)

    def decide(
        self,
        offers: Mapping[str, Offer],
        jobs: Mapping[str, Sequence[Job]],
        leads_s: Mapping[str, float],
        loads: Mapping[str, int],
        demands: Sequence[Demand],
        now_s: float,
    ) -> dict[str, int]:
        """Return how many jobs each group is to have.

        Parameters
        ----------
        offers
            By group, what its jobs are; the cheapest group first.
        jobs
            By group, those that count.
        leads_s
            By group, how long a job takes to come, as observed.
        loads
            By job, how many tasks its workers have.
        demands
            What waits.
        now_s
            The time.
        """
        self._note_idleness(jobs, loads, now_s)
        needs, longest_s = self._needs(offers, leads_s, demands)
        return {
            group: self._count(group, rules, jobs[group], needs[group], longest_s[group], now_s)
            for group, rules in self.rules.items()
        }

    def _note_idleness(
        self, jobs: Mapping[str, Sequence[Job]], loads: Mapping[str, int], now_s: float
    ) -> None:
        there = [job for group in jobs.values() for job in group]
        known = self._idle_s
        self._idle_s = {
            job.name: known.get(job.name, now_s)
            for job in there
            if job.state is JobState.UP and not loads.get(job.name, 0)
        }

    def _needs(
        self,
        offers: Mapping[str, Offer],
        leads_s: Mapping[str, float],
        demands: Sequence[Demand],
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return by group how many jobs the tasks that wait would fill, and how long one runs."""
        needs = dict.fromkeys(offers, 0.0)
        longest_s = dict.fromkeys(offers, 0.0)
        for demand in demands:
            fitting = [
                group
                for group, offer in offers.items()
                if group in self.rules and offer.fits(demand)
            ]
            if not fitting:
                continue
            # The cheapest; plain tasks leave devices alone while there is another place for them.
            group = min(fitting, key=lambda one: len(offers[one].resources))
            count = float(demand.count)
            if demand.duration_s is not None:
                # Short ones are done one after the other, before another job could come.
                span_s = max(self.rules[group].target_s, leads_s.get(group, 0.0))
                count = min(count, demand.count * demand.duration_s / span_s)
                lasting_s = min(demand.duration_s, _FRESH_PART * offers[group].lasts_s)
                longest_s[group] = max(longest_s[group], lasting_s)
            needs[group] += count / offers[group].fits(demand)
        return needs, longest_s

    def _count(
        self,
        group: str,
        rules: AdaptiveRules,
        jobs: Sequence[Job],
        need: float,
        longest_s: float,
        now_s: float,
    ) -> int:
        coming = [job for job in jobs if job.state in _COMING]
        there = [job for job in jobs if job.state not in _COMING]
        idle = [job for job in there if job.name in self._idle_s]
        # (One that idles beside tasks which would outlast it is of no use to them.)
        lasting_count = sum(
            job.leaves_s is None or now_s + longest_s <= job.leaves_s for job in idle
        )
        helpful = math.ceil(need - _SLACK) - lasting_count
        count = len(jobs)
        if helpful > len(coming):
            self._ample_s.pop(group, None)
            began_s = self._short_s.setdefault(group, now_s)
            if now_s - began_s >= rules.patience_s:
                count += helpful - len(coming)
        else:
            self._short_s.pop(group, None)
            count -= self._dispensable(group, rules, coming, helpful, now_s)
            count -= self._long_idle(rules, idle, need, now_s)
        return max(rules.minimum, min(count, rules.maximum))

    def _dispensable(
        self, group: str, rules: AdaptiveRules, coming: Sequence[Job], helpful: int, now_s: float
    ) -> int:
        """Return how many of the jobs on their way have not been of use for long."""
        surplus = len(coming) - max(0, helpful)
        if surplus <= 0:
            self._ample_s.pop(group, None)
            return 0
        began_s = self._ample_s.setdefault(group, now_s)
        return surplus if now_s - began_s >= rules.idle_timeout_s else 0

    def _long_idle(
        self, rules: AdaptiveRules, idle: Sequence[Job], need: float, now_s: float
    ) -> int:
        """Return how many jobs have had nothing to do for so long that they can go."""
        long_idle = sum(now_s - self._idle_s[job.name] >= rules.idle_timeout_s for job in idle)
        return max(0, long_idle - math.ceil(need - _SLACK))
