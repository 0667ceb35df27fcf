"""Variables: names for values, which can be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hocket.protocol.messages import GetVariable, SetVariable
from hocket.scheduler.coordination.register import Grant, Register, Wish

if TYPE_CHECKING:
    from hocket.scheduler.coordination.parcels import Parcel, Parcels
    from hocket.scheduler.coordination.register import Attempt
    from hocket.scheduler.state import Client

__all__ = ["Variable", "VariableWish", "Variables"]


class VariableWish(Wish):
    """Somebody who waits for a variable to have a value."""

    __slots__ = ("name",)

    def __init__(
        self, room: Variables, client: Client, message: GetVariable, task: Attempt | None
    ) -> None:
        super().__init__(room, client, message.request, task)
        self.name = message.name


class Variable:
    """One variable."""

    __slots__ = ("parcel", "waiting")

    def __init__(self) -> None:
        self.parcel: Parcel | None = None
        self.waiting: dict[VariableWish, None] = {}


class Variables:
    """All variables that have a value, or are waited for."""

    def __init__(self, register: Register, parcels: Parcels) -> None:
        self._register = register
        self._parcels = parcels
        self.records: dict[str, Variable] = {}

    def set(self, client: Client, message: SetVariable) -> None:
        """Give a variable a value, or none."""
        register, name, request = self._register, message.name, message.request
        if register.is_fenced(client, message):
            return
        parcel = None
        if message.value is not None:
            if not register.may_add(client, request, [name], self.records):
                return
            parcel = self._parcels.make(client, request, message.value, message.keys)
            if parcel is None:
                return
        variable = self.records.get(name)
        if variable is None and parcel is not None:
            variable = self.records[name] = Variable()
        if variable is not None:
            former, variable.parcel = variable.parcel, parcel
            if former is not None:
                self._parcels.drop(former)
            if parcel is not None:
                waiting, variable.waiting = variable.waiting, {}
                for wish in waiting:
                    self._parcels.give(wish, [self._parcels.hold(parcel)])
            self._drop_if_blank(name)
        register.done(client, request)

    def get(self, client: Client, message: GetVariable) -> None:
        """Give the value of a variable, now or when it has one."""
        register, name = self._register, message.name
        may_ask, task = register.asker(client, message)
        if not may_ask or not register.may_add(client, message.request, [name], self.records):
            return
        wish = VariableWish(self, client, message, task)
        if register.wait(wish):
            variable = self.records.get(name)
            if variable is None:
                variable = self.records[name] = Variable()
            if variable.parcel is None:
                variable.waiting[wish] = None
            else:
                self._parcels.give(wish, [self._parcels.hold(variable.parcel)])

    def leave(self, wish: VariableWish, _reason: str) -> None:
        """Let a wish that is over leave."""
        del self.records[wish.name].waiting[wish]
        self._drop_if_blank(wish.name)

    def give_up(self, grant: Grant) -> None:
        """Nothing of a variable is held."""
        raise NotImplementedError(repr(grant))

    def names(self, prefix: str) -> list[str]:
        """Return the names of the variables that have values and begin so."""
        return [
            name
            for name, variable in self.records.items()
            if variable.parcel is not None and name.startswith(prefix)
        ]

    def look(self, name: str) -> list[int]:
        """Return whether it has a value, and how many wait."""
        variable = self.records.get(name)
        if variable is None:
            return [0, 0]
        return [int(variable.parcel is not None), len(variable.waiting)]

    def _drop_if_blank(self, name: str) -> None:
        variable = self.records[name]
        if variable.parcel is None and not variable.waiting:
            del self.records[name]
