"""A worker as a process of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Final

from hocket.core.settings import Settings
from hocket.transport import new_event_loop
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
    """Run a worker until its scheduler is gone, or SIGTERM or SIGINT comes.

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
    stopped = asyncio.get_running_loop().create_future()

    def stop(number: signal.Signals) -> None:
        if not stopped.done():
            stopped.set_result(f"the worker got {number.name}")

    _on_signals(stop)
    await worker.start()
    if ready is not None:
        ready(worker.address)
    finished = asyncio.ensure_future(worker.wait_finished())
    await asyncio.wait({stopped, finished}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        await worker.close(stopped.result())
    reason, clean = await finished
    await worker.close()
    if not clean:
        _logger.error("worker %r ends: %s", worker.name, reason)
    return 0 if clean else 1


def _on_signals(stop: Callable[[signal.Signals], None]) -> None:
    """Have signals that end a process handled by the loop."""
    if threading.current_thread() is not threading.main_thread():
        return  # Only the main thread can have handlers; who started us will close us.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
