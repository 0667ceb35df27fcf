"""Adaptive scaling: how many jobs are asked for, and when they go."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.deploy.reconcile.adaptation import AdaptiveRules, Adaptor, Demand, Offer
from hocket.deploy.reconcile.jobs import Job, JobState

CPU = Offer(2)
GPU = Offer(2, {"GPU": 2.0})


class Group:
    """Jobs that come at once, and an adaptor that looks at them each second."""

    def __init__(self, lead_s=0.0, **rules):
        self.adaptor = Adaptor()
        self.adaptor.rules["cpu"] = AdaptiveRules(**rules)
        self.jobs = []
        self.loads = {}
        self.offer = CPU
        self.lead_s = lead_s
        self.now_s = 0.0
        self.made_count = 0

    def look(self, *demands, seconds=1.0):
        self.now_s += seconds
        counts = self.adaptor.decide(
            {"cpu": self.offer},
            {"cpu": self.jobs},
            {"cpu": self.lead_s},
            self.loads,
            demands,
            self.now_s,
        )
        return counts["cpu"]

    def obey(self, *demands, seconds=1.0, state=JobState.UP):
        count = self.look(*demands, seconds=seconds)
        while len(self.jobs) < count:
            self.made_count += 1
            self.jobs.append(Job(f"cpu-{self.made_count}", "cpu", 2, self.now_s, state))
        # As the machine does it: those go whose end costs least.
        self.jobs.sort(key=lambda job: -self.loads.get(job.name, 0))
        del self.jobs[count:]
        return count


def test_nothing_waits_nothing_is_wanted():
    assert Group().look() == 0
    assert Group(minimum=2).look() == 2


def test_tasks_that_wait_get_jobs_after_a_moment_and_not_more_than_allowed():
    group = Group(maximum=4)
    assert group.look(Demand(100)) == 0
    assert group.look(Demand(100)) == 4


def test_as_many_jobs_as_tasks_fill():
    group = Group()
    group.look(Demand(5))
    assert group.look(Demand(5)) == 3


def test_short_tasks_are_left_to_those_who_are_there():
    group = Group()
    for _ in range(5):
        count = group.obey(Demand(1000, duration_s=0.01))
    assert count == 1


def test_no_job_is_asked_for_that_comes_when_the_work_is_done():
    assert [
        [group.look(Demand(100, duration_s=6.0)) for _ in range(2)][-1]
        for group in (Group(lead_s=0.0, maximum=99), Group(lead_s=120.0, maximum=99))
    ] == [50, 3]


def test_those_on_their_way_count():
    group = Group()
    group.look(Demand(8))
    group.obey(Demand(8), state=JobState.PENDING)
    for _ in range(100):
        assert group.obey(Demand(8)) == 4
    assert group.made_count == 4


def test_an_idle_job_goes_after_a_while_and_a_busy_one_stays():
    group = Group(idle_timeout_s=60.0)
    group.look(Demand(4))
    group.obey(Demand(4))
    group.loads = {"cpu-1": 1}
    assert [group.obey() for _ in range(60)] == [2] * 60
    assert group.obey() == 1
    assert [job.name for job in group.jobs] == ["cpu-1"]
    group.loads = {}
    assert [group.obey() for _ in range(60)] == [1] * 60
    assert group.obey() == 0


def test_what_waits_goes_to_idle_jobs_first():
    group = Group(idle_timeout_s=60.0)
    group.look(Demand(4))
    group.obey(Demand(4))
    for _ in range(50):
        group.obey(Demand(4))
    assert group.made_count == 2


def test_a_pending_job_is_not_cancelled_as_soon_as_it_is_of_no_use():
    group = Group(idle_timeout_s=60.0)
    group.look(Demand(2))
    group.obey(Demand(2), state=JobState.PENDING)
    assert [group.obey() for _ in range(60)] == [1] * 60
    assert group.obey() == 0


def test_demand_that_comes_and_goes_does_not_flap():
    group = Group(idle_timeout_s=60.0)
    for second in range(600):
        demands = [Demand(8)] if second % 20 < 4 else []
        group.obey(*demands)
        group.loads = {job.name: 2 * bool(second % 20 < 10) for job in group.jobs}
    # None was ended that had to be asked for again.
    assert group.made_count == len(group.jobs)


def test_a_job_that_could_not_be_spared_is_let_be_for_a_while():
    group = Group(idle_timeout_s=60.0, minimum=0)
    group.look(Demand(2))
    group.obey(Demand(2))
    for _ in range(61):
        count = group.look()
    assert count == 0
    group.adaptor.busy("cpu-1")
    assert [group.look() for _ in range(60)] == [1] * 60


def test_tasks_go_where_their_resources_are_and_plain_ones_where_none_are():
    adaptor = Adaptor()
    adaptor.rules = {"gpu": AdaptiveRules(), "cpu": AdaptiveRules()}
    offers = {"gpu": GPU, "cpu": CPU}
    demands = [Demand(4), Demand(3, resources={"GPU": 1.0}), Demand(9, resources={"FPGA": 1.0})]
    jobs = {"gpu": [], "cpu": []}
    for now_s in (0.0, 1.0):
        counts = adaptor.decide(offers, jobs, {}, {}, demands, now_s)
    assert counts == {"gpu": 2, "cpu": 2}


def test_a_part_of_a_device_is_shared():
    adaptor = Adaptor()
    adaptor.rules = {"gpu": AdaptiveRules()}
    demands = [Demand(4, resources={"GPU": 0.5})]
    for now_s in (0.0, 1.0):
        counts = adaptor.decide({"gpu": GPU}, {"gpu": []}, {}, {}, demands, now_s)
    # (Two slots are what a job has.)
    assert counts == {"gpu": 2}


demand = st.builds(
    Demand,
    st.integers(1, 10_000),
    st.one_of(st.none(), st.floats(0.001, 1000.0)),
    st.dictionaries(st.sampled_from(["GPU", "FPGA"]), st.floats(0.0, 4.0), max_size=2),
)


@given(
    st.lists(st.tuples(st.lists(demand, max_size=3), st.integers(0, 4)), max_size=60),
    st.integers(0, 3),
    st.integers(3, 8),
    st.floats(0.0, 300.0),
)
def test_it_stays_within_its_bounds_and_never_takes_a_busy_job(history, minimum, maximum, lead_s):
    group = Group(lead_s=lead_s, minimum=minimum, maximum=maximum, idle_timeout_s=5.0)
    for demands, busy in history:
        before = len(group.jobs)
        count = group.obey(*demands)
        assert minimum <= count <= maximum
        assert count >= min(before, sum(map(bool, group.loads.values())))
        group.loads = {job.name: int(row < busy) for row, job in enumerate(group.jobs)}
    # Once there is nothing to do, it comes to the least.
    group.loads = {}
    for _ in range(12):
        count = group.obey()
    assert count == minimum


def test_no_job_is_asked_for_that_would_not_last():
    group = Group()
    group.offer = Offer(2, lasts_s=600.0)
    for _ in range(5):
        assert group.look(Demand(10, duration_s=3600.0)) == 0
    # What seems to be a little too long may be shorter.
    group.look(Demand(2, duration_s=900.0))
    assert group.look(Demand(2, duration_s=900.0)) == 1


def test_a_job_that_idles_since_it_ends_soon_is_no_reason_to_wait():
    group = Group(maximum=3)
    group.offer = Offer(2, lasts_s=3600.0)
    group.obey(Demand(2))
    group.obey(Demand(2))
    (job,) = group.jobs
    job.leaves_s = group.now_s + 300.0
    group.look(Demand(2, duration_s=200.0))
    assert group.look(Demand(2, duration_s=200.0)) == 1
    group.look(Demand(2, duration_s=1000.0))
    assert group.look(Demand(2, duration_s=1000.0)) == 2
