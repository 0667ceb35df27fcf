"""A made-up cluster: events as a real one tells them, from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from hocket.diagnostics.model import ClusterModel
from hocket.protocol.messages import ExplainKeys, Explanation, KeysExplained
from hocket.protocol.messages.feed import (
    ClientCame,
    DeviceSampled,
    Event,
    EventKinds,
    GpuSampled,
    GroupCounted,
    LineLogged,
    ProfileSampled,
    RecallStep,
    SchedulerSampled,
    SpillDone,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    TaskRecalled,
    TransferDone,
    UserEvent,
    WorkerCame,
    WorkerSampled,
)
from hocket.protocol.messages.observing import (
    DescribeGraph,
    FindTasks,
    GraphDescribed,
    GraphNode,
    Snapshot,
    TaskDescription,
    TasksFound,
)

GROUPS = ("load", "clean", "join", "sum-aggregate", "inc", "train", "score", "write", "report")


class MadeUpCluster:
    """Workers that run tasks of some functions, second by second."""

    def __init__(self, workers: int = 3, threads: int = 4, *, seed: int = 0, now_s: float = 1e9):
        self.random = random.Random(seed)
        self.now_s = now_s
        self.threads = threads
        self.names = [f"worker-{number}" for number in range(workers)]
        self.free_s = {(name, lane): now_s for name in self.names for lane in range(threads)}
        self.finished = dict.fromkeys(GROUPS, 0)
        self.failed = dict.fromkeys(GROUPS, 0)
        self.count = 0

    def snapshot(self) -> Snapshot:
        return Snapshot(
            1,
            0,
            0,
            self.now_s,
            "tcp://127.0.0.1:1234",
            [
                WorkerCame(
                    self.now_s,
                    name,
                    f"tcp://127.0.0.1:{4000 + number}",
                    "host",
                    100 + number,
                    self.threads,
                    4 * 2**30,
                    {"GPU": 1.0} if number == 0 else {},
                    {},
                    "",
                )
                for number, name in enumerate(self.names)
            ],
            [],
            [],
            [ClientCame(self.now_s, "client-1", 1)],
        )

    def answer(self, question):
        if isinstance(question, FindTasks):
            keys = [f"inc-{n}" for n in range(5)]
            found = [
                TaskDescription(key, "inc", "assigned", 3, 0, ["worker-0"], ["load-1"], 2)
                for key in keys
                if question.text in key
            ]
            return TasksFound(1, found, more=False)
        if isinstance(question, ExplainKeys):
            why = Explanation("inc-1", "queued", "it waits", ["load-1"], [], ["worker-0"], ["busy"])
            return KeysExplained(1, [why] if question.keys else [])
        assert isinstance(question, DescribeGraph)
        nodes = [
            GraphNode("load-1", "load", "stored", 1),
            GraphNode("inc-1", "inc", "assigned", 1),
            GraphNode("inc-2", "inc", "waiting", 1),
            GraphNode("join-1", "join", "waiting", 1),
        ]
        return GraphDescribed(1, nodes, [0, 0, 1, 2], [1, 2, 3, 3], single=True)

    def step(self, seconds: float = 0.5) -> list[Event]:
        """Return what happens in the next moments."""
        self.now_s += seconds
        events: list[Event] = list(self._tasks())
        events += self._rest()
        return events

    def _tasks(self) -> Iterator[Event]:
        for (name, lane), free_s in self.free_s.items():
            start_s = free_s
            while start_s < self.now_s:
                group = self.random.choice(GROUPS)
                running_s = self.random.expovariate(1 / (0.02 + 0.05 * GROUPS.index(group)))
                failed = self.random.random() < 0.02
                self.count += 1
                key = f"{group}-{self.count}"
                (self.failed if failed else self.finished)[group] += 1
                yield TaskMoved(start_s, key, self.count, group, "queued", "assigned", name)
                yield TaskEnded(
                    key,
                    self.count,
                    group,
                    name,
                    TaskOutcome.FAILED if failed else TaskOutcome.STORED,
                    start_s,
                    running_s,
                    self.random.randrange(1_000_000),
                    lane,
                    waiting_s=self.random.random() / 10,
                    fetching_s=self.random.random() / 20,
                    ready_s=self.random.random() / 20,
                    deserialising_s=0.0004,
                    storing_s=0.0002,
                    error="ValueError: <script>alert(1)</script>" if failed else "",
                )
                start_s += running_s + self.random.random() * 0.02
            self.free_s[name, lane] = start_s

    def _rest(self) -> Iterator[Event]:
        draw = self.random
        for group in GROUPS:
            yield GroupCounted(
                self.now_s,
                group,
                draw.randrange(40),
                draw.randrange(30),
                draw.randrange(12),
                draw.randrange(200),
                self.failed[group],
                self.finished[group],
                1.0,
            )
        for name in self.names:
            managed = draw.randrange(2**30)
            yield WorkerSampled(
                self.now_s,
                name,
                draw.random() * self.threads,
                managed + draw.randrange(2**30),
                managed,
                draw.randrange(2**29),
                draw.randrange(self.threads + 1),
                draw.randrange(20),
                draw.randrange(20),
                draw.randrange(500),
                draw.random() / 100,
                40,
                draw.random() * 1e8,
                draw.random() * 1e8,
                2,
                draw.random() * 1e8,
                draw.random() * 1e8,
                draw.random() * 1e7,
                draw.random() * 1e7,
                {"GPU": 1.0, "memory": 0.0} if name == self.names[0] else {},
                [DeviceSampled("GPU", 0, "GPU-1", 1.0, ["train-1", "train-2"])]
                if name == self.names[0]
                else [],
                [GpuSampled("GPU-1", "A100", draw.random(), draw.randrange(2**36), 2**36)]
                if name == self.names[0]
                else [],
            )
            other = draw.choice(self.names)
            yield TransferDone(
                self.now_s - 0.2,
                draw.random() / 5,
                draw.randrange(10**8),
                name,
                other,
                3,
                "inc-1",
            )
        yield SpillDone(self.now_s - 0.1, 0.05, 10**7, self.names[0], "inc-1", is_read=False)
        yield SpillDone(self.now_s, 0.02, 10**7, self.names[0], "inc-1", is_read=True)
        yield TaskRecalled(self.now_s, "inc-1", 1, "inc", self.names[0], RecallStep.ASKED)
        yield TaskRecalled(self.now_s, "inc-1", 1, "inc", self.names[0], RecallStep.GIVEN)
        yield LineLogged(self.now_s, self.names[0], "WARNING", "hocket", "a line <b>bold</b>", "")
        yield UserEvent(
            self.now_s, "news", "client-1", "", msgspec.msgpack.encode({"text": "<i>hello</i>"})
        )
        yield ProfileSampled(
            self.now_s,
            self.names[0],
            0.5,
            50,
            ["train;", "fit;model.py;10", "dot;array.py;3", "load;", "read;file.py;7"],
            [-1, 0, 1, -1, 3],
            [30, 28, 20, 20, 20],
        )
        yield SchedulerSampled(
            self.now_s,
            draw.random(),
            2**27,
            60,
            draw.random() / 100,
            900.0,
            1000.0,
            1000.0,
            5000.0,
            200,
            30,
            len(self.names),
            1,
            1,
        )


class MadeUpWatch:
    """Keeps a model up to date with a made-up cluster."""

    state = "live"

    def __init__(self, cluster: MadeUpCluster | None = None, steps: int = 20) -> None:
        self.cluster = MadeUpCluster() if cluster is None else cluster
        self.model = ClusterModel()
        self.needed = EventKinds.NONE
        self.model.begin(self.cluster.snapshot())
        for _ in range(steps):
            self.step()

    def step(self, seconds: float = 0.5) -> None:
        self.model.fold(self.cluster.step(seconds))

    async def need(self, kinds: EventKinds) -> None:
        self.needed |= kinds

    async def ask(self, question):
        return self.cluster.answer(question)

    async def close(self) -> None:
        pass
