"""Semaphores: so many leases of something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hocket.client.client import Client
from hocket.client.coordination.holding import Holding
from hocket.protocol.messages import AcquireLeases, Primitive

if TYPE_CHECKING:
    from hocket.client.shell.coordinating import Ask

__all__ = ["Semaphore"]


class Semaphore(Holding):
    """Leases that all clients and tasks of a cluster share; there are never more out than exist.

    What is true of a `Lock` is true of each lease. Who acquires several times gives back what was
    acquired last.

    Parameters
    ----------
    max_leases
        How many there are. Those who use it at the same time must say the same.
    name
        What it is known by; None: a name that nobody else has.
    client, asynchronous
        As for `Lock`.

    Examples
    --------
    >>> licenses = Semaphore(3, "licenses")  # doctest: +SKIP
    >>> with licenses:  # doctest: +SKIP
    ...     run_solver()
    """

    _kind = Primitive.SEMAPHORE
    _word = "semaphore"

    def __init__(
        self,
        max_leases: int = 1,
        name: str | None = None,
        client: Client | None = None,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        if isinstance(max_leases, bool) or not isinstance(max_leases, int) or max_leases < 1:
            raise ValueError(f"max_leases is {max_leases!r}; it must be a whole number, 1 or more")
        super().__init__(name, client, asynchronous=asynchronous)
        self.max_leases = max_leases

    def acquire(self, timeout: float | None = None, n: int = 1) -> Any:
        """Acquire leases, all at once; return whether that succeeded.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever, 0 not at all.
        n
            How many.

        Raises
        ------
        CoordinationRefused
            There are fewer, or others use the name with another number of leases.
        """
        return self._acquire(self._asking(n), timeout)

    def get_value(self) -> Any:
        """Return how many leases are held, by whomever."""
        return self._look(lambda numbers: numbers[0])

    def _arguments(self) -> tuple[Any, ...]:
        return self.max_leases, self.name

    def _asking(self, count: int = 1) -> Ask:
        return lambda number, *task: AcquireLeases(number, self.name, self.max_leases, count, *task)

    def __repr__(self) -> str:
        return f"<Semaphore {self.name!r} of {self.max_leases}>"
