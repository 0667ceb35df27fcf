"""Running a graph on whatever engine there is: executors by name, from entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hocket.core.errors import InternalError, SettingsError
from hocket.graph.convert import from_dask
from hocket.graph.keys import Key, Keys, arrange, flat_keys, key_text
from hocket.graph.rewrite import cull

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ENTRY_POINT_GROUP", "Executor", "execute"]

#: Where packages name executors. Each is a function of a `Graph`, which has nothing that is not
#: needed, of a list of keys of it, and of options by keyword; it returns a value for each key.
ENTRY_POINT_GROUP: Final = "hocket.graph.executors"

Executor = Callable[..., Mapping[Key, Any]]


def execute(graph: Any, keys: Keys, on: str | Executor = "threads", **options: Any) -> Any:
    """Compute keys of a graph on an engine.

    Parameters
    ----------
    graph
        A `Graph`, a dict of tasks (ours or dask's), or a dask collection. What the keys do not need
        is not looked at.
    keys
        A key, or nested lists of keys.
    on
        ``"sync"``, ``"threads"``, ``"processes"``: here, as `compute` does; option ``workers``.

        ``"futures"``: any executor of `concurrent.futures`; option ``executor``.

        ``"hocket"``: a cluster of ours, where hocket-client is installed; option ``client``, and
        those of ``Client.get``.

        ``"dask"``: dask, where it is installed; option ``client``, a client of
        ``dask.distributed``, or ``scheduler``, the name of one of dask's own; or else whichever
        dask would use by itself. Workers need hocket-core-graph.

        ``"ray"``: Ray, where it is installed: the cluster that this process is connected to, or
        else one that is started for the call; options ``ray.init``'s, for that, and ``remote``, a
        dict of those of ``ray.remote``, for all tasks. Workers need hocket-core-graph.

        Any other name that an installed package gives in the group of entry points
        ``hocket.graph.executors``; or a function as named there.
    **options
        Of the executor.

    Returns
    -------
    object
        The value of the key, or nested lists of values.

    Raises
    ------
    UnknownKey, GraphCycle, InvalidGraph
        The graph cannot be computed; the error shows why.
    SettingsError
        There is no such executor, or what it needs is not installed.
    BaseException
        What a task raises.

    Examples
    --------
    >>> execute({"a": 2, "b": Task(pow, (Ref("a"), 10))}, ["a", "b"])
    [2, 1024]
    """
    executor = on if callable(on) else _find(on)
    wanted = list(dict.fromkeys(flat_keys(keys)))
    needed = cull(from_dask(graph), list(wanted))
    needed.validate()
    if not wanted:
        return arrange(keys, {})
    values = executor(needed, wanted, **options)
    for key in wanted:
        if key not in values:
            raise InternalError(executor=on, key=key_text(key), fault="it returned no value")
    return arrange(keys, values)


def _find(name: str) -> Executor:
    """Return an executor by its name.

    Raises
    ------
    SettingsError
        There is none, or what it needs is not installed.
    """
    entry_points = _entry_points()
    try:
        entry_point = entry_points[name]
    except (KeyError, TypeError):
        names = ", ".join(map(repr, sorted(entry_points)))
        allowed = f"give one of {names}, or a function"
        raise SettingsError(name="on", value=name, allowed=allowed, source="execute()") from None
    try:
        executor: Executor = entry_point.load()
    except ImportError as error:
        allowed = f"what it needs is not installed here ({error})"
        raise SettingsError(name="on", value=name, allowed=allowed, source="execute()") from error
    return executor


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return what the installed packages offer; to look for it takes a while."""
    # Imported here: a program that only makes graphs need not wait for it.
    from importlib.metadata import entry_points  # noqa: PLC0415

    return {one.name: one for one in entry_points(group=ENTRY_POINT_GROUP)}
