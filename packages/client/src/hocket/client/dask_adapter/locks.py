"""Locks under which dask's tasks write: of the whole cluster, where dask took one of a process.

``da.store`` and ``to_hdf`` have their tasks write one after the other. dask makes a lock of the
kind that its scheduler needs, and knows ours for none of its own: it takes one of threads, which
another process would not heed.
"""

from __future__ import annotations

import copy
import threading
import uuid
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.core.loaded_modules import loaded_module
from hocket.graph.keys import Key

__all__ = ["ClusterLock", "with_cluster_locks"]

#: Functions that write under a lock: module, name, and where the lock is among its arguments.
_WRITERS: Final[tuple[tuple[str, str, int | str], ...]] = (
    ("dask.array.core", "load_store_chunk", "lock"),
    ("dask.dataframe.io.hdf", "_pd_to_hdf", 1),
)

_THREAD_LOCK: Final = type(threading.Lock())

#: Names of locks of threads that were met.
_names: Final[weakref.WeakKeyDictionary[Any, str]] = weakref.WeakKeyDictionary()


class ClusterLock:
    """A lock of the cluster that is used as one of threads: who acquires it releases it.

    Parameters
    ----------
    name
        Of the lock; the same in all processes.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # An object is shared by the threads of a worker.
        self._held = threading.local()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002 - as threading's
        """Acquire it; return whether that succeeded."""
        lock = _lock(self.name)
        is_held: bool = lock.acquire(blocking, timeout)
        if is_held:
            self._held.lock = lock
        return is_held

    def release(self) -> None:
        """Release what this thread acquired."""
        lock = self._held.__dict__.pop("lock")
        lock.release()

    def locked(self) -> bool:
        """Return whether anybody holds it."""
        return bool(_lock(self.name).locked())

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __reduce__(self) -> Any:
        return ClusterLock, (self.name,)

    def __repr__(self) -> str:
        return f"<ClusterLock {self.name!r}>"


def _lock(name: str) -> Any:
    # Imported here: locks are made of clients, and clients know this adapter.
    from hocket.client import Lock  # noqa: PLC0415

    return Lock(name)


def with_cluster_locks(entries: dict[Key, Any]) -> dict[Key, Any]:
    """Return the entries of a graph of dask with locks of processes replaced where tasks write.

    Parameters
    ----------
    entries
        As dask made them; they are not changed.
    """
    spec = loaded_module("dask._task_spec")
    writers: dict[Callable[..., Any], int | str] = {}
    for module_name, name, place in _WRITERS:
        module = loaded_module(module_name)
        if module is not None and hasattr(module, name):
            writers[getattr(module, name)] = place
    if spec is None or not writers:
        return entries
    return _Replacement(spec, writers).entries(entries)


class _Replacement:
    """One look through a graph, into what dask fused, too."""

    def __init__(self, spec: Any, writers: Mapping[Callable[..., Any], int | str]) -> None:
        self._task_class = spec.Task
        self._fused = spec._execute_subgraph  # noqa: SLF001 - what dask fuses with
        self._serializable: tuple[type, ...] = (_THREAD_LOCK,)
        if (utils := loaded_module("dask.utils")) is not None:
            self._serializable += (utils.SerializableLock,)
        self._writers = writers
        #: Graphs inside of tasks that were seen, by id, and what became of them; tasks share them.
        self._inner: dict[int, Any] = {}

    def entries(self, entries: dict[Key, Any]) -> dict[Key, Any]:
        """Return entries with locks replaced; the very same if there is none."""
        changed = {}
        for key, entry in entries.items():
            if type(entry) is self._task_class and (new := self._task(entry)) is not entry:
                changed[key] = new
        return {**entries, **changed} if changed else entries

    def _task(self, task: Any) -> Any:
        if task.func is self._fused:
            inner, *others = task.args
            found = self._inner.get(id(inner))
            if found is None:
                found = self._inner[id(inner)] = self.entries(inner)
            return task if found is inner else _changed(task, args=(found, *others))
        try:
            place = self._writers.get(task.func)
        except TypeError:  # a callable that cannot be hashed
            return task
        if place is None:
            return task
        if isinstance(place, int):
            args = list(task.args)
            args[place] = self._lock(args[place])
            return _changed(task, args=tuple(args))
        kwargs = {**task.kwargs, place: self._lock(task.kwargs.get(place))}
        return _changed(task, kwargs=kwargs)

    def _lock(self, lock: Any) -> Any:
        if not isinstance(lock, self._serializable):
            return lock
        token = getattr(lock, "token", None)
        if token is None:
            token = _names.setdefault(lock, uuid.uuid4().hex)
        return ClusterLock(f"dask-{token}")


def _changed(task: Any, **attributes: Any) -> Any:
    other = copy.copy(task)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other
