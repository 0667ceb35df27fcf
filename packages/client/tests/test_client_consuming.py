"""Event consumers that a client registers: what they hear, in order, and how they end."""

from __future__ import annotations

import logging
import threading
from typing import Any, ClassVar

import pytest

from hocket.client import Client, EventConsumer
from hocket.core.errors import PeerLost
from hocket.protocol.messages import Events, GrantCredit, Snapshot, Subscribe, Unsubscribe
from hocket.protocol.messages.feed import ClientCame, EventKinds

TIMEOUT_S = 10.0


class Notes(EventConsumer):
    """Notes all that it is told."""

    name: ClassVar[str] = "notes"
    kinds: ClassVar[int] = EventKinds.SCHEDULER

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = threading.Condition()

    def _note(self, *what: Any) -> None:
        with self._news:
            self.heard.append(what)
            self._news.notify_all()

    def begin(self, snapshot: Snapshot) -> None:
        self._note("begin", snapshot.position)

    def consume(self, events: Any, dropped: int) -> None:
        self._note([event.client for event in events], dropped)

    def end(self, reason: str) -> None:
        self._note("end", reason)

    def await_count(self, count: int) -> list[Any]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, TIMEOUT_S)
            return list(self.heard)


@pytest.fixture
def feed(scheduler: Any) -> Any:
    """Return what sends events to the last subscription, which is answered by two at once."""
    following = [5]

    def send(names: list[str], dropped: int = 0) -> None:
        request = scheduler.of(Subscribe)[-1].request
        first, following[0] = following[0], following[0] + len(names)
        events = [ClientCame(0.0, name, 1) for name in names]
        message = Events(request, first, following[0], dropped, list(events))
        scheduler.call(lambda: scheduler.channels[-1].send([message]))

    scheduler.answers[Subscribe] = lambda message: Snapshot(
        message.request, 5, 5, 0.0, "tcp://s:1", [], [], [], []
    )
    return send


def test_it_hears_in_order_and_grants_as_it_has_dealt_with(
    scheduler: Any, client: Client, feed: Any
) -> None:
    notes = Notes()
    assert client.register_plugin(notes) == {}
    assert scheduler.of(Subscribe)[-1].kinds == EventKinds.SCHEDULER
    feed(["a", "b"])
    feed(["c"], dropped=7)
    assert notes.await_count(3) == [("begin", 5), (["a", "b"], 0), (["c"], 7)]
    scheduler.await_message(GrantCredit, 2)
    assert [one.count for one in scheduler.of(GrantCredit)] == [2, 1]
    client.unregister_scheduler_plugin("notes")
    assert notes.await_count(4)[-1] == ("end", "it was unregistered")
    scheduler.await_message(Unsubscribe)
    with pytest.raises(KeyError, match="notes"):
        client.unregister_scheduler_plugin("notes")


def test_another_of_its_name_takes_its_place(client: Client, feed: Any) -> None:
    first, second = Notes(), Notes()
    client.register_plugin(first)
    client.register_plugin(second)
    assert first.await_count(2)[-1][0] == "end"
    client.register_plugin(first, name="other")
    feed(["a"])
    assert first.await_count(4)[2:] == [("begin", 5), (["a"], 0)]


def test_it_ends_with_the_client(scheduler: Any, client: Client, feed: Any) -> None:
    notes, other = Notes(), Notes()
    client.register_plugin(notes)
    with Client(scheduler.address, settings=scheduler.settings) as more:
        more.register_plugin(other)
    assert other.await_count(2)[-1][0] == "end"
    assert "closed" in other.heard[-1][1]
    assert len(notes.heard) == 1
    scheduler.abort()
    assert notes.await_count(2)[-1][0] == "end"
    with pytest.raises(PeerLost):
        client.register_plugin(Notes())


def test_one_that_raises_is_logged_and_left_alone(
    scheduler: Any, client: Client, feed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Notes):
        def consume(self, events: Any, dropped: int) -> None:
            super().consume(events, dropped)
            raise ZeroDivisionError

    broken, notes = Broken(), Notes()
    client.register_plugin(broken)
    feed(["a"])
    assert len(broken.await_count(2)) == 2
    scheduler.await_message(Unsubscribe)
    client.register_plugin(notes, name="other")
    feed(["b"])
    assert notes.await_count(2)[-1] == (["b"], 0)
    assert len(broken.heard) == 2
    (line,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "Broken" in line.getMessage()
    assert line.exc_info is not None


def test_what_is_no_plugin_is_refused(client: Client) -> None:
    for wrong in (Notes, object()):
        with pytest.raises(TypeError, match="EventConsumer"):
            client.register_plugin(wrong)
