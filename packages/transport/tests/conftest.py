"""What the tests of this package share: peers that take notes, and peers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from hocket.core.settings import Settings
from hocket.protocol.framing import Frame, FrameReader
from hocket.protocol.hello import Hello, Welcome
from hocket.protocol.messages import (
    DataReply,
    DataStored,
    FetchData,
    PutData,
    WaitForWorkers,
    WorkersReady,
)
from hocket.protocol.opening import OpeningConnector
from hocket.protocol.roles import Role
from hocket.protocol.versions import OUR_VERSIONS
from hocket.transport import Channel, DataPool, Listener, connect, listen, serve_data

#: Nothing here waits for a time to pass; this only ends a test that hangs.
TIMEOUT_S = 30.0


class Recorder:
    """An end of channels that notes what comes."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.closed: list[tuple[str, bool]] = []
        self.interruptions = 0
        self.resumptions = 0
        self._changed = asyncio.Event()

    def on_messages(self, channel: Channel, messages: list[Any]) -> None:
        self.messages += messages
        self._changed.set()

    def on_closed(self, channel: Channel, reason: str, clean: bool) -> None:
        self.closed.append((reason, clean))
        self._changed.set()

    def on_interrupted(self, channel: Channel) -> None:
        self.interruptions += 1
        self._changed.set()

    def on_resumed(self, channel: Channel) -> None:
        self.resumptions += 1
        self._changed.set()

    def set_on(self, channel: Channel) -> None:
        channel.on_messages = self.on_messages
        channel.on_closed = self.on_closed
        channel.on_interrupted = self.on_interrupted
        channel.on_resumed = self.on_resumed

    async def until(self, condition: Callable[[Recorder], object]) -> None:
        """Wait until the notes fulfil a condition."""
        while not condition(self):
            self._changed.clear()
            await self._changed.wait()


class House:
    """A listener with its notes, and the clients that connect to it."""

    def __init__(self, listener: Listener, recorder: Recorder, channels: list[Channel], secret):
        self.listener = listener
        self.recorder = recorder
        #: The listener's ends.
        self.channels = channels
        self.secret = secret
        self.settings: Settings
        self._clients: list[Channel] = []

    @property
    def address(self) -> str:
        return self.listener.address

    async def connect(self, **options: Any) -> tuple[Channel, Recorder]:
        recorder = Recorder()
        options = {
            "role": Role.CLIENT,
            "name": "c",
            "secret": self.secret,
            "settings": self.settings,
            "on_messages": recorder.on_messages,
            "on_closed": recorder.on_closed,
            "on_interrupted": recorder.on_interrupted,
            "on_resumed": recorder.on_resumed,
        } | options
        channel = await connect(options.pop("address", self.address), **options)
        self._clients.append(channel)
        return channel, recorder

    async def close(self) -> None:
        for channel in self._clients:
            channel.close()
            await channel.wait_closed()
        await self.listener.close()


class RawPeer:
    """A connection that says what a test wants it to say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.welcome: Welcome | None = None

    async def open(self, secret: str, hello: Hello) -> None:
        """Do the opening as it should be done."""
        machine = OpeningConnector("tcp://raw:0", secret, bytes(32), hello)
        self.writer.write(machine.begin())
        while machine.welcome is None:
            self.writer.write(machine.feed(await self.reader.read(1000)))
        self.welcome = machine.welcome
        self.leftover = machine.leftover()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)

    async def read_to_end(self) -> bytes:
        """Return all that comes until the other side closes; that it does is half of the test."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := await self.reader.read(1 << 16):
                data += piece
        return data

    async def frames_to_end(self) -> list[Frame]:
        return FrameReader(1 << 20).feed(self.leftover + await self.read_to_end())

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def new_hello(**changes: Any) -> Hello:
    fields = {
        "role": Role.CLIENT,
        "name": "raw",
        "session_id": b"r" * 16,
        "versions": OUR_VERSIONS,
    }
    return Hello(**(fields | changes))


class Store:
    """Values in memory, given and taken as a worker does it."""

    def __init__(self, values: dict[str, list[object]] | None = None) -> None:
        self.values = values or {}
        self.requests: list[object] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, message, buffers):
        self.requests.append(message)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if isinstance(message, PutData):
            rest = list(buffers)
            for key, sizes in zip(message.keys, message.sizes, strict=True):
                self.values[key] = [bytes(rest.pop(0)) for _ in sizes]
            return DataStored([sum(sizes) for sizes in message.sizes]), []
        found = [self.values.get(key) for key in message.keys]
        reply = DataReply(
            sizes=[
                None if value is None else [memoryview(each).nbytes for each in value]
                for value in found
            ],
            attempts=[-1 if value is None else 1 for value in found],
            errors=["gone" if value is None else "" for value in found],
        )
        return reply, [each for value in found if value is not None for each in value]


class DataPlane:
    """A data server with a store and a pool that asks it."""

    def __init__(self, address, values, secret, settings):
        self._address = address
        self.store = Store(values)
        self._secret = secret
        self._settings = settings

    async def __aenter__(self):
        self.server = await serve_data(
            self._address,
            secret="s",
            settings=self._settings,
            handler=self.store.answer,
        )
        self.pool = DataPool(self._secret, self._settings)
        return self

    async def __aexit__(self, *error):
        self.pool.close()
        await self.server.close()

    async def fetch(self, *keys):
        return await self.pool.request(self.server.address, FetchData(list(keys)))

    async def put(self, *values):
        message = PutData(
            [f"k{number}" for number in range(len(values))],
            [[memoryview(each).nbytes for each in value] for value in values],
        )
        buffers = [each for value in values for each in value]
        return await self.pool.request(self.server.address, message, buffers)


class Bench:
    """What a test gets: makes houses and peers, and closes them."""

    def __init__(self, tmp_path) -> None:
        self._tmp_path = tmp_path
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._stack.aclose()

    def settings(self, **overrides: Any) -> Settings:
        dotted = {name.replace("__", "."): value for name, value in overrides.items()}
        return Settings.build(overrides=dotted)

    def address(self, scheme: str) -> str:
        return {
            "tcp": "tcp://127.0.0.1:0",
            "tls": "tls://127.0.0.1:0",
            "unix": f"unix://{self._tmp_path}/s",
            "inproc": "inproc://test",
        }[scheme]

    async def house(
        self, scheme="tcp", *, secret="s", role=Role.SCHEDULER, on_channel=None, **settings: Any
    ) -> House:
        """Return a scheduler that answers ``WaitForWorkers``."""
        recorder = Recorder()
        channels: list[Channel] = []

        def answer(channel: Channel, messages: list[Any]) -> None:
            for message in messages:
                if isinstance(message, WaitForWorkers):
                    channel.send([WorkersReady(message.request, message.count)])
            recorder.on_messages(channel, messages)

        def accept(channel: Channel) -> None:
            channels.append(channel)
            recorder.set_on(channel)
            channel.on_messages = answer
            if on_channel is not None:
                on_channel(channel)
            recorder._changed.set()

        listener = await listen(
            self.address(scheme),
            role=role,
            name="sched",
            secret=secret,
            settings=self.settings(**settings),
            on_channel=accept,
            cluster_id="house",
        )
        house = House(listener, recorder, channels, secret)
        house.settings = self.settings(**settings)
        self._stack.push_async_callback(house.close)
        return house

    def data_plane(self, scheme="tcp", values=None, *, secret="s", **settings: Any) -> DataPlane:
        """Return a data server with these values and a pool, to be entered."""
        return DataPlane(self.address(scheme), values, secret, self.settings(**settings))

    def store(self, values=None) -> Store:
        return Store(values)

    async def raw(self, address: str, *, secret=None, **hello: Any) -> RawPeer:
        """Return a raw connection to a tcp address, opened if there is a secret."""
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        peer = RawPeer(*await asyncio.open_connection(host, int(port)))
        self._stack.push_async_callback(peer.close)
        if secret is not None:
            await peer.open(secret, new_hello(**hello))
        return peer

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop turn until something has come about that tells nobody."""
        while True:
            if condition():
                return
            await asyncio.sleep(0)

    async def works(self, house: House) -> None:
        """Show that a house still lets others in and answers."""
        channel, recorder = await house.connect(name="another")
        channel.send([WaitForWorkers(99, 1)])
        await recorder.until(lambda notes: notes.messages)
        assert recorder.messages == [WorkersReady(99, 1)]
        channel.close()
        await channel.wait_closed()


@pytest.fixture
def with_bench(tmp_path):
    """Run a test's coroutine with a bench, and see that nothing is left running."""

    def run(test: Callable[[Bench], Any]) -> None:
        async def main() -> None:
            async with asyncio.timeout(TIMEOUT_S), Bench(tmp_path) as bench:
                await test(bench)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

        asyncio.run(main())

    return run


@pytest.fixture
def warnings_logged(caplog):
    """Return the lines that the package has logged."""

    def logged() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name in {"hocket.transport", "asyncio"}
            # asyncio's debug mode counts slow turns of the loop.
            and not record.getMessage().startswith("Executing")
        ]

    caplog.set_level("WARNING", "hocket.transport")
    return logged
