"""What the scheduler's decisions are bounded by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM

__all__ = ["Limits"]

_ENDLESS_S: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scheduler's decisions are bounded by."""

    #: After how many deaths of workers a task is given up.
    allowed_failures_count: int = 3
    #: How far ahead of a worker's threads tasks are given to it, in seconds of expected work.
    window_s: float = 0.1
    window_tasks_min: int = 2
    window_tasks_max: int = 10_000
    #: What a task is expected to take whose class has never run.
    unknown_duration_s: float = 0.01
    #: Of tasks that are expected to run for less, none gets a queue of its own while it waits for a
    #: worker that lasts longer.
    long_s: float = 1.0
    #: Up to which part of a worker's memory limit it is given tasks that only add data.
    memory_part: float = 0.6
    #: The name of the rule by which tasks are placed: see :mod:`hocket.scheduler.policy`.
    placement: str = "greedy"
    #: What a frame to a peer holds at the most, roughly.
    frame_nbytes_aim: int = FRAME_NBYTES_AIM
    #: What one answer to a client may hold.
    answer_nbytes_max: int = 128 * 2**20
    #: Set-ups of workers that are kept, and their size together.
    setups_max: int = 1000
    setups_nbytes_max: int = 256 * 2**20
    #: Requests of one client that may wait for workers, or for copies, at once.
    waits_max: int = 1000
    #: What may be on its way to, and from, one worker in copies that no task asked for, in bytes;
    #: one copy always may.
    copies_nbytes_max: int = 64 * 2**20

    #: Whether clients may end the cluster.
    clients_may_end: bool = True
    #: What clients may have called in the scheduler's process, as ``package.module:name``.
    permitted_functions: frozenset[str] = frozenset()

    @property
    def is_eager(self) -> bool:
        """Whether there is no commit window: all that is ready is given out."""
        return self.window_s == _ENDLESS_S
