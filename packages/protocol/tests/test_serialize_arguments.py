"""Arguments: round trips, references found in passing, and errors that name the argument."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import OtherCluster, SerializationError, UnknownKey
from hocket.protocol.serialize import (
    ArgumentPickler,
    collecting,
    inputs_of,
    load_arguments,
    note_reference,
    resolve,
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


class Future:
    """What a client's future does when it is pickled."""

    def __init__(self, key: str, session: Session | None = None) -> None:
        self.key = key
        self.session = session

    def __reduce__(self) -> tuple[Any, ...]:
        note_reference(self.key, self.session, self)
        return resolve, (self.key,)


class Ref:
    """A reference that does not reduce by itself."""

    def __init__(self, key: str) -> None:
        self.key = key


@dataclass
class Box:
    content: Any


class Refuses:
    def __reduce__(self) -> tuple[Any, ...]:
        raise ZeroDivisionError("not today")


def _reduce_ref(ref: Ref) -> tuple[Any, ...]:
    note_reference(ref.key)
    return resolve, (ref.key,)


@given(args=st.lists(plain).map(tuple), kwargs=st.dictionaries(st.text(), plain))
def test_what_goes_in_comes_out(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    pickler = ArgumentPickler()
    data = pickler.dumps(args, kwargs)
    assert load_arguments(data) == (args, kwargs)
    assert pickler.references == []


@given(keys=st.lists(st.text(), max_size=8), depth=st.integers(0, 4))
def test_futures_are_found_however_deep(keys: list[str], depth: int) -> None:
    argument: Any = [Future(key) for key in keys]
    for _ in range(depth):
        argument = {"in": Box((argument, 1))}
    pickler = ArgumentPickler()
    data = pickler.dumps((argument,), {"again": argument})
    assert pickler.references == list(dict.fromkeys(keys))
    values = {key: key.upper() for key in keys}
    (loaded,), kwargs = load_arguments(data, values or {"x": 1})
    for _ in range(depth):
        loaded = loaded["in"].content[0]
    assert loaded == [key.upper() for key in keys]
    assert kwargs.keys() == {"again"}


def test_references_are_those_of_the_last_dumps() -> None:
    pickler = ArgumentPickler()
    pickler.dumps((Future("a"),), {})
    first = pickler.references
    pickler.dumps((1,), {})
    assert pickler.references == []
    pickler.dumps((Future("b"), Future("b")), {})
    assert pickler.references == ["b"]
    assert first == ["a"]


@pytest.mark.parametrize("extra_argument", [1, lambda: 1], ids=["pickle", "cloudpickle"])
def test_extra_reducers_take_references_apart(extra_argument: Any) -> None:
    pickler = ArgumentPickler(extra={Ref: _reduce_ref})
    for key in ("a", "b"):  # a second time: nothing of the first is left
        data = pickler.dumps(([Ref(key), Future("f"), Ref(key)], extra_argument), {})
        assert pickler.references == [key, "f"]
        (loaded, _), _ = load_arguments(data, {key: 1, "f": 2})
        assert loaded == [1, 2, 1]


def test_futures_beside_what_only_cloudpickle_takes_are_noted_once() -> None:
    pickler = ArgumentPickler()
    data = pickler.dumps((Future("a"), lambda x: x + 1), {})
    assert pickler.references == ["a"]
    (value, function), _ = load_arguments(data, {"a": 10})
    assert function(value) == 11


def test_a_closure_in_an_argument_may_hold_a_future() -> None:
    future = Future("a")
    pickler = ArgumentPickler()
    data = pickler.dumps((lambda: future,), {})
    assert pickler.references == ["a"]
    (function,), _ = load_arguments(data, {"a": "value"})
    assert function() == "value"


def test_partials_bound_methods_and_classes() -> None:
    data = ArgumentPickler().dumps((functools.partial(int, base=2), "a-b".split, Box), {})
    (partial, method, box), _ = load_arguments(data)
    assert partial("101") == 5
    assert method("-") == ["a", "b"]
    assert box is Box


@pytest.mark.parametrize(
    ("args", "kwargs", "what", "type_name", "reason"),
    [
        ((1, threading.Lock()), {}, "argument 2", "lock", "pickle '_thread.lock'"),
        ((1,), {"guard": [threading.Lock()]}, "argument 'guard'", "list", "_thread.lock"),
        ((Refuses(),), {}, "argument 1", "Refuses", "ZeroDivisionError: not today"),
    ],
)
def test_what_cannot_be_pickled_is_named(
    args: tuple[Any, ...], kwargs: dict[str, Any], what: str, type_name: str, reason: str
) -> None:
    pickler = ArgumentPickler()
    with pytest.raises(SerializationError) as caught:
        pickler.dumps(args, kwargs)
    assert caught.value.what == what
    assert caught.value.type_name == type_name
    assert reason in caught.value.reason
    assert not collecting()
    # and it goes on working
    assert load_arguments(pickler.dumps((1,), {})) == ((1,), {})


def test_with_extra_reducers_a_failure_leaves_the_pickler_usable() -> None:
    pickler = ArgumentPickler(extra={Ref: _reduce_ref})
    with pytest.raises(SerializationError, match="argument 2"):
        pickler.dumps((Ref("a"), threading.Lock()), {})
    assert load_arguments(pickler.dumps((Ref("b"),), {}), {"b": 5}) == ((5,), {})
    assert pickler.references == ["b"]


def test_what_cannot_be_unpickled_is_an_error_of_ours() -> None:
    with pytest.raises(SerializationError, match="the arguments"):
        load_arguments(b"garbage")
    with pytest.raises(SerializationError, match="no_such_module"):
        load_arguments(b"cno_such_module\nname\n.")


def test_references_out_of_place() -> None:
    with pytest.raises(SerializationError, match="'a'"):
        resolve("a")
    with pytest.raises(SerializationError, match="'a'"):
        note_reference("a")
    with pytest.raises(SerializationError, match="'a'"):
        pickle.dumps(Future("a"))
    with inputs_of({"b": 1}):
        assert resolve("b") == 1
        with pytest.raises(UnknownKey):
            resolve("a")
        with inputs_of({"a": 2}):
            assert resolve("a") == 2
        assert resolve("b") == 1
    with pytest.raises(SerializationError):
        resolve("b")


def test_threads_do_not_see_each_others_inputs() -> None:
    seen: list[BaseException | object] = []

    def look() -> None:
        try:
            seen.append(resolve("a"))
        except SerializationError as error:
            seen.append(error)

    with inputs_of({"a": 1}):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert isinstance(seen[0], SerializationError)


def test_modules_registered_by_value() -> None:
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        data = ArgumentPickler().dumps((Box(1),), {})
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    assert len(data) > 10 * len(ArgumentPickler().dumps((Box(1),), {}))


def test_what_a_script_defines_reaches_a_process_with_another_main(tmp_path: Any) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        from dataclasses import dataclass
        from hocket.protocol.serialize import *

        OFFSET = 100

        @dataclass
        class Point:
            x: int
            def moved(self): return Point(self.x + OFFSET)

        class Oops(Exception):
            def __init__(self, code, *, hint):
                super().__init__(f"code {code}")
                self.hint = hint

        def work(point): return helper(point).moved()
        def helper(point): return Point(point.x * 2)
        def fail(): raise Oops(7, hint="none")

        if sys.argv[1:] == []:
            import pickle, subprocess
            job = pickle.dumps({
                "work": dump_function(work).blob,
                "method": dump_function(Point(1).moved).blob,
                "args": ArgumentPickler().dumps((Point(5),), {}),
                "fail": dump_function(fail).blob,
            })
            code = '''
        import pickle, sys
        from hocket.protocol.serialize import *
        job = pickle.loads(sys.stdin.buffer.read())
        (point,), _ = load_arguments(job["args"])
        try:
            load_function(job["fail"])()
        except Exception as error:
            failure, text = dump_exception(error, "k")
        answer = (dump_value(load_function(job["work"])(point)),
                  dump_value(load_function(job["method"])()), failure)
        sys.stdout.buffer.write(pickle.dumps(answer))
        '''
            import textwrap
            done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], input=job,
                                  stdout=subprocess.PIPE, check=True)
            worked, moved, failure = pickle.loads(done.stdout)
            worked = load_value(worked)
            assert worked == Point(110) and type(worked) is Point, worked
            assert load_value(moved) == Point(101)
            error = load_exception(failure)
            assert type(error) is Oops and error.hint == "none" and str(error) == "code 7", error
            print("fine")
        """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


class Session:
    """Whose futures are."""

    def __init__(self, cluster_id: str, address: str = "tcp://a:1") -> None:
        self.cluster = ClusterIdentity(cluster_id, address)


HERE, SAME, OTHER = Session("1"), Session("1", "tcp://a.example:1"), Session("2")


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [{"deep": (x,)}], lambda x: lambda: x])
def test_a_future_of_another_cluster_is_refused_by_name(wrap: Any) -> None:
    pickler = ArgumentPickler(owner=HERE)
    with pytest.raises(OtherCluster, match=r"'k'.*tcp://a:1 \(id 2\).*tcp://a:1 \(id 1\)"):
        pickler.dumps((1, wrap(Future("k", OTHER))), {})
    # What comes after it does not suffer; a cluster is its id, whatever it is called.
    data = pickler.dumps((Future("k", SAME), Future("l")), {"x": Future("k", HERE)})
    assert pickler.references == ["k", "l"]
    assert load_arguments(data, {"k": 1, "l": 2}) == ((1, 2), {"x": 1})
    assert not collecting()


def test_futures_of_others_of_the_cluster_are_told_apart() -> None:
    pickler = ArgumentPickler(owner=HERE)
    guest, deep = Future("g", SAME), Future("h", SAME)
    pickler.dumps((guest, Future("k", HERE), lambda: deep), {})
    assert (pickler.references, pickler.guests) == (["g", "k", "h"], [guest, deep])
    guests = pickler.guests
    pickler.dumps((Future("k", HERE),), {})
    assert (pickler.references, pickler.guests) == (["k"], [])
    pickler.dumps((guest,), {})
    pickler.dumps((1,), {})
    assert (pickler.references, pickler.guests) == ([], [])
    assert guests == [guest, deep]


def test_where_nobody_says_which_cluster_any_will_do() -> None:
    pickler = ArgumentPickler()
    pickler.dumps((Future("k", OTHER), Future("k", HERE)), {})
    assert (pickler.references, pickler.guests) == (["k"], [])
