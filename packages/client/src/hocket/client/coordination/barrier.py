"""Barriers: nobody passes before all are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hocket.client.client import Client
from hocket.client.coordination.errors import BarrierBroken
from hocket.client.coordination.primitive import Call, NamedPrimitive, check_timeout, reply_of
from hocket.protocol.messages import ChangeBarrier, Primitive, RequestDone, WaitBarrier

if TYPE_CHECKING:
    from hocket.client.states import Request

__all__ = ["Barrier"]


class Barrier(NamedPrimitive):
    """A meeting point of so many clients or tasks.

    When one that waits is lost, gives up or runs out of time, the barrier is broken: the others,
    and all who come, get `BarrierBroken`, until somebody calls `reset`. Tasks that meet at a
    barrier must be able to be there at the same time; they wait without their slots.

    Parameters
    ----------
    name
        What it is known by; None: a name that nobody else has.
    parties
        How many meet.
    client, asynchronous
        As for `Lock`.

    Examples
    --------
    >>> Barrier("epoch", parties=4).wait()  # doctest: +SKIP
    """

    _kind = Primitive.BARRIER
    _word = "barrier"

    def __init__(
        self,
        name: str | None = None,
        parties: int = 1,
        client: Client | None = None,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        if isinstance(parties, bool) or not isinstance(parties, int) or parties < 1:
            raise ValueError(f"parties is {parties!r}; it must be a whole number, 1 or more")
        super().__init__(name, client, asynchronous=asynchronous)
        self.parties = parties

    def wait(self, timeout: float | None = None) -> Any:
        """Wait until all are there; return the place in the order of arrival, 0 for the first.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        BarrierBroken
            They cannot meet; also where the time is over, which breaks the barrier for all.
        """

        def finish(request: Request | None) -> int:
            if request is None:
                reason = f"the others were not there after {timeout} s"
                raise BarrierBroken(name=self.name, reason=reason)
            return int(reply_of(request, RequestDone).number)

        return self._run(
            lambda number, *task: WaitBarrier(number, self.name, self.parties, *task),
            finish,
            Call(check_timeout(timeout)),
        )

    def abort(self) -> Any:
        """Break it, for those who wait and for all who come."""
        return self._do(lambda number, *_: ChangeBarrier(number, self.name, True))  # noqa: FBT003

    def reset(self) -> Any:
        """Make it whole again; whoever waits gets `BarrierBroken`."""
        return self._do(lambda number, *_: ChangeBarrier(number, self.name, False))  # noqa: FBT003

    def n_waiting(self) -> Any:
        """Return how many wait."""
        return self._look(lambda numbers: numbers[0])

    def broken(self) -> Any:
        """Return whether it is broken."""
        return self._look(lambda numbers: bool(numbers[2]))

    def _arguments(self) -> tuple[Any, ...]:
        return self.name, self.parties
