"""File systems that are named by the method that opens their files."""

from __future__ import annotations

from typing import Any

__all__ = ["filesystem_of"]


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
