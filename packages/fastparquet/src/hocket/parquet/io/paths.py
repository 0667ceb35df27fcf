"""Paths and URLs as callers write them."""

from __future__ import annotations

import re
from typing import Any, Final

from hocket.parquet.errors import InvalidOption

__all__ = ["checked_path", "is_url"]

#: ``protocol://`` or chained, ``simplecache::protocol://``; one letter is a drive.
_URL: Final = r"[A-Za-z][A-Za-z0-9+.-]+(::|://)"


def is_url(path: str) -> bool:
    """Tell whether a name has a protocol in front."""
    return re.match(_URL, path) is not None


def checked_path(path: Any) -> str:
    """Return a path, if it is text, not empty and without zero bytes."""
    if not isinstance(path, str):
        raise InvalidOption(f"the path {path!r} is {type(path).__name__}, and must be str")
    if not path:
        raise InvalidOption("the path is empty; name a file or a directory")
    if "\0" in path:
        raise InvalidOption(f"the path {path!r} has a zero byte in it")
    return path
