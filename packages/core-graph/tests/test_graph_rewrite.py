"""Rewriting by example: names, aliases, what is kept. (For all graphs: test_graph_properties.)"""

from __future__ import annotations

import pickle

import pytest

from hocket.core.errors import UnknownKey
from hocket.graph import Graph, Ref, Task, compute, cull, fuse
from hocket.graph.rewrite import Chain
from hocket.graph.task import function_name


def load(*args, **kwargs):
    return (args, kwargs)


def clean(value):
    return ("clean", value)


def count(value):
    return ("count", value)


CHAIN = {
    "seed": 7,
    "other": 8,
    "a": Task(load, (Ref("seed"), [Ref("other")]), {"key": Ref("seed")}),
    "b": Task(clean, (Ref("a"),)),
    "c": Task(count, ([Ref("b"), Ref("b")],)),
}


def test_a_chain_becomes_one_task_under_its_last_key():
    fused = fuse(CHAIN)
    assert list(fused) == ["seed", "other", "c"]
    assert fused.dependencies("c") == ("seed", "other")
    assert function_name(fused["c"].function) == "load-clean-count"
    assert repr(fused["c"].function) == "<Chain load-clean-count>"
    assert compute(fused, "c", "sync") == compute(CHAIN, "c", "sync")
    assert pickle.loads(pickle.dumps(fused))["c"].run({"seed": 7, "other": 8}) == compute(
        CHAIN, "c", "sync"
    )


def test_what_is_kept_stays_visible():
    fused = fuse(CHAIN, keep=["b"])
    assert list(fused) == ["seed", "other", "b", "c"]
    assert fused["c"] is CHAIN["c"]
    assert list(fuse(CHAIN, keep=["a", ["b"]])) == list(CHAIN)
    with pytest.raises(UnknownKey, match="'d'"):
        fuse(CHAIN, keep="d")


def test_a_result_that_is_needed_twice_ends_a_chain():
    graph = {**CHAIN, "d": Task(count, (Ref("b"),))}
    assert list(fuse(graph)) == ["seed", "other", "b", "c", "d"]


def test_a_task_with_two_inputs_begins_a_chain():
    graph = {"x": Task(load), "y": Task(load), "z": Task(load, (Ref("x"), Ref("y")))}
    assert list(fuse(graph)) == ["x", "y", "z"]


def test_aliases_dissolve_in_a_chain():
    graph = {"x": Task(load), "y": Ref("x"), "z": Task(clean, (Ref("y"),)), "w": Ref("z")}
    fused = fuse(graph)
    assert list(fused) == ["w"]
    assert function_name(fused["w"].function) == "load-clean"
    assert compute(fused, "w", "sync") == compute(graph, "w", "sync")
    alone = fuse({"x": Task(load), "y": Ref("x")})
    assert alone["y"].function is load


def test_data_is_not_drawn_into_a_chain():
    graph = {"big": [1] * 10, "a": Task(count, (Ref("big"),)), "same": Ref("big")}
    assert list(fuse({key: graph[key] for key in ("big", "a")})) == ["big", "a"]
    assert list(fuse({key: graph[key] for key in ("big", "same")})) == ["big", "same"]


def test_chains_of_chains_are_flat():
    kept = fuse({**CHAIN, "d": Task(clean, (Ref("c"),))}, keep="b")
    fused = fuse(kept)
    chain = fused["d"].function
    assert isinstance(chain, Chain)
    assert chain.function is load
    assert chain.__name__ == "load-clean-count-clean"


def test_long_names_are_shortened():
    chain = Chain(load, tuple([("k", Task(clean, (Ref("k"),)))] * 20))
    assert chain.__name__ == "load-clean-clean-clean-(16 more)-clean"
    assert len(chain.__name__.split("-")) == 6


def test_a_chain_lets_go_of_what_it_has_used():
    class Value:
        alive = 0

        def __init__(self, *_):
            Value.alive += 1
            assert Value.alive <= 2

        def __del__(self):
            Value.alive -= 1

    graph = {"0": Task(Value)} | {str(i): Task(Value, (Ref(str(i - 1)),)) for i in range(1, 20)}
    fused = fuse(graph)
    assert list(fused) == ["19"]
    compute(fused, "19", "sync")


def test_cull_takes_nested_lists_and_keeps_a_whole_graph():
    graph = Graph(CHAIN)
    assert cull(graph, "c") is graph
    assert list(cull(graph, [["a"], []])) == ["seed", "other", "a"]
    assert list(cull(graph, [])) == []
