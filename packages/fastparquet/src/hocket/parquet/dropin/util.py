"""What programs use of fastparquet's ``util``."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.errors import ParquetError as ParquetException

__all__ = ["ParquetException", "default_mkdirs", "filesystem_of", "join_path", "text_pairs"]


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


def filesystem_of(open_with: Any) -> tuple[Any, Any]:
    """Return the fsspec file system whose method opens files, and what opens them otherwise.

    Parameters
    ----------
    open_with
        What a caller gave, ``open`` among others.

    Returns
    -------
    tuple
        The file system or None, and the function or None: both None for ``open``.
    """
    if open_with is None or open_with is open:
        return None, None
    owner = getattr(open_with, "__self__", None)
    if owner is not None and hasattr(owner, "cat_ranges"):
        return owner, None
    return None, open_with


class MetadataNotTextError(InvalidOption, TypeError):
    """A key or value of key-value metadata is neither text nor bytes."""


def text_pairs(
    pairs: Mapping[Any, Any], *, may_remove: bool = False
) -> dict[str, str | bytes | None]:
    """Return key-value metadata with keys of text.

    Parameters
    ----------
    pairs
        As the caller gave them.
    may_remove
        Whether values may be None.
    """
    found: dict[str, str | bytes | None] = {}
    for key, value in pairs.items():
        is_removed = value is None and may_remove
        if not isinstance(key, (str, bytes)) or not (isinstance(value, (str, bytes)) or is_removed):
            raise MetadataNotTextError(
                f"custom_metadata has {key!r}: {value!r}; both have to be str or bytes"
            )
        found[key if isinstance(key, str) else key.decode("utf-8", "backslashreplace")] = value
    return found
