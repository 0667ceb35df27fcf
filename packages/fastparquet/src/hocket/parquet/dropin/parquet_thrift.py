"""The classes and constants of the format's metadata, by the names that Thrift gives them."""

from __future__ import annotations

import importlib
from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    # They take a while to import, and few programs name them.
    types = importlib.import_module("hocket.parquet.metadata.generated.ttypes")
    value = getattr(types, name, None)
    if value is None or name.startswith("_"):
        raise AttributeError(f"module 'fastparquet.parquet_thrift' has no attribute {name!r}")
    globals()[name] = value
    return value
