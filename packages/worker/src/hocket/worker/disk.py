"""What the shell tells of the files into which values go where memory is short."""

from __future__ import annotations

from hocket.core.units import NBYTES_MAX
from hocket.protocol.feed import fit_text
from hocket.protocol.messages.feed import SpillDone
from hocket.worker.fetching import settle_and_ask
from hocket.worker.spilling import (
    cannot_spill,
    disk_is_full,
    rest,
    spilled,
    try_again,
)
from hocket.worker.state import Datum, Spill, Unspill
from hocket.worker.tables import Tables
from hocket.worker.transitions import bring_back, lose_file

__all__ = ["Disk"]


class Disk:
    """Events of the machine, like those of `WorkerMachine`; every command gets one answer.

    Parameters
    ----------
    tables
        The machine's.
    """

    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def spilled_nbytes(self) -> int:
        """Estimated size of the values that are in files."""
        return self._tables.shelf.spilled_nbytes

    @property
    def is_used(self) -> bool:
        """Whether values ever go to files."""
        return self._tables.shelf.policy.is_on

    @property
    def is_busy(self) -> bool:
        """Whether values are on their way to files, or are to be."""
        shelf = self._tables.shelf
        return bool(shelf.spilling) or shelf.process_excess_nbytes > 0

    def spilled(self, spill: Spill, file: object, start_s: float, duration_s: float) -> None:
        """Take note that a value was written.

        Parameters
        ----------
        spill
            The command that is answered.
        file
            What it can be read from; `Unspill` and `DropFile` will name it.
        start_s, duration_s
            When that began, in seconds since the epoch, and how long it took.
        """
        self._tell(spill.datum, spill.nbytes, start_s, duration_s, is_read=False)
        spilled(self._tables, spill, file)
        settle_and_ask(self._tables)

    def cannot_spill(self, spill: Spill, reason: str) -> None:
        """Take note that a value is nothing for a file, and never will be."""
        cannot_spill(self._tables, spill, reason)

    def is_full(self, spill: Spill, reason: str, now_s: float) -> None:
        """Take note that the disk takes no more for now."""
        self._tell(spill.datum, spill.nbytes, now_s, 0.0, is_read=False, error=reason)
        disk_is_full(self._tables, spill, now_s)

    def unspilled(self, unspill: Unspill, value: object, start_s: float, duration_s: float) -> None:
        """Take in a value that was read; the parameters are as for `spilled`."""
        self._tell(unspill.datum, unspill.datum.nbytes, start_s, duration_s, is_read=True)
        bring_back(self._tables, unspill, value)
        settle_and_ask(self._tables)

    def lost(self, datum: Datum, file: object, reason: str, now_s: float) -> None:
        """Take note that a file cannot be read, by an `Unspill` or for somebody else."""
        self._tell(datum, datum.nbytes, now_s, 0.0, is_read=True, error=reason)
        lose_file(self._tables, datum, file)
        settle_and_ask(self._tables)

    def used(self, data: list[Datum | None]) -> None:
        """Take note that others got these values: they may soon be asked for again."""
        for datum in data:
            if datum is not None and datum in self._tables.shelf.idle:
                rest(self._tables, datum)

    def look(self, now_s: float) -> None:
        """Try a disk again that was full, if it is time."""
        retry_s = self._tables.shelf.retry_s
        if retry_s is not None and now_s >= retry_s:
            try_again(self._tables)

    @property
    def wake_s(self) -> float | None:
        """When `look` is to be called at the latest; None: not at all."""
        return self._tables.shelf.retry_s

    def _tell(
        self,
        datum: Datum,
        nbytes: int,
        start_s: float,
        duration_s: float,
        *,
        is_read: bool,
        error: str = "",
    ) -> None:
        feed = self._tables.feed
        if feed.kinds:
            nbytes = min(max(nbytes, 0), NBYTES_MAX)
            start_s, duration_s = max(start_s, 0.0), max(duration_s, 0.0)
            text = fit_text(error)
            name = self._tables.name
            feed.saw(SpillDone(start_s, duration_s, nbytes, name, datum.key, is_read, text))
