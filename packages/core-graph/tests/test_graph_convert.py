"""Conversion from dask: the old form by itself, everything else against dask's own scheduler."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import InvalidGraph, UnknownKey
from hocket.graph import Graph, Literal, Ref, compute, from_dask, fuse

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - that kind is the one under test


def show(*args, **kwargs):
    return ("show", args, tuple(sorted(kwargs.items())))


def computed(source, keys):
    return compute(from_dask(source), keys, "sync")


def test_the_old_form():
    graph = {
        "a": 1,
        ("b", 0): (show, "a", "no key", ["a", ("b", 1)], (show, "a")),
        ("b", 1): "a",
        "list": ["a", [("b", 1)], "text"],
        "set": {"a", "text"},
        "point": (show, Point("a", 5)),
        "dict": (show, {"a": "a"}),
        "data": {"a": "a"},
        7: (1, 2),
        "seven": (show, 7),
    }
    converted = from_dask(graph)
    assert converted.dependencies(("b", 0)) == ("a", ("b", 1))
    assert converted[("b", 1)] == Ref("a")
    assert compute(converted, list(converted), "sync") == [
        1,
        ("show", (1, "no key", [1, 1], ("show", (1,), ())), ()),
        1,
        [1, [1], "text"],
        {1, "text"},
        ("show", (Point(1, 5),), ()),
        ("show", ({"a": "a"},), ()),
        {"a": "a"},
        (1, 2),
        ("show", ((1, 2),), ()),
    ]


def test_data_stays_the_same_object():
    data = [1, {"x": (2, 3)}]
    assert computed({"a": data}, "a") is data


def test_our_references_in_data_of_dask_are_data():
    ref = Ref("b")
    assert computed({"a": [ref], "b": 1}, "a") == [ref]
    assert computed({"a": (show, {"x": [ref]}), "b": 1}, "a") == ("show", ({"x": [ref]},), ())


def test_an_entry_that_stands_for_itself_is_elsewhere():
    converted = from_dask(
        {"a": "a", "b": (show, "a"), "c": (show, "elsewhere")}, known=["elsewhere"]
    )
    assert list(converted) == ["b", "c"]
    assert converted.dependencies("b") == ("a",)
    assert converted.dependencies("c") == ("elsewhere",)
    with pytest.raises(UnknownKey, match="'a', which is needed by 'b'"):
        compute(converted, "b")


def test_futures_of_other_schedulers_are_references():
    class Future:
        __dask_future__ = True
        key = "elsewhere"

    converted = from_dask({"a": Future(), "b": (show, [Future()]), "c": (show, {"x": Future()})})
    assert converted["a"] == Ref("elsewhere")
    assert converted.dependencies("b") == converted.dependencies("c") == ("elsewhere",)


@pytest.mark.parametrize("source", [5, [("a", 1)], "a", None])
def test_what_is_no_graph_of_dask_is_refused(source):
    with pytest.raises(InvalidGraph, match="give a mapping from keys to tasks"):
        from_dask(source)


def test_our_own_graphs_pass_through():
    graph = Graph({"a": 1})
    assert from_dask(graph) is graph


def test_dask_is_not_imported():
    code = (
        "import sys; from hocket.graph import compute, from_dask;"
        "assert compute(from_dask({'a': (max, 1, 2)}), 'a') == 2; assert 'dask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------------ against dask


@pytest.fixture(scope="module")
def dask():
    return pytest.importorskip("dask")


@pytest.fixture(scope="module")
def spec(dask):
    return pytest.importorskip("dask._task_spec")


def test_the_present_form(spec):
    graph = {
        "data": spec.DataNode("data", [1, "alias"]),
        "alias": spec.Alias("alias", "data"),
        "task": spec.Task("task", show, spec.TaskRef("data"), "data", {"data": "data"}, ["data"]),
        "nested": spec.Task(
            "nested",
            show,
            spec.List(spec.TaskRef("alias"), spec.Tuple(1, spec.Alias("task"))),
            spec.Dict(
                {"x": spec.TaskRef("data"), "y": spec.Task(None, show, spec.TaskRef("data"))}
            ),
            x=spec.Set(1, spec.DataNode(None, 2)),
        ),
        "container": spec.List(spec.TaskRef("data"), 3),
        "fused": spec.Task.fuse(
            spec.Task("one", show, spec.TaskRef("data")),
            spec.Task("two", show, spec.TaskRef("one")),
        ),
    }
    converted = from_dask(graph)
    assert converted["alias"] == Ref("data")
    assert isinstance(converted["data"], Literal)
    assert set(converted.dependencies("nested")) == {"alias", "task", "data"}
    assert converted["task"].function is show
    assert computed(graph, list(graph)) == [spec.execute_graph(graph)[key] for key in graph]


def test_a_kind_of_task_that_we_do_not_know_runs_itself(spec):
    class Special(spec.Task):
        __slots__ = ()

        def __call__(self, values=()):
            return ("special", super().__call__(values))

    special = Special("s", show, spec.TaskRef("a"), spec.TaskRef(("b", 0)))
    converted = from_dask({"a": 1, ("b", 0): 2, "s": special})
    assert set(converted.dependencies("s")) == {"a", ("b", 0)}
    assert compute(converted, "s", "sync") == ("special", ("show", (1, 2), ()))


def draw_old(draw, keys, depth=0):
    """Draw an argument of the old form."""
    kinds = ["number", "text", "key", "key"] + ["list", "tuple", "set", "dict", "call"] * (
        depth < 2
    )
    kind = draw(st.sampled_from(kinds))
    if kind in ("number", "text") or (kind == "key" and not keys):
        return draw(st.sampled_from([1, 2.5, "text", None, ("k", 99)]))
    if kind == "key":
        return draw(st.sampled_from(keys))
    if kind == "set":
        return set(draw(st.lists(st.sampled_from(["text", 3]), max_size=2)))
    items = [draw_old(draw, keys, depth + 1) for _ in range(draw(st.integers(0, 2)))]
    if kind == "dict":
        return dict(enumerate(items))
    return {"list": items, "tuple": tuple(items), "call": (show, *items)}[kind]


def draw_new(draw, spec, keys, depth=0):
    """Draw an argument of the present form."""
    kinds = ["plain", "ref", "alias", "data"]
    kinds += ["list", "tuple", "dict", "task", "python"] * (depth < 2)
    kind = draw(st.sampled_from(kinds))
    if kind == "plain" or (kind in ("ref", "alias") and not keys):
        return draw(st.sampled_from([1, "text", *keys]))
    if kind in ("ref", "alias"):
        key = draw(st.sampled_from(keys))
        return spec.TaskRef(key) if kind == "ref" else spec.Alias(key)
    count = draw(st.integers(0, 2)) if depth < 2 else 0
    items = [draw_new(draw, spec, keys, depth + 1) for _ in range(count)]
    make = {
        "data": lambda _: spec.DataNode(None, [1, "text", *keys]),
        "python": lambda _: [1, {"x": list(keys)}],
        "dict": lambda items: spec.Dict(dict(zip("xyz", items, strict=False))),
        "task": lambda items: spec.Task(None, show, *items),
        "list": lambda items: spec.List(*items),
        "tuple": lambda items: spec.Tuple(*items),
    }
    return make[kind](items)


@st.composite
def dask_graphs(draw, spec):
    """Return a graph in which the forms are mixed."""
    names = [("k", i) if i % 2 else f"k{i}" for i in range(draw(st.integers(1, 8)))]
    graph: dict = {}
    for key in names:
        known = list(graph)
        kind = draw(st.sampled_from(["old", "call", "new", "new", "alias"]))
        if kind == "old":
            graph[key] = draw_old(draw, known)
        elif kind == "call":
            count = draw(st.integers(0, 3))
            graph[key] = (show, *[draw_old(draw, known) for _ in range(count)])
        elif kind == "alias" and known:
            graph[key] = spec.Alias(key, draw(st.sampled_from(known)))
        else:
            args = [draw_new(draw, spec, known) for _ in range(draw(st.integers(0, 3)))]
            kwargs = {"x": draw_new(draw, spec, known)} if draw(st.booleans()) else {}
            graph[key] = spec.Task(key, show, *args, **kwargs)
    return graph


@given(st.data())
def test_mixed_graphs_mean_what_they_mean_to_dask(dask, spec, data):
    graph = data.draw(dask_graphs(spec))
    keys = list(graph)
    expected = list(dask.get(graph, keys))
    converted = from_dask(graph)
    assert compute(converted, keys, "sync") == expected
    assert compute(fuse(converted, keys[-1]), keys[-1], "sync") == expected[-1]


def array(_):
    module = pytest.importorskip("dask.array")
    x = module.ones((20, 20), chunks=(5, 10)).cumsum(axis=0)
    y = (x + x.T).rechunk((10, 5)).map_overlap(lambda block: block + 1, depth=1)
    return y[::2].sum(axis=0) + module.linalg.norm(x)


def dataframe(dask):
    module = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(60), "b": list(range(6)) * 10})
    with dask.config.set({"dataframe.shuffle.method": "tasks"}):
        parts = module.from_pandas(frame, npartitions=5)
        joined = parts.merge(parts.groupby("b").a.sum().reset_index(), on="b")
        return joined.set_index("a_x").a_y.optimize()


def bag(dask):
    module = pytest.importorskip("dask.bag")
    numbers = module.from_sequence(range(50), npartitions=5).map(lambda number: number + 1)
    return numbers.foldby(lambda number: number % 3, max, 0, max)


def delayed(dask):
    @dask.delayed
    def add(*args, **kwargs):
        return [args, kwargs]

    return add([add(1), {"x": (add(2), 3)}], key=add("text", other=add()))


@pytest.mark.parametrize("make", [array, dataframe, bag, delayed])
@pytest.mark.parametrize(
    "executor", ["sync", "threads", pytest.param("processes", marks=pytest.mark.slow)]
)
def test_collections_mean_what_they_mean_to_dask(dask, make, executor):
    collection = make(dask)
    keys = collection.__dask_keys__()
    graph = from_dask(collection)
    finalize, extra = collection.__dask_postcompute__()
    expected = collection.compute(scheduler="sync")
    # A process has to import all that the tasks use, so one run has to do.
    for each in [fuse(graph, keys), graph][: 1 if executor == "processes" else 2]:
        result = finalize(compute(each, keys, executor, 1), *extra)
        assert type(result) is type(expected)
        assert str(result) == str(expected)
    assert from_dask(collection.__dask_graph__()).keys() == graph.keys()
