"""Values that leave the memory and come back, as the machine decides it."""

from __future__ import annotations

import pytest
from spilling_room import LIMIT, Room

from hocket.protocol.messages import (
    AbandonTasks,
)
from hocket.worker.state import DropFile, Spill, Unspill


def test_what_was_used_least_recently_leaves_the_memory_first():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f")
    assert not room.commands
    # Somebody asks for it, and may ask again.
    room.machine.held(["a", "nothing"])
    room.put("g", "h")
    assert [spill.datum.key for spill in room.take(Spill)] == ["b", "c"]
    assert room.sizes == (800, 0)


def test_a_value_counts_as_in_memory_until_it_is_written():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f", "g")
    (spill,) = room.take(Spill)
    assert (spill.value, spill.nbytes) == ("value of a", 100)
    assert room.sizes == (700, 0)
    room.machine.disk.spilled(spill, "file", 1.0, 0.5)
    room.look()
    assert room.sizes == (600, 100)
    assert room.commands == []
    assert repr(spill) == "<Spill 'a' attempt 0>"


def test_a_few_are_written_at_once():
    room = Room()
    room.put("big", nbytes=5000)
    room.put("a", "b", "c", "d")
    assert [spill.datum.key for spill in room.take(Spill)] == ["big"]
    room = Room()
    room.machine.memory_sampled(700)
    room.put("a", "b", "c", "d")
    room.machine.memory_sampled(1000)
    room.look()
    first = room.take(Spill)
    assert [spill.datum.key for spill in first] == ["a", "b"]
    room.machine.disk.spilled(first[0], "file", 1.0, 0.5)
    room.look()
    assert [spill.datum.key for spill in room.take(Spill)] == ["c"]


def test_small_values_stay():
    room = Room()
    for number in range(200):
        room.put(f"small{number}", nbytes=9)
    assert room.machine.held_nbytes == 1800
    room.machine.memory_sampled(LIMIT)
    room.look()
    assert room.commands == []


@pytest.mark.parametrize(
    ("limit", "settings"),
    [
        (0, {}),
        (LIMIT, {"spill": False}),
        (LIMIT, {"memory_target": 1.0, "memory_spill": 1.0}),
    ],
)
def test_nothing_leaves_where_it_may_not(limit, settings):
    room = Room(limit=limit, **settings)
    room.put("a", nbytes=10**6)
    room.machine.memory_sampled(10**6)
    room.look()
    assert room.commands == []
    assert not room.machine.disk.is_used
    assert not room.machine.disk.is_busy


def test_a_process_that_is_large_shrinks_until_it_is_well_below():
    room = Room(memory_target=0.6, memory_spill=0.7)
    room.put("a", "b", "c", "d")
    room.machine.memory_sampled(700)
    room.look()
    assert room.commands == []
    room.machine.memory_sampled(701)
    room.look()
    assert room.machine.disk.is_busy
    assert room.spill() == ["a", "b"]
    assert not room.machine.disk.is_busy
    room.machine.memory_sampled(699)
    room.look()
    assert room.commands == []
    assert room.sizes == (200, 200)


def test_a_process_goes_on_to_shrink_below_the_size_at_which_it_began():
    room = Room()
    room.put("a", "b", "c", "d")
    room.machine.memory_sampled(900)
    room.look()
    first = room.take(Spill)[0]
    room.machine.disk.spilled(first, "file", 1.0, 0.5)
    room.look()
    assert [spill.datum.key for spill in room.take(Spill)] == ["c"]
    # That is enough, if what is on its way arrives; but not before.
    room.machine.memory_sampled(690)
    room.look()
    assert room.commands == []
    assert room.machine.disk.is_busy


def test_a_process_that_cannot_shrink_is_not_made_to_all_the_time():
    room = Room()
    room.put("a")
    room.machine.memory_sampled(790)
    room.look()
    assert room.spill() == ["a"]
    room.machine.memory_sampled(690)
    room.put("b")
    assert room.commands == []


def test_what_a_task_reads_stays_in_memory():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f")
    room.run("task", "a", "b")
    room.put("g")
    assert [spill.datum.key for spill in room.take(Spill)] == ["c"]
    task = room.begin()
    room.put("h")
    assert [spill.datum.key for spill in room.take(Spill)] == ["d"]
    room.end(task)
    # They were used last.
    assert [datum.key for datum in room.machine.tables.shelf.idle] == ["e", "f", "g", "h", "a", "b"]


def test_what_is_being_written_when_a_task_comes_for_it_stays():
    room = Room()
    room.put("a", "b", "c", "d", "e", "f", "g")
    (spill,) = room.take(Spill)
    room.run("task", "a")
    assert [one.datum.key for one in room.take(Spill)] == ["b"]
    room.machine.disk.spilled(spill, "file", 1.0, 0.5)
    room.look()
    assert [drop.file for drop in room.take(DropFile)] == ["file"]
    assert room.begin().inputs[0].value == "value of a"
    assert room.sizes == (700, 0)


def test_a_task_waits_for_what_it_needs_from_disk_without_a_thread():
    room = Room()
    room.fill(7)
    room.run("task", "k0")
    assert room.machine.ready_count == 0
    assert room.begin() is None
    # Another goes, so that it fits.
    assert [spill.datum.key for spill in room.commands if isinstance(spill, Spill)] == ["k1"]
    assert room.unspill() == ["k0"]
    assert [drop.file for drop in room.take(DropFile)] == ["file of k0"]
    assert room.spill() == ["k1"]
    assert room.begin().inputs[0].value == "value of k0"
    assert room.sizes == (600, 100)
    assert room.machine.disk.spilled_nbytes == 100


def test_the_most_urgent_is_read_first():
    room = Room(threads=1)
    room.fill(9)
    room.run("busy")
    running = room.begin()
    room.run("later", "k0", priority=9)
    room.run("sooner", "k1", priority=1)
    # There is no room, and a thread is at work: what leaves makes room.
    assert room.take(Unspill) == []
    assert room.spill() == ["k3", "k4"]
    assert [one.datum.key for one in room.commands] == ["k1", "k0"]
    room.run("soonest", "k2", priority=0)
    assert room.unspill() == ["k1", "k0"]
    assert room.spill() == ["k5"]
    assert room.unspill() == ["k2"]
    assert room.begin() is None
    room.end(running)
    assert room.begin().key == "soonest"


def test_one_is_read_although_there_is_no_room_if_a_thread_would_stand_idle():
    room = Room()
    room.fill(7)
    room.run("greedy", *[f"k{number}" for number in range(1, 7)])
    running = room.begin()
    room.run("task", "k0")
    # All that is in memory is being read.
    assert room.take(Spill) == []
    assert room.unspill() == ["k0"]
    assert room.sizes == (700, 0)
    second = room.begin()
    assert second.key == "task"
    room.end(running)
    room.end(second)
    assert room.spill() == ["k1"]


def test_a_paused_worker_reads_only_if_nothing_else_is_to_be_done():
    room = Room()
    room.fill(7)
    room.run("busy")
    running = room.begin()
    room.machine.memory_sampled(900)
    room.look()
    assert room.machine.paused
    room.spill()
    room.run("task", "k0")
    assert room.take(Unspill) == []
    room.end(running)
    assert [one.datum.key for one in room.take(Unspill)] == ["k0"]


def test_what_nobody_waits_for_any_more_stays_on_disk():
    room = Room()
    room.fill(7)
    attempt = room.run("task", "k0")
    (unspill,) = room.take(Unspill)
    room.hear(AbandonTasks(["task"], [attempt]))
    room.machine.disk.unspilled(unspill, "value", 1.0, 0.5)
    room.look()
    assert room.take(DropFile) == []
    assert room.sizes[1] >= 100
    assert "value" in room.machine.take_discarded()
