"""The tables of one worker: everything that its transitions read and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import RunHere
from hocket.worker.actors import Actors
from hocket.worker.deadlines import Deadlines
from hocket.worker.feed import Feed
from hocket.worker.outbox import Outbox
from hocket.worker.policy.backoff import Backoff
from hocket.worker.policy.fetch import FetchLimits, FetchQueue
from hocket.worker.policy.memory import SpillPolicy
from hocket.worker.ready import ReadyQueue
from hocket.worker.resources import Resources
from hocket.worker.shelf import Shelf
from hocket.worker.state import (
    Datum,
    DropFile,
    Fetch,
    Function,
    Interrupt,
    Leave,
    Spill,
    Task,
    Unspill,
)

__all__ = ["Command", "Tables"]

#: What the shell is to do.
Command: TypeAlias = Fetch | RunHere | Interrupt | Leave | Spill | Unspill | DropFile


class Tables:
    """Plain records in plain dicts; `transitions` moves them, `invariants` checks them.

    Attributes
    ----------
    name, address
        The worker's name, and where its own data server listens.
    tasks
        The current attempt of each key that is to be run here and has not ended.
    running
        All tasks that a thread has, also those that were abandoned and are not in `tasks`, in the
        order in which they were taken. So those that the scheduler was not told of come last.
    rejoining_count, granted
        How many running tasks wait for a slot again; those that got one, until the shell knows.
    paused
        Whether the worker is short of memory.
    setups
        Requests that must have run well before any task begins.
    functions
        By digest.
    held, held_nbytes
        Values that are here, by key, and the sum of the sizes of those that are in memory.
    shelf, reads
        Those that are large enough to go to disk; and the line of those that are to come back.
    wanted
        Values that tasks here wait for, or that are to be copied here, or that are being fetched,
        by key and attempt.
    copies
        Those of them that are to be copied here, by key: the latest attempt that was asked for.
    queue, fetches, fetching_nbytes
        What to ask other workers for, and what was asked, by address; and the size of that.
    limits, backoff
        How much may be asked for at once, and which peers are left alone for a while.
    resources, ready, outbox
        See their classes.
    feed
        What happens here, for those who look on.
    deadlines
        The tasks that run and may not do so for ever.
    actors
        The actors that live here, and calls of them.
    unsettled
        Wanted values for which something must be done before the event ends.
    commands
        What the shell is to do, until it takes it.
    discarded
        Values that were dropped, for the shell to let go of when it holds no lock.
    """

    __slots__ = (
        "actors",
        "address",
        "backoff",
        "commands",
        "copies",
        "deadlines",
        "discarded",
        "feed",
        "fetches",
        "fetching_nbytes",
        "functions",
        "granted",
        "held",
        "held_nbytes",
        "limits",
        "name",
        "outbox",
        "paused",
        "queue",
        "reads",
        "ready",
        "rejoining_count",
        "resources",
        "running",
        "setups",
        "shelf",
        "tasks",
        "unsettled",
        "wanted",
    )

    def __init__(
        self,
        name: str,
        address: str,
        settings: WorkerSettings,
        resources: Resources,
        slots: Mapping[str, int],
        spill_policy: SpillPolicy,
    ) -> None:
        self.name = name
        self.address = address
        self.tasks: dict[str, Task] = {}
        self.running: dict[Task, None] = {}
        self.rejoining_count = 0
        self.granted: list[Task] = []
        self.paused = False
        self.setups: set[int] = set()
        self.functions: dict[bytes, Function] = {}
        self.held: dict[str, Datum] = {}
        self.held_nbytes = 0
        self.shelf = Shelf(spill_policy, settings.spill_nbytes_min)
        self.reads = self.shelf.queue
        self.wanted: dict[tuple[str, int], Datum] = {}
        self.copies: dict[str, Datum] = {}
        self.queue = FetchQueue()
        self.fetches: dict[str, Fetch] = {}
        self.fetching_nbytes = 0
        self.limits = FetchLimits(
            settings.fetch_connections_max,
            settings.fetch_nbytes_max,
            settings.fetch_nbytes_in_flight_max,
        )
        self.backoff = Backoff()
        self.resources = resources
        self.ready = ReadyQueue(slots)
        self.outbox = Outbox()
        self.deadlines = Deadlines()
        self.actors = Actors(name)
        self.feed = Feed(name, address)
        self.unsettled: list[Datum] = []
        self.commands: list[Command] = []
        self.discarded: list[object] = []
