"""Gathering: futures found in nested containers, and their values put in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from hocket.client.futures import Future
from hocket.core.errors import OtherCluster

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession

__all__ = ["SKIPPED", "fill", "find_futures", "find_own_futures"]


class _Skipped:
    """Stands for a value that is left out."""

    def __repr__(self) -> str:
        return "SKIPPED"


#: In the place of a value: leave out what held the future.
SKIPPED: Final = _Skipped()

_CONTAINERS: Final = (list, tuple, dict, set, frozenset)


def find_futures(value: object, *, in_collections: bool = True) -> list[Future]:
    """Return the futures in a value, each once, in order.

    Parameters
    ----------
    value
        Lists, tuples, dicts, sets and frozensets are searched, and their subclasses, however deep.
    in_collections
        Whether those are meant that a persisted collection of dask is made of.
    """
    if type(value) is list and all(type(one) is Future for one in value):
        return list(dict.fromkeys(value))
    found: dict[Future, None] = {}
    open_containers: list[Iterator[object]] = [iter((value,))]
    depths: set[int] = set()
    while open_containers:
        for one in open_containers[-1]:
            if isinstance(one, Future):
                found[one] = None
            elif isinstance(one, _CONTAINERS) and id(one) not in depths:
                # A container that holds itself is searched once.
                depths.add(id(one))
                open_containers.append(iter(one.values() if isinstance(one, dict) else one))
                break
            elif in_collections and hasattr(type(one), "__dask_graph__"):
                # Imported here: it is there only where dask is.
                from hocket.client.dask_adapter.collections import futures_of  # noqa: PLC0415

                found.update(dict.fromkeys(futures_of(one)))
        else:
            open_containers.pop()
    return list(found)


def find_own_futures(
    session: ClientSession, value: object, *, in_collections: bool = True
) -> list[Future]:
    """Return the futures in a value, all of a session's cluster; perhaps of other clients of it.

    Parameters
    ----------
    session
        Of the client that is to use them.
    value, in_collections
        As for `find_futures`.

    Raises
    ------
    OtherCluster
        One is of another cluster.
    """
    found = find_futures(value, in_collections=in_collections)
    for future in found:
        its = future.session
        if its is not session and not its.cluster.is_of(session.cluster):
            raise OtherCluster(
                what=f"the future {future.key!r}",
                cluster=str(its.cluster),
                here=str(session.cluster),
            )
    return found


def fill(value: Any, value_of: Callable[[Future], Any]) -> Any:
    """Return a value with the futures in it replaced.

    Parameters
    ----------
    value
        As for `find_futures`. Containers that hold futures are copied, keeping their class.
    value_of
        Returns the value of a future, or `SKIPPED`.
    """
    if isinstance(value, Future):
        return value_of(value)
    if not isinstance(value, _CONTAINERS):
        return value
    if isinstance(value, dict):
        pairs = {name: fill(one, value_of) for name, one in value.items()}
        return _remake(value, {k: one for k, one in pairs.items() if one is not SKIPPED})
    filled = [one for one in (fill(one, value_of) for one in value) if one is not SKIPPED]
    if isinstance(value, tuple) and hasattr(value, "_make") and len(filled) == len(value):
        return value._make(filled)
    return _remake(value, filled)


def _remake(like: Any, content: Any) -> Any:
    kind = type(like)
    if kind in _CONTAINERS:
        return content if type(content) is kind else kind(content)
    try:
        return kind(content)
    except Exception:  # noqa: BLE001 - a subclass of the user's may want other arguments
        base = next(one for one in _CONTAINERS if isinstance(like, one))
        return base(content)
