"""The client's end of the fork server: start processes, hear of their fate, end them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from hocket.core.errors import ConnectFailed
from hocket.deploy.exits import describe_exit

__all__ = ["FORK_SERVER", "Processes", "StartFailed"]

#: The name under which the end of the fork server itself is told.
FORK_SERVER: Final = "the fork server"
#: How long the fork server may take to end its children and itself, in seconds.
_PATIENCE_S: Final = 8.0

#: Ends of children that nobody asked for: ``(name, cause)``; None: no more will come.
Exits = queue.SimpleQueue[tuple[str, str] | None]


class StartFailed(ConnectFailed):
    """A process of the cluster ended, or took too long, while it was starting."""

    def describe(self) -> str:
        """Return the reason, which says all."""
        return self.reason


class Processes:
    """A fork server and its children.

    Parameters
    ----------
    on_exit
        Called on a thread of ours with the name and the cause when a child ends that was not
        asked to, or the fork server (`FORK_SERVER`), and with it all children.
    """

    def __init__(self, on_exit: Callable[[str, str], None]) -> None:
        ours, theirs = socket.socketpair()
        self._control = ours
        try:
            self._server = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
                # (-P: what lies in the current directory is not to be taken for a module.)
                [sys.executable, "-P", "-m", "hocket.deploy.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl-C in a terminal is meant for the user's program, not for the cluster.
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        #: Of children that are there, and of those that ended before they were ready.
        self._names: dict[int, str] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._stopping: set[str] = set()
        self._ids_count = 0
        self._closing = threading.Event()
        self._ended = False
        # (At the end of the interpreter this is all that is called.)
        self._finalizer = weakref.finalize(self, _end, ours, self._server, self._closing)
        self._exits: Exits = queue.SimpleQueue()
        # Two threads: the one that reads must never wait for what the other one's callback waits.
        self._reader = threading.Thread(
            target=_read,
            args=(ours, weakref.ref(self), self._exits),
            name="hocket-processes",
            daemon=True,
        )
        self._notifier = threading.Thread(
            target=_notify, args=(self._exits, on_exit), name="hocket-exits", daemon=True
        )
        self._reader.start()
        self._notifier.start()
        _open.add(self)

    def start(self, name: str, role: str, options: dict[str, object]) -> None:
        """Start a process; see :mod:`hocket.deploy.forkserver` for roles and options."""
        with self._changed:
            self._ids_count += 1
            id_ = self._ids_count
            self._names[id_] = name
            self._facts[name] = {"id": id_}
        self._send({"start": id_, "role": role, "options": options})

    def wait_ready(self, name: str, timeout_s: float) -> dict[str, Any]:
        """Return what a process reported when it was ready.

        Raises
        ------
        StartFailed
            It ended first, or was not ready in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._is_settled(name), timeout_s)
            facts = self._facts.get(name, {})
            if "address" in facts and "cause" not in facts:
                return dict(facts)
            waited_s = 0.0
            if "cause" in facts:
                del self._facts[name]
                reason = (
                    f"{name} ended while starting: {facts['cause']}; see its error output above"
                )
            elif self._closing.is_set():
                reason = f"the cluster was closed while {name} was starting"
            elif self._ended:
                reason = (
                    f"{FORK_SERVER} ended while {name} was starting; see its error output above"
                )
            else:
                waited_s = timeout_s
                reason = (
                    f"{name} did not start within {timeout_s:g} s;"
                    " raise the setting local.start_timeout_s"
                )
        raise StartFailed(address=name, waited_s=waited_s, reason=reason)

    def pids(self) -> dict[str, int]:
        """Return the process ids of those that run, by name."""
        with self._changed:
            return {
                name: facts["pid"]
                for name, facts in self._facts.items()
                if "pid" in facts and "cause" not in facts
            }

    def stop(self, name: str, number: int) -> None:
        """Send a process a signal, and expect it to end."""
        with self._changed:
            facts = self._facts.get(name)
            if facts is None:
                return
            self._stopping.add(name)
        self._send({"kill": facts["id"], "signal": number})

    def ask(self, name: str, number: int, fact: str, timeout_s: float) -> Any:
        """Send a process a signal, and return what it tells then that it did not tell before.

        Raises
        ------
        TimeoutError
            It has told nothing new.
        """
        with self._changed:
            facts = self._facts[name]
            before = facts.get(fact)
        self._send({"kill": facts["id"], "signal": number})
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or "cause" in facts or facts.get(fact) != before, timeout_s
            )
            if facts.get(fact) == before:
                raise TimeoutError(f"{name} did not answer within {timeout_s:g} s")
            return facts[fact]

    def close(self) -> None:
        """End all processes; wait until they are gone."""
        with self._changed:
            self._closing.set()
            self._ended = True
            self._changed.notify_all()
        self._finalizer()
        for thread in (self._reader, self._notifier):
            if threading.current_thread() is not thread:
                thread.join(5.0)

    def abandon(self) -> None:
        """In a process that was forked from ours: let go without ending what is the parent's."""
        self._finalizer.detach()
        self._control.close()
        self._server.returncode = 0
        # Another thread may have held them at the moment of the fork.
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._closing = threading.Event()
        self._closing.set()
        self._ended = True

    def _is_settled(self, name: str) -> bool:
        facts = self._facts.get(name)
        return facts is None or "address" in facts or "cause" in facts

    def _send(self, request: dict[str, object]) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._control.sendall(json.dumps(request).encode() + b"\n")

    def _hear(self, event: dict[str, Any]) -> None:
        with self._changed:
            id_, kind = event.pop("id"), event.pop("event")
            name = self._names.get(id_)
            facts = self._facts.get(name) if name is not None else None
            if name is None or facts is None:
                return
            facts.update(event)
            self._changed.notify_all()
            if kind != "exited":
                return
            del self._names[id_]
            if name in self._stopping or "address" in facts:
                # (Else somebody may be waiting for it, and wants to know why it ended.)
                del self._facts[name]
            if name in self._stopping:
                self._stopping.discard(name)
            elif not self._ended:
                self._exits.put((name, event["cause"]))

    def _hear_end(self) -> None:
        """Hear that the fork server is gone."""
        with self._changed:
            is_unexpected = not self._closing.is_set()
            self._ended = True
            self._changed.notify_all()
        if is_unexpected:
            code = self._server.wait()
            self._exits.put((FORK_SERVER, describe_exit(code)))


def _read(control: socket.socket, owner: weakref.ref[Processes], exits: Exits) -> None:
    """Read events until the socket closes (on a thread that does not keep its owner alive)."""
    received = b""
    try:
        while True:
            try:
                data = control.recv(1 << 16)
            except OSError:
                data = b""
            processes = owner()
            if processes is None:
                return
            if not data:
                processes._hear_end()  # noqa: SLF001 - it is the class's own thread
                return
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                processes._hear(json.loads(line))  # noqa: SLF001
            del processes
    finally:
        exits.put(None)


def _notify(exits: Exits, on_exit: Callable[[str, str], None]) -> None:
    """Tell what was heard, in order."""
    while (one := exits.get()) is not None:
        on_exit(*one)


def _end(control: socket.socket, server: subprocess.Popen[bytes], closing: threading.Event) -> None:
    closing.set()
    with contextlib.suppress(OSError):
        control.shutdown(socket.SHUT_RDWR)
    try:
        server.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    control.close()


_open: Final[weakref.WeakSet[Processes]] = weakref.WeakSet()


def _abandon_all() -> None:
    for one in list(_open):
        one.abandon()


if hasattr(os, "register_at_fork"):
    # The fork server ends when the last copy of our socket closes, so a child must not keep one.
    os.register_at_fork(after_in_child=_abandon_all)
