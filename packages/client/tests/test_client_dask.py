"""dask's collections against a small scheduler: what is submitted, and how."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hocket.client import Client, wait
from hocket.client.dask_adapter.collections import futures_of
from hocket.core.errors import InvalidGraph, SettingsError
from hocket.protocol.messages import SubmitTasks

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")


def increment(x: int) -> int:
    return x + 1


def fail(x: int) -> float:
    return x / 0


def submitted(scheduler: Any) -> list[str]:
    """Return the keys of all tasks."""
    messages = scheduler.of(SubmitTasks)
    return [key for message in messages for key in message.keys[: len(message.payloads)]]


# ------------------------------------------------------------------------ the default


def test_a_client_is_dasks_scheduler_as_long_as_it_is_open(scheduler: Any) -> None:
    before = dask.config.get("scheduler", None)
    methods = "dataframe.shuffle.method", "array.rechunk.method"
    with dask.config.set({"dataframe.shuffle.method": "disk"}):
        first = Client(scheduler.address, set_as_default=True)
        assert dask.delayed(increment)(1).compute() == 2
        tasks_count = len(submitted(scheduler))
        assert tasks_count == 1
        second = Client(scheduler.address, set_as_default=True)
        assert dask.config.get("scheduler") is second
        assert [dask.config.get(one) for one in methods] == ["tasks", "tasks"]
        second.close()
        assert dask.config.get("scheduler") is first
        second.close()
        with dask.config.set(scheduler="sync"):
            assert dask.delayed(increment)(1).compute() == 2
        assert len(submitted(scheduler)) == tasks_count
        first.close()
        assert dask.config.get("scheduler", None) is before
        assert dask.config.get("dataframe.shuffle.method") == "disk"


def test_the_first_default_may_end_first(scheduler: Any) -> None:
    before = dask.config.get("scheduler", None)
    first = Client(scheduler.address, set_as_default=True)
    second = Client(scheduler.address, set_as_default=True)
    first.close()
    assert dask.config.get("scheduler") is second
    second.close()
    assert dask.config.get("scheduler", None) is before


def test_dasks_configuration_may_be_copied(client: Client) -> None:
    with dask.config.set(scheduler=client):
        assert copy.deepcopy(dask.config.config)["scheduler"] is client
    assert copy.copy(client) is client


def test_a_client_is_accepted_where_dask_takes_schedulers(client: Client) -> None:
    value = dask.delayed(increment)(1)
    assert value.compute(scheduler=client) == 2
    with dask.config.set(scheduler=client):
        assert dask.compute(value, [value, 5], num_workers=3) == (2, [2, 5])
    with dask.config.set(scheduler=client.get):
        assert value.compute() == 2


def test_without_dask_the_default_is_refused(
    scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dask", None)
    with pytest.raises(SettingsError, match="pip install"):
        Client(scheduler.address, set_as_default=True)


# ------------------------------------------------------------------------ computing


def test_a_function_is_pickled_once_however_many_tasks_use_it(
    client: Client, scheduler: Any
) -> None:
    function = lambda x: x * 2  # noqa: E731 - that kind is the one under test
    calls = [dask.delayed(function)(number) for number in range(50)]
    assert dask.compute(*calls, scheduler=client) == tuple(2 * number for number in range(50))
    blobs = [blob for message in scheduler.of(SubmitTasks) for blob in message.blobs]
    assert len([one for one in blobs if one is not None]) == 1
    x = da.ones((40, 40), chunks=4)
    assert float(((x + 1) * 2).sum().compute(scheduler=client)) == 6400.0
    functions = [one for message in scheduler.of(SubmitTasks) for one in message.functions]
    assert len(set(functions)) < 20


def test_what_puts_parts_together_runs_in_the_client(client: Client, scheduler: Any) -> None:
    x = da.arange(100, chunks=10)
    assert (x + 1).compute(scheduler=client).tolist() == list(range(1, 101))
    assert not [key for key in submitted(scheduler) if key.startswith("finalize")]
    parts = bag.from_sequence(range(20), npartitions=4).map(increment)
    assert parts.compute(scheduler=client) == list(range(1, 21))
    # Two at once, which dask makes one expression of; and what also others need.
    both = dask.compute(x, x + 1, scheduler=client)
    assert [one.tolist() for one in both] == [list(range(100)), list(range(1, 101))]
    assert not [key for key in submitted(scheduler) if key.startswith("finalize")]
    # A future is of a value on the cluster.
    future = client.compute(x + 1)
    assert future.result(5).tolist() == list(range(1, 101))
    assert [key for key in submitted(scheduler) if key.startswith("finalize")]


def test_compute_and_persist_keep_the_shape_of_what_is_given(client: Client) -> None:
    x = da.arange(10, chunks=5)
    future, number = client.compute([x.sum(), 5], priority=3)
    assert (future.result(5), number) == (45, 5)
    assert client.compute((x.max(),), sync=True, num_workers=2) == (9,)
    assert client.compute(7) == 7
    kept, number = client.persist((x, 5))
    assert number == 5
    assert kept.compute(scheduler=client).tolist() == list(range(10))
    assert len(futures_of(kept)) == 2


def test_persisted_parts_are_kept_and_used(client: Client, scheduler: Any) -> None:
    x = client.persist(da.arange(20, chunks=5) + 1)
    assert sorted(one.result(5).sum() for one in futures_of(x)) == [15, 40, 65, 90]
    before = len(submitted(scheduler))
    assert int(x.sum().compute(scheduler=client)) == 210
    assert not [key for key in submitted(scheduler)[before:] if key.startswith("('arange")]
    value = dask.delayed(increment)(1)
    with dask.config.set(scheduler=client):
        (kept,) = dask.persist(value)
        assert kept.compute() == 2
    assert len(futures_of({"a": [kept, (x,)]}, x)) == 5


def test_persisted_collections_stand_for_their_futures(client: Client) -> None:
    x = client.persist(da.arange(20, chunks=5) + 1)
    assert len(wait([x]).done) == 4
    assert set(client.who_has(x)) == {one.key for one in futures_of(x)}
    # Their values are those of their parts; to gather one is to do nothing.
    assert client.gather([x]) == [x]
    assert wait(da.arange(20, chunks=5)).done == set()
    client.cancel(x)


def test_futures_may_stand_in_collections(client: Client) -> None:
    futures = client.map(increment, range(3))
    with dask.config.set(scheduler=client):
        assert dask.delayed(sum)(futures).compute() == 6
        assert dask.delayed(increment)(futures[2]).compute() == 4
        assert dask.delayed(futures[1]).compute() == 2
        assert dask.delayed({"a": futures[0]}).compute() == {"a": 1}
        parts = bag.from_delayed([client.submit(list, range(3)), dask.delayed(list)([5])])
        assert parts.map(increment).compute() == [1, 2, 3, 6]
        array = da.from_delayed(client.submit(sum, [3]), shape=(), dtype=int)
        assert int(array.compute()) == 3
    assert dask.base.tokenize(futures[0]) == dask.base.tokenize(futures[0])
    assert dask.base.tokenize(futures[0]) != dask.base.tokenize(futures[1])


def test_an_error_names_dasks_key(client: Client) -> None:
    bad = dask.delayed(fail)(1, dask_key_name="the-bad-one")
    with pytest.raises(ZeroDivisionError) as caught:
        dask.delayed(increment)(bad, dask_key_name="after").compute(scheduler=client)
    (note,) = caught.value.__notes__
    assert "'the-bad-one'" in note
    assert "'after' depends on it" in note


# ------------------------------------------------------------------------ annotations


def options_of(scheduler: Any) -> dict[str, tuple[Any, ...]]:
    """Return per key what was asked for it."""
    return {
        key: (message.priority, message.retries, tuple(message.workers), str(message.resources))
        for message in scheduler.of(SubmitTasks)
        for key in message.keys[: len(message.payloads)]
    }


def test_annotations_are_heeded_also_of_what_is_fused(client: Client, scheduler: Any) -> None:
    with dask.annotate(priority=7, retries=2):
        x = da.ones((4, 4), chunks=2) + 1
    with dask.annotate(resources={"GPU": 1}, workers="w0", note="of others"):
        y = x.map_blocks(lambda block: block * 2)
    (y.sum() + 0).compute(scheduler=client)
    asked = set(options_of(scheduler).values())
    assert (7, 2, ("w0",), "{'GPU': 1.0}") in asked
    assert (0, 0, (), "{}") in asked


def test_annotations_around_a_call_hold_for_all_of_it(client: Client, scheduler: Any) -> None:
    value = dask.delayed(increment)(dask.delayed(increment)(1))
    with dask.annotate(priority=5, allow_other_workers=True):
        assert value.compute(scheduler=client, optimize_graph=False) == 3
    assert {one[0] for one in options_of(scheduler).values()} == {5}


def test_an_annotation_may_depend_on_the_key(client: Client, scheduler: Any) -> None:
    with dask.annotate(priority=lambda key: key[1], retries=1):
        x = da.ones(6, chunks=1)
    x.compute(scheduler=client, optimize_graph=False)
    asked = [one[:2] for one in options_of(scheduler).values()]
    assert sorted(asked) == [(number, 1) for number in range(6)]


def test_tasks_with_equal_options_travel_together(client: Client, scheduler: Any) -> None:
    values = []
    for number in range(40):
        with dask.annotate(priority=number % 2):
            values.append(dask.delayed(increment)(number))
    total = dask.delayed(sum)(values)
    assert total.compute(scheduler=client, optimize_graph=False) == 820
    messages = scheduler.of(SubmitTasks)
    assert len(messages) <= 3
    ranks = [rank for message in messages for rank in message.ranks]
    assert sorted(ranks) == list(range(41))


def test_wrong_annotations_are_refused(client: Client) -> None:
    with dask.annotate(retries=-1):
        value = dask.delayed(increment)(1)
    with pytest.raises(SettingsError, match="retries"):
        value.compute(scheduler=client, optimize_graph=False)


# ------------------------------------------------------------------------ shuffles


def test_shuffles_go_by_tasks_whatever_dask_chose(client: Client, scheduler: Any) -> None:
    dd = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [3, 1, 2, 0] * 5, "b": range(20)})
    frame = dd.from_pandas(table, npartitions=4)
    with dask.config.set({"dataframe.shuffle.method": "disk"}):
        shuffled = frame.shuffle("a").compute(scheduler=client)
        assert sorted(shuffled.b) == list(range(20))
        named = frame.rename_axis(index="row").shuffle("a", ignore_index=True)
        assert named.compute(scheduler=client).index.name == named.index.name == "row"
        kept = client.persist(frame.shuffle("a"))
        assert sorted(kept.compute(scheduler=client).b) == list(range(20))
        joined = frame.merge(frame, on="b").compute(scheduler=client)
    assert len(joined) == 20
    assert not [key for key in submitted(scheduler) if "zpartd" in key]
    # The partitions are put together here.
    assert not [key for key in submitted(scheduler) if key.startswith("('repartitiontofewer")]


def test_what_only_dask_distributed_can_run_is_refused(client: Client) -> None:
    shuffle = pytest.importorskip("distributed.shuffle")
    assert shuffle
    x = da.ones((4, 4), chunks=(4, 1))
    with (
        dask.config.set({"array.rechunk.method": "p2p"}),
        pytest.raises(InvalidGraph, match=r"array\.rechunk\.method"),
    ):
        x.rechunk((1, 4)).compute(scheduler=client)
