"""Functions: by name where they can be imported, by value elsewhere, and never stale."""

from __future__ import annotations

import functools
import json
import math
import operator
import os.path
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from hocket.core.errors import SerializationError
from hocket.protocol.serialize import (
    apply,
    dump_function,
    inputs_of,
    label_of,
    load_function,
    note_reference,
    resolve,
)


def increment(x: int) -> int:
    return x + 1


class Adder:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def add(self, x: int) -> int:
        return x + self.amount

    @classmethod
    def make(cls, amount: int) -> Adder:
        return cls(amount)

    def __call__(self, x: int) -> int:
        return self.add(x)


class Future:
    def __reduce__(self) -> tuple[Any, ...]:
        note_reference("key")
        return resolve, ("key",)


@pytest.mark.parametrize(
    "function", [json.loads, math.sqrt, len, Adder, operator.add, os.path.join]
)
def test_importable_functions_go_by_name_and_are_kept(function: Callable[..., Any]) -> None:
    pickled = dump_function(function)
    assert len(pickled.blob) < 100
    assert load_function(pickled.blob) is function
    assert dump_function(function) is pickled
    assert len(pickled.digest) == 16
    assert pickled.references == []


@pytest.mark.parametrize(
    ("function", "label"),
    [
        (lambda x: x + 1, "lambda"),
        (functools.partial(operator.add, 1), "add"),
        (functools.partial(functools.partial(increment)), "increment"),
        (Adder(1).add, "add"),
        (Adder(1), "Adder"),
    ],
)
def test_other_callables_come_back_and_have_labels(
    function: Callable[..., Any], label: str
) -> None:
    pickled = dump_function(function)
    assert pickled.label == label == label_of(function)
    assert load_function(pickled.blob)(4) == 5
    assert dump_function(function).digest == pickled.digest


def test_bound_class_methods() -> None:
    assert load_function(dump_function(Adder.make).blob)(5).amount == 5


def test_closures_are_pickled_anew_each_time() -> None:
    amount = 1

    def add(x: int) -> int:
        return x + amount

    first = dump_function(add)
    amount = 2
    second = dump_function(add)
    assert first.digest != second.digest
    assert load_function(first.blob)(1) == 2
    assert load_function(second.blob)(1) == 3


def test_a_function_that_was_replaced_in_its_module_goes_by_value() -> None:
    module = types.ModuleType("replaced_module")
    sys.modules[module.__name__] = module
    try:
        exec("def f(): return 'old'", module.__dict__)
        old = module.f
        assert len(dump_function(old).blob) < 100
        exec("def f(): return 'new'", module.__dict__)
        assert load_function(dump_function(old).blob)() == "old"
        assert load_function(dump_function(module.f).blob) is module.f
    finally:
        del sys.modules[module.__name__]


def test_another_thread_may_be_importing_cloudpickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", types.ModuleType("cloudpickle"))
    assert load_function(dump_function(math.sin).blob) is math.sin


def test_functions_of_main_go_by_value() -> None:
    main = sys.modules["__main__"]
    exec("def defined_in_main(x): return x * 2", main.__dict__)
    function = main.__dict__["defined_in_main"]
    blob = dump_function(function).blob
    del main.__dict__["defined_in_main"]
    assert load_function(blob)(4) == 8


def test_futures_in_a_closure_are_noted() -> None:
    future = Future()
    pickled = dump_function(lambda: [future, future])
    assert pickled.references == ["key"]
    with inputs_of({"key": 7}):
        assert load_function(pickled.blob)() == [7, 7]


def test_apply_calls_its_first_argument() -> None:
    assert apply(increment, 1) == 2
    assert apply(dict, function=1) == {"function": 1}


def test_what_cannot_be_pickled_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(SerializationError, match=r"the function 'lambda'.*_thread\.lock"):
        dump_function(lambda: lock)
    with pytest.raises(SerializationError, match=r"the function 'partial'|'increment'"):
        dump_function(functools.partial(increment, lock))


@pytest.mark.parametrize("blob", [b"", b"garbage", b"cno_such_module\nname\n.", b"I1\n."])
def test_what_cannot_be_unpickled_is_an_error_of_ours(blob: bytes) -> None:
    with pytest.raises(SerializationError, match="the function"):
        load_function(blob)
