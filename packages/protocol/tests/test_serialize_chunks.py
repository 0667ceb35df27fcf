"""Several calls as one task."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.serialize import ApplyToRows, TryRows, dump_function, load_exception


def divide(dividend: int, divisor: int) -> float:
    return dividend / divisor


rows = st.lists(st.tuples(st.integers(-9, 9), st.integers(-2, 2)))


@given(rows)
def test_all_rows_or_an_error(rows: list[tuple[int, int]]) -> None:
    if all(divisor for _, divisor in rows):
        assert ApplyToRows(divide)(rows) == [divide(*row) for row in rows]
    else:
        with pytest.raises(ZeroDivisionError):
            ApplyToRows(divide)(rows)


@given(rows)
def test_rows_until_the_first_error(rows: list[tuple[int, int]]) -> None:
    times = iter([3.0, 5.5])
    chunk = pickle.loads(pickle.dumps(TryRows(divide, lambda: next(times))(rows)))
    good = next((n for n, (_, divisor) in enumerate(rows) if not divisor), len(rows))
    assert chunk.values == [divide(*row) for row in rows[:good]]
    assert chunk.duration_s == 2.5
    assert (chunk.error is None) == (good == len(rows))
    if chunk.error is not None:
        error = load_exception(chunk.error[0], "key", chunk.error[1])
        assert isinstance(error, ZeroDivisionError)


def test_the_task_is_named_after_the_function() -> None:
    assert dump_function(ApplyToRows(divide)).label == "divide"
    assert dump_function(TryRows(divide, float)).label == "divide"
