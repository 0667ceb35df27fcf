"""The page of the graph: what depends on what, live; where there are many tasks, functions."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from bokeh.models import ColumnDataSource

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import page, plot
from hocket.protocol.messages.observing import DescribeGraph, GraphDescribed

__all__ = ["graph", "lay_out"]

page("graph", "Graph", order=40)

#: Nodes drawn; where there are more tasks, those of one function and state are one node.
NODES_MAX: Final = 300

_MARKERS: Final = {
    "waiting": "circle",
    "queued": "circle_dot",
    "assigned": "diamond",
    "recalled": "diamond",
    "stored": "square",
    "failed": "x",
    "released": "circle",
}


@plot(
    "Graph",
    on="graph",
    size="full",
    height_px=600,
    reads=(),
    asks=lambda _words: DescribeGraph(0, NODES_MAX),
    text="Inputs on the left. Colour is the function; form the state: circle waiting, dotted circle"
    " held back, diamond on a worker, square stored, cross failed.",
)
def graph(view: View) -> Any:
    """Draw nodes and edges in layers."""
    nodes = view.add_source(ColumnDataSource(_empty(_NODES)))
    edges = ColumnDataSource(_empty(("x0", "y0", "x1", "y1")))
    figure = view.figure(
        tools="pan,wheel_zoom,reset,save",
        active_scroll="wheel_zoom",
        tooltips=[
            ("key", "@key"),
            ("function", "@group"),
            ("state", "@state"),
            ("tasks", "@tasks"),
        ],
    )
    figure.segment(
        "x0", "y0", "x1", "y1", source=edges, line_color=view.theme.faint, line_alpha=0.6
    )
    figure.scatter(
        "x_y",
        "y_y",
        source=nodes,
        marker="marker_y",
        size="size_y",
        fill_color="color",
        line_color="color",
        line_width=2,
    )
    figure.text(
        "x_y",
        "y_y",
        text="text_y",
        source=nodes,
        y_offset=-12,
        text_align="center",
        text_font_size="12px",
        text_color=view.theme.text,
    )
    figure.axis.visible = False
    figure.grid.visible = False
    shown: Any = None

    def update() -> None:
        nonlocal shown
        answer = view.model.answers.get("graph")
        if answer is None or answer is shown:
            return
        shown = answer
        node_columns, edge_columns = _columns(view, view.model)
        if node_columns != nodes.data:
            nodes.data = node_columns
        if edge_columns != edges.data:
            edges.data = edge_columns

    update()
    view.on_tick(update)
    return figure


_NODES: Final = (
    "key",
    "group",
    "state",
    "tasks",
    "x_y",
    "y_y",
    "marker_y",
    "size_y",
    "text_y",
    "color",
)


def _empty(names: tuple[str, ...]) -> dict[str, list[Any]]:
    return {name: [] for name in names}


def _columns(view: View, model: ClusterModel) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    nodes, edges = _empty(_NODES), _empty(("x0", "y0", "x1", "y1"))
    answer = model.answers.get("graph")
    if not isinstance(answer, GraphDescribed):
        return nodes, edges
    places = lay_out(len(answer.nodes), list(zip(answer.sources, answer.targets, strict=True)))
    is_sparse = len(answer.nodes) <= 40
    for node, (x, y) in zip(answer.nodes, places, strict=True):
        many = f" ({node.count})" if node.count > 1 else ""
        values = (
            node.key,
            node.group,
            node.state,
            node.count,
            x,
            y,
            _MARKERS.get(node.state, "circle"),
            min(10 + node.count**0.5, 40),
            f"{node.group}{many}" if is_sparse or node.count > 1 else "",
            view.theme.bad if node.state == "failed" else view.color(node.group),
        )
        for name, value in zip(_NODES, values, strict=True):
            nodes[name].append(value)
    for source, target in zip(answer.sources, answer.targets, strict=True):
        edges["x0"].append(places[source][0])
        edges["y0"].append(places[source][1])
        edges["x1"].append(places[target][0])
        edges["y1"].append(places[target][1])
    return nodes, edges


def lay_out(count: int, edges: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return a place for each node: its layer, and its height among those of the layer.

    Layers follow from the longest way to a node; within one, nodes come near what they depend on.
    (Nodes that stand for several tasks may form circles; these are cut where they are met.)
    """
    inputs: dict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        if source != target:
            inputs[target].append(source)
    by_layer: dict[int, list[int]] = defaultdict(list)
    layers = _layers(count, inputs)
    for node, layer in enumerate(layers):
        by_layer[layer].append(node)
    heights = [0.0] * count

    def pull(node: int) -> float:
        above = inputs[node]
        return sum(heights[one] for one in above) / len(above) if above else float(node)

    for layer in sorted(by_layer):
        members = sorted(by_layer[layer], key=pull)
        for place, node in enumerate(members):
            heights[node] = (place + 0.5) / len(members)
    return [(float(layer), 1 - height) for layer, height in zip(layers, heights, strict=True)]


def _layers(count: int, inputs: dict[int, list[int]]) -> list[int]:
    """Return the length of the longest way to each node."""
    outputs: dict[int, list[int]] = defaultdict(list)
    missing = [len(inputs[node]) for node in range(count)]
    for node in range(count):
        for source in inputs[node]:
            outputs[source].append(node)
    layers = [0] * count
    ready = [node for node in range(count) if not missing[node]]
    left = set(range(count))
    while left:
        node = ready.pop() if ready else min(left)
        if node not in left:
            continue
        left.discard(node)
        for target in outputs[node]:
            if target in left:
                layers[target] = max(layers[target], layers[node] + 1)
            missing[target] -= 1
            if missing[target] == 0:
                ready.append(target)
    return layers
