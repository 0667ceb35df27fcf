"""Events: flags that everybody sees, and can wait for."""

from __future__ import annotations

from typing import Any

from hocket.client.coordination.primitive import Call, NamedPrimitive, check_timeout, token_of
from hocket.protocol.messages import ChangeEvent, Primitive, WaitEvent

__all__ = ["Event"]


class Event(NamedPrimitive):
    """A flag that all clients and tasks of a cluster share; at first it is not set.

    Parameters
    ----------
    name, client, asynchronous
        As for `Lock`.

    Examples
    --------
    >>> Event("go").set()  # doctest: +SKIP
    >>> Event("go").wait()  # doctest: +SKIP
    True
    """

    _kind = Primitive.EVENT
    _word = "event"

    def wait(self, timeout: float | None = None) -> Any:
        """Wait until it is set; return whether it is.

        Parameters
        ----------
        timeout
            Seconds to wait; None waits for ever.
        """
        return self._run(
            lambda number, *task: WaitEvent(number, self.name, *task),
            lambda request: request is not None,
            Call(check_timeout(timeout)),
        )

    def set(self, *, fence: Any = None) -> Any:
        """Set it: whoever waits goes on.

        Parameters
        ----------
        fence
            A lock, or its token: only if that is held.
        """
        return self._change(is_set=True, fence=fence)

    def clear(self, *, fence: Any = None) -> Any:
        """Clear it; parameter as for `set`."""
        return self._change(is_set=False, fence=fence)

    def is_set(self) -> Any:
        """Return whether it is set."""
        return self._look(lambda numbers: bool(numbers[0]))

    def _change(self, *, is_set: bool, fence: Any) -> Any:
        token = 0 if fence is None else token_of(fence)
        return self._do(lambda number, *_: ChangeEvent(number, self.name, is_set, token), fence)
