"""When a worker pauses because it is short of memory, and when it goes on."""

from __future__ import annotations

from typing import Final

__all__ = ["RESUME_PART", "PausePolicy"]

#: A worker goes on below this part of the size above which it pauses, so that it does not change
#: its mind with every value that comes and goes.
RESUME_PART: Final = 0.9


class PausePolicy:
    """Compares the memory of the process with its limit.

    Parameters
    ----------
    limit_nbytes
        What the worker is to stay within; 0: there is no limit, and no pause.
    part
        Part of it above which it pauses; 1: never.
    """

    __slots__ = ("_pause_nbytes", "_resume_nbytes")

    def __init__(self, limit_nbytes: int, part: float) -> None:
        pauses = limit_nbytes > 0 and part < 1.0
        self._pause_nbytes = limit_nbytes * part if pauses else float("inf")
        self._resume_nbytes = self._pause_nbytes * RESUME_PART

    def look(self, nbytes: int, *, paused: bool) -> bool:
        """Return whether to pause, given how much memory is used and whether it pauses now."""
        if paused:
            return nbytes >= self._resume_nbytes
        return nbytes > self._pause_nbytes
