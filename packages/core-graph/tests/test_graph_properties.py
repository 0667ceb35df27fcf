"""For all graphs: order, cull, fuse and the executors keep their promises.

Random graphs of random tasks, with references nested in random containers, are run by the reference
interpreter; everything else has to agree with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.graph import Graph, Literal, Ref, Task, compute, cull, fuse, order
from hocket.graph.task import evaluate


def make_mix():
    # A function in a function is pickled by value: the processes cannot import this file.
    def mix(*args, **kwargs):
        """Return a number that tells all arguments apart."""

        def canonical(value):
            if isinstance(value, set | frozenset):
                return ("set", sorted(map(repr, map(canonical, value))))
            if isinstance(value, dict):
                return ("dict", sorted((repr(key), canonical(item)) for key, item in value.items()))
            if isinstance(value, list | tuple):
                return (type(value).__name__, [canonical(item) for item in value])
            return value

        return zlib.crc32(repr((canonical(args), canonical(kwargs))).encode())

    return mix


mix = make_mix()


def draw_argument(draw, entries, depth=0):
    """Draw an argument, with references to some entries somewhere in it."""
    numbers = [key for key, entry in entries.items() if isinstance(entry, Task)]
    kinds = ["number", "literal"] + ["ref"] * 4 * bool(entries) + ["set"] * bool(numbers)
    if depth < 2:
        kinds += ["list", "tuple", "dict", "task"]
    kind = draw(st.sampled_from(kinds))
    if kind in ("number", "literal"):
        return draw(st.integers(0, 3)) if kind == "number" else Literal([1])
    if kind == "ref":
        return Ref(draw(st.sampled_from(list(entries))))
    if kind == "set":
        return {Ref(key) for key in draw(st.lists(st.sampled_from(numbers), max_size=3))}
    items = [draw_argument(draw, entries, depth + 1) for _ in range(draw(st.integers(0, 2)))]
    make = {
        "list": list,
        "tuple": tuple,
        "dict": lambda items: dict(enumerate(items)),
        "task": lambda items: Task(mix, items),
    }
    return make[kind](items)


def draw_entry(draw, entries):
    """Draw an entry: often one that needs just the last one, so that there are chains."""
    kinds = ["task"] * 3 + ["data"] + (["link"] * 2 + ["alias"]) * bool(entries)
    kind = draw(st.sampled_from(kinds))
    if kind in ("link", "alias"):
        ref = Ref(draw(st.sampled_from(list(entries)[-2:])))
        return ref if kind == "alias" else Task(mix, (ref, [ref]))
    if kind == "task":
        args = [draw_argument(draw, entries) for _ in range(draw(st.integers(0, 3)))]
        kwargs = {"x": draw_argument(draw, entries)} if draw(st.booleans()) else None
        return Task(mix, args, kwargs)
    return draw_argument(draw, entries)


@st.composite
def graphs(draw):
    """Return a graph without cycles, its entries in any order."""
    names = [("k", i) if i % 3 == 0 else i if i % 3 == 1 else f"k{i}" for i in range(12)]
    names = names[: draw(st.integers(1, 12))]
    entries: dict = {}
    for key in names:
        entries[key] = draw_entry(draw, entries)
    return {key: entries[key] for key in draw(st.permutations(names))}


def values_of(graph: Mapping) -> dict:
    """Run everything, in the most simple-minded way."""
    graph = Graph(graph)
    values: dict = {}
    while len(values) < len(graph):
        for key, entry in graph.items():
            if key not in values and all(other in values for other in graph.dependencies(key)):
                values[key] = evaluate(entry, values)
    return values


@given(graphs())
def test_the_reference_interpreter_computes_everything(graph):
    values = values_of(graph)
    assert compute(graph, list(values), "sync") == list(values.values())


@given(graphs())
def test_order_is_a_permutation_that_puts_dependencies_first(entries):
    graph = Graph(entries)
    graph.validate()
    ranks = order(graph)
    assert sorted(ranks.values()) == list(range(len(graph)))
    assert list(ranks.values()) == list(range(len(graph)))
    assert set(ranks) == set(graph)
    for key in graph:
        assert all(ranks[other] < ranks[key] for other in graph.dependencies(key))


@given(graphs(), st.data())
def test_cull_keeps_what_is_needed_and_nothing_else(entries, data):
    wanted = data.draw(st.lists(st.sampled_from(list(entries)), unique=True))
    culled = cull(entries, wanted)
    needed = set(wanted)
    for key in reversed(order(entries)):
        if key in needed:
            needed.update(Graph(entries).dependencies(key))
    assert set(culled) == needed
    assert list(culled) == [key for key in entries if key in needed]
    assert compute(culled, wanted, "sync") == compute(entries, wanted, "sync")


@given(graphs(), st.data())
def test_fuse_keeps_results_and_leaves_no_chain(entries, data):
    keep = data.draw(st.lists(st.sampled_from(list(entries)), unique=True))
    fused = fuse(entries, keep)
    values = values_of(entries)
    assert set(keep) <= set(fused)
    assert {key for key, others in Graph(entries).dependents().items() if not others} <= set(fused)
    assert values_of(fused) == {key: values[key] for key in fused}
    for key, others in fused.dependents().items():
        if len(others) == 1 and key not in keep and isinstance(fused[key], Task):
            assert fused.dependencies(others[0]) != (key,)
    assert list(fuse(fused, keep)) == list(fused)


@given(graphs(), st.data(), st.integers(1, 3))
def test_threads_agree_with_the_reference(entries, data, workers):
    wanted = data.draw(st.lists(st.sampled_from(list(entries))))
    asked = [wanted, wanted[:1], [[wanted]]]
    expected = compute(entries, asked, "sync")
    assert compute(entries, asked, "threads", workers) == expected


@pytest.mark.slow
@settings(max_examples=8)
@given(graphs(), st.data(), st.integers(1, 2))
def test_processes_agree_with_the_reference(entries, data, workers):
    wanted = data.draw(st.lists(st.sampled_from(list(entries)), min_size=1))
    assert compute(entries, wanted, "processes", workers) == compute(entries, wanted, "sync")
