"""How the worker looks at itself."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from hocket.worker.shell import monitor
from hocket.worker.shell.monitor import Monitor


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr(monitor, "MEMORY_INTERVAL_S", 0.001)


class Watch:
    """Notes what it is told, and looks on as often as the test says."""

    def __init__(self):
        self.seen = []
        self.more = 0
        self.done = asyncio.Event()

    def __call__(self, nbytes):
        self.seen.append(nbytes)
        self.more -= 1
        if self.more <= 0:
            self.done.set()
        return self.more > 0


def make(watch):
    sent = []
    return Monitor(60.0, counts=lambda: (7, 1, 2, 0), send=sent.append, watch=watch), sent


def test_the_memory_is_watched_as_long_as_somebody_wants_to_know():
    async def main():
        watch = Watch()
        watch.more = 3
        made, sent = make(watch)
        made.start()
        await watch.done.wait()
        assert len(watch.seen) == 3
        assert watch.seen[0] == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)
        # Nothing happens now, so nobody looks.
        assert made._memory_timer is None
        watch.done.clear()
        made.hurry()
        made.hurry()
        await watch.done.wait()
        assert len(watch.seen) == 4
        made.close()
        made.hurry()
        assert made._memory_timer is None
        assert [(each.held_nbytes, each.running, each.ready) for each in sent] == [(7, 1, 2)]

    asyncio.run(main())


def test_without_a_limit_nobody_watches():
    async def main():
        made, sent = make(None)
        made.start()
        made.hurry()
        assert made._memory_timer is None
        assert len(sent) == 1
        made.close()

    asyncio.run(main())
