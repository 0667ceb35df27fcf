"""Values on disk that are dropped, replaced, lost, or cannot go there."""

from __future__ import annotations

import pytest
from spilling_room import OWN, PEER, Room

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import (
    AbandonTasks,
    CopyData,
    DropData,
    InputsMissing,
    ReplicasStored,
    ReportEvents,
    TasksReturned,
)
from hocket.protocol.messages.feed import EventKinds, SpillDone
from hocket.worker.invariants import check
from hocket.worker.machine import Answer
from hocket.worker.state import Datum, DropFile, Fetch, Spill, Unspill, WantState


def test_a_value_that_is_dropped_leaves_no_file():
    room = Room()
    room.fill(7)
    room.hear(DropData(["k0"], [0]))
    assert [drop.file for drop in room.take(DropFile)] == ["file of k0"]
    assert room.sizes == (600, 0)
    # And what is being written goes as soon as that is done.
    room.put("k7")
    (spill,) = room.take(Spill)
    room.hear(DropData(["k1"], [0]))
    room.machine.disk.spilled(spill, "file of k1", 1.0, 0.5)
    room.look()
    assert [drop.file for drop in room.take(DropFile)] == ["file of k1"]
    assert repr(DropFile("x")) == "<DropFile 'x'>"


def test_a_task_gets_what_is_dropped_while_it_is_being_read():
    room = Room()
    room.fill(7)
    room.run("task", "k0")
    room.hear(DropData(["k0"], [0]))
    assert room.machine.held(["k0"]) == [None]
    assert room.unspill() == ["k0"]
    task = room.begin()
    assert task.inputs[0].value == "value of k0"
    room.end(task)
    assert "k0" not in room.machine.tables.held


def test_nothing_is_left_of_what_is_dropped_and_then_wanted_by_nobody():
    room = Room()
    room.fill(7)
    attempt = room.run("task", "k0")
    (unspill,) = room.take(Unspill)
    assert repr(unspill) == "<Unspill 'k0' attempt 0>"
    room.hear(DropData(["k0"], [0]))
    room.hear(AbandonTasks(["task"], [attempt]))
    assert [drop.file for drop in room.take(DropFile)] == ["file of k0"]
    room.machine.disk.unspilled(unspill, "value", 1.0, 0.5)
    room.look()
    assert room.machine.disk.spilled_nbytes == 0
    assert room.machine.tables.wanted == {}


def test_what_is_dropped_and_then_to_be_copied_is_kept_when_it_is_read():
    room = Room()
    room.fill(7)
    room.run("task", "k0")
    room.hear(DropData(["k0"], [0]))
    room.hear(CopyData(["k0"], [0], [100], [[0]], [PEER]))
    room.machine.take_outbox()
    assert room.unspill() == ["k0"]
    assert room.said(ReplicasStored) == [ReplicasStored(["k0"], [0])]
    assert room.machine.held(["k0"])[0].value == "value of k0"


def test_a_copy_of_what_is_on_disk_is_there():
    room = Room()
    room.fill(7)
    room.hear(CopyData(["k0"], [0], [100], [[0]], [PEER]))
    assert room.said(ReplicasStored) == [ReplicasStored(["k0"], [0])]
    assert room.commands == []


def test_a_newer_value_takes_the_place_of_one_on_disk():
    room = Room()
    room.fill(7)
    room.run("task", "k0")
    (unspill,) = room.take(Unspill)
    # A client puts it once more: who waits gets that.
    room.machine.put("k0", "another", 100)
    room.look()
    assert [drop.file for drop in room.take(DropFile)] == ["file of k0"]
    assert room.begin().inputs[0].value == "another"
    room.machine.disk.unspilled(unspill, "value", 1.0, 0.5)
    room.look()
    assert room.machine.held(["k0"])[0].value == "another"


def test_a_damaged_file_is_a_lost_value():
    room = Room()
    room.fill(7)
    (datum,) = room.machine.held(["k0"])
    room.machine.take_outbox()
    room.machine.disk.lost(datum, "another file", "it is gone", 5.0)
    assert room.machine.held(["k0"]) == [datum]
    room.machine.disk.lost(datum, datum.value, "it is gone", 5.0)
    room.look()
    assert room.machine.held(["k0"]) == [None]
    assert room.said(InputsMissing) == [InputsMissing(["k0"], [0], OWN, gone=True)]
    assert room.sizes == (600, 0)


def test_a_task_gets_a_lost_value_from_another_holder():
    room = Room()
    room.fill(7)
    room.run("task", "k0", holders=[OWN, PEER])
    (unspill,) = room.take(Unspill)
    room.machine.disk.lost(unspill.datum, unspill.file, "it is damaged", 5.0)
    room.look()
    (fetch,) = room.take(Fetch)
    assert (fetch.address, fetch.keys) == (PEER, ["k0"])
    room.machine.fetched(fetch, [Answer(0, 100, "from there")], 5.0)
    room.look()
    assert room.begin().inputs[0].value == "from there"


def test_a_task_whose_input_is_lost_is_given_back():
    room = Room()
    room.fill(7)
    attempt = room.run("task", "k0", holders=[OWN])
    (unspill,) = room.take(Unspill)
    room.machine.take_outbox()
    room.machine.disk.lost(unspill.datum, unspill.file, "it is damaged", 5.0)
    room.look()
    said = room.machine.take_outbox()
    assert InputsMissing(["k0"], [0], OWN, gone=True) in said
    assert TasksReturned(["task"], [attempt]) in said


def test_what_comes_from_a_peer_late_does_no_harm_to_what_is_on_disk():
    room = Room()
    room.run("task", ("x", 7), holders=[PEER])
    (fetch,) = room.take(Fetch)
    # It comes otherwise meanwhile, and leaves the memory.
    room.run("x", attempt=7)
    task = room.begin()
    room.end(task, nbytes=700)
    room.end(room.begin())
    assert room.spill() == ["x"]
    for answer in ([Answer(-1)], [Answer(7, 100, "x")], [Answer(7, error="stuck")]):
        again = Fetch(PEER, fetch.data)
        room.machine.tables.fetches[PEER] = again
        room.machine.tables.fetching_nbytes += again.nbytes - fetch.nbytes * (
            answer == [Answer(-1)]
        )
        room.machine.tables.fetching_nbytes = again.nbytes
        room.machine.fetched(again, answer, 5.0)
        room.look()
    (datum,) = room.machine.held(["x"])
    assert datum.want.state is WantState.SPILLED


def test_what_cannot_be_written_stays_and_is_not_tried_again():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f", "g")
    (spill,) = room.take(Spill)
    room.machine.disk.cannot_spill(spill, "it is a lock")
    room.look()
    assert list(room.machine.tables.shelf.unspillable.values()) == ["it is a lock"]
    assert room.spill() == ["b"]
    room.run("task", "a")
    room.end(room.begin())
    room.put("h")
    assert room.spill() == ["c"]
    room.hear(DropData(["a"], [0]))
    assert room.machine.tables.shelf.unspillable == {}


def test_a_full_disk_is_left_alone_for_a_while():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f", "g")
    (spill,) = room.take(Spill)
    room.machine.disk.is_full(spill, "no space left", 100.0)
    room.look()
    room.put("h", "i")
    assert room.commands == []
    assert room.machine.pending
    assert room.machine.wake_s == 130.0
    room.machine.tick(129.0)
    room.look()
    assert room.commands == []
    room.machine.tick(130.0)
    room.look()
    assert room.machine.wake_s is None
    assert room.spill() == ["b", "c", "d"]


def test_a_full_disk_is_tried_as_soon_as_something_is_removed_from_it():
    room = Room()
    room.fill(7)
    room.put("k7")
    (spill,) = room.take(Spill)
    room.machine.disk.is_full(spill, "no space left", 100.0)
    room.look()
    room.hear(DropData(["k0"], [0]))
    assert room.machine.wake_s == 0.0
    room.machine.tick(100.0)
    room.look()
    assert room.spill() == ["k2"]


def test_who_looks_on_is_told():
    room = Room()
    room.hear(ReportEvents(EventKinds.TRANSFERS, 1.0))
    room.fill(7)
    room.run("task", "k0")
    room.unspill()
    (spill,) = room.take(Spill)
    room.machine.disk.is_full(spill, "no space left", 100.0)
    room.machine.take_outbox()
    cursor = room.machine.feed.read(EventKinds.TRANSFERS, 0, 0.0).cursor
    assert cursor.take(10).events == [
        SpillDone(1.0, 0.5, 100, "w", "k0", is_read=False),
        SpillDone(1.0, 0.5, 100, "w", "k0", is_read=True),
        SpillDone(100.0, 0.0, 100, "w", "k1", is_read=False, error="no space left"),
    ]


def spoil_readers(tables):
    tables.held["k0"].readers_count += 1


def spoil_idle(tables):
    tables.shelf.idle.popitem()


def spoil_unspillable(tables):
    tables.shelf.unspillable[Datum("gone", 1, 100, None)] = "a reason"


def spoil_spilled_count(tables):
    tables.shelf.spilled_nbytes += 1


def spoil_spilling_count(tables):
    tables.shelf.spilling_nbytes += 1


def spoil_reading_count(tables):
    tables.shelf.reading_nbytes += 1


def spoil_spilling(tables):
    datum, spill = tables.shelf.spilling.popitem()
    spill.value = "another"
    tables.shelf.spilling[datum] = spill


def spoil_spilled(tables):
    datum = tables.held["k0"]
    tables.shelf.spilled.pop(datum)
    tables.shelf.spilled_nbytes -= datum.nbytes


def spoil_state(tables):
    tables.held["k0"].want.state = WantState.READING


def spoil_line(tables):
    tables.shelf.queue.clear()


def spoil_retry(tables):
    tables.shelf.is_full = True


def spoil_copy(tables):
    tables.held["k0"].want.is_copy = True


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (spoil_readers, "readers are counted"),
        (spoil_idle, "may leave the memory"),
        (spoil_unspillable, "or cannot, is held"),
        (spoil_spilled_count, "spilled bytes are counted"),
        (spoil_spilling_count, "spilling bytes are counted"),
        (spoil_reading_count, "reading bytes are counted"),
        (spoil_spilling, "what is written is the value"),
        (spoil_spilled, "what is on disk is known"),
        (spoil_state, "what is read is known"),
        (spoil_line, "is in line"),
        (spoil_retry, "a full disk is tried again"),
        (spoil_copy, "is copied already"),
    ],
)
def test_each_rule_is_broken_once(spoil, rule):
    room = Room(threads=1)
    room.fill(9)
    room.run("busy")
    room.begin()
    room.run("reader", "k1")
    room.put("k9")
    spoil(room.machine.tables)
    with pytest.raises(InvariantBroken, match=rule):
        check(room.machine)
