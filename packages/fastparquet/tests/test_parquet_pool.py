"""Row ranges, tasks on threads, and progress."""

import io
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.dataset.progress import (
    Progress,
    ProgressMeter,
    TextProgress,
    progress_callback,
)
from hocket.parquet.dataset.selection import RowRanges
from hocket.parquet.pool import run_tasks

_ROWS = st.sets(st.integers(0, 12)).map(sorted)


def ranges_of(rows: list[int]) -> RowRanges:
    starts = np.array(rows, np.int64)
    return RowRanges.of_pieces(starts, starts + 1)


@given(_ROWS, _ROWS)
def test_ranges_are_sets_of_rows(one, other):
    first, second = ranges_of(one), ranges_of(other)
    assert first.rows().tolist() == one
    assert first.count == len(one)
    assert (first & second).rows().tolist() == sorted(set(one) & set(other))
    assert (first | second).rows().tolist() == sorted(set(one) | set(other))
    # Ranges that touch are joined, so equal sets are equal.
    assert (first | second) == ranges_of(sorted({*one, *other}))


def test_all_rows():
    assert RowRanges.of_all(5).rows().tolist() == [0, 1, 2, 3, 4]
    assert RowRanges.of_all(0).count == 0
    assert (RowRanges.of_all(0) & RowRanges.of_all(0)).rows().tolist() == []


def test_every_task_is_done_once_and_several_at_a_time():
    together = threading.Barrier(3, timeout=10)
    done = []

    def task(number: int) -> None:
        together.wait()
        done.append(number)

    run_tasks([lambda n=n: task(n) for n in range(9)], threads=3)
    assert sorted(done) == list(range(9))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_stops_the_rest_and_leaves_nothing_running(threads):
    done = []
    before = threading.active_count()

    def task(number: int) -> None:
        done.append(number)
        if number == 5:
            raise ValueError("task 5")

    with pytest.raises(ValueError, match="task 5"):
        run_tasks([lambda n=n: task(n) for n in range(1000)], threads)
    assert len(done) < 1000
    assert threading.active_count() == before


def test_an_interrupt_reaches_the_caller_after_running_tasks_ended():
    started = threading.Event()
    ended = []

    def slow() -> None:
        started.set()
        release.wait(10)
        ended.append(True)

    def interrupted() -> None:
        started.wait(10)
        release.set()
        raise KeyboardInterrupt

    release = threading.Event()
    main = threading.current_thread()

    def either() -> None:
        if threading.current_thread() is main:
            interrupted()
        slow()

    with pytest.raises(KeyboardInterrupt):
        run_tasks([either, either, either], 2)
    assert ended == [True]


def test_progress_is_told_and_shown():
    told = []
    meter = ProgressMeter(told.append, 200)
    meter.advance(50)
    meter.advance(150)
    assert [each.fraction for each in told] == [0.25, 1.0]
    assert all(each.elapsed_s >= 0 for each in told)
    ProgressMeter(None, 5).advance(5)
    stream = io.StringIO()
    show = TextProgress(stream, interval_s=1.0)
    for done, elapsed_s in ((10, 0.1), (20, 0.2), (50, 1.5), (100, 1.6)):
        show(Progress(done, 100, elapsed_s))
    lines = stream.getvalue().split("\r")[1:]
    assert ["10%" in lines[0], "50%" in lines[1], "100%" in lines[2]] == [True] * 3
    assert lines[2].endswith("\n")


def test_who_is_told_of_progress():
    assert progress_callback(None) is None
    assert progress_callback(progress=False) is None
    assert isinstance(progress_callback(progress=True), TextProgress)
    assert progress_callback(print) is print
    assert Progress(0, 0, 0.0).fraction == 1.0
