"""Directories of an fsspec file system, where a rename may be a copy and a removal."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from hocket.parquet.dataset.commit import STAGING
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.lock_file import lock_file
from hocket.parquet.dataset.edit.writers import is_gone, writer_name

__all__ = ["RemoteFolder"]


class RemoteFolder(Folder):
    """A directory of an fsspec file system.

    Parameters
    ----------
    root
        Its path, without a protocol.
    filesystem
        The file system.
    """

    filesystem: Any

    def names(self) -> list[str]:
        """Return all files, staged ones too."""
        return self.listed("")

    def listed(self, directory: str) -> list[str]:
        """Return the files below one directory."""
        # Listings are kept, and others may have changed what is there.
        self.filesystem.invalidate_cache()
        start = self.place(directory) if directory else self.root
        try:
            found = self.filesystem.find(start)
        except FileNotFoundError:
            return []
        skipped = len(self.place(""))
        return [str(path)[skipped:] for path in found if str(path) != start]

    def read(self, name: str, most_nbytes: int) -> bytes | None:
        """Return a file's first bytes; None if it is not there."""
        try:
            return bytes(self.filesystem.cat_file(self.place(name), start=0, end=most_nbytes))
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Make a file."""
        self._make_parent(name)
        self.filesystem.pipe_file(self.place(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Make a file, and tell whether it was not there."""
        self._make_parent(name)
        place = self.place(name)
        try:
            self.filesystem.pipe_file(place, data, mode="create")
        except FileExistsError:
            return False
        except (TypeError, ValueError, NotImplementedError):
            # The store cannot; two writers that ask in the same moment may both be let in, of
            # which one sees that it is not.
            if self.filesystem.exists(place):
                return False
            self.filesystem.pipe_file(place, data)
            return bool(self.filesystem.cat_file(place) == data)
        return True

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing one that has it."""
        self._make_parent(target)
        self.filesystem.mv(self.place(source), self.place(target))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.filesystem.rm_file(self.place(name))

    def remove_directory(self, name: str, *, only_empty: bool) -> None:
        """Remove a directory, if it is there."""
        with suppress(OSError):
            if only_empty:
                self.filesystem.rmdir(self.place(name))
            else:
                self.filesystem.rm(self.place(name), recursive=True)

    def stamp(self, name: str) -> Hashable | None:
        """Return what changes when a file is replaced."""
        self.filesystem.invalidate_cache()
        try:
            return str(self.filesystem.ukey(self.place(name)))
        except FileNotFoundError:
            return None

    def persist(self, names: Iterable[str]) -> None:
        """Do nothing: stores keep what they have accepted."""

    def lock(self, timeout_s: float) -> AbstractContextManager[None]:
        """Keep other writers out."""
        return lock_file(self, timeout_s)

    @contextmanager
    def claim(self) -> Iterator[str]:
        """Make a directory for staged files."""
        yield f"{STAGING}/{writer_name()}"

    def abandoned(self) -> Sequence[str]:
        """Return the directories of writers that are gone."""
        staged = [name.split("/") for name in self.listed(STAGING)]
        writers = sorted({parts[1] for parts in staged if len(parts) > 2})
        return [f"{STAGING}/{name}" for name in writers if is_gone(name, time.time())]

    def _make_parent(self, name: str) -> None:
        parent = self.place(name).rpartition("/")[0]
        if parent:
            self.filesystem.makedirs(parent, exist_ok=True)
