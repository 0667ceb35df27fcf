"""How much CPU the scheduler's decisions cost per task, without sockets.

``python benchmarks/scheduler_machine.py [TASKS]``: independent empty tasks through the real machine
with workers that answer at once.
"""

from __future__ import annotations

import gc
import sys
import time

from hocket.protocol.messages import ReleaseKeys, RunTasks, SubmitTasks, TasksDone, WorkerJoined
from hocket.scheduler import SchedulerMachine

BATCH = 5_000


def run(tasks_count: int, workers_count: int) -> tuple[float, float]:
    """Return microseconds per task: until all are stored, and for their release."""
    machine = SchedulerMachine()
    machine.client_joined(0, "client")
    for id_ in range(1, workers_count + 1):
        machine.worker_greeted(id_)
        machine.receive(id_, [WorkerJoined(f"w{id_}", f"tcp://w{id_}", f"host{id_}", id_, 1)], 0.0)
    batches = []
    for first in range(0, tasks_count, BATCH):
        keys = [f"task-abcdef-{one}" for one in range(first, min(first + BATCH, tasks_count))]
        payloads = [b"%020d" % one for one in range(len(keys))]
        batches.append(SubmitTasks([b"d" * 16], ["f"], [b"pickle"], keys, [], payloads, [], []))
    batches.reverse()
    done_count = 0
    start = time.process_time()
    while done_count < tasks_count:
        if batches:
            machine.receive(0, [batches.pop()], 0.0)
        for id_, frames in machine.turn(0.0):
            for message in (one for frame in frames for one in frame):
                if type(message) is RunTasks:
                    count = len(message.keys)
                    done_count += count
                    report = TasksDone(
                        message.keys,
                        message.attempts,
                        [28] * count,
                        [0.0] * count,
                        [1e-5] * count,
                        [b"v"] * count,
                    )
                    machine.receive(id_, [report], 0.0)
    stored = time.process_time()
    machine.receive(0, [ReleaseKeys(list(machine.tables.tasks))], 0.0)
    machine.turn(0.0)
    released = time.process_time()
    if machine.tables.tasks:
        raise SystemExit("tasks are left after their release")
    return (stored - start) / tasks_count * 1e6, (released - stored) / tasks_count * 1e6


def main() -> None:
    """Print the table."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    tasks_count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    print("| workers | us a task | us for its release |\n|---:|---:|---:|")
    for workers_count in (2, 10, 100, 1_000):
        held_us, released_us = run(tasks_count, workers_count)
        print(f"| {workers_count} | {held_us:.2f} | {released_us:.2f} |")


if __name__ == "__main__":
    main()
