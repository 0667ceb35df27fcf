"""What can go wrong with actors, beside what their methods raise."""

from __future__ import annotations

from collections.abc import Sequence

from hocket.core.errors import UserError

__all__ = ["ActorCallLost", "ActorLost", "ActorRestarted"]

#: Of the calls that are lost, so many are named.
_NAMED_MAX = 20


class ActorLost(UserError):
    """The worker that kept an actor is gone, and the actor with it.

    Attributes
    ----------
    actor, worker
        Which actor, and who kept it.
    reason
        What became of the worker.
    """

    actor: str
    worker: str
    reason: str

    def __init__(self, *, actor: str, worker: str, reason: str) -> None:
        super().__init__(actor=actor, worker=worker, reason=reason)

    def describe(self) -> str:
        """Say what is lost, and what to do about it."""
        where = f" with worker {self.worker!r}" if self.worker else ""
        return (
            f"actor {self.actor!r} is lost{where} ({self.reason}), and so is its state; calls that"
            " had no answer may have been made. Make it again, or give its class __checkpoint__"
            " and __restore__, and it is restarted elsewhere"
        )


class ActorRestarted(UserError):
    """An actor was restarted from its last checkpoint, which some calls are not in.

    Attributes
    ----------
    actor, worker
        Which actor, and who kept it before.
    reason
        What became of that worker.
    call
        The call that raises this: it is not made again by itself.
    lost
        The calls of this caller that the actor knows nothing of any more, be they answered or not.
    """

    actor: str
    worker: str
    reason: str
    call: str
    lost: Sequence[str]

    def __init__(
        self, *, actor: str, worker: str, reason: str, call: str, lost: Sequence[str]
    ) -> None:
        super().__init__(actor=actor, worker=worker, reason=reason, call=call, lost=list(lost))

    def describe(self) -> str:
        """Say what is lost, and what to do about it."""
        shown = ", ".join(self.lost[:_NAMED_MAX]) or "none"
        more_count = len(self.lost) - _NAMED_MAX
        more = f" and {more_count} more" if more_count > 0 else ""
        return (
            f"actor {self.actor!r} was restarted from its last checkpoint, since worker"
            f" {self.worker!r} is gone ({self.reason}). Calls of yours whose effects are lost:"
            f" {shown}{more}. {self.call} is not made again by itself: look at the actor, and"
            " make what is missing"
        )


class ActorCallLost(UserError):
    """What became of a call cannot be known: the connection to the actor's worker is gone.

    Attributes
    ----------
    actor, worker, call
        Which call, of which actor, on which worker.
    reason
        What became of the connection.
    was_sent
        Whether the call may have been made.
    """

    actor: str
    worker: str
    call: str
    reason: str
    was_sent: bool

    def __init__(self, *, actor: str, worker: str, call: str, reason: str, was_sent: bool) -> None:
        super().__init__(actor=actor, worker=worker, call=call, reason=reason, was_sent=was_sent)

    def describe(self) -> str:
        """Say what is not known, and what to do about it."""
        what = "may have been made or not" if self.was_sent else "was not made"
        return (
            f"{self.call} of actor {self.actor!r} {what}: worker {self.worker!r} cannot be reached"
            f" from here ({self.reason}). It is not made again by itself; do so if that does no"
            " harm"
        )
