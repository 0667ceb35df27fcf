"""File systems as callers hand them over: fsspec's and pyarrow's."""

from __future__ import annotations

import re
from typing import Any

from hocket.parquet.errors import InvalidOption

__all__ = ["fsspec_filesystem", "is_local", "url_of"]


def fsspec_filesystem(filesystem: Any) -> Any:
    """Return a file system as fsspec has them.

    Parameters
    ----------
    filesystem
        Fsspec's, or pyarrow's.
    """
    if hasattr(filesystem, "open_input_file"):
        from fsspec.implementations.arrow import ArrowFSWrapper  # noqa: PLC0415 - remote files only

        return ArrowFSWrapper(filesystem)
    if not hasattr(filesystem, "_strip_protocol"):
        raise InvalidOption(
            f"fs is {filesystem!r}; it has to be a file system of fsspec or pyarrow, such as "
            "fsspec.filesystem('memory')"
        )
    return filesystem


def is_local(filesystem: Any) -> bool:
    """Tell whether paths of a file system are those of this machine.

    Parameters
    ----------
    filesystem
        Fsspec's.
    """
    protocol = getattr(filesystem, "protocol", ())
    names = (protocol,) if isinstance(protocol, str) else tuple(protocol)
    return "file" in names and type(filesystem).__name__ == "LocalFileSystem"


def url_of(filesystem: Any, path: str) -> str:
    """Return a path with its protocol, without the secrets that a URL may hold.

    Parameters
    ----------
    filesystem
        Fsspec's.
    path
        In it.
    """
    try:
        url = str(filesystem.unstrip_protocol(path))
    except (AttributeError, NotImplementedError):
        url = path
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
