"""Two ways to wait for one thing: in a thread, and on a loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hocket.client.shell.ways import DONE, Signal, apart, run_blocking, run_in_loop
from hocket.core.errors import LocalProtocolError
from hocket.transport.loop import shared_loop


def test_both_ways_give_values_errors_and_interrupts() -> None:
    ends: list[str] = []

    async def work(function: Callable[[], Any]) -> Any:
        try:
            return await apart(function)
        except ZeroDivisionError:
            return "divided"
        finally:
            ends.append("end")

    async def in_loop(function: Callable[[], Any]) -> Any:
        return await run_in_loop(work(function))

    for way in (lambda function: run_blocking(work(function)), lambda f: asyncio.run(in_loop(f))):
        assert way(lambda: 7) == 7
        assert way(lambda: 1 / 0) == "divided"
        with pytest.raises(KeyError):
            way({}.popitem)
    assert ends == ["end"] * 6


def test_a_signal_is_kept_until_somebody_waits() -> None:
    signal = Signal()
    assert not signal.block(0.0)
    signal.wake()
    signal.wake()
    assert signal.block(0.0)
    assert not signal.block(0.0)

    async def main() -> None:
        assert not await signal.in_loop(0.001)
        signal.wake()
        assert await signal.in_loop(0.0)
        waiting = asyncio.ensure_future(signal.in_loop(20))
        await asyncio.sleep(0)
        threading.Timer(0.0, signal.wake).start()
        assert await waiting

    asyncio.run(main())
    # Nobody waits on a loop that is closed.
    signal.wake()


def test_what_is_done_may_be_awaited() -> None:
    async def main() -> Any:
        return await DONE

    assert asyncio.run(main()) is None


def test_the_loop_of_the_process_is_not_blocked() -> None:
    async def nothing() -> None:
        """Return at once."""

    async def main() -> None:
        run_blocking(nothing())

    with pytest.raises(LocalProtocolError, match="event loop's own thread"):
        shared_loop().run(main())
