"""What the scheduler keeps of an actor beside its task: where it lives, and its last checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hocket.scheduler.state.worker import Worker

__all__ = ["Actor"]


class Actor:
    """One actor, from its first incarnation until nobody wants it any more.

    Attributes
    ----------
    home
        The worker that keeps it; None while it is being restarted.
    state
        What it can be restarted from, pickled; None: it cannot be.
    callers, numbers
        Per caller: the last of its calls that is in the state.
    deaths
        Why the workers died that it was on, since it last was saved.
    """

    __slots__ = ("callers", "deaths", "home", "numbers", "state")

    def __init__(self) -> None:
        self.home: Worker | None = None
        self.state: bytes | None = None
        self.deaths: list[str] = []
        self.callers: Sequence[str] = ()
        self.numbers: Sequence[int] = ()
