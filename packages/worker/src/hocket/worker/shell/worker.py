"""A worker on an event loop: machine, threads, data, and the session with the scheduler."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec import Struct

from hocket.core.settings import Settings
from hocket.protocol.messages import HereRan, RunHere, WorkerJoined, WorkerReport
from hocket.protocol.roles import Role
from hocket.transport import Channel, connect, now
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.data_service import DataService
from hocket.worker.shell.execution import run_here
from hocket.worker.shell.executor import FLUSH_INTERVAL_S, Executor, Flush
from hocket.worker.shell.monitor import Monitor
from hocket.worker.shell.place import DataPlace, memory_limit_of, threads_count_of
from hocket.worker.state import Fetch

__all__ = ["Worker"]

_logger: Final = logging.getLogger("hocket.worker")

#: How long a worker that ends waits for the tasks that it runs.
_CLOSE_TIMEOUT_S: Final = 1.0


class Worker:
    """One worker, on the running event loop.

    Parameters
    ----------
    scheduler_address
        Of the scheduler that it works for.
    name
        Its name, unique in the cluster.
    threads
        How many tasks run at once; None for the setting, and 0 there for the number of cores.
    memory_limit
        Bytes, 0 for no limit, ``"auto"`` for the threads' share of the host; None for the setting.
    resources
        What tasks may reserve, by name.
    settings
        ``worker``, ``transport`` and ``session`` are used.
    secret
        The cluster's; empty for the setting.
    """

    def __init__(
        self,
        scheduler_address: str,
        *,
        name: str,
        threads: int | None = None,
        memory_limit: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        settings: Settings | None = None,
        secret: str = "",
    ) -> None:
        self.name = name
        self._scheduler_address = scheduler_address
        self._settings = settings or Settings()
        self._secret = secret or self._settings.security.secret
        own = self._settings.worker
        self._threads_count = threads_count_of(own.threads if threads is None else threads)
        limit = own.memory_limit if memory_limit is None else memory_limit
        self._memory_limit = memory_limit_of(limit, self._threads_count)
        self._resources = dict(resources or {})
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop
        self._machine: WorkerMachine
        self._executor: Executor
        self._monitor: Monitor
        self._place: DataPlace | None = None
        self._data: DataService | None = None
        self._channel: Channel | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._finished: asyncio.Future[tuple[str, bool]]
        #: Where its data can be had; empty before `start`.
        self.address = ""

    async def start(self) -> None:
        """Join the scheduler.

        Raises
        ------
        ConnectFailed, HandshakeRefused
            As for `hocket.transport.connect`.
        SettingsError
            Its data would lie open to other hosts, since there is no secret.
        """
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        own = self._settings.worker
        self._data = DataService(
            secret=self._secret, settings=self._settings, lock=self._lock, on_event=self._stir
        )
        try:
            # It may ask a name server.
            self._place = await asyncio.to_thread(DataPlace, self._scheduler_address)
            self.address = await self._data.start(self._place.address)
            self._machine = WorkerMachine(
                name=self.name, address=self.address, settings=own, resources=self._resources
            )
            self._executor = Executor(
                self._machine,
                self._lock,
                name=self.name,
                threads_count=self._threads_count,
                inline_nbytes_max=own.inline_nbytes_max,
                wake_loop=self._wake_loop,
                on_broken=self._break,
            )
            self._monitor = Monitor(
                own.report_interval_s, counts=self._counts, send=self._send_report
            )
            self._data.attach(self._machine)
            self._channel = await connect(
                self._scheduler_address,
                role=Role.WORKER,
                name=self.name,
                secret=self._secret,
                settings=self._settings,
                on_messages=self._on_messages,
                on_closed=self._on_closed,
            )
        except BaseException:
            await self._release()
            raise
        self._channel.send([self._introduction()])
        self._executor.start()
        self._monitor.start()

    async def wait_finished(self) -> tuple[str, bool]:
        """Wait until the worker is closed, or its scheduler gone.

        Returns
        -------
        tuple[str, bool]
            The reason, and whether this was in good order.
        """
        return await asyncio.shield(self._finished)

    async def close(
        self, reason: str = "the worker was closed", *, timeout_s: float = _CLOSE_TIMEOUT_S
    ) -> None:
        """Leave the scheduler and stop. May be called twice.

        Parameters
        ----------
        reason
            For the scheduler.
        timeout_s
            How long to wait for running tasks. Nothing can end a thread from without: what runs
            longer runs on, and its result is dropped.
        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason, timeout_s))
        await asyncio.shield(self._closing)

    async def _close(self, reason: str, timeout_s: float) -> None:
        if self._channel is None:
            return
        self._finish(reason, clean=True)
        self._monitor.close()
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        with self._lock:
            # From here on no thread wakes the loop.
            self._executor.flush = Flush.WAKE
        self._channel.close(reason)
        ended = await asyncio.to_thread(self._executor.close, timeout_s)
        if not ended:
            _logger.info("worker %r was closed while tasks of it were running", self.name)
        await self._channel.wait_closed()
        await self._release()

    async def _release(self) -> None:
        if self._data is not None:
            await self._data.close()
        if self._place is not None:
            self._place.close()

    def _finish(self, reason: str, *, clean: bool) -> None:
        if not self._finished.done():
            self._finished.set_result((reason, clean))

    def _introduction(self) -> WorkerJoined:
        return WorkerJoined(
            name=self.name,
            address=self.address,
            host=socket.gethostname(),
            pid=os.getpid(),
            threads=self._threads_count,
            memory_limit=self._memory_limit,
            resources=self._resources,
        )

    # What comes from the scheduler.

    def _on_messages(self, channel: Channel, messages: list[Struct]) -> None:
        del channel
        with self._lock:
            # The codec lets nothing through but what a scheduler says to a worker.
            self._machine.handle(messages, now())  # type: ignore[arg-type]
        self._monitor.hurry()
        self._stir()

    def _on_closed(self, channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
        del channel
        if clean:
            _logger.info("worker %r was let go by its scheduler: %s", self.name, reason)
        else:
            _logger.warning("worker %r lost its scheduler: %s", self.name, reason)
        self._end(reason, clean=clean)

    def _end(self, reason: str, *, clean: bool) -> None:
        """Close without being asked to."""
        self._finish(reason, clean=clean)
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(reason, _CLOSE_TIMEOUT_S))

    def _break(self) -> None:
        """End the worker because of a bug; called in any thread."""
        with suppress(RuntimeError):  # The loop is closed, so the worker is.
            self._loop.call_soon_threadsafe(partial(self._end, "a bug ended a thread", clean=False))

    # What piles up in the machine.

    def _wake_loop(self) -> None:
        """Have `_flush` called soon; called by threads, with the lock held."""
        with suppress(RuntimeError):  # The loop is closed, so nobody waits for reports.
            self._loop.call_soon_threadsafe(self._flush)

    def _stir(self) -> None:
        """Do what follows from an event on the loop."""
        with self._lock:
            self._executor.wake()
            if not self._machine.pending and not self._machine.tables.discarded:
                return
        self._act(Flush.NONE)

    def _flush(self) -> None:
        """Do what threads have left to do, and look again soon if they are at work."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._act(Flush.WAKE):
            self._flush_timer = self._loop.call_later(FLUSH_INTERVAL_S, self._flush)

    def _act(self, cause: Flush) -> bool:
        """Send and do all that has piled up.

        Parameters
        ----------
        cause
            NONE if this is no answer to what the threads asked for.

        Returns
        -------
        bool
            Whether the threads now count on a flush by the timer.
        """
        if self._closing is not None or self._channel is None or self._data is None:
            return False
        machine, executor = self._machine, self._executor
        with self._lock:
            messages = machine.take_outbox()
            commands = machine.take_commands()
            discarded = machine.take_discarded()
            if cause is not Flush.NONE:
                # In one go with the taking: what a thread adds from now on must be asked for anew.
                again = executor.is_busy and bool(messages)
                executor.flush = Flush.TIMER if again else Flush.NONE
            else:
                again = False
        if messages:
            self._channel.send(messages)
        for command in commands:
            if isinstance(command, Fetch):
                self._data.fetch(command)
            else:
                self._run_here(command)
        # The values go here, without the lock.
        del discarded
        return again

    def _run_here(self, message: RunHere) -> None:
        thread = threading.Thread(
            target=self._run_here_in_thread, args=(message,), name=f"{self.name} call", daemon=True
        )
        thread.start()

    def _run_here_in_thread(self, message: RunHere) -> None:
        answer = run_here(message, self.name, self._settings.transport.frame_nbytes_max)
        with suppress(RuntimeError):  # As in `_wake_loop`.
            self._loop.call_soon_threadsafe(self._here_ran, answer)

    def _here_ran(self, answer: HereRan) -> None:
        with self._lock:
            self._machine.here_ran(answer)
        self._stir()

    # What the monitor needs.

    def _counts(self) -> tuple[int, int, int]:
        with self._lock:
            machine = self._machine
            return machine.held_nbytes, machine.running_count, machine.ready_count

    def _send_report(self, report: WorkerReport) -> None:
        if self._channel is not None and self._closing is None:
            self._channel.send([report])

    def __repr__(self) -> str:
        return f"<Worker {self.name!r} at {self.address or 'no address yet'}>"
