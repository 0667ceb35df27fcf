"""Directories whose writer dies in the middle of it: at the n-th change of a file."""

from __future__ import annotations

from typing import Any

from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.local_folder import LocalFolder
from hocket.parquet.dataset.edit.remote_folder import RemoteFolder

__all__ = ["Death", "DyingLocalFolder", "DyingRemoteFolder"]


class Death(BaseException):
    """The process is gone; nothing that follows is done."""


class _Dying(Folder):
    """Counts changes; from the one on at which the writer dies, none is made.

    `dies_at` counts half steps: at an even one a change is not made, at an odd one it is, and what
    is written is cut in half.
    """

    dies_at = -1
    changes = 0

    def _change(self, name: str, *arguments: Any, **more: Any) -> Any:
        change = getattr(super(), name)
        at, self.changes = self.changes, self.changes + 2
        if self.dies_at < 0 or at + 2 <= self.dies_at:
            return change(*arguments, **more)
        if at == self.dies_at - 1:
            if name == "write":
                half = arguments[1][: len(arguments[1]) // 2]
                arguments = (arguments[0], half)
            change(*arguments, **more)
        raise Death

    def write(self, name: str, data: bytes) -> None:
        self._change("write", name, data)

    def create(self, name: str, data: bytes) -> bool:
        return bool(self._change("create", name, data))

    def rename(self, source: str, target: str) -> None:
        self._change("rename", source, target)

    def remove(self, name: str) -> None:
        self._change("remove", name)

    def remove_directory(self, name: str, *, only_empty: bool) -> None:
        self._change("remove_directory", name, only_empty=only_empty)


class DyingLocalFolder(_Dying, LocalFolder):
    """Of this machine."""


class DyingRemoteFolder(_Dying, RemoteFolder):
    """Of an fsspec file system."""
