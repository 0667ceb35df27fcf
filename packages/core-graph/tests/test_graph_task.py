"""Tasks: where references are found, how they are filled in, what is refused."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict, namedtuple
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import GraphError, InvalidGraph, LimitExceeded
from hocket.graph import Literal, Ref, Task
from hocket.graph.task import function_name, references

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024 - that kind is the one under test


def show(*args, **kwargs):
    return args, kwargs


def test_references_are_found_in_every_kind_of_container():
    task = Task(
        show,
        ([Ref("a")], (Ref("b"), {"k": Ref("c"), Ref("d"): 1}), Point(Ref("e"), 0), Ref("a")),
        {"last": {"x": [{Ref("f")}]}},
    )
    assert task.dependencies == ("a", "b", "c", "d", "e", "f")
    values = dict(zip("abcdef", range(6), strict=True))
    assert task.run(values) == (
        ([0], (1, {"k": 2, 3: 1}), Point(4, 0), 0),
        {"last": {"x": [{5}]}},
    )


def test_references_in_sets_are_ordered_by_their_text():
    names = [f"k{number}" for number in range(50)]
    task = Task(show, ({Ref(name) for name in names}, frozenset({Ref("a")})))
    assert task.dependencies == (*sorted(names), "a")


def test_what_holds_no_reference_is_handed_over_as_it_is():
    plain = [1, {"a": (2, {3})}, Point(1, [2]), OrderedDict(a=Ref("x"))]
    task = Task(show, (plain, Ref("y")))
    assert task.dependencies == ("y",)
    (got, _), _ = task.run({"y": 0})
    assert got is plain


def test_a_literal_hides_what_is_in_it():
    hidden = [Ref("a")]
    task = Task(show, (Literal(hidden), [Literal(1)]))
    assert task.dependencies == ()
    (got, ones), _ = task.run({})
    assert got is hidden
    assert ones == [1]


def test_nested_tasks_are_part_of_the_task():
    inner = Task(max, (Ref("a"), 5))
    task = Task(show, ([inner],), {"k": Task(min, (Ref("b"), 5))})
    assert task.dependencies == ("a", "b")
    assert task.run({"a": 9, "b": 9}) == (([9],), {"k": 5})


def test_a_container_that_holds_itself_is_data():
    ring: list[object] = [1]
    ring.append(ring)
    assert Task(show, (ring,)).dependencies == ()


@given(
    st.recursive(
        st.integers(0, 9) | st.builds(Ref, st.sampled_from("abc")),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.integers(), inner, max_size=3)
            | st.builds(Point, inner, inner)
        ),
        max_leaves=20,
    )
)
def test_filling_in_is_replacing(template):
    """Against the text: what is printed, with the references replaced."""
    task = Task(show, (template,))
    (filled,), _ = task.run({"a": 100, "b": 200, "c": 300})
    expected = repr(template)
    for key, value in (("a", 100), ("b", 200), ("c", 300)):
        assert (f"Ref({key!r})" in expected) == (key in task.dependencies)
        expected = expected.replace(f"Ref({key!r})", str(value))
    assert repr(filled) == expected


def nested(depth):
    value: object = Ref("a")
    for _ in range(depth):
        value = [value]
    return value


def test_references_may_lie_deep_but_not_bottomless():
    (filled,), _ = Task(show, (nested(99),)).run({"a": 1})
    for _ in range(99):
        (filled,) = filled
    assert filled == 1
    with pytest.raises(LimitExceeded, match="nesting of references") as caught:
        Task(show, (nested(5000),))
    assert caught.value.limit == 100


@pytest.mark.parametrize("function", [5, None, "sum", Ref("a"), Task(show)])
def test_a_function_that_cannot_be_called_is_refused(function):
    with pytest.raises(InvalidGraph, match="the function of a task cannot be") as caught:
        Task(function, (1,))
    assert isinstance(caught.value, GraphError)
    assert isinstance(caught.value, TypeError)
    assert type(function).__name__ in str(caught.value)


@pytest.mark.parametrize("args", ["abc", {1}, 5, Ref("a"), {"a": 1}])
def test_args_that_are_no_sequence_of_arguments_are_refused(args):
    with pytest.raises(InvalidGraph, match="the args of a task"):
        Task(show, args)


@pytest.mark.parametrize("kwargs", [{1: 2}, [("a", 1)]])
def test_kwargs_without_names_are_refused(kwargs):
    with pytest.raises(InvalidGraph, match="the kwargs of a task"):
        Task(show, (), kwargs)


def test_a_reference_to_what_cannot_be_a_key_is_refused():
    with pytest.raises(InvalidGraph, match="a key cannot be"):
        Ref(["a"])  # type: ignore[arg-type]


def test_a_list_of_arguments_becomes_a_tuple():
    assert Task(show, [1, 2]).args == (1, 2)


def test_tasks_pickle():
    task = pickle.loads(pickle.dumps(Task(max, (Ref(("a", 0)), [Literal(2)]), {"default": 1})))
    assert (task.function, task.dependencies) == (max, (("a", 0),))
    assert task.args[0] == Ref(("a", 0))
    assert task.kwargs == {"default": 1}


def test_tasks_show_what_they_call():
    assert repr(Task(max, (Ref("a"), 1), {"key": None})) == "Task(max(Ref('a'), 1, key=None))"
    assert repr(Literal(3)) == "Literal(3)"


def test_names_of_functions():
    assert function_name(partial(partial(max, 1), 2)) == "max"
    assert function_name(threading.Lock()) == "lock"


def test_references_are_equal_by_key():
    assert Ref("a") == Ref("a") != Ref("b")
    assert len({Ref("a"), Ref("a"), "a"}) == 2
    assert references([Ref("b"), [Ref("a")], Ref("b")]) == ("b", "a")
