"""What runs beside the tasks: what it sees of the worker, and set-ups, which tasks wait for."""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path

import pytest

from hocket.core.settings import WorkerSettings
from hocket.core.worker_plugins import UploadedFile, install, remove
from hocket.core.worker_view import WorkerView, current_worker
from hocket.protocol.messages import Failure, FailureKind, HereRan, RunHere, TasksDone, TasksFailed
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_exception, load_value
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine

LOG: list[object] = []


class Plugin:
    def __init__(self, word: str, fails: str = "") -> None:
        self.word = word
        self.fails = fails

    def setup(self, worker: WorkerView) -> None:
        LOG.append((self.word, worker.name, current_worker() is worker))
        if self.fails == "setup":
            raise ValueError(self.word)
        worker.storage[self.word] = 1

    def teardown(self, worker: WorkerView) -> None:
        LOG.append(("end", self.word))
        if self.fails == "teardown":
            raise ValueError(self.word)


@pytest.fixture(autouse=True)
def log():
    LOG.clear()
    return LOG


def call(request, function, *args, before_tasks=False):
    payload = ArgumentPickler().dumps(args, {})
    return RunHere(request, dump_function(function).blob, payload, before_tasks)


def answers(scheduler):
    return {answer.request: answer for answer in scheduler.of(HereRan)}


def told(scheduler, request):
    answer = answers(scheduler)[request]
    assert answer.failure is None, answer.failure
    return load_value(answer.value)


# ------------------------------------------------------------------ the machine


def make():
    return WorkerMachine(
        name="w", address="tcp://own:1", settings=WorkerSettings(), resources=None, threads=2
    )


def test_no_task_begins_until_all_set_ups_have_run_well(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(threads=1)
        task = scheduler.task(len, "ab", key="t")
        machine = make()
        setups = [RunHere(one, b"", b"", True) for one in (1, 2)]
        machine.handle([*setups, task], 0.0)
        check(machine)
        assert machine.take_commands() == setups
        assert (machine.ready_count, machine.startable_count, machine.take()) == (1, 0, None)
        machine.here_ran(HereRan(2, b"v", None))
        assert (machine.startable_count, machine.take()) == (0, None)
        # What fails stays in the way, whatever else runs well.
        machine.here_ran(HereRan(1, None, Failure(FailureKind.RAISED, "", "no")))
        machine.here_ran(HereRan(7, b"v", None))
        assert (machine.startable_count, machine.take()) == (0, None)
        machine.here_ran(HereRan(1, b"v", None))
        assert machine.startable_count == 1
        assert machine.take().key == "t"
        check(machine)

    with_scheduler(scenario)


# ------------------------------------------------------------------ the shell


def test_a_function_gets_the_worker_if_it_asks_for_it(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(name="ann", threads=3, memory_limit=1000)
        scheduler.send(call(1, lambda hocket_worker: (hocket_worker.name, hocket_worker.address)))
        scheduler.send(call(2, lambda: current_worker().threads_count))
        scheduler.send(call(3, lambda **rest: sorted(rest)))
        scheduler.send(call(4, current_worker))
        scheduler.send(scheduler.task(lambda: current_worker().memory_limit, key="t"))
        await scheduler.hear(lambda: len(answers(scheduler)) == 4 and scheduler.of(TasksDone))
        assert told(scheduler, 1) == ("ann", scheduler.heard[0].address)
        assert told(scheduler, 2) == 3
        assert told(scheduler, 3) == []
        assert answers(scheduler)[4].failure.kind is FailureKind.SERIALIZATION
        assert load_value(scheduler.of(TasksDone)[0].values[0]) == 1000

    with_scheduler(scenario)


def test_nobody_is_a_worker_elsewhere():
    assert current_worker() is None
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(WorkerView("w"))


def test_set_ups_run_in_order_before_tasks_and_are_taken_down(with_scheduler, caplog):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(name="ann", threads=1)
        plugins = [Plugin("a"), Plugin("b", "teardown"), Plugin("c")]
        for request, plugin in enumerate(plugins):
            scheduler.send(call(request, install, plugin.word, plugin, before_tasks=True))
        scheduler.send(
            scheduler.task(lambda: sorted(current_worker().storage), key="t"),
        )
        await scheduler.hear(lambda: scheduler.of(TasksDone))
        assert load_value(scheduler.of(TasksDone)[0].values[0]) == ["a", "b", "c"]
        assert [(word, "ann", True) for word in "abc"] == LOG
        scheduler.send(call(5, remove, "a"), call(6, remove, "ghost"))
        await scheduler.hear(lambda: {5, 6} <= answers(scheduler).keys())
        assert (told(scheduler, 5), told(scheduler, 6)) == (True, False)
        LOG.clear()
        await worker.close()
        assert LOG == [("end", "c"), ("end", "b")]

    with_scheduler(scenario)
    assert "raised" in caplog.text


def test_one_that_takes_anothers_place(with_scheduler):
    async def scenario(scheduler):
        await scheduler.add_worker(name="ann", threads=1)
        scheduler.send(call(1, install, "p", Plugin("old")))
        await scheduler.hear(lambda: 1 in answers(scheduler))
        scheduler.send(call(2, install, "p", Plugin("new", "setup")))
        await scheduler.hear(lambda: 2 in answers(scheduler))
        error = load_exception(answers(scheduler)[2].failure.exception)
        assert isinstance(error, ValueError)
        assert LOG == [("old", "ann", True), ("end", "old"), ("new", "ann", True)]

    with_scheduler(scenario)


def import_and_call():
    import hocket_uploaded_module  # noqa: PLC0415 - it comes with the test

    return hocket_uploaded_module.answer()


def test_a_file_is_there_and_may_be_replaced(with_scheduler):
    name = "hocket_uploaded_module"
    places: list[str] = []

    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)

        async def upload(request, text):
            file = UploadedFile(f"{name}.py", text.encode())
            scheduler.send(call(request, install, "file", file))
            await scheduler.hear(lambda: request in answers(scheduler))

        scheduler.send(scheduler.task(import_and_call, key="before"))
        await scheduler.hear(lambda: scheduler.of(TasksFailed))
        assert "upload_file" not in scheduler.of(TasksFailed)[0].failures[0].text
        await upload(1, "def answer(): return 1")
        scheduler.send(call(2, import_and_call))
        await scheduler.hear(lambda: 2 in answers(scheduler))
        assert told(scheduler, 2) == 1
        await upload(3, "def answer(): return 'another'")
        scheduler.send(call(4, import_and_call), call(5, lambda: current_worker().directory))
        await scheduler.hear(lambda: {4, 5} <= answers(scheduler).keys())
        assert told(scheduler, 4) == "another"
        places.append(told(scheduler, 5))
        assert await asyncio.to_thread(Path(places[0], f"{name}.py").exists)
        # What cannot be imported is told, and nothing of it stays.
        await upload(6, "1 / 0")
        assert answers(scheduler)[6].failure is not None
        await worker.close()

    try:
        with_scheduler(scenario)
    finally:
        sys.modules.pop(name, None)
    assert not Path(places[0]).exists()
    assert places[0] not in sys.path
