"""The errors of coordination.

::

    UserError
    |-- NotHeld(what)                        nothing was acquired here that could be released
    |   `-- LockLost(what, token, reason)    it was, and is not held any more
    |-- CoordinationRefused(what, reason)    it cannot be so, however long one waits
    |-- BarrierBroken(name, reason)
    `-- QueueClosed(name)
"""

from __future__ import annotations

from typing import Any

from hocket.core.errors import UserError

__all__ = ["BarrierBroken", "CoordinationRefused", "LockLost", "NotHeld", "QueueClosed"]


class NotHeld(UserError, RuntimeError):
    """Nothing was acquired by this object that it could release, or tell the token of."""

    what: str

    def __init__(self, *, what: str, **more: Any) -> None:
        super().__init__(what=what, **more)

    def describe(self) -> str:
        """Return the message."""
        return f"this object does not hold {self.what}; acquire it first"


class LockLost(NotHeld):
    """What was acquired is not held any more; somebody else may hold it now."""

    token: int
    reason: str

    def __init__(self, *, what: str, token: int, reason: str) -> None:
        super().__init__(what=what, token=token, reason=reason)

    def describe(self) -> str:
        """Return the message."""
        return (
            f"{self.what} was held under token {self.token}, and is not any more: {self.reason};"
            " others may have changed since what it protects"
        )


class CoordinationRefused(UserError, ValueError):
    """What is asked for cannot be, however long one waits."""

    what: str
    reason: str

    def __init__(self, *, what: str, reason: str) -> None:
        super().__init__(what=what, reason=reason)

    def describe(self) -> str:
        """Return the message."""
        return f"{self.what}: {self.reason}"


class BarrierBroken(UserError, RuntimeError):
    """Those who were to meet at a barrier cannot any more; ``reset`` makes it whole."""

    name: str
    reason: str

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(name=name, reason=reason)

    def describe(self) -> str:
        """Return the message."""
        return f"barrier {self.name!r} is broken: {self.reason}; reset() makes it whole again"


class QueueClosed(UserError):
    """The queue was closed while somebody waited for it."""

    name: str

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)

    def describe(self) -> str:
        """Return the message."""
        return f"queue {self.name!r} was closed while this call waited for it"
