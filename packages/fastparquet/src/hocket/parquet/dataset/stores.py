"""Where files are looked for: directories of this machine and of fsspec file systems."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.filesystems import fsspec_filesystem
from hocket.parquet.io.paths import is_url

__all__ = ["LocalStore", "RemoteStore", "store_of"]


class LocalStore:
    """Directories of this machine."""

    filesystem: Any = None

    def plain(self, path: str) -> str:
        """Return a path without what only tells the kind of store."""
        return path.removeprefix("file://").replace(os.sep, "/")

    def is_directory(self, path: str) -> bool:
        """Tell whether there is such a directory."""
        return Path(path).is_dir()

    def is_file(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return Path(path).is_file()

    def exists(self, path: str) -> bool:
        """Tell whether there is anything of that name."""
        return Path(path).exists()

    def matches(self, pattern: str) -> Iterable[str]:
        """Return the files that a pattern stands for."""
        # Path.glob cannot take a pattern with a root.
        import glob as local_glob  # noqa: PLC0415 - few need it

        found = local_glob.glob(pattern, recursive=True)  # noqa: PTH207
        return [path.replace(os.sep, "/") for path in found if self.is_file(path)]

    def files_below(self, path: str) -> list[str]:
        """Return all files in a directory and those in it."""
        found = []
        for directory, _, files in os.walk(path, followlinks=True):
            found += [f"{directory.replace(os.sep, '/').rstrip('/')}/{name}" for name in files]
        return found

    def read(self, path: str, most_nbytes: int) -> bytes | None:
        """Return a file's first bytes; None if it is not there."""
        try:
            with Path(path).open("rb") as file:
                return file.read(most_nbytes)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stamp(self, path: str) -> Hashable:
        """Return what changes with the names in a directory, if anything does."""
        try:
            told = Path(path or ".").stat()
        except FileNotFoundError:
            return None
        return told.st_ino, told.st_mtime_ns


class RemoteStore(LocalStore):
    """Directories of an fsspec file system.

    Parameters
    ----------
    filesystem
        The file system.
    """

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def plain(self, path: str) -> str:
        """Return a path without its protocol."""
        return str(self.filesystem._strip_protocol(path))  # noqa: SLF001

    def is_directory(self, path: str) -> bool:
        """Tell whether there is such a directory."""
        return bool(self.filesystem.isdir(path))

    def is_file(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return bool(self.filesystem.isfile(path))

    def exists(self, path: str) -> bool:
        """Tell whether there is anything of that name."""
        return bool(self.filesystem.exists(path))

    def matches(self, pattern: str) -> Iterable[str]:
        """Return the files that a pattern stands for."""
        return [path for path in self.filesystem.glob(pattern) if self.is_file(path)]

    def files_below(self, path: str) -> list[str]:
        """Return all files in a directory and those in it."""
        return [str(each) for each in self.filesystem.find(path)]

    def read(self, path: str, most_nbytes: int) -> bytes | None:
        """Return a file's first bytes; None if it is not there."""
        try:
            return bytes(self.filesystem.cat_file(path, start=0, end=most_nbytes))
        except FileNotFoundError:
            return None

    def stamp(self, path: str) -> Hashable:  # noqa: ARG002 - stores do not tell
        """Return what changes when a file is replaced."""
        return None


def store_of(path: str, filesystem: Any) -> LocalStore:
    """Return where a path belongs.

    Parameters
    ----------
    path
        A path or URL.
    filesystem
        The fsspec (or pyarrow) file system that it belongs to; else its protocol tells.
    """
    if filesystem is None:
        if not is_url(path) or path.startswith("file://"):
            return LocalStore()
        from fsspec.core import url_to_fs  # noqa: PLC0415 - local files need no fsspec

        try:
            filesystem, _ = url_to_fs(path)
        except ValueError as error:
            raise InvalidOption(
                f"{path!r} cannot be opened: {error}; give fs, or a path"
            ) from error
    return RemoteStore(fsspec_filesystem(filesystem))
