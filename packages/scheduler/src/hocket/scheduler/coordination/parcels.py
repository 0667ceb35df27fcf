"""Parcels: values that lie in variables and queues, and the keys that they keep alive.

A value that is on its way to a client is *lent* until the client says that it has arrived: only
then has the client said that it wants the futures in it. If the client is lost before, what it was
to take out of a queue goes back to where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from hocket.protocol.messages import Denial, ItemsGiven

if TYPE_CHECKING:
    from hocket.scheduler.coordination.register import Register, Wish
    from hocket.scheduler.state import Client

__all__ = ["Lent", "Parcel", "Parcels"]

#: What a value or a key takes in a message beside itself, roughly.
_ROW_NBYTES: Final = 8


class Parcel:
    """A value, and the keys of the futures in it."""

    __slots__ = ("holders_count", "keys", "nbytes", "value")

    def __init__(self, value: bytes, keys: Sequence[str]) -> None:
        self.value = value
        self.keys = tuple(dict.fromkeys(keys))
        self.nbytes = len(value) + _ROW_NBYTES + sum(len(key) + _ROW_NBYTES for key in self.keys)
        #: In how many places it lies.
        self.holders_count = 1


class Lent:
    """Parcels on their way to a client."""

    __slots__ = ("parcels", "put_back")

    def __init__(
        self, parcels: Sequence[Parcel], put_back: Callable[[Sequence[Parcel]], None] | None
    ) -> None:
        self.parcels = parcels
        self.put_back = put_back


class Parcels:
    """All parcels."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.nbytes = 0
        #: By key: in how many parcels it is.
        self.pins: Counter[str] = Counter()
        #: By client, and number of the request.
        self.lent: dict[int, dict[int, Lent]] = {}

    def make(
        self, client: Client, request: int, value: bytes, keys: Sequence[str]
    ) -> Parcel | None:
        """Return a new parcel, which lies in one place; if it cannot be, deny the request."""
        limits, tasks = self._register.limits, self._register.tasks
        parcel = Parcel(value, keys)
        text = ""
        if len(value) > limits.value_nbytes_max:
            text = (
                f"a value of {len(value)} bytes is over the limit of {limits.value_nbytes_max};"
                " scatter it, and put the future in its place"
            )
        elif len(parcel.keys) > limits.keys_max:
            text = f"{len(parcel.keys)} futures in one value are over the limit {limits.keys_max}"
        elif self.nbytes + parcel.nbytes > limits.values_nbytes_max:
            text = (
                f"the values of all queues and variables may be {limits.values_nbytes_max} bytes"
                " together; scatter them, and put futures in their places"
            )
        if text:
            self._register.deny(client, request, Denial.LIMIT, text)
            return None
        for index, key in enumerate(parcel.keys):
            if not self.pins[key] and not tasks.pin(key):
                self._unpin(parcel.keys[:index])
                self._register.deny(client, request, Denial.UNKNOWN_KEY, key)
                return None
            self.pins[key] += 1
        self.nbytes += parcel.nbytes
        return parcel

    def hold(self, parcel: Parcel) -> Parcel:
        """Note that a parcel lies in one more place."""
        parcel.holders_count += 1
        return parcel

    def drop(self, parcel: Parcel) -> None:
        """Note that a parcel lies in one place less."""
        parcel.holders_count -= 1
        if not parcel.holders_count:
            self.nbytes -= parcel.nbytes
            self._unpin(parcel.keys)

    def give(
        self,
        wish: Wish,
        parcels: Sequence[Parcel],
        put_back: Callable[[Sequence[Parcel]], None] | None = None,
    ) -> None:
        """Answer a wish with parcels; their places become places on the way to the client.

        Parameters
        ----------
        wish
            It ends.
        parcels
            What it asked for.
        put_back
            Called with them if they do not arrive; None: they are dropped then.
        """
        self._register.end(wish)
        client = wish.client
        # (Nobody has two requests of one number, unless it means harm.)
        self.received(client, wish.request, is_kept=True)
        self.lent.setdefault(client.id, {})[wish.request] = Lent(parcels, put_back)
        client.outbox.add(
            ItemsGiven(
                wish.request,
                [parcel.value for parcel in parcels],
                [list(parcel.keys) for parcel in parcels],
            ),
            sum(parcel.nbytes for parcel in parcels),
        )

    def received(self, client: Client, request: int, *, is_kept: bool) -> None:
        """Take note that what was lent has arrived, and is kept or not."""
        lent = self.lent.get(client.id, {}).pop(request, None)
        if lent is None:
            return
        if not self.lent[client.id]:
            del self.lent[client.id]
        self._end(lent, is_kept=is_kept)

    def client_lost(self, client: Client) -> None:
        """Put back what has not arrived, the last first, so that the order is as it was."""
        for lent in reversed(list(self.lent.pop(client.id, {}).values())):
            self._end(lent, is_kept=False)

    def _end(self, lent: Lent, *, is_kept: bool) -> None:
        if is_kept or lent.put_back is None:
            for parcel in lent.parcels:
                self.drop(parcel)
        else:
            lent.put_back(lent.parcels)

    def _unpin(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.pins[key] -= 1
            if not self.pins[key]:
                del self.pins[key]
                self._register.tasks.unpin(key)
