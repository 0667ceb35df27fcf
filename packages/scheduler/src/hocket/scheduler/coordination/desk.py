"""The front desk of coordination: which request goes to which room, and whose time is over.

Theory of operation
-------------------
Everything happens in the order in which requests arrive at the scheduler, one at a time: so each
takes effect at one moment between its sending and its answer, and all histories are linearizable.
A session delivers each request once and in order, however often its connection is cut; so nothing
is acquired or released twice. What a client holds, or waits for, is over when its session is; what
a task holds or waits for, when the attempt is that asked for it. Whoever held something that was
taken back finds out by its token, which is greater for every later grant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hocket.protocol.messages import (
    AcquireLeases,
    AcquireLocks,
    ChangeBarrier,
    ChangeEvent,
    CloseQueue,
    Denial,
    GetVariable,
    ItemsReceived,
    LookAt,
    Primitive,
    PutItem,
    ReleaseGrant,
    SetVariable,
    StateTold,
    TakeItems,
    WaitBarrier,
    WaitEvent,
    WithdrawRequest,
)
from hocket.scheduler.coordination.barriers import Barriers
from hocket.scheduler.coordination.events import Events
from hocket.scheduler.coordination.limits import CoordinationLimits
from hocket.scheduler.coordination.locks import Locks
from hocket.scheduler.coordination.parcels import Parcels
from hocket.scheduler.coordination.queues import Queues
from hocket.scheduler.coordination.register import Register, Wish
from hocket.scheduler.coordination.semaphores import Semaphores
from hocket.scheduler.coordination.variables import Variables

if TYPE_CHECKING:
    from hocket.scheduler.coordination.tasks import Tasks
    from hocket.scheduler.state import Client

__all__ = ["Coordination"]


class Coordination:
    """Locks, semaphores, events, variables, queues and barriers of all clients.

    Parameters
    ----------
    tasks
        Tells which attempts run, and keeps keys.
    limits
        How much of everything there may be.
    first_token
        Less than the token of the first grant.
    """

    def __init__(
        self, tasks: Tasks, limits: CoordinationLimits | None = None, first_token: int = 0
    ) -> None:
        self.register = Register(limits or CoordinationLimits(), tasks, first_token)
        self.parcels = Parcels(self.register)
        self.locks = Locks(self.register)
        self.semaphores = Semaphores(self.register)
        self.events = Events(self.register)
        self.variables = Variables(self.register, self.parcels)
        self.queues = Queues(self.register, self.parcels)
        self.barriers = Barriers(self.register)
        self.register.rooms += [
            self.locks,
            self.semaphores,
            self.events,
            self.variables,
            self.queues,
            self.barriers,
        ]
        #: What to do with each request.
        self.handlers: dict[type[Any], Callable[[Client, Any], None]] = {
            AcquireLocks: self.locks.acquire,
            AcquireLeases: self.semaphores.acquire,
            ReleaseGrant: self._on_release,
            WaitEvent: self.events.wait,
            ChangeEvent: self.events.change,
            SetVariable: self.variables.set,
            GetVariable: self.variables.get,
            PutItem: self.queues.put,
            TakeItems: self.queues.take,
            CloseQueue: self.queues.close,
            WaitBarrier: self.barriers.wait,
            ChangeBarrier: self.barriers.change,
            LookAt: self._on_look,
            WithdrawRequest: self._on_withdraw,
            ItemsReceived: self._on_received,
        }
        self._looks: dict[Primitive, Callable[[str], list[int]]] = {
            Primitive.LOCK: self.locks.look,
            Primitive.SEMAPHORE: self.semaphores.look,
            Primitive.EVENT: self.events.look,
            Primitive.VARIABLE: self.variables.look,
            Primitive.QUEUE: self.queues.look,
            Primitive.BARRIER: self.barriers.look,
        }

    def client_lost(self, client: Client) -> None:
        """End what a client waits for, put back what has not reached it, take what it holds."""
        self._end(self.register.wishes.of_client(client), "was lost")
        self.parcels.client_lost(client)
        for grant in self.register.held.of_client(client):
            self.register.take_back(grant)

    def turn(self) -> None:
        """End what tasks wait for or hold whose attempts are over."""
        register = self.register
        is_running = register.tasks.is_running
        for key in register.tasks.take_moved():
            reason = f"the attempt of task {key!r} that asked is over"
            wishes = register.wishes.of_task(key)
            over = [one for one in wishes if one.task and not is_running(*one.task)]
            self._end(over, f"ended its task {key!r}", reason)
            held = register.held.of_task(key)
            register.revoke([one for one in held if one.task and not is_running(*one.task)], reason)

    def _end(self, wishes: list[Wish], reason: str, text: str = "") -> None:
        # The last first: so that none of the others is granted meanwhile.
        for wish in reversed(wishes):
            if self.register.is_waiting(wish):
                if text:
                    self.register.deny_wish(wish, Denial.TASK_OVER, text)
                else:
                    self.register.end(wish)
                wish.room.leave(wish, reason)

    def _on_release(self, client: Client, message: ReleaseGrant) -> None:
        grant = self.register.grants.get(message.token)
        if grant is None or grant.client is not client:
            text = f"token {message.token} stands for nothing that client {client.name!r} holds"
            self.register.deny(client, message.request, Denial.NOT_HELD, text)
        else:
            self.register.take_back(grant)
            self.register.done(client, message.request)

    def _on_look(self, client: Client, message: LookAt) -> None:
        if message.kind is Primitive.GRANT:
            grant = self.register.grants.get(message.token)
            numbers = [int(grant is not None and grant.client is client)]
        else:
            numbers = self._looks[message.kind](message.name)
        client.outbox.add(StateTold(message.request, numbers))

    def _on_withdraw(self, client: Client, message: WithdrawRequest) -> None:
        wish = self.register.find(client, message.request)
        if wish is not None:
            self.register.deny_wish(wish, Denial.WITHDRAWN, "it was withdrawn")
            wish.room.leave(wish, "gave up")

    def _on_received(self, client: Client, message: ItemsReceived) -> None:
        self.parcels.received(client, message.request, is_kept=message.is_kept)
