"""How processes end: with their parents, their causes of death in words, how many are too many."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import deque
from typing import Final

__all__ = ["IN_GOOD_ORDER", "Restarts", "cause_of_death", "describe_exit", "die_with_parent"]

#: So many deaths within this time, and the dead are not replaced any more.
_DEATHS_MAX: Final = 20
_PERIOD_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def cause_of_death(status: int) -> str:
    """Say in words how a process ended, from its wait status."""
    return describe_exit(os.waitstatus_to_exitcode(status))


def describe_exit(code: int) -> str:
    """Say in words how a process ended, from its exit code; negative: a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        # (Real-time signals have no names.)
        return f"killed by signal {-code}"


#: The cause of one that ended because its work was done, or it was told to go.
IN_GOOD_ORDER: Final = describe_exit(0)


class Restarts:
    """Tells whether a process that died is to be replaced: not if they die faster than they work.

    Parameters
    ----------
    deaths_max, period_s
        So many deaths in so many seconds are borne.
    """

    def __init__(self, deaths_max: int = _DEATHS_MAX, period_s: float = _PERIOD_S) -> None:
        self._deaths_max = deaths_max
        self._period_s = period_s
        self._times_s: deque[float] = deque()

    def allow(self, now_s: float) -> bool:
        """Count a death at this time; tell whether a restart is worth it."""
        times_s = self._times_s
        while times_s and now_s - times_s[0] >= self._period_s:
            times_s.popleft()
        if len(times_s) >= self._deaths_max:
            return False
        times_s.append(now_s)
        return True
