"""Keys that users chose, or that calls were named by: each stands for one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping

from hocket.client.batches import TaskBatch
from hocket.client.states import CANCELLED, LOST, FutureState
from hocket.core.errors import DuplicateKey

__all__ = ["ChosenKeys"]


class ChosenKeys:
    """What the tasks compute that one client submitted under such keys."""

    __slots__ = ("_specs",)

    def __init__(self) -> None:
        #: By key: the digest of what was submitted.
        self._specs: dict[str, bytes] = {}

    def leave_out_known(
        self, states: Mapping[str, FutureState], batch: TaskBatch
    ) -> tuple[dict[str, FutureState], TaskBatch]:
        """Return the states of keys that are there already, and the batch without them.

        Raises
        ------
        DuplicateKey
            A key stands for another task; none of the batch is noted then.
        """
        assert batch.specs is not None
        assert batch.wanted is None
        known: dict[str, FutureState] = {}
        new: dict[str, bytes] = {}
        rows: list[int] = []
        for row, (key, spec) in enumerate(zip(batch.keys, batch.specs, strict=True)):
            state = states.get(key)
            if state is not None and state.status not in (CANCELLED, LOST):
                if self._specs.get(key, spec) != spec:
                    raise DuplicateKey(key=key)
                known[key] = state
            elif key in new:
                if new[key] != spec:
                    raise DuplicateKey(key=key)
            else:
                new[key] = spec
                rows.append(row)
        self._specs.update(new)
        return known, batch.only(rows)

    def forget(self, key: str) -> bool:
        """Forget a key; return whether it was one of these."""
        return self._specs.pop(key, None) is not None
