"""A worker as a process of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from hocket.core.settings import Settings
from hocket.transport import new_event_loop
from hocket.worker.shell.recording import capture
from hocket.worker.shell.worker import Worker

__all__ = ["run_worker"]

_logger: Final = logging.getLogger("hocket.worker")

#: Young objects before the collector looks at them. Its records are not garbage and form hardly any
#: cycles; the user's may be, so it is not switched off.
_GC_THRESHOLD: Final = (20_000, 20, 50)


def run_worker(
    scheduler_address: str,
    *,
    name: str,
    threads: int | None = None,
    memory_limit: int | str | None = None,
    resources: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    secret: str = "",
    ready: Callable[[str], None] | None = None,
) -> int:
    """Run a worker until its scheduler is gone or has no use for it any more.

    At the first SIGTERM or SIGINT it asks to leave; at the second, or if it has not joined yet, it
    ends at once.

    Parameters
    ----------
    scheduler_address, name, threads, memory_limit, resources, settings, secret
        As for `Worker`.
    ready
        Called with the address of its data once it has joined.

    Returns
    -------
    int
        For the process to exit with: 0 if it ended in good order, 1 if it lost its scheduler.

    Raises
    ------
    ConnectFailed, HandshakeRefused, SettingsError
        As for `Worker.start`.
    """
    settings = settings or Settings()
    capture()
    sys.setswitchinterval(settings.worker.switch_interval_s)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    worker = Worker(
        scheduler_address,
        name=name,
        threads=threads,
        memory_limit=memory_limit,
        resources=resources,
        settings=settings,
        secret=secret,
    )
    kind = settings.transport.loop
    with asyncio.Runner(loop_factory=lambda: new_event_loop(kind)) as runner:
        return runner.run(_serve(worker, ready))


async def _serve(worker: Worker, ready: Callable[[str], None] | None) -> int:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()
    forced: asyncio.Future[str] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        if not asked.done():
            asked.set_result(f"the worker got {number.name}")
        elif not forced.done():
            forced.set_result(f"the worker got {number.name} again")

    _on_signals(stop)
    if not await _started(worker, asked):
        return 0
    if ready is not None:
        ready(worker.address)
    finished = asyncio.ensure_future(worker.wait_finished())
    await _first(asked, finished)
    if not finished.done():
        leaving = asyncio.ensure_future(worker.leave(asked.result()))
        await _first(leaving, forced)
        if not leaving.done():
            await worker.close(forced.result(), timeout_s=0)
        await leaving
    reason, clean = await finished
    await worker.close()
    if not clean:
        _logger.error("worker %r ends: %s", worker.name, reason)
    return 0 if clean else 1


async def _started(worker: Worker, asked: asyncio.Future[str]) -> bool:
    """Start a worker; return False if it was asked to stop before it could."""
    starting = asyncio.ensure_future(worker.start())
    await _first(starting, asked)
    if not starting.done():
        starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
        return True
    return False


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _on_signals(stop: Callable[[signal.Signals], None]) -> None:
    """Have signals that end a process handled by the loop."""
    if threading.current_thread() is not threading.main_thread():
        return  # Only the main thread can have handlers; who started us will close us.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
