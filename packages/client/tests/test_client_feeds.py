"""Subscriptions of a client: what is kept, granted and lost."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.client import Client, MemorySampler
from hocket.client.feeds import Feeds, Subscription
from hocket.client.task_stream import row_of
from hocket.core.errors import NoCapacity, SerializationError, SettingsError
from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.messages import (
    Events,
    EventsListed,
    GetMetadata,
    GrantCredit,
    ListEvents,
    LogEvents,
    MetadataTold,
    RequestRefused,
    SetMetadata,
    Subscribe,
)
from hocket.protocol.messages.feed import LineLogged, TaskEnded, TaskOutcome, UserEvent


def events(first: int, count: int, dropped: int = 0) -> Events:
    lines = [LineLogged(float(n), "w", "INFO", "x", "") for n in range(count)]
    return Events(7, first, first + count, dropped, lines)


def test_what_came_is_granted_again() -> None:
    feeds, subscription = Feeds(), Subscription()
    question = feeds.begin(7, subscription, Subscribe(0))
    assert question.request == 7
    assert feeds.heard(events(0, 3)) == GrantCredit(7, 3)
    assert feeds.heard(events(5, 2, dropped=2)) == GrantCredit(7, 2)
    assert (len(subscription.events), subscription.dropped, subscription.following) == (5, 2, 7)
    assert feeds.heard(events(7, 0)) is None
    assert feeds.end(subscription)
    assert not feeds.end(subscription)
    assert feeds.heard(events(7, 1)) is None


def test_what_is_kept_is_bounded() -> None:
    feeds, subscription = Feeds(), Subscription(events_max=4)
    feeds.begin(7, subscription, Subscribe(0))
    feeds.heard(events(0, 3))
    feeds.heard(events(3, 3))
    assert len(subscription.events) == 4
    assert subscription.dropped == 2


def test_who_takes_events_grants_them() -> None:
    feeds = Feeds()
    heard: list[Events] = []
    feeds.begin(7, Subscription(on_events=heard.append), Subscribe(0))
    assert feeds.heard(events(0, 3)) is None
    assert len(heard) == 1


def test_waiters_are_woken_at_the_end() -> None:
    feeds, subscription = Feeds(), Subscription()
    calls: list[int] = []
    subscription.wake = lambda: calls.append(subscription.following)
    feeds.begin(7, subscription, Subscribe(0))
    feeds.heard(events(0, 3))
    feeds.close()
    assert calls == [3, 3]


def test_an_execution_as_users_of_dask_know_it() -> None:
    event = TaskEnded("k", 3, "f", "w", TaskOutcome.FAILED, 10.0, 2.0, 8, 1, error="no")
    event.fetching_s, event.ready_s, event.deserialising_s = 1.0, 0.5, 0.25
    row = row_of(event)
    assert row["status"] == "error"
    assert row["startstops"] == [
        {"action": "transfer", "start": 8.5, "stop": 9.5},
        {"action": "deserialize", "start": 10.0, "stop": 10.25},
        {"action": "compute", "start": 10.25, "stop": 12.25},
    ]


def test_samples_of_memory_stand_side_by_side() -> None:
    pytest.importorskip("pandas")
    sampler = MemorySampler()
    sampler.samples = {"a": [(10.0, 5), (11.0, 7)], "b": [(20.0, 3), (22.0, 4), (22.0, 6)]}
    frame = sampler.to_pandas(align=True)
    assert [one.total_seconds() for one in frame.index] == [0.0, 1.0, 2.0]
    assert frame["a"].tolist() == [5, 7, 7]
    assert frame["b"].tolist() == [3, 3, 6]
    assert len(sampler.to_pandas()) == 4


def test_an_event_is_logged(client: Client, scheduler: Any) -> None:
    client.log_event(["a", "b"], {"x": 1})
    message = scheduler.await_message(LogEvents)
    assert (message.topics, message.keys) == (["a", "b"], ["", ""])
    assert [decode_plain(payload) for payload in message.payloads] == [{"x": 1}, {"x": 1}]
    with pytest.raises(SerializationError, match=r"repr\(value\)"):
        client.log_event("a", object())
    with pytest.raises(SettingsError, match="topic"):
        client.log_event("a" * 2000, 1)
    with pytest.raises(SettingsError, match="topic"):
        client.log_event(5, 1)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="handler"):
        client.subscribe_topic("a", 5)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="nobody has subscribed"):
        client.unsubscribe_topic("a")


def test_events_are_listed(client: Client, scheduler: Any) -> None:
    rows = [UserEvent(float(n), "ab"[n % 2], "c", "", encode_plain(n, "it")) for n in range(3)]

    def answer(message: Any) -> EventsListed:
        kept = [row for row in rows if message.topic in ("", row.topic)]
        return EventsListed(message.request, kept)

    scheduler.answers[ListEvents] = answer
    assert client.get_events("a") == ((0.0, 0), (2.0, 2))
    assert client.get_events("c") == ()
    assert client.get_events() == {"a": ((0.0, 0), (2.0, 2)), "b": ((1.0, 1),)}


def test_metadata(client: Client, scheduler: Any) -> None:
    scheduler.answers[GetMetadata] = lambda message: MetadataTold(
        message.request, encode_plain(5, "it") if message.path == ["a", "b"] else None
    )
    scheduler.answers[SetMetadata] = lambda message: MetadataTold(message.request, message.value)
    client.set_metadata(["a", "b"], 5)
    assert scheduler.of(SetMetadata)[0].path == ["a", "b"]
    assert client.get_metadata(["a", "b"]) == 5
    assert client.get_metadata("c", None) is None
    with pytest.raises(KeyError, match="no metadata is kept under 'c'"):
        client.get_metadata("c")
    with pytest.raises(SettingsError, match="key"):
        client.get_metadata([])
    scheduler.answers[SetMetadata] = lambda message: RequestRefused(message.request, "too much")
    with pytest.raises(NoCapacity, match="too much"):
        client.set_metadata("a", 5)
