"""What a worker's pages say of the rest of its cluster."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from hocket.core.errors import PeerLost
from hocket.core.settings import Settings
from hocket.diagnostics.relatives import SIBLINGS_MAX, Relatives
from hocket.protocol.messages import ClusterDescribed, RequestRefused, WorkerDescription


def described(count, dashboard="http://127.0.0.1:8787/"):
    workers = [
        WorkerDescription(f"worker-{number}", f"tcp://h:{number}", "h", 1, 1, 0, {}, 0, 0, 0)
        for number in range(count)
    ]
    return ClusterDescribed(1, "tcp://127.0.0.1:1", workers, dashboard)


class Scheduler:
    """Answers, or does not; and the time."""

    def __init__(self, monkeypatch):
        self.answer = described(2)
        self.asked = 0
        self.now_s = 100.0
        self.relatives = Relatives("tcp://127.0.0.1:1", "s", Settings(), lambda: self.now_s)
        monkeypatch.setattr(self.relatives, "_ask", self.ask)

    async def ask(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def look(self):
        asyncio.run(self.relatives.look())


@pytest.fixture
def scheduler(monkeypatch):
    return Scheduler(monkeypatch)


def test_they_are_asked_for_now_and_then(scheduler):
    scheduler.look()
    scheduler.look()
    relatives = scheduler.relatives
    assert (relatives.scheduler_url, scheduler.asked) == ("http://127.0.0.1:8787/", 1)
    assert relatives.siblings == ["worker-0", "worker-1"]
    scheduler.now_s += 60
    scheduler.answer = described(SIBLINGS_MAX + 1, "http://127.0.0.1:8787/login")
    scheduler.look()
    assert (relatives.scheduler_url, relatives.siblings) == ("http://127.0.0.1:8787/", [])


@pytest.mark.parametrize(
    "answer",
    [TimeoutError(), PeerLost(address="a", reason="gone"), RequestRefused(1, "no")],
    ids=lambda answer: type(answer).__name__,
)
def test_without_an_answer_there_are_none(scheduler, answer):
    scheduler.answer = answer
    scheduler.look()
    assert (scheduler.relatives.scheduler_url, scheduler.relatives.siblings) == ("", [])


def test_pages_of_a_worker_link_to_the_scheduler_and_its_siblings(worker_site, scheduler):
    worker_site.server.site.relatives = scheduler.relatives
    scheduler.answer = described(2)
    scheduler.answer.workers[1] = replace(scheduler.answer.workers[1], name="a <b>/c")
    try:
        page = worker_site.get("/main")[1]
        assert 'href="http://127.0.0.1:8787/status"' in page
        assert 'href="http://127.0.0.1:8787/workers"' in page
        assert 'href="http://127.0.0.1:8787/worker/a%20%3Cb%3E%2Fc/main">a &lt;b&gt;/c</a>' in page
        # Where it came through the scheduler, so do the others.
        page = worker_site.get("/main", {"X-Hocket-Relayed": "1"})[1]
        assert 'href="../../worker/worker-0/main"' in page
    finally:
        worker_site.server.site.relatives = None
    assert "siblings" not in worker_site.get("/main")[1]
