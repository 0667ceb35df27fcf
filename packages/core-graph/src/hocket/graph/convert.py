"""Graphs of dask, made into graphs of ours.

Three forms are understood, also mixed in one graph, as dask itself mixes them:

* the task specification of present dask (``dask._task_spec``): ``Task``, ``Alias``, ``DataNode``,
  ``TaskRef``, and the containers ``List``, ``Tuple``, ``Set``, ``Dict``;
* the old form: a tuple that begins with a callable is a call, a key as an argument or in a list
  (tuple, set) stands for its value, everything else is data;
* whatever has a ``__dask_graph__`` method: collections and expressions.

dask is never imported here. Its classes are looked up in the modules that are loaded: an object of
dask cannot be there without its module.

What the conversion keeps is dask's meaning (https://docs.dask.org/en/stable/spec.html): a string
among the arguments of an old-form call *is* a reference if the graph has that key, the same string
in a present-form ``Task`` is a string; dicts of the old form are not searched for keys.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from hocket.core.errors import InvalidGraph
from hocket.core.loaded_modules import loaded_module
from hocket.graph.convert_nodes import NodeConversion, is_dask_future, literal_of
from hocket.graph.graph import Graph
from hocket.graph.keys import Key
from hocket.graph.task import Literal, Ref, Task

__all__ = ["from_dask"]

_HOLDERS = frozenset({list, tuple, dict, set, frozenset})


def from_dask(source: object, known: Container[Key] = ()) -> Graph:
    """Convert a graph of dask.

    Parameters
    ----------
    source
        A mapping from keys to entries in any of dask's forms (a ``HighLevelGraph`` is one), or
        something with a ``__dask_graph__`` method: a collection, an expression.
    known
        Further keys that old-form entries may refer to, though ``source`` does not define them.

    Returns
    -------
    Graph
        The same keys with tasks, aliases and data. Entries that stand for themselves (``"x": "x"``
        in the old form, an alias or a future of the same key: dask's way to say that the value is
        elsewhere) are left out; references to them and to ``known`` keys stay.

    Raises
    ------
    InvalidGraph
        ``source`` is none of these, or a key cannot be a key.

    Examples
    --------
    >>> graph = from_dask({"a": 1, "b": (sum, ["a", 2])})
    >>> graph.dependencies("b")
    ('a',)
    """
    if isinstance(source, Graph):
        return source
    mapping: Any = source
    if not isinstance(source, Mapping) and hasattr(source, "__dask_graph__"):
        mapping = source.__dask_graph__()
    if not isinstance(mapping, Mapping):
        raise InvalidGraph(
            what="a graph of dask",
            value=f"of type {type(source).__name__}",
            reason="give a mapping from keys to tasks, or a dask collection",
        )
    # A layered graph makes its entries anew at each look: take them all at once.
    entries = dict(mapping.items())
    conversion = _Conversion(entries, known)
    converted = {}
    for key, entry in entries.items():
        ours = conversion.entry(entry)
        if not (isinstance(ours, Ref) and ours.key == key):
            converted[key] = ours
    return Graph(converted)


class _Conversion:
    """One conversion: the keys of the graph, and dask's classes if dask is there."""

    def __init__(self, entries: Mapping[Key, Any], known: Container[Key]) -> None:
        self._keys = entries
        self._known = known
        #: The module is there if anybody has imported it.
        dask = loaded_module("dask._task_spec")
        self._nodes = None if dask is None else NodeConversion(dask, entries.values())

    def entry(self, entry: Any) -> Any:
        """Convert what stands for a key."""
        nodes = self._nodes
        if nodes is not None and nodes.is_node(entry):
            return nodes.convert(entry)
        converted = self._value(entry)
        # What is data stays data, also where our graphs would look for references.
        if type(converted) in _HOLDERS and converted is entry:
            return Literal(converted)
        return converted

    def _value(self, value: Any) -> Any:
        """Convert an entry, or an argument of an old-form call."""
        nodes = self._nodes
        if nodes is not None and nodes.is_node(value):
            return nodes.convert(value)
        if is_dask_future(value):
            return Ref(value.key)
        if type(value) is tuple and value and callable(value[0]):
            return Task(value[0], tuple([self._argument(item) for item in value[1:]]))
        if isinstance(value, str | int | float | tuple) and self._is_key(value):
            return Ref(value)
        if isinstance(value, list | tuple | set | frozenset):
            return self._container(value)
        return value

    def _argument(self, value: Any) -> Any:
        if type(value) is not dict:
            return self._value(value)
        # dask fills in its nodes in the values of a dict, and nothing else.
        converted = {key: self._item(item) for key, item in value.items()}
        if any(new is not value[key] for key, new in converted.items()):
            return {
                key: literal_of(new) if new is value[key] else new for key, new in converted.items()
            }
        return Literal(value)

    def _item(self, item: Any) -> Any:
        """Convert a value of a dict; the same object if it is none of dask's."""
        if self._nodes is not None and self._nodes.is_node(item):
            return self._nodes.convert(item)
        return Ref(item.key) if is_dask_future(item) else item

    def _container(self, value: Any) -> Any:
        """Convert the items of an old-form list, tuple or set; the same object if none changes."""
        items = list(value)
        converted = [self._value(item) for item in items]
        if all(new is old for new, old in zip(converted, items, strict=True)):
            return value
        if hasattr(type(value), "_make"):
            return Task(type(value)._make, (converted,))
        if type(value) is list:
            return converted
        return Task(type(value), (converted,))

    def _is_key(self, value: Any) -> bool:
        try:
            return value in self._keys or value in self._known
        except TypeError:  # a tuple that holds something unhashable
            return False
