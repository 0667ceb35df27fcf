"""Services beside a role: one that fails takes nothing along."""

from __future__ import annotations

import asyncio

from hocket.core.settings import Settings
from hocket.protocol.roles import Role
from hocket.transport import services
from hocket.transport.services import RoleFacts, close_services, link_of, start_services


class MadeUp:
    def __init__(self, link="", *, fails=False):
        self.link = link
        self.fails = fails
        self.closed = False

    async def close(self):
        self.closed = True
        if self.fails:
            raise OSError("it does not end")


class Entry:
    def __init__(self, name, start):
        self.name = name
        self.start = start

    def load(self):
        return self.start


def fail(facts):
    raise ValueError(f"it does not start beside {facts.name}")


def test_all_start_and_end_but_those_that_fail(monkeypatch, caplog):
    one, other = MadeUp(fails=True), MadeUp("http://here/")
    found = [
        Entry("one", lambda facts: one),
        Entry("broken", fail),
        Entry("nothing", lambda facts: None),
        Entry("other", lambda facts: other),
    ]
    monkeypatch.setattr(services, "entry_points", lambda group: found)
    facts = RoleFacts(Role.WORKER, "w", "tcp://127.0.0.1:1", Settings(), "")
    started = start_services("a group", facts)
    assert started == [one, other]
    assert link_of(started) == "http://here/"
    assert link_of([]) == ""
    asyncio.run(close_services(started))
    assert one.closed
    assert other.closed
    assert "the service broken cannot be started" in caplog.text
