"""The directory of a worker's files: its own, locked, and removed with it or by the next worker."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from hocket.core.errors import SettingsError

try:
    import fcntl
except ImportError:  # Windows, where files that are open cannot be removed.
    fcntl = None  # type: ignore[assignment]

__all__ = ["SpillDirectory", "parent_directory"]

_logger: Final = logging.getLogger("hocket.worker")

_PREFIX: Final = "hocket-spill-"
_LOCK: Final = "lock"
#: One without a lock that is older than this was left while it was being made.
_UNLOCKED_S_MAX: Final = 3600.0
#: Where the files of these file systems lie in memory.
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
#: Where there is often a disk, though the directory for temporary files is in memory.
_DISK_DIRECTORY: Final = "/var/tmp"  # noqa: S108 - one of our own is made in it, safely


def parent_directory(asked: str) -> Path:
    """Return where workers make their directories.

    Parameters
    ----------
    asked
        The setting ``worker.local_directory``.

    Raises
    ------
    SettingsError
        It cannot be made, or nothing can be made in it.
    """
    if asked:
        parent = Path(asked).expanduser()
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refusal(asked, f"it cannot be made ({error.strerror})") from None
        if not os.access(parent, os.W_OK | os.X_OK):
            raise _refusal(asked, "nothing can be written there")
        return parent
    parent = Path(tempfile.gettempdir())
    disk = Path(_DISK_DIRECTORY)
    if _is_in_memory(parent) and os.access(disk, os.W_OK | os.X_OK) and not _is_in_memory(disk):
        return disk
    return parent


def _refusal(asked: str, reason: str) -> SettingsError:
    return SettingsError(
        name="worker.local_directory",
        value=asked,
        allowed=f"it must be a directory in which workers can make files: {reason}",
        source="settings",
    )


def _is_in_memory(path: Path) -> bool:
    """Tell whether the files of a directory lie in memory, as far as that is known."""
    resolved = path.resolve()
    best = ""
    kind = ""
    for each in psutil.disk_partitions(all=True):
        is_above = resolved.is_relative_to(each.mountpoint)
        if is_above and len(each.mountpoint) >= len(best):
            best, kind = each.mountpoint, each.fstype
    return kind in _IN_MEMORY


class SpillDirectory:
    """A directory that is made when it is first needed. For any thread.

    Parameters
    ----------
    parent
        Where it is made.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._lock_number = -1
        self._guard = threading.Lock()
        self._is_closed = False

    def path(self) -> Path:
        """Return the directory, which only its owner can enter (0700).

        Raises
        ------
        OSError
            It cannot be made, or has been removed by `close`.
        """
        with self._guard:
            if self._is_closed:
                raise FileNotFoundError(f"the directory in {self._parent} was removed")
            if self._path is not None and not self._path.is_dir():
                # Some hosts remove what nobody touched for days.
                _logger.warning("somebody has removed %s; another is made", self._path)
                self._path = None
                self._unlock()
            if self._path is None:
                self._path = self._make()
            return self._path

    def _make(self) -> Path:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        try:
            self._lock_in(path)
        except BaseException:
            # It is tried again and again, and each would stay.
            shutil.rmtree(path, ignore_errors=True)
            raise
        if _is_in_memory(path):
            _logger.warning(
                "results that are to leave the memory go to %s, which lies in memory as well;"
                " set worker.local_directory to a directory on a disk",
                path,
            )
        return path

    def _lock_in(self, path: Path) -> None:
        if fcntl is None:
            return
        # It has its name only when it is locked: others never find it free.
        fresh = path / f"{_LOCK}.new"
        number = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with suppress(OSError):  # Some network file systems have no locks.
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.rename(path / _LOCK)
        except BaseException:
            os.close(number)
            raise
        self._lock_number = number

    def close(self) -> None:
        """Remove the directory and all that is in it. May be called twice."""
        with self._guard:
            self._is_closed = True
            path, self._path = self._path, None
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock_number >= 0:
            os.close(self._lock_number)
            self._lock_number = -1

    def sweep(self) -> int:
        """Remove what dead workers of the same user left beside it; return how many."""
        if fcntl is None:
            return 0
        count = 0
        with suppress(OSError):
            for entry in os.scandir(self._parent):
                if entry.name.startswith(_PREFIX) and _is_left_over(Path(entry.path)):
                    count += 1
        if count:
            _logger.info("removed files of %d dead workers from %s", count, self._parent)
        return count


def _is_left_over(path: Path) -> bool:
    """Remove a directory if it is ours and its worker is dead; return whether it was so."""
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        number = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        is_old = found.st_mtime < time.time() - _UNLOCKED_S_MAX
        if is_old:
            shutil.rmtree(path, ignore_errors=True)
        return is_old
    except OSError:
        return False
    try:
        # Fails if somebody has it, or where there are no locks: then nobody knows.
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(number)
