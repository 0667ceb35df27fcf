"""Directories of this machine.

Locks are those of the kernel, on the directories themselves: there is no file to be left behind,
and when a process ends, however that happens, its locks end too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hocket.parquet.dataset.commit import STAGING
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.lock_file import lock_file
from hocket.parquet.dataset.edit.writers import is_gone, writer_name
from hocket.parquet.errors import EditConflict, InvalidOption

__all__ = ["LocalFolder"]

_LONGEST_PAUSE_S: Final = 0.05
#: How file systems say that they do not lock directories.
_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)


class LocalFolder(Folder):
    """A directory of this machine; it is made when something is first written to it.

    Parameters
    ----------
    root
        Its path.
    fsync
        Whether edits outlast a loss of power, and not just the end of the process.
    """

    def __init__(self, root: str, *, fsync: bool = False) -> None:
        super().__init__(root)
        self._fsync = fsync
        self._checked: set[str] = set()

    def names(self) -> list[str]:
        """Return all files, staged ones too."""
        return self.listed("")

    def listed(self, directory: str) -> list[str]:
        """Return the files below one directory."""
        start = self.place(directory) if directory else self.root or "."
        found = []
        for at, _, files in os.walk(start, followlinks=True):
            below = os.path.relpath(at, self.root or ".").replace(os.sep, "/")
            found += files if below == "." else [f"{below}/{name}" for name in files]
        return found

    def read(self, name: str, most_nbytes: int) -> bytes | None:
        """Return a file's first bytes; None if it is not there."""
        try:
            with Path(self.place(name)).open("rb") as file:
                return file.read(most_nbytes)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """Make a file."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        """Make a file, and tell whether it was not there."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing one that has it."""
        path = self._path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path(source).replace(path)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._path(name).unlink(missing_ok=True)

    def remove_directory(self, name: str, *, only_empty: bool) -> None:
        """Remove a directory, if it is there."""
        path = self._path(name)
        if not only_empty:
            shutil.rmtree(path, ignore_errors=True)
            return
        with suppress(OSError):
            path.rmdir()

    def stamp(self, name: str) -> Hashable | None:
        """Return what changes when a file is replaced."""
        try:
            told = Path(self.place(name)).stat()
        except FileNotFoundError:
            return None
        return told.st_ino, told.st_size, told.st_mtime_ns

    def persist(self, names: Iterable[str]) -> None:
        """Make sure that files outlast a loss of power, if that was asked for."""
        if not self._fsync:
            return
        directories = set()
        for name in names:
            path = self._path(name)
            directories.add(path.parent)
            if path.exists():
                _synchronise(path)
        for directory in directories:
            while not directory.exists():
                directory = directory.parent  # noqa: PLW2901 - the nearest that is there
            _synchronise(directory)

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        """Keep other writers out."""
        Path(self.root or ".").mkdir(parents=True, exist_ok=True)
        with _opened(Path(self.root or ".")) as descriptor:
            if _wait_for(descriptor, timeout_s, self.root):
                yield
                return
        with lock_file(self, timeout_s):
            yield

    @contextmanager
    def claim(self) -> Iterator[str]:
        """Make a directory for staged files."""
        name = f"{STAGING}/{writer_name()}"
        path = self._path(name)
        path.mkdir(parents=True)
        with _opened(path) as descriptor:
            _try_lock(descriptor)
            yield name

    def abandoned(self) -> Sequence[str]:
        """Return the directories of writers that are gone."""
        staging = Path(self.place(STAGING))
        try:
            found = sorted(entry.name for entry in os.scandir(staging) if entry.is_dir())
        except FileNotFoundError:
            return []
        return [f"{STAGING}/{name}" for name in found if _is_abandoned(staging / name)]

    def _path(self, name: str) -> Path:
        """Return the path of a file to be changed, which links must not make another's."""
        path = Path(self.place(name))
        parent = str(path.parent)
        if parent not in self._checked:
            real, root = os.path.realpath(parent), os.path.realpath(self.root or ".")
            if real != root and not real.startswith(f"{root.rstrip('/')}/"):
                raise InvalidOption(
                    f"{name!r} is behind a link that leads out of the dataset's directory, to "
                    f"{real!r}; edit that directory on its own",
                    file=self.root,
                )
            self._checked.add(parent)
        return path


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        # Children that were forked meanwhile share it: closing alone would not unlock it.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open directory; False: another has it; None: this file system has no such locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True


def _wait_for(descriptor: int, timeout_s: float, root: str) -> bool:
    """Lock an open directory, and tell whether its file system has such locks."""
    end = time.monotonic() + timeout_s
    pause_s = 0.001
    while (is_ours := _try_lock(descriptor)) is False:
        if time.monotonic() >= end:
            raise EditConflict(
                f"another writer has been changing the dataset for {timeout_s:g} seconds; try "
                "again later",
                file=root,
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return is_ours is True


def _is_abandoned(path: Path) -> bool:
    try:
        with _opened(path) as descriptor:
            is_ours = _try_lock(descriptor)
    except FileNotFoundError:
        return False
    return is_gone(path.name, time.time()) if is_ours is None else is_ours


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
