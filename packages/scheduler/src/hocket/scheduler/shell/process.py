"""The scheduler as a process of its own."""

from __future__ import annotations

import asyncio
import functools
import gc
import signal
from collections.abc import Callable, Sequence

from hocket.core.settings import Settings
from hocket.scheduler.shell.server import Scheduler

__all__ = ["run_scheduler"]

#: The collector's first threshold in a scheduler: its records form few cycles that matter, and a
#: collection walks all of them.
_GC_THRESHOLD = 200_000


def run_scheduler(
    addresses: Sequence[str],
    *,
    settings: Settings,
    secret: str = "",
    cluster_id: str = "",
    ready: Callable[[str], None] | None = None,
    dashboard: Callable[[str], None] | None = None,
    replaced: Callable[[str], None] | None = None,
) -> None:
    """Run a scheduler until SIGTERM or SIGINT, or a client ends the cluster.

    Parameters
    ----------
    addresses
        Where to listen.
    settings, secret, cluster_id
        As for :class:`Scheduler`.
    ready
        Called with the actual first address once it listens.
    dashboard
        Called before that with where its pages are, as a URL; empty if it has none.
    replaced
        Called with the new secret when it was replaced, which SIGUSR1 brings about; without it that
        signal ends the process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    make = functools.partial(Scheduler, settings, secret=secret, cluster_id=cluster_id)
    asyncio.run(_serve(make, addresses, ready, dashboard, replaced))


async def _serve(
    make: Callable[..., Scheduler],
    addresses: Sequence[str],
    ready: Callable[[str], None] | None,
    dashboard: Callable[[str], None] | None,
    replaced: Callable[[str], None] | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    scheduler = make(on_ended=lambda _reason: stop.set())
    await scheduler.start(*addresses)
    if replaced is not None and hasattr(signal, "SIGUSR1"):
        loop.add_signal_handler(signal.SIGUSR1, lambda: replaced(scheduler.replace_secret()))
    if dashboard is not None:
        dashboard(scheduler.dashboard_link)
    if ready is not None:
        ready(scheduler.address)
    await stop.wait()
    await scheduler.close()
