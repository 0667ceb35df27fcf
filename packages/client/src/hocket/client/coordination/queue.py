"""Queues: first in, first out, any values, with a limit where one is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hocket.client.client import Client
from hocket.client.coordination.primitive import (
    Call,
    NamedPrimitive,
    check_timeout,
    reply_of,
    token_of,
)
from hocket.client.coordination.values import dump, take
from hocket.protocol.messages import CloseQueue, Primitive, PutItem, RequestDone, TakeItems

if TYPE_CHECKING:
    from hocket.client.states import Request

__all__ = ["Queue"]

_ALL_COUNT: Final = 2**53


class Queue(NamedPrimitive):
    """A queue that all clients and tasks of a cluster share.

    Values are as for a `Variable`. Each comes out once, in the order in which they went in; one
    that was on its way to a client that was lost comes out again, before all others. Who waits, to
    put or to get, is served in the order of arrival.

    Parameters
    ----------
    name
        What it is known by; None: a name that nobody else has.
    client, asynchronous
        As for `Lock`.
    maxsize
        How many values there may be before `put` waits; 0: as many as a queue can have, or as
        others said.

    Examples
    --------
    >>> queue = Queue("work", maxsize=100)  # doctest: +SKIP
    >>> queue.put([future, {"n": 3}])  # doctest: +SKIP
    >>> queue.get(timeout=5)  # doctest: +SKIP
    """

    _kind = Primitive.QUEUE
    _word = "queue"

    def __init__(
        self,
        name: str | None = None,
        client: Client | None = None,
        maxsize: int = 0,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 0:
            raise ValueError(f"maxsize is {maxsize!r}; it must be a whole number, 0 for no limit")
        super().__init__(name, client, asynchronous=asynchronous)
        self.maxsize = maxsize

    def put(self, value: Any, timeout: float | None = None, *, fence: Any = None) -> Any:
        """Put a value in, as soon as there is room.

        Parameters
        ----------
        value
            Any value.
        timeout
            Seconds to wait; None waits for ever.
        fence
            A lock, or its token: only if that is held.

        Raises
        ------
        TimeoutError
            There is no room in time; the value was not put in.
        SerializationError, OtherCluster, CoordinationRefused, LockLost
            As for `Variable.set`.
        QueueClosed
            The queue was closed meanwhile.
        """
        data, keys = dump(value, self._session())
        token = 0 if fence is None else token_of(fence)

        def finish(request: Request | None) -> None:
            if request is None:
                raise TimeoutError(f"{self._what} has no room after {timeout} s")
            reply_of(request, RequestDone)

        return self._run(
            lambda number, *task: PutItem(
                number, self.name, data, keys, self.maxsize, token, *task
            ),
            finish,
            Call(check_timeout(timeout), translate=self._translate_fence(fence), keeps=value),
        )

    def get(self, timeout: float | None = None, batch: bool | int = False) -> Any:  # noqa: FBT001, FBT002 - as dask's
        """Return the first value, or several, and take them out.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.
        batch
            A number: return a list of so many, all at once, when they are there; True: a list of
            all that are there, perhaps none, without waiting.

        Raises
        ------
        TimeoutError
            They are not there in time; nothing was taken.
        QueueClosed
            The queue was closed meanwhile.
        """
        session = self._session()
        least, most = (0, _ALL_COUNT) if batch is True else (int(batch) or 1, int(batch) or 1)
        if least < 0:
            raise ValueError(f"batch is {batch!r}; it must be a number, 1 or more, or a bool")

        def finish(request: Request | None) -> Any:
            if request is None:
                raise TimeoutError(f"{self._what} has not {least} values after {timeout} s")
            values = take(session, request)
            return values if batch else values[0]

        return self._run(
            lambda number, *task: TakeItems(number, self.name, least, most, self.maxsize, *task),
            finish,
            Call(check_timeout(timeout), session),
        )

    def qsize(self) -> Any:
        """Return how many values are in it."""
        return self._look(lambda numbers: numbers[0])

    def close(self) -> Any:
        """Forget it, with all that is in it; whoever waits gets `QueueClosed`."""
        return self._do(lambda number, *_: CloseQueue(number, self.name))

    def _arguments(self) -> tuple[Any, ...]:
        return self.name, None, self.maxsize
