"""What the joblib backend answers and sends, against a scheduler that runs all at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hocket.client import Client
from hocket.core.errors import SettingsError
from hocket.protocol.messages import KeysScattered, SubmitTasks

joblib = pytest.importorskip("joblib")
np = pytest.importorskip("numpy")

from hocket.client.joblib import HocketBackend, _Rows  # noqa: E402 - joblib may be absent

CALL = joblib.delayed(divmod)


def add(x: Any, y: Any = 0) -> Any:
    return x + y


def test_calls_run_on_the_cluster(client: Client, scheduler: Any) -> None:
    with joblib.parallel_config(backend="hocket", client=client, priority=3):
        calls = (CALL(one, 7) for one in range(50))
        assert joblib.Parallel(batch_size=5)(calls) == [divmod(one, 7) for one in range(50)]
    messages = scheduler.of(SubmitTasks)
    assert {message.priority for message in messages} == {3}
    assert sum(len(message.payloads) for message in messages) < 25
    assert {label for message in messages for label in message.labels} == {"divmod"}
    # The function was sent once.
    assert sum(blob is not None for message in messages for blob in message.blobs) == 1


def test_calls_of_several_functions(client: Client) -> None:
    with joblib.parallel_config(backend="hocket", client=client):
        calls = [joblib.delayed(one)(-3) for one in (abs, str, bool)]
        assert joblib.Parallel(batch_size=3)(calls) == [3, "-3", True]


def add_with(x: int, *, y: int = 0) -> int:
    return x + y


def test_calls_with_keywords_and_without(client: Client) -> None:
    with joblib.parallel_config(backend="hocket", client=client):
        call = joblib.delayed(add_with)
        parallel = joblib.Parallel(batch_size=3)
        assert parallel([call(1), call(2, y=5), call(x=3)]) == [1, 7, 3]


def test_batches_that_end_too_soon_grow_by_what_they_are_short_of(client: Client) -> None:
    backend = HocketBackend(client=client)
    backend.parallel = SimpleNamespace(verbose=0)
    assert backend.compute_batch_size() == 1
    backend.batch_completed(1, 0.001)
    assert backend.compute_batch_size() == 50
    # What is told of a batch of another size counts for nothing.
    backend.batch_completed(1, 0.001)
    assert backend.compute_batch_size() == 50
    backend.batch_completed(50, 0.025)
    assert backend.compute_batch_size() == 100
    backend.batch_completed(100, 0.3)
    assert backend.compute_batch_size() == 100
    backend.reset_batch_stats()
    assert backend.compute_batch_size() == 1


def ended(values: list[Any], ran_s: float) -> Any:
    """Return the future of a batch that has ended."""
    return SimpleNamespace(exception=lambda: None, result=lambda: (values, ran_s))


def test_what_counts_of_a_batch_is_how_long_its_calls_ran(client: Client) -> None:
    backend = HocketBackend(client=client)
    backend.parallel = SimpleNamespace(verbose=0)
    for size, ran_s, away_s, following in [
        (1, 1e-5, 0.002, 64),  # Not more at once, however quick the first is.
        (64, 6.4e-4, 0.004, 3200),  # Most of the time it was on its way, with little to carry.
        (3200, 0.01, 0.15, 4266),  # It is slow for what it carries: it grows as far as that goes.
        (4266, 0.01, 0.3, 4266),
        (4266, 0.06, 0.1, 4266),
        (4266, 5.0, 5.2, 84),  # As joblib has it.
    ]:
        assert backend.retrieve_result_callback(ended([7] * size, ran_s)) == [7] * size
        backend._smoothed_batch_duration = 0.0  # (Else it is the average of some.)
        backend.batch_completed(size, away_s)
        assert backend.compute_batch_size() == following
    # Of a batch that failed only the time is known until it was heard of.
    backend.reset_batch_stats()
    backend.batch_completed(1, 0.025)
    assert backend.compute_batch_size() == 2


def test_results_as_they_come(client: Client) -> None:
    with joblib.parallel_config(backend="hocket", client=client):
        parallel = joblib.Parallel(return_as="generator")
        assert list(parallel(CALL(one, 2) for one in range(9))) == [divmod(n, 2) for n in range(9)]
        parallel = joblib.Parallel(return_as="generator_unordered")
        assert sorted(parallel(CALL(one, 2) for one in range(9))) == sorted(
            divmod(n, 2) for n in range(9)
        )


def test_an_error_ends_it_and_says_where(client: Client) -> None:
    with (
        joblib.parallel_config(backend="hocket", client=client),
        joblib.Parallel() as parallel,
    ):
        with pytest.raises(ZeroDivisionError) as caught:
            parallel(CALL(1, one) for one in [1, 1, 0, 1])
        assert any("raised here" in note for note in caught.value.__notes__)
        assert parallel([CALL(3, 2)]) == [(1, 1)]


def test_numbers_of_jobs(client: Client) -> None:
    backend = HocketBackend(client)
    # Two workers of two threads.
    assert [backend.effective_n_jobs(one) for one in (-1, None, -2, 1, 9, -99)] == [
        4,
        4,
        3,
        1,
        9,
        1,
    ]
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)
    nested, n_jobs = backend.get_nested_backend()
    assert (nested.default_n_jobs, nested.nesting_level, n_jobs) == (1, 1, None)


def test_a_large_argument_is_put_on_the_cluster_once(client: Client, scheduler: Any) -> None:
    array = np.arange(300_000.0)
    with joblib.parallel_config(backend="hocket", client=client, max_nbytes=None):
        joblib.Parallel(max_nbytes="1M")(joblib.delayed(add)(array, y=one) for one in range(6))
    assert [len(message.keys) for message in scheduler.of(KeysScattered)] == [1]
    depending = [message for message in scheduler.of(SubmitTasks) if any(message.dependencies)]
    assert sum(len(message.payloads) for message in depending) >= 1
    assert all(len(one) < 10_000 for message in depending for one in message.payloads)


def test_what_is_scattered_beforehand(client: Client, scheduler: Any) -> None:
    array = np.arange(10.0)
    backend = HocketBackend(client, scatter=[array])
    (message,) = scheduler.of(KeysScattered)
    assert len(message.addresses[0]) == 2
    with joblib.parallel_config(backend=backend):
        (result,) = joblib.Parallel()([joblib.delayed(add)(array, 1)])
    assert np.array_equal(result, array + 1)
    assert len(scheduler.of(KeysScattered)) == 1
    for wrong in (3, "text", {"a": 1}):
        with pytest.raises(SettingsError, match="scatter"):
            HocketBackend(client, scatter=wrong)  # type: ignore[arg-type]


def test_options_are_checked(client: Client) -> None:
    with (
        joblib.parallel_config(backend="hocket", client=client, retries=-1),
        pytest.raises(SettingsError, match="retries"),
    ):
        joblib.Parallel()([CALL(1, 2)])


class Interrupting:
    """An argument during whose sending another ``Parallel`` of the same backend begins and ends."""

    @property
    def nbytes(self) -> int:
        assert joblib.Parallel()(CALL(one, 7) for one in range(3)) == [(0, 0), (0, 1), (0, 2)]
        return 8


def test_two_at_once_share_a_backend(client: Client) -> None:
    with joblib.parallel_config(backend="hocket", client=client):
        calls = [joblib.delayed(isinstance)(Interrupting(), Interrupting)] * 3
        assert joblib.Parallel(batch_size=1)(calls) == [True] * 3


def active_backend() -> Any:
    return joblib.parallel.get_active_backend()[0]


def test_tasks_at_once_share_no_backend() -> None:
    # As on a worker, where what calls the function is one object for all tasks.
    run = _Rows(active_backend, (2, {"priority": 3}))
    ((first,), _), ((second,), _) = run([()]), run([()])
    assert first is not second
    assert (first.nesting_level, second.nesting_level) == (2, 2)
