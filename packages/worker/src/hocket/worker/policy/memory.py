"""When a worker pauses, and which of its values go into files, because memory is short."""

from __future__ import annotations

from typing import Final

__all__ = ["RESUME_PART", "PausePolicy", "SpillPolicy", "disk_shortage"]

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


class SpillPolicy:
    """Says how many bytes of values are to leave the memory, and how many may come back.

    Parameters
    ----------
    limit_nbytes
        What the worker is to stay within; 0: there is no limit, and nothing leaves.
    target_part
        Part of it that values may take in memory; 1: all that they like.
    process_part
        Part of it above which the whole process is to shrink, to `target_part`; 1: never.
    is_allowed
        Whether values may leave at all.

    Attributes
    ----------
    is_on
        Whether anything ever leaves.
    target_nbytes
        What values may take in memory.
    """

    __slots__ = ("_process_floor_nbytes", "_process_nbytes", "is_on", "target_nbytes")

    def __init__(
        self, limit_nbytes: int, target_part: float, process_part: float, *, is_allowed: bool
    ) -> None:
        is_allowed = is_allowed and limit_nbytes > 0
        heeds_values = is_allowed and target_part < 1.0
        heeds_process = is_allowed and process_part < 1.0
        self.is_on = heeds_values or heeds_process
        self.target_nbytes = limit_nbytes * target_part if heeds_values else float("inf")
        self._process_nbytes = limit_nbytes * process_part if heeds_process else float("inf")
        self._process_floor_nbytes = limit_nbytes * min(target_part, process_part)

    def process_excess_nbytes(self, process_nbytes: int, former_nbytes: float) -> float:
        """Return how much the process is to shrink.

        Parameters
        ----------
        process_nbytes
            The memory that it uses.
        former_nbytes
            What this returned the last time, less what has left since. Once it has begun to
            shrink, it does so until it is well below where it began.
        """
        is_over = process_nbytes > self._process_nbytes
        if not is_over and not former_nbytes > 0:
            return 0.0
        return max(process_nbytes - self._process_floor_nbytes, 0.0)

    def values_excess_nbytes(self, held_nbytes: int) -> float:
        """Return by how much the values in memory are too many."""
        return held_nbytes - self.target_nbytes

    def has_room(self, held_nbytes: int) -> bool:
        """Tell whether there may be so many bytes of values in memory."""
        return held_nbytes <= self.target_nbytes


def disk_shortage(
    nbytes: int, *, used_nbytes: int, used_nbytes_max: int, free_nbytes: int, free_nbytes_min: int
) -> str:
    """Say why a file of so many bytes cannot be written; "" if it can.

    Parameters
    ----------
    nbytes
        Of the file.
    used_nbytes, used_nbytes_max
        What the worker's files take, and what they may; 0: what they like.
    free_nbytes, free_nbytes_min
        What is free on the disk, and what is to stay free.
    """
    if used_nbytes_max and used_nbytes + nbytes > used_nbytes_max:
        return (
            f"{used_nbytes} bytes are in files already, and {used_nbytes_max} is the limit"
            " (worker.spill_nbytes_max)"
        )
    if free_nbytes - nbytes < free_nbytes_min:
        return (
            f"the disk has {free_nbytes} bytes free, of which {free_nbytes_min} are to stay free"
            " (worker.spill_free_nbytes_min)"
        )
    return ""
