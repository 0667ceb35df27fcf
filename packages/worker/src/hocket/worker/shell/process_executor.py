"""The executor ``processes``: each task runs in a process beside the worker's.

It sees only the devices that it was given, holds up nobody's interpreter, and takes nobody along if
it dies. A thread of the worker's stands for each: it takes the task from the machine, hands inputs
and value on as they lie, and answers what the task asks for.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Final

from hocket.core.errors import Reschedule, WorkerDied
from hocket.core.resource_names import GPU
from hocket.core.task_context import PROVIDER, TaskContext
from hocket.core.worker_view import WorkerView
from hocket.protocol.feed import decode_plain
from hocket.protocol.messages import Failure
from hocket.worker.gpus import pinning
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.desk import PROCESSES, Desk
from hocket.worker.shell.execution import Outcome, failure_before, failure_of
from hocket.worker.shell.packed import Packed, pack_datum
from hocket.worker.shell.process_pipe import (
    Answered,
    Asked,
    Ended,
    Hello,
    Printed,
    RunOne,
    Said,
    Want,
)
from hocket.worker.shell.process_pool import Process, ProcessPool
from hocket.worker.shell.recording import keep
from hocket.worker.state import Task

__all__ = ["ProcessExecutor"]

_logger: Final = logging.getLogger("hocket.worker")

#: Processes that had nothing to do for so long are ended: they hold memory, also of devices.
_IDLE_S: Final = 60.0


@dataclass(eq=False, slots=True)
class _Seat:
    """One of the threads, and what it stands for."""

    task: Task | None = None
    process: Process | None = None
    has_seceded: bool = False
    context: TaskContext | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: Set when the thread has no more to do.
    is_done: threading.Event = field(default_factory=threading.Event)

    def kill(self, task: Task) -> None:
        """Kill the process, if it runs this task."""
        with self.lock:
            if self.process is not None and self.task is task:
                self.process.kill()


class ProcessExecutor:
    """Runs the tasks of the executor ``processes`` of a machine. No process before the first.

    Parameters
    ----------
    desk
        Where tasks come from, and reports go.
    contexts
        Makes what tasks are told of where they run.
    slots
        How many tasks may run at once.
    inline_nbytes_max
        The largest pickled value that goes along with a report.
    on_broken
        Called in any thread when a bug of ours has ended one of these.
    """

    def __init__(
        self,
        desk: Desk,
        contexts: Contexts,
        *,
        slots: int,
        inline_nbytes_max: int,
        on_broken: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._contexts = contexts
        view = contexts.view or WorkerView(contexts.worker)
        self._view = view
        self._gpu_names = tuple(view.device_names.get(GPU, ()))
        self._inline_nbytes_max = inline_nbytes_max
        self._on_broken = on_broken
        self._pool = ProcessPool(self._hello, slots)
        # All that follows is guarded by the lock.
        self._seats: dict[threading.Thread, _Seat] = {}
        self._idle_count = 0
        self._numbers = 0
        self._is_short = False
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        #: A process is killed with the thread that started it, though another may use it by then
        #: (see `process_child`): so threads end when all tasks have.
        self._may_end = threading.Event()
        desk.executors.append(self)

    @property
    def is_busy(self) -> bool:
        """Whether some thread is not waiting for a task. The lock must be held."""
        return self._idle_count < len(self._seats)

    @property
    def is_waking(self) -> bool:
        """Whether a thread is on its way to a task: it has it from the start."""
        return False

    def wake(self) -> None:
        """Have as many tasks begun as may. The lock must be held."""
        machine = self._desk.machine
        while not self._desk.closing and machine.startable(PROCESSES):
            if not self._idle_count and not self._add_thread():
                return
            task = machine.take(PROCESSES)
            if task is None:
                return
            self._idle_count -= 1
            self._tasks.put(task)

    def _add_thread(self) -> bool:
        seat = _Seat()
        name = f"{self._contexts.worker} {PROCESSES} {self._numbers}"
        thread = threading.Thread(target=self._run, args=(seat,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no more. Tasks wait until one of those that there are comes free.
            if not self._is_short:
                self._is_short = True
                _logger.warning("worker %r cannot start a thread: %s", self._contexts.worker, error)
            return False
        self._numbers += 1
        self._seats[thread] = seat
        self._idle_count += 1
        return True

    def interrupt(self, task: Task) -> None:
        """Kill the process that runs a task, if one does; for any other thread."""
        with self._desk.lock:
            seats = list(self._seats.values())
        for seat in seats:
            seat.kill(task)

    def memory_nbytes(self) -> int:
        """Return the memory of the processes; for any thread, without the lock."""
        return self._pool.memory_nbytes()

    def renew(self) -> None:
        """Have tasks from now on run in processes that import everything anew."""
        self._pool.renew()

    def close(self, timeout_s: float) -> bool:
        """End all threads and processes. Return whether the threads have ended.

        The desk must be closed.

        Parameters
        ----------
        timeout_s
            How long to wait for tasks that run, which are killed then.
        """
        with self._desk.lock:
            seats = dict(self._seats)
        for _ in seats:
            self._tasks.put(None)
        deadline_s = monotonic() + timeout_s
        waits = [seat.is_done.wait(max(deadline_s - monotonic(), 0.0)) for seat in seats.values()]
        self._pool.close()
        self._may_end.set()
        deadline_s = monotonic() + timeout_s
        for thread in seats:
            thread.join(max(deadline_s - monotonic(), 0.0))
        return all(waits)

    def _hello(self) -> Hello:
        view, contexts = self._view, self._contexts
        return Hello(
            contexts.worker,
            view.address,
            contexts.scheduler_address,
            contexts.secret,
            contexts.settings,
            view.threads_count,
            view.memory_limit,
            view.resources,
            view.device_names,
            view.cluster_id,
        )

    # In the threads.

    def _run(self, seat: _Seat) -> None:
        PROVIDER.set(lambda: seat.context)
        try:
            while (task := self._wait_for_task()) is not None:
                following: Task | None = task
                del task
                while following is not None:
                    following = self._end(following, self._outcome(seat, following))
        except BaseException:
            # No code of the user's gets here.
            _logger.exception(
                "a bug in hocket, please report: a thread of %r ended", self._contexts.worker
            )
            self._on_broken()
        seat.is_done.set()
        self._may_end.wait()

    def _wait_for_task(self) -> Task | None:
        try:
            return self._tasks.get(timeout=_IDLE_S)
        except Empty:
            self._pool.end_idle()
            return self._tasks.get()

    def _end(self, task: Task, outcome: Outcome | None) -> Task | None:
        """Report how a task ended, and take the next one."""
        desk = self._desk
        with desk.lock:
            if outcome is not None and not desk.closing:
                desk.end(task, outcome)
                desk.flush_soon()
                desk.wake()
            following = None if desk.closing else desk.machine.take(PROCESSES)
            if following is None:
                self._idle_count += 1
            return following

    def _outcome(self, seat: _Seat, task: Task) -> Outcome | None:
        """Run a task to its end; None: the worker ends, and it has not begun."""
        if task.announced and not self._announce():
            return None
        start_s = time()
        worker = self._contexts.worker
        try:
            packed = [(datum, pack_datum(datum)) for datum in task.inputs]
        except BaseException as error:  # noqa: BLE001 - pickling runs code of the user's
            return _failed(failure_before(error, task, worker), start_s)
        function = task.function
        message = RunOne(
            task.key,
            task.attempt,
            function.label,
            function.digest,
            None,
            task.payload,
            task.wanted,
            dict(task.devices),
            [(datum.key, datum.attempt, datum.nbytes, len(pieces)) for datum, pieces in packed],
            self._inline_nbytes_max,
            (),
        )
        buffers = [piece for _, pieces in packed for piece in pieces]
        del packed
        try:
            process = self._pool.take(self._variables(task))
        except OSError as error:
            error.add_note("no process could be started for the task")
            return _failed(failure_of(error, task.key, task.attempt, worker), start_s)
        with seat.lock:
            seat.task, seat.process, seat.has_seceded = task, process, False
        seat.context = self._contexts.of(task, secede=bool, rejoin=lambda: None)
        try:
            process.run(message, function.blob, buffers)
            del buffers, message
            ended, value = self._hear(seat, process, task)
        except (EOFError, OSError) as error:
            self._leave(seat)
            cause = process.end()
            if error.__cause__ is not None:
                cause = f"{cause}: {error}"
            died = WorkerDied(key=task.key, causes=[cause])
            failure = failure_of(died, task.key, task.attempt, worker)
            return _failed(failure, start_s)
        self._leave(seat)
        self._pool.give_back(process)
        return _outcome_of(ended, value)

    def _variables(self, task: Task) -> Mapping[str, str]:
        """Return the variables that show a task its GPUs alone, if it has any."""
        indices = task.devices.get(GPU)
        if not indices:
            return {}
        names = self._gpu_names or [str(index) for index in range(max(indices) + 1)]
        return pinning([names[index] for index in indices], os.environ)

    def _leave(self, seat: _Seat) -> None:
        seat.context = None
        with seat.lock:
            seat.task = seat.process = None

    def _hear(self, seat: _Seat, process: Process, task: Task) -> tuple[Ended, list[bytearray]]:
        """Do what the task wants until it ends."""
        while True:
            message, buffers = process.pipe.receive()
            if isinstance(message, Ended):
                return message, buffers
            if isinstance(message, Asked | Said):
                process.pipe.send(Answered(self._answer(seat, task, message)))
            elif isinstance(message, Printed):
                keep(message.line)

    def _answer(self, seat: _Seat, task: Task, asked: Asked | Said) -> bool | str | Exception:
        if isinstance(asked, Said) or asked.what == Want.DIRECTORY:
            try:
                return self._do(asked)
            except Exception as error:  # noqa: BLE001 - the task is to deal with it
                return error
        gate = threading.Event()
        with self._desk.lock:
            if asked.what == Want.SECEDE:
                done = self._desk.secede(task)
                seat.has_seceded = seat.has_seceded or done
                self._desk.wake()
                return done
            if not seat.has_seceded:
                return True
            seat.has_seceded = False
            if self._desk.rejoin(task, gate.set):
                return True
        gate.wait()
        return True

    def _do(self, asked: Asked | Said) -> bool | str:
        if isinstance(asked, Asked):
            return self._view.find_directory()
        self._view.send_event(asked.topics, decode_plain(asked.payload))
        return True

    def _announce(self) -> bool:
        """Wait until the scheduler is told that a task begins. Return whether it may."""
        gate = threading.Event()
        with self._desk.lock:
            self._desk.send_first(gate.set)
        gate.wait()
        return not self._desk.closing


def _failed(failure: Failure, start_s: float) -> Outcome:
    return Outcome(None, 0, None, failure, start_s, max(time() - start_s, 0.0))


def _outcome_of(ended: Ended, buffers: list[bytearray]) -> Outcome:
    times = (ended.start_s, ended.duration_s, ended.phases)
    if ended.is_rescheduled:
        return Outcome(None, 0, None, Reschedule(), *times)
    if ended.failure is not None:
        return Outcome(None, 0, None, ended.failure, *times)
    inline = bytes(buffers[0]) if ended.is_inline else None
    # It is unpickled only if something here reads it.
    return Outcome(Packed([*buffers]), ended.nbytes, inline, None, *times)
