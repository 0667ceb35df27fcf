"""Measuring in virtual time: makespans are what they must be, and nothing is left out."""

from __future__ import annotations

import pytest

from hocket.core.errors import InvariantBroken
from hocket.testing.measure import Work, run_graph

SHORT_S = 0.01


def chain(count, duration_s=0.1):
    return {
        f"t{number}": Work(duration_s, inputs=(f"t{number - 1}",) if number else ())
        for number in range(count)
    }


def test_a_chain_takes_its_length():
    measured = run_graph(chain(10), workers=3, threads=2)
    assert measured.critical_path_s == pytest.approx(1.0)
    assert 1.0 < measured.makespan_s < 1.0 + 10 * SHORT_S
    assert measured.executions_count == 10


def test_independent_tasks_are_spread_over_all_threads():
    graph = {f"t{number}": Work(0.1) for number in range(64)}
    measured = run_graph(graph, workers=4, threads=2)
    assert measured.bound_s == pytest.approx(0.8)
    assert measured.bound_s < measured.makespan_s < 1.25 * measured.bound_s
    assert set(measured.busy_s) == {"w0", "w1", "w2", "w3"}
    assert sum(measured.busy_s.values()) == pytest.approx(6.4)


def test_transfers_cost_time_and_are_counted():
    graph = {f"t{number}": Work(1.0, 10**8) for number in range(8)}
    graph["sum"] = Work(0.1, 8, tuple(graph))
    fast = run_graph(graph, workers=2, threads=2)
    slow = run_graph(graph, workers=2, threads=2, bandwidth_nbytes_per_s=1e8)
    # Some of it is elsewhere, wherever the sum is made, and comes in at one link.
    nbytes = fast.transferred_nbytes
    assert slow.transferred_nbytes == nbytes >= 2 * 10**8
    assert slow.transfers_count >= 1
    assert slow.makespan_s - fast.makespan_s == pytest.approx(nbytes / 1e8 - nbytes / 1e9)
    assert slow.held_nbytes_max == 8 * 10**8 + 8


def test_one_run_is_like_another():
    graph = {
        f"{row}.{column}": Work(
            0.001 * (1 + (row * column) % 7),
            10_000,
            tuple(f"{row - 1}.{(column + step) % 20}" for step in (-1, 0, 1)) if row else (),
        )
        for row in range(10)
        for column in range(20)
    }
    first, second = (run_graph(graph, workers=5, threads=2) for _ in range(2))
    assert first == second
    assert first.executions_count >= 200


def test_large_graphs_are_submitted_in_parts_and_nothing_is_kept_that_is_not_wanted():
    graph = chain(6000, 0.0001)
    measured = run_graph(graph, workers=2)
    assert measured.executions_count == 6000


def test_what_cannot_be_computed_is_an_error():
    with pytest.raises(InvariantBroken, match="never came"):
        run_graph({"a": Work(0.1)}, workers=0)
