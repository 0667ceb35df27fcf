"""A worker on an event loop: machine, threads, data, and the session with the scheduler."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec import Struct

from hocket.core.errors import SettingsError
from hocket.core.resource_names import GPU
from hocket.core.settings import Settings
from hocket.core.task_context import NO_GUARD, current_task
from hocket.core.worker_view import WorkerView
from hocket.protocol.feed import encode_plain
from hocket.protocol.messages import ACTORS, THREADS, HereRan, WorkerJoined, WorkerReport
from hocket.protocol.roles import Role
from hocket.protocol.rules import NAME_LENGTH_MAX
from hocket.transport import Channel, connect, monotonic, now
from hocket.transport.services import (
    WORKER_SERVICES,
    RoleFacts,
    Service,
    close_services,
    link_of,
    start_services,
)
from hocket.worker.machine import WorkerMachine
from hocket.worker.shell.actor_threads import ACTOR_SLOTS, ActorExecutor
from hocket.worker.shell.call_service import CallService
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.coroutines import LOOP_SLOTS, CoroutineExecutor
from hocket.worker.shell.data_service import DataService
from hocket.worker.shell.desk import LOOP, PROCESSES, Desk
from hocket.worker.shell.flusher import Flusher
from hocket.worker.shell.guests import Guests
from hocket.worker.shell.monitor import Monitor
from hocket.worker.shell.onlooking import Onlooking
from hocket.worker.shell.place import DataPlace, memory_limit_of, threads_count_of
from hocket.worker.shell.process_executor import ProcessExecutor
from hocket.worker.shell.recording import recent_lines
from hocket.worker.shell.spiller import Spiller
from hocket.worker.shell.threads import ThreadExecutor
from hocket.worker.state import DropFile, Fetch, Interrupt, Leave, Spill, Unspill
from hocket.worker.tables import Command

__all__ = ["Worker"]

_logger: Final = logging.getLogger("hocket.worker")

#: How long a worker that ends waits for the tasks that it runs.
_CLOSE_TIMEOUT_S: Final = 1.0
#: One that a guest has asked to end may answer the guest before.
_ANSWER_S: Final = 0.1


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
    gpus
        Names of its GPUs, of which tasks may reserve as many.
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
        gpus: Sequence[str] = (),
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
        self._gpus = tuple(gpus)
        if gpus:
            self._resources.setdefault(GPU, len(gpus))
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop
        self._machine: WorkerMachine
        self._desk: Desk
        self._spiller: Spiller
        self._flusher: Flusher
        self._threads: ThreadExecutor
        self._coroutines: CoroutineExecutor
        self._processes: ProcessExecutor
        self._actors: ActorExecutor
        self._calls: CallService
        self._monitor: Monitor
        self.feed: Onlooking
        self._view: WorkerView
        self._guests: Guests
        self._place: DataPlace | None = None
        self._data: DataService | None = None
        self._channel: Channel | None = None
        self._closing: asyncio.Task[None] | None = None
        self._finished: asyncio.Future[tuple[str, bool]]
        #: Where its data can be had; empty before `start`.
        self.address = ""
        self._calls_address = ""
        self._services: list[Service] = []
        #: Whether the process has nothing else to do, and ends with it.
        self.owns_process = False
        #: When it asks to leave, by the monotonic clock; inf: it knows of no end.
        self.leaves_s = math.inf

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
        self._flusher = Flusher(self._obey)
        self._calls = CallService(self._lock, self._flusher.stir)
        self._data = DataService(
            secret=self._secret,
            settings=self._settings,
            lock=self._lock,
            on_event=self._flusher.stir,
        )
        try:
            # It may ask a name server.
            self._place = await asyncio.to_thread(
                DataPlace, self._scheduler_address, self._settings.worker
            )
            self.address = await self._data.start(self._place.address)
            self._calls_address = await self._calls.start(
                self._place.calls_address, self.name, self._secret, self._settings
            )
            self._make_executors()
            self._data.attach(self._machine, self.feed)
            self._calls.attach(self._machine)
            self._channel = await connect(
                self._scheduler_address,
                role=Role.WORKER,
                name=self.name,
                secret=self._secret,
                settings=self._settings,
                on_messages=self._on_messages,
                on_closed=self._on_closed,
            )
            self._view.cluster_id = self._channel.peer.cluster_id
        except BaseException:
            await self._release()
            raise
        facts = RoleFacts(
            Role.WORKER,
            self.name,
            self._scheduler_address,
            self._settings,
            self._secret,
            self.feed,
        )
        self._services = start_services(WORKER_SERVICES, facts)
        self._channel.send([self._introduction()])
        self._flusher.start(self._desk, self._channel)
        if self._machine.disk.is_used:
            self._spiller.start()
        self._threads.start()
        self._monitor.start()

    def _make_executors(self) -> None:
        own = self._settings.worker
        processes_count = max(self._threads_count, len(self._gpus))
        self._machine = WorkerMachine(
            name=self.name,
            address=self.address,
            settings=own,
            resources=self._resources,
            executors={
                THREADS: self._threads_count,
                LOOP: LOOP_SLOTS,
                PROCESSES: processes_count,
                ACTORS: ACTOR_SLOTS,
            },
            memory_limit=self._memory_limit,
        )
        self._desk = Desk(self._machine, self._lock, wake_loop=self._flusher.wake)
        self._spiller = Spiller(self._desk, own)
        self._view = view = WorkerView(
            self.name,
            self.address,
            self._scheduler_address,
            self._threads_count,
            self._memory_limit,
            dict(self._machine.resources),
            {GPU: self._gpus} if self._gpus else {},
            read_lines=recent_lines,
            forget_functions=self._forget_functions,
            read_stacks=self._read_stacks,
            send_event=self._log_event,
            end=self._end_soon,
        )
        self._guests = Guests(view, self._settings.transport.frame_nbytes_max, self._here_ran_soon)
        contexts = Contexts(self.name, self._scheduler_address, self._secret, self._settings, view)
        self._threads = ThreadExecutor(
            self._desk,
            contexts,
            slots=self._threads_count,
            inline_nbytes_max=own.inline_nbytes_max,
            on_broken=self._break,
        )
        self._coroutines = CoroutineExecutor(
            self._desk,
            contexts,
            inline_nbytes_max=own.inline_nbytes_max,
            loop=self._settings.transport.loop,
            on_broken=self._break,
        )
        self._processes = ProcessExecutor(
            self._desk,
            contexts,
            slots=processes_count,
            inline_nbytes_max=own.inline_nbytes_max,
            on_broken=self._break,
        )
        self._actors = ActorExecutor(
            self._desk,
            contexts,
            value_nbytes_max=self._settings.transport.frame_nbytes_max // 2,
            loop=self._settings.transport.loop,
            on_replies=self._calls.expect,
            on_broken=self._break,
        )
        #: What happens here, for those who look on: a `hocket.protocol.feed.Source` to read.
        self.feed = Onlooking(
            self._machine, self._lock, self._threads.running, self._flusher.stir, self._gpus
        )
        self._monitor = Monitor(
            own.report_interval_s,
            counts=self._counts,
            send=self._send_report,
            watch=self._on_memory if self._memory_limit else None,
        )

    async def wait_finished(self) -> tuple[str, bool]:
        """Wait until the worker is closed, or its scheduler gone.

        Returns
        -------
        tuple[str, bool]
            The reason, and whether this was in good order.
        """
        return await asyncio.shield(self._finished)

    async def leave(self, reason: str, timeout_s: float | None = None) -> None:
        """Have what only this worker holds moved to others, then close. May be called twice.

        Parameters
        ----------
        reason
            For the scheduler.
        timeout_s
            How long that may take, in place of ``worker.leave_timeout_s``.
        """
        with self._lock:
            self._machine.leave(reason)
        self._flusher.stir()
        if timeout_s is None:
            timeout_s = self._settings.worker.leave_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self.wait_finished()
        except TimeoutError:
            _logger.warning(
                "worker %r ends, although its scheduler did not let it go within %g s",
                self.name,
                timeout_s,
            )
        await self.close(reason)

    async def close(
        self, reason: str = "the worker was closed", *, timeout_s: float = _CLOSE_TIMEOUT_S
    ) -> None:
        """Leave the scheduler and stop. May be called twice.

        Parameters
        ----------
        reason
            For the scheduler.
        timeout_s
            How long to wait for running tasks, which are interrupted then. What cannot be
            interrupted runs on, and its result is dropped.
        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason, timeout_s))
        await asyncio.shield(self._closing)

    async def _close(self, reason: str, timeout_s: float) -> None:
        if self._channel is None:
            return
        self._finish(reason, clean=True)
        if self._finished.result()[1] and timeout_s > 0 and not self._channel.closed:
            # What is last said of actors goes before the goodbye.
            await asyncio.to_thread(self._actors.leave, timeout_s)
        self._monitor.close()
        self.feed.close()
        # A machine with a bug may not have said the truth.
        self._flusher.close(send_rest=self._finished.result()[1])
        self._channel.close(reason)
        ended = await asyncio.to_thread(self._close_executors, timeout_s)
        if not ended:
            _logger.info("worker %r was closed while tasks of it were running", self.name)
        await self._channel.wait_closed()
        await self._release()

    def _close_executors(self, timeout_s: float) -> bool:
        deadline_s = monotonic() + timeout_s
        ended = self._coroutines.close(timeout_s)
        ended = self._threads.close(max(deadline_s - monotonic(), 0.0)) and ended
        ended = self._actors.close(max(deadline_s - monotonic(), 0.0)) and ended
        ended = self._processes.close(max(deadline_s - monotonic(), 0.0)) and ended
        self._guests.close(timeout_s)
        self._spiller.close(timeout_s)
        self._desk.let_go()
        return ended

    async def _release(self) -> None:
        await close_services(self._services)
        if self._data is not None:
            await self._data.close()
            await self._calls.close()
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
            resources=dict(self._machine.resources),
            executors=dict(self._machine.slots),
            calls_address=self._calls_address,
            dashboard=link_of(self._services),
            leaves_in_s=(
                max(self.leaves_s - monotonic(), 0.0) if math.isfinite(self.leaves_s) else None
            ),
        )

    # What comes from the scheduler.

    def _on_messages(self, channel: Channel, messages: list[Struct]) -> None:
        del channel
        with self._lock:
            # The codec lets nothing through but what a scheduler says to a worker.
            self._machine.handle(messages, now())  # type: ignore[arg-type]
        if self._machine.feed.kinds != self.feed.kinds:
            self.feed.look()
        self._monitor.hurry()
        self._flusher.stir()

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

    def _end_soon(self, reason: str) -> bool:
        """End its process a moment later; called in any thread."""
        if self.owns_process:
            end = partial(self._end, reason, clean=False)
            with suppress(RuntimeError):  # The loop is closed, so the worker is.
                self._loop.call_soon_threadsafe(self._loop.call_later, _ANSWER_S, end)
        return self.owns_process

    def _break(self) -> None:
        """End the worker because of a bug; called in any thread."""
        with suppress(RuntimeError):  # The loop is closed, so the worker is.
            self._loop.call_soon_threadsafe(partial(self._end, "a bug ended a thread", clean=False))

    # What the machine commands.

    def _obey(self, command: Command) -> None:
        assert self._data is not None
        if isinstance(command, Fetch):
            self._data.fetch(command)
        elif isinstance(command, Spill | Unspill | DropFile):
            self._spiller.obey(command)
        elif isinstance(command, Leave):
            self._end(command.reason, clean=True)
        elif isinstance(command, Interrupt):
            self._threads.interrupt(command.task)
            self._coroutines.interrupt(command.task)
            self._processes.interrupt(command.task)
        else:
            self._guests.run(command)

    def _read_stacks(self) -> dict[str, list[str]]:
        return self.feed.stacks()

    def _forget_functions(self) -> None:
        with self._lock:
            self._machine.forget_loaded()
        self._processes.renew()

    def _log_event(self, topics: list[str], message: object) -> None:
        """Pass on what code here says about topics; called in any thread."""
        for topic in topics:
            if not isinstance(topic, str) or len(topic) > NAME_LENGTH_MAX:
                allowed = f"a text of at most {NAME_LENGTH_MAX} characters"
                raise SettingsError(
                    name="topic", value=topic, allowed=allowed, source="log_event()"
                )
        payload = encode_plain(message, f"the event of the topic {topics!r}")
        task = current_task()
        key, guard = ("", NO_GUARD) if task is None else (task.key, task.guard)
        with guard.shielded(), self._lock:
            for topic in topics:
                self._machine.log_event(topic, now(), key, payload)
            self._desk.flush_soon()

    def _here_ran_soon(self, answer: HereRan) -> None:
        """Take the answer of a guest, in its thread."""
        with suppress(RuntimeError):  # The loop is closed, so is the channel.
            self._loop.call_soon_threadsafe(self._here_ran, answer)

    def _here_ran(self, answer: HereRan) -> None:
        with self._lock:
            self._machine.here_ran(answer)
        self._flusher.stir()

    # What the monitor needs.

    def _counts(self) -> tuple[int, int, int, int]:
        with self._lock:
            machine = self._machine
            spilled_nbytes = machine.disk.spilled_nbytes
            return machine.held_nbytes, machine.running_count, machine.ready_count, spilled_nbytes

    def _on_memory(self, nbytes: int) -> bool:
        """Take note of the memory in use; return whether it may change soon."""
        nbytes += self._processes.memory_nbytes()
        with self._lock:
            self._machine.memory_sampled(nbytes)
            machine = self._machine
            is_watched = machine.paused or machine.running_count > 0 or machine.disk.is_busy
        self._flusher.stir()
        return is_watched

    def _send_report(self, report: WorkerReport) -> None:
        if self._channel is not None and self._closing is None:
            self._channel.send([report])

    def __repr__(self) -> str:
        return f"<Worker {self.name!r} at {self.address or 'no address yet'}>"
