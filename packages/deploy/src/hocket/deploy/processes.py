"""The client's end of the fork server: start processes, hear of their fate, end them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from hocket.core.errors import ConnectFailed

__all__ = ["Processes"]


class Processes:
    """A fork server and its children.

    Parameters
    ----------
    on_exit
        Called on a thread of ours with the name and the cause when a child ends that was not
        asked to.
    """

    def __init__(self, on_exit: Callable[[str, str], None]) -> None:
        self._on_exit = on_exit
        ours, theirs = socket.socketpair()
        self._control = ours
        environment = dict(os.environ)
        try:
            self._server = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
                [sys.executable, "-m", "hocket.deploy.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                # Ctrl-C in a terminal is meant for the user's program, not for the cluster.
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._changed = threading.Condition()
        self._names: dict[int, str] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._ids_count = 0
        self._stopping: set[str] = set()
        self._ended = False
        self._finalizer = weakref.finalize(self, _end, ours, self._server)
        self._reader = threading.Thread(
            target=_read, args=(ours, weakref.ref(self)), name="hocket-processes", daemon=True
        )
        self._reader.start()

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
        ConnectFailed
            It ended first, or was not ready in time.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: (
                    self._ended
                    or "address" in self._facts.get(name, {})
                    or "cause" in self._facts.get(name, {})
                ),
                timeout_s,
            )
            facts = self._facts.get(name, {})
            if "cause" in facts or self._ended:
                cause = facts.get("cause", "the fork server ended")
                reason = f"{name} ended while starting: {cause}; see its error output above"
                raise ConnectFailed(address=name, waited_s=0.0, reason=reason)
            if not done:
                reason = f"{name} did not start in time; raise the setting local.start_timeout_s"
                raise ConnectFailed(address=name, waited_s=timeout_s, reason=reason)
            return dict(facts)

    def facts(self, name: str) -> dict[str, Any]:
        """Return what is known of a process: ``pid``, ``address``, ``cause``."""
        with self._changed:
            return dict(self._facts.get(name, {}))

    def stop(self, name: str, number: int) -> None:
        """Send a process a signal, and expect it to end."""
        with self._changed:
            facts = self._facts.get(name)
            self._stopping.add(name)
        if facts is not None:
            self._send({"stop": facts["id"], "signal": number})

    def close(self) -> None:
        """End all processes; wait until they are gone."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._finalizer()
        if threading.current_thread() is not self._reader:
            self._reader.join(5.0)

    def _send(self, request: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(request).encode() + b"\n")

    def _hear(self, event: dict[str, Any]) -> None:
        with self._changed:
            name = self._names.get(event.pop("id"))
            if name is None:
                return
            kind = event.pop("event")
            self._facts[name].update(event)
            self._changed.notify_all()
            unexpected = kind == "exited" and not self._ended and name not in self._stopping
        if unexpected:
            self._on_exit(name, event["cause"])

    def _hear_end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _read(control: socket.socket, owner: weakref.ref[Processes]) -> None:
    """Read events until the socket closes (on a thread that does not keep its owner alive)."""
    received = b""
    while True:
        try:
            data = control.recv(1 << 16)
        except OSError:
            data = b""
        processes = owner()
        if not data or processes is None:
            if processes is not None:
                processes._hear_end()  # noqa: SLF001 - it is the class's own thread
            return
        *lines, received = (received + data).split(b"\n")
        for line in lines:
            processes._hear(json.loads(line))  # noqa: SLF001
        del processes


def _end(control: socket.socket, server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        control.shutdown(socket.SHUT_RDWR)
    try:
        server.wait(8.0)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    control.close()
