"""Variables: one value by name, any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hocket.client.coordination.primitive import Call, NamedPrimitive, check_timeout, token_of
from hocket.client.coordination.values import dump, take
from hocket.protocol.messages import GetVariable, Primitive, SetVariable

if TYPE_CHECKING:
    from hocket.client.states import Request

__all__ = ["Variable"]


class Variable(NamedPrimitive):
    """A value that all clients and tasks of a cluster share.

    Anything that can be pickled, up to 1 MiB; larger things go in as futures (`Client.scatter`).
    Futures, however deep they lie in the value, live as long as it does, and come out as futures.

    Parameters
    ----------
    name, client, asynchronous
        As for `Lock`.

    Examples
    --------
    >>> best = Variable("best")  # doctest: +SKIP
    >>> best.set([0.93, model_future])  # doctest: +SKIP
    >>> score, model = best.get()  # doctest: +SKIP
    """

    _kind = Primitive.VARIABLE
    _word = "variable"

    def set(self, value: Any, *, fence: Any = None) -> Any:
        """Give it a value.

        Parameters
        ----------
        value
            Any value; None is one too.
        fence
            A lock, or its token: only if that is held.

        Raises
        ------
        SerializationError
            The value cannot be pickled.
        OtherCluster
            A future in it is of another cluster.
        CoordinationRefused
            It is too large.
        LockLost
            The fence is not held any more; the variable is as it was.
        """
        data, keys = dump(value, self._session())
        token = 0 if fence is None else token_of(fence)
        return self._do(
            lambda number, *_: SetVariable(number, self.name, data, keys, token), fence, keeps=value
        )

    def get(self, timeout: float | None = None) -> Any:
        """Return its value, as soon as it has one.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        TimeoutError
            It has none in time.
        """
        session = self._session()

        def finish(request: Request | None) -> Any:
            if request is None:
                raise TimeoutError(f"{self._what} has no value after {timeout} s")
            return take(session, request)[0]

        return self._run(
            lambda number, *task: GetVariable(number, self.name, *task),
            finish,
            Call(check_timeout(timeout), session),
        )

    def is_set(self) -> Any:
        """Return whether it has a value."""
        return self._look(lambda numbers: bool(numbers[0]))

    def delete(self, *, fence: Any = None) -> Any:
        """Take its value away; parameter as for `set`."""
        token = 0 if fence is None else token_of(fence)
        return self._do(lambda number, *_: SetVariable(number, self.name, None, [], token), fence)
