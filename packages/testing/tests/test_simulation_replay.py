"""A history in writing: a script replays it to the byte, and a failing one shrinks."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest

from hocket.scheduler.state.outbox import WorkerOutbox
from hocket.testing import replay, shrink, simulate
from hocket.testing.__main__ import main
from hocket.testing.clock import Timeline
from hocket.testing.deeds import (
    CrashWorker,
    Cut,
    Hang,
    LimitLife,
    LoseValue,
    Release,
    RestartScheduler,
    RetireWorker,
    Scatter,
    Submit,
)
from hocket.testing.network import Network
from hocket.testing.programs import Behaviour, Spec
from hocket.testing.swarm import Faults, Swarm
from hocket.testing.trace import Trace
from hocket.worker.resources import Resources

SEEDS = range(20)
QUIET = Swarm(
    workers_count=2,
    threads_max=1,
    clients_count=1,
    fault_interval_s=1.0,
    user_interval_s=1.0,
    latency_s=0.001,
    duration_s=0.01,
    graph_tasks_max=3,
    silence_s=0.5,
    bandwidth_nbytes_per_s=1e7,
    held_inputs_part=0.0,
)


def run(text):
    """Run a script; return its report."""
    names = {}
    exec(text.replace("print(", "(", 1), names)
    return names["report"]


def keep_what_nobody_wants(monkeypatch):
    """Plant a bug: workers are told of some values only that they should drop them."""
    original = WorkerOutbox.drop

    def drop(self, key, attempt):
        if attempt % 7:
            original(self, key, attempt)

    monkeypatch.setattr(WorkerOutbox, "drop", drop)


def first_failure(seeds=range(300)):
    for seed in seeds:
        report = simulate(seed)
        if report.finding is not None:
            return report
    pytest.fail("nothing was found")


def test_a_script_gives_the_same_history():
    for seed in SEEDS:
        report = simulate(seed)
        assert run(report.script.text()).trace == report.trace


def test_some_of_the_deeds_are_a_history_as_well():
    for seed in SEEDS:
        script = simulate(seed).script
        for start in (0, 1):
            report = replay(seed, script.swarm, script.until_s, script.deeds[start::2])
            assert report.finding is None, report.describe()


def test_a_failing_history_shrinks_and_its_script_breaks_the_same_rule(monkeypatch, capsys):
    keep_what_nobody_wants(monkeypatch)
    failed = first_failure()
    short = shrink(failed)
    assert len(short.deeds) <= 6
    assert len(short.deeds) < len(failed.deeds)
    report = run(short.script.text())
    assert report.finding == short.finding
    assert report.trace == short.trace
    assert main(["--seed", str(failed.seed), "--shrink"]) == 1
    told = capsys.readouterr().out
    assert short.script.text() in told


def test_shrinking_leaves_faults_and_hosts_out(monkeypatch):
    monkeypatch.setattr(Resources, "release", lambda self, needs, *rest: None)
    failed = next(
        report
        for report in (simulate(seed) for seed in range(300))
        if report.finding is not None
        and len(report.swarm.faults.names()) > 3
        # (With actors it may be they whose resources are missed.)
        and not report.swarm.faults.actors
    )
    short = shrink(failed)
    assert not short.swarm.faults.names()
    [submit] = short.deeds
    # Clients are named in order, and none comes after the one that is needed.
    assert f"c{short.swarm.clients_count}" == submit.client
    assert len(submit.tasks) == 1


def test_effort_is_bounded(monkeypatch):
    keep_what_nobody_wants(monkeypatch)
    failed = first_failure()
    short = shrink(failed, events_max=1)
    assert short.finding.rule == failed.finding.rule


def test_deeds_that_make_no_sense_do_nothing():
    spec = Spec("t1", "add", 1, inputs=("t0",))
    deeds = [
        Release(0.1, "c1", ("t0",)),
        Submit(0.2, "c9", (spec,)),
        LoseValue(0.3, "w0", "t0"),
        Cut(0.4, "w9", 0.1),
        Submit(0.5, "c1", (spec, spec), ("t1",)),
    ]
    report = replay(1, QUIET, 1.0, deeds)
    assert report.finding is None, report.describe()
    assert report.results == {"value": 1}


def test_a_host_that_hangs_for_long_finds_its_session_over():
    spec = Spec("t1", "add", 1)
    long_s, short_s = 3 * QUIET.silence_s, QUIET.silence_s / 2
    calm = replay(1, QUIET, 1.0, [Submit(0.1, "c1", (spec,)), Hang(0.1001, "w0", short_s)])
    assert calm.finding is None, calm.describe()
    assert not any("is over" in line for line in calm.trace)
    lost = replay(1, QUIET, 1.0, [Hang(0.1, "w0", long_s), Submit(0.2, "c1", (spec,))])
    assert lost.finding is None, lost.describe()
    over = [line for line in lost.trace if "w0" in line and "was silent for too long" in line]
    assert len(over) == 2
    # The scheduler gives it up while it hangs; it learns of that when it goes on.
    assert 0.1 + QUIET.silence_s < float(over[0].split()[0]) < 0.1 + long_s
    assert float(over[1].split()[0]) >= 0.1 + long_s


def test_a_worker_that_holds_too_much_dies_and_comes_back():
    faults = replace(QUIET.faults, memory_shortage=True)
    specs = tuple(Spec(f"t{number}", "add", number, nbytes=400_000) for number in range(8))
    report = replay(1, replace(QUIET, faults=faults), 1.0, [Submit(0.1, "c1", specs)])
    assert report.finding is None, report.describe()
    assert any("out of memory" in line for line in report.trace)


def test_all_ends_when_the_scheduler_restarts():
    specs = tuple(Spec(f"t{number}", "add", number) for number in range(8))
    deeds = [
        Submit(0.1, "c1", specs),
        RestartScheduler(0.11),
        Submit(0.9, "c1", (Spec("t9", "mix", 4),)),
    ]
    report = replay(1, QUIET, 1.0, deeds)
    assert report.finding is None, report.describe()
    # A new client asked the new scheduler.
    assert report.results["value"] >= 1


def test_transfers_take_their_time():
    big = Spec("t1", "add", 1, nbytes=2_000_000)
    report = replay(1, QUIET, 5.0, [Submit(0.1, "c1", (big,))])
    assert report.finding is None, report.describe()
    asked, got = (
        next(float(line.split()[0]) for line in report.trace if words in line)
        for words in ("c1         asks", "c1         gets t1")
    )
    assert got - asked >= big.nbytes / QUIET.bandwidth_nbytes_per_s


def test_scripts_hold_plain_values_only():
    text = simulate(3).script.text()
    assert max(len(line) for line in text.splitlines()) <= 200
    assert json.dumps(text)
    assert "<" not in text


def test_tasks_that_wait_for_their_own_tasks_do_not_stand_still_on_one_thread():
    children = tuple(
        Spec(f"t1.{number}", "add", number, behaviour=Behaviour.PLAIN) for number in range(3)
    )
    nested = tuple(
        Spec(
            f"n{number}",
            "mix",
            number,
            behaviour=Behaviour.NESTED,
            children=tuple(replace(child, key=f"n{number}.{child.key}") for child in children),
        )
        for number in range(6)
    )
    report = replay(1, replace(QUIET, workers_count=1), 1.0, [Submit(0.1, "c1", nested)])
    assert report.finding is None, report.describe()
    # Six that the client has, and three that each of them has.
    assert report.results == {"value": 6 + 18}
    assert sum("secedes" in line for line in report.trace) >= 6


def test_poison_is_blamed_once_it_was_seen_running_on_three_workers_that_died():
    poison = Spec("t1", "add", 1, behaviour=Behaviour.POISON)
    others = tuple(Spec(f"t{number}", "add", number) for number in range(2, 12))
    report = replay(1, QUIET, 1.0, [Submit(0.1, "c1", (poison, *others))])
    assert report.finding is None, report.describe()
    assert report.results == {"WORKER_DIED": 1, "value": 10}
    assert sum("killed by t1" in line for line in report.trace) >= 3


def test_a_worker_that_leaves_in_order_hands_over_what_it_alone_holds():
    specs = tuple(Spec(f"t{number}", "add", number, nbytes=5000) for number in range(6))
    deeds = [Submit(0.1, "c1", specs), RetireWorker(0.5, "w0", 5.0)]
    report = replay(1, QUIET, 1.0, deeds)
    assert report.finding is None, report.describe()
    assert any("was let go" in line for line in report.trace)
    begun = [line for line in report.trace if " begins t" in line]
    assert len(begun) == len(specs)


def test_a_task_that_was_cut_short_is_done_by_a_worker_that_lasts():
    swarm = replace(QUIET, workers_count=1, duration_s=1.0)
    specs = tuple(Spec(f"t{number}", "add", number) for number in range(4))
    deeds = [LimitLife(0.0, "w0", 0.1, 0.01), Submit(2.0, "c1", specs)]
    cut_short = 0
    for seed in range(5):
        report = replay(seed, swarm, 20.0, deeds)
        assert report.finding is None, report.describe()
        assert report.results == {"value": 4}
        begun = [line for line in report.trace if " begins t" in line]
        cut_short += len(begun) > len(specs)
        # Each is known to be too long after one or two attempts of a tenth of a second.
        assert len(begun) <= 3 * len(specs), report.trace
    assert cut_short


def test_a_value_may_be_claimed_of_a_worker_that_came_after_the_one_it_was_put_on():
    swarm = replace(
        QUIET,
        latency_s=0.0002,
        bandwidth_nbytes_per_s=1e6,
        faults=replace(QUIET.faults, address_reuse=True),
    )
    sizes = {"d1": 10, "d2": 100_000}
    values = tuple(
        Spec(key, "", 7, behaviour=Behaviour.SCATTERED, nbytes=nbytes)
        for key, nbytes in sizes.items()
    )
    deeds = [Scatter(0.1, "c1", values, broadcast=True), CrashWorker(0.15, "w0")]
    came_before_the_claim = 0
    for seed in range(10):
        report = replay(seed, swarm, 0.15, deeds)
        assert report.finding is None, report.describe()
        came, claimed = (
            [number for number, line in enumerate(report.trace) if words in line]
            for words in ("w0         starts at tcp://w0:1", "says to scheduler: KeysScattered")
        )
        came_before_the_claim += len(came) == 2 and came[1] < claimed[0]
    assert came_before_the_claim


def test_a_slow_link_is_slow_and_not_dead():
    class Slowest(Random):
        def paretovariate(self, alpha):
            return 1e9

    network = Network(
        Timeline(), 1, Trace(Timeline()), replace(QUIET, faults=Faults(slow_links=True))
    )
    assert 100 * QUIET.latency_s < network.latency_s(Slowest(1)) < 10_000 * QUIET.latency_s
