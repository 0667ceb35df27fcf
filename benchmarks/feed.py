"""What it costs the scheduler, and a worker, that somebody looks on: microseconds a task.

``python feed.py [--tasks N] [--rounds N]``. The real machines and the codec, in one process and
without sockets: the scheduler decodes what a client and a worker say, decides, and encodes what
follows; the worker takes tasks, ends them, and encodes its reports. The figure is processor time
for each task, the least of some rounds that alternate, with the collector of cycles off.
"""

from __future__ import annotations

import argparse
import gc
import time

from hocket.core.settings import WorkerSettings
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    DropData,
    EventsSeen,
    ReportEvents,
    RunTasks,
    SubmitTasks,
    Subscribe,
    TasksDone,
    WorkerJoined,
)
from hocket.protocol.messages.feed import EventKinds, TaskEnded, TaskOutcome
from hocket.protocol.roles import Role
from hocket.scheduler import Limits, SchedulerMachine
from hocket.worker.machine import WorkerMachine

CLIENT, WORKER, OBSERVER = 1, 2, 3
KINDS = {
    "nobody": EventKinds.NONE,
    "GROUPS": EventKinds.GROUPS,
    "TASKS": EventKinds.TASKS,
    "USUAL": EventKinds.USUAL,
    "ALL": EventKinds.ALL,
}
#: Tasks of which one report tells.
REPORT_TASKS = 20
#: Virtual time between two reports, so that batches of events are as at 5,000 tasks a second.
REPORT_S = 0.004


def scheduler_us(kinds: int, tasks_count: int) -> float:
    """Return what a task costs the scheduler, while these kinds of events are read."""
    machine = SchedulerMachine(Limits(window_s=float("inf")))
    machine.client_joined(CLIENT, "client")
    machine.worker_greeted(WORKER)
    machine.receive(WORKER, [WorkerJoined("w", "tcp://w:1", "h", 1, 4)], 0.0)
    machine.observer_joined(OBSERVER, "observer")
    if kinds:
        machine.receive(OBSERVER, [Subscribe(1, kinds, credit=100_000)], 0.0)
    machine.turn(0.0)
    from_client = decoder_for(Role.CLIENT, Role.SCHEDULER)
    from_worker = decoder_for(Role.WORKER, Role.SCHEDULER)
    keys = [f"inc-0123456789-{index}" for index in range(tasks_count)]
    payloads = [b"payload"] * tasks_count
    said = encode([SubmitTasks([b"f" * 16], ["inc"], [b"x"], keys, [], payloads, [], [])])
    began_s = time.process_time()
    machine.receive(CLIENT, from_client.decode(said), 0.0)
    out = dict(machine.turn(0.0))
    for frames in out.values():
        for frame in frames:
            encode(frame)
    spent_s = time.process_time() - began_s
    runs = [one for frame in out[WORKER] for one in frame if isinstance(one, RunTasks)]
    attempts = [row for run in runs for row in zip(run.keys, run.attempts, strict=True)]
    now_s = 0.0
    for first in range(0, tasks_count, REPORT_TASKS):
        said = encode(_report(attempts[first : first + REPORT_TASKS], kinds))
        now_s += REPORT_S
        began_s = time.process_time()
        machine.receive(WORKER, from_worker.decode(said), now_s)
        for _, frames in machine.turn(now_s):
            for frame in frames:
                encode(frame)
        spent_s += time.process_time() - began_s
    return spent_s / tasks_count * 1e6


def _report(rows: list[tuple[str, int]], kinds: int) -> list[TasksDone | EventsSeen]:
    count = len(rows)
    keys, attempts = [key for key, _ in rows], [attempt for _, attempt in rows]
    values: list[bytes | None] = [b"value"] * count
    starts, durations = [1e9] * count, [1e-3] * count
    messages: list[TasksDone | EventsSeen] = [
        TasksDone(keys, attempts, [28] * count, starts, durations, values)
    ]
    if kinds & EventKinds.TASKS:
        ended = [
            TaskEnded(key, attempt, "inc", "w", TaskOutcome.STORED, 1e9, 1e-3, 28, 1)
            for key, attempt in rows
        ]
        for event in ended:
            event.ready_s, event.deserialising_s, event.storing_s = 0.1, 1e-5, 1e-5
        messages.append(EventsSeen([*ended]))
    return messages


def worker_us(kinds: int, tasks_count: int) -> float:
    """Return what a task costs the worker's machine, while these kinds of events are wanted."""
    machine = WorkerMachine(
        name="w", address="tcp://w:1", settings=WorkerSettings(), threads=REPORT_TASKS
    )
    if kinds:
        machine.handle([ReportEvents(kinds)], 1.0)
    spent_s = 0.0
    for first in range(1, tasks_count + 1, REPORT_TASKS):
        run = RunTasks([b"f" * 16], ["inc"], [b"blob"], [], [], [], [], [], [], [])
        run.attempts = list(range(first, first + REPORT_TASKS))
        run.keys = [f"inc-0123456789-{attempt}" for attempt in run.attempts]
        run.priorities, run.payloads = [0] * REPORT_TASKS, [b"payload"] * REPORT_TASKS
        began_s = time.process_time()
        machine.handle([run], 1.0)
        while (task := machine.take()) is not None:
            machine.executed(task, 1, 28, 2.0, 1e-3, b"value", (1e-5, 1e-5))
        encode(machine.take_outbox())
        spent_s += time.process_time() - began_s
        machine.handle([DropData(run.keys, run.attempts)], 1.0)
        machine.take_discarded()
    return spent_s / tasks_count * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    gc.disable()
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in KINDS}
    for _ in range(options.rounds):
        for name, kinds in KINDS.items():
            both = scheduler_us(int(kinds), options.tasks), worker_us(int(kinds), options.tasks)
            figures[name].append(both)
            gc.collect()
    print(f"{'read':8} {'scheduler us/task':>18} {'worker us/task':>15}")
    for name, rows in figures.items():
        scheduler, worker = (min(column) for column in zip(*rows, strict=True))
        print(f"{name:8} {scheduler:18.2f} {worker:15.2f}")


if __name__ == "__main__":
    main()
