"""Sites for the tests of pages, each with a made-up cluster behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from running_site import RunningServer


@pytest.fixture(scope="module")
def site() -> Iterator[RunningServer]:
    running = RunningServer({})
    yield running
    running.close()


@pytest.fixture(scope="module")
def worker_site() -> Iterator[RunningServer]:
    running = RunningServer({}, "worker")
    yield running
    running.close()


@pytest.fixture
def start_site() -> Iterator[Callable[..., RunningServer]]:
    started = []

    def start(**overrides: object) -> RunningServer:
        one = RunningServer({f"diagnostics.{name}": value for name, value in overrides.items()})
        started.append(one)
        return one

    yield start
    for one in started:
        one.close()
