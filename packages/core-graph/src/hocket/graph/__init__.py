"""Task graphs: specification, conversion from dask, rewriting, ordering, local execution."""

from __future__ import annotations

from hocket.graph.computing import compute
from hocket.graph.convert import from_dask
from hocket.graph.drawing import Drawing, visualize
from hocket.graph.executing import execute
from hocket.graph.graph import Graph
from hocket.graph.keys import Key, key_text
from hocket.graph.ordering import order
from hocket.graph.rewrite import cull, fuse
from hocket.graph.task import Literal, Ref, Task

__all__ = [
    "Drawing",
    "Graph",
    "Key",
    "Literal",
    "Ref",
    "Task",
    "compute",
    "cull",
    "execute",
    "from_dask",
    "fuse",
    "key_text",
    "order",
    "visualize",
]
