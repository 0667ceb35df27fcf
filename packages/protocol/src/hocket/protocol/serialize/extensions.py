"""Packages beside the engine whose objects are sent in a way of their own.

For arrays on devices the way is ours (`device_arrays`). Another package names, through an entry
point, a function that returns how objects of its classes are taken apart, as `copyreg` wants it. A
package is asked when something is pickled after it was imported: before that, none of its objects
can be there. Nothing is needed to put objects together again: their pickles name what does.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.protocol.serialize.device_arrays import DEVICE_PACKAGES

__all__ = ["ENTRY_POINT_GROUP", "GUESTS", "Reducer", "extension_reducers"]

#: Where packages name the function; the entry point itself has the name of the package.
ENTRY_POINT_GROUP: Final = "hocket.serializers"

#: What lives in hocket's namespace and is not the engine's.
GUESTS: Final = frozenset({"parquet"})

#: Takes an object apart, as a ``__reduce__`` method does.
Reducer = Callable[[Any], Any]

#: Packages that have not been imported yet.
_waiting: list[str] = [*DEVICE_PACKAGES, *(f"hocket.{name}" for name in sorted(GUESTS))]
_reducers: dict[type, Reducer] = {}

_modules = sys.modules


def extension_reducers() -> Mapping[type, Reducer]:
    """Return how to take objects of some classes apart, as far as their packages are imported."""
    for package in _waiting:
        if package in _modules and _is_imported(package):
            return _ask()
    return _reducers


def _is_imported(package: str) -> bool:
    """Tell whether a module is there as a whole, and not about to be imported by some thread."""
    module = _modules.get(package)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


def _ask() -> Mapping[type, Reducer]:
    global _reducers, _waiting  # noqa: PLW0603 - others may be going through the old ones
    found: dict[type, Reducer] = {}
    imported = [package for package in _waiting if _is_imported(package)]
    for package in imported:
        for ask in _sources(package):
            try:
                found |= ask()
            except Exception as error:  # noqa: BLE001 - it is another package's
                text = f"the serializers of {package} cannot be used, pickle's are: {error!r}"
                warnings.warn(text, RuntimeWarning, stacklevel=2)
    _reducers = {**_reducers, **found}
    _waiting = [package for package in _waiting if package not in imported]
    return _reducers


def _sources(package: str) -> list[Callable[[], Mapping[type, Reducer]]]:
    """Return what tells how objects of a package are taken apart."""
    own = DEVICE_PACKAGES.get(package)
    if own is not None:
        return [own]
    # Imported here: most processes never need it, and it takes long.
    from importlib.metadata import entry_points  # noqa: PLC0415

    found = entry_points(group=ENTRY_POINT_GROUP, name=package)
    return [lambda point=one: point.load()() for one in found]  # type: ignore[misc]
