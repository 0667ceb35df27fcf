"""Those who wait: for news of futures, or for an answer; and who of them is to be woken."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.client.states import PENDING, STORED, FutureState, Request, Watch

__all__ = ["Watching"]


class Watching:
    """Notes who waits for the futures of one client, and whom the latest news concerns."""

    __slots__ = ("_fired",)

    def __init__(self) -> None:
        self._fired: list[Watch | Request] = []

    def take_fired(self) -> list[Watch | Request]:
        """Return those to be woken, and forget them."""
        fired, self._fired = self._fired, []
        for one in fired:
            # The others are woken once.
            if isinstance(one, Watch) and one.arrived is not None:
                one.fired = False
        return fired

    def watch(self, states: Iterable[FutureState], watch: Watch) -> int:
        """Have a watch hear of the states that are pending; return how many it waits for.

        With ``first_failure``, none if one has failed already.
        """
        alone = (watch,)
        missing = 0
        for state in states:
            if state.status is PENDING:
                missing += 1
                watches = state.watches
                state.watches = alone if watches is None else (*watches, watch)
            elif watch.first_failure and state.status is not STORED:
                watch.missing += missing
                self.unwatch(states, watch)
                return 0
        watch.missing += missing
        return missing

    def unwatch(self, states: Iterable[FutureState], watch: Watch) -> None:
        """Have a watch hear no more of states."""
        for state in states:
            watches = state.watches
            if watches is not None and watch in watches:
                left = tuple(one for one in watches if one is not watch)
                watch.missing -= len(watches) - len(left)
                state.watches = left or None

    def settle(self, state: FutureState, status: str) -> None:
        """Give a state a status that ends the waiting for it."""
        state.status = status
        if state.watches is not None:
            self.tell(state)

    def tell(self, state: FutureState) -> None:
        """Tell those who wait for a state that it is settled; there must be some."""
        watches, state.watches = state.watches, None
        assert watches is not None
        failed = state.status is not STORED
        for watch in watches:
            watch.missing -= 1
            if watch.arrived is not None:
                watch.arrived.append(state)
                self.fire(watch)
            elif not watch.missing or (failed and watch.first_failure):
                self.fire(watch)

    def fire(self, one: Watch | Request) -> None:
        """Have one woken, once."""
        if not one.fired:
            one.fired = True
            self._fired.append(one)
