"""The graph: entries, dependencies, and what is said about a graph that cannot be computed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from itertools import pairwise

import pytest

from hocket.core.errors import DuplicateKey, GraphCycle, GraphError, InvalidGraph, UnknownKey
from hocket.graph import Graph, Literal, Ref, Task, compute, cull, fuse, order


def test_a_graph_is_a_mapping_of_its_entries():
    task = Task(max, (Ref("a"), 1))
    graph = Graph({"a": 1, ("b", 0): task, "c": Ref(("b", 0)), "d": [1, 2]})
    assert isinstance(graph, Mapping)
    assert list(graph) == ["a", ("b", 0), "c", "d"]
    assert graph[("b", 0)] is task
    assert graph["d"] == [1, 2]
    assert [graph.dependencies(key) for key in graph] == [(), ("a",), (("b", 0),), ()]
    assert graph.dependents() == {"a": [("b", 0)], ("b", 0): ["c"], "c": [], "d": []}
    assert repr(graph) == "<Graph of 4 entries>"
    assert Graph(graph) == graph


def test_containers_with_references_are_tasks_and_literals_are_not():
    graph = Graph({"a": 1, "b": [Ref("a"), {"x": (Ref("a"),)}], "c": Literal([Ref("a")])})
    assert graph.dependencies("b") == ("a",)
    assert graph.dependencies("c") == ()
    assert compute(graph, ["b", "c"], "sync") == [[1, {"x": (1,)}], [Ref("a")]]


def test_graphs_are_made_of_pairs_too():
    assert dict(Graph([("a", 1), ("b", 2)])) == {"a": 1, "b": 2}
    with pytest.raises(DuplicateKey, match="'a'"):
        Graph([("a", 1), ("a", 2)])


@pytest.mark.parametrize("entries", [5, "ab", ["ab"], [("a", 1, 2)], None])
def test_what_is_no_mapping_is_refused(entries):
    with pytest.raises(InvalidGraph, match="the entries of a graph cannot be"):
        Graph(entries)


@pytest.mark.parametrize("key", [["a"], None, object(), ("a", {})])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(InvalidGraph, match="a key cannot be"):
        Graph([(key, 1)])


def test_keys_that_are_not_there():
    graph = Graph({"a": 1})
    with pytest.raises(UnknownKey, match="nothing defines the key 'b'"):
        graph["b"]
    with pytest.raises(InvalidGraph, match="a key cannot be"):
        graph[["a"]]  # type: ignore[index]
    assert graph.get("b") is None
    assert ["a"] not in graph


def test_graphs_pickle():
    graph = pickle.loads(pickle.dumps(Graph({"a": 1, "b": Task(max, (Ref("a"), 2))})))
    assert graph["a"] == 1
    assert graph.dependencies("b") == ("a",)


def ring(length):
    return {("ring", i): Ref(("ring", (i + 1) % length)) for i in range(length)}


@pytest.mark.parametrize("length", [1, 2, 1000])
@pytest.mark.parametrize(
    "act",
    [
        lambda graph: Graph(graph).validate(),
        order,
        fuse,
        *(
            lambda graph, executor=executor: compute(graph, ("ring", 0), executor)
            for executor in ("sync", "threads", "processes")
        ),
    ],
)
def test_a_cycle_is_shown(length, act):
    graph = {"root": 1, "in": Ref("root"), **ring(length), "out": Ref(("ring", 0))}
    with pytest.raises(GraphCycle) as caught:
        act(graph)
    path = caught.value.path
    assert path[0] == path[-1]
    assert len(path) == length + 1
    assert len(set(path)) == length
    assert all(graph[one] == Ref(two) for one, two in pairwise(path))
    assert repr(path[0]) in str(caught.value)
    assert isinstance(caught.value, GraphError)


def test_a_cycle_that_is_not_needed_is_nobodys_business():
    assert compute({**ring(3), "a": 1}, "a", "sync") == 1


def test_an_unknown_key_is_shown_with_the_way_there():
    graph = {
        "deep": Task(max, ([Ref("gone")],)),
        "middle": Task(max, ({"x": Ref("deep")},)),
        "other": Task(max, (Ref("deep"), Ref("middle"))),
        "top": Ref("middle"),
        "side": 1,
    }
    with pytest.raises(UnknownKey) as caught:
        Graph(graph).validate()
    assert caught.value.key == "gone"
    assert caught.value.wanted_by == ["other", "deep"]
    assert "nothing defines the key 'gone', which is needed by 'other' -> 'deep'" in str(
        caught.value
    )
    with pytest.raises(UnknownKey) as caught:
        cull(graph, "top")
    assert caught.value.wanted_by == ["top", "middle", "deep"]
    for act in (order, fuse, lambda graph: Graph(graph).dependents()):
        with pytest.raises(UnknownKey, match="'gone'"):
            act(graph)


def test_an_unknown_key_needed_by_a_cycle_is_found():
    with pytest.raises(UnknownKey) as caught:
        Graph({"a": Ref("b"), "b": [Ref("a"), Ref("gone")]}).validate()
    assert caught.value.key == "gone"
    assert caught.value.wanted_by[-1] == "b"


@pytest.mark.parametrize("executor", ["sync", "threads", "processes"])
def test_asking_for_what_is_not_there(executor):
    with pytest.raises(UnknownKey, match="nothing defines the key 'b'"):
        compute({"a": 1}, ["a", ["b"]], executor)
    with pytest.raises(InvalidGraph, match="a key cannot be"):
        compute({"a": 1}, {"a"}, executor)


def test_long_graphs_need_no_recursion():
    length = 50_000
    graph = Graph(
        {"k0": 0} | {f"k{i}": Task(lambda x: x + 1, (Ref(f"k{i - 1}"),)) for i in range(1, length)}
    )
    last = f"k{length - 1}"
    graph.validate()
    assert order(graph)[last] == length - 1
    fused = fuse(graph)
    assert list(fused) == ["k0", last]
    for each in (graph, fused):
        assert compute(each, last, "sync") == length - 1
    with pytest.raises(UnknownKey) as caught:
        cull({key: entry for key, entry in graph.items() if key != "k0"}, last)
    assert len(caught.value.wanted_by) == length - 1
