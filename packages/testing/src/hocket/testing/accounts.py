"""Accounts of locks and queues: nothing is lost or doubled, and all comes in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from hocket.core.errors import InvariantBroken
from hocket.protocol.messages import GrantGiven, ItemsGiven

__all__ = ["Accounts", "Party"]


class Party(Protocol):
    """A client, as far as accounts need to know it."""

    name: str
    life: int

    @property
    def is_connected(self) -> bool:
        """Whether both sides believe in its session."""

    def held_tokens(self) -> list[int]:
        """Return the tokens that it believes to hold."""


class Accounts:
    """What was put into queues and what came out, and which tokens were given.

    Attributes
    ----------
    disturbed
        Queues into which something may have gone back: those have no order any more.
    """

    def __init__(self) -> None:
        self._values_count = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew: the scheduler did, or all queues were closed."""
        self.disturbed: set[str] = set()
        #: By value: who put it in, and whether it knows that it is in.
        self._put: dict[int, Party] = {}
        self._accepted: dict[int, str] = {}
        self._kept: dict[int, Party] = {}
        self._latest: dict[tuple[str, str, int, str, int], int] = {}
        #: The last token of the turns before, and those of the present one.
        self._token_before = 0
        self._tokens: list[int] = []

    def new_value(self, party: Party) -> int:
        """Return a value that was never put anywhere."""
        self._values_count += 1
        self._put[self._values_count] = party
        return self._values_count

    def accepted(self, value: int, queue: str) -> None:
        """Take note that a value is in a queue, and its client knows."""
        if value in self._put:
            self._accepted[value] = queue

    def turn_begins(self) -> None:
        """Take note that what was said until now is past."""
        self._token_before = max(self._tokens, default=self._token_before)
        self._tokens = []

    def said(self, message: Any) -> None:
        """Look at what the scheduler says."""
        if isinstance(message, GrantGiven):
            # (In one turn several clients may be told, in any order.)
            if message.token <= self._token_before or message.token in self._tokens:
                detail = f"{message.token} after {self._token_before} and {self._tokens}"
                raise InvariantBroken(rule="tokens grow", detail=detail)
            self._tokens.append(message.token)
        elif isinstance(message, ItemsGiven):
            for value in map(int, message.values):
                former = self._kept.get(value)
                if former is not None and former.is_connected:
                    detail = f"{value} was given to {former.name}, and comes out again"
                    raise InvariantBroken(rule="a value comes out once", detail=detail)

    def kept(self, party: Party, queue: str, values: Iterable[int]) -> None:
        """Take note that a client has taken values out of a queue."""
        for value in values:
            putter = self._put.get(value)
            if putter is None:
                # (Of a scheduler that is gone.)
                continue
            self._kept[value] = party
            place = (queue, party.name, party.life, putter.name, putter.life)
            if queue not in self.disturbed and self._latest.get(place, 0) >= value:
                detail = f"{party.name} got {value} of {putter.name} out of turn"
                raise InvariantBroken(rule="queues keep the order", detail=detail)
            self._latest[place] = value

    def check(
        self, queues: Mapping[str, Iterable[bytes]], held: Mapping[int, list[int]], parties: Any
    ) -> None:
        """Compare with what the scheduler has, when all is quiet.

        Parameters
        ----------
        queues
            By name: the values in it.
        held
            By the id of a client: the tokens of what it holds, as the scheduler believes.
        parties
            By the same: the clients that are there.
        """
        inside = {int(value) for values in queues.values() for value in values}
        for value, queue in self._accepted.items():
            if value not in inside and value not in self._kept:
                raise InvariantBroken(rule="no value is lost", detail=f"{value} of {queue}")
        for value in inside:
            former = self._kept.get(value)
            if former is not None and former.is_connected:
                detail = f"{value} is in its queue, and {former.name} has it"
                raise InvariantBroken(rule="no value is doubled", detail=detail)
        for id_, party in parties.items():
            believed, true = held.get(id_, []), sorted(party.held_tokens())
            if sorted(believed) != true:
                detail = f"{party.name} believes to hold {true}, the scheduler {believed}"
                raise InvariantBroken(rule="holders know what they hold", detail=detail)
