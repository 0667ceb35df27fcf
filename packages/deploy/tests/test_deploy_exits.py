"""How processes end, in words; and when the dead are not replaced any more."""

from __future__ import annotations

from hocket.deploy.exits import Restarts, cause_of_death, describe_exit


def test_causes_of_death_are_words() -> None:
    assert cause_of_death(9) == "killed by signal 9 (SIGKILL)"
    assert cause_of_death(3 << 8) == "exit code 3"
    assert describe_exit(-9) == "killed by signal 9 (SIGKILL)"
    assert describe_exit(-63) == "killed by signal 63"


def test_a_storm_of_deaths_ends_and_a_death_now_and_then_does_not_count() -> None:
    restarts = Restarts(deaths_max=3, period_s=60.0)
    assert [restarts.allow(0.1 * one) for one in range(5)] == [True, True, True, False, False]
    assert restarts.allow(61.0)
    assert all(restarts.allow(100.0 + 30.0 * one) for one in range(100))
