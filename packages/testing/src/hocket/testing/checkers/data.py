"""Data: nothing is kept that nobody wants."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.core.errors import InvariantBroken
from hocket.testing.checkers.results import Results
from hocket.testing.host import SchedulerHost
from hocket.testing.worker_host import WorkerHost

__all__ = ["check_nothing_is_left"]


def check_nothing_is_left(
    scheduler: SchedulerHost,
    workers: Iterable[WorkerHost],
    results: Results,
    *,
    clients_are_there: bool,
) -> None:
    """Raise InvariantBroken if something is left after all futures were let go of.

    Functions may be, as long as clients are there that believe them to be known.
    """
    tables = scheduler.machine.tables
    if tables.tasks:
        raise InvariantBroken(rule="no task is left", detail=repr(list(tables.tasks.values())))
    for name in ("deaths", "returns"):
        if getattr(tables, name):
            raise InvariantBroken(rule=f"no {name} are left", detail=repr(getattr(tables, name)))
    if tables.kinds and not clients_are_there:
        raise InvariantBroken(rule="no function is left", detail=repr(list(tables.kinds.values())))
    if tables.actors:
        raise InvariantBroken(rule="no actor is left", detail=repr(list(tables.actors)))
    for worker in workers:
        if worker.machine.tables.actors.by_key:
            detail = f"{worker.name}: {list(worker.machine.tables.actors)}"
            raise InvariantBroken(rule="no actor is left on workers", detail=detail)
        held = [
            datum
            for datum in worker.machine.tables.held.values()
            if results.is_accounted_for(datum.key, datum.attempt, worker.address)
        ]
        if held:
            detail = f"{worker.name}: {held}"
            raise InvariantBroken(rule="no value is left", detail=detail)
        functions = worker.machine.tables.functions
        if functions and not clients_are_there:
            detail = f"{worker.name}: {sorted(functions)}"
            raise InvariantBroken(rule="no function is left on workers", detail=detail)
