"""The machine that keeps a cluster's jobs as they are wanted.

It is told what is wanted, what the batch system says of each job, and which workers the scheduler
has; each turn says what to submit, to cancel, or to give up. The unit is the job: what starts and
ends together is counted together, however many workers it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from hocket.core.settings import JobsSettings
from hocket.deploy.reconcile.commands import CancelJob, Command, GiveUp, RetireWorkers, SubmitJob
from hocket.deploy.reconcile.group import Group
from hocket.deploy.reconcile.jobs import Job, JobState, Phase, Sighting

__all__ = ["Reconciler"]

#: Jobs that have ended are remembered up to this number, for those who ask what became of them.
_ENDED_MAX: Final = 200
_WAITING: Final = (JobState.SUBMITTING, JobState.PENDING)
#: Which jobs go first when there are too many.
_SPARED: Final = {
    JobState.SUBMITTING: 0,
    JobState.PENDING: 1,
    JobState.STARTING: 2,
    JobState.UP: 3,
}


class Reconciler:
    """All groups of a cluster and their jobs.

    Parameters
    ----------
    limits
        Bounds of what is done.

    Attributes
    ----------
    jobs
        By name: those that are there, and the last that have ended.
    wake_s
        When the machine wants a turn although nothing happens; None: it does not.
    """

    def __init__(self, limits: JobsSettings | None = None) -> None:
        self.limits = limits or JobsSettings()
        self.groups: dict[str, Group] = {}
        self.jobs: dict[str, Job] = {}
        self.wake_s: float | None = None
        #: Tasks that each job's workers have, for choosing who goes.
        self._loads: dict[str, int] = {}
        #: Workers that are there although their job has ended: somebody was wrong, or their network
        #: was cut; and when they were last asked to leave.
        self._strays: dict[str, set[str]] = {}
        self._strays_asked_s: dict[str, float] = {}
        self._tokens = float(self.limits.submit_burst)
        self._tokens_at_s: float | None = None
        self._given_up: list[GiveUp] = []

    # What is wanted -------------------------------------------------------------------------

    def add_group(self, group: Group) -> None:
        """Take a group in, or its new shape; jobs that are there stay."""
        known = self.groups.get(group.name)
        if known is not None:
            group.wanted_count = known.wanted_count
            group.jobs_count = known.jobs_count
            group.lead_s = known.lead_s
        self.groups[group.name] = group

    def want(self, group: str, count: int) -> None:
        """Have so many jobs of a group."""
        self.groups[group].want(count)

    def resize(self, group: str, count: int) -> None:
        """Have so many jobs of a group, unless it was given up; workers in need of others stay."""
        self.groups[group].resize(count)

    # What happens ---------------------------------------------------------------------------

    def submitted(self, name: str, id_: str, now_s: float) -> None:
        """Take note of a job's id."""
        job = self.jobs[name]
        if job.state is JobState.SUBMITTING:
            job.id = id_
            job.state = JobState.PENDING
            job.submitted_s = now_s

    def refused(self, name: str, reason: str, *, permanent: bool, now_s: float) -> None:
        """Take note that a submission failed.

        Parameters
        ----------
        name
            Of the job.
        reason
            What the batch system said.
        permanent
            Whether the same would be refused again.
        now_s
            The time.
        """
        job = self.jobs[name]
        if job.state is not JobState.SUBMITTING:
            return
        self._end(job, f"the submission was refused: {reason}")
        group = self.groups[job.group]
        if job.unwanted:
            return
        if permanent:
            self._give_up(group, f"the submission was refused: {reason}", (name,))
        else:
            group.failed(job, f"the submission failed: {reason}", self.limits, now_s)

    def stayed(self, name: str) -> None:
        """Take note that workers that were asked to leave cannot be spared."""
        job = self.jobs[name]
        if job.state is not JobState.LEAVING:
            return
        if self.groups[job.group].is_patient:
            job.state = JobState.UP
            job.asked_s = None
        else:
            # They would stay for the sake of what they hold; ended, they still do what they can.
            job.unwanted = True

    def polled(self, sightings: Mapping[str, Sighting], asked_s: float, now_s: float) -> None:
        """Take in a look at the whole queue.

        Parameters
        ----------
        sightings
            By the batch system's id. A job that is not among them is not in the queue.
        asked_s, now_s
            When the look began, and when it ended.
        """
        for job in list(self.live()):
            if not job.id:
                continue
            sighting = sightings.get(job.id)
            if sighting is None:
                self._missed(job, asked_s, now_s)
            else:
                job.missed_count = 0
                self._seen(job, sighting, now_s)

    def workers_seen(
        self,
        loads: Mapping[str, int],
        now_s: float,
        leave_in_s: Mapping[str, float] | None = None,
    ) -> None:
        """Take in which workers the scheduler has, and how many tasks each.

        Parameters
        ----------
        loads
            By worker, its tasks.
        now_s
            The time.
        leave_in_s
            Of the workers that know of their end, in how many seconds they leave.

        A job's worker goes by its name; where there are several, by that, ``-`` and a number; and
        one that was started again has a dot and another number at the end.
        """
        present: dict[str, set[str]] = {}
        self._loads = {}
        lasting_s: dict[str, float] = {}
        for worker, load in loads.items():
            name = worker.partition(".")[0]
            if name not in self.jobs:
                name = name.rpartition("-")[0]
            present.setdefault(name, set()).add(worker)
            self._loads[name] = self._loads.get(name, 0) + load
            if leave_in_s and worker in leave_in_s:
                lasting_s[name] = min(leave_in_s[worker], lasting_s.get(name, math.inf))
        for job in list(self.live()):
            if job.name in lasting_s:
                job.leaves_s = now_s + lasting_s[job.name]
            self._joined(job, present.get(job.name, set()), now_s)
        self._strays = {
            name: workers
            for name, workers in present.items()
            if name in self.jobs and self.jobs[name].is_over
        }

    # What to do -----------------------------------------------------------------------------

    def turn(self, now_s: float) -> list[Command]:
        """Decide what follows."""
        self._fill_tokens(now_s)
        self.wake_s = None
        commands: list[Command] = []
        for job in list(self.live()):
            self._watch(job, now_s, commands)
        for group in self.groups.values():
            self._judge(group)
        for job in list(self.live()):
            if job.unwanted and job.id and job.state is not JobState.CANCELLING:
                self._cancel(job, now_s, commands)
        for group in self.groups.values():
            self._reconcile(group, now_s, commands)
        self._send_away(now_s, commands)
        commands += self._given_up
        self._given_up = []
        self._forget()
        return commands

    def load(self, name: str) -> int:
        """Return how many tasks the workers of a job have."""
        return self._loads.get(name, 0)

    def live(self, group: str | None = None) -> Iterator[Job]:
        """Return the jobs that have not ended, of a group or of all."""
        for job in self.jobs.values():
            if not job.is_over and (group is None or job.group == group):
                yield job

    def working(self, group: Group, now_s: float) -> list[Job]:
        """Return the jobs that count for what is wanted: neither ending nor near their end."""
        return [
            job
            for job in self.live(group.name)
            if not job.is_ending and not group.is_ageing(job, now_s)
        ]

    def is_settled(self, now_s: float) -> bool:
        """Tell whether all is as wanted, so that there is no hurry to look again."""
        for group in self.groups.values():
            jobs = self.working(group, now_s)
            if not group.stopped and len(jobs) != group.wanted_count:
                return False
        return all(job.state is JobState.UP and job.bereft_s is None for job in self.live())

    # Jobs -----------------------------------------------------------------------------------

    def _seen(self, job: Job, sighting: Sighting, now_s: float) -> None:
        job.hosts = sighting.hosts or job.hosts
        if sighting.phase is Phase.ENDED:
            job.exit_code = sighting.exit_code
            self._ended(job, sighting, now_s)
            return
        if sighting.reason or job.state is JobState.PENDING:
            job.reason = sighting.reason
        if sighting.phase is Phase.RUNNING:
            if job.running_s is None:
                job.running_s = now_s
            if job.state is JobState.PENDING:
                job.state = JobState.STARTING
        elif job.state is JobState.STARTING:
            # It was put back into the queue; what it started is gone.
            job.state = JobState.PENDING
            job.running_s = None
        # (What looks so once may be a queue that is being reconfigured.)
        job.never_count = job.never_count + 1 if sighting.never else 0
        if job.never_count >= self.limits.never_looks and not job.is_ending:
            group = self.groups[job.group]
            self._give_up(group, f"job {job.id} can never start: {sighting.reason}", (job.name,))

    def _missed(self, job: Job, asked_s: float, now_s: float) -> None:
        """Take note that a look at the queue did not show a job."""
        # (One whose end is no surprise need not be looked for twice.)
        is_expected = job.is_ending or job.bereft_s is not None
        if asked_s < job.submitted_s + (0.0 if is_expected else self.limits.settle_s):
            return
        job.missed_count += 1
        if is_expected or job.missed_count >= self.limits.missing_looks:
            gone = Sighting(Phase.ENDED, job.reason or "it is in the queue no more")
            self._ended(job, gone, now_s)

    def _joined(self, job: Job, present: set[str], now_s: float) -> None:
        group = self.groups[job.group]
        if len(present) >= job.workers_count and not job.has_joined:
            job.up_s = now_s
            if job.running_s is None:
                job.running_s = now_s
            group.came_up(job, now_s)
        lived_s = 0.0 if job.up_s is None or not present else now_s - job.up_s
        if lived_s >= self.limits.short_life_s and not job.has_worked:
            job.has_worked = True
            group.forgive()
        if job.has_joined and job.state in (JobState.PENDING, JobState.STARTING):
            job.state = JobState.UP
            job.reason = ""
        if present or not job.workers:
            job.bereft_s = None if present else job.bereft_s
        else:
            job.bereft_s = now_s
        job.workers = present

    def _ended(self, job: Job, sighting: Sighting, now_s: float) -> None:
        was_ending = job.is_ending
        group = self.groups[job.group]
        reason = sighting.reason
        self._end(job, reason)
        if was_ending:
            return
        if job.up_s is None and sighting.cancelled:
            group.cancelled(self.limits, now_s)
        elif job.up_s is None and sighting.never:
            self._give_up(group, f"job {job.id} cannot start: {reason}", (job.name,))
        elif not (job.has_worked or sighting.cancelled):
            group.failed(job, f"job {job.id} ended: {reason}", self.limits, now_s)

    def _end(self, job: Job, reason: str) -> None:
        job.state = JobState.ENDED
        job.reason = reason
        job.workers = set()

    # Time that passes -----------------------------------------------------------------------

    def _watch(self, job: Job, now_s: float, commands: list[Command]) -> None:
        """See to a job that takes too long."""
        limits = self.limits
        if job.state is JobState.STARTING:
            if _is_past(job.running_s, limits.start_timeout_s, now_s):
                self._late(job, now_s)
                self._cancel(job, now_s, commands)
            return
        patience = {
            JobState.LEAVING: (job.asked_s, limits.leave_timeout_s),
            JobState.CANCELLING: (job.asked_s, limits.cancel_timeout_s),
            JobState.UP: (job.bereft_s, limits.bereft_timeout_s),
        }.get(job.state)
        if patience is not None and _is_past(*patience, now_s):
            self._cancel(job, now_s, commands)

    def _late(self, job: Job, now_s: float) -> None:
        """Take note that a job runs, but its workers do not come."""
        came = f"{len(job.workers)} of its {job.workers_count}"
        limit_s = self.limits.start_timeout_s
        text = f"job {job.id} runs on {job.hosts or 'some host'}, but {came} workers came"
        self.groups[job.group].failed(job, f"{text} within {limit_s:g} s", self.limits, now_s)

    def _cancel(self, job: Job, now_s: float, commands: list[Command]) -> None:
        job.state = JobState.CANCELLING
        job.asked_s = now_s
        commands.append(CancelJob(job.name, job.id))

    # Groups ---------------------------------------------------------------------------------

    def _judge(self, group: Group) -> None:
        verdict = "" if group.stopped else group.verdict(self.limits)
        if verdict:
            self._give_up(group, verdict, tuple(group.failed_jobs))

    def _give_up(self, group: Group, reason: str, jobs: tuple[str, ...]) -> None:
        if group.stopped:
            return
        group.stopped = reason
        self._given_up.append(GiveUp(group.name, reason, jobs))
        # The others are of the same kind.
        for job in self.live(group.name):
            if not job.has_joined:
                job.unwanted = True

    def _reconcile(self, group: Group, now_s: float, commands: list[Command]) -> None:
        if group.wanted_count == 0:
            surplus = [job for job in self.live(group.name) if not job.is_ending]
            self._reduce(surplus, len(surplus), now_s, commands)
            return
        jobs = self.working(group, now_s)
        if len(jobs) > group.wanted_count:
            self._reduce(jobs, len(jobs) - group.wanted_count, now_s, commands)
        elif len(jobs) < group.wanted_count and not group.stopped:
            self._add(group, group.wanted_count - len(jobs), now_s, commands)

    def _reduce(self, jobs: list[Job], count: int, now_s: float, commands: list[Command]) -> None:
        """Have so many of these end: first those whose end costs least."""
        jobs.sort(key=lambda job: (_SPARED[job.state], self._loads.get(job.name, 0), -job.made_s))
        for job in jobs[:count]:
            if job.state is JobState.SUBMITTING:
                job.unwanted = True
            elif job.workers:
                job.state = JobState.LEAVING
                job.asked_s = now_s
                commands.append(RetireWorkers(job.name, tuple(sorted(job.workers))))
            else:
                self._cancel(job, now_s, commands)

    def _add(self, group: Group, count: int, now_s: float, commands: list[Command]) -> None:
        if now_s < group.rests_until_s:
            self._wake(group.rests_until_s)
            return
        waiting_count = sum(job.state in _WAITING for job in self.live(group.name))
        for _ in range(min(count, self.limits.pending_max - waiting_count)):
            if self._tokens < 1.0:
                self._wake(now_s + (1.0 - self._tokens) * self.limits.submit_interval_s)
                return
            self._tokens -= 1.0
            group.jobs_count += 1
            name = f"{group.name}-{group.jobs_count}"
            self.jobs[name] = Job(name, group.name, group.workers_per_job, now_s)
            commands.append(SubmitJob(name, group.name))

    def _send_away(self, now_s: float, commands: list[Command]) -> None:
        """Have those leave that others have taken the place of."""
        known_s = self._strays_asked_s
        self._strays_asked_s = {
            name: known_s.get(name, now_s - self.limits.leave_timeout_s / 2)
            for name in self._strays
        }
        for name, workers in self._strays.items():
            # (Not at once: they may be on their way out.)
            if now_s >= self._strays_asked_s[name] + self.limits.leave_timeout_s:
                self._strays_asked_s[name] = now_s
                commands.append(RetireWorkers(name, tuple(sorted(workers))))

    def _wake(self, at_s: float) -> None:
        self.wake_s = at_s if self.wake_s is None else min(self.wake_s, at_s)

    def _fill_tokens(self, now_s: float) -> None:
        if self._tokens_at_s is not None:
            gained = (now_s - self._tokens_at_s) / self.limits.submit_interval_s
            self._tokens = min(self._tokens + gained, float(self.limits.submit_burst))
        self._tokens_at_s = now_s

    def _forget(self) -> None:
        ended = [name for name, job in self.jobs.items() if job.is_over]
        for name in ended[: max(0, len(ended) - _ENDED_MAX)]:
            del self.jobs[name]


def _is_past(since_s: float | None, timeout_s: float, now_s: float) -> bool:
    return since_s is not None and now_s >= since_s + timeout_s
