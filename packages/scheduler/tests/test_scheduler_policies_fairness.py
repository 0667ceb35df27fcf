"""Fairness: whoever waits gets its turn, whatever the others have queued or say."""

from __future__ import annotations

from heapq import heappop, heappush
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import RemoteProtocolError
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import SubmitTasks
from hocket.protocol.roles import Role
from hocket.scheduler.policy.fairness import Tags, note_finished
from hocket.scheduler.state import Client, TaskClass
from hocket.scheduler.tables import PRIORITY_BITS, Limits, Tables

STRIDE_MAX = 1000

levels = st.integers(-(2**15), 2**15 - 1)
durations = st.sampled_from([0.0, 1e-5, 0.001, 0.02, 0.5, 1.0, 60.0, 1e7])


def make_kind(duration_s, is_measured=True):
    kind = TaskClass(b"f" * 16, "f", b"")
    if is_measured:
        kind.measure(duration_s, 8)
    return kind


def stride_of(duration_s):
    return min(max(round(duration_s * 1000), 1), STRIDE_MAX)


class Line:
    """A scheduler with one worker of one thread, as far as priorities are concerned."""

    def __init__(self):
        self.tables = Tables(Limits())
        self.clients = [Client(id_, f"c{id_}", self.tables.full) for id_ in range(3)]
        self.waiting = []
        self.begun = []
        self.count = 0

    def submit(self, client, count, duration_s, level=0):
        message = SubmitTasks(
            [b"f" * 16], ["f"], [b""], [], [], [b""] * count, [], [], priority=level
        )
        tags = Tags(self.tables, self.clients[client], message, [make_kind(duration_s)])
        for rank in range(count):
            self.count += 1
            entry = (tags.priority(rank), self.count, client, stride_of(duration_s))
            heappush(self.waiting, entry)
        return tags

    def run_one(self):
        """Run the first one; return its client and stride."""
        priority, _, client, stride = heappop(self.waiting)
        note_finished(self.tables, SimpleNamespace(priority=priority))
        return client, stride

    def has(self, client):
        return any(entry[2] == client for entry in self.waiting)


submissions = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(1, 40), durations), max_size=8
)


@given(submissions)
def test_while_two_wait_neither_gets_more_than_its_stride_ahead(some):
    """The fairness of the paper (Theorem 1): over any time in which both have something waiting,
    the work that they were given differs by no more than a task of each."""
    line = Line()
    todo = list(some)
    history = []
    while todo or line.waiting:
        if todo and (not line.waiting or todo[0][0] <= 0):
            _, client, count, duration_s = todo.pop(0)
            line.submit(client, count, duration_s)
            continue
        if todo:
            after, client, count, duration_s = todo[0]
            todo[0] = (after - 1, client, count, duration_s)
        waiting = frozenset(entry[2] for entry in line.waiting)
        client, stride = line.run_one()
        history.append((waiting, client, stride))
    for one in range(3):
        for other in range(one):
            check_fair(history, one, other)


def check_fair(history, one, other):
    longest = dict.fromkeys((one, other), 0)
    for _, client, stride in history:
        if client in longest:
            longest[client] = max(longest[client], stride)
    ahead = low = high = 0
    for waiting, client, stride in history:
        if not {one, other} <= waiting:
            ahead = low = high = 0
        elif client in longest:
            ahead += stride if client == one else -stride
            low, high = min(low, ahead), max(high, ahead)
            assert high - low <= sum(longest.values())


@given(submissions, st.integers(0, 100), durations)
def test_a_new_client_comes_before_all_that_has_not_begun(some, run_count, duration_s):
    line = Line()
    for _, client, count, kind_s in some:
        line.submit(client % 2, count, kind_s)
    for _ in range(min(run_count, len(line.waiting))):
        line.run_one()
    priorities = sorted(entry[0] for entry in line.waiting)
    new = line.submit(2, 1, duration_s).priority(0)
    assert all(new <= priority for priority in priorities)


@given(durations, durations, st.integers(1, 10_000), st.integers(0, 50))
def test_who_has_waited_is_passed_by_no_more_than_one_stride(first_s, second_s, count, run_count):
    """A hundred thousand queued tasks do not delay another's single one beyond one task's time."""
    line = Line()
    many = line.submit(0, count, first_s)
    for _ in range(min(run_count, count - 1)):
        line.run_one()
    single = line.submit(1, 1, second_s).priority(0)
    # It comes before the many's next but one (their next may have the same tag as it).
    ahead = [entry for entry in line.waiting if entry[2] == 0 and entry[0] < single]
    assert len(ahead) <= 1
    assert many.priority(count - 1) >= single - stride_of(first_s)


@given(levels, st.lists(st.integers(0, 2**40), min_size=2), durations)
def test_tags_rise_with_the_rank(level, ranks, duration_s):
    line = Line()
    tags = line.submit(0, 1, duration_s, level)
    ordered = sorted(ranks)
    priorities = [tags.priority(rank) for rank in ordered]
    assert priorities == sorted(priorities)
    stride = stride_of(duration_s)
    for (low, first), (high, second) in zip(
        zip(ordered, priorities, strict=True),
        zip(ordered[1:], priorities[1:], strict=True),
        strict=False,
    ):
        # (Above, all are equal: tags end somewhere.)
        if high * stride < 2 ** (PRIORITY_BITS - 1):
            assert second - first == (high - low) * stride


@given(st.lists(st.tuples(levels, st.integers(0, 2**40), durations, st.booleans()), max_size=30))
def test_priorities_fit_64_bits_and_user_priorities_come_first(some):
    line = Line()
    found = {}
    for level, rank, duration_s, is_finished in some:
        priority = line.submit(0, 1, duration_s, level).priority(rank)
        assert -(2**63) <= priority < 2**63
        assert -(priority >> PRIORITY_BITS) == level
        found.setdefault(level, []).append(priority)
        if is_finished:
            before = line.tables.clock.get(level, 0)
            note_finished(line.tables, SimpleNamespace(priority=priority))
            assert line.tables.clock.get(level, 0) >= before
    last = -(2**63)
    for level in sorted(found, reverse=True):
        assert last < min(found[level])
        last = max(found[level])


@given(st.integers(-(2**40), 2**40))
def test_a_user_priority_that_does_not_fit_is_refused_at_the_door(priority):
    message = SubmitTasks([b"f" * 16], ["f"], [b"p"], ["a"], [], [b"x"], [], [], priority=priority)
    decoder = decoder_for(Role.CLIENT, Role.SCHEDULER)
    try:
        (heard,) = decoder.decode(encode([message]))
    except RemoteProtocolError:
        assert not -(2**15) <= priority < 2**15
    else:
        assert heard.priority == priority
        assert -(2**15) <= priority < 2**15


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50), durations), min_size=1))
def test_tags_of_one_client_follow_each_other(some):
    """What a client submits later comes later, if nobody else has been served in between."""
    line = Line()
    last = {}
    for client, count, duration_s in some:
        tags = line.submit(client, count, duration_s)
        assert tags.priority(0) >= last.get(client, 0)
        last[client] = tags.priority(count - 1) + 1
