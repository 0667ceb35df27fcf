"""What a simulated user does with locks, queues and barriers, and remembers of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from hocket.client.machine import ClientMachine
from hocket.client.states import Request
from hocket.protocol.messages import (
    AcquireLeases,
    AcquireLocks,
    CloseQueue,
    Denial,
    GrantGiven,
    ItemsGiven,
    ItemsReceived,
    PutItem,
    ReleaseGrant,
    RequestDenied,
    RequestDone,
    TakeItems,
    WaitBarrier,
    WithdrawRequest,
)
from hocket.scheduler.coordination import Coordination
from hocket.scheduler.state import Client
from hocket.testing.accounts import Accounts, Party

__all__ = ["CAPACITIES", "Desk", "close_queues", "values_of"]

#: By the name of a queue: how many values it has room for; 0: any number.
CAPACITIES = {"q0": 0, "q1": 1, "q2": 3}
_LEASES_COUNT = 2
_PARTIES_COUNT = 2
#: The queue whose values may go back when they have come.
_RETURNING = "q0"


class Owner(Party, Protocol):
    """A client host."""

    machine: ClientMachine

    def request(self, make: Callable[[int], Any]) -> None:
        """Ask the scheduler something."""

    def on_answer(self, number: int, then: Callable[[Any], None]) -> None:
        """Do something when this question is answered."""

    def forget_answer(self, number: int) -> None:
        """Do nothing when this question is answered."""

    def changed(self) -> None:
        """Take note that the machine may have something to say."""


class Desk:
    """One client's requests and what it holds.

    Attributes
    ----------
    is_over
        Whether nothing is to be held any more.
    """

    def __init__(self, host: Owner, random: Random) -> None:
        self._host = host
        self._random = random
        self._accounts: Accounts | None = None
        self.is_over = False
        self.waiting: dict[int, Request] = {}
        self.held: dict[int, None] = {}
        #: Queues that it ever asked for values.
        self.taken_from: set[str] = set()

    def held_tokens(self) -> list[int]:
        """Return the tokens of what it holds, as it believes."""
        revoked = self._host.machine.revoked
        return [token for token in self.held if token not in revoked]

    # What users do.

    def acquire(self, accounts: Accounts, names: list[str], count: int, task: Any) -> None:
        """Ask for some locks, for a task if there is one."""
        self._ask(accounts, lambda number: AcquireLocks(number, names, count, *task))

    def lease(self, accounts: Accounts, name: str, count: int) -> None:
        """Ask for leases."""
        self._ask(accounts, lambda number: AcquireLeases(number, name, _LEASES_COUNT, count))

    def meet(self, accounts: Accounts, name: str) -> None:
        """Wait at a barrier."""
        self._ask(accounts, lambda number: WaitBarrier(number, name, _PARTIES_COUNT))

    def put(self, accounts: Accounts, queue: str, keys: list[str]) -> None:
        """Put a value into a queue, with futures in it."""
        value = accounts.new_value(self._host)
        data = b"%d" % value

        def then(_request: Request, answer: Any) -> None:
            if isinstance(answer, RequestDone):
                accounts.accepted(value, queue)

        capacity = CAPACITIES[queue]
        self._ask(accounts, lambda number: PutItem(number, queue, data, keys, capacity), then)

    def take(self, accounts: Accounts, queue: str, least: int, most: int) -> None:
        """Take values out of a queue."""

        def then(request: Request, answer: Any) -> None:
            if not isinstance(answer, ItemsGiven):
                return
            machine = self._host.machine
            is_kept = queue != _RETURNING or self._random.random() < 0.8
            if is_kept:
                accounts.kept(self._host, queue, map(int, answer.values))
            else:
                accounts.disturbed.add(queue)
            machine.post(ItemsReceived(answer.request, is_kept))
            machine.release(request.states)

        self.taken_from.add(queue)
        capacity = CAPACITIES[queue]
        self._ask(accounts, lambda number: TakeItems(number, queue, least, most, capacity), then)

    def let_go(self) -> None:
        """Release what was acquired first."""
        if self.held:
            token = next(iter(self.held))
            del self.held[token]
            self._host.request(lambda number: ReleaseGrant(number, token))

    def give_up(self, *, abandons: bool) -> None:
        """Withdraw the oldest request, and perhaps do not wait for what becomes of it."""
        if not self.waiting:
            return
        number, request = next(iter(self.waiting.items()))
        machine = self._host.machine
        machine.post(WithdrawRequest(number))
        if abandons:
            del self.waiting[number]
            machine.withdraw(request)
            self._host.forget_answer(number)
            if self._accounts is not None:
                self._accounts.disturbed |= self.taken_from
        self._host.changed()

    def wind_down(self) -> None:
        """Let go of all that is held, and of all that is waited for."""
        self.is_over = True
        for number in self.waiting:
            self._host.machine.post(WithdrawRequest(number))
        while self.held:
            self.let_go()
        self._host.changed()

    def _ask(
        self,
        accounts: Accounts,
        make: Callable[[int], Any],
        then: Callable[[Request, Any], None] | None = None,
    ) -> None:
        self._accounts = accounts
        request = self._host.machine.ask(make, lambda: None)
        self.waiting[request.number] = request

        def on_answer(answer: Any) -> None:
            self.waiting.pop(request.number, None)
            if isinstance(answer, GrantGiven):
                self.held[answer.token] = None
                if self.is_over:
                    self.let_go()
            elif isinstance(answer, RequestDenied) and answer.kind is Denial.BROKEN:
                pass
            elif then is not None:
                then(request, answer)

        self._host.on_answer(request.number, on_answer)


def values_of(coordination: Coordination) -> dict[str, list[bytes]]:
    """Return what is in the queues, by name."""
    return {
        name: [parcel.value for parcel in queue.items]
        for name, queue in coordination.queues.records.items()
    }


def close_queues(coordination: Coordination) -> None:
    """Drop what lies in queues, as somebody who comes later would."""
    somebody = Client(0, "somebody", {})
    for name in list(coordination.queues.records):
        coordination.queues.close(somebody, CloseQueue(0, name))
