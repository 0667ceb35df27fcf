"""The loop thread: calls from other threads, its end, and what a fork leaves of it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading

import pytest

from hocket.core.errors import LocalProtocolError, SettingsError
from hocket.transport import LoopThread, new_event_loop, shared_loop


@pytest.fixture
def thread():
    thread = LoopThread("test-loop")
    yield thread
    thread.close()


async def who() -> threading.Thread:
    return threading.current_thread()


def test_a_coroutine_runs_in_a_named_daemon_thread(thread):
    runner = thread.run(who())
    assert runner is not threading.current_thread()
    assert (runner.name, runner.daemon) == ("test-loop", True)
    assert thread.alive


def test_an_error_comes_back(thread):
    async def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        thread.run(fail())


def test_a_coroutine_that_takes_too_long_is_cancelled(thread):
    cancelled = threading.Event()

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        thread.run(wait(), timeout_s=0.01)
    assert cancelled.wait(10)


def test_calls_come_in_order(thread):
    heard: list[int] = []
    for number in range(100):
        thread.call(heard.append, number)
    thread.run(who())
    assert heard == list(range(100))


def test_an_error_in_a_call_is_logged_and_disturbs_nothing(thread, caplog):
    thread.call(lambda: 1 / 0)
    thread.run(who())
    (record,) = caplog.records
    assert record.name == "asyncio"
    assert record.exc_info[0] is ZeroDivisionError


def test_its_own_thread_may_not_wait_for_it(thread):
    async def deadlock():
        thread.run(who())

    with pytest.raises(LocalProtocolError, match="own thread"):
        thread.run(deadlock())


def test_closing_cancels_what_runs_and_ends_the_thread():
    thread = LoopThread("test-loop")
    cancelled = threading.Event()
    started = threading.Event()

    async def wait():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    tasks: list[object] = []
    thread.call(lambda: tasks.append(thread.loop.create_task(wait())))
    assert started.wait(10)
    runner = thread.run(who())
    thread.close()
    assert cancelled.is_set()
    assert not runner.is_alive()
    assert thread.loop.is_closed()
    assert not thread.alive
    thread.close()
    for call in (lambda: thread.call(print), lambda: thread.run(who())):
        with pytest.raises(LocalProtocolError, match="closed"):
            call()
    gc.collect()


def test_it_may_be_closed_at_once_and_from_within():
    LoopThread("test-loop").close()
    thread = LoopThread("test-loop")
    runner = thread.run(who())
    thread.call(thread.close)
    runner.join(10)
    assert not runner.is_alive()


def test_there_is_one_shared_loop_and_another_when_it_was_closed():
    first = shared_loop()
    assert shared_loop() is first
    first.close()
    second = shared_loop()
    assert second is not first
    assert second.run(who()).is_alive()
    second.close()


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork_the_child_has_a_loop_of_its_own():
    code = """
import os, warnings
from hocket.core.errors import LocalProtocolError
from hocket.transport import shared_loop
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks beside threads

async def pid():
    return os.getpid()

thread = shared_loop()
assert thread.run(pid()) == os.getpid()
child = os.fork()
if child == 0:
    assert not thread.alive
    for call in (lambda: thread.call(print), lambda: thread.run(pid())):
        try:
            call()
        except LocalProtocolError as error:
            assert "forked" in str(error)
        else:
            raise AssertionError
    thread.close()
    mine = shared_loop()
    assert mine is not thread
    assert mine.run(pid()) == os.getpid()
    mine.close()
    raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert thread.run(pid()) == os.getpid()
print("fine")
"""
    done = run_python(code)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_the_interpreter_ends_quietly_with_a_loop_that_runs():
    code = """
import asyncio
from hocket.transport import shared_loop

async def forever():
    await asyncio.Event().wait()

thread = shared_loop()
kept = []
thread.call(lambda: kept.append(thread.loop.create_task(forever())))
print("fine")
"""
    done = run_python(code)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def test_kinds_of_loops(monkeypatch):
    loop = new_event_loop("asyncio")
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    loop = new_event_loop("auto")
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()
    with pytest.raises(SettingsError, match="not installed"):
        new_event_loop("uvloop")
