"""Calls that the settings permit, and that end otherwise than by returning, or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

from hocket.protocol.feed import encode_plain
from hocket.scheduler.permitted_calls import PermittedCall
from hocket.scheduler.shell.calling import PermittedCaller


def cancel_nothing() -> None:
    raise asyncio.CancelledError("not of the scheduler's")


def test_who_called_is_told_whatever_is_raised() -> None:
    async def run() -> tuple[bytes | None, str]:
        returned: asyncio.Future[tuple[bytes | None, str]]
        returned = asyncio.get_running_loop().create_future()
        caller = PermittedCaller(lambda _, value, error: returned.set_result((value, error)))
        name = f"{__name__}:cancel_nothing"
        caller.call([PermittedCall(1, name, encode_plain([[], {}], "arguments"))])
        try:
            return await asyncio.wait_for(returned, 20)
        finally:
            caller.close()

    value, error = asyncio.run(run())
    assert value is None
    assert "CancelledError: not of the scheduler's" in error


SCRIPT = """
    import asyncio, threading
    from hocket.protocol.feed import encode_plain
    from hocket.scheduler.permitted_calls import PermittedCall
    from hocket.scheduler.shell.calling import PermittedCaller

    begun, never = threading.Event(), threading.Event()

    def wait():
        begun.set()
        never.wait()

    async def run():
        caller = PermittedCaller(print)
        caller.call([PermittedCall(1, "__main__:wait", encode_plain([[], {}], "arguments"))])
        begun.wait()
        caller.close()

    asyncio.run(run())
    print("over")
"""


def test_one_that_never_returns_does_not_keep_the_process() -> None:
    script = [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)
