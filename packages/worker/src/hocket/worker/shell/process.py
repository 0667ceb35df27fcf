"""A worker as a process of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from hocket.core.settings import Settings
from hocket.transport import monotonic, new_event_loop
from hocket.worker.shell.recording import capture
from hocket.worker.shell.worker import Worker

__all__ = ["LOST_SCHEDULER", "run_worker"]

_logger: Final = logging.getLogger("hocket.worker")

#: Young objects before the collector looks at them. Its records are not garbage and form hardly any
#: cycles; the user's may be, so it is not switched off.
_GC_THRESHOLD: Final = (20_000, 20, 50)

#: What the process exits with whose scheduler is gone (EX_TEMPFAIL, of sysexits.h).
LOST_SCHEDULER: Final = 75

#: Job queues send some signals to whole groups, and so twice to some: what comes again so soon is
#: no second request.
_REPEATED_S: Final = 1.0
#: Signals that ask a worker to end; batch systems send all of these before they kill. Those of the
#: second kind never force it.
_ENDING: Final = ("SIGTERM", "SIGINT")
_WARNING: Final = ("SIGUSR1", "SIGUSR2")


def run_worker(  # noqa: PLR0913 (all that a worker is)
    scheduler_address: str,
    *,
    name: str,
    threads: int | None = None,
    memory_limit: int | str | None = None,
    resources: Mapping[str, float] | None = None,
    gpus: Sequence[str] = (),
    settings: Settings | None = None,
    secret: str = "",
    ready: Callable[[str], None] | None = None,
    end_s: float = math.inf,
) -> int:
    """Run a worker until its scheduler is gone or has no use for it any more.

    At the first SIGTERM, SIGINT, SIGUSR1 or SIGUSR2 it asks to leave; at a second SIGTERM or
    SIGINT, or if it has not joined yet, it ends at once.

    Parameters
    ----------
    scheduler_address, name, threads, memory_limit, resources, gpus, settings, secret
        As for `Worker`.
    ready
        Called with the address of its data once it has joined.
    end_s
        When it will be killed, in seconds of the monotonic clock; it asks to leave
        ``worker.lifetime_margin_s`` before that.

    Returns
    -------
    int
        For the process to exit with: 0 if it ended in good order, `LOST_SCHEDULER` if it lost it.

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
        gpus=gpus,
        settings=settings,
        secret=secret,
    )
    worker.owns_process = True
    worker.leaves_s = end_s - settings.worker.lifetime_margin_s
    kind = settings.transport.loop
    with asyncio.Runner(loop_factory=lambda: new_event_loop(kind)) as runner:
        return runner.run(_serve(worker, ready, end_s))


async def _serve(worker: Worker, ready: Callable[[str], None] | None, end_s: float) -> int:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()
    forced: asyncio.Future[str] = loop.create_future()
    asked_s = math.inf
    timeout_s: float | None = None

    def stop(number: signal.Signals) -> None:
        nonlocal asked_s
        if not asked.done():
            asked_s = monotonic()
            asked.set_result(f"the worker got {number.name}")
        elif number.name in _ENDING and not forced.done() and monotonic() > asked_s + _REPEATED_S:
            forced.set_result(f"the worker got {number.name} again")

    def expire() -> None:
        nonlocal timeout_s
        if not asked.done():
            timeout_s = max(end_s - monotonic(), 0.0)
            asked.set_result("the worker's time is over")

    _on_signals(stop)
    if math.isfinite(worker.leaves_s):
        loop.call_later(max(worker.leaves_s - monotonic(), 0.0), expire)
    if not await _started(worker, asked):
        return 0
    if ready is not None:
        ready(worker.address)
    finished = asyncio.ensure_future(worker.wait_finished())
    await _first(asked, finished)
    if not finished.done():
        leaving = asyncio.ensure_future(worker.leave(asked.result(), timeout_s))
        await _first(leaving, forced)
        if not leaving.done():
            await worker.close(forced.result(), timeout_s=0)
        await leaving
    reason, clean = await finished
    await worker.close()
    if not clean:
        _logger.error("worker %r ends: %s", worker.name, reason)
    return 0 if clean else LOST_SCHEDULER


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
    for name in (*_ENDING, *_WARNING):
        if hasattr(signal, name):
            number = signal.Signals[name]
            loop.add_signal_handler(number, stop, number)
