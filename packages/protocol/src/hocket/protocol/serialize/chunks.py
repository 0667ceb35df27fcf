"""Several calls of one function as one task, where a task for each would cost more than the call.

What is pickled by name has to be where tasks run, so these classes are here, with the pickling.
Each has its function as `func`: the task is named after that (see `label_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hocket.protocol.serialize.exceptions import dump_exception

__all__ = ["ApplyToRows", "Chunk", "TryRows"]


class Chunk(NamedTuple):
    """What came of some calls."""

    #: Of the calls until one raised.
    values: list[Any]
    #: What that one raised, for `load_exception`; None if none did.
    error: tuple[bytes, str] | None
    #: Seconds that they took together.
    duration_s: float


class ApplyToRows:
    """Calls a function for each of some rows of arguments.

    Parameters
    ----------
    func
        The function.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what the calls return; the first that raises is the last."""
        return [self.func(*row) for row in rows]


class TryRows:
    """Calls a function for each of some rows of arguments, until it raises.

    Parameters
    ----------
    func
        The function.
    clock
        Returns the time in seconds.
    """

    def __init__(self, func: Callable[..., Any], clock: Callable[[], float]) -> None:
        self.func = func
        self.clock = clock

    def __call__(self, rows: Sequence[tuple[Any, ...]]) -> Chunk:
        """Return what the calls return, and what the last of them raised."""
        begin_s = self.clock()
        values: list[Any] = []
        error = None
        try:
            # (An append for each: what is there when one raises is kept.)
            for row in rows:
                values.append(self.func(*row))  # noqa: PERF401
        except Exception as raised:  # noqa: BLE001 - the caller's map raises it in its place
            error = dump_exception(raised, f"call {len(values)} of a chunk")
        return Chunk(values, error, self.clock() - begin_s)
