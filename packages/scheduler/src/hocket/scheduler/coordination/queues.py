"""Queues: values go out as they came in; whoever finds no room, or nothing, waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from hocket.protocol.messages import CloseQueue, Denial, PutItem, TakeItems
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.parcels import Parcel, Parcels
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["PutWish", "Queue", "Queues", "TakeWish"]


class PutWish(Wish):
    """Somebody who waits for room."""

    __slots__ = ("name", "parcel")

    def __init__(
        self,
        room: Queues,
        client: Client,
        message: PutItem,
        task: Attempt | None,
        parcel: Parcel,
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name
        self.parcel = parcel


class TakeWish(Wish):
    """Somebody who waits for values."""

    __slots__ = ("count_max", "count_min", "name")

    def __init__(
        self, room: Queues, client: Client, message: TakeItems, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name
        self.count_min = message.count_min
        self.count_max = message.count_max


class Queue:
    """One queue."""

    __slots__ = ("capacity", "items", "putting", "taking")

    def __init__(self) -> None:
        #: How many values there may be; 0: as many as in any.
        self.capacity = 0
        self.items: deque[Parcel] = deque()
        #: Those who wait, in the order of arrival.
        self.putting: dict[PutWish, None] = {}
        self.taking: dict[TakeWish, None] = {}


class Queues:
    """All queues that have something in them, or are waited for, or have a capacity."""

    def __init__(self, register: Register, parcels: Parcels) -> None:
        self._register = register
        self._parcels = parcels
        self.records: dict[str, Queue] = {}

    def put(self, client: Client, message: PutItem) -> None:
        """Put a value in, now or when there is room."""
        register, request = self._register, message.request
        may_ask, task = register.asker(client, message)
        if not may_ask or register.is_fenced(client, message):
            return
        queue = self._open(client, message)
        if queue is None:
            return
        parcel = self._parcels.make(client, request, message.value, message.keys)
        if parcel is not None:
            wish = PutWish(self, client, message, task, parcel)
            if register.wait(wish):
                queue.putting[wish] = None
            else:
                self._parcels.drop(parcel)
        self._go_on(message.name)

    def take(self, client: Client, message: TakeItems) -> None:
        """Take values out, now or when enough are there."""
        register = self._register
        may_ask, task = register.asker(client, message)
        queue = self._open(client, message) if may_ask else None
        if queue is None:
            return
        items_max = queue.capacity or register.limits.items_max
        if not message.count_min <= message.count_max or message.count_min > items_max:
            text = (
                f"queue {message.name!r} never has {message.count_min} values:"
                f" there is room for {items_max}"
            )
            register.deny(client, message.request, Denial.LIMIT, text)
        else:
            wish = TakeWish(self, client, message, task)
            if register.wait(wish):
                queue.taking[wish] = None
        self._go_on(message.name)

    def close(self, client: Client, message: CloseQueue) -> None:
        """Forget a queue; whoever waits is told."""
        queue = self.records.pop(message.name, None)
        if queue is not None:
            text = f"queue {message.name!r} was closed"
            for put in queue.putting:
                self._parcels.drop(put.parcel)
            for wish in (*queue.putting, *queue.taking):
                self._register.deny_wish(wish, Denial.CLOSED, text)
            for parcel in queue.items:
                self._parcels.drop(parcel)
        self._register.done(client, message.request)

    def leave(self, wish: PutWish | TakeWish, _reason: str) -> None:
        """Let a wish that is over leave the line."""
        queue = self.records[wish.name]
        if isinstance(wish, PutWish):
            del queue.putting[wish]
            self._parcels.drop(wish.parcel)
        else:
            del queue.taking[wish]
        self._go_on(wish.name)

    def give_up(self, grant: Grant) -> None:
        """Nothing of a queue is held."""
        raise NotImplementedError(repr(grant))

    def look(self, name: str) -> list[int]:
        """Return how many values there are, for how many there is room (0: any), and who waits."""
        queue = self.records.get(name)
        if queue is None:
            return [0, 0, 0, 0]
        return [len(queue.items), queue.capacity, len(queue.putting), len(queue.taking)]

    def _open(self, client: Client, message: PutItem | TakeItems) -> Queue | None:
        """Return the queue, made if it is new; if it cannot be used so, deny the request."""
        name, capacity = message.name, message.capacity
        queue = self.records.get(name)
        if queue is None:
            if not self._register.may_add(client, message.request, [name], self.records):
                return None
            queue = self.records[name] = Queue()
        if capacity and not queue.capacity:
            queue.capacity = capacity
        elif capacity not in (0, queue.capacity):
            text = (
                f"queue {name!r} has room for {queue.capacity} values, and {capacity} were asked"
                " for; use one number, none, or another name"
            )
            self._register.deny(client, message.request, Denial.MISMATCH, text)
            return None
        return queue

    def _go_on(self, name: str) -> None:
        """Let in and out whatever may go."""
        queue = self.records[name]
        room_count = queue.capacity or self._register.limits.items_max
        while True:
            if queue.putting and len(queue.items) < room_count:
                put = next(iter(queue.putting))
                del queue.putting[put]
                queue.items.append(put.parcel)
                self._register.end(put)
                self._register.done(put.client, put.request, len(queue.items))
            elif queue.taking and self._serve(queue, next(iter(queue.taking))):
                pass
            else:
                break
        if not (queue.items or queue.capacity or queue.putting or queue.taking):
            del self.records[name]

    def _serve(self, queue: Queue, wish: TakeWish) -> bool:
        """Give the first of those who wait what there is; return False if that is not enough."""
        items = queue.items
        if len(items) < wish.count_min:
            return False
        del queue.taking[wish]
        nbytes_max = self._register.limits.answer_nbytes_max
        count = nbytes = 0
        for parcel in islice(items, min(wish.count_max, len(items))):
            nbytes += parcel.nbytes
            if count and nbytes > nbytes_max:
                break
            count += 1
        if count < wish.count_min:
            text = f"the {wish.count_min} values are more than {nbytes_max} bytes; take fewer"
            self._register.deny_wish(wish, Denial.LIMIT, text)
            return True
        parcels = [items.popleft() for _ in range(count)]
        self._parcels.give(wish, parcels, partial(self._put_back, wish.name))
        return True

    def _put_back(self, name: str, parcels: Sequence[Parcel]) -> None:
        """Put values that did not arrive where they were: in front of all."""
        if not parcels:
            return
        queue = self.records.get(name)
        if queue is None:
            queue = self.records[name] = Queue()
        queue.items.extendleft(reversed(parcels))
        self._go_on(name)
