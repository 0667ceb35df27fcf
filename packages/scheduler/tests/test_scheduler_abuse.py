"""The scheduler machine under absurd and wide use: nothing raises, nothing grows for ever."""

from __future__ import annotations

from typing import Any

import pytest

from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    CancelTasks,
    ClusterDescribed,
    DescribeCluster,
    DropData,
    DropFunctions,
    EverywhereRan,
    FailureKind,
    ForgetFunctions,
    HereRan,
    InputsMissing,
    KeysScattered,
    PlanScatter,
    ReleaseKeys,
    ReplicasStored,
    RequestRefused,
    RunEverywhere,
    RunTasks,
    ScatterPlanned,
    SubmitTasks,
    TasksDone,
    TasksErred,
    WaitForWorkers,
    WantKeys,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.scheduler import Limits, SchedulerMachine
from hocket.scheduler.invariants import check
from hocket.scheduler.moves import watch

CLIENT = 1000


class Arena:
    """A machine with a client and some workers; what it says is put through the codec."""

    def __init__(self, workers: int, **limits: Any) -> None:
        self.machine = SchedulerMachine(Limits(**limits))
        self.machine.tables.trace = watch
        self.machine.client_joined(CLIENT, "client")
        for id_ in range(1, workers + 1):
            self.machine.worker_greeted(id_)
            self.say(id_, WorkerJoined(f"w{id_}", f"tcp://w{id_}", f"host{id_}", id_, 1))

    def say(self, id_: int, *messages: Any) -> None:
        role = Role.CLIENT if id_ == CLIENT else Role.WORKER
        heard = decoder_for(role, Role.SCHEDULER).decode(encode(messages))
        assert self.machine.receive(id_, heard, 0.0) is None
        check(self.machine.tables)

    def frames(self) -> dict[int, list[list[Any]]]:
        out = {}
        for id_, frames in self.machine.turn(0.0):
            role = Role.CLIENT if id_ == CLIENT else Role.WORKER
            decoder = decoder_for(Role.SCHEDULER, role)
            out[id_] = [decoder.decode(encode(frame)) for frame in frames]
        check(self.machine.tables)
        return out

    def turn(self) -> dict[int, list[Any]]:
        return {
            id_: [one for each in frames for one in each] for id_, frames in self.frames().items()
        }

    def submit(self, keys: list[str], dependencies: Any = (), known: Any = (), **more: Any) -> None:
        payloads = [b"x"] * len(keys)
        every = [*keys, *known]
        ranks = more.pop("ranks", [])
        self.say(
            CLIENT,
            SubmitTasks(
                [b"f" * 16], ["f"], [b"p"], every, [], payloads, list(dependencies), ranks, **more
            ),
        )

    def done(self, id_: int, run: RunTasks, nbytes: int = 8, duration_s: float = 0.001) -> None:
        count = len(run.keys)
        columns = [nbytes] * count, [0.0] * count, [duration_s] * count
        self.say(id_, TasksDone(run.keys, run.attempts, *columns, []))


def test_ranks_stay_within_the_bits_of_a_priority() -> None:
    arena = Arena(1)
    batch = [b"f" * 16], ["f"], [b"p"], ["a", "b"], [], [b"x"] * 2, []
    for rank in (2**64 - 1, -1):
        reason = arena.machine.receive(CLIENT, [SubmitTasks(*batch, [0, rank])], 0.0)
        assert reason is not None
        assert "ranks" in reason
        assert not arena.machine.tables.tasks
    arena.submit(["a", "b"], ranks=[2**40, 0], priority=-32768)
    (run,) = arena.turn()[1]
    assert run.keys == ["b", "a"]


def test_absurd_sizes_and_times_stay_numbers() -> None:
    arena = Arena(1, window_tasks_min=4)
    arena.submit([f"t{one}" for one in range(12)])
    for _ in range(3):
        for run in arena.turn()[1]:
            for key, attempt in zip(run.keys, run.attempts, strict=True):
                report = TasksDone([key], [attempt], [2**64 - 1], [0.0], [1.7e308], [])
                arena.say(1, report)
    arena.say(CLIENT, DescribeCluster(1))
    described = arena.turn()[CLIENT][-1]
    assert isinstance(described, ClusterDescribed)
    assert described.workers[0].held == 12


def test_a_broken_task_stays_broken_when_it_is_wanted_again() -> None:
    arena = Arena(1)
    arena.submit(["a", "b"], [[2], [0]], known=["ghost"])
    arena.turn()
    arena.say(CLIENT, ReleaseKeys(["a"]))
    assert arena.machine.tables.tasks["a"].state == "released"
    arena.say(CLIENT, WantKeys(["a"]))
    (erred,) = arena.turn()[CLIENT]
    assert erred.failures[0].kind is FailureKind.UNKNOWN_KEY
    arena.submit(["a"], [[1]], known=["ghost"])
    arena.say(CLIENT, ReleaseKeys(["a", "b"]))
    assert not arena.machine.tables.tasks
    assert not arena.machine.tables.broken


def test_data_of_a_refused_scatter_is_dropped() -> None:
    arena = Arena(1)
    arena.submit(["a"])
    arena.turn()
    arena.say(CLIENT, KeysScattered(1, ["lost"], [8], [["tcp://gone"]]))
    arena.turn()
    arena.say(CLIENT, KeysScattered(2, ["a", "lost"], [8, 8], [["tcp://w1"], ["tcp://w1"]]))
    out = arena.turn()
    assert out[1] == [DropData(["a", "lost"], [0, 0])]
    erred = [one for one in out[CLIENT] if type(one) is TasksErred]
    assert [one.keys for one in erred] == [["a", "lost"]]


def test_failures_to_reach_one_holder_do_not_count_against_the_next() -> None:
    arena = Arena(2)
    arena.submit(["a"])
    ((holder, (run,)),) = arena.turn().items()
    arena.done(holder, run)
    other = 3 - holder
    arena.say(other, ReplicasStored(["a"], run.attempts))
    for _ in range(3):
        arena.say(other, InputsMissing(["a"], run.attempts, f"tcp://w{holder}", False))
    arena.say(holder, InputsMissing(["a"], run.attempts, f"tcp://w{other}", False))
    assert arena.machine.tables.tasks["a"].state == "stored"


@pytest.mark.parametrize("workers", [0, 1])
def test_queues_do_not_keep_what_was_cancelled(workers: int) -> None:
    arena = Arena(workers)
    arena.submit(["first"], workers=["nobody"])
    for number in range(20):
        keys = [f"t{number}-{one}" for one in range(100)]
        arena.submit(keys, workers=["nobody"])
        arena.submit([f"u{one}" for one in keys])
        arena.turn()
        arena.say(CLIENT, CancelTasks([*keys, *(f"u{one}" for one in keys)]))
        arena.turn()
    entries = [len(one.entries) for one in arena.machine.tables.queues.values()]
    assert sum(entries) <= 2 * 64 + 2
    arena.say(CLIENT, CancelTasks(["first"]))
    assert list(arena.machine.tables.queues) == [(), ("root",)]


def test_a_task_that_left_its_queue_and_came_back_runs_once() -> None:
    arena = Arena(2, window_tasks_min=1)
    arena.submit(["a", "b"], [[], [0]], workers=["w1"])
    (run,) = arena.turn()[1]
    arena.done(1, run)
    # "b" is queued; its input is lost and made again, twice.
    for _ in range(2):
        arena.say(
            2, InputsMissing(["a"], [arena.machine.tables.tasks["a"].attempt], "tcp://w1", True)
        )
        run = next(one for one in arena.turn()[1] if type(one) is RunTasks)
        assert run.keys == ["a"]
        arena.done(1, run)
    runs = [one for one in arena.turn()[1] if type(one) is RunTasks]
    assert [one.keys for one in runs] == [["b"]]
    arena.done(1, runs[0])
    assert not [one for one in arena.turn().get(1, []) if type(one) is RunTasks]


def test_many_queues_keep_the_order_of_priorities() -> None:
    arena = Arena(1, window_tasks_min=100)
    for one in range(10):
        arena.submit([f"any{one}"])
        arena.submit([f"here{one}"], workers=["w1"])
        arena.submit([f"host{one}"], workers=["host1"], priority=1)
        arena.submit([f"never{one}"], workers=[f"nobody{one}"])
    runs = arena.turn()[1]
    keys = [key for run in runs for key in run.keys]
    assert keys[:10] == [f"host{one}" for one in range(10)]
    rest = [f"{kind}{one}" for one in range(10) for kind in ("any", "here")]
    assert keys[10:] == rest
    assert len(arena.machine.tables.queues) == 12


def test_a_widely_copied_input_names_a_few_holders() -> None:
    arena = Arena(50)
    arena.submit(["a"])
    ((id_, (run,)),) = arena.turn().items()
    arena.done(id_, run)
    for other in range(1, 51):
        arena.say(other, ReplicasStored(["a"], run.attempts))
    arena.submit([f"t{one}" for one in range(100)], [[100]] * 100, ["a"])
    for messages in arena.turn().values():
        for message in messages:
            if type(message) is RunTasks:
                assert len(message.addresses) == len(set(message.addresses)) <= 8
                assert len(message.input_holders[0]) <= 8


def test_keys_count_towards_the_size_of_a_frame() -> None:
    arena = Arena(1, frame_nbytes_aim=10_000)
    keys = [f"{one:0100d}" for one in range(1000)]
    arena.say(CLIENT, WantKeys(keys))
    frames = arena.frames()[CLIENT]
    assert len(frames) > 10
    assert [key for (message,) in frames for key in message.keys] == keys
    arena.submit(keys)
    ran = []
    while len(ran) < len(keys):
        for frame in arena.frames()[1]:
            assert len(encode(frame)) < 2 * 10_000
            for run in frame:
                ran += run.keys
                arena.done(1, run)
    arena.frames()
    arena.say(CLIENT, ReleaseKeys(keys))
    frames = arena.frames()[1]
    assert all(len(encode(frame)) < 2 * 10_000 for frame in frames)
    assert sum(len(message.keys) for (message,) in frames) == 1000


def test_answers_that_no_message_can_hold_are_refused() -> None:
    arena = Arena(3, answer_nbytes_max=1000)
    arena.say(CLIENT, RunEverywhere(1, b"f", b"p"), PlanScatter(2, [1] * 100, broadcast=True))
    (refused,) = arena.turn()[CLIENT]
    assert isinstance(refused, RequestRefused)
    for id_ in (1, 2, 3):
        arena.say(id_, HereRan(1, b"v" * 400, None))
    (refused,) = arena.turn()[CLIENT]
    assert isinstance(refused, RequestRefused)
    assert "1200 bytes" in refused.reason
    arena.say(CLIENT, RunEverywhere(3, b"f", b"p", ["w1"]))
    arena.turn()
    arena.say(1, HereRan(2, b"v", None))
    assert isinstance(arena.turn()[CLIENT][0], EverywhereRan)


def test_waits_are_bounded() -> None:
    arena = Arena(1, waits_max=2)
    arena.say(CLIENT, *(WaitForWorkers(one, 10**9) for one in range(3)), WaitForWorkers(3, 1))
    refused, ready = arena.turn()[CLIENT]
    assert refused == RequestRefused(2, "2 requests of this client wait for workers already")
    assert ready.request == 3


def test_small_pieces_of_data_spread_over_the_workers() -> None:
    arena = Arena(3)
    for _ in range(2):
        arena.say(CLIENT, PlanScatter(1, [1] * 7))
    first, second = arena.turn()[CLIENT]
    for plan in (first, second):
        assert isinstance(plan, ScatterPlanned)
        counts = [sum(row == [f"tcp://w{id_}"] for row in plan.addresses) for id_ in (1, 2, 3)]
        assert sorted(counts) == [2, 2, 3]
    assert first.addresses[0] != second.addresses[0]


def test_functions_are_dropped_in_one_message() -> None:
    arena = Arena(1, window_tasks_min=10)
    digests = [bytes([one]) * 16 for one in range(3)]
    keys = ["a", "b", "c"]
    arena.say(
        CLIENT,
        SubmitTasks(digests, ["f"] * 3, [b"p"] * 3, keys, [0, 1, 2], [b"x"] * 3, [], []),
    )
    arena.turn()
    arena.say(CLIENT, ReleaseKeys(keys), ForgetFunctions(digests))
    assert arena.turn()[1][-1] == DropFunctions(digests)
