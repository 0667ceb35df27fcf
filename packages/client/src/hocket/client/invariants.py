"""What must hold of a client's machine between any two calls; for tests and the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.client.states import FAILED, PENDING, STORED, FutureState
from hocket.core.errors import InvariantBroken

if TYPE_CHECKING:
    from hocket.client.machine import ClientMachine

__all__ = ["check"]


def check(machine: ClientMachine) -> None:
    """Check a machine.

    Raises
    ------
    InvariantBroken
        A rule does not hold.
    """
    for key, state in machine.states.items():
        _check_state(key, state)
        if machine.closed is not None and state.status is PENDING:
            raise InvariantBroken(rule="the closed wait for nothing", detail=repr(state))
    for number, request in machine.requests.items():
        if number != request.number or request.reply is not None or request.error is not None:
            raise InvariantBroken(rule="open questions have no answer", detail=str(number))
        if machine.closed is not None:
            raise InvariantBroken(rule="the closed ask nothing", detail=str(number))


def _check_state(key: str, state: FutureState) -> None:
    if key != state.key or state.references < 1:
        raise InvariantBroken(rule="futures are counted", detail=repr(state))
    if (state.failure is not None) != (state.status is FAILED):
        raise InvariantBroken(rule="a failure belongs to the failed", detail=repr(state))
    if state.value is not None and state.status is not STORED:
        raise InvariantBroken(rule="a value belongs to the finished", detail=repr(state))
    if state.watches is not None and state.status is not PENDING:
        raise InvariantBroken(rule="only the pending are waited for", detail=repr(state))
