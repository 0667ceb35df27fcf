"""The ring keeps the last events, and its readers lose what they are too slow for, counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.feed import Cursor, Ring, Subscriptions
from hocket.protocol.messages import GrantCredit, Subscribe
from hocket.protocol.messages.feed import EventKinds, LineLogged, UserEvent, WorkerGone


def gone(number: int) -> WorkerGone:
    return WorkerGone(float(number), "w", "why")


def line(number: int, text: str = "") -> LineLogged:
    return LineLogged(float(number), "w", "INFO", "x", text)


@given(
    events_max=st.integers(1, 8),
    steps=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7)), max_size=30),
    kinds=st.sampled_from([EventKinds.ALL, EventKinds.WORKERS, EventKinds.TASKS]),
)
def test_a_reader_sees_each_wanted_event_once_or_is_told_of_its_loss(events_max, steps, kinds):
    ring = Ring(events_max)
    cursor = Cursor(ring, kinds, position=0)
    every: list[object] = []
    seen: list[object] = []
    place = 0
    for added, count_max in steps:
        for _ in range(added):
            event = gone(len(every)) if len(every) % 3 else line(len(every))
            every.append(event)
            ring.add(event)
        assert len(ring) == min(len(every), events_max)
        taken = cursor.take(count_max)
        assert taken.first == place + taken.dropped
        assert len(taken.events) <= count_max
        looked_at = every[taken.first : taken.following]
        assert taken.events == [
            one
            for one in looked_at
            if kinds & (EventKinds.WORKERS if type(one) is WorkerGone else EventKinds.LOGS)
        ]
        place = taken.following
        seen.extend(taken.events)
        assert cursor.is_behind == (place < len(every))
    assert ring.following == len(every)


def test_positions():
    ring = Ring(10)
    ring.extend(map(gone, range(5)))
    assert Cursor(ring).position == 5
    assert Cursor(ring, position=3).position == 3
    assert Cursor(ring, position=99).position == 5
    assert [event.time_s for event in Cursor(ring, position=3).take().events] == [3.0, 4.0]


@given(st.lists(st.integers(0, 60), max_size=60))
def test_heavy_events_are_bounded_in_bytes(sizes):
    ring = Ring(1000, 100)
    for index, size in enumerate(sizes):
        ring.add(gone(index))
        ring.add(line(index, "x" * size))
        kept = ring.look(ring.first, 10_000)
        assert len(kept) == len(ring)
        texts = [len(event.text) for event in kept if type(event) is LineLogged]
        assert sum(texts) <= 100 or len(texts) == 1
        assert sum(texts) == ring._heavy_nbytes
        assert type(kept[-1]) is LineLogged


def test_topics_are_told_apart():
    ring = Ring()
    for topic in ("a", "b", "a"):
        ring.add(UserEvent(1.0, topic, "c", "", b"\x01"))
    ring.add(gone(1))
    cursor = Cursor(ring, EventKinds.ALL, position=0, topics=["a"])
    assert [type(event) for event in cursor.take().events] == [UserEvent, UserEvent, WorkerGone]


def test_closing_happens_once():
    calls: list[int] = []
    cursor = Cursor(Ring())
    cursor.on_close = lambda: calls.append(1)
    cursor.close()
    cursor.close()
    assert calls == [1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40))
def test_no_more_than_the_credit_is_sent(steps):
    ring = Ring(50)
    subscriptions = Subscriptions(ring)
    subscriptions.add(1, Subscribe(7, int(EventKinds.ALL), 0, credit=3, interval_s=0.1))
    granted, sent, dropped, now_s = 3, 0, 0, 0.0
    for added, credit in steps:
        ring.extend(map(gone, range(added)))
        subscriptions.grant(1, GrantCredit(7, credit))
        granted += credit
        now_s += 0.04
        due, wake_s = subscriptions.due(now_s)
        for peer, batch in due:
            assert (peer, batch.request) == (1, 7)
            sent += len(batch.events)
            dropped += batch.dropped
        assert sent <= granted
        if wake_s is not None:
            assert sent < granted
            assert wake_s >= now_s
    subscriptions.grant(1, GrantCredit(7, 1000))
    for _, batch in subscriptions.due(now_s + 1)[0]:
        sent += len(batch.events)
        dropped += batch.dropped
    assert sent + dropped == ring.following
    assert subscriptions.kinds == EventKinds.ALL
    subscriptions.drop(1, 7)
    assert (subscriptions.kinds, subscriptions.count) == (0, 0)


def test_a_peer_has_so_many_subscriptions():
    subscriptions = Subscriptions(Ring())
    assert all(subscriptions.add(1, Subscribe(number)) is not None for number in range(100))
    assert subscriptions.add(1, Subscribe(100)) is None
    assert subscriptions.add(1, Subscribe(0)) is None
    assert subscriptions.add(2, Subscribe(100)) is not None
    subscriptions.peer_lost(1)
    assert subscriptions.count == 1
