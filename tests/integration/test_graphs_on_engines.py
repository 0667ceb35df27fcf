"""One graph on every engine that is here: the same answer."""

from __future__ import annotations

import operator

import pytest

from hocket.client import Client
from hocket.graph import Graph, Ref, Task, execute

GRAPH = Graph(
    {
        "two": 2,
        "power": Task(pow, (Ref("two"), 10)),
        "sum": Task(operator.add, (Ref("power"), Task(abs, (-1,)))),
    }
)


def test_on_a_cluster(client: Client) -> None:
    assert execute(GRAPH, ["sum", ["two"]], on="hocket", client=client, priority=3) == [1025, [2]]
    # The client made last is found by itself.
    assert execute(GRAPH, "sum", on="hocket") == 1025


def test_on_a_cluster_by_its_executor(client: Client) -> None:
    with client.get_executor() as executor:
        assert execute(GRAPH, "sum", on="futures", executor=executor) == 1025
    with pytest.raises(ZeroDivisionError):
        execute({"a": Task(divmod, (1, 0))}, "a", on="hocket", client=client)
