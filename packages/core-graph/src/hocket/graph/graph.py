"""The graph: a mapping from keys to tasks, aliases and data."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hocket.core.errors import DuplicateKey, InvalidGraph, UnknownKey
from hocket.graph.indexed import index_entries, topological_order
from hocket.graph.keys import Key, check_key
from hocket.graph.task import Ref, Task, dependencies_of, references

__all__ = ["Graph", "graph_of"]


def _gather(value: Any) -> Any:
    """Return a container of references once they are filled in."""
    return value


def _pairs(entries: object) -> Iterable[tuple[Key, Any]]:
    if isinstance(entries, Mapping):
        return entries.items()
    if isinstance(entries, Iterable) and not isinstance(entries, str | bytes):
        return map(_pair, entries)
    raise _not_entries(entries)


def _pair(pair: object) -> tuple[Key, Any]:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise _not_entries(pair)
    return pair


def _not_entries(value: object) -> InvalidGraph:
    return InvalidGraph(
        what="the entries of a graph",
        value=f"{reprlib.repr(value)} (of type {type(value).__name__})",
        reason="give a mapping from keys to entries, or pairs of both",
    )


class Graph(Mapping[Key, Any]):
    """What to compute: each key stands for a `Task`, a `Ref` (an alias) or a plain value (data).

    A list, tuple, dict or set that holds references is a task that makes that container. The order
    of the entries is kept; where nothing else decides, what was put in first goes first.

    A graph does not change. Making one does not check it: see `validate`.

    Parameters
    ----------
    entries
        A mapping, or pairs of key and entry.

    Raises
    ------
    InvalidGraph
        A key cannot be a key, or ``entries`` is neither a mapping nor pairs.
    DuplicateKey
        The pairs define a key twice.

    Examples
    --------
    >>> graph = Graph({"a": 1, "b": Task(max, (Ref("a"), 5)), "c": Ref("b")})
    >>> graph.dependencies("b")
    ('a',)
    """

    __slots__ = ("_entries",)

    _entries: dict[Key, Any]

    def __init__(self, entries: Mapping[Key, Any] | Iterable[tuple[Key, Any]] = ()) -> None:
        if isinstance(entries, Graph):
            self._entries = entries._entries  # noqa: SLF001 - of its own class
            return
        added: dict[Key, Any] = {}
        for key, entry in _pairs(entries):
            if type(key) is not str:
                check_key(key)
            if key in added:
                raise DuplicateKey(key=key)
            if type(entry) is not Task and not isinstance(entry, Ref) and references((entry,)):
                added[key] = Task(_gather, (entry,))
            else:
                added[key] = entry
        self._entries = added

    def __getitem__(self, key: Key) -> Any:
        try:
            return self._entries[key]
        except KeyError:
            raise UnknownKey(key=key) from None
        except TypeError:
            check_key(key)
            raise

    def __contains__(self, key: object) -> bool:
        try:
            return key in self._entries
        except TypeError:
            return False

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Graph of {len(self)} entries>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Graph, (self._entries,)

    def dependencies(self, key: Key) -> tuple[Key, ...]:
        """Return the keys that an entry needs, each once.

        Raises
        ------
        UnknownKey
            Nothing defines ``key``.
        """
        return dependencies_of(self[key])

    def dependents(self) -> dict[Key, list[Key]]:
        """Return for each entry the keys of those that need it, in the order of the graph.

        Raises
        ------
        UnknownKey
            An entry needs a key that nothing defines.
        """
        keys, _, dependents = index_entries(self._entries)
        return {
            key: [keys[other] for other in dependents.of(number)] for number, key in enumerate(keys)
        }

    def validate(self) -> None:
        """Check that the graph can be computed.

        Raises
        ------
        UnknownKey
            An entry needs a key that nothing defines; ``wanted_by`` is the path of keys that leads
            there.
        GraphCycle
            Entries need each other; ``path`` is the ring, its last key is the first.
        """
        topological_order(self._entries, index_entries(self._entries))


def graph_of(entries: dict[Key, Any]) -> Graph:
    """Make a graph of entries that come from a graph: they are not looked at again, nor copied."""
    graph = Graph()
    graph._entries = entries  # noqa: SLF001 - its own module
    return graph
