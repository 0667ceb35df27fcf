"""Locks: each is held by one grant at the most, and goes to whoever has waited longest.

A request may name several locks, and ask for all of them or some. It stands in the line of each
lock that it names, and is granted when enough of them are free with nobody before it. The line of
every lock is in the order of arrival, so whoever came first waits for holders only: no two requests
can wait for each other, and none is passed for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hocket.protocol.messages import AcquireLocks, Denial
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["Lock", "LockWish", "Locks"]


class LockWish(Wish):
    """Somebody who waits for locks."""

    __slots__ = ("count", "names")

    def __init__(
        self, room: Locks, client: Client, message: AcquireLocks, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.names = message.names
        self.count = message.count


class Lock:
    """One lock."""

    __slots__ = ("grant", "line")

    def __init__(self) -> None:
        self.grant: Grant | None = None
        #: Those who wait, in the order of arrival.
        self.line: dict[LockWish, None] = {}


class Locks:
    """All locks that are held or waited for."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.records: dict[str, Lock] = {}

    def acquire(self, client: Client, message: AcquireLocks) -> None:
        """Grant locks, now or when they are free."""
        register = self._register
        may_ask, task = register.asker(client, message)
        if not may_ask or not register.may_hold_more(client, message.request):
            return
        names = message.names
        text = ""
        if len(names) > register.limits.names_max:
            text = f"{len(names)} locks at once are over the limit of {register.limits.names_max}"
        elif len(set(names)) != len(names):
            text = "a lock is named twice; it cannot be held twice"
        elif not 1 <= message.count <= len(names):
            text = f"{message.count} of {len(names)} locks cannot be held"
        if text:
            register.deny(client, message.request, Denial.LIMIT, text)
            return
        if not register.may_add(client, message.request, names, self.records):
            return
        wish = LockWish(self, client, message, task)
        if register.wait(wish):
            for name in names:
                lock = self.records.get(name)
                if lock is None:
                    lock = self.records[name] = Lock()
                lock.line[wish] = None
            self._go_on(names[:1] if message.count == len(names) else names)

    def leave(self, wish: LockWish, _reason: str) -> None:
        """Let a wish that is over leave the lines."""
        for name in wish.names:
            del self.records[name].line[wish]
        self._go_on(wish.names)

    def give_up(self, grant: Grant) -> None:
        """Free what was held."""
        for name in grant.names:
            self.records[name].grant = None
        self._go_on(grant.names)

    def look(self, name: str) -> list[int]:
        """Return the token of who holds it (0: nobody), and how many wait."""
        lock = self.records.get(name)
        if lock is None:
            return [0, 0]
        return [0 if lock.grant is None else lock.grant.token, len(lock.line)]

    def _go_on(self, names: Iterable[str]) -> None:
        """Grant what can be, after something changed at these locks."""
        todo = deque(names)
        while todo:
            name = todo.popleft()
            lock = self.records.get(name)
            if lock is None or lock.grant is not None:
                continue
            if not lock.line:
                del self.records[name]
                continue
            wish = next(iter(lock.line))
            free = [one for one in wish.names if self._is_next(wish, one)]
            if len(free) >= wish.count:
                taken = free[: wish.count]
                grant = self._register.grant(wish, taken, wish.count)
                for one in wish.names:
                    del self.records[one].line[wish]
                for one in taken:
                    self.records[one].grant = grant
                todo.extend(one for one in wish.names if self.records[one].grant is not grant)

    def _is_next(self, wish: LockWish, name: str) -> bool:
        lock = self.records[name]
        return lock.grant is None and next(iter(lock.line)) is wish
