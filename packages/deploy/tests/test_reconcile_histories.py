"""The machine against a batch system that does whatever it likes, for histories of any kind."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from hocket.core.settings import JobsSettings
from hocket.deploy.reconcile.commands import CancelJob, GiveUp, RetireWorkers, SubmitJob
from hocket.deploy.reconcile.group import Group
from hocket.deploy.reconcile.jobs import JobState, Phase, Sighting
from hocket.deploy.reconcile.machine import Reconciler

LIMITS = JobsSettings(pending_max=4, submit_burst=3, submit_interval_s=0.5)
WANTED_MAX = 8


class BatchSystem(RuleBasedStateMachine):
    """Submissions, queue and workers; each rule lets a little happen."""

    @initialize(
        processes=st.integers(1, 3),
        walltime_s=st.sampled_from([None, 120.0, 3600.0]),
        tells_ends=st.booleans(),
    )
    def begin(self, processes, walltime_s, tells_ends):
        self.tells_ends = tells_ends
        self.machine = Reconciler(LIMITS)
        self.machine.add_group(
            Group("cpu", workers_per_job=processes, walltime_s=walltime_s, margin_s=10.0)
        )
        self.processes = processes
        self.now_s = 0.0
        self.submitting = []
        #: By id: name, phase, and the numbers of the workers that are there.
        self.queue = {}
        self.ids_count = 0
        self.submitted_s = []
        self.names = set()
        self.given_up = False
        self.is_kind = False

    # What is wanted

    @rule(count=st.integers(0, WANTED_MAX))
    def want(self, count):
        self.machine.want("cpu", count)
        self.given_up = False

    # What happens

    @rule(time_s=st.floats(0.0, 100.0))
    def time_passes(self, time_s):
        self.now_s += time_s

    @rule(data=st.data(), answer=st.sampled_from(["taken", "taken", "taken", "busy", "never"]))
    def answer_submission(self, data, answer):
        if not self.submitting:
            return
        name = self.submitting.pop(data.draw(st.integers(0, len(self.submitting) - 1)))
        if answer == "taken":
            self._take(name)
        else:
            self.machine.refused(name, answer, permanent=answer == "never", now_s=self.now_s)

    @rule(
        data=st.data(), what=st.sampled_from(["start", "join", "end", "vanish", "crash", "requeue"])
    )
    def something_happens_to_a_job(self, data, what):
        if not self.queue:
            return
        id_ = data.draw(st.sampled_from(sorted(self.queue)))
        job = self.queue[id_]
        if what == "start" and job["phase"] is Phase.PENDING:
            job["phase"] = Phase.RUNNING
        elif what == "join" and job["phase"] is Phase.RUNNING:
            job["workers"].add(data.draw(st.integers(0, self.processes - 1)))
        elif what == "crash":
            job["workers"].clear()
        elif what == "end":
            job["phase"] = Phase.ENDED
            job["workers"].clear()
        elif what == "vanish":
            del self.queue[id_]
        elif what == "requeue" and job["phase"] is Phase.RUNNING:
            job["phase"] = Phase.PENDING
            job["workers"].clear()

    @rule(never=st.booleans(), cancelled=st.booleans(), delay_s=st.floats(0.0, 5.0))
    def poll(self, never, cancelled, delay_s):
        asked_s = self.now_s
        seen = {
            id_: Sighting(
                job["phase"],
                "some reason",
                never=never and job["phase"] is Phase.PENDING,
                cancelled=cancelled and job["phase"] is Phase.ENDED,
            )
            for id_, job in self.queue.items()
        }
        self.now_s += delay_s
        self.machine.polled(seen, asked_s, self.now_s)

    @rule()
    def census(self):
        loads = {}
        for job in self.queue.values():
            for number in job["workers"]:
                several = f"-{number}" if self.processes > 1 else ""
                loads[f"{job['name']}{several}"] = number
        loads["somebody-else"] = 3
        lives_s = {worker: 3.0 * load for worker, load in loads.items() if self.tells_ends}
        self.machine.workers_seen(loads, self.now_s, lives_s)

    @rule()
    def turn(self):
        stopped = bool(self.machine.groups["cpu"].stopped)
        for command in self.machine.turn(self.now_s):
            if isinstance(command, SubmitJob):
                assert not stopped
                assert command.name not in self.names
                self.names.add(command.name)
                self.submitting.append(command.name)
                self.submitted_s.append(self.now_s)
            elif isinstance(command, CancelJob):
                assert command.id
                self._cancel(command.id)
            elif isinstance(command, RetireWorkers):
                assert command.workers
                self._retire(command.name)
            else:
                assert isinstance(command, GiveUp)
                assert not self.given_up
                self.given_up = True
        group = self.machine.groups["cpu"]
        working = self.machine.working(group, self.now_s)
        assert len(working) <= group.wanted_count
        waiting = [
            job
            for job in self.machine.live("cpu")
            if job.state in (JobState.SUBMITTING, JobState.PENDING) and not job.is_ending
        ]
        assert len(waiting) <= LIMITS.pending_max

    # It ends well

    @rule()
    def all_goes_well_from_now_on(self):
        """Whatever was before: with an honest queue it comes to what is wanted."""
        self.machine.want("cpu", 3)
        self.given_up = False
        self.tells_ends = False
        for job in self.machine.live():
            job.leaves_s = None
        for _ in range(120):
            self.now_s += 3.0
            while self.submitting:
                self._take(self.submitting.pop())
            for job in self.queue.values():
                if job["phase"] is not Phase.ENDED:
                    job["phase"] = Phase.RUNNING
                    job["workers"] = set(range(self.processes))
            self.poll(never=False, cancelled=False, delay_s=0.1)
            self.census()
            self.turn()
            group = self.machine.groups["cpu"]
            up = [
                job
                for job in self.machine.working(group, self.now_s)
                if job.state is JobState.UP and job.bereft_s is None
            ]
            if len(up) == 3 and group.walltime_s is None and self.machine.is_settled(self.now_s):
                break
            if len(up) == 3 and group.walltime_s is not None:
                break
        else:
            raise AssertionError("it never comes to what is wanted")
        assert not self.machine.groups["cpu"].stopped

    # What is always so

    @invariant()
    def submissions_keep_to_their_rate(self):
        times_s = getattr(self, "submitted_s", [])[-40:]
        for first in range(len(times_s)):
            for last in range(first, len(times_s)):
                allowed = LIMITS.submit_burst + (1 / LIMITS.submit_interval_s) * (
                    times_s[last] - times_s[first]
                )
                assert last - first + 1 <= allowed + 1e-6

    def _take(self, name):
        self.ids_count += 1
        id_ = f"{self.ids_count}"
        self.queue[id_] = {"name": name, "phase": Phase.PENDING, "workers": set()}
        self.machine.submitted(name, id_, self.now_s)

    def _cancel(self, id_):
        if id_ in self.queue:
            del self.queue[id_]

    def _retire(self, name):
        for id_, job in list(self.queue.items()):
            if job["name"] == name:
                del self.queue[id_]


TestBatchSystem = BatchSystem.TestCase
TestBatchSystem.settings = settings(max_examples=100, stateful_step_count=40)
