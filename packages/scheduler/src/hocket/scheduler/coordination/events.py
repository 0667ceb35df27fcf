"""Events: flags that can be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import ChangeEvent, WaitEvent
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["Event", "EventWish", "Events"]


class EventWish(Wish):
    """Somebody who waits for an event."""

    __slots__ = ("name",)

    def __init__(
        self, room: Events, client: Client, message: WaitEvent, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name


class Event:
    """One event."""

    __slots__ = ("is_set", "waiting")

    def __init__(self) -> None:
        self.is_set = False
        self.waiting: dict[EventWish, None] = {}


class Events:
    """All events that are set or waited for."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.records: dict[str, Event] = {}

    def wait(self, client: Client, message: WaitEvent) -> None:
        """Answer when the event is set."""
        register = self._register
        may_ask, task = register.asker(client, message)
        if not may_ask:
            return
        event = self.records.get(message.name)
        if event is not None and event.is_set:
            register.done(client, message.request, 1)
            return
        if not register.may_add(client, message.request, [message.name], self.records):
            return
        wish = EventWish(self, client, message, task)
        if register.wait(wish):
            if event is None:
                event = self.records[message.name] = Event()
            event.waiting[wish] = None

    def change(self, client: Client, message: ChangeEvent) -> None:
        """Set or clear an event."""
        register, name = self._register, message.name
        if register.is_fenced(client, message):
            return
        event = self.records.get(name)
        if message.is_set:
            if not register.may_add(client, message.request, [name], self.records):
                return
            if event is None:
                event = self.records[name] = Event()
            event.is_set = True
            waiting, event.waiting = event.waiting, {}
            for wish in waiting:
                register.end(wish)
                register.done(wish.client, wish.request, 1)
        elif event is not None:
            event.is_set = False
            self._drop_if_blank(name)
        register.done(client, message.request)

    def leave(self, wish: EventWish, _reason: str) -> None:
        """Let a wish that is over leave."""
        del self.records[wish.name].waiting[wish]
        self._drop_if_blank(wish.name)

    def give_up(self, grant: Grant) -> None:
        """Nothing of an event is held."""
        raise NotImplementedError(repr(grant))

    def look(self, name: str) -> list[int]:
        """Return whether it is set, and how many wait."""
        event = self.records.get(name)
        return [0, 0] if event is None else [int(event.is_set), len(event.waiting)]

    def _drop_if_blank(self, name: str) -> None:
        event = self.records[name]
        if not event.is_set and not event.waiting:
            del self.records[name]
