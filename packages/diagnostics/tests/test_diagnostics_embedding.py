"""The door: nothing runs behind it before somebody knocks."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request

import pytest
from made_up_feed import MadeUpCluster

from hocket.core.settings import Settings
from hocket.diagnostics.embedding import Door, open_door, service
from hocket.protocol.messages import Events
from hocket.protocol.roles import Role
from hocket.transport.services import RoleFacts


class MadeUpFeed:
    """A feed of a role in the same process."""

    def __init__(self):
        self.cluster = MadeUpCluster()
        self.open = 0

    def read(self, kinds, position):
        del kinds, position
        self.open += 1
        return self

    def snapshot(self):
        return self.cluster.snapshot()

    def take(self, count_max=10_000):
        del count_max
        return Events(1, 0, 1, 0, self.cluster.step())

    def close(self):
        self.open -= 1


def facts_of(feed, **overrides):
    settings = Settings.build(
        overrides={f"diagnostics.{name}": value for name, value in overrides.items()}
    )
    return RoleFacts(Role.SCHEDULER, "scheduler", "tcp://127.0.0.1:1", settings, "s", feed)


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def test_it_sleeps_until_somebody_knocks_and_closes_what_it_opened():
    feed = MadeUpFeed()

    async def run():
        door = service(facts_of(feed))
        assert isinstance(door, Door)
        assert door.is_asleep
        await asyncio.sleep(0)
        text = await asyncio.to_thread(fetch, f"{door.link}api/v1/records/workers")
        assert "worker-2" in text
        assert not door.is_asleep
        assert feed.open == 1
        await door.close()
        await door.close()

    asyncio.run(run())
    assert feed.open == 0


def test_it_may_close_without_a_knock():
    async def run():
        door = open_door(facts_of(MadeUpFeed()))
        await door.close()

    asyncio.run(run())


def test_a_port_that_is_taken_is_no_reason_to_have_no_pages(caplog):
    async def run():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            door = open_door(facts_of(MadeUpFeed(), port=port))
            assert f":{port}/" not in door.link
            await door.close()

    asyncio.run(run())
    assert "diagnostics.port" in caplog.text


def test_links_say_prefix_and_login():
    async def run():
        door = open_door(facts_of(MadeUpFeed(), prefix="user/ann", login="always"))
        assert door.link.endswith("/user/ann/login")
        await door.close()

    asyncio.run(run())


def test_it_is_switched_off_by_a_setting():
    assert service(facts_of(MadeUpFeed(), enabled=False)) is None


@pytest.mark.parametrize("module", ["hocket.diagnostics.embedding", "hocket.diagnostics"])
def test_before_that_neither_bokeh_nor_tornado_is_imported(module):
    code = (
        f"import sys, {module};"
        "assert not {'bokeh', 'tornado', 'numpy', 'prometheus_client'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
