"""The local executors: agreement on errors, letting go, stopping, and leaving nothing behind.

That their results agree with the reference interpreter for all graphs: test_graph_properties.
"""

from __future__ import annotations

import contextvars
import copyreg
import os
import signal
import subprocess
import sys
import threading
import traceback
import types
import weakref

import pytest

from hocket.core.errors import (
    SerializationError,
    SettingsError,
    TaskFailed,
    UnknownKey,
    WorkerDied,
)
from hocket.graph import Graph, Literal, Ref, Task, compute
from hocket.graph.executors import processes
from hocket.graph.executors.exceptions import pack_error, unpack_error
from hocket.graph.executors.progress import Progress

EXECUTORS = ["sync", "threads", "processes"]


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Check that no thread and no process outlives a test."""
    threads_before = threading.enumerate()
    started = []
    start = subprocess.Popen

    def recording(*args, **kwargs):
        started.append(start(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", recording)
    yield started
    assert threading.enumerate() == threads_before
    assert all(process.returncode is not None for process in started)


class Picky(Exception):
    """An exception that cannot be made of its own arguments."""

    def __init__(self, one, *, two):
        super().__init__(f"not {one}")
        self.two = two


# Functions in functions are pickled by value: the processes cannot import this file.
def make_functions():
    def fail(*_):
        raise LookupError("the user's own")

    def fail_with_cause():
        try:
            fail()
        except LookupError as error:
            raise ValueError("outer") from error

    class Unpicklable(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")
            self.lock = threading.Lock()

    def fail_unpicklably():
        raise Unpicklable(1, 2)

    def lock():
        return threading.Lock()

    def spin():
        while True:
            pass

    return fail, fail_with_cause, fail_unpicklably, lock, spin


fail, fail_with_cause, fail_unpicklably, lock, spin = make_functions()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_users_own_error_comes_back_with_its_traceback(executor):
    graph = {"a": Task(fail), "b": Task(max, (Ref("a"), 1)), "c": Ref("b")}
    with pytest.raises(LookupError, match="the user's own") as caught:
        compute(graph, "c", executor)
    assert type(caught.value) is LookupError
    assert caught.value.__cause__ is None
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.name, last.filename) == ("fail", __file__)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_the_users_frames_follow_the_callers(executor):
    with pytest.raises(LookupError) as caught:
        compute({"a": Task(fail)}, "a", executor)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert not {"work", "call", "_result", "main"} & {frame.name for frame in frames}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_cause_of_an_error_comes_along(executor):
    with pytest.raises(ValueError, match="outer") as caught:
        compute({"a": Task(fail_with_cause)}, "a", executor)
    assert type(caught.value.__cause__) is LookupError
    assert caught.value.__cause__.args == ("the user's own",)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_call_that_does_not_fit_is_the_users_error(executor):
    with pytest.raises(TypeError, match="argument"):
        compute({"a": Task(pow, (1,))}, "a", executor)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_leaving_the_program_in_a_task_leaves_the_program(executor):
    with pytest.raises(SystemExit) as caught:
        compute({"a": Task(sys.exit, (3,))}, "a", executor)
    assert caught.value.code == 3


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_first_error_stops_the_run(executor):
    calls = []

    def note():
        calls.append(1)
        raise LookupError

    graph = {f"k{i}": Task(note) for i in range(100)}
    with pytest.raises(LookupError):
        compute(graph, list(graph), executor, 1)
    assert len(calls) == (0 if executor == "processes" else 1)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_error_that_nobody_needs_does_not_happen(executor):
    assert compute({"a": 1, "b": Task(fail)}, ["a"], executor) == [1]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_nothing_to_do(executor):
    assert compute({}, [], executor) == []
    assert compute({"a": 1, "b": Ref("a"), "c": Literal([Ref("a")])}, ["b", "c"], executor) == [
        1,
        [Ref("a")],
    ]


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_workers_are_counted(executor, workers):
    with pytest.raises(SettingsError, match=r"'workers' from the call cannot be"):
        compute({"a": 1}, "a", executor, workers)


def test_an_executor_that_does_not_exist():
    with pytest.raises(SettingsError, match="'sync', 'threads' or 'processes'"):
        compute({"a": 1}, "a", "fibres")


# ------------------------------------------------------------------------------- progress


def test_progress_hands_out_tasks_in_order_and_lets_go():
    task = Task(max)
    graph = Graph(
        {
            "data": 5,
            "alias": Ref("data"),
            "one": Task(max, (Ref("alias"), 1)),
            "two": Task(max, (Ref("one"),)),
            "three": Task(max, (Ref("one"), Ref("two"))),
            "side": task,
        }
    )
    progress = Progress(graph, ["three", "one", "side"], carry=lambda key, value: (key, value))
    assert (progress.tasks_count, progress.done) == (4, False)
    one = progress.start_next()
    assert progress.key(one) == "one"
    assert progress.inputs(one) == {"alias": ("data", 5)}
    side = progress.start_next()
    assert (progress.task(side), progress.start_next()) == (task, None)
    progress.finish(one, "ONE")
    two = progress.start_next()
    assert progress.inputs(two) == {"one": "ONE"}
    assert (progress.start_next(), progress.ready_count) == (None, 0)
    progress.finish(two, "TWO")
    three = progress.start_next()
    assert progress.inputs(three) == {"one": "ONE", "two": "TWO"}
    progress.finish(three, "THREE")
    assert not progress.done
    progress.finish(side, None)
    assert progress.done
    assert progress.results() == {"one": "ONE", "three": "THREE", "side": None}


# -------------------------------------------------------------------------------- threads


class Value:
    """Something that can be watched."""


def test_threads_let_go_of_results_as_soon_as_they_can():
    made = []

    def make(*_):
        assert sum(reference() is not None for reference in made) <= 2
        value = Value()
        made.append(weakref.ref(value))
        return value

    graph = {"0": Task(make)} | {str(i): Task(make, (Ref(str(i - 1)),)) for i in range(1, 30)}
    result = compute(graph, "29", "threads", 3)
    assert [reference() for reference in made] == [None] * 29 + [result]


def test_threads_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=30)
    graph = {str(i): Task(meeting.wait) for i in range(3)}
    assert sorted(compute(graph, list(graph), "threads", 3)) == [0, 1, 2]


def test_one_thread_keeps_to_the_order():
    seen = []
    graph = {
        (chain, place): Task(
            seen.append, ((chain, place), *[Ref((chain, place - 1))] * (place > 0))
        )
        for place in range(3)
        for chain in range(3)
    }
    graph = {key: Task(lambda key, *_: seen.append(key), task.args) for key, task in graph.items()}
    compute(graph, list(graph), "threads", 1)
    assert seen == [(chain, place) for chain in range(3) for place in range(3)]


def test_threads_see_the_callers_context():
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    assert compute({"a": Task(variable.get)}, "a", "threads") == "set"


def test_threads_can_pass_on_what_cannot_be_pickled():
    graph = {"a": Task(iter, ([1, 2],)), "b": Task(list, (Ref("a"),)), "lock": threading.Lock()}
    assert compute(graph, ["b", "lock"], "threads") == [[1, 2], graph["lock"]]


def test_other_threads_finish_their_task_when_one_fails():
    failed = threading.Event()
    finished = []

    def slow():
        failed.wait(30)
        finished.append(1)

    def quick():
        failed.set()
        raise LookupError

    graph = {
        "slow": Task(slow),
        "quick": Task(quick),
        "never": Task(finished.append, (Ref("slow"),)),
    }
    with pytest.raises(LookupError):
        compute(graph, list(graph), "threads", 2)
    assert finished == [1]


def test_ctrl_c_ends_the_run():
    main = threading.main_thread().ident

    def interrupt():
        signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        compute({"a": Task(interrupt), "b": Task(fail, (Ref("a"),))}, "a", "threads", 1)


def test_a_graph_can_be_computed_in_a_task():
    inner = {"a": 1, "b": Task(max, (Ref("a"), 5))}
    assert compute({"c": Task(compute, (Literal(inner), "b"))}, "c", "threads", 1) == 5


# ------------------------------------------------------------------------------ processes


def test_processes_are_as_many_as_asked_and_no_more_than_needed(nothing_left):
    graph = {str(i): Task(os.getpid) for i in range(6)}
    pids = compute(graph, list(graph), "processes", 2)
    assert len(nothing_left) == 2
    assert set(pids) <= {process.pid for process in nothing_left}
    assert [process.returncode for process in nothing_left] == [0, 0]
    chain = {"a": Task(os.getpid), "b": Task(max, (Ref("a"), 0))}
    compute(chain, "b", "processes", 2)
    assert len(nothing_left) == 3


def test_processes_send_big_values():
    graph = {"a": Task(bytes, (3_000_000,)), "b": Task(len, (Ref("a"),)), "c": b"x" * 200_000}
    assert compute(graph, ["a", "b", "c"], "processes", 1) == [
        bytes(3_000_000),
        3_000_000,
        b"x" * 200_000,
    ]


def test_a_busy_process_is_ended_when_another_task_fails(nothing_left):
    graph = {"spin": Task(spin), "fail": Task(fail)}
    with pytest.raises(LookupError):
        compute(graph, list(graph), "processes", 2)
    assert sorted(process.returncode for process in nothing_left) == [-signal.SIGTERM, 0]


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        ((os._exit, 3), "exit code 3"),
        ((signal.raise_signal, signal.SIGKILL), "killed by SIGKILL"),
    ],
)
def test_the_death_of_a_process_is_told(act, cause):
    with pytest.raises(WorkerDied, match=cause) as caught:
        compute({("a", 0): Task(act[0], act[1:])}, ("a", 0), "processes")
    assert caught.value.key == "('a', 0)"
    assert caught.value.causes == [cause]


@pytest.mark.parametrize(
    ("graph", "what", "type_name"),
    [
        ({"a": Task(lock)}, "the result of task 'a'", "lock"),
        ({"a": Task(iter, ((i for i in ()),))}, "argument 0 of task 'a'", "generator"),
        ({"a": Task(dict, (), {"x": threading.Lock()})}, "argument x of task 'a'", "lock"),
        ({"g": (i for i in ()), "a": Task(list, (Ref("g"),))}, "the value of 'g'", "generator"),
        ({"a": threading.Lock()}, "the value of 'a'", "lock"),
        ({"a": Task(threading.Lock().acquire)}, "the function of task 'a'", None),
    ],
)
def test_what_cannot_be_pickled_is_named(graph, what, type_name):
    with pytest.raises(SerializationError) as caught:
        compute(graph, "a", "processes")
    assert caught.value.what == what
    assert type_name is None or caught.value.type_name == type_name
    assert "pickle" in caught.value.reason


def test_an_exception_that_cannot_be_pickled_is_told():
    with pytest.raises(TaskFailed, match="1 and 2") as caught:
        compute({"a": Task(fail_unpicklably)}, "a", "processes")
    assert caught.value.key == "a"
    assert "in fail_unpicklably" in caught.value.cause


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        OSError(2, "No such file", "a", None, "b"),
        UnicodeDecodeError("utf-8", b"abc", 1, 2, "because"),
        Picky("one", two=2),
        UnknownKey(key="k", wanted_by=["a", ("b", 0)]),
        ExceptionGroup("several", [ValueError(1), KeyError("x")]),
        KeyError("key"),
    ],
)
def test_an_exception_is_carried_as_it_is(error):
    error.add_note("a note")
    error.__cause__ = ValueError("the cause")
    error.__context__ = error.__cause__.__context__ = LookupError("the context")
    back = unpack_error("k", pack_error("k", error))
    assert (type(back), str(back), repr(back)) == (type(error), str(error), repr(error))
    for name in ("code", "errno", "filename", "filename2", "start", "key", "two", "exceptions"):
        assert repr(getattr(back, name, None)) == repr(getattr(error, name, None))
    assert back.__notes__ == ["a note"]
    assert (type(back.__cause__), back.__cause__.args) == (ValueError, ("the cause",))
    assert back.__cause__.__context__ is back.__context__
    assert back.__suppress_context__


def test_other_ways_to_pickle_exceptions_change_nothing(monkeypatch):
    monkeypatch.setitem(copyreg.dispatch_table, SystemExit, lambda error: (SystemExit, ("wrong",)))
    assert unpack_error("k", pack_error("k", SystemExit(3))).code == 3


def test_exceptions_that_led_to_each_other_in_a_ring_are_carried():
    one, two = ValueError("one"), LookupError("two")
    one.__context__, two.__context__ = two, one
    two.args = (threading.Lock(),)
    back = unpack_error("k", pack_error("k", one))
    assert (str(back), back.__context__) == ("one", None)


def make_homesick():
    def unpickle_at(home):
        if os.getpid() != home:
            raise OSError("only at home")
        return Homesick()

    class Homesick(Exception):
        """Something that can be unpickled only in the process that pickled it."""

        def __reduce__(self):
            return unpickle_at, (os.getpid(),)

    def leave():
        raise Homesick

    return Homesick, leave


def test_what_cannot_be_unpickled_here_is_named():
    make, leave = make_homesick()
    with pytest.raises(SerializationError, match="only at home") as caught:
        compute({"a": Task(make)}, "a", "processes")
    assert caught.value.what == "the value of 'a'"
    with pytest.raises(TaskFailed, match="cannot be unpickled: only at home"):
        compute({"a": Task(leave)}, "a", "processes")


def test_what_the_process_cannot_import_is_told(monkeypatch):
    module = types.ModuleType("only_here")
    exec("def function(): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(SerializationError, match="No module named 'only_here'") as caught:
        compute({"a": Task(module.function)}, "a", "processes")
    assert caught.value.what == "the function of task 'a'"


_SCRIPT = """
import sys
from hocket.graph import Ref, Task, compute

print("main runs", flush=True)

class Point:
    def __init__(self, x):
        self.x = x

def make(x):
    print("task runs", flush=True)
    return Point(x)

graph = {"a": Task(make, (1,)), "b": Task(lambda point: Point(point.x + 1), (Ref("a"),))}
points = compute(graph, ["a", "b"], "processes", workers=2)
print([isinstance(point, Point) and point.x for point in points], "asyncio" in sys.modules)
"""


@pytest.mark.parametrize("way", ["script", "command", "stdin"])
def test_processes_need_no_guard_around_main(tmp_path, way):
    path = tmp_path / "script.py"
    path.write_text(_SCRIPT)
    arguments = {"script": [str(path)], "command": ["-c", _SCRIPT], "stdin": ["-"]}[way]
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=_SCRIPT if way == "stdin" else "",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["main runs", "task runs", "[1, 2] False"]


def test_processes_import_what_lies_beside_the_script(tmp_path):
    (tmp_path / "beside.py").write_text("def double(x):\n    return 2 * x\n")
    script = tmp_path / "script.py"
    script.write_text(
        "from beside import double\nfrom hocket.graph import Task, compute\n"
        "print(compute({'a': Task(double, (21,))}, 'a', 'processes'))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_making_graphs_loads_nothing_that_acts():
    code = (
        "import sys, hocket.graph as g; g.order(g.from_dask({'a': (max, 1, 2)}));"
        "g.compute({'a': 1}, 'a', 'sync'); g.visualize({'a': 1}, format='mermaid');"
        "bad = {'asyncio', 'socket', 'ssl', 'multiprocessing', 'subprocess', 'threading', 'dask'};"
        "sys.exit(', '.join(sorted(bad & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
