"""The tables of one worker: everything that its transitions read and write."""

from __future__ import annotations

from collections.abc import Mapping

from hocket.worker.outbox import Outbox
from hocket.worker.policy.fetch import FetchQueue
from hocket.worker.ready import ReadyQueue
from hocket.worker.resources import Resources
from hocket.worker.state import Datum, Fetch, Function, Task

__all__ = ["Tables"]


class Tables:
    """Plain records in plain dicts; `transitions` moves them, `invariants` checks them.

    Attributes
    ----------
    address
        Where this worker's own data server listens.
    tasks
        The current attempt of each key that is to be run here and has not ended.
    running
        All tasks that a thread has, also those that were abandoned and are not in `tasks`.
    functions
        By digest.
    held, held_nbytes
        Values that are here, by key, and the sum of their sizes.
    wanted
        Values that tasks here wait for, or that are being fetched, by key and attempt.
    queue, fetches
        What to ask other workers for, and what was asked, by address.
    resources, ready, outbox
        See their classes.
    unsettled
        Wanted values for which something must be done before the event ends.
    discarded
        Values that were dropped, for the shell to let go of when it holds no lock.
    """

    __slots__ = (
        "address",
        "discarded",
        "fetches",
        "functions",
        "held",
        "held_nbytes",
        "outbox",
        "queue",
        "ready",
        "resources",
        "running",
        "tasks",
        "unsettled",
        "wanted",
    )

    def __init__(self, address: str, resources: Mapping[str, float]) -> None:
        self.address = address
        self.tasks: dict[str, Task] = {}
        self.running: dict[Task, None] = {}
        self.functions: dict[bytes, Function] = {}
        self.held: dict[str, Datum] = {}
        self.held_nbytes = 0
        self.wanted: dict[tuple[str, int], Datum] = {}
        self.queue = FetchQueue()
        self.fetches: dict[str, Fetch] = {}
        self.resources = Resources(resources)
        self.ready = ReadyQueue()
        self.outbox = Outbox()
        self.unsettled: list[Datum] = []
        self.discarded: list[object] = []
