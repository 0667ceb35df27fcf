"""Semaphores: so many leases, which go to whoever has waited longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import AcquireLeases, Denial
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["LeaseWish", "Semaphore", "Semaphores"]


class LeaseWish(Wish):
    """Somebody who waits for leases."""

    __slots__ = ("count", "name")

    def __init__(
        self, room: Semaphores, client: Client, message: AcquireLeases, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name
        self.count = message.count


class Semaphore:
    """One semaphore."""

    __slots__ = ("limit", "line", "used_count")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used_count = 0
        #: Those who wait, in the order of arrival.
        self.line: dict[LeaseWish, None] = {}


class Semaphores:
    """All semaphores that are held or waited for."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.records: dict[str, Semaphore] = {}

    def acquire(self, client: Client, message: AcquireLeases) -> None:
        """Grant leases, now or when enough are free."""
        register, request, name = self._register, message.request, message.name
        may_ask, task = register.asker(client, message)
        if not may_ask or not register.may_hold_more(client, request):
            return
        semaphore = self.records.get(name)
        if not 1 <= message.count <= message.limit:
            text = f"{message.count} of {message.limit} leases cannot be held"
            register.deny(client, request, Denial.LIMIT, text)
        elif semaphore is not None and semaphore.limit != message.limit:
            text = (
                f"semaphore {name!r} has {semaphore.limit} leases for those who use it now, and"
                f" {message.limit} for who asks; use one number, or another name"
            )
            register.deny(client, request, Denial.MISMATCH, text)
        elif register.may_add(client, request, [name], self.records):
            wish = LeaseWish(self, client, message, task)
            if register.wait(wish):
                if semaphore is None:
                    semaphore = self.records[name] = Semaphore(message.limit)
                semaphore.line[wish] = None
                self._go_on(name)

    def leave(self, wish: LeaseWish, _reason: str) -> None:
        """Let a wish that is over leave the line."""
        del self.records[wish.name].line[wish]
        self._go_on(wish.name)

    def give_up(self, grant: Grant) -> None:
        """Free what was held."""
        (name,) = grant.names
        self.records[name].used_count -= grant.count
        self._go_on(name)

    def look(self, name: str) -> list[int]:
        """Return how many leases are held, how many there are (0: unknown), and how many wait."""
        semaphore = self.records.get(name)
        if semaphore is None:
            return [0, 0, 0]
        return [semaphore.used_count, semaphore.limit, len(semaphore.line)]

    def _go_on(self, name: str) -> None:
        semaphore = self.records[name]
        line = semaphore.line
        while line:
            wish = next(iter(line))
            if semaphore.used_count + wish.count > semaphore.limit:
                return
            del line[wish]
            semaphore.used_count += wish.count
            self._register.grant(wish, [name], wish.count)
        if not semaphore.used_count:
            del self.records[name]
