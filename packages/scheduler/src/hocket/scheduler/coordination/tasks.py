"""What coordination must know of tasks: whether an attempt still runs, and to keep keys alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hocket.scheduler.state import Client
from hocket.scheduler.state.outbox import ClientOutbox
from hocket.scheduler.transitions import unwant, want

if TYPE_CHECKING:
    from hocket.protocol.messages import Failure
    from hocket.scheduler.tables import Tables

__all__ = ["Tasks", "TasksOfTables"]


class Tasks(Protocol):
    """Whoever knows of tasks."""

    #: Keys of which a move is to be noted in `moved`.
    watched: set[str]

    def is_running(self, key: str, attempt: int) -> bool:
        """Whether this attempt is the present one, and not over."""

    def take_moved(self) -> list[str]:
        """Return the watched keys whose tasks have moved, and forget that."""

    def pin(self, key: str) -> bool:
        """Keep the value of a key; return whether the key is known."""

    def unpin(self, key: str) -> None:
        """Keep it no longer."""


class TasksOfTables:
    """The tasks in the scheduler's tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.watched = tables.watched
        #: Stands among the clients that want a key, for values that refer to it.
        self._keeper = Client(0, "queues and variables", {})
        self._keeper.outbox = _Nowhere(0, {})
        tables.keepers.append(self._keeper)

    def is_running(self, key: str, attempt: int) -> bool:
        """Whether this attempt is the present one, and not over."""
        task = self._tables.tasks.get(key)
        if task is None or task.attempt != attempt:
            return False
        actor = self._tables.actors.get(task)
        return task.worker is not None or (actor is not None and actor.home is not None)

    def take_moved(self) -> list[str]:
        """Return the watched keys whose tasks have moved, and forget that."""
        moved = self._tables.moved
        if not moved:
            return []
        self._tables.moved = []
        return moved

    def pin(self, key: str) -> bool:
        """Keep the value of a key; return whether the key is known."""
        task = self._tables.tasks.get(key)
        if task is None:
            return False
        want(self._tables, task, self._keeper)
        return True

    def unpin(self, key: str) -> None:
        """Keep it no longer."""
        task = self._tables.tasks.get(key)
        if task is not None:
            unwant(self._tables, task, self._keeper)


class _Nowhere(ClientOutbox):
    """What is said to nobody."""

    __slots__ = ()

    def add(self, message: Any, nbytes: int = 0) -> None:
        """Drop a message."""

    def stored(self, key: str, nbytes: int, value: bytes | None) -> None:
        """Drop news."""

    def erred(self, key: str, failure: Failure) -> None:
        """Drop news."""

    def lost(self, key: str) -> None:
        """Drop news."""
