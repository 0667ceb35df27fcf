"""The scheduler's machine alone, with workers that answer at once: one measurement.

A program of its own (``python scale_machine.py '{"graph": "tree", ...}'``), so that memory begins
from nothing each time; it prints one JSON object. ``scale.py`` runs it and makes the table.

What is counted, in CPU time of the process: the calls of ``machine.receive`` and ``machine.turn``
(with the garbage collector on and set as in a scheduler's process), as "machine"; decoding what
peers say and encoding what they are told, as "codec". All messages really pass the codec, so the
machine gets fresh strings, as it would from sockets. What the client and the workers would do is
not counted, nor is the clock itself.

Workers obey the protocol: an input that nobody holds must come from an earlier task of the same
worker; inputs that a worker lacks count as fetched, and are reported.
"""

from __future__ import annotations

import cProfile
import gc
import json
import pickle
import pstats
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from graphs import SCALE_SHAPES, Shape, sinks
from hocket.graph.indexed import Edges, IndexedGraph
from hocket.graph.ordering import sequence
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    CopyData,
    DropData,
    ReleaseKeys,
    ReplicasStored,
    RunTasks,
    SubmitTasks,
    TasksDone,
    TasksErred,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.scheduler import SchedulerMachine
from memory import memory_nbytes

#: As the client's: tasks of one message.
BATCH = 5_000
CLIENT = 0
#: The simulated time of one round to all workers and back.
ROUND_S = 0.001
DURATION_S = 1e-5
VALUE = pickle.dumps(1)
#: As in a scheduler's process.
GC_THRESHOLDS = (200_000, 20, 50)
#: Rounds in which nothing happens before the run is given up.
IDLE_ROUNDS_MAX = 1_000

clock = time.process_time

from_client = decoder_for(Role.CLIENT, Role.SCHEDULER).decode
from_worker = decoder_for(Role.WORKER, Role.SCHEDULER).decode
to_worker = decoder_for(Role.SCHEDULER, Role.WORKER).decode


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    graph: str
    tasks: int
    workers: int
    #: So many workers' reports come between two turns at the most; 0: all that are there.
    turn_peers: int = 0
    #: How memory is measured ("traced", "resident"), while futures of all tasks are held, which
    #: makes the times worthless; "": not at all, and only the results of the graph are held.
    memory: str = ""
    #: Print so many of the functions that take most time.
    profile: int = 0


class Worker:
    """One simulated worker: what it holds, and what it says at once."""

    __slots__ = ("address", "held")

    def __init__(self, address: str) -> None:
        self.address = address
        self.held: set[str] = set()

    def answer(self, messages: list[Any], now_s: float) -> list[Any]:
        """Do what one frame asks for; return the frame with the reports."""
        answers: list[Any] = []
        for message in messages:
            if type(message) is RunTasks:
                replicas = self._fetch(message)
                if replicas.keys:
                    answers.append(replicas)
                answers.append(self._run(message, now_s))
            elif type(message) is DropData:
                self.held.difference_update(message.keys)
            elif type(message) is CopyData:
                self.held.update(message.keys)
                answers.append(ReplicasStored(message.keys, message.attempts))
        return answers

    def _fetch(self, batch: RunTasks) -> ReplicasStored:
        fetched = ReplicasStored([], [])
        for key, attempt, holders in zip(
            batch.input_keys, batch.input_attempts, batch.input_holders, strict=True
        ):
            if holders and key not in self.held:
                self.held.add(key)
                fetched.keys.append(key)
                fetched.attempts.append(attempt)
        return fetched

    def _run(self, batch: RunTasks, now_s: float) -> TasksDone:
        keys, attempts, wanted = batch.keys, batch.attempts, batch.wanted
        if batch.inputs:
            rows = self._in_order(batch)
            keys, attempts = [keys[row] for row in rows], [attempts[row] for row in rows]
            wanted = wanted and [wanted[row] for row in rows]
            self.held.update(keys)
        count = len(keys)
        if not wanted:
            values: list[bytes | None] = [VALUE] * count
        elif any(wanted):
            values = [VALUE if one else None for one in wanted]
        else:
            values = []
        return TasksDone(
            keys, attempts, [28] * count, [now_s] * count, [DURATION_S] * count, values
        )

    def _in_order(self, batch: RunTasks) -> list[int]:
        """Return the rows by priority, each after those that make its inputs here."""
        input_keys, inputs = batch.input_keys, batch.inputs
        have = set(self.held)
        todo = sorted(range(len(batch.keys)), key=batch.priorities.__getitem__)
        order: list[int] = []
        while todo:
            later = []
            for row in todo:
                if row < len(inputs) and any(input_keys[one] not in have for one in inputs[row]):
                    later.append(row)
                else:
                    have.add(batch.keys[row])
                    order.append(row)
            if len(later) == len(todo):
                raise SystemExit(f"{self.address} was given tasks whose inputs nobody has")
            todo = later
        return order


class Run:
    """One machine, its peers, and the sums."""

    def __init__(self, plan: Plan, shape: Shape) -> None:
        self.plan = plan
        self.shape = shape
        self.has_inputs = any(shape)
        self.machine = SchedulerMachine()
        self.workers: dict[int, Worker] = {}
        self.machine_s = 0.0
        self.codec_s = 0.0
        self.now_s = 0.0
        self.done_count = 0
        self.turns_count = 0
        self.submitted_nbytes = 0
        #: Frames that are on their way to workers.
        self.frames: deque[tuple[int, bytes]] = deque()
        self.profiler = cProfile.Profile() if plan.profile else None
        self.clock_s = _clock_s()
        self.machine.client_joined(CLIENT, "client")
        for id_ in range(1, plan.workers + 1):
            address = f"tcp://10.0.{id_ >> 8}.{id_ & 255}:40001"
            self.machine.worker_greeted(id_)
            joined = WorkerJoined(f"worker-{id_}", address, f"host-{id_}", id_, 1)
            self.say(id_, encode([joined]))
            self.workers[id_] = Worker(address)

    def say(self, id_: int, payload: bytes) -> None:
        """Let the machine hear one frame of a peer."""
        gc.enable()
        start = clock()
        messages = (from_worker if id_ else from_client)(payload)
        decoded = clock()
        if self.profiler:
            self.profiler.enable()
        reason = self.machine.receive(id_, messages, self.now_s)
        if self.profiler:
            self.profiler.disable()
        self.machine_s += clock() - decoded - self.clock_s
        gc.disable()
        self.codec_s += decoded - start - self.clock_s
        if reason is not None:
            raise SystemExit(f"the machine refuses peer {id_}: {reason}")

    def turn(self) -> bool:
        """Let the machine decide, and put what it says on its way; return if it said anything."""
        self.now_s += ROUND_S
        self.turns_count += 1
        gc.enable()
        start = clock()
        if self.profiler:
            self.profiler.enable()
        outgoing = self.machine.turn(self.now_s)
        if self.profiler:
            self.profiler.disable()
        decided = clock()
        encoded = [(id_, encode(frame)) for id_, frames in outgoing for frame in frames]
        self.codec_s += clock() - decided - self.clock_s
        self.machine_s += decided - start - self.clock_s
        gc.disable()
        for id_, frames in outgoing:
            if id_ == CLIENT:
                for message in (one for frame in frames for one in frame):
                    if type(message) is TasksErred:
                        raise SystemExit(f"tasks failed: {message.failures[0].text}")
        self.frames.extend(each for each in encoded if each[0] != CLIENT)
        return bool(encoded)

    def hear_workers(self) -> None:
        """Let workers answer what has come to them."""
        count = len(self.frames)
        if self.plan.turn_peers:
            count = min(count, self.plan.turn_peers)
        for _ in range(count):
            id_, payload = self.frames.popleft()
            answers = self.workers[id_].answer(to_worker(payload), self.now_s)
            if answers:
                for each in answers:
                    if type(each) is TasksDone:
                        self.done_count += len(each.keys)
                self.say(id_, encode(answers))

    def run(self) -> None:
        """Go on until all tasks are stored and nothing is on its way."""
        submissions = self.submissions()
        if self.plan.memory:
            # (Everything is submitted before anything runs, and measured.)
            for payload in submissions:
                self.say(CLIENT, payload)
            self.submitted_nbytes = memory_nbytes(self.plan.memory)
        idle_rounds_count = 0
        while True:
            payload = next(submissions, b"")
            if payload:
                self.say(CLIENT, payload)
            if self.turn() or payload or self.frames:
                idle_rounds_count = 0
            elif self.done_count >= len(self.shape):
                return
            else:
                idle_rounds_count += 1
                if idle_rounds_count > IDLE_ROUNDS_MAX:
                    raise SystemExit(f"stalled after {self.done_count} tasks")
            self.hear_workers()

    def submissions(self) -> Iterator[bytes]:
        """Yield the frames in which the client submits everything, as the real one does."""
        shape, count = self.shape, len(self.shape)
        is_all_wanted = self.plan.memory or not self.has_inputs
        last_use = list(range(count))
        for one, inputs in enumerate(shape):
            for each in inputs:
                last_use[each] = one
        borrowed: list[int] = []
        blob: bytes | None = b"p" * 60
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            rows = range(start, stop)
            places: dict[int, int] = {one: one - start for one in rows}
            dependencies = []
            for one in rows if self.has_inputs else ():
                for each in shape[one]:
                    places.setdefault(each, len(places))
                dependencies.append([places[each] for each in shape[one]])
            wanted = None
            if not is_all_wanted:
                # Results that later batches read are held until these are submitted.
                lent = [one for one in rows if last_use[one] >= stop]
                borrowed += lent
                kept = {*lent, *(one for one in rows if last_use[one] == one)}
                wanted = [one - start for one in sorted(kept)]
            yield encode(
                [
                    SubmitTasks(
                        [b"d" * 16],
                        ["task"],
                        [blob],
                        [_key(one) for one in places],
                        [],
                        [_payload(one, shape[one]) for one in rows],
                        dependencies,
                        list(range(stop - start)) if self.has_inputs else [],
                        wanted,
                    )
                ]
            )
            blob = None
        for start in range(0, len(borrowed), BATCH):
            yield encode([ReleaseKeys([_key(one) for one in borrowed[start : start + BATCH]])])

    def release(self) -> None:
        """Let the client drop its futures."""
        wanted = sinks(self.shape) if self.has_inputs and not self.plan.memory else None
        held = wanted if wanted is not None else range(len(self.shape))
        for start in range(0, len(held), BATCH):
            self.say(
                CLIENT, encode([ReleaseKeys([_key(one) for one in held[start : start + BATCH]])])
            )
            self.turn()
            self.hear_workers()
        while self.frames:
            self.hear_workers()
            self.turn()
        if self.machine.tables.tasks:
            raise SystemExit(f"{len(self.machine.tables.tasks)} tasks are left after their release")

    def forget_workers_data(self) -> None:
        """Drop what the simulated workers keep, before memory is measured."""
        for worker in self.workers.values():
            worker.held = set()


def _key(position: int) -> str:
    return f"task-5f3a9c1e-{position}"


def _payload(position: int, inputs: Any) -> bytes:
    """Return bytes of the size that pickled arguments have: a number, and references."""
    return b"%024d" % position + b"".join(b"%032d" % one for one in inputs)


def _clock_s() -> float:
    """Return what reading the clock costs, to take it out of the sums."""
    times = []
    for _ in range(20):
        start = clock()
        for _ in range(1000):
            clock()
        times.append((clock() - start) / 1000)
    return min(times)


def in_run_order(shape: Shape) -> Shape:
    """Number the tasks anew, in the order that hocket's client gives them."""
    if not any(shape):
        return shape
    starts = [0]
    targets: list[int] = []
    for inputs in shape:
        targets += inputs
        starts.append(len(targets))
    edges = Edges(starts, targets)
    indexed = IndexedGraph(list(range(len(shape))), edges, edges.turned_round())
    order = sequence(indexed, list(range(len(shape))))
    rank_of = [0] * len(shape)
    for rank, one in enumerate(order):
        rank_of[one] = rank
    return [tuple(rank_of[each] for each in shape[one]) for one in order]


def measure(plan: Plan) -> dict[str, float]:
    """Run once; return times in seconds and sizes in bytes."""
    shape = in_run_order(SCALE_SHAPES[plan.graph](plan.tasks))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.disable()
    if plan.memory == "traced":
        tracemalloc.start()
    run = Run(plan, shape)
    before = memory_nbytes(plan.memory)
    run.machine_s = run.codec_s = 0.0
    run.run()
    figures: dict[str, float] = {
        "tasks": len(shape),
        "turns": run.turns_count,
        "run_s": run.machine_s,
    }
    run.forget_workers_data()
    if plan.memory:
        figures["submitted_nbytes"] = run.submitted_nbytes - before
    figures["held_nbytes"] = memory_nbytes(plan.memory) - before
    stored_s = run.machine_s
    run.release()
    run.forget_workers_data()
    figures["release_s"] = run.machine_s - stored_s
    figures["codec_s"] = run.codec_s
    figures["left_nbytes"] = memory_nbytes(plan.memory) - before
    if run.profiler:
        pstats.Stats(run.profiler, stream=sys.stderr).sort_stats("tottime").print_stats(
            plan.profile
        )
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(Plan(**json.loads(sys.argv[1])))))
