"""The worker's data: sent to those who ask, taken from those who put, fetched from other workers.

Pickling can take long and runs code of the user's, so it is done in threads, never on the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

from hocket.core.errors import HocketError, LocalProtocolError, SerializationError
from hocket.core.settings import Settings
from hocket.core.units import NBYTES_MAX
from hocket.protocol.feed import fit_text
from hocket.protocol.messages import DataReply, DataStored, FetchData, PeerBusy, PutData
from hocket.protocol.messages.feed import TransferDone
from hocket.transport import DataAnswer, DataPool, DataServer, now, serve_data
from hocket.worker.errors import FileDamaged
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.serving import LARGE_NBYTES_MIN, Serving
from hocket.worker.shell.packed import Packed, pack_datum, split
from hocket.worker.state import Datum, Fetch

if TYPE_CHECKING:
    from hocket.worker.shell.onlooking import Onlooking

__all__ = ["DataService"]

_logger: Final = logging.getLogger("hocket.worker")

#: A value, the file in which it was, and what is wrong with that.
_Lost: TypeAlias = tuple[Datum, object, str]

#: Threads that pickle values for others.
_PACKERS_COUNT: Final = 2
#: Of those whom a busy peer names for one value, so many are taken note of.
_NAMED_MAX: Final = 4


class DataService:
    """Values on their way between this worker's machine and the world.

    Parameters
    ----------
    secret, settings
        The cluster's.
    lock
        Guards the machine.
    on_event
        Called on the loop, without the lock, when the machine has changed.
    """

    def __init__(
        self,
        *,
        secret: str,
        settings: Settings,
        lock: threading.Lock,
        on_event: Callable[[], None],
    ) -> None:
        self._secret = secret
        self._settings = settings
        self._lock = lock
        self._on_event = on_event
        self._machine: WorkerMachine | None = None
        self._server: DataServer | None = None
        self._serving = Serving(settings.worker.serve_requests_max)
        self._pool = DataPool(secret, settings)
        self._packers = ThreadPoolExecutor(_PACKERS_COUNT, "hocket data")
        self._fetching: set[asyncio.Task[None]] = set()
        self._onlooking: Onlooking | None = None

    async def start(self, address: str) -> str:
        """Begin to serve; return the actual address. Nothing is here before `attach`.

        Raises
        ------
        SettingsError
            Others could come in without a secret.
        OSError
            The address cannot be had.
        """
        self._server = await serve_data(
            address, secret=self._secret, settings=self._settings, handler=self._answer
        )
        return self._server.address

    def attach(self, machine: WorkerMachine, onlooking: Onlooking | None = None) -> None:
        """Serve the data of this machine, and tell those who look on of transfers."""
        self._machine = machine
        self._onlooking = onlooking

    async def close(self) -> None:
        """Stop serving and fetching."""
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)
        self._pool.close()
        if self._server is not None:
            await self._server.close()
        self._packers.shutdown(wait=False, cancel_futures=True)

    def fetch(self, fetch: Fetch) -> None:
        """Do what the machine asks for, and tell it how it went."""
        task = asyncio.get_running_loop().create_task(self._fetch(fetch))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _fetch(self, fetch: Fetch) -> None:
        machine = self._machine
        assert machine is not None
        began_s, error_text = now(), ""
        nbytes = 0
        try:
            reply, buffers = await self._pool.request(fetch.address, self._request(fetch))
        except Exception as error:
            # Whatever it is, tasks wait for an answer.
            if isinstance(error, HocketError | OSError):
                _logger.info("cannot fetch %d values: %s", len(fetch.data), error)
            else:
                _logger.exception("an error while %r was done", fetch)
            error_text = fit_text(str(error))
            with self._lock:
                machine.fetch_failed(fetch, now())
        else:
            nbytes = sum(buffer.nbytes for buffer in buffers)
            if isinstance(reply, PeerBusy):
                error_text = "it is busy"
            self._fetched(machine, fetch, reply, buffers)
        self._tell(began_s, nbytes, fetch.address, machine.name, fetch.keys, error_text)
        self._on_event()

    def _tell(
        self,
        began_s: float,
        nbytes: int,
        source: str,
        target: str,
        keys: Sequence[str],
        error: str = "",
    ) -> None:
        """Tell those who look on of a transfer that is over."""
        if self._onlooking is not None:
            duration_s = max(now() - began_s, 0.0)
            key = keys[0] if keys else ""
            nbytes = min(nbytes, NBYTES_MAX)
            event = TransferDone(began_s, duration_s, nbytes, source, target, len(keys), key, error)
            self._onlooking.transferred(event)

    def _request(self, fetch: Fetch) -> FetchData:
        return FetchData(fetch.keys, "" if self._server is None else self._server.address)

    def _fetched(
        self,
        machine: WorkerMachine,
        fetch: Fetch,
        reply: DataReply | DataStored | PeerBusy,
        buffers: Sequence[memoryview],
    ) -> None:
        if isinstance(reply, PeerBusy):
            others = [addresses[:_NAMED_MAX] for addresses in reply.addresses]
            with self._lock:
                machine.fetch_busy(fetch, others, now())
            return
        assert isinstance(reply, DataReply)  # The pool refuses other answers.
        values = split(reply.sizes, buffers)
        answers = [
            _answer_of(attempt, error, packed)
            for attempt, error, packed in zip(reply.attempts, reply.errors, values, strict=True)
        ]
        with self._lock:
            machine.fetched(fetch, answers, now())

    async def _answer(self, message: FetchData | PutData, values: list[memoryview]) -> DataAnswer:
        """Answer a request of a client or another worker."""
        machine = self._machine
        if machine is None:
            raise LocalProtocolError(reason="the worker is still starting; ask again")
        if isinstance(message, PutData):
            return DataAnswer(self._store(machine, message, values), [])
        with self._lock:
            data = machine.held(message.keys)
        began_s = now()
        here = [datum for datum in data if datum is not None]
        if sum(datum.nbytes for datum in here) <= LARGE_NBYTES_MIN:
            reply, buffers = await self._pack(data)
            nbytes = sum(buffer.nbytes for buffer in buffers)
            self._tell(began_s, nbytes, machine.name, message.source, message.keys)
            return DataAnswer(reply, buffers)
        # Only workers say where they can be asked in turn.
        asker = message.source
        if not self._serving.begin():
            return DataAnswer(PeerBusy(self._serving.takers(data, asker)), [])

        def over(is_sent: bool) -> None:  # noqa: FBT001 - as `DataAnswer` has it
            self._serving.end()
            nbytes = sum(datum.nbytes for datum in here)
            error = "" if is_sent else "it was not taken"
            self._tell(began_s, nbytes, machine.name, asker, message.keys, error)
            if is_sent and asker:
                self._serving.gave(here, asker)

        try:
            return DataAnswer(*await self._pack(data), over)
        except BaseException:
            self._serving.end()
            raise

    async def _pack(self, data: list[Datum | None]) -> tuple[DataReply, list[memoryview]]:
        lost: list[_Lost] = []
        if all(datum is None or type(datum.value) is Packed for datum in data):
            return _pack_all(data, lost)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._packers, _pack_all, data, lost)
        if lost and self._machine is not None:
            with self._lock:
                for datum, file, reason in lost:
                    self._machine.disk.lost(datum, file, reason, now())
            self._on_event()
        return answer

    def _store(
        self, machine: WorkerMachine, message: PutData, buffers: list[memoryview]
    ) -> DataStored:
        nbytes = []
        values = split(message.sizes, buffers)
        with self._lock:
            for key, packed in zip(message.keys, values, strict=True):
                assert packed is not None  # Each put value has sizes.
                machine.put(key, packed, packed.nbytes)
                nbytes.append(packed.nbytes)
        self._on_event()
        return DataStored(nbytes)


def _answer_of(attempt: int, error: str, packed: Packed | None) -> Answer:
    if packed is not None:
        return Answer(attempt, packed.nbytes, packed)
    return Answer(attempt, error=error) if error else Answer(-1)


def _pack_all(data: list[Datum | None], lost: list[_Lost]) -> tuple[DataReply, list[memoryview]]:
    """Return the answer to a request; what of it was in files that are damaged goes into `lost`."""
    reply = DataReply([], [], [])
    buffers: list[memoryview] = []
    for datum in data:
        own: list[memoryview] | None = None
        error = ""
        attempt = -1 if datum is None else datum.attempt
        if datum is not None:
            file = datum.value
            try:
                own = pack_datum(datum)
            except SerializationError as failed:
                error = str(failed)
            except FileDamaged as failed:
                lost.append((datum, file, str(failed)))
                attempt = -1
        reply.sizes.append(None if own is None else [buffer.nbytes for buffer in own])
        reply.attempts.append(attempt)
        reply.errors.append(error)
        buffers.extend(own or ())
    return reply, buffers
