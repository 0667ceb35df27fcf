"""Many threads, many clients, and clients that are killed: `tools/clients_stress.py`, for a moment.

At length: ``make stress``.
"""

from __future__ import annotations

import random

import pytest

from clients_stress import stress_clients, stress_kills, stress_threads


@pytest.fixture
def seed() -> int:
    return random.randrange(1 << 30)


@pytest.mark.slow
def test_many_threads_use_one_client(seed: int) -> None:
    outcome = stress_threads(1, seed, threads_count=20)
    assert not outcome.faults, f"seed {seed}\n{outcome}"
    assert sum(outcome.deeds.values()) >= 20


@pytest.mark.slow
def test_many_clients_use_one_scheduler(seed: int) -> None:
    outcome = stress_clients(1, seed, clients_count=20)
    assert not outcome.faults, f"seed {seed}\n{outcome}"
    assert outcome.deeds["of the client that did least"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_clients_are_killed_and_stopped_and_nothing_is_stuck(seed: int) -> None:
    outcome = stress_kills(0, seed, victims_count=2, kills_count=3)
    assert not outcome.faults, f"seed {seed}\n{outcome}"
    assert outcome.deeds["held"]
