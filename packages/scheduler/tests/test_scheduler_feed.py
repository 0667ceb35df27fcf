"""The feed: who looks on is told what happens, at their pace; for nobody nothing is done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    DescribeGraph,
    Events,
    EventsListed,
    EventsSeen,
    ExplainKeys,
    FindTasks,
    GetMetadata,
    GrantCredit,
    GraphDescribed,
    KeysExplained,
    ListEvents,
    LogEvents,
    MetadataTold,
    ReportEvents,
    RequestRefused,
    RunTasks,
    SetMetadata,
    Snapshot,
    Subscribe,
    TasksFound,
    TasksReturned,
    Unsubscribe,
    WorkerPaused,
)
from hocket.protocol.messages.feed import (
    ClientCame,
    EventKinds,
    GroupCounted,
    LineLogged,
    RecallStep,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    TaskRecalled,
    TransferDone,
    UserEvent,
    WorkerCame,
    WorkerGone,
    WorkerPauseChanged,
    WorkerSampled,
)
from hocket.protocol.roles import Role
from hocket.scheduler.moves import watch
from hocket.scheduler.transitions import to_recalled

OBSERVER = 500


class Watched:
    """A house with an observer, who subscribes as number 1."""

    def __init__(self, house: Any, **more: Any) -> None:
        self.it = house(**more)
        self.machine = self.it.machine
        self.machine.observer_joined(OBSERVER, "observer")
        self.heard: list[Any] = []
        self.told: dict[int, list[Any]] = {}

    def say(self, *messages: Any) -> str | None:
        heard = decoder_for(Role.OBSERVER, Role.SCHEDULER).decode(encode(messages))
        reason: str | None = self.machine.receive(OBSERVER, heard, self.it.now_s)
        return reason

    def subscribe(self, kinds: int = EventKinds.ALL, **more: Any) -> Snapshot:
        assert self.say(Subscribe(1, int(kinds), **more)) is None
        self.turn()
        snapshot = self.heard.pop()
        assert isinstance(snapshot, Snapshot)
        return snapshot

    def turn(self, wait_s: float = 1.0) -> None:
        self.it.now_s += wait_s
        for id_, frames in self.machine.turn(self.it.now_s):
            role = Role.OBSERVER if id_ == OBSERVER else Role.WORKER
            role = Role.CLIENT if id_ in self.it.clients else role
            decoder = decoder_for(Role.SCHEDULER, role)
            messages = [one for frame in frames for one in decoder.decode(encode(frame))]
            if id_ == OBSERVER:
                self.heard.extend(messages)
            else:
                self.told.setdefault(id_, []).extend(messages)

    def answer(self) -> Any:
        self.turn()
        return self.heard.pop()

    def events(self) -> list[Any]:
        """Return what came since this was last called, and grant as much again."""
        batches = [one for one in self.heard if isinstance(one, Events)]
        self.heard.clear()
        events = [event for batch in batches for event in batch.events]
        if events:
            self.say(GrantCredit(1, len(events)))
        return events

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events() if type(event) is kind]


@pytest.fixture
def watched(house):
    return lambda **more: Watched(house, **more)


def ended(key: str, attempt: int, **more: Any) -> TaskEnded:
    return TaskEnded(key, attempt, "f", "liar", TaskOutcome.STORED, 5.0, 0.5, 8, **more)


def test_a_snapshot_tells_what_is_there(watched):
    it = watched(workers=2)
    it.it.submit(["a", "b", "c"])
    it.turn()
    snapshot = it.subscribe()
    assert [worker.worker for worker in snapshot.workers] == ["w1", "w2"]
    assert [sample.worker for sample in snapshot.samples] == ["w1", "w2"]
    assert [client.client for client in snapshot.clients] == ["client"]
    (group,) = snapshot.groups
    assert (group.group, group.assigned + group.queued) == ("f", 3)
    assert snapshot.address == "tcp://scheduler"


def test_workers_report_only_while_somebody_looks(watched):
    it = watched(workers=1)
    it.it.submit(["a"])
    it.turn()
    assert [type(one) for one in it.told[1]] == [RunTasks]
    assert it.machine.tables.trace is watch
    it.subscribe(EventKinds.TASKS)
    assert it.told[1].pop() == ReportEvents(int(EventKinds.TASKS))
    it.it.join(2)
    it.turn()
    assert ReportEvents(int(EventKinds.TASKS)) in it.told[2]
    it.say(Unsubscribe(1))
    it.turn()
    assert it.told[1].pop() == ReportEvents(0)
    assert it.machine.tables.trace is watch
    assert it.machine.feed.kinds == 0
    count = it.machine.feed.ring.following
    it.it.done(1, it.told[1][0])
    it.it.say(1, EventsSeen([ended("a", 1)]))
    it.turn()
    assert it.machine.feed.ring.following == count


def test_an_observer_that_is_gone_wants_nothing(watched):
    it = watched()
    it.subscribe()
    it.machine.peer_lost(OBSERVER, "gone", it.it.now_s)
    assert it.machine.feed.kinds == 0
    it.it.submit(["a"])
    it.turn()
    assert not it.heard


def test_the_life_of_a_task(watched):
    it = watched(workers=1)
    it.subscribe()
    it.it.submit(["a"])
    it.turn()
    run = it.told[1].pop()
    it.it.done(1, run)
    it.it.say(1, EventsSeen([ended("a", run.attempts[0], lane=3)]))
    it.turn()
    events = it.events()
    moves = [(e.source, e.target, e.worker) for e in events if type(e) is TaskMoved]
    assert moves == [
        ("released", "queued", ""),
        ("queued", "assigned", "w1"),
        ("assigned", "stored", ""),
    ]
    (end,) = [event for event in events if type(event) is TaskEnded]
    # Nobody speaks for another, and the wait is known here.
    assert (end.key, end.worker, end.lane, end.waiting_s) == ("a", "w1", 3, 1.0)
    last = [event for event in events if type(event) is GroupCounted][-1]
    assert (last.stored, last.assigned, last.finished, last.running_s) == (1, 0, 1, 0.5)


def test_workers_and_clients_come_and_go(watched):
    it = watched(workers=1)
    it.subscribe()
    it.it.join(2)
    it.it.join_client(1001)
    it.it.say(2, WorkerPaused(True))
    it.it.lose(2, "killed")
    it.turn()
    came, client, paused, gone = it.events()
    assert isinstance(came, WorkerCame)
    assert came.worker == "w2"
    assert isinstance(client, ClientCame)
    assert isinstance(paused, WorkerPauseChanged)
    assert paused.paused
    assert isinstance(gone, WorkerGone)
    assert gone.reason == "killed"
    assert [worker.worker for worker in it.machine.feed._workers.values()] == ["w1"]


def test_ends_of_transfers_get_names(watched):
    it = watched(workers=2)
    it.subscribe()
    fetched = TransferDone(1.0, 0.1, 80, "tcp://w2", "w1", 2, "a")
    served = TransferDone(1.0, 0.1, 80, "liar", "", 1, "a")
    strange = TransferDone(1.0, 0.1, 80, "tcp://who", "liar", 1, "a")
    it.it.say(1, EventsSeen([fetched, served, strange]))
    it.turn()
    ends = [(event.source, event.target) for event in it.of(TransferDone)]
    assert ends == [("w2", "w1"), ("w1", ""), ("tcp://who", "w1")]


def test_what_was_asked_back_is_told(watched):
    it = watched(workers=1, window_tasks_min=5)
    it.subscribe(EventKinds.RECALLS)
    it.it.submit([f"t{index}" for index in range(8)])
    it.turn()
    run = it.told[1].pop()
    for key in run.keys[-2:]:
        to_recalled(it.machine.tables, it.machine.tables.tasks[key])
    it.turn()
    recalled = it.of(TaskRecalled)
    assert {event.worker for event in recalled} == {"w1"}
    assert {event.step for event in recalled} == {RecallStep.ASKED}
    given, kept = recalled[0], recalled[1]
    it.it.say(1, TasksReturned([given.key], [given.attempt]))
    index = run.keys.index(kept.key)
    one = RunTasks(*([[]] * 10))
    one.keys, one.attempts = [run.keys[index]], [run.attempts[index]]
    it.it.done(1, one)
    it.turn()
    steps = {event.key: event.step for event in it.of(TaskRecalled)}
    assert steps[given.key] is RecallStep.GIVEN
    assert steps[kept.key] is RecallStep.KEPT


def test_a_slow_reader_loses_the_oldest_and_is_told(watched):
    it = watched(workers=1)
    it.machine.feed.ring._events_max = 100
    it.subscribe(EventKinds.LOGS, credit=10)
    lines = [LineLogged(float(index), "", "INFO", "x", "text") for index in range(1000)]
    for index in range(0, 1000, 50):
        it.it.say(1, EventsSeen(lines[index : index + 50]))
        it.turn()
    (batch,) = it.heard
    assert (len(batch.events), batch.dropped) == (10, 0)
    it.heard.clear()
    it.say(GrantCredit(1, 1000))
    it.turn()
    (batch,) = it.heard
    assert batch.dropped == 890
    assert [event.time_s for event in batch.events] == [float(n) for n in range(900, 1000)]
    assert batch.following - batch.first == 100


def test_events_go_together(watched):
    it = watched(workers=1)
    it.subscribe(EventKinds.LOGS, interval_s=0.5)
    line = LineLogged(1.0, "", "INFO", "x", "text")
    for _ in range(10):
        it.it.say(1, EventsSeen([line]))
        it.turn(0.1)
    assert [len(batch.events) for batch in it.heard] == [1, 5]
    assert it.machine.look_again_s == pytest.approx(0.1, abs=0.11)
    it.turn(0.5)
    assert len(it.heard[-1].events) == 4


def test_a_reader_in_the_process(house):
    it = house(workers=1)
    reader = it.machine.feed.read(EventKinds.USUAL)
    assert [worker.worker for worker in reader.snapshot().workers] == ["w1"]
    it.submit(["a"])
    it.turn()
    it.say(1, EventsSeen([WorkerSampled(1.0, "", 0.5, 7, 5), ended("a", 1)]))
    taken = reader.take()
    assert [type(event) for event in taken.events] == [GroupCounted, WorkerSampled, TaskEnded]
    assert taken.dropped == 0
    assert reader.take().events == []
    second = it.machine.feed.read(EventKinds.USUAL)
    assert second.snapshot().samples[0].cpu == 0.5
    again = it.machine.feed.read(EventKinds.TASKS, 0)
    assert [type(event) for event in again.take().events] == [TaskEnded]
    reader.close()
    reader.close()
    second.close()
    again.close()
    assert it.machine.feed.kinds == 0


def test_what_has_just_ended_is_there_for_who_comes(house, monkeypatch):
    monkeypatch.setattr("hocket.scheduler.feed.recent.RECENT_MAX", 3)
    it = house(workers=1, window_tasks_min=9)
    it.submit([f"t{index}" for index in range(5)])
    (run,) = it.turn()[1]
    keys = run.keys
    for first, last in ((0, 2), (2, 3), (3, 5)):
        part = RunTasks(*([[]] * 10))
        part.keys, part.attempts = keys[first:last], run.attempts[first:last]
        it.done(1, part)
    # What came too late is not told.
    it.done(1, part)
    assert it.machine.feed.ring.following == 0
    now = it.machine.feed.read(EventKinds.TASKS)
    assert now.take().events == []
    kept = it.machine.feed.read(EventKinds.TASKS, 0).take().events
    told = [(event.key, event.group, event.worker) for event in kept]
    assert told == [(key, "f", "w1") for key in keys[2:]]
    assert len(it.machine.feed._recent) == 0


def test_an_observer_may_ask_but_not_change(watched):
    it = watched(workers=1)
    it.it.submit(["a", "b"], [[], [0]])
    it.turn()
    it.say(FindTasks(1, "b"))
    found = it.answer()
    assert isinstance(found, TasksFound)
    assert [(one.key, one.group, one.dependencies) for one in found.tasks] == [("b", "f", ["a"])]
    assert not found.more
    it.say(FindTasks(1, states=["assigned"], count_max=1))
    found = it.answer()
    assert (len(found.tasks), found.more) == (1, True)
    it.say(DescribeGraph(2))
    graph = it.answer()
    assert isinstance(graph, GraphDescribed)
    assert [node.key for node in graph.nodes] == ["a", "b"]
    assert list(zip(graph.sources, graph.targets, strict=True)) == [(0, 1)]
    it.say(DescribeGraph(2, nodes_max=1))
    graph = it.answer()
    assert not graph.single
    assert [(node.group, node.count) for node in graph.nodes] == [("f", 2)]
    it.say(ExplainKeys(3, ["a"]))
    assert isinstance(it.answer(), KeysExplained)
    it.say(DescribeCluster(4))
    assert isinstance(it.answer(), ClusterDescribed)
    # (No codec lets this through.)
    reason = it.machine.receive(OBSERVER, [SetMetadata(1, ["a"], b"\x01")], 0.0)
    assert reason is not None
    assert "an observer may only read" in reason


def test_a_subscription_is_named_once(watched):
    it = watched()
    it.subscribe()
    it.say(Subscribe(1))
    assert isinstance(it.answer(), RequestRefused)


def test_topics(watched):
    it = watched(workers=1)
    it.subscribe(EventKinds.TOPICS, topics=["news"])
    news, other = encode_plain({"x": [1, 2]}, "it"), encode_plain("text", "it")
    it.it.ask(LogEvents(["news", "other"], [1.0, 2.0], ["", ""], [news, other]))
    it.it.say(1, LogEvents(["news"], [3.0], ["t"], [other]))
    it.turn()
    assert [(e.topic, e.source, e.key) for e in it.of(UserEvent)] == [
        ("news", "client", ""),
        ("news", "w1", "t"),
    ]
    it.say(ListEvents(7, "news"))
    listed = it.answer()
    assert isinstance(listed, EventsListed)
    assert [decode_plain(event.payload) for event in listed.events] == [{"x": [1, 2]}, "text"]
    it.say(ListEvents(7))
    assert [event.time_s for event in it.answer().events] == [1.0, 2.0, 3.0]


def test_topics_are_bounded(house, monkeypatch):
    monkeypatch.setattr("hocket.scheduler.feed.topics._EVENTS_MAX", 3)
    monkeypatch.setattr("hocket.scheduler.feed.topics._TOPICS_MAX", 2)
    topics = house().machine.feed.topics
    for name in ("a", "b", "c"):
        topics.keep("w", LogEvents([name] * 5, [0.0] * 5, [""] * 5, [b"\x01"] * 5))
    assert {name: len(rows) for name, rows in topics._topics.items()} == {"b": 3, "c": 3}
    assert topics._nbytes == 6 * 201


def test_metadata_is_a_tree(house):
    it = house()

    def ask(message: Any) -> Any:
        it.ask(message)
        (answer,) = it.turn()[it.CLIENT]
        return answer

    assert ask(GetMetadata(1, ["a"])) == MetadataTold(1, None)
    assert ask(SetMetadata(2, ["a", "b"], encode_plain(5, "it"))).request == 2
    assert decode_plain(ask(GetMetadata(1, ["a"])).value) == {"b": 5}
    ask(SetMetadata(2, ["a", "c"], encode_plain({"d": 6}, "it")))
    assert decode_plain(ask(GetMetadata(1, ["a", "c", "d"])).value) == 6
    ask(SetMetadata(2, ["a", "b"], None))
    assert decode_plain(ask(GetMetadata(1, ["a"])).value) == {"c": {"d": 6}}
    ask(SetMetadata(2, ["a"], encode_plain(1, "it")))
    assert decode_plain(ask(GetMetadata(1, ["a"])).value) == 1
    assert ask(SetMetadata(2, ["x", "y"], None)) == MetadataTold(2, None)
    assert isinstance(ask(SetMetadata(3, ["a"], b"\xc1")), RequestRefused)


def test_metadata_is_bounded(house, monkeypatch):
    monkeypatch.setattr("hocket.scheduler.feed.topics._METADATA_NBYTES_MAX", 100)
    it = house()
    it.ask(SetMetadata(1, ["a"], encode_plain("x" * 60, "it")))
    it.ask(SetMetadata(2, ["b"], encode_plain("x" * 60, "it")))
    it.ask(SetMetadata(3, ["a"], encode_plain("y" * 60, "it")))
    kinds = [type(one) for one in it.turn()[it.CLIENT]]
    assert kinds == [MetadataTold, RequestRefused, MetadataTold]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["submit", "done", "join", "lose", "look", "leave"]), max_size=30))
def test_counts_agree_with_the_tables(house, steps):
    it = Watched(house, workers=2)
    submitted, workers = 0, 2
    for step in steps:
        if step == "submit":
            it.it.submit([f"t{submitted + index}" for index in range(3)])
            submitted += 3
        elif step == "done":
            for id_, messages in it.told.items():
                for run in [one for one in messages if isinstance(one, RunTasks)]:
                    if id_ in it.machine.tables.workers:
                        it.it.done(id_, run)
                    messages.remove(run)
        elif step == "join":
            workers += 1
            it.it.join(workers)
        elif step == "lose" and workers in it.machine.tables.workers:
            it.it.lose(workers)
        elif step == "look":
            it.say(Subscribe(1, int(EventKinds.USUAL)))
        elif step == "leave":
            it.say(Unsubscribe(1))
        it.turn()
        rows = it.machine.feed._watch
        if rows is not None:
            counted = {row.group: row for row in rows.all_counted()}
            states = [task.state for task in it.machine.tables.tasks.values()]
            row = counted.get("f", GroupCounted(0.0, "f"))
            assert (row.waiting, row.queued, row.stored, row.failed) == tuple(
                states.count(state) for state in ("waiting", "queued", "stored", "failed")
            )
            assert row.assigned == states.count("assigned") + states.count("recalled")
