"""How far a long read is: told to a callback, or shown as a line of text."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import dataclass

__all__ = ["Progress", "ProgressCallback", "TextProgress", "progress_callback"]

_LINE_INTERVAL_S: Final = 0.2
_BAR_WIDTH: Final = 30


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read is.

    Parameters
    ----------
    done_nbytes, total_nbytes
        Compressed bytes of column chunks that are decoded, and of all that will be.
    elapsed_s
        Since the read began.
    """

    done_nbytes: int
    total_nbytes: int
    elapsed_s: float

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return self.done_nbytes / self.total_nbytes if self.total_nbytes else 1.0

    def __str__(self) -> str:
        filled = round(self.fraction * _BAR_WIDTH)
        mega = 1e6
        return (
            f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {self.fraction:4.0%} "
            f"{self.done_nbytes / mega:,.1f} of {self.total_nbytes / mega:,.1f} MB, "
            f"{self.elapsed_s:.1f} s"
        )


#: Called from the thread that finished a piece, one call at a time.
ProgressCallback = Callable[[Progress], None]


class TextProgress:
    """A line of text that is written again and again.

    Parameters
    ----------
    stream
        Where to; standard error unless told.
    interval_s
        How long at least between two lines.
    """

    def __init__(self, stream: TextIO | None = None, interval_s: float = _LINE_INTERVAL_S) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._last_s = -interval_s

    def __call__(self, progress: Progress) -> None:
        """Write the line, if it is time for it."""
        is_last = progress.done_nbytes >= progress.total_nbytes
        if not is_last and progress.elapsed_s - self._last_s < self._interval_s:
            return
        self._last_s = progress.elapsed_s
        stream = sys.stderr if self._stream is None else self._stream
        stream.write(f"\r{progress}" + ("\n" if is_last else ""))
        stream.flush()


def progress_callback(progress: Any) -> ProgressCallback | None:
    """Return what to call: what was given; a line of text for True, nothing for False and None."""
    if progress is True:
        return TextProgress()
    if progress is None or progress is False:
        return None
    if not callable(progress):
        raise InvalidOption(f"progress is {progress!r}; it has to be True or a function")
    told: ProgressCallback = progress
    return told


class ProgressMeter:
    """Adds up what tasks of several threads finish.

    Parameters
    ----------
    callback
        What to tell; None for nothing.
    total_nbytes
        What there is to do.
    """

    def __init__(self, callback: ProgressCallback | None, total_nbytes: int) -> None:
        self._callback = callback
        self._total_nbytes = total_nbytes
        self._done_nbytes = 0
        self._began_s = time.perf_counter()
        self._lock = threading.Lock()

    def advance(self, nbytes: int) -> None:
        """Add what was done."""
        if self._callback is None:
            return
        with self._lock:
            self._done_nbytes += nbytes
            elapsed_s = time.perf_counter() - self._began_s
            self._callback(Progress(self._done_nbytes, self._total_nbytes, elapsed_s))
