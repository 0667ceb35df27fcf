"""The machine that keeps jobs as they are wanted: single cases, each with its own short history."""

from __future__ import annotations

from hocket.core.settings import JobsSettings
from hocket.deploy.reconcile.commands import CancelJob, GiveUp, RetireWorkers, SubmitJob
from hocket.deploy.reconcile.group import Group
from hocket.deploy.reconcile.jobs import JobState, Phase, Sighting
from hocket.deploy.reconcile.machine import Reconciler

PENDING = Sighting(Phase.PENDING, "Priority")
RUNNING = Sighting(Phase.RUNNING, hosts="n1")
FAILED = Sighting(Phase.ENDED, "FAILED, NonZeroExitCode")
CANCELLED = Sighting(Phase.ENDED, "CANCELLED", cancelled=True)


class History:
    """A machine, and a clock that goes on by itself; ids are ``#`` and the job's name."""

    def __init__(self, limits=None, **group):
        self.machine = Reconciler(limits or JobsSettings())
        self.machine.add_group(Group("cpu", **group))
        self.now_s = 1000.0
        self.commands = []

    def turn(self, after_s=1.0):
        self.now_s += after_s
        self.commands = self.machine.turn(self.now_s)
        return self.commands

    def of(self, kind):
        return [one for one in self.commands if isinstance(one, kind)]

    def submit_all(self):
        names = [one.name for one in self.of(SubmitJob)]
        for name in names:
            self.machine.submitted(name, f"#{name}", self.now_s)
        return names

    def poll(self, after_s=1.0, **sightings):
        """Look at the queue; jobs are named cpu1 for cpu-1."""
        self.now_s += after_s
        seen = {f"#cpu-{name[3:]}": sighting for name, sighting in sightings.items()}
        self.machine.polled(seen, self.now_s - 0.1, self.now_s)

    def joined(self, *workers, **loads):
        self.machine.workers_seen({**dict.fromkeys(workers, 0), **loads}, self.now_s)

    def up(self, count):
        """Have so many jobs with their workers."""
        self.machine.want("cpu", count)
        self.turn()
        names = self.submit_all()
        self.poll(**{f"cpu{name[4:]}": RUNNING for name in names})
        self.joined(*names)
        assert self.turn() == []
        return names

    def state(self, name):
        return self.machine.jobs[name].state


def test_what_is_wanted_is_submitted_once():
    history = History()
    history.machine.want("cpu", 3)
    assert history.turn() == [SubmitJob(f"cpu-{n}", "cpu") for n in (1, 2, 3)]
    assert history.turn() == []
    history.submit_all()
    assert history.turn() == []


def test_a_job_goes_from_pending_to_up():
    history = History()
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    assert history.state("cpu-1") is JobState.PENDING
    history.poll(cpu1=PENDING)
    assert history.machine.jobs["cpu-1"].reason == "Priority"
    history.poll(cpu1=RUNNING)
    assert history.state("cpu-1") is JobState.STARTING
    history.joined("cpu-1")
    assert history.state("cpu-1") is JobState.UP
    assert history.machine.is_settled(history.now_s)


def test_a_job_with_two_processes_is_up_when_both_are_there():
    history = History(workers_per_job=2)
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    history.poll(cpu1=RUNNING)
    history.joined("cpu-1-0")
    assert history.state("cpu-1") is JobState.STARTING
    history.joined("cpu-1-0", "cpu-1-1.3")
    assert history.state("cpu-1") is JobState.UP


def test_one_that_is_cancelled_from_outside_is_replaced():
    history = History()
    history.up(2)
    history.joined("cpu-2")
    history.poll(cpu1=CANCELLED, cpu2=RUNNING)
    assert history.turn() == [SubmitJob("cpu-3", "cpu")]


def test_one_that_vanishes_with_its_workers_is_replaced_after_one_look():
    history = History()
    history.up(2)
    history.joined("cpu-2")
    history.poll(cpu2=RUNNING)
    assert history.turn() == [SubmitJob("cpu-3", "cpu")]


def test_one_that_a_look_misses_is_not_given_up_at_once():
    history = History()
    history.up(1)
    history.poll(after_s=10.0)
    assert history.turn() == []
    history.poll(after_s=10.0, cpu1=RUNNING)
    history.poll(after_s=10.0)
    assert history.turn() == []
    history.poll(after_s=10.0)
    assert history.turn() == [SubmitJob("cpu-2", "cpu")]


def test_failures_in_a_row_rest_longer_and_end_in_giving_up():
    history = History()
    history.machine.want("cpu", 1)
    rests_s = []
    for number in (1, 2, 3):
        ended_s = history.now_s
        while not history.of(SubmitJob) and not history.of(GiveUp):
            history.turn(0.1)
        rests_s.append(history.now_s - ended_s)
        history.submit_all()
        history.poll(**{f"cpu{number}": FAILED})
        history.commands = []
    (stop,) = history.turn()
    assert isinstance(stop, GiveUp)
    assert "3 jobs in a row failed to start" in stop.reason
    assert "NonZeroExitCode" in stop.reason
    assert stop.jobs == ("cpu-1", "cpu-2", "cpu-3")
    assert rests_s == sorted(rests_s)
    assert history.turn(1000.0) == []


def test_wanting_again_begins_anew():
    history = History()
    history.machine.want("cpu", 1)
    history.turn()
    name = history.of(SubmitJob)[0].name
    history.machine.refused(name, "no such partition", permanent=True, now_s=history.now_s)
    (stop,) = history.turn()
    assert "no such partition" in stop.reason
    history.machine.want("cpu", 1)
    assert history.turn() == [SubmitJob("cpu-2", "cpu")]


def test_a_passing_refusal_is_tried_again():
    history = History()
    history.machine.want("cpu", 1)
    history.turn()
    history.machine.refused("cpu-1", "timed out", permanent=False, now_s=history.now_s)
    assert history.turn(0.1) == []
    assert history.machine.wake_s is not None
    assert history.turn(1.0) == [SubmitJob("cpu-2", "cpu")]


def test_what_can_never_start_is_cancelled_and_given_up():
    history = History()
    history.machine.want("cpu", 2)
    history.turn()
    history.submit_all()
    never = Sighting(Phase.PENDING, "PartitionTimeLimit", never=True)
    history.poll(cpu1=never, cpu2=never)
    assert history.turn() == []
    history.poll(cpu1=never, cpu2=never)
    history.turn()
    assert {one.id for one in history.of(CancelJob)} == {"#cpu-1", "#cpu-2"}
    (stop,) = history.of(GiveUp)
    assert "can never start: PartitionTimeLimit" in stop.reason


def test_pending_jobs_are_capped_and_submissions_rated():
    history = History(JobsSettings(pending_max=5, submit_burst=3, submit_interval_s=1.0))
    history.machine.want("cpu", 100)
    assert len(history.turn()) == 3
    history.submit_all()
    assert len(history.turn(1.0)) == 1
    history.submit_all()
    assert len(history.turn(100.0)) == 1
    history.submit_all()
    assert history.turn(100.0) == []
    history.poll(cpu1=RUNNING, cpu2=PENDING, cpu3=PENDING, cpu4=PENDING, cpu5=PENDING)
    assert len(history.turn()) == 1


def test_fewer_are_wanted_those_whose_end_costs_least_go_first():
    history = History()
    history.up(2)
    history.machine.want("cpu", 4)
    history.turn()
    history.machine.submitted("cpu-3", "#cpu-3", history.now_s)
    history.joined("cpu-1", **{"cpu-2": 7})
    history.machine.want("cpu", 1)
    history.turn()
    assert history.of(CancelJob) == [CancelJob("cpu-3", "#cpu-3")]
    assert history.of(RetireWorkers) == [RetireWorkers("cpu-1", ("cpu-1",))]
    history.machine.submitted("cpu-4", "#cpu-4", history.now_s)
    assert history.turn() == [CancelJob("cpu-4", "#cpu-4")]


def test_workers_that_do_not_leave_in_time_are_cancelled():
    history = History(JobsSettings(leave_timeout_s=60.0, cancel_timeout_s=30.0))
    history.up(1)
    history.machine.want("cpu", 0)
    assert history.turn() == [RetireWorkers("cpu-1", ("cpu-1",))]
    assert history.turn(59.0) == []
    assert history.turn(1.0) == [CancelJob("cpu-1", "#cpu-1")]
    assert history.turn(29.0) == []
    assert history.turn(1.0) == [CancelJob("cpu-1", "#cpu-1")]
    history.poll()
    assert history.turn(100.0) == []


def test_a_job_whose_workers_do_not_come_is_cancelled_and_counts_as_failed():
    history = History(JobsSettings(start_timeout_s=120.0, failures_max=1))
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    history.poll(cpu1=RUNNING)
    history.turn(120.0)
    assert history.of(CancelJob) == [CancelJob("cpu-1", "#cpu-1")]
    assert "0 of its 1 workers came" in history.of(GiveUp)[0].reason


def test_a_job_that_runs_on_without_workers_is_cancelled_and_replaced():
    history = History(JobsSettings(bereft_timeout_s=30.0))
    history.up(1)
    history.joined()
    assert not history.machine.is_settled(history.now_s)
    assert history.turn(29.0) == []
    assert history.turn(2.0) == [CancelJob("cpu-1", "#cpu-1"), SubmitJob("cpu-2", "cpu")]


def test_one_that_is_near_its_end_is_replaced_before_it():
    history = History(walltime_s=600.0, margin_s=60.0)
    history.up(1)
    assert history.turn(500.0) == []
    # (A job took less than a second to come, and is given five.)
    assert history.turn(36.0) == [SubmitJob("cpu-2", "cpu")]
    history.submit_all()
    history.poll(cpu1=RUNNING, cpu2=RUNNING)
    history.joined("cpu-1", "cpu-2")
    assert history.turn() == []
    history.joined("cpu-2")
    history.poll(cpu1=Sighting(Phase.ENDED, "COMPLETED"), cpu2=RUNNING)
    assert history.turn() == []
    assert history.machine.is_settled(history.now_s)


def test_what_workers_tell_of_their_end_goes_before_what_was_asked_for():
    history = History(walltime_s=600.0, margin_s=60.0)
    history.up(1)
    history.machine.workers_seen({"cpu-1": 0}, history.now_s, {"cpu-1": 300.0})
    assert history.turn(290.0) == []
    assert history.turn(6.0) == [SubmitJob("cpu-2", "cpu")]


def test_an_end_that_only_the_workers_know_of():
    history = History(workers_per_job=2)
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    history.poll(cpu1=RUNNING)
    workers = {"cpu-1-0": 0, "cpu-1-1": 0}
    history.machine.workers_seen(workers, history.now_s, {"cpu-1-0": 400.0, "cpu-1-1": 350.0})
    assert history.turn(340.0) == []
    assert history.turn(6.0) == [SubmitJob("cpu-2", "cpu")]


def test_half_of_a_short_life_is_of_use():
    # (No job has come yet, so a new one is given half a minute.)
    history = History(walltime_s=40.0, margin_s=10.0)
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    history.poll(cpu1=RUNNING)
    assert history.turn(14.0) == []
    assert history.turn(2.0) == [SubmitJob("cpu-2", "cpu")]


def test_none_wanted_ends_the_old_one_too():
    history = History(walltime_s=600.0, margin_s=60.0)
    history.up(1)
    history.turn(560.0)
    history.submit_all()
    history.machine.want("cpu", 0)
    history.turn()
    assert history.of(RetireWorkers) == [RetireWorkers("cpu-1", ("cpu-1",))]
    assert history.of(CancelJob) == [CancelJob("cpu-2", "#cpu-2")]


def test_one_that_is_put_back_into_the_queue_waits_again():
    history = History(JobsSettings(start_timeout_s=10.0))
    history.machine.want("cpu", 1)
    history.turn()
    history.submit_all()
    history.poll(cpu1=RUNNING)
    history.poll(cpu1=PENDING)
    assert history.state("cpu-1") is JobState.PENDING
    assert history.turn(100.0) == []


def test_jobs_that_others_cancel_again_and_again_end_in_giving_up():
    history = History()
    history.machine.want("cpu", 1)
    for _ in range(100):
        history.turn(60.0)
        if history.of(GiveUp):
            break
        names = history.submit_all()
        history.poll(**{f"cpu{name[4:]}": CANCELLED for name in names})
    assert "10 jobs in a row were cancelled from outside" in history.of(GiveUp)[0].reason


def test_jobs_that_come_up_and_die_at_once_are_failures():
    history = History()
    history.machine.want("cpu", 1)
    for _ in range(20):
        history.turn(60.0)
        if history.of(GiveUp):
            return
        for name in history.submit_all():
            history.poll(**{f"cpu{name[4:]}": RUNNING})
            history.joined(name)
            history.poll(after_s=0.5, **{f"cpu{name[4:]}": FAILED})
    raise AssertionError("it goes on for ever")


def test_ended_jobs_are_remembered_but_not_for_ever():
    history = History()
    history.machine.want("cpu", 1)
    for _ in range(300):
        history.turn(60.0)
        for name in history.submit_all():
            number = name[4:]
            history.poll(**{f"cpu{number}": RUNNING})
            history.joined(name)
            history.poll(after_s=60.0, **{f"cpu{number}": FAILED})
    history.turn()
    assert len(history.machine.jobs) <= 201


def test_workers_whose_job_has_ended_are_sent_away():
    history = History(JobsSettings(leave_timeout_s=60.0))
    history.up(1)
    for _ in range(3):
        history.poll(after_s=10.0)
    history.joined("cpu-1")
    assert history.turn() == [SubmitJob("cpu-2", "cpu")]
    history.joined("cpu-1")
    assert history.turn(29.0) == []
    assert history.turn(1.0) == [RetireWorkers("cpu-1", ("cpu-1",))]
    history.joined()
    assert history.turn(100.0) == []


def test_workers_that_cannot_be_spared_stay_only_if_nobody_insists():
    history = History()
    history.up(2)
    history.machine.resize("cpu", 1)
    (retire,) = history.turn()
    history.machine.stayed(retire.name)
    assert history.state(retire.name) is JobState.UP
    history.machine.want("cpu", 0)
    for command in history.turn():
        history.machine.stayed(command.name)
    history.turn()
    assert {one.name for one in history.of(CancelJob)} == {"cpu-1", "cpu-2"}
