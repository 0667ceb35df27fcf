"""What code that runs on a worker may see of it: a task, a plugin, a call beside the tasks.

The worker says so per thread; tasks find it in their context as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from hocket.core.resource_names import GPU
from hocket.core.task_context import current_task

__all__ = ["CURRENT_WORKER", "WorkerView", "current_worker", "device_ordinal"]


@dataclass(eq=False)
class WorkerView:
    """A worker, as its guests see it.

    Attributes
    ----------
    name, address
        Its name, and where its data can be had.
    scheduler_address
        Of the scheduler that it works for.
    threads_count, memory_limit, resources
        What it has: threads, bytes of memory (0: no limit), and amounts by name.
    device_names
        What its devices are called, by resource, in the order of their indices.
    sees_own_gpus
        Whether this process sees those alone that the present task has, and counts them from 0.
    plugins
        What was installed with `hocket.client.Client.register_plugin`, by name.
    storage
        For guests to leave things for each other; ends with the worker.
    cluster_id
        The cluster's own, which no other has; empty until the worker has joined.
    """

    name: str
    address: str = ""
    scheduler_address: str = ""
    threads_count: int = 1
    memory_limit: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    device_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    plugins: dict[str, Any] = field(default_factory=dict)
    storage: dict[Any, Any] = field(default_factory=dict)
    cluster_id: str = ""
    sees_own_gpus: bool = False
    #: Returns a directory of the worker's own, which is made when it is first asked for.
    find_directory: Callable[[], str] = field(default=lambda: "", repr=False)
    #: Returns what was logged and printed lately (`hocket.core.recent_logs.LogLine`).
    read_lines: Callable[[], list[Any]] = field(default=list, repr=False)
    #: Has functions of tasks unpickled anew when they are next needed.
    forget_functions: Callable[[], None] = field(default=lambda: None, repr=False)
    #: Returns where the tasks are that run now: lines as in a traceback, by key.
    read_stacks: Callable[[], dict[str, list[str]]] = field(default=dict, repr=False)
    #: Has the worker's process end a moment later, for a reason, whatever runs there; returns False
    #: and does nothing where the process has other things to do.
    end: Callable[[str], bool] = field(default=lambda _reason: False, repr=False)
    #: Passes plain data on to those who follow topics.
    send_event: Callable[[list[str], Any], None] = field(
        default=lambda _topics, _message: None, repr=False
    )

    @property
    def directory(self) -> str:
        """A directory of the worker's own, for files; it is removed when the worker ends."""
        return self.find_directory()

    def log_event(self, topic: str | Iterable[str], msg: Any) -> None:
        """Say something about a topic; see `hocket.client.Client.log_event`.

        Parameters
        ----------
        topic
            A name, or several.
        msg
            Plain data: numbers, texts, bytes, times, and lists and dicts of these.

        Raises
        ------
        SerializationError
            The message is something else.
        """
        self.send_event([topic] if isinstance(topic, str) else list(topic), msg)

    @property
    def devices(self) -> dict[str, tuple[str, ...]]:
        """By resource, the names of the devices that this task may use; outside of tasks: all.

        Those of ``"GPU"`` are what ``CUDA_VISIBLE_DEVICES`` calls them.
        """
        task = current_task()
        if task is None:
            return {name: tuple(names) for name, names in self.device_names.items()}
        return {
            name: tuple(self._device_name(name, index) for index in indices)
            for name, indices in task.devices.items()
        }

    def _device_name(self, resource: str, index: int) -> str:
        names = self.device_names.get(resource, ())
        return names[index] if index < len(names) else str(index)

    def __reduce__(self) -> Any:
        raise TypeError("a worker cannot be pickled; return what you need of it")


#: Set in threads that run guests of a worker beside its tasks.
CURRENT_WORKER: Final[ContextVar[WorkerView | None]] = ContextVar("hocket_worker", default=None)


def current_worker() -> WorkerView | None:
    """Return the worker that this code runs on, or None elsewhere."""
    view = CURRENT_WORKER.get()
    if view is None and (task := current_task()) is not None:
        found = task.view
        view = found if isinstance(found, WorkerView) else None
    return view


def device_ordinal() -> int | None:
    """Return the first GPU of the task that runs here, as this process counts what it sees.

    Returns
    -------
    int | None
        None outside of tasks, and in those that have none.
    """
    task = current_task()
    indices = () if task is None else task.devices.get(GPU, ())
    if task is None or not indices:
        return None
    is_pinned = isinstance(task.view, WorkerView) and task.view.sees_own_gpus
    return 0 if is_pinned else indices[0]
