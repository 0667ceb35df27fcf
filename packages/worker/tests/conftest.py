"""For workers under test: a scheduler that does what the test says, and a machine without any."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import queue
import threading
from time import monotonic

import pytest

from hocket.core.settings import Settings, WorkerSettings
from hocket.core.worker_view import WorkerView
from hocket.protocol.messages import (
    DataReply,
    FetchData,
    HereRan,
    PutData,
    RunHere,
    RunTasks,
    TasksBegun,
    TasksDone,
    TasksFailed,
    TasksRescheduled,
    TasksReturned,
    WorkerJoined,
)
from hocket.protocol.roles import Role
from hocket.protocol.serialize import ArgumentPickler, dump_function, pack, unpack
from hocket.transport import DataPool, listen
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell import Worker
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.coroutines import CoroutineExecutor
from hocket.worker.shell.desk import LOOP, PROCESSES, Desk, Flush
from hocket.worker.shell.process_executor import ProcessExecutor
from hocket.worker.shell.threads import ThreadExecutor

TIMEOUT_S = 30

#: Workers on one host find out at once that their scheduler is gone.
SETTINGS = Settings.build(
    overrides={"session.local_grace_s": 0, "transport.connect_timeout_s": 1, "worker.threads": 2}
)


class _Reference:
    """Pickles as the value of another task."""

    def __init__(self, key):
        self.key = key

    def __reduce__(self):
        from hocket.protocol.serialize import note_reference, resolve  # noqa: PLC0415

        note_reference(self.key)
        return resolve, (self.key,)


#: How tasks end that a machine without a scheduler has.
ENDS = (TasksDone, TasksFailed, TasksRescheduled)


class FakeScheduler:
    """Listens, remembers what workers say, and says what it is told to."""

    def __init__(self):
        self.settings = SETTINGS
        self.channels = []
        self.heard = []
        self._changed = asyncio.Event()
        self._attempt = 0
        self._workers = []
        self._settled = 0

    async def start(self, address):
        self.listener = await listen(
            address,
            role=Role.SCHEDULER,
            name="scheduler",
            secret="",
            settings=self.settings,
            on_channel=self._on_channel,
            cluster_id="fake",
        )
        self.address = self.listener.address
        self.pool = DataPool("", self.settings)
        return self

    async def close(self):
        for worker in self._workers:
            await worker.close()
        self.pool.close()
        await self.listener.close()

    async def add_worker(self, **options):
        options = {"name": f"w{len(self._workers)}", "settings": self.settings} | options
        worker = Worker(self.address, **options)
        await worker.start()
        self._workers.append(worker)
        await self.hear(lambda: len(self.of(WorkerJoined)) == len(self._workers))
        return worker

    def _on_channel(self, channel):
        self.channels.append(channel)
        channel.on_messages = self._on_messages
        channel.on_closed = lambda *_: self._changed.set()

    def _on_messages(self, channel, messages):
        self.heard.extend(messages)
        self._changed.set()

    def of(self, kind):
        return [message for message in self.heard if type(message) is kind]

    async def hear(self, condition):
        """Wait until a condition on what was heard holds."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def send(self, *messages, to=0):
        self.channels[to].send(messages)

    def next_attempt(self):
        self._attempt += 1
        return self._attempt

    def task(self, function, *args, key="task", wanted=1, inputs=(), resources=None, **kwargs):
        """Return a message that runs one task; inputs: (key, attempt, addresses)."""
        pickled = function if isinstance(function, tuple) else dump_function(function)
        addresses = sorted({address for _, _, holders in inputs for address in holders})
        return RunTasks(
            functions=[pickled[0]],
            labels=[pickled[2]],
            blobs=[pickled[1]],
            keys=[key],
            attempts=[self.next_attempt()],
            priorities=[0],
            function_of=[],
            payloads=[ArgumentPickler().dumps(args, kwargs)],
            wanted=[wanted],
            inputs=[list(range(len(inputs)))] if inputs else [],
            input_keys=[key for key, _, _ in inputs],
            input_attempts=[attempt for _, attempt, _ in inputs],
            input_nbytes=[100 for _ in inputs],
            input_holders=[[addresses.index(each) for each in holders] for _, _, holders in inputs],
            addresses=addresses,
            resources=resources or {},
        )

    def many(self, function, values, **options):
        """Return a message that runs a task for each value."""
        pickled = dump_function(function)
        count = len(values)
        return RunTasks(
            functions=[pickled.digest],
            labels=[pickled.label],
            blobs=[pickled.blob],
            keys=[f"task-{index}" for index in range(count)],
            attempts=[self.next_attempt() for _ in range(count)],
            priorities=list(range(count)),
            function_of=[],
            payloads=[ArgumentPickler().dumps((value,), {}) for value in values],
            wanted=[],
            inputs=[],
            **options,
        )

    async def run(self, message, to=0):
        """Send tasks and return how they ended: key -> (report, index in it)."""
        self.send(message, to=to)
        names = set(zip(message.keys, message.attempts, strict=True))
        await self.hear(lambda: names <= set(self.ends()))
        return {key: self.ends()[key, attempt] for key, attempt in names}

    async def settle(self, to=0):
        """Wait until the worker has taken in all that was sent to it."""
        self._settled += 1
        request = 1_000_000 + self._settled
        self.send(RunHere(request, dump_function(int).blob, pickle.dumps(((), {}))), to=to)
        await self.hear(lambda: request in [each.request for each in self.of(HereRan)])

    def ends(self):
        found = {}
        for kind in (TasksDone, TasksFailed, TasksReturned):
            for message in self.of(kind):
                for index, name in enumerate(zip(message.keys, message.attempts, strict=True)):
                    assert name not in found, f"{name} was reported twice"
                    found[name] = (message, index)
        return found

    async def result(self, message, to=0):
        """Run one task; return its pickled inline value or its failure."""
        ((report, index),) = (await self.run(message, to)).values()
        if isinstance(report, TasksDone):
            return report.values[index] if report.values else None
        if isinstance(report, TasksFailed):
            return report.failures[index]
        return report

    async def fetch(self, address, *keys):
        """Return the reply to a fetch, and the values that came."""
        reply, buffers = await self.pool.request(address, FetchData(list(keys)))
        assert isinstance(reply, DataReply)
        rest = iter(buffers)
        values = [
            None if sizes is None else unpack([next(rest) for _ in sizes]) for sizes in reply.sizes
        ]
        return reply, values

    async def put(self, address, **values):
        packed = [pack(value) for value in values.values()]
        sizes = [[memoryview(buffer).nbytes for buffer in each] for each in packed]
        reply, _ = await self.pool.request(
            address, PutData(list(values), sizes), [buffer for each in packed for buffer in each]
        )
        return reply


@pytest.fixture
def reference():
    return _Reference


@pytest.fixture(params=["inproc", "tcp"])
def scheme(request):
    return request.param


@pytest.fixture
def with_scheduler(tmp_path):
    """Run a scenario, a coroutine function that gets a fake scheduler; nothing stays behind."""

    def run(scenario, scheme="inproc"):
        async def main():
            address = "tcp://127.0.0.1:0" if scheme == "tcp" else f"inproc://{tmp_path.name}"
            scheduler = await FakeScheduler().start(address)
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    await scenario(scheduler)
                finally:
                    await scheduler.close()

        before = set(threading.enumerate())
        asyncio.run(main())
        left = [thread for thread in threading.enumerate() if thread not in before]
        for thread in left:
            thread.join(5)
        assert not [thread for thread in left if thread.is_alive()]

    return run


class Bench:
    """A machine and its executors; wake-ups of the loop go into a queue."""

    def __init__(self, threads_count, resources=None):
        self.lock = threading.Lock()
        self.machine = WorkerMachine(
            name="w",
            address="tcp://w:1",
            settings=WorkerSettings(),
            resources=resources,
            executors={"threads": threads_count, LOOP: 3, PROCESSES: 2},
        )
        self.wakeups = queue.SimpleQueue()
        self.desk = Desk(self.machine, self.lock, wake_loop=lambda: self.wakeups.put(None))
        view = WorkerView("w", device_names={"GPU": ["GPU-a", "GPU-b"]})
        contexts = Contexts("w", view=view)
        self.executor = ThreadExecutor(
            self.desk,
            contexts,
            slots=threads_count,
            inline_nbytes_max=1000,
            on_broken=lambda: self.wakeups.put("broken"),
        )
        self.coroutines = CoroutineExecutor(
            self.desk,
            contexts,
            inline_nbytes_max=1000,
            loop="asyncio",
            on_broken=lambda: self.wakeups.put("broken"),
        )
        self.processes = ProcessExecutor(
            self.desk,
            contexts,
            slots=2,
            inline_nbytes_max=1000,
            on_broken=lambda: self.wakeups.put("broken"),
        )
        self.executor.start()

    def until(self, condition):
        """Wait until something has come about that tells nobody."""
        deadline_s = monotonic() + TIMEOUT_S
        while monotonic() < deadline_s:
            with self.lock:
                if condition():
                    return
        raise AssertionError(condition)

    def close(self, timeout_s=TIMEOUT_S):
        with self.lock:
            self.desk.close()
        ended = self.coroutines.close(timeout_s)
        ended = self.processes.close(timeout_s) and ended
        return self.executor.close(timeout_s) and ended

    def run(self, function, count, first=0, **options):
        pickled = dump_function(function)
        numbers = range(first, first + count)
        message = RunTasks(
            functions=[pickled.digest],
            labels=["f"],
            blobs=[pickled.blob],
            keys=[f"k{number}" for number in numbers],
            attempts=[number + 1 for number in numbers],
            priorities=list(numbers),
            function_of=[],
            payloads=[ArgumentPickler().dumps((number,), {}) for number in numbers],
            wanted=[],
            inputs=[],
            **options,
        )
        with self.lock:
            self.machine.handle([message], 0.0)
            self.desk.wake()

    def flush(self):
        """Wait for a wake-up, and take what there is; then tell who waits for that."""
        self.wakeups.get(timeout=TIMEOUT_S)
        with self.lock:
            self.desk.flush = Flush.NONE
            self.desk.grant()
            check(self.machine)
            messages = self.machine.take_outbox()
            unsent = self.desk.take_unsent()
        for each in unsent:
            each()
        return messages

    def collect(self, count, *others):
        """Return how so many tasks end, by key, and what else was said, as (kind, key)."""
        ends, said = {}, []
        while len(ends) < count or not set(others) <= set(said):
            for message in self.flush():
                if isinstance(message, ENDS):
                    ends.update(dict.fromkeys(message.keys, type(message)))
                elif not isinstance(message, TasksBegun):
                    said.extend((type(message), key) for key in message.keys)
        return (ends, said) if others else ends


@pytest.fixture
def bench():
    with contextlib.ExitStack() as stack:

        def make(*args, **kwargs):
            made = Bench(*args, **kwargs)
            stack.callback(lambda: made.close(TIMEOUT_S))
            return made

        yield make
