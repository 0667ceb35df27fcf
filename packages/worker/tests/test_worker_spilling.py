"""Values that leave the memory and come back, as the machine decides it."""

from __future__ import annotations

import pytest

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import (
    AbandonTasks,
    CopyData,
    DropData,
    InputsMissing,
    ReplicasStored,
    ReportEvents,
    RunTasks,
    TasksReturned,
)
from hocket.protocol.messages.feed import EventKinds, SpillDone
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.state import DropFile, Fetch, Spill, Unspill, WantState

OWN, PEER = "tcp://own:1", "tcp://peer:1"
#: Values may take 600 bytes in memory, the process 700.
LIMIT = 1000


class Room:
    """A machine, and what it commands; values are 100 bytes unless said otherwise."""

    def __init__(self, threads=2, limit=LIMIT, **settings):
        self.machine = WorkerMachine(
            name="w",
            address=OWN,
            settings=WorkerSettings(**{"spill_nbytes_min": 10} | settings),
            threads=threads,
            memory_limit=limit,
        )
        self.commands = []
        self.attempt = 100

    def look(self):
        check(self.machine)
        self.commands.extend(self.machine.take_commands())

    def take(self, kind):
        """Return the commands of a kind, and forget them."""
        found = [one for one in self.commands if isinstance(one, kind)]
        self.commands = [one for one in self.commands if one not in found]
        return found

    def put(self, *keys, nbytes=100):
        for key in keys:
            self.machine.put(key, f"value of {key}", nbytes)
            self.look()

    def spill(self):
        """Write all that is to be written; return the keys."""
        keys = []
        while spills := self.take(Spill):
            for spill in spills:
                keys.append(spill.datum.key)
                self.machine.disk.spilled(spill, f"file of {spill.datum.key}", 1.0, 0.5)
                self.look()
        return keys

    def unspill(self):
        """Read all that is to be read; return the keys."""
        keys = []
        while unspills := self.take(Unspill):
            for one in unspills:
                keys.append(one.datum.key)
                assert one.file == f"file of {one.datum.key}"
                self.machine.disk.unspilled(one, f"value of {one.datum.key}", 1.0, 0.5)
                self.look()
        return keys

    def run(self, key, *inputs, attempt=None, priority=0, holders=()):
        """Give the machine a task; inputs were put there, or are (key, attempt)."""
        names = [one if isinstance(one, tuple) else (one, 0) for one in inputs]
        self.attempt += 1
        message = RunTasks(
            functions=[b"f"],
            labels=["f"],
            blobs=[b""],
            keys=[key],
            attempts=[attempt or self.attempt],
            priorities=[priority],
            function_of=[],
            payloads=[b""],
            wanted=[],
            inputs=[list(range(len(inputs)))] if inputs else [],
            input_keys=[name for name, _ in names],
            input_attempts=[number for _, number in names],
            input_nbytes=[100 for _ in names],
            input_holders=[list(range(len(holders))) for _ in names],
            addresses=list(holders),
        )
        self.hear(message)
        return self.attempt

    def hear(self, *messages):
        self.machine.handle(messages, 5.0)
        self.look()

    def begin(self):
        task = self.machine.take()
        self.look()
        return task

    def end(self, task, nbytes=0):
        self.machine.executed(task, "result", nbytes, 1.0, 0.5)
        self.look()

    def said(self, kind):
        return [one for one in self.machine.take_outbox() if isinstance(one, kind)]

    @property
    def sizes(self):
        return self.machine.held_nbytes, self.machine.disk.spilled_nbytes

    def fill(self, count=8):
        """Hold so many values, of which those beyond the sixth are on disk."""
        keys = [f"k{number}" for number in range(count)]
        self.put(*keys)
        self.spill()
        return keys


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
