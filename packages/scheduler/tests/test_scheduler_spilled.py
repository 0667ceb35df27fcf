"""What the scheduler makes of values that workers have put on their disks."""

from __future__ import annotations

from hocket.protocol.messages import WorkerJoined, WorkerReport
from hocket.scheduler.state import Options, Task, Worker

LIMIT = 1000


def make_worker():
    return Worker(1, WorkerJoined("w", "tcp://w:1", "host", 1, 1, LIMIT, {}), {})


def value(key, nbytes, readers=0):
    task = Task(key, None, b"", Options(), 0, ())
    task.nbytes = nbytes
    task.needed_by_count = readers
    return task


def report(spilled_nbytes):
    return WorkerReport(1.0, 0, 0.0, 0, 0, 0, spilled_nbytes)


def test_what_nobody_is_going_to_read_gives_way_on_a_worker_that_spills():
    worker = make_worker()
    kept, needed = value("kept", 400), value("needed", 100, readers=1)
    worker.hold(kept)
    worker.hold(needed)
    worker.reported(report(0))
    assert worker.free_nbytes(0.6) == 100
    worker.reported(report(1))
    assert worker.free_nbytes(0.6) == 500
    # Nothing of that changes what it holds.
    assert worker.held_nbytes == 500


def test_what_comes_and_goes_is_counted_at_once():
    worker = make_worker()
    worker.reported(report(1))
    kept, needed = value("kept", 400), value("needed", 100, readers=1)
    worker.hold(kept)
    worker.hold(kept)
    worker.hold(needed)
    assert (worker.held_nbytes, worker.kept_nbytes) == (500, 400)
    worker.unhold(kept)
    worker.unhold(kept)
    assert (worker.held_nbytes, worker.kept_nbytes) == (100, 0)
    worker.hold(kept)
    worker.reported(report(0))
    assert worker.free_nbytes(0.6) == 100


def test_what_waits_to_be_used_up_counts_wherever_it_is():
    worker = make_worker()
    for number in range(20):
        worker.hold(value(f"needed{number}", 100, readers=1))
    worker.reported(report(1400))
    assert worker.free_nbytes(0.6) == 600 - 2000
