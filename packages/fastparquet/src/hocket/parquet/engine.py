"""How an engine sends opened datasets: with their footers parsed once in each process.

Hocket's protocol finds this through the entry point ``hocket.serializers``. Nothing here, nor what
it calls, knows the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hocket.parquet.dataset.handle import reduced
from hocket.parquet.dataset.parquet_file import ParquetFile

__all__ = ["reducers"]


def reducers() -> dict[type, Callable[[Any], tuple[Any, ...]]]:
    """Return how objects are taken apart that shall travel otherwise than `pickle` has it."""
    return {ParquetFile: reduced}
