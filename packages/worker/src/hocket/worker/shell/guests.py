"""Guests: what runs on a worker beside its tasks, and what it is shown of the worker."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hocket.core.worker_plugins import remove_all
from hocket.core.worker_view import CURRENT_WORKER, WorkerView
from hocket.protocol.messages import HereRan, RunHere
from hocket.worker.shell.execution import run_here

__all__ = ["Guests"]

_logger: Final = logging.getLogger("hocket.worker")


class Guests:
    """Runs calls beside the tasks, each in a thread; set-ups one after the other.

    Parameters
    ----------
    view
        The worker as they see it; it gets a directory here.
    frame_nbytes_max
        Of the answers.
    answer
        Takes an answer; called in the threads.
    """

    def __init__(
        self, view: WorkerView, frame_nbytes_max: int, answer: Callable[[HereRan], None]
    ) -> None:
        self.view = view
        view.find_directory = self._find_directory
        self._frame_nbytes_max = frame_nbytes_max
        self._answer = answer
        self._last_setup: threading.Thread | None = None
        self._lock = threading.Lock()
        self._directory = ""

    def run(self, message: RunHere) -> None:
        """Run a call; returns at once."""
        before = self._last_setup if message.before_tasks else None
        thread = threading.Thread(
            target=self._run, args=(message, before), name=f"{self.view.name} call", daemon=True
        )
        if message.before_tasks:
            self._last_setup = thread
        thread.start()

    def close(self, timeout_s: float) -> None:
        """Take plugins down, and remove the directory.

        Parameters
        ----------
        timeout_s
            How long to wait for what takes them down.
        """
        thread = threading.Thread(
            target=self._take_down, name=f"{self.view.name} teardown", daemon=True
        )
        if self.view.plugins:
            thread.start()
            thread.join(timeout_s)
            if thread.is_alive():
                _logger.warning("worker %r ends while a plugin is taken down", self.view.name)
        with self._lock:
            directory, self._directory = self._directory, ""
        if directory:
            with suppress(ValueError):
                sys.path.remove(directory)
            shutil.rmtree(directory, ignore_errors=True)

    def _run(self, message: RunHere, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        self._answer(run_here(message, self.view, self._frame_nbytes_max))

    def _take_down(self) -> None:
        CURRENT_WORKER.set(self.view)
        for error in remove_all(self.view):
            _logger.warning("a plugin of worker %r raised", self.view.name, exc_info=error)

    def _find_directory(self) -> str:
        with self._lock:
            if not self._directory:
                self._directory = tempfile.mkdtemp(prefix="hocket-worker-")
            return self._directory
