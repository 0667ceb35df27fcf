"""Locks: held by one at a time, in the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hocket.client.client import Client
from hocket.client.coordination.holding import Holding
from hocket.protocol.messages import AcquireLocks, Primitive

if TYPE_CHECKING:
    from hocket.client.shell.coordinating import Ask

__all__ = ["Lock", "MultiLock"]


class Lock(Holding):
    """A lock that all clients and tasks of a cluster share.

    The scheduler never gives it to two at once. It is taken back from a client whose session is
    lost, and from a task whose attempt is over; if that happened, `release`, `check`, `locked` and
    the end of a ``with`` block raise `LockLost`. Whoever must not be harmed by a holder that has
    lost the lock and does not know it yet compares its `fencing_token`.

    A task that waits gives up its slot after a while, so waiting tasks never fill a cluster.

    Parameters
    ----------
    name
        What it is known by; None: a name that nobody else has.
    client
        Whose; None: inside a task the task's own, else that made last.
    asynchronous
        Whether methods return what is to be awaited; None: as the client does.

    Examples
    --------
    >>> with Lock("database") as lock:  # doctest: +SKIP
    ...     write(rows, token=lock.fencing_token)
    """

    _kind = Primitive.LOCK
    _word = "lock"

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as threading's
        """Acquire it; return whether that succeeded.

        Parameters
        ----------
        blocking
            Whether to wait for it.
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        PeerLost
            The scheduler is gone, or the client closed.
        """
        return self._acquire(self._asking(), timeout, blocking=blocking)

    def locked(self) -> Any:
        """Return whether anybody holds it.

        Raises
        ------
        LockLost
            This object acquired it, and it is not held by that any more.
        """
        with self._guard:
            held = self._held[-1] if self._held else None
        if held is not None:
            self._raise_if_lost(*held)

        def make(numbers: list[int]) -> bool:
            token = numbers[0]
            if held is not None and held in self._held and token != held[0]:
                raise self._lost(*held, "the scheduler has taken it back")
            return bool(token)

        return self._look(make)

    def _asking(self) -> Ask:
        names = [self.name]
        return lambda number, *task: AcquireLocks(number, names, 1, *task)


class MultiLock(Holding):
    """Several locks that are acquired at once: all of them, or so many of them.

    They are the same as those of `Lock` with these names. Nobody can come to wait in a ring,
    however many locks of whatever names are asked for.

    Parameters
    ----------
    names
        Of the locks.
    client, asynchronous
        As for `Lock`.

    Examples
    --------
    >>> with MultiLock(["x.zarr/0", "x.zarr/1"]):  # doctest: +SKIP
    ...     write_both()
    """

    _kind = Primitive.LOCK
    _word = "locks"

    def __init__(
        self,
        names: Iterable[str],
        client: Client | None = None,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        if isinstance(names, str):
            raise TypeError("MultiLock takes several names; for one, use Lock")
        self.names = list(dict.fromkeys(names))
        if not self.names:
            raise ValueError("MultiLock takes one name at least")
        for name in self.names:
            super().__init__(name, client, asynchronous=asynchronous)

    def acquire(
        self,
        blocking: bool = True,  # noqa: FBT001, FBT002 - as threading's
        timeout: float | None = None,
        num_locks: int | None = None,
    ) -> Any:
        """Acquire them; return whether that succeeded.

        Parameters
        ----------
        blocking
            Whether to wait for them.
        timeout
            Seconds to wait; None waits for ever.
        num_locks
            How many of them, whichever are free first; None: all.
        """
        count = len(self.names) if num_locks is None else num_locks
        return self._acquire(self._asking(count), timeout, blocking=blocking)

    @property
    def _what(self) -> str:
        return f"locks {', '.join(map(repr, self.names[:5]))}{', ...' if self.names[5:] else ''}"

    def _arguments(self) -> tuple[Any, ...]:
        return (self.names,)

    def _asking(self, count: int | None = None) -> Ask:
        names = self.names
        many = len(names) if count is None else count
        return lambda number, *task: AcquireLocks(number, names, many, *task)

    def __repr__(self) -> str:
        return f"<MultiLock of {', '.join(map(repr, self.names))}>"
