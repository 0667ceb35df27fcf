"""Rebalancing: values move from workers that hold much to those that hold little.

A move is a copy, and then a drop at the source once the copy is reported. What reads the value at
the source meanwhile goes on: a worker keeps what its tasks have, whatever it is told to drop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.core.units import NBYTES_MAX
from hocket.protocol.messages import KeysRebalanced, RequestRefused
from hocket.scheduler.naming import choose_workers, say_nobody
from hocket.scheduler.policy.replication import plan_moves
from hocket.scheduler.replication import Errand, drop_surplus
from hocket.scheduler.state import STORED, Client, Goal, Task, Worker

if TYPE_CHECKING:
    from hocket.protocol.messages import RebalanceKeys
    from hocket.scheduler.replication import Replication
    from hocket.scheduler.tables import Tables

__all__ = ["rebalance"]


def rebalance(
    tables: Tables, replication: Replication, client: Client, message: RebalanceKeys
) -> None:
    """Begin to move values, as a client asked; it is answered when all have moved that can."""
    workers = choose_workers(tables, message.workers)
    if not workers:
        client.outbox.add(RequestRefused(message.request, say_nobody(message.workers)))
        return
    if replication.refuse_more(client, message.request):
        return
    tasks: dict[Task, None] | None = None
    if message.keys:
        found = (tables.tasks.get(key) for key in message.keys)
        tasks = dict.fromkeys(task for task in found if task is not None and task.state is STORED)
    among = dict.fromkeys(workers)
    errand = _Rebalancing(tables, client, message.request, among)
    for task, source, target in plan_moves(tables, workers, tasks):
        replication.add(Goal(errand, task, target=target, source=source))
    replication.begin(errand)


class _Rebalancing(Errand):
    """One ``RebalanceKeys``."""

    __slots__ = ("_moved_count", "_moved_nbytes", "_tables")

    def __init__(
        self, tables: Tables, client: Client, request: int, among: dict[Worker, None]
    ) -> None:
        super().__init__(client, request, among)
        self._tables = tables
        self._moved_count = 0
        self._moved_nbytes = 0

    def ended(self, goal: Goal, obstacle: str) -> None:
        """Let the source of a value drop it, once it is where it should be."""
        if obstacle or goal.source is None:
            return
        if drop_surplus(self._tables, goal.task, goal.source):
            self._moved_count += 1
            self._moved_nbytes += goal.task.nbytes

    def answer(self, tables: Tables) -> None:
        """Answer how much moved."""
        del tables
        assert self.client is not None
        nbytes = min(self._moved_nbytes, NBYTES_MAX)
        self.client.outbox.add(KeysRebalanced(self.request, self._moved_count, nbytes))
