"""How this process and its host are: what the system counts, as rates between two looks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

import psutil

from hocket.transport.clock import monotonic

__all__ = ["LoopLag", "VitalSigns", "Vitals"]

#: How often a loop's lag is measured.
_LAG_INTERVAL_S: Final = 0.05


class VitalSigns(NamedTuple):
    """One look. Rates are bytes a second since the look before; -1: it cannot be measured.

    Attributes
    ----------
    cpu
        Processor cores that the process uses.
    memory_nbytes, fds
        Memory in use, and open file descriptors (handles on Windows).
    network_in, network_out, disk_read, disk_written
        Of the whole host.
    """

    cpu: float
    memory_nbytes: int
    fds: int
    network_in: float
    network_out: float
    disk_read: float
    disk_written: float


class Vitals:
    """Looks at this process and its host."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._last_s = monotonic()
        self._last = self._count()

    def look(self) -> VitalSigns:
        """Return how things are now; takes well under a millisecond, and some system calls."""
        now_s = monotonic()
        counts = self._count()
        elapsed_s = max(now_s - self._last_s, 1e-3)
        rates = [
            max(new - old, 0.0) / elapsed_s if old >= 0 and new >= 0 else -1.0
            for old, new in zip(self._last, counts, strict=True)
        ]
        self._last_s, self._last = now_s, counts
        return VitalSigns(
            max(rates[0], 0.0), self._process.memory_info().rss, self._fds(), *rates[1:]
        )

    def _fds(self) -> int:
        with suppress(psutil.Error, OSError, AttributeError, NotImplementedError):
            name = "num_handles" if psutil.WINDOWS else "num_fds"
            return int(getattr(self._process, name)())
        return -1

    def _count(self) -> tuple[float, ...]:
        times = self._process.cpu_times()
        network_in = network_out = disk_read = disk_written = -1.0
        # (Where the system does not let a process see these.)
        with suppress(psutil.Error, OSError, RuntimeError):
            network = psutil.net_io_counters()
            if network is not None:
                network_in, network_out = network.bytes_recv, network.bytes_sent
        with suppress(psutil.Error, OSError, RuntimeError):
            disk = psutil.disk_io_counters()
            if disk is not None:
                disk_read, disk_written = disk.read_bytes, disk.write_bytes
        return times.user + times.system, network_in, network_out, disk_read, disk_written


class LoopLag:
    """Measures how long the running event loop makes others wait."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._max_s = 0.0

    def start(self) -> None:
        """Measure from now on; does nothing if it does so already."""
        if self._timer is None:
            self._max_s = 0.0
            self._arm()

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_max(self) -> float:
        """Return the longest lag since this was last called, in seconds."""
        longest_s, self._max_s = self._max_s, 0.0
        return longest_s

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + _LAG_INTERVAL_S
        self._timer = loop.call_at(self._due_s, self._look)

    def _look(self) -> None:
        self._max_s = max(self._max_s, asyncio.get_running_loop().time() - self._due_s)
        self._arm()
