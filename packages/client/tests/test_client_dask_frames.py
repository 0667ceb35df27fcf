"""dask's dataframes against a small scheduler: what is fused, and what runs in the client."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.client import Client
from hocket.client.dask_adapter.collections import futures_of
from hocket.protocol.messages import SubmitTasks

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
pandas = pytest.importorskip("pandas")

PARTITIONS = 6


@pytest.fixture
def table() -> Any:
    return pandas.DataFrame({"a": [3, 1, 2, 0] * 6, "b": range(24), "c": ["x", "y", "z"] * 8})


@pytest.fixture
def frame(table: Any) -> Any:
    return dd.from_pandas(table, npartitions=PARTITIONS)


def submitted(scheduler: Any) -> dict[str, str]:
    """Return all tasks: their keys, and the labels of their functions."""
    return {
        key: message.labels[row]
        for message in scheduler.of(SubmitTasks)
        for key, row in zip(
            message.keys, message.function_of or [0] * len(message.payloads), strict=False
        )
    }


def wanted(scheduler: Any) -> list[str]:
    """Return the keys of all tasks whose results the client asks for."""
    found: list[str] = []
    for message in scheduler.of(SubmitTasks):
        rows = range(len(message.payloads)) if message.wanted is None else message.wanted
        found += [message.keys[row] for row in rows]
    return found


# ------------------------------------------------------------------------ fusing


def test_what_goes_partition_by_partition_is_one_task_each(
    client: Client, scheduler: Any, frame: Any, table: Any
) -> None:
    kept = frame[frame.a > 0].assign(twice=frame.b * 2)
    total = kept.twice.sum().compute(scheduler=client)
    assert total == 2 * table.b[table.a > 0].sum()
    # A partition, what is done to it, and the sum of all.
    assert len(submitted(scheduler)) == 2 * PARTITIONS + 1


def test_what_several_need_is_computed_once(client: Client, scheduler: Any) -> None:
    made = dd.from_map(pandas.DataFrame, [{"a": [one, 1]} for one in range(4)]).a + 1
    found = dask.compute(made.sum(), made.max(), made, scheduler=client)
    assert [found[0], found[1], found[2].tolist()] == [18, 4, [1, 2, 2, 2, 3, 2, 4, 2]]
    labels = list(submitted(scheduler).values())
    assert sum("DataFrame" in label for label in labels) == 4


def test_dasks_own_setting_turns_fusing_off(
    client: Client, scheduler: Any, frame: Any, table: Any
) -> None:
    with dask.config.set({"optimization.fuse.active": False}):
        assert ((frame.a + 1) * 2).sum().compute(scheduler=client) == ((table.a + 1) * 2).sum()
    assert len(submitted(scheduler)) > 3 * PARTITIONS


def test_fused_partitions_are_persisted_under_the_keys_of_the_frame(
    client: Client, frame: Any, table: Any
) -> None:
    kept = client.persist((frame.a + 1) * 2)
    assert len(futures_of(kept)) == PARTITIONS
    assert kept.compute(scheduler=client).tolist() == ((table.a + 1) * 2).tolist()
    both = client.persist([frame.a + 1, (frame.a + 1).sum()])
    assert both[0].compute(scheduler=client).sum() == both[1].compute(scheduler=client)


# ------------------------------------------------------------------------ last steps


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame,
        lambda frame: frame.a,
        lambda frame: frame.index,
        lambda frame: frame[frame.b > 3],
        lambda frame: frame.set_index("b", npartitions=PARTITIONS),
        lambda frame: frame.merge(frame, on="b").set_index("b"),
        lambda frame: frame.groupby("a").b.sum(split_out=3),
        lambda frame: frame.map_partitions(len),
        lambda frame: frame.a.cumsum(),
        lambda frame: dd.concat([frame, frame]),
        lambda frame: frame.values,
        lambda frame: frame.to_bag(),
        lambda frame: frame.to_dask_array(lengths=True),
    ],
)
def test_partitions_are_put_together_here(
    client: Client, scheduler: Any, frame: Any, change: Any
) -> None:
    whole = change(frame).compute(scheduler="sync")
    before = set(wanted(scheduler))
    found = change(frame).compute(scheduler=client)
    if hasattr(whole, "sort_index"):
        assert found.sort_index().equals(whole.sort_index())
    else:
        assert list(map(str, found)) == list(map(str, whole))
    # The client asks for the parts, and no task has the whole.
    new = [key for key in wanted(scheduler) if key not in before]
    assert len(new) > 1
    assert not [key for key in new if key.startswith("finalize")]


# ------------------------------------------------------------------------ annotations


def priorities(scheduler: Any) -> dict[str, tuple[int, int]]:
    """Return for each task the priority and the retries that were asked for it."""
    return {
        key: (message.priority, message.retries)
        for message in scheduler.of(SubmitTasks)
        for key in message.keys[: len(message.payloads)]
    }


@pytest.mark.filterwarnings("ignore:Dask annotations")  # (where what is persisted is put together)
def test_annotations_around_a_call_hold_for_fused_tasks(
    client: Client, scheduler: Any, frame: Any
) -> None:
    total, kept = (frame.a + 1).sum(), frame[frame.a > 1]
    with dask.annotate(priority=5, retries=2):
        total.compute(scheduler=client)
        client.persist(kept)
    assert set(priorities(scheduler).values()) == {(5, 2)}


def test_annotations_of_calls_survive_in_a_frame_made_of_them(
    client: Client, scheduler: Any, table: Any
) -> None:
    with dask.annotate(priority=4, retries=1):
        parts = [dask.delayed(table.assign)(d=number) for number in range(3)]
    frame = dd.from_delayed(parts, meta=table.assign(d=0).iloc[:0])
    assert (frame.d + 1).sum().compute(scheduler=client) == len(table) * 6
    asked = list(priorities(scheduler).values())
    assert asked.count((4, 1)) == 3
    assert (0, 0) in asked
