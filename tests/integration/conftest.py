"""Clusters for the integration tests: one of processes, one of threads, each shared by a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hocket.client import Client
from hocket.deploy import LocalCluster


@pytest.fixture(scope="module", params=["processes", "threads"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with LocalCluster(2, 1, processes=request.param == "processes") as one:
        yield one


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as one:
        yield one


@pytest.fixture
def fresh() -> Iterator[tuple[LocalCluster, Client]]:
    """A cluster of processes that the test may break."""
    settings = {"session.local_grace_s": 0.2}
    with LocalCluster(2, 1, settings=settings) as one, Client(one) as client:
        yield one, client
