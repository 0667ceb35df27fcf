"""The end of the cluster, where a client asks for it: at once, or when all workers have left.

Workers that are to leave first are drained: they end what they run and begin nothing new. Nothing
can be moved to anybody, since all of them leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import ClusterEnds

if TYPE_CHECKING:
    from hocket.protocol.messages import EndCluster
    from hocket.scheduler.draining import Draining
    from hocket.scheduler.state import Client, Worker
    from hocket.scheduler.tables import Tables

__all__ = ["Ending"]


class Ending:
    """Whether the cluster is to end, and why."""

    def __init__(self, tables: Tables, draining: Draining) -> None:
        self._tables = tables
        self._draining = draining
        #: Who wants it, for people; empty: nobody does.
        self.reason = ""
        self._drains = False

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to be done; the shell then ends the scheduler."""
        return bool(self.reason) and not (self._drains and self._tables.workers)

    def ask(self, client: Client, message: EndCluster) -> None:
        """End the cluster as a client asks, if clients may.

        One that is being drained is ended at once if that is what is asked for now.
        """
        accepted = self._tables.limits.clients_may_end
        client.outbox.add(ClusterEnds(message.request, accepted))
        if not accepted:
            return
        if not self.reason:
            self._drains = message.drains
            self.reason = f"client {client.name} ended the cluster"
        self._drains = self._drains and message.drains
        if self._drains:
            self._draining.all_leave = True
            for worker in self._tables.workers.values():
                self.worker_joined(worker)

    def worker_joined(self, worker: Worker) -> None:
        """Send a worker away again that comes to a cluster which is about to end."""
        if self.reason:
            self._draining.begin(worker, self.reason, is_own=True)
