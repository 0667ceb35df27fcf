"""Which versions of what a process runs: to compare clients with workers."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["COMPARED", "differences", "package_versions"]

#: What pickles depend on: one that differs between client and workers may break them.
COMPARED: Final = (
    "hocket-core-graph",
    "hocket-protocol",
    "cloudpickle",
    "msgspec",
    "numpy",
    "pandas",
    "pyarrow",
    "dask",
)


def package_versions(packages: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, of `COMPARED` and of other packages; "" of those absent."""
    versions = {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in dict.fromkeys((*COMPARED, *packages)):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions


def differences(
    ours: Mapping[str, str], theirs: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Return where versions differ: by package, who has which.

    Parameters
    ----------
    ours
        The versions of the client.
    theirs
        Those of each worker, by its address.

    Returns
    -------
    dict
        By package, of the client (``"client"``) and of each worker that differs from it.
    """
    found: dict[str, dict[str, str]] = {}
    for package, version_here in ours.items():
        others = {
            place: versions.get(package, "")
            for place, versions in theirs.items()
            if versions.get(package, "") != version_here
        }
        if others:
            found[package] = {"client": version_here, **others}
    return found
