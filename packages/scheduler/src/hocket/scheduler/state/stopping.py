"""An attempt that its worker is to interrupt, since it was cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hocket.scheduler.state.worker import Worker

__all__ = ["Stopping"]


class Stopping(NamedTuple):
    """An attempt of which no task knows any more.

    Attributes
    ----------
    has_thread
        Whether it keeps one of the worker's threads while it runs, as far as is known.
    """

    key: str
    attempt: int
    worker: Worker
    has_thread: bool
