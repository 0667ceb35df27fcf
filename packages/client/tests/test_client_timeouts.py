"""Time-outs of tasks, as the client asks for them and hears of them."""

from __future__ import annotations

import functools
import math
import pickle
from typing import Any

import pytest

from hocket.client import Client
from hocket.client.failures import error_of_failure
from hocket.client.options import make_options
from hocket.core.errors import SettingsError, TaskTimedOut
from hocket.protocol.messages import Failure, FailureKind, SubmitTasks


def increment(x: int) -> int:
    return x + 1


def wait_at_most(timeout: float) -> float:
    return timeout


def test_limits_are_times_above_zero() -> None:
    assert make_options(timeout=3).timeout_s == 3.0
    assert make_options(timeout="2 min").timeout_s == 120.0
    assert make_options().timeout_s == 0.0
    for wrong in (0, -1, math.inf, math.nan, "soon", "0 s"):
        with pytest.raises(SettingsError, match="timeout"):
            make_options(timeout=wrong)


def test_they_travel_with_the_tasks(client: Client, scheduler: Any) -> None:
    client.submit(increment, 1, timeout=1.5).result(10)
    client.gather(client.map(increment, [1], timeout="2 s"))
    client.get({"a": (increment, 1)}, "a", task_timeout=3)
    client.gather(client.get_executor(timeout=4).submit(increment, 1).result(10))
    limits = [message.timeout_s for message in scheduler.of(SubmitTasks)]
    assert limits == [1.5, 2.0, 3.0, 4.0]


def test_a_function_may_have_a_timeout_of_its_own(client: Client) -> None:
    for call in (client.submit, client.map):
        with pytest.raises(TypeError, match=r"functools\.partial\(function, timeout=\.\.\.\)"):
            call(wait_at_most, [1], timeout=3)
    bound = functools.partial(wait_at_most, timeout=7)
    assert client.submit(bound, timeout=3).result(10) == 7
    assert client.submit(len, "ab", timeout=3).result(10) == 2


def test_the_error_names_the_task_and_the_limit() -> None:
    failure = Failure(FailureKind.TIMED_OUT, "a", "2.5\nit was interrupted", b"", "w0", 3)
    error = error_of_failure(failure, "b")
    assert isinstance(error, TaskTimedOut)
    assert (error.key, error.limit_s, error.outcome) == ("a", 2.5, "it was interrupted")
    assert str(error) == "task 'a' ran longer than its time-out of 2.5 s; it was interrupted"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert error.__notes__ == ["task 'a' on worker w0, attempt 3; 'b' depends on it"]


def test_whatever_a_peer_says_it_is_an_error() -> None:
    error = error_of_failure(Failure(FailureKind.TIMED_OUT, "a", "long"), "a")
    assert isinstance(error, TaskTimedOut)
    assert math.isnan(error.limit_s)
