"""Other people's files and readers: what these tests compare with, where it is there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def pytest_configure() -> None:
    """Make the comparison of values known under its own name, so that tests import it."""
    script = SHARED / "bench" / "parquet_conformance.py"
    if script.exists() and "parquet_conformance" not in sys.modules:
        spec = importlib.util.spec_from_file_location("parquet_conformance", script)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["parquet_conformance"] = module
        spec.loader.exec_module(module)


@pytest.fixture(scope="session")
def compared() -> ModuleType:
    """Values in plain Python, and whether they are equal."""
    pytest.importorskip("pyarrow")
    if "parquet_conformance" not in sys.modules:
        pytest.skip("the comparison of values is not beside this checkout")
    return sys.modules["parquet_conformance"]
