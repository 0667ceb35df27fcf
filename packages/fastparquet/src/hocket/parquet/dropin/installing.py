"""`install_as_fastparquet`: from then on ``import fastparquet`` finds this library."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

from hocket.parquet.errors import InvalidOption

__all__ = ["install_as_fastparquet"]

_NAME: Final = "fastparquet"
_ROOM: Final = "hocket.parquet.dropin"
#: The version of fastparquet whose names these are; pandas wants a recent one.
_VERSION: Final = "2026.9.0+hocket"
#: Its modules, and ours that stand for them.
_MODULES: Final = {
    "api": "api",
    "parquet_thrift": "parquet_thrift",
    "schema": "schema",
    "util": "paths",
    "writer": "writer",
}
#: What the package itself has, and the module that it comes from.
_NAMES: Final = {
    "ParquetException": "util",
    "ParquetFile": "api",
    "update_file_custom_metadata": "writer",
    "write": "writer",
}


def install_as_fastparquet(*, replace: bool = False) -> ModuleType:
    """Make ``import fastparquet`` find this library, in this process.

    pandas finds its engine by that name: ``pandas.read_parquet(engine="fastparquet")`` and
    ``DataFrame.to_parquet(engine="fastparquet")`` use this library then. To be called before
    anything imports fastparquet.

    Parameters
    ----------
    replace
        Whether to go on if fastparquet itself was imported already. Who imported it keeps it.

    Returns
    -------
    module
        What ``import fastparquet`` gives.

    Raises
    ------
    InvalidOption
        fastparquet itself was imported already.
    """
    there = sys.modules.get(_NAME)
    if there is not None:
        if getattr(there, "__version__", None) == _VERSION:
            return there
        if not replace:
            raise InvalidOption(
                f"fastparquet {getattr(there, '__version__', '')} was imported already, from "
                f"{getattr(there, '__file__', None)}; call install_as_fastparquet before anything "
                "imports it, or with replace=True"
            )
        for name in [each for each in sys.modules if each.startswith(f"{_NAME}.")]:
            del sys.modules[name]
    package = _package()
    sys.modules[_NAME] = package
    for name, own in _MODULES.items():
        module = importlib.import_module(f"{_ROOM}.{own}")
        sys.modules[f"{_NAME}.{name}"] = module
        setattr(package, name, module)
    for name, home in _NAMES.items():
        setattr(package, name, getattr(getattr(package, home), name))
    return package


def _package() -> ModuleType:
    package = ModuleType(_NAME, "hocket.parquet under the names of fastparquet.")
    package.__spec__ = ModuleSpec(_NAME, None, is_package=True)
    package.__path__ = []
    package.__version__ = _VERSION  # type: ignore[attr-defined]
    package.__all__ = [*_NAMES, *_MODULES]  # type: ignore[attr-defined]
    return package
