"""Parts of persisted collections: futures as dask's nodes, which dask cannot compute by itself.

To dask a future of ours is a value like any other: its own schedulers would compute with the future
instead of the result, or hand it out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hocket.client.futures import Future
from hocket.core.errors import InvalidGraph
from hocket.graph.keys import Key

__all__ = ["part_node"]


def part_node(key: Key, future: Future) -> Any:
    """Return the node of dask that stands for a part; only a client computes with it."""
    return _node_class()(key, future)


@cache
def _node_class() -> Any:
    from dask._task_spec import DataNode  # noqa: PLC0415 - only who has collections loads it

    class PartNode(DataNode):  # type: ignore[misc, unused-ignore]
        """Data that is on the cluster."""

        __slots__ = ()

        def __call__(self, _values: Any = ()) -> Any:
            """Refuse to be computed with, by one of dask's own schedulers."""
            raise InvalidGraph(
                what="the graph of dask's own scheduler",
                value=f"one with {self.key!r}, a part of a persisted collection",
                reason=(
                    "it is on the cluster, where only its client computes: say"
                    " client.compute(collection), collection.compute(scheduler=client), or"
                    " Client(set_as_default=True)"
                ),
            )

        def result(self, timeout: float | None = None) -> Any:
            """Return the value, as who finds a future in a graph asks it for."""
            return self.value.result(timeout)

        def copy(self) -> Any:
            """Return the same once more."""
            return part_node(self.key, self.value)

        def substitute(self, _subs: Any, key: Any = None) -> Any:
            """Return the same, under another key."""
            return self if key is None or key == self.key else part_node(key, self.value)

        def __reduce__(self) -> Any:
            return part_node, (self.key, self.value)

    return PartNode
