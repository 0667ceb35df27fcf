"""Persisted collections where the client is not dask's default: who computes them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from hocket.client import Client
from hocket.core.errors import InvalidGraph

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")
frames = pytest.importorskip("dask.dataframe")
pandas = pytest.importorskip("pandas")

KINDS: dict[str, Any] = {
    "array": lambda: da.arange(20, chunks=5) + 1,
    "bag": lambda: bag.from_sequence(range(10), npartitions=2),
    "frame": lambda: frames.from_pandas(pandas.DataFrame({"a": range(6)}), npartitions=2).a,
    "value": lambda: dask.delayed(abs)(-3),
}
STEPS: dict[str, Any] = {
    "array": (lambda x: x, lambda x: x + 1, lambda x: x.sum(), lambda x: x[3:7].mean()),
    "bag": (lambda x: x, lambda x: x.map(abs), lambda x: x.sum()),
    "frame": (lambda x: x, lambda x: x + 1, lambda x: x.sum(), lambda x: x.nunique()),
    "value": (lambda x: x, lambda x: x + 1, lambda x: dask.delayed(sum)([x, x, 4])),
}
ROWS = [(kind, row) for kind, steps in STEPS.items() for row in range(len(steps))]


def text_of(value: Any) -> str:
    return str(value.tolist() if hasattr(value, "tolist") else value)


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_only_the_client_computes_with_them(client: Client, kind: str, row: int) -> None:
    plain, step = KINDS[kind](), STEPS[kind][row]
    made = step(client.persist(plain))
    expected = text_of(step(plain).compute(scheduler="synchronous"))
    assert text_of(client.compute(made, sync=True)) == expected
    assert text_of(made.compute(scheduler=client)) == expected
    assert text_of(client.compute(client.persist(made), sync=True)) == expected
    for scheduler in ("threads", "synchronous"):
        with pytest.raises(InvalidGraph, match=r"client\.compute.*set_as_default=True"):
            made.compute(scheduler=scheduler)


def test_without_a_default_arrays_are_refused_as_well(client: Client) -> None:
    with pytest.raises(InvalidGraph, match="a part of a persisted collection"):
        client.persist(da.arange(20, chunks=5)).sum().compute()


def test_they_can_be_copied_and_pickled(client: Client) -> None:
    kept = client.persist(da.arange(20, chunks=5) + 1)
    for same in (copy.copy(kept), copy.deepcopy(kept)):
        assert int(client.compute(same.sum(), sync=True)) == 210
    node = next(iter(dict(kept.dask).values()))
    assert node.copy().value is node.value
    # As dask's own tools ask it.
    assert node.result(20).shape == (5,)
    other = node.substitute({}, "other")
    assert (other.key, other.value) == ("other", node.value)
    assert node.substitute({}, node.key) is node
    with pytest.raises(InvalidGraph, match="'other'"):
        other()
    again = pickle.loads(pickle.dumps(kept))
    assert int(client.compute(again.sum(), sync=True)) == 210
