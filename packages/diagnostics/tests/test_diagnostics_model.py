"""The model: a fold of events that stays bounded."""

from __future__ import annotations

import msgspec
from made_up_feed import GROUPS, MadeUpCluster

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.model.cluster import GROUPS_MAX, ROUTES_MAX, natural
from hocket.diagnostics.model.profile import ProfileTree
from hocket.protocol.messages.feed import (
    GroupCounted,
    ProfileSampled,
    TaskEnded,
    TaskOutcome,
    TransferDone,
    UserEvent,
    WorkerCame,
    WorkerGone,
)


def ended(key="inc-1", worker="worker-0", outcome=TaskOutcome.STORED, **options):
    return TaskEnded(
        key, 1, key.split("-", maxsplit=1)[0], worker, outcome, 1000.0, 0.5, 8, 0, **options
    )


def full(steps=20):
    cluster = MadeUpCluster()
    model = ClusterModel()
    model.begin(cluster.snapshot())
    for _ in range(steps):
        model.fold(cluster.step())
    return cluster, model


def test_what_a_cluster_does_is_counted():
    cluster, model = full()
    assert [record.name for record in model.alive] == cluster.names
    assert set(model.groups) == set(GROUPS)
    executions = sum(record.executions for record in model.groups.values())
    assert executions == cluster.count == model.rings["tasks"].end
    failed = sum(cluster.failed.values())
    assert sum(record.failed for record in model.groups.values()) == failed
    assert model.rings["failures"].end == failed
    assert sum(record.finished for record in model.workers.values()) == cluster.count
    assert len(model.lanes) == 12 + 3 + 1  # For transfers, and for a disk.
    assert model.rings["rates"].end > 3
    assert model.profile.samples == 20 * 50


def test_events_of_others_are_passed_over_on_a_workers_page():
    cluster = MadeUpCluster()
    model = ClusterModel(only="worker-1")
    for _ in range(5):
        model.fold(cluster.step())
    assert set(model.rings["tasks"].read().columns["worker"]) == {"worker-1"}
    transfers = model.rings["transfers"].read().columns
    assert all(
        "worker-1" in pair for pair in zip(transfers["source"], transfers["target"], strict=True)
    )


def test_a_worker_that_is_gone_says_why_and_comes_again():
    model = ClusterModel()
    came = WorkerCame(1.0, "w", "tcp://127.0.0.1:1", "host", 1, 2)
    model.fold([came, WorkerGone(2.0, "w", "it was killed")])
    assert model.alive == []
    assert model.workers["w"].gone == "it was killed"
    model.fold([came])
    assert [record.name for record in model.alive] == ["w"]
    assert model.rings["happenings"].end == 3


def test_a_snapshot_takes_the_place_of_what_was_believed():
    cluster, model = full(2)
    cluster.names = cluster.names[:1]
    model.begin(cluster.snapshot())
    assert [record.name for record in model.alive] == ["worker-0"]


def test_groups_and_routes_are_bounded():
    model = ClusterModel()
    model.fold([ended(f"f{number}-1") for number in range(GROUPS_MAX + 50)])
    assert len(model.groups) == GROUPS_MAX
    routes = [
        TransferDone(1.0, 1.0, 1, f"w{number}", "x", 1, "k") for number in range(ROUTES_MAX + 5)
    ]
    model.fold(routes)
    assert len(model.routes) == ROUTES_MAX


def test_places_are_called_by_name():
    model = ClusterModel()
    model.fold([WorkerCame(1.0, "w", "tcp://127.0.0.1:1", "host", 1, 2)])
    model.fold([TransferDone(1.0, 0.5, 100, "tcp://127.0.0.1:1", "", 1, "k")])
    assert model.routes["w", ""].nbytes_per_s == 200


def test_what_was_lost_is_counted_and_payloads_are_never_trusted():
    model = ClusterModel()
    good = msgspec.msgpack.encode({"a": [1, 2]})
    model.fold([UserEvent(1.0, "t", "c", "", good), UserEvent(1.0, "t", "c", "", b"\xc1")], lost=3)
    assert model.lost == 3
    assert model.rings["topics"].read().columns["text"] == ['{"a":[1,2]}', "(it cannot be read)"]


def test_groups_are_numbered_as_they_appear():
    model = ClusterModel()
    model.fold([GroupCounted(1.0, "a"), ended("b-1"), GroupCounted(2.0, "a", stored=3)])
    assert [record.number for record in model.groups.values()] == [0, 1]
    assert model.groups["a"].to_row()["stored"] == 3


def test_names_with_numbers_are_sorted_as_people_do():
    assert sorted(["w-10", "w-2", "w", "a1b"], key=natural) == ["a1b", "w", "w-2", "w-10"]


def test_what_ran_before_anybody_watched_is_laid_side_by_side():
    model = ClusterModel()
    model.fold([WorkerCame(1.0, "w", "tcp://127.0.0.1:1", "host", 1, 2)])
    for start_s in (10.0, 10.5, 11.0, 11.5, 11.6):
        event = ended(f"f-{start_s}")
        event.worker, event.start_s, event.running_s, event.lane = "w", start_s, 1.0, -1
        model.fold([event])
    assert set(model.lanes) == {("w", "threads", 0), ("w", "threads", 1)}
    bars = model.bars.newest(0)
    rows = model.bars.levels[0].closed.read().columns
    assert sum(bar.tasks for bar in bars) + sum(rows["tasks"]) == 5


def test_profiles_add_up_and_hostile_trees_do_no_harm():
    tree = ProfileTree()
    frames, parents = ["f;", "g;a.py;3", "h;b.py;4"], [-1, 0, 0]
    for _ in range(2):
        tree.add(ProfileSampled(1.0, "w", 1.0, 10, frames, parents, [10, 6, 4]))
    tree.add(ProfileSampled(1.0, "w", 1.0, 10, ["x"], [99], [1]))
    drawn = {frame.function: frame for frame in tree.frames()}
    assert tree.samples == 20
    assert (drawn["g"].left, drawn["g"].right, drawn["g"].depth) == (0, 12, 2)
    assert (drawn["h"].left, drawn["h"].right) == (12, 20)
    assert (drawn["g"].file, drawn["g"].line) == ("a.py", 3)
