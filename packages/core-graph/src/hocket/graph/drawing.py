"""Drawings of graphs: SVG when Graphviz is installed, Mermaid text otherwise.

The text of a drawing is made here; for SVG it goes through the program ``dot``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hocket.core.errors import LimitExceeded, SettingsError
from hocket.graph.graph import Graph
from hocket.graph.indexed import IndexedGraph, index_entries
from hocket.graph.keys import Key, key_text
from hocket.graph.task import Ref, Task, function_name

__all__ = ["Drawing", "visualize"]

#: Entries and references together. Nobody can read more, and ``dot`` gets very slow.
SIZE_MAX = 2000

_LABEL_LENGTH_MAX = 60

_SUFFIXES = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid"}


class Drawing(NamedTuple):
    """A drawing of a graph; notebooks show it.

    Attributes
    ----------
    format
        ``"svg"`` or ``"mermaid"``.
    text
        The drawing itself.
    """

    format: str
    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        kind = "image/svg+xml" if self.format == "svg" else "text/vnd.mermaid"
        return {kind: self.text, "text/plain": self.text}


def visualize(
    graph: Mapping[Key, Any],
    filename: str | os.PathLike[str] | None = None,
    format: str | None = None,  # noqa: A002
    *,
    size_max: int = SIZE_MAX,
) -> Drawing:
    """Draw a graph: tasks as boxes, data rounded, aliases dashed, inputs above.

    Parameters
    ----------
    graph
        The graph.
    filename
        Where to write the drawing as well.
    format
        ``"svg"``, which needs the program ``dot`` of Graphviz, or ``"mermaid"``, a text that many
        programs show as a picture. If None: what the filename says (``.svg``, ``.mmd``, ``.md``),
        or else SVG when ``dot`` is installed and Mermaid when not.
    size_max
        The most entries and references together. (Mermaid itself refuses more than 500 references
        unless it is told otherwise.)

    Returns
    -------
    Drawing
        The drawing; ``str()`` of it is the text.

    Raises
    ------
    LimitExceeded
        The graph is too big to be drawn, or ``dot`` takes longer than a minute.
    SettingsError
        There is no such format, or SVG is asked for and ``dot`` is not installed.
    UnknownKey
        An entry needs a key that nothing defines.
    """
    chosen = _choose_format(format, None if filename is None else Path(filename))
    indexed = index_entries(graph)
    size = len(indexed.keys) + len(indexed.dependencies.targets)
    if size > size_max:
        raise LimitExceeded(
            what="the number of entries and references to draw", limit=size_max, asked=size
        )
    whole = graph if isinstance(graph, Graph) else Graph(graph)
    if chosen == "svg":
        from hocket.graph.executors.graphviz import svg_of  # noqa: PLC0415 - it starts a program

        drawing = Drawing(chosen, svg_of("\n".join(_dot_lines(whole, indexed))))
    else:
        drawing = Drawing(chosen, "\n".join(_mermaid_lines(whole, indexed)))
    if filename is not None:
        Path(filename).write_text(drawing.text, encoding="utf-8")
    return drawing


def _choose_format(asked: str | None, path: Path | None) -> str:
    if asked is None and path is not None and path.suffix in _SUFFIXES:
        asked = _SUFFIXES[path.suffix]
    if asked is None:
        return "svg" if shutil.which("dot") else "mermaid"
    if asked not in ("svg", "mermaid"):
        allowed = "give 'svg' or 'mermaid'"
    elif asked == "svg" and not shutil.which("dot"):
        allowed = "the program 'dot' is not there; install Graphviz, or give 'mermaid'"
    else:
        return asked
    raise SettingsError(name="format", value=asked, allowed=allowed, source="visualize()")


def _label_lines(key: Key, entry: object) -> list[str]:
    """Return the lines of a label: what is called or held, then the key."""
    lines = [key_text(key)]
    if isinstance(entry, Task):
        lines.insert(0, function_name(entry.function))
    elif not isinstance(entry, Ref):
        lines.insert(0, type(getattr(entry, "value", entry)).__name__)
    return [
        line if len(line) <= _LABEL_LENGTH_MAX else f"{line[: _LABEL_LENGTH_MAX - 3]}..."
        for line in map(_printable, lines)
    ]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _edges(indexed: IndexedGraph) -> Iterator[tuple[int, int]]:
    for number in range(len(indexed.keys)):
        for other in indexed.dependencies.of(number):
            yield other, number


def _mermaid_lines(graph: Graph, indexed: IndexedGraph) -> Iterator[str]:
    yield "flowchart TD"
    aliases = []
    for number, (key, entry) in enumerate(graph.items()):
        label = "<br/>".join(map(_mermaid_text, _label_lines(key, entry)))
        rounded = not isinstance(entry, Task)
        yield f'  n{number}("{label}")' if rounded else f'  n{number}["{label}"]'
        if isinstance(entry, Ref):
            aliases.append(f"n{number}")
    for source, target in _edges(indexed):
        yield f"  n{source} --> n{target}"
    if aliases:
        yield "  classDef alias stroke-dasharray: 4 3"
        yield f"  class {','.join(aliases)} alias"


def _mermaid_text(text: str) -> str:
    """Write everything that Mermaid or HTML might take for its own as a numeric entity."""
    return "".join(
        char if char.isalnum() or char in " _-.,:'()[]" else f"#{ord(char)};" for char in text
    )


def _dot_lines(graph: Graph, indexed: IndexedGraph) -> Iterator[str]:
    yield "digraph {"
    yield '  node [fontname="sans-serif" fontsize=10 shape=box]'
    for number, (key, entry) in enumerate(graph.items()):
        label = "\\n".join(map(_dot_text, _label_lines(key, entry)))
        style = "" if isinstance(entry, Task) else " style=rounded"
        if isinstance(entry, Ref):
            style = ' style="rounded,dashed"'
        yield f'  n{number} [label="{label}"{style}]'
    for source, target in _edges(indexed):
        yield f"  n{source} -> n{target}"
    yield "}"


def _dot_text(text: str) -> str:
    """Write a text so that it can stand between quotes in the language of ``dot``."""
    # dot reads HTML entities in labels, so & is written as one.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
