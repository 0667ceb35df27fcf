"""Running a graph in processes, started for the run and ended with it.

How the processes are started, and why:

* Each is a fresh interpreter (``subprocess``) that imports this package and nothing else. So it
  never runs the caller's ``__main__`` again, and scripts need no ``if __name__ == "__main__"``
  guard, as they would with the ``spawn`` and ``forkserver`` methods of `multiprocessing`; notebooks
  and ``python -c`` work too.
* It is not a fork: a fork copies locks that other threads hold, and a process with threads (every
  notebook, every program that has used a BLAS) may hang or crash in it.
* Everything is pickled by cloudpickle, in both directions: functions and classes of ``__main__``
  travel by value, and an object of such a class comes back as one of the caller's own class.
* Each process talks over one socket pair and gets one task at a time. When the socket is closed,
  which happens at the latest when the caller dies, the process ends. Ctrl-C is the caller's affair.

Results are kept pickled in between, and handed to the next task as they are; only the wanted ones
are unpickled here. ``sys.path`` and the environment are the caller's; standard input is empty. At
an error processes that are still busy are terminated.
"""

from __future__ import annotations

import pickle
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

import cloudpickle

from hocket.core.errors import SerializationError, WorkerDied
from hocket.graph.executors.exceptions import unpack_error
from hocket.graph.executors.progress import Progress
from hocket.graph.executors.wire import receive, send
from hocket.graph.graph import Graph
from hocket.graph.keys import Key, key_text
from hocket.graph.task import Task

__all__ = ["run_in_processes"]

#: Ctrl-C reaches every process of a terminal; the one that started the others decides about it.
_BOOTSTRAP = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
from hocket.graph.executors.child import main
main(int(sys.argv[1]))
"""

#: How long a process may take to end by itself, and to obey a request to end.
_GRACE_S = 5.0
_GRACE_AFTER_ERROR_S = 1.0


def run_in_processes(graph: Graph, wanted: Sequence[Key], workers: int) -> dict[Key, Any]:
    """Run all of a graph.

    Parameters
    ----------
    graph
        What to run.
    wanted
        The keys to return.
    workers
        The number of processes, at least 1; they are started as they are needed.

    Returns
    -------
    dict
        The values of the wanted keys.

    Raises
    ------
    UnknownKey, GraphCycle
        The graph cannot be computed.
    SerializationError
        Something to be sent, or a result, cannot be pickled or unpickled.
    WorkerDied
        A process ended while it ran a task.
    TaskFailed
        A task raised an exception that cannot be pickled.
    BaseException
        The first one that a task raises, with its traceback.
    """
    progress = Progress(graph, wanted, carry=_pickled_data)
    functions = _Functions(graph)
    with _Crew(workers) as crew:
        while not progress.done:
            while crew.has_room and (number := progress.start_next()) is not None:
                task = progress.task(number)
                crew.start(number, progress.key(number), task, progress.inputs(number), functions)
            if crew.busy:
                for number, result in crew.finished():
                    progress.finish(number, result)
    values: dict[Key, Any] = {}
    for key, pickled in progress.results().items():
        try:
            values[key] = pickle.loads(pickled)
        except Exception as error:
            raise _unpicklable(f"the value of {key_text(key)!r}", None, error) from error
    return values


def _pickled_data(key: Key, value: Any) -> bytes:
    return _pickled(f"the value of {key_text(key)!r}", value)


def _pickled(what: str, value: Any) -> bytes:
    try:
        return cloudpickle.dumps(value)  # type: ignore[no-any-return]
    except Exception as error:
        raise _unpicklable(what, value, error) from error


def _unpicklable(what: str, value: Any, error: Exception) -> SerializationError:
    return SerializationError(
        what=what,
        type_name="unknown" if value is None else type(value).__name__,
        reason=f"{type(error).__name__}: {error}",
    )


def _pickled_arguments(key: Key, task: Task) -> bytes:
    try:
        return cloudpickle.dumps((task.args, dict(task.kwargs)))  # type: ignore[no-any-return]
    except Exception as error:
        named: list[tuple[object, Any]] = [*enumerate(task.args), *task.kwargs.items()]
        for name, value in named:
            _pickled(f"argument {name} of task {key_text(key)!r}", value)
        what = f"the arguments of task {key_text(key)!r}"
        raise _unpicklable(what, task.args, error) from error


class _Functions:
    """The pickled functions of one run: one that several tasks share is pickled once."""

    def __init__(self, graph: Graph) -> None:
        tasks = [entry for entry in graph.values() if isinstance(entry, Task)]
        counts = Counter(id(task.function) for task in tasks)
        self._shared = {identity for identity, count in counts.items() if count > 1}
        self._pickled: dict[int, bytes] = {}

    def shared_id(self, task: Task) -> int | None:
        """Return the number under which a process keeps the function, if it should keep it."""
        return id(task.function) if id(task.function) in self._shared else None

    def pickled(self, key: Key, task: Task) -> bytes:
        """Return the pickled function of a task."""
        pickled = self._pickled.get(id(task.function))
        if pickled is None:
            pickled = _pickled(f"the function of task {key_text(key)!r}", task.function)
            if id(task.function) in self._shared:
                self._pickled[id(task.function)] = pickled
        return pickled


class _Child:
    """One process and the task that it runs."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            path = [entry for entry in sys.path if isinstance(entry, str)]
            self.process = subprocess.Popen(  # noqa: S603 - this interpreter, our own code
                [sys.executable, "-c", _BOOTSTRAP.format(path=path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
            self.connection = Connection(ours.detach())
        self.number = -1
        self.key: Key = ""
        self._known: set[int] = set()

    def start(
        self, number: int, key: Key, task: Task, inputs: dict[Key, bytes], functions: _Functions
    ) -> None:
        """Send a task to the process."""
        self.number, self.key = number, key
        shared_id = functions.shared_id(task)
        function = None if shared_id in self._known else functions.pickled(key, task)
        arguments = _pickled_arguments(key, task)
        try:
            send(
                self.connection,
                (key_text(key), shared_id, list(inputs)),
                [function, arguments, *inputs.values()],
            )
        except OSError:
            raise self._death() from None
        if shared_id is not None:
            self._known.add(shared_id)

    def result(self) -> bytes:
        """Receive the pickled result of the task, or raise what it raised."""
        try:
            failed, (blob,) = receive(self.connection)
        except (OSError, EOFError):
            raise self._death() from None
        assert blob is not None
        if not failed:
            return blob
        raise unpack_error(key_text(self.key), blob)

    def _death(self) -> WorkerDied:
        try:
            code = self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            cause = "it closed its connection"
        else:
            cause = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        return WorkerDied(key=key_text(self.key), causes=[cause])

    def end(self, grace_s: float) -> None:
        """Wait for the process to end, and kill it if it does not."""
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Crew:
    """The processes of one run; leaving the context ends them all."""

    def __init__(self, workers: int) -> None:
        self._workers_count = workers
        self._children: list[_Child] = []
        self._idle: list[_Child] = []
        self.busy: dict[object, _Child] = {}

    @property
    def has_room(self) -> bool:
        """Whether another task can be started now."""
        return len(self.busy) < self._workers_count

    def start(
        self, number: int, key: Key, task: Task, inputs: dict[Key, bytes], functions: _Functions
    ) -> None:
        """Start a task in a process that is idle, or in a new one."""
        if self._idle:
            child = self._idle.pop()
        else:
            child = _Child()
            self._children.append(child)
        self.busy[child.connection] = child
        child.start(number, key, task, inputs, functions)

    def finished(self) -> list[tuple[int, bytes]]:
        """Wait for results and return them with the numbers of their tasks."""
        results = []
        for connection in wait([child.connection for child in self.busy.values()]):
            child = self.busy.pop(connection)
            self._idle.append(child)
            results.append((child.number, child.result()))
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self.busy.values():
            child.process.terminate()
        for child in self._children:
            child.connection.close()
        for child in self._children:
            child.end(_GRACE_S if error is None else _GRACE_AFTER_ERROR_S)
