"""Graphs on engines: the same answers everywhere, and words where there is no engine."""

from __future__ import annotations

import concurrent.futures
import operator
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.core.errors import GraphCycle, InternalError, SettingsError, UnknownKey
from hocket.graph import Graph, Literal, Ref, Task, execute
from hocket.graph.executing import ENTRY_POINT_GROUP
from hocket.graph.run import run

GRAPH = Graph(
    {
        "data": Literal([1, 2, Ref("nothing")]),
        "number": 5,
        "alias": Ref("number"),
        ("part", 0): Task(operator.add, (Ref("alias"), 1)),
        ("part", 1): Task(operator.mul, (Ref(("part", 0)), Ref("number"))),
        "total": Task(sum, ([Ref(("part", 0)), Ref(("part", 1))],)),
        "nested": Task(max, (Task(abs, (-3,)), Ref("total"))),
        "keywords": Task(dict, (), {"a": Ref("total")}),
        "length": Task(len, (Ref("data"),)),
        "not needed": Task(operator.truediv, (1, 0)),
    }
)
KEYS = ["nested", [("part", 1), "alias"], ["data", "keywords"], "length", "nested"]


@pytest.fixture(scope="module")
def pool():
    with concurrent.futures.ThreadPoolExecutor(2) as one:
        yield one


@pytest.fixture(params=["sync", "threads", "processes", "futures", "dask", "dask sync"])
def engine(request, pool):
    if request.param == "futures":
        return {"on": "futures", "executor": pool}
    if request.param == "dask sync":
        pytest.importorskip("dask")
        return {"on": "dask", "scheduler": "sync"}
    if request.param == "dask":
        pytest.importorskip("dask")
    return {"on": request.param}


def test_the_answers_are_those_of_the_reference(engine):
    answer = execute(GRAPH, KEYS, **engine)
    assert repr(answer) == repr(run(GRAPH, KEYS))
    assert execute(GRAPH, "total", **engine) == 36
    assert execute(GRAPH, [], **engine) == []


def test_errors_are_the_tasks_own(engine):
    with pytest.raises(ZeroDivisionError):
        execute(GRAPH, "not needed", **engine)


def test_graphs_that_cannot_be_computed(engine):
    with pytest.raises(UnknownKey):
        execute({"a": Task(abs, (Ref("b"),))}, "a", **engine)
    with pytest.raises(GraphCycle):
        execute({"a": Task(abs, (Ref("b"),)), "b": Ref("a")}, "a", **engine)


def test_a_dask_graph_is_taken(engine):
    pytest.importorskip("dask")
    assert execute({"x": 1, "y": (operator.add, "x", 10)}, "y", **engine) == 11


@st.composite
def graphs(draw):
    """Draw sums of what was there before, down to a number."""
    count = draw(st.integers(1, 12))
    entries = {}
    for number in range(count):
        inputs = draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else []
        entries[number] = Task(sum, ([number, *map(Ref, inputs)],)) if inputs else number
    return Graph(entries), draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=4))


@settings(max_examples=25)
@given(drawn=graphs())
def test_any_graph_on_any_engine(pool, drawn):
    entries, keys = drawn
    expected = run(entries, keys)
    assert execute(entries, keys, on="futures", executor=pool) == expected
    assert execute(entries, keys, on="threads", workers=2) == expected


def test_a_function_is_an_engine():
    def executor(graph, keys, bonus=0):
        assert "not needed" not in graph
        return {key: value + bonus for key, value in zip(keys, run(graph, keys), strict=True)}

    assert execute(GRAPH, ["total", "alias"], on=executor, bonus=1) == [37, 6]
    with pytest.raises(InternalError, match="total"):
        execute(GRAPH, "total", on=lambda graph, keys: {})


def test_engines_that_there_are_not(monkeypatch):
    with pytest.raises(SettingsError, match=r"spark.*'dask'.*'threads'"):
        execute(GRAPH, "total", on="spark")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "hocket.graph.executors.on_ray", raising=False)
    with pytest.raises(SettingsError, match="not installed"):
        execute(GRAPH, "total", on="ray")
    assert set(entry_points(group=ENTRY_POINT_GROUP).names) >= {"dask", "ray", "sync", "threads"}


def test_options_that_do_not_fit():
    with pytest.raises(SettingsError, match="workers"):
        execute(GRAPH, "total", on="threads", workers=0)
    with pytest.raises(SettingsError, match="executor"):
        execute(GRAPH, "total", on="futures")
    pytest.importorskip("dask")
    with pytest.raises(SettingsError, match="not both"):
        execute(GRAPH, "total", on="dask", client=object(), scheduler="sync")


def run_program(program):
    """Run a program in a process of its own: engines leave threads and warnings behind."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PROGRAM = """
    import operator
    from hocket.graph import Ref, Task, execute

    def inner(x):
        return x / 0

    graph = {
        "a": 2,
        "b": Task(pow, (Ref("a"), 10)),
        "c": Task(operator.add, (Ref("b"), Task(abs, (-1,)))),
        "big": Task(bytes, (1 << 20,)),
        "size": Task(len, (Ref("big"),)),
        "alias": Ref("size"),
        "bad": Task(inner, (1,)),
    }

    def check(**on):
        print(execute(graph, ["c", ["alias", "a"]], **on))
        try:
            execute(graph, "bad", **on)
        except ZeroDivisionError as error:
            print(type(error).__name__)
"""
TOLD = "[1025, [1048576, 2]]\nZeroDivisionError\n"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_cluster_of_dask():
    pytest.importorskip("distributed")
    program = textwrap.dedent(PROGRAM) + textwrap.dedent("""
        from distributed import Client

        here = {"processes": False, "n_workers": 1, "dashboard_address": None}
        with Client(threads_per_worker=2, **here) as c:
            check(on="dask", client=c)
            check(on="dask")
    """)
    assert run_program(program) == TOLD * 2


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ray():
    pytest.importorskip("ray")
    program = textwrap.dedent(PROGRAM) + textwrap.dedent("""
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        check(on="ray", remote={"num_cpus": 0.5})
        ray.shutdown()
        print(execute(graph, "c", on="ray", num_cpus=1, include_dashboard=False))
        print(ray.is_initialized())
    """)
    assert run_program(program) == TOLD + "1025\nFalse\n"
