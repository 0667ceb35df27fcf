"""A worker on a real disk: values leave the memory, come back, and are served from there."""

from __future__ import annotations

import logging
import threading

import pytest

from hocket.core.settings import Settings
from hocket.protocol.messages import CopyData, DropData, InputsMissing, WorkerReport
from hocket.protocol.messages.feed import EventKinds, SpillDone
from hocket.worker.invariants import check
from hocket.worker.shell.spill_files import SpillFile
from hocket.worker.shell.spiller import is_on_device

NBYTES = 100_000
#: Values may take 600,000 bytes; the process is larger than that, and may be.
LIMIT = 1_000_000
#: So many values fit (one is a little larger than what is in it).
IN_MEMORY_MAX = 5


@pytest.fixture
def options(tmp_path):
    """Return what a worker is given that has little memory."""
    overrides = {
        "session.local_grace_s": 0,
        "transport.connect_timeout_s": 1,
        "worker.threads": 2,
        "worker.memory_spill": 1,
        "worker.pause_part": 1,
        "worker.spill_nbytes_min": 1000,
        "worker.spill_free_nbytes_min": 0,
        "worker.local_directory": str(tmp_path / "files"),
    }

    def make(**more):
        settings = Settings.build(overrides={**overrides, **more})
        return {"settings": settings, "memory_limit": LIMIT}

    return make


def make_bytes(number):
    return bytearray(bytes([number]) * NBYTES)


def add_up(*values):
    for value in values:
        value[0] += 1  # They can be written to, as those that were computed.
    return sum(len(value) for value in values)


def files_of(worker):
    """Return the values of a worker that are in files."""
    with worker._lock:
        check(worker._machine)
        held = worker._machine.tables.held.values()
        return {each.key: each.value for each in held if isinstance(each.value, SpillFile)}


async def spilled(scheduler, worker, count):
    """Wait until so many values are in files."""
    while len(files_of(worker)) != count:
        await scheduler.settle()


async def fill(scheduler, worker, count=10):
    """Compute values; return the messages' attempts by key."""
    message = scheduler.many(make_bytes, list(range(count)))
    await scheduler.run(message)
    await spilled(scheduler, worker, count - IN_MEMORY_MAX)
    return dict(zip(message.keys, message.attempts, strict=True))


def test_values_go_to_files_and_back(with_scheduler, options, tmp_path):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options())
        attempts = await fill(scheduler, worker)
        files = files_of(worker)
        assert all(file.path.stat().st_size == file.nbytes > NBYTES for file in files.values())
        (directory,) = (tmp_path / "files").iterdir()
        # Others get it from the file, and it stays there.
        reply, values = await scheduler.fetch(worker.address, *attempts)
        assert reply.attempts == list(attempts.values())
        assert values == [make_bytes(number) for number in range(10)]
        assert files_of(worker) == files
        # A task gets it back.
        first = next(iter(files))
        inputs = [(first, attempts[first], [])]
        message = scheduler.task(add_up, reference(first), inputs=inputs)
        assert await scheduler.result(message) is not None
        # (That is done beside.)
        while files[first].path.exists():
            await scheduler.settle()
        await spilled(scheduler, worker, 5)
        scheduler.send(DropData(list(attempts), list(attempts.values())))
        await spilled(scheduler, worker, 0)
        while any(path.name != "lock" for path in directory.iterdir()):
            await scheduler.settle()
        await worker.close()
        assert list((tmp_path / "files").iterdir()) == []

    with_scheduler(scenario)


class reference:  # noqa: N801 - it stands for a value
    def __init__(self, key):
        self.key = key

    def __reduce__(self):
        from hocket.protocol.serialize import note_reference, resolve  # noqa: PLC0415

        note_reference(self.key)
        return resolve, (self.key,)


def test_a_copy_of_a_value_on_disk_goes_to_another_worker(with_scheduler, options):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options())
        other = await scheduler.add_worker()
        attempts = await fill(scheduler, worker)
        key = next(iter(files_of(worker)))
        copy = CopyData([key], [attempts[key]], [NBYTES], [[0]], [worker.address])
        scheduler.send(copy, to=1)
        await scheduler.hear(
            lambda: "ReplicasStored" in {type(one).__name__ for one in scheduler.heard}
        )
        _, values = await scheduler.fetch(other.address, key)
        assert len(values[0]) == NBYTES

    with_scheduler(scenario)


def test_a_damaged_file_is_a_lost_value(with_scheduler, options):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options())
        attempts = await fill(scheduler, worker)
        (served, read) = list(files_of(worker).items())[:2]
        served[1].path.write_bytes(b"x" * served[1].nbytes)
        read[1].path.unlink()
        reply, values = await scheduler.fetch(worker.address, served[0])
        assert (reply.attempts, reply.sizes, values) == ([-1], [None], [None])
        message = scheduler.task(
            add_up, reference(read[0]), inputs=[(read[0], attempts[read[0]], [])]
        )
        returned = await scheduler.result(message)
        assert type(returned).__name__ == "TasksReturned"
        missing = {key for one in scheduler.of(InputsMissing) for key in one.keys}
        assert missing == {served[0], read[0]}
        assert {one.address for one in scheduler.of(InputsMissing)} == {worker.address}

    with_scheduler(scenario)


def test_the_scheduler_is_told_how_much_is_on_disk_and_who_looks_on_of_each(
    with_scheduler, options
):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options(**{"worker.report_interval_s": 0.01}))
        reader = worker.feed.read(EventKinds.TRANSFERS)
        await fill(scheduler, worker)
        await scheduler.hear(
            lambda: any(one.spilled_nbytes >= 5 * NBYTES for one in scheduler.of(WorkerReport))
        )
        report = scheduler.of(WorkerReport)[-1]
        assert report.held_nbytes < 7 * NBYTES
        events = [one for one in reader.take().events if isinstance(one, SpillDone)]
        assert len(events) == 5
        assert all(one.nbytes >= NBYTES and not one.is_read and not one.error for one in events)
        reader.close()

    with_scheduler(scenario)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"worker.spill_free_nbytes_min": 2**60}, "spill_free_nbytes_min"),
        ({"worker.spill_nbytes_max": 5000}, "spill_nbytes_max"),
    ],
)
def test_a_full_disk_is_said_once_and_nothing_is_lost(
    with_scheduler, options, caplog, limits, word
):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options(**limits))
        message = scheduler.many(make_bytes, list(range(10)))
        await scheduler.run(message)
        while not worker._machine.tables.shelf.is_full:
            await scheduler.settle()
        with worker._lock:
            worker._machine.tick(2.0**40)
        worker._flusher.stir()
        while worker._machine.tables.shelf.spilling:
            await scheduler.settle()
        _, values = await scheduler.fetch(worker.address, *message.keys)
        assert values == [make_bytes(number) for number in range(10)]
        assert files_of(worker) == {}

    with caplog.at_level(logging.WARNING, "hocket.worker"):
        with_scheduler(scenario)
    (line,) = [record.getMessage() for record in caplog.records if word in record.getMessage()]
    assert "puts no more results into files" in line


def make_lock(number):
    return [threading.Lock(), bytes([number]) * NBYTES]


class OnDevice:
    __cuda_array_interface__ = {}

    def __init__(self, number):
        self.content = bytes([number]) * NBYTES


class Rude:
    def __init__(self, number):
        self.content = bytes([number]) * NBYTES

    def __reduce__(self):
        raise SystemExit


class Unfriendly:
    def __getattr__(self, name):
        raise ValueError(name)


@pytest.mark.parametrize("make", [make_lock, OnDevice, Rude])
def test_what_cannot_go_to_a_file_stays_in_memory(with_scheduler, options, make):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options())
        message = scheduler.many(make, list(range(10)), executor="threads")
        message.wanted = [0] * 10
        await scheduler.run(message)
        shelf = worker._machine.tables.shelf
        while len(shelf.unspillable) < 10:
            await scheduler.settle()
        assert files_of(worker) == {}
        assert all(shelf.unspillable.values())

    with_scheduler(scenario)


def test_arrays_on_devices_are_known():
    assert is_on_device(OnDevice(1))
    assert is_on_device([1, OnDevice(1)])
    assert is_on_device({"a": OnDevice(1)})
    assert not is_on_device((1, "two", None))
    assert not is_on_device({})
    assert not is_on_device(Unfriendly())


def test_where_nothing_may_go_to_disk_nothing_is_made(with_scheduler, options, tmp_path):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(**options(**{"worker.spill": False}))
        await scheduler.run(scheduler.many(make_bytes, list(range(10))))
        assert files_of(worker) == {}
        assert not any(thread.name.endswith("spill") for thread in threading.enumerate())

    with_scheduler(scenario)
    assert list((tmp_path / "files").iterdir()) == []
