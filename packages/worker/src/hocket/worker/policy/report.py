"""When a worker tells the scheduler how it is: when that has changed, and seldom while it has not.

A worker that does nothing must cost nothing, so the time between two looks doubles while nothing
happens, up to `IDLE_FACTOR` times the interval.
"""

from __future__ import annotations

from typing import Final

from hocket.protocol.messages import WorkerReport

__all__ = ["IDLE_FACTOR", "ReportPolicy", "is_news"]

#: An idle worker looks at itself this many times less often than a busy one.
IDLE_FACTOR: Final = 15

#: A change of memory is news if it is more than this part of it, and than so many bytes.
_PART_MIN: Final = 0.05
_NBYTES_MIN: Final = 4 * 1024 * 1024
#: So is a change of the use of a processor core by more than this part of one.
_CORE_PART_MIN: Final = 0.05


def is_news(former: WorkerReport | None, report: WorkerReport) -> bool:
    """Whether a report says something that the one before did not."""
    if former is None:
        return True
    if (former.running, former.ready) != (report.running, report.ready):
        return True
    elapsed_s = max(report.time_s - former.time_s, 1e-9)
    if (report.cpu_s - former.cpu_s) / elapsed_s > _CORE_PART_MIN:
        return True
    if bool(former.spilled_nbytes) is not bool(report.spilled_nbytes):
        return True
    return (
        _differs(former.memory_nbytes, report.memory_nbytes)
        or _differs(former.held_nbytes, report.held_nbytes)
        or _differs(former.spilled_nbytes, report.spilled_nbytes)
    )


def _differs(former_nbytes: int, nbytes: int) -> bool:
    change = abs(nbytes - former_nbytes)
    return change > _NBYTES_MIN and change > _PART_MIN * max(former_nbytes, nbytes)


class ReportPolicy:
    """Decides which reports are sent, and when to look next.

    Parameters
    ----------
    interval_s
        Time between two looks at a busy worker.
    """

    __slots__ = ("_interval_s", "_sent", "wait_s")

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._sent: WorkerReport | None = None
        #: How long to wait until the next look.
        self.wait_s = interval_s

    @property
    def is_slow(self) -> bool:
        """Whether the worker counts as idle."""
        return self.wait_s > self._interval_s

    def look(self, report: WorkerReport) -> bool:
        """Return whether this report is to be sent; sets the time to the next."""
        if is_news(self._sent, report):
            self._sent = report
            self.wait_s = self._interval_s
            return True
        longest_s = self._interval_s * IDLE_FACTOR
        is_keepalive = self.wait_s >= longest_s
        self.wait_s = min(self.wait_s * 2, longest_s)
        if is_keepalive:
            self._sent = report
        return is_keepalive

    def hurry(self) -> None:
        """Note that something happens again."""
        self.wait_s = self._interval_s
