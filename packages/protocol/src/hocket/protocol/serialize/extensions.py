"""Packages beside the engine that have their own way to send their objects.

Such a package names, through an entry point, a function that returns how objects of its classes are
taken apart, as `copyreg` wants it. It is asked when something is pickled after the package was
imported: before that, none of its objects can be there. Nothing is needed to put objects together
again: their pickles name what does.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["ENTRY_POINT_GROUP", "GUESTS", "Reducer", "extension_reducers"]

#: Where packages name the function; the entry point itself has the name of the package.
ENTRY_POINT_GROUP: Final = "hocket.serializers"

#: What lives in hocket's namespace and is not the engine's.
GUESTS: Final = frozenset({"parquet"})

#: Takes an object apart, as a ``__reduce__`` method does.
Reducer = Callable[[Any], Any]

#: Packages that have not been imported yet.
_waiting: list[str] = [f"hocket.{name}" for name in sorted(GUESTS)]
_reducers: dict[type, Reducer] = {}

_modules = sys.modules


def extension_reducers() -> Mapping[type, Reducer]:
    """Return how to take objects of some classes apart, as far as their packages are imported."""
    for package in _waiting:
        if package in _modules:
            return _ask()
    return _reducers


def _ask() -> Mapping[type, Reducer]:
    global _reducers, _waiting  # noqa: PLW0603 - others may be going through the old ones
    # Imported here: most processes never need it, and it takes long.
    from importlib.metadata import entry_points  # noqa: PLC0415

    found: dict[type, Reducer] = {}
    imported = [package for package in _waiting if package in _modules]
    for package in imported:
        for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=package):
            try:
                found |= entry_point.load()()
            except Exception as error:  # noqa: BLE001 - it is another package's
                text = f"the serializers of {package} cannot be used, pickle's are: {error!r}"
                warnings.warn(text, RuntimeWarning, stacklevel=2)
    _reducers = {**_reducers, **found}
    _waiting = [package for package in _waiting if package not in imported]
    return _reducers
