"""Modules of other packages that are loaded already, for who must not be the one to load them."""

from __future__ import annotations

import sys
from types import ModuleType

__all__ = ["loaded_module"]


def loaded_module(name: str) -> ModuleType | None:
    """Return a module if it is loaded, and all of it; None while a thread is still loading it.

    No object of its classes can be there before.

    Parameters
    ----------
    name
        With the names of its packages.

    Examples
    --------
    >>> loaded_module("sys").__name__
    'sys'
    """
    module = sys.modules.get(name)
    # What the import system itself asks before it waits for another thread.
    if getattr(getattr(module, "__spec__", None), "_initializing", False):
        return None
    return module
