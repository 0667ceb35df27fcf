"""The other end of the executor ``processes``: runs task after task, sends the values back.

Nothing of a task stays here when it has ended, so what it had on a device is free again. When the
worker is gone the process ends, in the middle of a task, too. Signals that ask a worker to end are
the worker's affair: its tasks may come to an end meanwhile.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from hocket.core.errors import Reschedule
from hocket.core.recent_logs import LogLine
from hocket.core.task_context import PROVIDER, TaskContext
from hocket.core.worker_view import WorkerView
from hocket.protocol.feed import encode_plain
from hocket.protocol.serialize import pack
from hocket.worker.lanes import Lane
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.desk import PROCESSES
from hocket.worker.shell.execution import Outcome, execute, failure_after
from hocket.worker.shell.packed import Packed
from hocket.worker.shell.process_pipe import (
    FUNCTIONS_MAX,
    Answered,
    Asked,
    Buffers,
    Ended,
    Hello,
    Pipe,
    Printed,
    RunOne,
    Said,
    Want,
)
from hocket.worker.shell.recording import capture, listeners
from hocket.worker.state import Datum, Function, Task, Terms

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1
#: What batch systems, terminals and users send to ask a worker to end.
_ENDING: Final = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")


def main(descriptor: int, parent: int) -> None:
    """Run tasks until the worker closes the pipe.

    Parameters
    ----------
    descriptor
        Of our end of it.
    parent
        The worker's process.
    """
    for name in _ENDING:
        if hasattr(signal, name):
            # (A handler, and not SIG_IGN: programs that tasks start would inherit that.)
            signal.signal(signal.Signals[name], lambda _number, _frame: None)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return
    # While anybody has our end, the worker does not hear that this process has died.
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no names
    pipe = Pipe(socket.socket(fileno=descriptor))
    hello, _ = pipe.receive()
    assert isinstance(hello, Hello)
    child = _Child(pipe, hello)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=child.forsake)
    child.serve()


class _Child:
    """A process that runs tasks."""

    def __init__(self, pipe: Pipe, hello: Hello) -> None:
        self._pipe = pipe
        self._worker = hello.worker
        self._functions: dict[bytes, Function] = {}
        self._terms = Terms(Lane[Task](PROCESSES, 1), ())
        view = WorkerView(
            hello.worker,
            hello.address,
            hello.scheduler_address,
            hello.threads_count,
            hello.memory_limit,
            hello.resources,
            hello.device_names,
            cluster_id=hello.cluster_id,
            sees_own_gpus=True,
            find_directory=lambda: str(self._ask(Asked(Want.DIRECTORY))),
            send_event=self._say,
        )
        self._contexts = Contexts(
            hello.worker, hello.scheduler_address, hello.secret, hello.settings, view
        )
        self._context: TaskContext | None = None
        self._tasks: SimpleQueue[tuple[RunOne, list[bytearray]]] = SimpleQueue()
        self._answers: SimpleQueue[bool | str | Exception] = SimpleQueue()
        #: Tasks may have threads of their own, which ask as well.
        self._asking = threading.Lock()

    def serve(self) -> None:
        """Run tasks as they come; never return."""
        capture()
        listeners.append(self._tell_line)
        PROVIDER.set(lambda: self._context)
        threading.Thread(target=self._read, name="hocket pipe", daemon=True).start()
        while True:
            self._serve_one()
            # (Whoever ends this process flushes nothing. Tasks may have closed these.)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError, AttributeError):
                    stream.flush()

    def forsake(self) -> None:
        """Leave the worker alone in a process that a task has forked off this one."""
        listeners.clear()
        self._asking = threading.Lock()
        self._pipe.forsake()
        # Such as `multiprocessing.Pool` ends these by a signal, and waits until they are gone.
        for name in _ENDING:
            if hasattr(signal, name):
                signal.signal(
                    signal.Signals[name],
                    signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL,
                )

    def _read(self) -> None:
        try:
            while True:
                self._read_one()
        except EOFError:
            pass
        except OSError as error:
            if error.__cause__ is not None:
                # A task's inputs may be too large; the worker hears that this process is gone.
                with suppress(Exception):
                    print(error, file=sys.stderr, flush=True)  # noqa: T201 - on its last leg
                os._exit(1)
        # The worker is gone, and nobody waits for what runs here.
        os._exit(0)

    def _read_one(self) -> None:
        message, buffers = self._pipe.receive()
        if isinstance(message, RunOne):
            self._tasks.put((message, buffers))
        elif isinstance(message, Answered):
            self._answers.put(message.value)

    def _serve_one(self) -> None:
        message, buffers = self._tasks.get()
        sys.path[:] = message.path
        task = self._task_of(message, buffers)
        del buffers
        self._context = self._contexts.of(
            task,
            secede=lambda: bool(self._ask(Asked(Want.SECEDE))),
            rejoin=self._rejoin,
        )
        outcome = execute(task, self._worker, message.inline_nbytes_max)
        self._context = None
        self._end(task, outcome)
        if outcome.failure is not None and task.devices:
            # Frames of a traceback may be part of a circle, and hold arrays on the device.
            del outcome
            gc.collect()

    def _task_of(self, message: RunOne, buffers: Sequence[bytearray]) -> Task:
        function = self._functions.get(message.digest)
        if function is None:
            assert message.blob is not None
            if len(self._functions) >= FUNCTIONS_MAX:
                self._functions.clear()
            function = Function(message.digest, message.label, message.blob)
            self._functions[message.digest] = function
        task = Task(
            message.key,
            message.attempt,
            0,
            function,
            message.payload,
            message.wanted,
            self._terms,
        )
        task.devices = message.devices
        rest = iter(buffers)
        task.inputs = [
            Datum(key, attempt, nbytes, Packed([next(rest) for _ in range(count)]))
            for key, attempt, nbytes, count in message.inputs
        ]
        return task

    def _end(self, task: Task, outcome: Outcome) -> None:
        value, nbytes, inline, failure, start_s, duration_s, phases = outcome
        is_rescheduled = isinstance(failure, Reschedule)
        buffers: Buffers = ()
        if inline is not None:
            buffers = [inline]
        elif failure is None:
            try:
                buffers = pack(value, f"the result of task {task.key!r}")
            except BaseException as error:  # noqa: BLE001 - pickling runs code of the user's
                failure = failure_after(error, value, task, self._worker)
        ended = Ended(
            None if isinstance(failure, Reschedule) else failure,
            is_rescheduled,
            inline is not None,
            nbytes,
            start_s,
            duration_s,
            phases,
        )
        self._pipe.send(ended, buffers)

    # What tasks ask for.

    def _ask(self, question: Asked | Said) -> bool | str:
        with self._asking:
            self._pipe.send(question)
            answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _rejoin(self) -> None:
        self._ask(Asked(Want.REJOIN))

    def _say(self, topics: list[str], message: object) -> None:
        self._ask(Said(topics, encode_plain(message, f"the event of the topic {topics!r}")))

    def _tell_line(self, line: LogLine) -> None:
        try:
            self._pipe.send(Printed(line))
        except OSError:
            # The worker is gone, as the other thread will find.
            return
