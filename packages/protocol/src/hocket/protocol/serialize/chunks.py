"""Several calls of one function as one task, where a task for each would cost more than the call.

What is pickled by name has to be where tasks run, so these functions are here, with the pickling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hocket.protocol.serialize.exceptions import dump_exception

__all__ = ["Chunk", "apply_to_rows", "try_rows"]


class Chunk(NamedTuple):
    """What came of some calls."""

    #: Of the calls until one raised.
    values: list[Any]
    #: What that one raised, for `load_exception`; None if none did.
    error: tuple[bytes, str] | None
    #: Seconds that they took together.
    duration_s: float


def apply_to_rows(function: Callable[..., Any], rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Call a function for each of some rows of arguments."""
    return [function(*row) for row in rows]


def try_rows(
    clock: Callable[[], float], function: Callable[..., Any], rows: Sequence[tuple[Any, ...]]
) -> Chunk:
    """Call a function for each of some rows of arguments, until it raises.

    Parameters
    ----------
    clock
        Returns the time in seconds.
    function, rows
        What to call, and for what.
    """
    begin_s = clock()
    values: list[Any] = []
    error = None
    try:
        # (An append for each: what is there when one raises is kept.)
        for row in rows:
            values.append(function(*row))  # noqa: PERF401
    except Exception as raised:  # noqa: BLE001 - the caller's map raises it in its place
        error = dump_exception(raised, f"call {len(values)} of a chunk")
    return Chunk(values, error, clock() - begin_s)
