"""A seed is a history: the same bytes each time, whatever the order of sets and dicts."""

from __future__ import annotations

import os
import subprocess
import sys

from hocket.scheduler.moves import TRANSITIONS
from hocket.testing import simulate
from hocket.testing.__main__ import main

SEEDS = (3, 11, 12)

PROGRAM = """
import hashlib
from hocket.testing import simulate
for seed in {seeds}:
    text = "\\n".join(simulate(seed).trace)
    print(seed, len(text), hashlib.sha256(text.encode()).hexdigest())
"""


def digests(hash_seed):
    program = PROGRAM.format(seeds=SEEDS)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_two_runs_of_a_seed_are_equal():
    for seed in SEEDS:
        first, second = simulate(seed), simulate(seed)
        assert first.trace == second.trace
        assert len(first.trace) > 400


def test_two_seeds_differ():
    assert simulate(1).trace[2:] != simulate(2).trace[2:]


def test_runs_are_equal_under_any_hash_seed():
    first = digests("1")
    assert len(first.splitlines()) == len(SEEDS)
    assert first == digests("4711")


def test_command_tells_the_story_of_a_seed(capsys):
    assert main(["--seed", "3", "--steps", "200", "--workers", "2"]) == 0
    story = capsys.readouterr().out
    assert "starts at tcp://w0:1" in story
    assert "all is well" in story
    assert "1 histories of" in story


def test_command_runs_many_seeds(capsys):
    assert main(["--seeds", "5"]) == 0
    told = capsys.readouterr().out
    assert "5 histories of" in told
    assert "histories a minute" in told
    assert f"of {len(TRANSITIONS)} transitions were taken" in told
