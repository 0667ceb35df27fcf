"""joblib on a real cluster: calls within calls, large arguments, timeouts."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from hocket.client import Client

joblib = pytest.importorskip("joblib")
pytest.importorskip("hocket.client.joblib")


def inner(number: int) -> int:
    return number * 2


def outer(count: int) -> int:
    return sum(joblib.Parallel(n_jobs=2)(joblib.delayed(inner)(one) for one in range(count)))


def quiet(count: int) -> tuple[int, set[int]]:
    pids = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(count))
    return os.getpid(), set(pids)


def total(array: Any, number: int) -> float:
    return float(array.sum()) + number


@pytest.mark.slow
def test_calls_within_calls(client: Client) -> None:
    with joblib.parallel_config(backend="hocket", client=client):
        # More than there are slots; each waits for calls of its own.
        sums = joblib.Parallel()(joblib.delayed(outer)(one) for one in range(6))
        assert sums == [one * (one - 1) for one in range(6)]
        # Without a number of jobs there is one, where the call is.
        for pid, pids in joblib.Parallel()(joblib.delayed(quiet)(2) for _ in range(3)):
            assert pids == {pid}


def test_a_large_array(client: Client) -> None:
    np = pytest.importorskip("numpy")
    array = np.ones(500_000)
    with joblib.parallel_config(backend="hocket", client=client):
        totals = joblib.Parallel()(joblib.delayed(total)(array, one) for one in range(20))
    assert totals == [500_000.0 + one for one in range(20)]


def test_a_timeout(client: Client) -> None:
    with (
        joblib.parallel_config(backend="hocket", client=client),
        pytest.raises(Exception) as caught,  # joblib raises multiprocessing's
    ):
        joblib.Parallel(timeout=0.05)(joblib.delayed(time.sleep)(one) for one in [0, 0.5, 0])
    assert type(caught.value).__name__ == "TimeoutError"
