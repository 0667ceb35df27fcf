"""dask's scheduler alone, with workers that answer at once: one measurement.

A program of its own, run by the Python of the peers' environment:
``python scale_dask.py '{"graph": "tree", "tasks": 10000, "workers": 10}'`` prints one JSON object.

A real ``distributed.Scheduler`` runs in this process; where it would write to sockets, it puts its
messages in a list, and where it would read, it waits for ever. What is counted, in CPU time of the
process: ``update_graph`` (which unpickles and orders the graph; hocket's client does that), the
handlers of finished tasks and of fetched inputs, and the release. Its wire is not counted, nor what
client and workers would do.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import operator
import os
import sys
import time
import tracemalloc
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from graphs import SCALE_SHAPES, Shape, sinks
from memory import memory_nbytes

clock = time.process_time
CLIENT = "client-bench"


class SilentComm:
    """A connection on which nothing ever comes and all that is said is lost."""

    name = ""

    def __init__(self, address: str) -> None:
        self.peer_address = self.local_address = address

    async def write(self, _message: Any, **_options: Any) -> int:
        return 0

    async def read(self, **_options: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    async def close(self, **_options: Any) -> None:
        pass

    def abort(self) -> None:
        pass

    def closed(self) -> bool:
        return False


class Mailbox:
    """Stands where the scheduler keeps what it sends through."""

    def __init__(self, messages: deque[tuple[str, dict[str, Any]]], address: str) -> None:
        self.messages = messages
        self.address = address

    def send(self, *messages: dict[str, Any]) -> None:
        self.messages.extend((self.address, each) for each in messages)

    def abort(self) -> None:
        pass

    async def close(self, **_options: Any) -> None:
        pass


def registration(address: str) -> dict[str, Any]:
    """Return what a worker says of itself when it joins."""
    counts = [
        f"{way}_{what}"
        for way in ("incoming", "outgoing")
        for what in ("bytes", "count", "count_total")
    ]
    metrics = {
        "bandwidth": {"total": 1e8, "types": {}, "workers": {}},
        "cpu": 0.0,
        "digests_total_since_heartbeat": {},
        "event_loop_interval": 0.02,
        "executing": 0,
        "host_net_io": {},
        "in_flight": 0,
        "in_memory": 0,
        "managed_bytes": 0,
        "memory": 1 << 27,
        "ready": 0,
        "spilled_bytes": {"memory": 0, "disk": 0},
        "task_counts": {},
        "time": time.time(),
        "transfer": dict.fromkeys(counts, 0),
    }
    return {
        "address": address,
        "extra": {},
        "local_directory": "",
        "memory_limit": 1 << 33,
        "metrics": metrics,
        "name": address,
        "nanny": "",
        "now": time.time(),
        "nthreads": 1,
        "pid": 0,
        "resolve_address": False,
        "resources": {},
        "server_id": address,
        "services": {},
        "status": "running",
        "stimulus_id": "bench",
        "versions": {},
    }


def native(shape: Shape) -> dict[str, Any]:
    """Return the graph as dask has it."""
    from dask._task_spec import Task, TaskRef

    return {
        _key(one): Task(_key(one), operator.pos, one)
        if not inputs
        else Task(_key(one), max, *(TaskRef(_key(each)) for each in inputs), one)
        for one, inputs in enumerate(shape)
    }


def _key(position: int) -> str:
    return f"task-5f3a9c1e-{position}"


class Run:
    """One scheduler with its peers, and the sums."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.mail: deque[tuple[str, dict[str, Any]]] = deque()
        self.held: dict[str, set[str]] = {}
        self.done_count = 0
        self._waiting: list[asyncio.Task[Any]] = []

    async def join(self, count: int) -> None:
        """Let the peers join."""
        scheduler = self.scheduler
        for one in range(count):
            address = f"tcp://10.0.{one >> 8}.{one & 255}:40001"
            comm = SilentComm(address)
            joining = scheduler.add_worker(comm, **registration(address))
            self._waiting.append(asyncio.ensure_future(joining))
            self.held[address] = set()
        client = scheduler.add_client(SilentComm("tcp://10.1.0.0:1"), client=CLIENT, versions={})
        self._waiting.append(asyncio.ensure_future(client))
        while len(scheduler.stream_comms) < count or CLIENT not in scheduler.client_comms:
            await asyncio.sleep(0.01)
            for each in self._waiting:
                if each.done():
                    each.result()
        await asyncio.sleep(0.1)
        for address in self.held:
            scheduler.stream_comms[address] = Mailbox(self.mail, address)
        scheduler.client_comms[CLIENT] = Mailbox(deque(maxlen=0), CLIENT)

    def answer_all(self) -> float:
        """Let workers answer until nothing is asked of them; return the scheduler's seconds."""
        spent_s = 0.0
        while self.mail:
            address, message = self.mail.popleft()
            operation = message["op"]
            if operation == "compute-task":
                held = self.held[address]
                fetched = [key for key in message["who_has"] if key not in held]
                held.update(fetched)
                held.add(message["key"])
                start = clock()
                if fetched:
                    self.scheduler.add_keys(worker=address, keys=fetched, stimulus_id="bench")
                self.scheduler.handle_task_finished(
                    key=message["key"],
                    worker=address,
                    stimulus_id="bench",
                    run_id=message["run_id"],
                    status="OK",
                    nbytes=28,
                    type=b"",
                    typename="int",
                    metadata={},
                    thread=1,
                    startstops=[{"action": "compute", "start": 1.0, "stop": 1.00001}],
                )
                spent_s += clock() - start
                self.done_count += 1
            elif operation == "free-keys":
                self.held[address].difference_update(message["keys"])
        return spent_s


async def measure(graph: str, tasks: int, workers: int, *, memory: str = "") -> dict[str, float]:
    """Run once; return times in seconds and sizes in bytes."""
    from dask._expr import LLGExpr
    from distributed import Scheduler
    from distributed.protocol.serialize import Serialized, serialize, to_serialize

    shape = SCALE_SHAPES[graph](tasks)
    wanted = {_key(one) for one in (range(len(shape)) if memory else sinks(shape))}
    thresholds = gc.get_threshold()
    # (As its own command sets them.)
    gc.set_threshold(*(3 * each for each in thresholds))
    scheduler = await Scheduler(dashboard=False, host="127.0.0.1", port=0)
    run = Run(scheduler)
    await run.join(workers)
    expression: Any = LLGExpr
    graph_pickled = to_serialize(expression(native(shape)))
    pickled = Serialized(*serialize(graph_pickled, on_error="raise"))
    if memory == "traced":
        tracemalloc.start()
    before = memory_nbytes(memory)
    figures: dict[str, float] = {"tasks": len(shape)}
    start = clock()
    await scheduler.update_graph(
        client=CLIENT,
        expr_ser=pickled,
        keys=set(wanted),
        span_metadata={"collections": []},
        internal_priority=None,
        submitting_task=None,
        stimulus_id="bench",
    )
    figures["take_s"] = clock() - start
    if memory:
        figures["submitted_nbytes"] = memory_nbytes(memory) - before
    figures["run_s"] = run.answer_all()
    if run.done_count != len(shape):
        raise SystemExit(f"{run.done_count} of {len(shape)} tasks were run")
    for held in run.held.values():
        held.clear()
    if memory:
        figures["held_nbytes"] = memory_nbytes(memory) - before
    start = clock()
    scheduler.client_releases_keys(keys=wanted, client=CLIENT, stimulus_id="bench")
    figures["release_s"] = clock() - start
    run.answer_all()
    if memory:
        wanted.clear()
        figures["left_nbytes"] = memory_nbytes(memory) - before
    return figures


async def main() -> None:
    """Measure, print, and end without ceremony."""
    logging.disable(logging.INFO)
    print(json.dumps(await measure(**json.loads(sys.argv[1]))), flush=True)
    # (Closing would say goodbye to workers that are not there.)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
