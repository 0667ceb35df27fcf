"""How an actor is made, called and saved: whatever the user's code does becomes a failure."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.core.actor_class import ActorClass, ActorReference
from hocket.core.cluster_identity import ClusterIdentity
from hocket.protocol.messages import CHECKPOINT_NBYTES_MAX, CallKind, FailureKind
from hocket.protocol.serialize import dump_function, dump_value, load_exception, load_value, unpack
from hocket.worker.actors import Actor, Call
from hocket.worker.lanes import Lane
from hocket.worker.shell.actor_calls import answer, checkpoint_of, make
from hocket.worker.shell.packed import Packed, value_of
from hocket.worker.state import Datum, Function, Task, Terms

NBYTES_MAX = 1000


class Stub:
    """What stands for an actor."""

    __hocket_unshared__ = True

    def __init__(self, reference: ActorReference) -> None:
        self.reference = reference


class Box:
    def __init__(self, content: Any = None) -> None:
        if content == "bad":
            raise ValueError("a bad box")
        self.content = content

    def get(self) -> Any:
        return self.content

    def quit(self) -> None:
        raise SystemExit(3)

    async def later(self) -> Any:
        return self.content

    def lock(self) -> Any:
        return (one for one in ())


class SavedBox(Box):
    def __checkpoint__(self) -> Any:
        return self.content

    def __restore__(self, state: Any) -> None:
        self.content = ("restored", state)


def task_of(cls: type, *args: Any, call: Any = None) -> Task:
    pickled = dump_function(call or ActorClass(cls, Stub, ClusterIdentity("c", "tcp://s:1")))
    function = Function(pickled.digest, pickled.label, pickled.blob)
    terms = Terms(Lane("actors", 1), ())
    return Task("k", 7, 0, function, dump_value((args, {})), True, terms)


def living_of(cls: type, *args: Any) -> Any:
    living = make(task_of(cls, *args), "w", None).living
    assert living is not None
    return living


def call_of(method: str, *args: Any, kind: CallKind = CallKind.METHOD) -> Call:
    return Call(1, "c", 1, method, kind, dump_value((args, {})))


def reply(living: Any, call: Call) -> Any:
    return answer(living, call, Actor("k", 7), "w", NBYTES_MAX)


def test_an_actor_is_made_and_what_stands_for_it_travels():
    made = make(task_of(Box, 5), "w", None)
    assert made.living.instance.content == 5
    assert made.state is None
    outcome = made.outcome
    assert outcome.failure is None
    assert outcome.nbytes > 0
    stub = load_value(outcome.inline)
    assert stub.reference.label == "Box"
    assert stub.reference.cluster == ClusterIdentity("c", "tcp://s:1")
    assert set(stub.reference.methods) == {"get", "quit", "later", "lock"}
    assert isinstance(unpack(outcome.value.buffers), Stub)


def test_what_stands_for_an_actor_is_not_kept_by_a_worker():
    datum = Datum("k", 7, 1, make(task_of(Box), "w", None).outcome.value)
    first, second = value_of(datum), value_of(datum)
    assert isinstance(first, Stub)
    assert first is not second
    assert type(datum.value) is Packed


def test_an_actor_whose_class_can_be_saved_is_saved_at_once():
    made = make(task_of(SavedBox, [1, 2]), "w", None)
    assert load_value(made.state) == [1, 2]
    again = make(task_of(SavedBox, [1, 2]), "w", dump_value([3]))
    assert again.living.instance.content == ("restored", [3])


def test_a_constructor_that_raises_is_a_failure_of_the_task():
    made = make(task_of(Box, "bad"), "w", None)
    assert made.living is None
    failure = made.outcome.failure
    assert failure.kind is FailureKind.RAISED
    assert "a bad box" in failure.text


def test_what_makes_no_actor_is_refused():
    made = make(task_of(Box, 5, call=abs), "w", None)
    assert made.living is None
    assert "made a int" in made.outcome.failure.text


def test_a_first_checkpoint_that_is_too_large_is_a_failure_that_says_the_limit():
    made = make(task_of(SavedBox, bytes(CHECKPOINT_NBYTES_MAX + 1)), "w", None)
    assert made.living is None
    assert str(CHECKPOINT_NBYTES_MAX) in made.outcome.failure.text
    assert "__checkpoint__" in made.outcome.failure.text


def test_calls_return_values_and_attributes():
    living = living_of(Box, [1])
    value, failure, later = reply(living, call_of("get"))
    assert (load_value(value), failure, later) == ([1], None, None)
    value, _, _ = reply(living, call_of("content", kind=CallKind.ATTRIBUTE))
    assert load_value(value) == [1]


def test_a_coroutine_is_left_to_be_awaited():
    value, failure, later = reply(living_of(Box), call_of("later"))
    assert (value, failure) == (None, None)
    later.close()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (call_of("get", 1), "takes 1 positional argument"),
        (call_of("nothing"), "no attribute 'nothing'"),
        (call_of("nothing", kind=CallKind.ATTRIBUTE), "no attribute 'nothing'"),
        (call_of("quit"), "SystemExit"),
        (call_of("lock"), "the result of 'lock' of actor 'k'"),
        (Call(1, "c", 1, "get", 0, b"garbage"), "the arguments"),
    ],
)
def test_whatever_goes_wrong_is_a_failure_of_the_call(call, text):
    value, failure, later = reply(living_of(Box), call)
    assert (value, later) == (None, None)
    assert text in failure.text
    assert failure.key == f"k.{call.method}"
    assert failure.worker == "w"
    assert isinstance(load_exception(failure.exception, "k", failure.text), BaseException)


def test_a_result_that_fits_in_no_frame_is_refused():
    _, failure, _ = reply(living_of(Box, bytes(NBYTES_MAX + 1)), call_of("get"))
    assert f"{NBYTES_MAX}" in failure.text


def test_a_checkpoint_is_what_the_class_says():
    assert load_value(checkpoint_of(living_of(SavedBox, {"a": 1}))) == {"a": 1}
