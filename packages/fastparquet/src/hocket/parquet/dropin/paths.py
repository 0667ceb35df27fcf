"""What programs use of fastparquet's ``util``: paths, and a version."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any, Final

from hocket.parquet.errors import ParquetError as ParquetException

__all__ = ["ParquetException", "default_mkdirs", "join_path"]


def __getattr__(name: str) -> Any:
    if name == "PANDAS_VERSION":
        import pandas as pd  # noqa: PLC0415 - few ask for it
        from pandas.util.version import Version  # noqa: PLC0415

        return Version(pd.__version__)
    raise AttributeError(f"module 'fastparquet.util' has no attribute {name!r}")


_PROTOCOL: Final = "://"


def join_path(*path: Any) -> str:
    """Return parts of a path as one, with slashes, and without what leads nowhere.

    Parameters
    ----------
    *path
        The parts; empty ones are left out.
    """
    parts = [str(each).replace("\\", "/") for each in path if str(each)]
    if not parts:
        return ""
    protocol, separator, rest = parts[0].rpartition(_PROTOCOL)
    joined = posixpath.normpath("/".join([rest, *parts[1:]]))
    return f"{protocol}{separator}{joined}"


def default_mkdirs(f: Any) -> None:
    """Make a directory, and those above it.

    Parameters
    ----------
    f
        Its path.
    """
    Path(f).mkdir(parents=True, exist_ok=True)
