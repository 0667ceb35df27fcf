"""Programs, and that tasks of dask which do the same share one."""

from __future__ import annotations

import functools
import gc
import operator
import pickle
import weakref

import pytest

from hocket.graph import Ref, compute, from_dask
from hocket.graph.program import Program, make_dict, make_list, make_set, make_tuple


def test_steps_take_arguments_constants_and_results():
    program = Program(
        (
            (operator.add, (0, 2), ()),
            (operator.mul, (-1, 1), ()),
            (make_list, (-1, -2), ()),
            (sorted, (-3, 3), ("reverse",)),
        ),
        constants=(10, True),
    )
    assert program(1, 2) == [22, 11]
    assert pickle.loads(pickle.dumps(program))(1, 2) == [22, 11]
    assert program.__name__ == "add-mul-sorted"
    assert repr(program) == "<Program add-mul-sorted>"


def test_makers():
    assert make_tuple(1, 2) == (1, 2)
    assert make_set(1, 1) == {1}
    assert make_dict("a", 1, "b", 2) == {"a": 1, "b": 2}


def test_long_names_are_cut():
    program = Program(tuple([(abs, (0,), ())] * 9))
    assert program.__name__ == "abs-abs-abs-(6 more)-abs"
    assert Program(((make_list, (0,), ()),)).__name__ == "program"


def test_results_are_let_go_when_nobody_needs_them():
    class Thing:
        pass

    made = []

    def make():
        thing = Thing()
        made.append(weakref.ref(thing))
        return thing

    def check(_):
        gc.collect()
        return made[0]() is None

    steps = ((make, (), ()), (type, (-1,), ()), (check, (-2,), ()))
    assert Program(steps)() is True


@pytest.fixture(scope="module")
def spec():
    return pytest.importorskip("dask._task_spec")


def test_fused_tasks_share_their_program(spec):
    graph = {}
    for number in range(20):
        first = spec.Task(("a", number), operator.add, spec.TaskRef("x"), number)
        second = spec.Task(("b", number), operator.mul, first.ref(), number + 1)
        graph[("b", number)] = spec.Task.fuse(first, second)
    graph["x"] = spec.DataNode("x", 5)
    converted = from_dask(graph)
    programs = {converted[key].function for key in graph if key != "x"}
    assert len(programs) == 1
    assert converted[("b", 3)].args == (Ref("x"), 3, 4)
    assert compute(converted, ("b", 3), "sync") == 32


def test_a_graph_that_tasks_share_keeps_its_constants(spec):
    inner = {
        "one": spec.Task("one", operator.getitem, spec.TaskRef("_0"), slice(1, 2)),
        "two": spec.Task("two", max, spec.TaskRef("one"), spec.TaskRef("_1"), (3, 4)),
    }
    fused = spec._execute_subgraph

    def task(key, *args):
        return spec.Task(key, fused, inner, "two", ("_0", "_1"), *args)

    graph = {f"t{number}": task(f"t{number}", spec.TaskRef("x"), number) for number in range(5)}
    nested = spec.Task(None, operator.neg, spec.TaskRef("y"))
    graph["nested"] = task("nested", spec.TaskRef("x"), nested)
    converted = from_dask(graph)
    programs = {converted[key].function for key in graph if key != "nested"}
    (program,) = programs
    assert program.constants == (slice(1, 2), (3, 4))
    assert converted["t3"].args == (Ref("x"), 3)
    # A call among the inputs becomes a step before it.
    assert any(step[0] is program for step in converted["nested"].function.steps)
    assert converted.dependencies("nested") == ("x", "y")


def test_functions_bound_anew_for_each_task_are_one(spec):
    table = [1, 2, 3]
    graph = {
        number: spec.Task(number, functools.partial(operator.add, table), [number])
        for number in range(5)
    }
    graph["other"] = spec.Task("other", functools.partial(operator.add, [1, 2, 3]), [0])
    converted = from_dask(graph)
    assert len({id(converted[number].function) for number in range(5)}) == 1
    assert converted["other"].function is not converted[0].function
    equal_only = {
        "a": spec.Task("a", functools.partial(operator.add, 1), 2),
        "b": spec.Task("b", functools.partial(operator.add, 1.0), 2),
    }
    assert compute(from_dask(equal_only), ["a", "b"], "sync") == [3, 3.0]
    assert type(compute(from_dask(equal_only), "b", "sync")) is float


def test_an_input_hides_an_entry_of_the_same_key(spec):
    inner = {"a": spec.Task("a", abs, -1), "b": spec.Task("b", abs, spec.TaskRef("a"))}
    node = spec.Task("n", spec._execute_subgraph, inner, "b", ("a",), -7)
    assert compute(from_dask({"n": node}), "n", "sync") == node({}) == 7
