"""The directory that a dataset is in: the few operations that edits need of a file system.

Names are paths below it, with ``/``. What is written or renamed gets the directories it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["Folder"]


class Folder(ABC):
    """A dataset's directory.

    Parameters
    ----------
    root
        Its path.
    filesystem
        The fsspec file system that the path belongs to; None for this machine's.
    """

    def __init__(self, root: str, filesystem: Any = None) -> None:
        self.root = root
        self.filesystem = filesystem

    def place(self, name: str) -> str:
        """Return the path of a file."""
        return f"{self.root.rstrip('/')}/{name}" if self.root else name

    @abstractmethod
    def names(self) -> list[str]:
        """Return all files, staged ones too."""

    @abstractmethod
    def listed(self, directory: str) -> list[str]:
        """Return the files below one directory; none if it is not there."""

    @abstractmethod
    def read(self, name: str, most_nbytes: int) -> bytes | None:
        """Return a file's first bytes; None if it is not there."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Make a file."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Make a file, and tell whether it was not there; if it was, it stays as it is."""

    @abstractmethod
    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing one that has it.

        Raises FileNotFoundError if there is no such file.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_directory(self, name: str, *, only_empty: bool) -> None:
        """Remove a directory, if it is there, and what is in it, or only if nothing is."""

    @abstractmethod
    def stamp(self, name: str) -> Hashable | None:
        """Return what changes when a file is replaced; None if it is not there."""

    @abstractmethod
    def persist(self, names: Iterable[str]) -> None:
        """Make sure that files and their names outlast a loss of power, if that was asked for."""

    @abstractmethod
    def lock(self, timeout_s: float) -> AbstractContextManager[None]:
        """Keep other writers out; raises `EditConflict` if one does not finish in time."""

    @abstractmethod
    def claim(self) -> AbstractContextManager[str]:
        """Make a directory for staged files that belongs to this writer while it lives."""

    @abstractmethod
    def abandoned(self) -> Sequence[str]:
        """Return the directories for staged files whose writers are gone."""
