"""Who waits for what, and who holds what: by client, and by the task that asked.

A *wish* is a request that waits. A *grant* is what somebody holds; its token is greater than those
of all grants before it. Both end with the session of their client, and with the attempt of the task
that asked, if one did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from hocket.protocol.messages import (
    Denial,
    GrantGiven,
    GrantsRevoked,
    RequestDenied,
    RequestDone,
)
from hocket.scheduler.refusal import Refusal

if TYPE_CHECKING:
    from hocket.scheduler.coordination.limits import CoordinationLimits
    from hocket.scheduler.coordination.tasks import Tasks
    from hocket.scheduler.state import Client

__all__ = ["Grant", "Ledger", "Register", "Room", "Wish"]

_TEXT_NBYTES: Final = 200
_TOKEN_NBYTES: Final = 9

#: The key of a task and its attempt.
Attempt = tuple[str, int]


class Room(Protocol):
    """One kind of primitive."""

    @property
    def records(self) -> Mapping[str, object]:
        """By name; only those that say something."""

    def leave(self, wish: Any, reason: str) -> None:
        """Let a wish that is over leave, and go on without it."""

    def give_up(self, grant: Grant) -> None:
        """Take back what somebody held, and go on."""


class Wish:
    """A request that waits."""

    __slots__ = ("client", "request", "room", "task")

    def __init__(self, room: Room, client: Client, request: int, task: Attempt | None) -> None:
        self.room = room
        self.client = client
        self.request = request
        #: The attempt that asked, if it came out of a task.
        self.task = task

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request} of {self.client.name}>"


class Grant:
    """Something that is held: some of these names (locks), or so many leases of one."""

    __slots__ = ("client", "count", "names", "room", "task", "token")

    def __init__(self, wish: Wish, token: int, names: list[str], count: int) -> None:
        self.room = wish.room
        self.client = wish.client
        self.task = wish.task
        self.token = token
        self.names = names
        self.count = count

    def __repr__(self) -> str:
        return f"<Grant {self.token} of {self.names} to {self.client.name}>"


_Entry = TypeVar("_Entry", Wish, Grant)


class Ledger(Generic[_Entry]):
    """Wishes, or grants, by whom they belong to, in the order in which they came."""

    def __init__(self) -> None:
        self.by_client: dict[int, dict[_Entry, None]] = {}
        self.by_task: dict[str, dict[_Entry, None]] = {}

    def count_of(self, client: Client) -> int:
        """Return how many a client has."""
        return len(self.by_client.get(client.id, ()))

    def of_client(self, client: Client) -> list[_Entry]:
        """Return those of a client."""
        return list(self.by_client.get(client.id, ()))

    def of_task(self, key: str) -> list[_Entry]:
        """Return those of any attempt of a task."""
        return list(self.by_task.get(key, ()))

    def add(self, entry: _Entry) -> None:
        """File one."""
        self.by_client.setdefault(entry.client.id, {})[entry] = None
        if entry.task is not None:
            self.by_task.setdefault(entry.task[0], {})[entry] = None

    def remove(self, entry: _Entry) -> None:
        """Take one out."""
        _drop(self.by_client, entry.client.id, entry)
        if entry.task is not None:
            _drop(self.by_task, entry.task[0], entry)


def _drop(filed: dict[Any, dict[Any, None]], name: object, entry: object) -> None:
    entries = filed[name]
    del entries[entry]
    if not entries:
        del filed[name]


class Register:
    """All wishes and grants, and the answers to them.

    Parameters
    ----------
    limits
        How much of everything there may be.
    tasks
        Tells which attempts run.
    first_token
        Less than the token of the first grant.
    """

    def __init__(self, limits: CoordinationLimits, tasks: Tasks, first_token: int = 0) -> None:
        self.limits = limits
        self.tasks = tasks
        #: Of the latest grant.
        self.token = first_token
        self.grants: dict[int, Grant] = {}
        self.wishes: Ledger[Wish] = Ledger()
        self.held: Ledger[Grant] = Ledger()
        self.rooms: list[Room] = []
        self._waiting: dict[tuple[int, int], Wish] = {}

    # Wishes.

    def asker(self, client: Client, message: Any) -> tuple[bool, Attempt | None]:
        """Return whether a request may be looked at, and the attempt that makes it, if one does.

        If it may not, it is denied.
        """
        if (client.id, message.request) in self._waiting:
            raise Refusal(f"request {message.request} waits already")
        if not message.task_key:
            return True, None
        task = message.task_key, message.attempt
        if not self.tasks.is_running(*task):
            text = f"attempt {task[1]} of task {task[0]!r}, which asks, is over"
            self.deny(client, message.request, Denial.TASK_OVER, text)
            return False, None
        return True, task

    def may_add(
        self, client: Client, request: int, names: Iterable[str], records: Mapping[str, object]
    ) -> bool:
        """Whether there may be records of these names; if not, the request is denied."""
        missing_count = sum(1 for name in names if name not in records)
        if not missing_count:
            return True
        records_max = self.limits.records_max
        if missing_count + sum(len(one.records) for one in self.rooms) <= records_max:
            return True
        text = f"there are {records_max} locks, queues and the like already; use fewer names"
        self.deny(client, request, Denial.LIMIT, text)
        return False

    def wait(self, wish: Wish) -> bool:
        """File a wish; if there are too many, deny it and return False."""
        client = wish.client
        if self.wishes.count_of(client) >= self.limits.wishes_max:
            text = f"{self.limits.wishes_max} requests of client {client.name!r} wait already"
            self.deny(client, wish.request, Denial.LIMIT, text)
            return False
        self._waiting[client.id, wish.request] = wish
        self.wishes.add(wish)
        self._watch(wish)
        return True

    def find(self, client: Client, request: int) -> Wish | None:
        """Return the wish of this number, if it still waits."""
        return self._waiting.get((client.id, request))

    def is_waiting(self, wish: Wish) -> bool:
        """Whether a wish is not over."""
        return self.find(wish.client, wish.request) is wish

    def end(self, wish: Wish) -> None:
        """Take a wish out; it has an answer, or needs none."""
        del self._waiting[wish.client.id, wish.request]
        self.wishes.remove(wish)
        self._unwatch(wish)

    # Grants.

    def grant(self, wish: Wish, names: list[str], count: int) -> Grant:
        """Give somebody what was wished for."""
        self.end(wish)
        self.token += 1
        grant = self.grants[self.token] = Grant(wish, self.token, names, count)
        self.held.add(grant)
        self._watch(grant)
        wish.client.outbox.add(GrantGiven(wish.request, self.token), _TOKEN_NBYTES)
        return grant

    def may_hold_more(self, client: Client, request: int) -> bool:
        """Whether a client may hold more; if not, its request is denied."""
        if self.held.count_of(client) < self.limits.grants_max:
            return True
        text = f"client {client.name!r} holds {self.limits.grants_max} grants already"
        self.deny(client, request, Denial.LIMIT, text)
        return False

    def take_back(self, grant: Grant) -> None:
        """Take a grant out, and let the room go on."""
        del self.grants[grant.token]
        self.held.remove(grant)
        self._unwatch(grant)
        grant.room.give_up(grant)

    def revoke(self, grants: list[Grant], reason: str) -> None:
        """Take grants back that their holders did not let go of, and tell those."""
        for grant in grants:
            text_nbytes = len(reason) + _TOKEN_NBYTES
            grant.client.outbox.add(GrantsRevoked([grant.token], reason), text_nbytes)
            self.take_back(grant)

    def is_fenced(self, client: Client, message: Any) -> bool:
        """Whether a request names a token that stands for nothing; it is denied then."""
        if not message.fence or message.fence in self.grants:
            return False
        text = f"token {message.fence} stands for nothing that is held now"
        self.deny(client, message.request, Denial.NOT_HELD, text)
        return True

    # Answers.

    def done(self, client: Client, request: int, number: int = 0) -> None:
        """Say that a request is met."""
        if request:
            client.outbox.add(RequestDone(request, number), _TOKEN_NBYTES)

    def deny(self, client: Client, request: int, kind: Denial, text: str) -> None:
        """Say why a request is not met."""
        if request:
            client.outbox.add(RequestDenied(request, kind, text), len(text) + _TEXT_NBYTES)

    def deny_wish(self, wish: Wish, kind: Denial, text: str) -> None:
        """End a wish, and say why."""
        self.end(wish)
        self.deny(wish.client, wish.request, kind, text)

    # Tasks.

    def _watch(self, entry: Wish | Grant) -> None:
        if entry.task is not None:
            self.tasks.watched.add(entry.task[0])

    def _unwatch(self, entry: Wish | Grant) -> None:
        if entry.task is not None:
            key = entry.task[0]
            if key not in self.wishes.by_task and key not in self.held.by_task:
                self.tasks.watched.discard(key)
