"""Barriers: nobody passes before all are there.

If one of those who wait is lost or gives up, the others cannot come together any more: the barrier
is broken, for them and for whoever comes, until it is made whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import ChangeBarrier, Denial, WaitBarrier
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["Barrier", "BarrierWish", "Barriers"]


class BarrierWish(Wish):
    """Somebody who waits at a barrier."""

    __slots__ = ("name",)

    def __init__(
        self, room: Barriers, client: Client, message: WaitBarrier, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name


class Barrier:
    """One barrier."""

    __slots__ = ("broken", "parties", "waiting")

    def __init__(self, parties: int) -> None:
        self.parties = parties
        self.waiting: dict[BarrierWish, None] = {}
        #: Why it is broken; "": it is whole.
        self.broken = ""


class Barriers:
    """All barriers that are waited at, or broken."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.records: dict[str, Barrier] = {}

    def wait(self, client: Client, message: WaitBarrier) -> None:
        """Answer when all are there."""
        register, request, name = self._register, message.request, message.name
        may_ask, task = register.asker(client, message)
        if not may_ask or not register.may_add(client, request, [name], self.records):
            return
        barrier = self.records.get(name)
        if barrier is not None and barrier.broken:
            register.deny(client, request, Denial.BROKEN, barrier.broken)
        elif message.parties < 1:
            register.deny(client, request, Denial.LIMIT, "a barrier is for one party at least")
        elif barrier is not None and barrier.parties != message.parties:
            text = (
                f"barrier {name!r} is for {barrier.parties} parties for those who wait now, and"
                f" for {message.parties} for who comes; use one number, or another name"
            )
            register.deny(client, request, Denial.MISMATCH, text)
        else:
            wish = BarrierWish(self, client, message, task)
            if register.wait(wish):
                if barrier is None:
                    barrier = self.records[name] = Barrier(message.parties)
                barrier.waiting[wish] = None
                if len(barrier.waiting) == barrier.parties:
                    del self.records[name]
                    for index, one in enumerate(barrier.waiting):
                        register.end(one)
                        register.done(one.client, one.request, index)

    def change(self, client: Client, message: ChangeBarrier) -> None:
        """Break a barrier, or make it whole; whoever waits is told."""
        register, name = self._register, message.name
        barrier = self.records.get(name)
        if message.is_broken:
            if not register.may_add(client, message.request, [name], self.records):
                return
            if barrier is None:
                barrier = self.records[name] = Barrier(0)
            self._break(barrier, f"client {client.name!r} broke it")
        elif barrier is not None:
            if not barrier.broken:
                self._break(barrier, f"client {client.name!r} reset it")
            del self.records[name]
        register.done(client, message.request)

    def leave(self, wish: BarrierWish, reason: str) -> None:
        """Break the barrier that somebody leaves who waited there."""
        barrier = self.records[wish.name]
        del barrier.waiting[wish]
        self._break(barrier, f"client {wish.client.name!r}, who waited there, {reason}")

    def give_up(self, grant: Grant) -> None:
        """Nothing of a barrier is held."""
        raise NotImplementedError(repr(grant))

    def look(self, name: str) -> list[int]:
        """Return how many wait, for how many it is (0: unknown), and whether it is broken."""
        barrier = self.records.get(name)
        if barrier is None:
            return [0, 0, 0]
        return [len(barrier.waiting), barrier.parties, int(bool(barrier.broken))]

    def _break(self, barrier: Barrier, reason: str) -> None:
        barrier.broken = reason
        waiting, barrier.waiting = barrier.waiting, {}
        for wish in waiting:
            self._register.deny_wish(wish, Denial.BROKEN, reason)
