"""Actors in simulated runs: each call made once and in order, whatever dies or is cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from hocket.client.actor_book import ActorBook
from hocket.testing import Faults, draw_swarm, replay, simulate
from hocket.worker.actors import Actor, Actors, Call


def run(seed: int, **more: bool) -> Any:
    swarm = draw_swarm(seed)
    faults = replace(swarm.faults, actors=True, **more)
    return simulate(seed, swarm=replace(swarm, faults=faults, clients_count=2))


@pytest.mark.parametrize("first", [0, 8])
def test_runs_in_which_clients_call_actors(first):
    seen: Counter[str] = Counter()
    for seed in range(first, first + 8):
        report = run(seed, worker_crashes=seed % 2 == 0, cuts=True)
        assert report.finding is None, report.describe()
        for line in report.trace:
            for what in ("makes call", "RestoreActor", "ActorsRestarting", "killed by a call"):
                seen[what] += what in line
    assert seen["makes call"] > 50
    assert seen["RestoreActor"] > 5
    assert seen["ActorsRestarting"] > 5


def test_without_faults_all_calls_are_made():
    for seed in range(5):
        swarm = replace(draw_swarm(seed), faults=Faults(actors=True))
        report = simulate(seed, swarm=swarm)
        assert report.finding is None, report.describe()


def test_a_history_with_actors_is_the_same_again_from_its_deeds():
    report = run(3, worker_crashes=True)
    script = report.script
    again = replay(script.seed, script.swarm, script.until_s, script.deeds)
    assert again.finding is None
    assert again.trace == report.trace


def find(rule: str, seeds: range = range(200)) -> None:
    """See that runs notice what is wrong now."""
    found = set()
    for seed in seeds:
        report = run(seed, worker_crashes=True)
        if report.finding is not None:
            found.add(report.finding.rule)
            if rule in found:
                return
    raise AssertionError(f"{rule!r} is not among {found}")


def test_calls_that_are_sent_again_are_found(monkeypatch):
    monkeypatch.setattr(ActorBook, "_restart", lambda *_: None)
    find("no call is made twice")


def test_calls_out_of_order_are_found(monkeypatch):
    take = Actors.take

    def take_last(self: Actors, actor: Actor) -> Call | None:
        actor.calls.rotate(1)
        return take(self, actor)

    monkeypatch.setattr(Actors, "take", take_last)
    find("calls are made in the order of their caller")


@pytest.mark.slow
def test_a_checkpoint_that_says_too_little_is_found(monkeypatch):
    monkeypatch.setattr(Actor, "done", lambda self: dict.fromkeys(self.begun, 0))
    find("what is said to be lost is lost")


def test_a_caller_that_is_not_told_is_found(monkeypatch):
    monkeypatch.setattr(ActorBook, "_restarted", lambda *_: ValueError("nothing"))
    find("callers hear of what is lost")
