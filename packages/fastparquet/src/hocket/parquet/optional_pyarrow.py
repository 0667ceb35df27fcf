"""pyarrow, where it is installed: nothing here needs it, and much is faster to use with it."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

__all__ = ["has_pyarrow", "pyarrow"]


@lru_cache(maxsize=1)
def has_pyarrow() -> bool:
    """Whether pyarrow can be imported (it is not imported to find out)."""
    return find_spec("pyarrow") is not None


def pyarrow() -> Any:
    """Return the module."""
    import pyarrow as pa  # noqa: PLC0415 - optional

    return pa
