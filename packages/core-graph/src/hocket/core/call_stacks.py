"""Where the tasks of a worker are in their code, asked from afar."""

from __future__ import annotations

from collections.abc import Collection

from hocket.core.worker_view import current_worker

__all__ = ["read_stacks"]


def read_stacks(keys: Collection[str] = ()) -> dict[str, list[str]]:
    """Return where tasks are that run on the worker on which this runs.

    Parameters
    ----------
    keys
        The only tasks to tell of; none: all.

    Returns
    -------
    dict
        By key, lines as in a traceback, the innermost last.
    """
    worker = current_worker()
    stacks = {} if worker is None else worker.read_stacks()
    return {key: lines for key, lines in stacks.items() if not keys or key in keys}
