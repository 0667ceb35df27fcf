"""Where compiled kernels are kept between processes.

Whoever can write there decides what code runs here. So a folder is used only if it belongs to this
user, or to the administrator, and nobody else may write to it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["VARIABLE", "find", "folders", "keep"]

#: Names the folder, in place of the user's own one.
VARIABLE: Final = "HOCKET_PARQUET_CACHE"

_NAME: Final = "hocket-parquet"

#: Kernels compiled longer ago are removed when new ones come: of old versions, mostly.
_KEPT_S: Final = 90 * 86400


def find(name: str) -> Path | None:
    """Return a file that an earlier process kept under a name, if there is one to be trusted."""
    for folder in folders():
        path = folder / name
        if path.exists() and _is_trusted(folder):
            return path
    return None


def keep(name: str, data: bytes) -> Path | None:
    """Keep bytes under a name, whole or not at all; return where, or None if nowhere.

    Any number of processes may keep the same at once.
    """
    for folder in folders():
        try:
            # The folders above get their usual mode; this one is the user's alone.
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if _is_trusted(folder):
                path = folder / name
                _write(path, data)
                _forget_old(folder)
                return path
        except OSError:
            continue
        if folder == _folder_told():
            warnings.warn(
                f"{VARIABLE} is {str(folder)!r}, which belongs to somebody else or which others "
                "may write to: no compiled kernels are kept there",
                RuntimeWarning,
                stacklevel=2,
            )
    return None


def folders() -> Iterator[Path]:
    """Yield the folders that come into question, the first choice first."""
    told = _folder_told()
    if told is not None:
        yield told
    else:
        with contextlib.suppress(RuntimeError):  # Nobody is at home.
            yield _folder_of_user()
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    yield Path(tempfile.gettempdir()) / f"{_NAME}-{user}"


def _folder_told() -> Path | None:
    told = os.environ.get(VARIABLE)
    return Path(told).absolute() if told else None


def _folder_of_user() -> Path:
    told = os.environ.get("XDG_CACHE_HOME", "")
    if told.startswith("/"):
        return Path(told) / _NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / _NAME
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / _NAME
    return Path.home() / ".cache" / _NAME


def _is_trusted(folder: Path) -> bool:
    """Tell whether only this user and the administrator can have put something into a folder."""
    if not hasattr(os, "geteuid"):
        return True  # A user's profile on Windows is the user's.
    owners = {0, os.geteuid()}
    try:
        link, status = folder.lstat(), folder.stat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and {link.st_uid, status.st_uid} <= owners
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            # After a power cut the name must not stand for half of it: it will be executed.
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _forget_old(folder: Path) -> None:
    before = time.time() - _KEPT_S
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
