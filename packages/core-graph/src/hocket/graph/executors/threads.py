"""Running a graph in threads of this process, started for the run and ended with it.

Each thread takes its next task itself, under one lock, so no thread hands out work and a task costs
no switch of threads while there is more to do. A thread that runs user code cannot be stopped: at
an error, or Ctrl-C, tasks that run are waited for and no other one is started.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from typing import Any

from hocket.graph.executors.progress import Progress
from hocket.graph.executors.tracebacks import without_engine_frames
from hocket.graph.graph import Graph
from hocket.graph.keys import Key

__all__ = ["run_in_threads"]


def run_in_threads(graph: Graph, wanted: Sequence[Key], workers: int) -> dict[Key, Any]:
    """Run all of a graph.

    Each thread runs in a copy of the caller's context variables.

    Parameters
    ----------
    graph
        What to run.
    wanted
        The keys to return.
    workers
        The number of threads, at least 1; no more are started than there are tasks.

    Returns
    -------
    dict
        The values of the wanted keys.

    Raises
    ------
    UnknownKey, GraphCycle
        The graph cannot be computed.
    BaseException
        The first one that a task raises, with its traceback.
    """
    crew = _Crew(Progress(graph, wanted))
    threads = [
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(crew.work,),
            name=f"hocket-graph-{number}",
            daemon=True,
        )
        for number in range(max(1, min(workers, crew.progress.tasks_count)))
    ]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        crew.wait()
    finally:
        crew.stop()
        for thread in started:
            thread.join()
    if crew.error is not None:
        error = crew.error
        try:
            raise error.with_traceback(without_engine_frames(error.__traceback__))
        finally:
            # The traceback knows this frame, so what this frame knows must not know the error.
            crew.error = None
            del error
    return crew.progress.results()


class _Crew:
    """What the threads of one run share. Everything in it is used under its one lock."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.error: BaseException | None = None
        self._stopped = False
        #: Notified when there is more to start, and when the run is over.
        self._changed = threading.Condition()

    def wait(self) -> None:
        """Wait until the run is over."""
        with self._changed:
            while not self._over():
                self._changed.wait()

    def stop(self) -> None:
        """Start no more tasks."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def work(self) -> None:
        """Run tasks until the run is over: what a thread does."""
        number = self._begin()
        while number is not None:
            number = self._run_one(number)

    def _run_one(self, number: int) -> int | None:
        """Run one task and return the next one; holds no value when it returns."""
        try:
            value = self._task_value(number)
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            with self._changed:
                if self.error is None:
                    self.error = error
                self._changed.notify_all()
            return None
        with self._changed:
            self.progress.finish(number, value)
            del value
            if self.progress.done:
                self._changed.notify_all()
        return self._begin()

    def _task_value(self, number: int) -> Any:
        with self._changed:
            task = self.progress.task(number)
            inputs = self.progress.inputs(number)
        return task.run(inputs)

    def _begin(self) -> int | None:
        """Wait for a task to run; None when the run is over."""
        with self._changed:
            while not self._over():
                number = self.progress.start_next()
                if number is not None:
                    if self.progress.ready_count:
                        self._changed.notify()
                    return number
                if self.progress.done:
                    self._changed.notify_all()
                    break
                self._changed.wait()
        return None

    def _over(self) -> bool:
        return self._stopped or self.error is not None or self.progress.done
