"""The fork server: a small process that has everything imported and forks the cluster's processes.

A cluster's processes are forked from here and not from the user's program, so they start in
milliseconds, never import or copy the user's ``__main__`` (no guard is needed in scripts and
notebooks), and never fork a process that has threads. It is spoken to over one socket pair, a JSON
object a line:

* ``{"start": id, "role": "scheduler" | "worker", "options": {...}}``
* ``{"kill": id, "signal": number}``

and answers with events: ``{"id": id, "event": "started" | "told" | "exited", ...}``. When the
socket closes, whatever the reason, it ends its children and itself. A child dies with it, even if
it is killed (on Linux).
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

from hocket.core.settings import Settings
from hocket.deploy.exits import cause_of_death, die_with_parent
from hocket.scheduler.shell import run_scheduler
from hocket.worker.shell import run_worker

__all__ = ["main"]

#: How long children may take to end after they were asked to, in seconds.
_PATIENCE_S: Final = 3.0


def main() -> None:
    """Serve the socket whose descriptor is the first argument of the command line."""
    ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve()


class ForkServer:
    """The loop of the fork server.

    Parameters
    ----------
    control
        The socket on which requests come and events go.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._pids: dict[int, int] = {}
        self._reports: dict[int, tuple[int, bytes]] = {}
        self._received = b""
        self._wake_read, self._wake_write = os.pipe()
        self._closing = False

    def serve(self) -> None:
        """Fork and watch children until the socket closes."""
        gc.collect()
        gc.freeze()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            while not self._closing:
                for key, _ in self._selector.select():
                    self._on_readable(key.fd)
        finally:
            self._end_children()
            self._selector.close()
            self._control.close()

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        self._closing = True

    def _on_readable(self, fd: int) -> None:
        if fd == self._control.fileno():
            self._on_control()
        elif fd == self._wake_read:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
            self._reap()
        elif fd in self._reports:
            self._on_report(fd)

    def _on_control(self) -> None:
        try:
            data = self._control.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._closing = True
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "start" in request:
                self._start(request["start"], request["role"], request["options"])
            elif "kill" in request:
                self._kill(request["kill"], request["signal"])

    def _start(self, id_: int, role: str, options: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pipe: list[int] = []
        # The child is not to take for ours what is meant for it, before it has its own handlers.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pipe += os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(pipe[0])
                self._become(role, options, pipe[1], parent, mask)
        except OSError as error:
            # Too many processes or files: bad for this child, and for no other.
            for fd in pipe:
                os.close(fd)
            self._tell({"id": id_, "event": "exited", "cause": f"it cannot be forked: {error}"})
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        report_read, report_write = pipe
        os.close(report_write)
        self._pids[pid] = id_
        self._reports[report_read] = (id_, b"")
        self._selector.register(report_read, selectors.EVENT_READ)
        self._tell({"id": id_, "event": "started", "pid": pid})

    def _become(
        self,
        role: str,
        options: dict[str, Any],
        report: int,
        parent: int,
        mask: set[int | signal.Signals],
    ) -> NoReturn:
        """Turn this fresh child into a scheduler or a worker; never return."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._selector.close()
            self._control.close()
            for fd in (self._wake_read, self._wake_write, *self._reports):
                os.close(fd)
            die_with_parent(parent)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)

            def tell(**facts: object) -> None:
                os.write(report, json.dumps(facts).encode() + b"\n")

            status = ROLES[role](options, tell)
        except BaseException:  # noqa: BLE001 - the child ends here whatever happens
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _on_report(self, fd: int) -> None:
        id_, received = self._reports[fd]
        data = os.read(fd, 65536)
        *lines, received = (received + data).split(b"\n")
        self._reports[fd] = (id_, received)
        if not data:
            self._selector.unregister(fd)
            os.close(fd)
            del self._reports[fd]
        for line in lines:
            self._tell({"id": id_, "event": "told", **json.loads(line)})

    def _reap(self) -> None:
        while self._pids:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            id_ = self._pids.pop(pid, None)
            if id_ is not None:
                self._tell({"id": id_, "event": "exited", "cause": cause_of_death(status)})

    def _kill(self, id_: int, number: int) -> None:
        for pid, child in self._pids.items():
            if child == id_:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _tell(self, event: dict[str, object]) -> None:
        try:
            self._control.sendall(json.dumps(event).encode() + b"\n")
        except OSError:
            self._closing = True

    def _end_children(self) -> None:
        # What is closed counts as readable for ever; only the ends of children matter now.
        for fd in (self._control.fileno(), *self._reports):
            self._selector.unregister(fd)
        for number, patience_s in ((signal.SIGTERM, _PATIENCE_S), (signal.SIGKILL, _PATIENCE_S)):
            for id_ in list(self._pids.values()):
                self._kill(id_, number)
            deadline = time.monotonic() + patience_s
            while self._pids and time.monotonic() < deadline:
                self._reap()
                if self._pids:
                    self._selector.select(0.02)
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the wake-up descriptor is what counts."""


def _scheduler(options: dict[str, Any], tell: Callable[..., None]) -> int:
    facts: dict[str, str] = {}
    run_scheduler(
        options["addresses"],
        settings=Settings.from_flat(options["settings"]),
        secret=options["secret"],
        cluster_id=options.get("cluster_id", ""),
        ready=lambda address: tell(address=address, **facts),
        dashboard=lambda link: facts.update(dashboard=link),
        replaced=lambda secret: tell(secret=secret),
    )
    return 0


def _worker(options: dict[str, Any], tell: Callable[..., None]) -> int:
    # Functions that the user imports from beside a script are found where the script finds them.
    sys.path[:] = options["path"] + [one for one in sys.path if one not in options["path"]]
    return run_worker(
        options["scheduler"],
        name=options["name"],
        threads=options["threads"],
        memory_limit=options["memory_limit"],
        resources=options["resources"],
        settings=Settings.from_flat(options["settings"]),
        secret=options["secret"],
        ready=lambda address: tell(address=address),
    )


ROLES: Final[dict[str, Callable[[dict[str, Any], Callable[..., None]], int]]] = {
    "scheduler": _scheduler,
    "worker": _worker,
}

if __name__ == "__main__":
    main()
