"""Agreement: once all is quiet, what the scheduler believes is what workers and clients know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hocket.client.machine import FutureState
from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import FailureKind
from hocket.testing.checkers.results import Results
from hocket.testing.client_host import ClientHost
from hocket.testing.host import SchedulerHost
from hocket.testing.worker_host import WorkerHost

__all__ = ["check_agreement"]

_REFUSED: Final = (FailureKind.UNKNOWN_KEY, FailureKind.DUPLICATE_KEY)


def check_agreement(
    scheduler: SchedulerHost,
    workers: Iterable[WorkerHost],
    clients: Iterable[ClientHost],
    results: Results,
) -> None:
    """Raise InvariantBroken, naming who is wrong about what."""
    tables = scheduler.machine.tables
    alive = list(workers)
    _demand_equal(
        "the scheduler knows who is there",
        sorted(record.address for record in tables.workers.values()),
        sorted(worker.address for worker in alive),
    )
    for worker in alive:
        record = tables.workers_by_address[worker.address]
        believed = sorted(
            (task.key, task.attempt)
            for task in record.held
            if results.is_accounted_for(task.key, task.attempt, worker.address)
        )
        held = sorted(
            (datum.key, datum.attempt)
            for datum in worker.machine.tables.held.values()
            if results.is_accounted_for(datum.key, datum.attempt, worker.address)
        )
        _demand_equal(f"the scheduler knows what {worker.name} holds", believed, held)
        _demand_equal(
            f"the scheduler knows which functions {worker.name} has",
            sorted(record.functions),
            sorted(worker.machine.tables.functions),
        )
    for client in clients:
        # A key that was refused may be known by now, without this client's wish.
        refused = {key for key, state in client.futures.items() if _is_refused(state)}
        wanted = {task.key for task in tables.clients[client.link.server.id].wanted}
        _demand_equal(
            f"the scheduler knows what {client.name} wants",
            sorted(wanted - refused),
            sorted(set(client.wanted_keys()) - refused),
        )


def _is_refused(state: FutureState) -> bool:
    """Tell whether the client was told that the key is not known, or is another's."""
    return state.failure is not None and state.failure.kind in _REFUSED


def _demand_equal(rule: str, believed: object, true: object) -> None:
    if believed != true:
        raise InvariantBroken(rule=rule, detail=f"believed {believed}, in truth {true}")
