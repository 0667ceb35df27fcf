"""The processes that run tasks for a worker: made when first needed, used again, ended when idle.

What a process sees of the devices is settled when it is made, before anything in it can look. So
there are processes for each set of devices that tasks were given, and no process has two.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psutil

from hocket.worker.shell.process_pipe import FUNCTIONS_MAX, Buffers, Hello, Pipe, RunOne

__all__ = ["Process", "ProcessPool"]

#: How long a process may take to be gone that was killed, or that closed its pipe.
_GONE_S: Final = 5.0

_BOOTSTRAP: Final = """\
import sys
sys.path[:] = {path!r}
from hocket.worker.shell.process_child import main
main(int(sys.argv[1]), int(sys.argv[2]))
"""


class Process:
    """One process. One thread at a time uses it; `kill` is for any.

    Parameters
    ----------
    hello
        What it is told first.
    variables
        Of its environment, beside our own.
    generation
        See `ProcessPool.renew`.

    Raises
    ------
    OSError
        The system has no more.
    """

    def __init__(self, hello: Hello, variables: Mapping[str, str], generation: int) -> None:
        self.variables = dict(variables)
        self.generation = generation
        #: Digests of the functions that it has.
        self._known: set[bytes] = set()
        self._is_killed = False
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                bootstrap = _BOOTSTRAP.format(path=_search_path())
                arguments = [str(theirs.fileno()), str(os.getpid())]
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our own code
                    [sys.executable, "-c", bootstrap, *arguments],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **variables},
                )
            except BaseException:
                ours.close()
                raise
        self.pipe = Pipe(ours)
        try:
            self.pipe.send(hello)
        except OSError:
            # It is gone already, and whoever waits for its answers hears of it.
            return

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def memory_nbytes(self) -> int:
        """Return the memory that it has for itself; 0 if it has ended."""
        with suppress(psutil.Error):
            found = psutil.Process(self._process.pid).memory_info()
            # (What it shares are mostly libraries that others have loaded as well.)
            return int(found.rss - getattr(found, "shared", 0)) if self.is_alive else 0
        return 0

    def run(self, message: RunOne, blob: bytes, buffers: Buffers) -> None:
        """Send it a task, and the function's pickle if it does not have it.

        Raises
        ------
        OSError
            It is gone.
        """
        is_known = message.digest in self._known
        message = message._replace(blob=None if is_known else blob, path=_search_path())
        self.pipe.send(message, buffers)
        if not is_known and len(self._known) >= FUNCTIONS_MAX:
            self._known.clear()
        self._known.add(message.digest)

    def kill(self) -> None:
        """Kill it; whoever waits for an answer of it hears of its end."""
        self._is_killed = True
        self._process.kill()

    def end(self) -> str:
        """Kill it if it lives, wait until it is gone, and return of what it died, in words."""
        if not self._is_killed:
            try:
                # One that closed its pipe is about to end, and its own cause is to be told.
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.pipe.close()
        try:
            code = self._process.wait(_GONE_S)
        except subprocess.TimeoutExpired:
            # (It has much memory to give back, or hangs in a driver.)
            return "killed, and still not gone"
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def retire(self) -> None:
        """End it at once: it has nothing to do."""
        self._is_killed = True
        self._process.kill()
        self.end()


class ProcessPool:
    """The processes of one worker. For any thread.

    Parameters
    ----------
    greet
        Returns what each is told first.
    count_max
        How many may wait for tasks.
    """

    def __init__(self, greet: Callable[[], Hello], count_max: int) -> None:
        self._greet = greet
        self._count_max = count_max
        self._lock = threading.Lock()
        #: Those that have nothing to do, the longest idle first.
        self._idle: list[Process] = []
        self._generation = 0
        self._is_closed = False
        #: All that were made, as long as they are there.
        self._made: weakref.WeakSet[Process] = weakref.WeakSet()

    def memory_nbytes(self) -> int:
        """Return the memory that all of them have for themselves."""
        with self._lock:
            made = list(self._made)
        return sum(process.memory_nbytes() for process in made)

    def take(self, variables: Mapping[str, str]) -> Process:
        """Return a process with these variables in its environment, a new one if none is idle.

        Raises
        ------
        OSError
            The system has no more processes, or the pool is closed.
        """
        with self._lock:
            found = None
            gone = [one for one in self._idle if not one.is_alive]
            self._idle = [one for one in self._idle if one not in gone]
            for process in reversed(self._idle):
                if process.variables == variables:
                    found = process
                    self._idle.remove(process)
                    break
            else:
                # One with other devices makes room.
                if len(self._idle) >= self._count_max:
                    gone.append(self._idle.pop(0))
            generation = self._generation
        for process in gone:
            process.retire()
        if found is None:
            found = Process(self._greet(), variables, generation)
            with self._lock:
                self._made.add(found)
                is_late = self._is_closed
            if is_late:
                found.retire()
                raise OSError("the worker ends")
        return found

    def give_back(self, process: Process) -> None:
        """Have a process that has ended its task wait for the next."""
        with self._lock:
            is_kept = not self._is_closed and process.generation == self._generation
            if is_kept:
                self._idle.append(process)
            is_one_too_many = len(self._idle) > self._count_max
            if is_one_too_many:
                process, is_kept = self._idle.pop(0), False
        if not is_kept:
            process.retire()

    def renew(self) -> None:
        """Let no process run another task that was there before: modules have changed."""
        with self._lock:
            self._generation += 1
        self.end_idle()

    def end_idle(self) -> None:
        """End the processes that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.retire()

    def close(self) -> None:
        """Kill all processes, also those that run tasks, and make no more."""
        with self._lock:
            self._is_closed = True
            made = list(self._made)
        for process in made:
            process.kill()
        self.end_idle()


def _search_path() -> list[str]:
    return [entry for entry in sys.path if isinstance(entry, str)]
