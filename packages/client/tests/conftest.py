"""A scheduler and its one worker, as small as can be, behind a real listener."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import pytest
from msgspec import Struct

from hocket.client import Client
from hocket.core.settings import ClientSettings, SessionSettings, Settings
from hocket.core.task_context import PROVIDER, TaskContext
from hocket.protocol.messages import (
    CancelTasks,
    ClusterDescribed,
    DataReply,
    DataStored,
    DescribeCluster,
    EverywhereRan,
    Failure,
    FailureKind,
    FetchData,
    KeysLocated,
    KeysLost,
    KeysScattered,
    LocateKeys,
    PeerBusy,
    PlanScatter,
    PutData,
    ReleaseKeys,
    ReportMissing,
    RequestRefused,
    RunEverywhere,
    ScatterAccepted,
    ScatterPlanned,
    SubmitTasks,
    TasksCancelled,
    TasksErred,
    TasksStored,
    WaitForWorkers,
    WantKeys,
    WorkerDescription,
    WorkersReady,
)
from hocket.protocol.roles import Role
from hocket.protocol.serialize import (
    dump_exception,
    dump_value,
    load_arguments,
    load_function,
    nbytes_of,
    pack,
    unpack,
)
from hocket.transport import Channel, Listener, LoopThread, listen
from hocket.transport.data import DataServer, serve_data

_numbers = itertools.count()


class FakeTask:
    """A task that runs in this thread, within a ``with`` block.

    Attributes
    ----------
    log
        ``"secede"`` and ``"rejoin"``, in order.
    """

    def __init__(
        self,
        address: str = "",
        secret: str = "",
        settings: Settings | None = None,
        cluster_id: str = "",
    ) -> None:
        self.log: list[str] = []
        self.has_slot = True
        self._context = TaskContext(
            "the-task",
            1,
            "w0",
            scheduler_address=address,
            secret=secret,
            settings=settings or Settings(),
            cluster_id=cluster_id,
            secede=self._secede,
            rejoin=self._rejoin,
        )

    def _secede(self) -> bool:
        had, self.has_slot = self.has_slot, False
        if had:
            self.log.append("secede")
        return had

    def _rejoin(self) -> None:
        assert not self.has_slot
        self.has_slot = True
        self.log.append("rejoin")

    def __enter__(self) -> Self:
        self._token = PROVIDER.set(lambda: self._context)
        return self

    def __exit__(self, *_error: object) -> None:
        PROVIDER.reset(self._token)


SETTINGS = Settings(
    session=SessionSettings(grace_s=0.0, local_grace_s=0.0),
    client=ClientSettings(connect_timeout_s=5.0, inline_argument_nbytes_max=100_000),
)


class FakeScheduler:
    """Runs every task at once on its own loop's thread, unless it is held back.

    Attributes
    ----------
    seen
        All messages of clients, in order.
    held
        Whether tasks wait until `let_go`.
    """

    inline_nbytes_max = 10_000

    def __init__(self, scheme: str, settings: Settings = SETTINGS, secret: str = "") -> None:
        self.secret = secret
        self.cluster_id = f"fake-{next(_numbers)}"
        self.settings = settings
        self.seen: list[Struct] = []
        self.values: dict[str, Any] = {}
        self.failures: dict[str, Failure] = {}
        self.held = False
        self.refuse = ""
        #: Scripted answers to questions, by the class of the question.
        self.answers: dict[type[Struct], Callable[[Any], Struct]] = {}
        #: How often a data server, by address, is busy before it gives anything; and whom it names.
        self.busy: dict[str, int] = {}
        self.named: list[str] = []
        #: Data servers, by address; each with the keys that it will not give.
        self.workers: dict[str, set[str]] = {}
        self.on_report: Callable[[ReportMissing], None] = lambda _message: None
        self._waiting: list[SubmitTasks] = []
        self._functions: dict[bytes, Any] = {}
        self._attempts = 0
        self._news = threading.Condition()
        self.channels: list[Channel] = []
        #: Of clients that said goodbye.
        self.left_count = 0
        self._loop = LoopThread("fake-scheduler")
        self._listener: Listener
        self._servers: list[DataServer] = []
        self._loop.run(self._start(scheme))

    async def _start(self, scheme: str) -> None:
        def at() -> str:
            return "tcp://127.0.0.1:0" if scheme == "tcp" else f"inproc://fake-{next(_numbers)}"

        self._listener = await listen(
            at(),
            role=Role.SCHEDULER,
            name="fake",
            secret=self.secret,
            settings=self.settings,
            on_channel=self._on_channel,
            cluster_id=self.cluster_id,
        )
        for _ in range(2):
            server: DataServer

            async def answer(message: Any, buffers: Any, place: list[str]) -> Any:
                return self._answer(place[0], message, buffers)

            place: list[str] = []
            server = await serve_data(
                at(),
                secret=self.secret,
                settings=self.settings,
                handler=lambda message, buffers, place=place: answer(message, buffers, place),
            )
            place.append(server.address)
            self._servers.append(server)
            self.workers[server.address] = set()

    @property
    def address(self) -> str:
        return self._listener.address

    def close(self) -> None:
        self._loop.run(self._listener.close("the end"))
        for server in self._servers:
            self._loop.run(server.close())
        self._loop.close()

    def call(self, function: Callable[[], Any]) -> None:
        """Run a function on the loop's thread, and wait for it."""

        async def run() -> None:
            function()

        self._loop.run(run())

    def send(self, *messages: Struct) -> None:
        self.call(lambda: self.channels[-1].send(list(messages)))

    def abort(self) -> None:
        """Lose all clients, as if the process were killed."""
        self.call(lambda: [one.fail("killed") for one in list(self.channels)])

    def let_go(self) -> None:
        """Run what waits."""

        def run() -> None:
            self.held = False
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                self._run(message)

        self.call(run)

    def of(self, kind: type[Struct]) -> list[Any]:
        return [message for message in self.seen if type(message) is kind]

    def await_message(self, kind: type[Struct], count: int = 1) -> Any:
        """Wait until so many messages of a kind have come; return the last."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.of(kind)) >= count, timeout=10)
        return self.of(kind)[-1]

    def await_released(self, keys: Iterable[str]) -> int:
        """Wait until these keys are released; return the number of messages it took."""
        wanted = set(keys)
        with self._news:

            def released() -> bool:
                messages = [*self.of(ReleaseKeys), *self.of(CancelTasks)]
                return wanted <= {key for message in messages for key in message.keys}

            assert self._news.wait_for(released, timeout=10)
        return len(self.of(ReleaseKeys))

    def await_left(self, count: int = 1) -> None:
        """Wait until so many clients have said goodbye."""
        with self._news:
            assert self._news.wait_for(lambda: self.left_count >= count, timeout=10)

    # on the loop's thread

    def _on_channel(self, channel: Channel) -> None:
        self.channels.append(channel)
        channel.on_messages = self._on_messages
        channel.on_closed = self._on_closed

    def _on_closed(self, _channel: Channel, _reason: str, clean: bool) -> None:
        with self._news:
            self.left_count += clean
            self._news.notify_all()

    def _on_messages(self, channel: Channel, messages: list[Struct]) -> None:
        with self._news:
            self.seen += messages
            self._news.notify_all()
        for message in messages:
            if self.refuse and hasattr(message, "request"):
                channel.send([RequestRefused(message.request, self.refuse)])
            else:
                self._handle(channel, message)

    def _handle(self, channel: Channel, message: Any) -> None:  # noqa: C901, PLR0912
        match message:
            case _ if type(message) in self.answers:
                channel.send([self.answers[type(message)](message)])
            case SubmitTasks():
                for digest, blob in zip(message.functions, message.blobs, strict=True):
                    if blob is not None:
                        self._functions[digest] = load_function(blob)
                if self.held:
                    self._waiting.append(message)
                else:
                    self._run(message)
            case ReleaseKeys():
                for key in message.keys:
                    self.values.pop(key, None)
            case WantKeys():
                self._tell(channel, message.keys)
            case CancelTasks():
                self._waiting = [one for one in self._waiting if one.keys != message.keys]
                for key in message.keys:
                    self.values.pop(key, None)
                    self.failures.pop(key, None)
                channel.send([TasksCancelled(message.keys)])
            case LocateKeys():
                channel.send([KeysLocated(message.request, [*map(self.holders, message.keys)])])
            case ReportMissing():
                self.on_report(message)
            case PlanScatter():
                addresses = list(self.workers)
                chosen = addresses if message.broadcast else addresses[:1]
                channel.send([ScatterPlanned(message.request, [chosen] * len(message.nbytes))])
            case KeysScattered():
                channel.send([ScatterAccepted(message.request)])
            case RunEverywhere():
                channel.send([self._run_everywhere(message)])
            case DescribeCluster():
                workers = [
                    WorkerDescription(f"w{n}", address, "here", 1, 2, 0, {}, 0, 0, 0)
                    for n, address in enumerate(self.workers)
                ]
                channel.send([ClusterDescribed(message.request, self.address, workers)])
            case WaitForWorkers() if message.count <= len(self.workers):
                channel.send([WorkersReady(message.request, len(self.workers))])

    def holders(self, key: str) -> list[str]:
        if key not in self.values:
            return []
        return list(self.workers)

    def _run(self, message: SubmitTasks) -> None:
        count = len(message.payloads)
        for row, (key, payload) in enumerate(zip(message.keys, message.payloads, strict=False)):
            function_row = message.function_of[row] if message.function_of else 0
            function = self._functions[message.functions[function_row]]
            rows = message.dependencies[row] if message.dependencies else []
            inputs = {message.keys[one]: self.values.get(message.keys[one]) for one in rows}
            self._attempts += 1
            broken = [self.failures[one] for one in inputs if one in self.failures]
            try:
                if broken:
                    self.failures[key] = broken[0]
                    continue
                args, kwargs = load_arguments(payload, inputs)
                self.values[key] = function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever the test's function raises
                data, text = dump_exception(error, key)
                self.failures[key] = Failure(
                    FailureKind.RAISED, key, text, data, "w0", self._attempts
                )
        wanted = range(count) if message.wanted is None else message.wanted
        self._tell(self.channels[-1], [message.keys[row] for row in wanted])

    def _tell(self, channel: Channel, keys: list[str]) -> None:
        erred = [key for key in keys if key in self.failures]
        stored = [key for key in keys if key in self.values]
        data = [dump_value(self.values[key]) for key in stored]
        messages: list[Struct] = []
        if erred:
            messages.append(TasksErred(erred, [self.failures[key] for key in erred]))
        if stored:
            messages.append(
                TasksStored(
                    stored,
                    [nbytes_of(self.values[key]) for key in stored],
                    [one if len(one) <= self.inline_nbytes_max else None for one in data],
                )
            )
        channel.send(messages)

    def lose(self, key: str) -> None:
        """Lose a value that is not computed again before `recover`."""

        def run() -> None:
            del self.values[key]
            self.channels[-1].send([KeysLost([key])])

        self.call(run)

    def recover(self, key: str, value: Any) -> None:
        def run() -> None:
            self.values[key] = value
            self._tell(self.channels[-1], [key])

        self.call(run)

    def _run_everywhere(self, message: RunEverywhere) -> EverywhereRan:
        args, kwargs = load_arguments(message.payload)
        values: list[bytes | None] = []
        failures: list[Failure | None] = []
        for _ in self.workers:
            try:
                values.append(dump_value(load_function(message.function)(*args, **kwargs)))
                failures.append(None)
            except Exception as error:  # noqa: BLE001 - whatever the test's function raises
                data, text = dump_exception(error, "run")
                values.append(None)
                failures.append(Failure(FailureKind.RAISED, "run", text, data, "w0"))
        return EverywhereRan(message.request, list(self.workers), values, failures)

    def _answer(self, address: str, message: FetchData | PutData, buffers: Any) -> Any:
        if isinstance(message, PutData):
            sizes, start = [], 0
            for key, parts in zip(message.keys, message.sizes, strict=True):
                self.values[key] = unpack(buffers[start : start + len(parts)])
                sizes.append(nbytes_of(self.values[key]))
                start += len(parts)
            return DataStored(sizes), []
        if self.busy.get(address, 0):
            self.busy[address] -= 1
            return PeerBusy([self.named for _ in message.keys]), []
        missing = self.workers.get(address, set())
        packed = [
            pack(self.values[key]) if key in self.values and key not in missing else None
            for key in message.keys
        ]
        reply = DataReply(
            [None if one is None else [memoryview(b).nbytes for b in one] for one in packed],
            [-1 if one is None else 1 for one in packed],
            ["" for _ in packed],
        )
        return reply, [buffer for one in packed if one is not None for buffer in one]


@pytest.fixture(params=["inproc", "tcp"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[FakeScheduler]:
    one = FakeScheduler(request.param)
    yield one
    one.close()


@pytest.fixture
def client(scheduler: FakeScheduler) -> Iterator[Client]:
    with Client(scheduler.address, settings=scheduler.settings) as one:
        yield one


@pytest.fixture
def make_task(scheduler: FakeScheduler) -> Callable[[], FakeTask]:
    """Return what makes a task of the scheduler's cluster."""
    return lambda: FakeTask(
        scheduler.address, scheduler.secret, scheduler.settings, scheduler.cluster_id
    )
