"""The task stream: nothing is lost by merging, and there is a bound to what is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hocket.diagnostics.model import Bar, Bars
from hocket.diagnostics.model.bars import RESOLUTIONS_S

tasks = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["inc", "sum", "load"]),
        st.floats(0, 0.5),
        st.floats(0, 0.3),
        st.booleans(),
    ),
    max_size=200,
)


def fill(drawn, bars_max=10_000, resolutions_s=RESOLUTIONS_S):
    bars = Bars(resolutions_s, bars_max)
    clocks = dict.fromkeys(range(4), 1000.0)
    for lane, group, gap_s, duration_s, failed in drawn:
        start_s = clocks[lane] + gap_s
        clocks[lane] = start_s + duration_s
        bars.add(lane, group, start_s, clocks[lane], failed=failed)
    return bars, clocks


@given(tasks)
def test_each_level_counts_every_task_once(drawn):
    bars, _ = fill(drawn)
    for index, level in enumerate(bars.levels):
        rows = level.closed.read().columns
        newest = bars.newest(index)
        assert sum(rows["tasks"]) + sum(bar.tasks for bar in newest) == len(drawn)
        assert sum(rows["failed"]) + sum(bar.failed for bar in newest) == sum(
            failed for *_, failed in drawn
        )
        busy_s = sum(rows["busy_s"]) + sum(bar.busy_s for bar in newest)
        assert abs(busy_s - sum(duration_s for *_, duration_s, _ in drawn)) < 1e-6


@given(tasks)
def test_a_lane_has_no_more_bars_than_pixels(drawn):
    bars, clocks = fill(drawn)
    for level in bars.levels:
        rows = level.closed.read().columns
        for lane, end_s in clocks.items():
            starts = [
                start_s
                for start_s, one in zip(rows["start_s"], rows["lane"], strict=True)
                if one == lane
            ]
            assert starts == sorted(starts)
            # Two that follow each other are never both within one pixel.
            assert len(starts) <= 2 * (end_s - 1000.0) / level.resolution_s + 2


def test_thousands_of_short_tasks_stay_within_what_a_browser_draws():
    bars = Bars()
    for number in range(60_000):  # A minute of a thousand a second, of two functions in turn.
        start_s = 1000.0 + number / 1000
        bars.add(0, ("inc", "dec")[number % 2], start_s, start_s + 0.0004)
    index = bars.level_for(60.0, 1, 5_000)
    rows = bars.levels[index].closed.read().columns
    assert 100 < len(rows["tasks"]) <= 5_000
    assert sum(rows["tasks"]) > 59_000


def test_the_finest_level_that_fits_is_chosen():
    bars = Bars()
    assert bars.level_for(1.0, 1, 5_000) == 0
    assert bars.levels[bars.level_for(3600.0, 8, 5_000)].resolution_s == 30.0
    assert bars.levels[bars.level_for(3600.0, 200, 5_000)].resolution_s == RESOLUTIONS_S[-1]
    assert bars.level_for(1e9, 100, 5_000) == len(RESOLUTIONS_S) - 1


@given(tasks, st.integers(1, 20), st.floats(0, 50))
def test_a_level_that_is_chosen_has_all_of_its_window(drawn, bars_max, ago_s):
    bars, clocks = fill(drawn, bars_max, (0.002, 0.05, 1.0))
    since_s = max(clocks.values()) - ago_s
    ended = 0
    clocks = dict.fromkeys(range(4), 1000.0)
    for lane, _, gap_s, duration_s, _ in drawn:
        clocks[lane] = (clocks[lane] + gap_s) + duration_s
        ended += clocks[lane] > since_s
    index = bars.level_for(1.0, 4, 10**9, since_s)
    rows = bars.levels[index].closed.read().columns
    found = sum(
        tasks
        for tasks, stop_s in zip(rows["tasks"], rows["stop_s"], strict=True)
        if stop_s > since_s
    ) + sum(bar.tasks for bar in bars.newest(index) if bar.stop_s > since_s)
    assert found >= ended or index == 2


def test_one_can_look_back_an_hour_at_five_thousand_tasks_a_second():
    bars = Bars()
    # (As finer levels merge them: of eight lanes, two functions in turn, busy all the time.)
    for number in range(8 * 3600 * 4):
        lane, at = number % 8, number // 8
        start_s = 1e9 + at * 0.25
        bars.levels[3].add(Bar(start_s, start_s + 0.25, lane, "ab"[at % 2], 156, 0, 0.25, 0, 0.25))
    for window_s in (60.0, 300.0, 3600.0):
        level = bars.levels[bars.level_for(window_s, 8, 5_000, 1e9)]
        rows = level.closed.read().columns
        inside = [start_s for start_s in rows["start_s"] if start_s < 1e9 + window_s]
        assert 50 < len(inside) <= 5_000
        assert min(inside) == 1e9
        # The newest minute is there in more detail.
        assert bars.level_for(60.0, 8, 5_000) == 3


def test_a_mixed_bar_is_of_the_group_that_took_most_time():
    bars = Bars((10.0,))
    bars.add(0, "short", 1000.0, 1000.1)
    bars.add(0, "long", 1000.1, 1002.0)
    (bar,) = bars.newest(0)
    assert (bar.group, bar.tasks) == ("long", 2)
