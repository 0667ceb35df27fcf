"""Liveness: once faults have stopped and all is quiet, nobody waits for anything."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.core.errors import InvariantBroken
from hocket.testing.client_host import ClientHost
from hocket.testing.host import SchedulerHost
from hocket.testing.worker_host import WorkerHost

__all__ = ["check_everything_ended"]

_ENDED = ("stored", "failed", "released")


def check_everything_ended(
    scheduler: SchedulerHost, workers: Iterable[WorkerHost], clients: Iterable[ClientHost]
) -> None:
    """Raise InvariantBroken if something still waits although nothing more will happen."""
    for task in scheduler.machine.tables.tasks.values():
        if task.state not in _ENDED:
            raise InvariantBroken(rule="every task ends", detail=repr(task))
    for record in scheduler.machine.tables.workers.values():
        if record.stopping or record.stuck:
            detail = f"{record.name}: {list(record.stopping.values())}"
            raise InvariantBroken(rule="what was cancelled comes to an end", detail=detail)
    if scheduler.machine.cancelling.is_waiting:
        raise InvariantBroken(rule="what was cancelled comes to an end", detail="a client waits")
    for worker in workers:
        tables = worker.machine.tables
        if (
            tables.tasks
            or tables.running
            or tables.wanted
            or tables.fetches
            or tables.deadlines.tasks
        ):
            detail = f"{worker.name}: {[*tables.tasks.values(), *tables.wanted.values()]}"
            raise InvariantBroken(rule="every worker gets quiet", detail=detail)
        if worker.machine.pending:
            raise InvariantBroken(rule="every report is sent", detail=worker.name)
    for client in clients:
        for state in client.waits_for():
            detail = f"{client.name} waits for {state}"
            raise InvariantBroken(rule="every future ends", detail=detail)
        if client.machine.requests:
            detail = f"{client.name}: {sorted(client.machine.requests)}"
            raise InvariantBroken(rule="every request is answered", detail=detail)
