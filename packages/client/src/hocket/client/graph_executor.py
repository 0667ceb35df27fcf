"""A cluster of ours as one of the engines of `hocket.graph.execute`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hocket.client.client import Client
from hocket.client.shared_client import shared_client
from hocket.graph import Graph, Key

__all__ = ["run_on_cluster"]


def run_on_cluster(
    graph: Graph, keys: Sequence[Key], client: Client | None = None, **options: Any
) -> dict[Key, Any]:
    """Compute keys of a graph on a cluster.

    Parameters
    ----------
    graph, keys
        What to run, and the keys to return.
    client
        Of the cluster; None: the one made last, or else one for a cluster of this host.
    **options
        Of `Client.get`.
    """
    client = shared_client() if client is None else client
    return dict(zip(keys, client.get(graph, list(keys), **options), strict=True))
