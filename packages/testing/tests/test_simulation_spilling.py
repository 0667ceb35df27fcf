"""Values that go to disk: in histories with bad disks, and in what the scheduler makes of it."""

from __future__ import annotations

from dataclasses import replace

from hocket.core.settings import WorkerSettings
from hocket.testing.measure import Work, run_graph
from hocket.testing.simulation import simulate
from hocket.testing.swarm import Faults, draw_swarm

MIB = 2**20


def test_histories_with_bad_disks_end_well():
    seen = dict.fromkeys(["spilled ", "unspilled ", "cannot read", "the disk is full"], 0)
    for seed in range(12):
        faults = Faults(spilling=True, disk_faults=True, big_values=True, stuck_values=True)
        swarm = replace(draw_swarm(seed), faults=faults, duration_s=0.0005)
        report = simulate(seed, swarm=swarm)
        assert report.finding is None, report.describe()
        for words in seen:
            seen[words] += sum(words in line for line in report.trace)
    assert all(seen.values()), seen


def reduction(leaves):
    """Return leaves of 10 MiB that are added up two by two."""
    graph = {f"0.{number}": Work(0.01, 10 * MIB, kind="leaf") for number in range(leaves)}
    row, names = 0, list(graph)
    while len(names) > 1:
        row += 1
        pairs = zip(names[::2], names[1::2], strict=True)
        names = []
        for number, pair in enumerate(pairs):
            names.append(f"{row}.{number}")
            graph[names[-1]] = Work(0.01, 10 * MIB, pair, kind="sum")
    return graph


SETTINGS = WorkerSettings(memory_spill=1.0)


def test_a_reduction_of_more_than_there_is_memory_is_held_back_and_hardly_spilled():
    measured = run_graph(
        reduction(128), workers=2, threads=2, memory_limit=200 * MIB, settings=SETTINGS
    )
    # (While nothing is known of the sizes, a few too many begin.)
    assert measured.spilled_nbytes < 0.05 * 255 * 10 * MIB
    assert measured.held_nbytes_max <= 160 * MIB


def test_results_that_are_all_wanted_go_to_disk_and_hold_nothing_back():
    graph = {f"t{number}": Work(0.01, 10 * MIB) for number in range(128)}
    measured = run_graph(
        graph, workers=2, threads=2, memory_limit=200 * MIB, settings=SETTINGS, wanted=graph
    )
    assert measured.spilled_nbytes >= (1280 - 2 * 120) * MIB
    assert measured.held_nbytes_max <= 200 * MIB
    # (One after the other it would take four times as long.)
    assert measured.makespan_s < 2 * measured.bound_s


def test_a_reduction_goes_on_beside_results_that_are_on_disk_and_is_still_held_back():
    graph = {f"kept{number}": Work(0.01, 10 * MIB, kind="kept") for number in range(64)}
    kept = list(graph)
    sums = reduction(64)
    # It begins when those are there.
    graph |= {key: replace(work, priority=1) for key, work in sums.items()}
    measured = run_graph(
        graph,
        workers=2,
        threads=2,
        memory_limit=200 * MIB,
        settings=SETTINGS,
        wanted=[*kept, list(sums)[-1]],
    )
    # Hardly more than what was kept is written.
    assert measured.spilled_nbytes <= (640 + 240) * MIB
    assert measured.makespan_s < 2.5 * measured.bound_s
