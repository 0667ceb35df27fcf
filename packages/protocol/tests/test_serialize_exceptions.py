"""Exceptions: same class, causes, notes, groups and the user's own frames come through."""

from __future__ import annotations

import copyreg
import pickle
import threading
import traceback
import types
from collections.abc import Iterator
from typing import Any

import pytest
import tblib.pickling_support
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import TaskFailed, WorkerDied
from hocket.protocol.serialize import apply, dump_exception, load_exception, strip_engine_frames


@pytest.fixture(scope="module", params=["alone", "with tblib's hooks"], autouse=True)
def hooks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Other libraries of a process may have told tblib to pickle all exceptions its way."""
    before = dict(copyreg.dispatch_table)
    if request.param != "alone":
        tblib.pickling_support.install()
    yield
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(before)


class NeedsTwo(Exception):
    def __init__(self, code: int, hint: str) -> None:
        super().__init__(f"code {code}")
        self.hint = hint


class Repeats(Exception):
    """Unpickles without an error, into another text."""

    def __init__(self, text: str) -> None:
        super().__init__(f"it says: {text}")


class KeywordOnly(ValueError):
    def __init__(self, *, code: int) -> None:
        super().__init__()
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class HoldsLock(Exception):
    def __init__(self) -> None:
        super().__init__("has a lock")
        self.lock = threading.Lock()


class Refuses(Exception):
    def __reduce__(self) -> Any:
        raise ZeroDivisionError

    def __str__(self) -> str:
        raise ZeroDivisionError


class Group(ExceptionGroup[Exception]):
    pass


def raised(error: BaseException) -> BaseException:
    """Return an exception that was raised."""
    try:
        raise error  # noqa: TRY301
    except BaseException as caught:  # noqa: BLE001
        return caught


def carried(error: BaseException) -> BaseException:
    data, text = dump_exception(error, "key")
    assert text
    return load_exception(data)


def outer(how: str) -> None:
    inner(how)


def inner(how: str) -> None:
    if how == "plain":
        raise ValueError("bad", 3)
    try:
        {}["missing"]
    except KeyError as error:
        if how == "cause":
            raise ValueError("bad") from error
        if how == "none":
            raise ValueError("bad") from None
        raise ValueError("bad")  # noqa: B904


def names_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad", 3),
        KeyError("k"),
        OSError(2, "No such file", "x.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        StopIteration(5),
        SystemExit(3),
        KeyboardInterrupt(),
        NeedsTwo(7, "try"),
        Repeats("hello"),
        KeywordOnly(code=4),
        WorkerDied(key="k", causes=["killed"]),
        Group("several", [ValueError("a"), Repeats("b")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_class_text_and_fields_come_through(error: BaseException) -> None:
    back = carried(raised(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.args == error.args or isinstance(error, BaseExceptionGroup)
    assert {k: v for k, v in vars(back).items() if k != "__notes__"} == vars(error)


def test_the_traceback_shows_the_users_lines() -> None:
    with pytest.raises(ValueError, match="bad") as caught:
        outer("plain")
    error = caught.value
    data, text = dump_exception(error, "key")
    back = load_exception(data)
    assert names_of(back)[-2:] == ["outer", "inner"]
    shown = "".join(traceback.format_exception(back))
    for line in ('raise ValueError("bad", 3)', "inner(how)", "ValueError: ('bad', 3)"):
        assert line in shown
        assert line in text


def test_causes_and_contexts() -> None:
    back = carried(_caught("cause"))
    assert isinstance(back.__cause__, KeyError)
    assert names_of(back.__cause__) == ["inner"]
    back = carried(_caught("context"))
    assert back.__cause__ is None
    assert isinstance(back.__context__, KeyError)
    assert not back.__suppress_context__
    back = carried(_caught("none"))
    assert back.__suppress_context__


def _caught(how: str) -> BaseException:
    try:
        outer(how)
    except ValueError as error:
        return error
    raise AssertionError


def test_rings_of_causes_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    back = carried(first)
    assert back.__cause__ is not None
    assert back.__cause__.__cause__ is back


@given(length=st.integers(0, 300))
def test_long_chains_are_cut(length: int) -> None:
    error = top = ValueError("0")
    for number in range(1, length):
        error.__context__ = ValueError(str(number))
        error = error.__context__
    back: BaseException | None = carried(top)
    texts = []
    while back is not None:
        texts.append(str(back))
        back = back.__context__
    assert texts == [str(number) for number in range(max(1, min(length, 100)))]


def test_notes() -> None:
    for error in (ValueError("x"), WorkerDied(key="k", causes=[]), NeedsTwo(1, "h")):
        error.add_note("first")
        error.add_note("second")
        assert carried(error).__notes__ == ["first", "second"]


def test_groups_keep_their_members_frames_and_causes() -> None:
    for kind in (ExceptionGroup, Group):
        group = kind("several", [_caught("cause"), kind("inner", [_caught("plain")])])
        back = carried(raised(group))
        assert type(back) is kind
        assert isinstance(back, BaseExceptionGroup)
        assert back.message == "several"
        assert names_of(back.exceptions[0])[-1] == "inner"
        assert isinstance(back.exceptions[0].__cause__, KeyError)
        assert names_of(back.exceptions[1].exceptions[0])[-1] == "inner"


def test_a_group_with_one_member_that_cannot_be_pickled() -> None:
    back = carried(ExceptionGroup("several", [ValueError("good"), HoldsLock()]))
    assert isinstance(back, ExceptionGroup)
    assert isinstance(back.exceptions[0], ValueError)
    assert isinstance(back.exceptions[1], TaskFailed)


def test_what_cannot_be_pickled_becomes_task_failed() -> None:
    error = raised(HoldsLock())
    back = carried(error)
    assert isinstance(back, TaskFailed)
    assert back.key == "key"
    assert "has a lock" in back.cause
    assert "in raised" in back.__notes__[0]
    assert names_of(back) == ["raised"]


def test_a_cause_that_cannot_be_pickled_does_not_spoil_the_rest() -> None:
    error = ValueError("good")
    error.__cause__ = HoldsLock()
    back = carried(error)
    assert isinstance(back, ValueError)
    assert isinstance(back.__cause__, TaskFailed)


def test_an_exception_that_fails_at_everything() -> None:
    back = carried(raised(Refuses()))
    assert isinstance(back, TaskFailed)
    assert "Refuses" in back.cause


def test_engine_frames_are_stripped_from_both_ends() -> None:
    engine = types.ModuleType("hocket.worker.executor")
    exec("def run(f):\n    return f()\ndef fail():\n    raise ValueError('x')", engine.__dict__)

    def user() -> None:
        apply(middle)

    def middle() -> None:
        engine.fail()

    with pytest.raises(ValueError, match="x") as caught:
        engine.run(user)
    error = caught.value
    # as the worker catches it: its own frame is the first
    error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
    assert names_of(error) == ["run", "user", "apply", "middle", "fail"]
    assert [f.name for f in traceback.extract_tb(strip_engine_frames(error.__traceback__))] == [
        "user",
        "apply",
        "middle",
    ]
    data, text = dump_exception(error, "key")
    assert names_of(load_exception(data)) == ["user", "apply", "middle"]
    assert "executor" not in text


def test_a_traceback_of_engine_frames_alone_is_empty() -> None:
    engine = types.ModuleType("hocket.worker.executor")
    exec(
        "def run():\n"
        "    try:\n"
        "        raise OSError\n"
        "    except OSError as error:\n"
        "        return error",
        engine.__dict__,
    )
    assert carried(engine.run()).__traceback__ is None


def test_the_parquet_library_is_no_engine() -> None:
    library = types.ModuleType("hocket.parquet.read")
    exec("def fail():\n    raise ValueError('x')", library.__dict__)
    with pytest.raises(ValueError, match="x") as caught:
        library.fail()
    assert names_of(carried(caught.value))[-1] == "fail"


def test_endless_recursion_is_cut() -> None:
    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    data, text = dump_exception(caught.value, "key")
    assert len(data) < 100_000
    assert len(names_of(load_exception(data))) == 200
    assert len(text) < 70_000


@given(data=st.binary())
def test_loading_never_raises(data: bytes) -> None:
    assert isinstance(load_exception(data, "key", "text"), BaseException)


@given(value=st.sampled_from([1, (), (1, 2, 3), ("k", "t", []), ("k", "t", [(1,)]), ("k", "t", 5)]))
def test_loading_other_pickles_never_raises(value: object) -> None:
    back = load_exception(pickle.dumps(value), "key", "what the worker saw")
    assert isinstance(back, TaskFailed)


def test_a_class_that_is_missing_here_becomes_task_failed() -> None:
    data, _ = dump_exception(raised(NeedsTwo(1, "h")), "key")
    back = load_exception(data.replace(b"NeedsTwo", b"NeedsTen"))
    assert isinstance(back, TaskFailed)
    assert back.cause == "NeedsTen('code 1')"
    assert "in raised" in back.__notes__[0]
