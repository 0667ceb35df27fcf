"""Which kind of directory a dataset is in."""

from __future__ import annotations

from typing import Any

from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.io.filesystems import is_local

__all__ = ["folder_at"]


def folder_at(root: str, filesystem: Any = None, *, fsync: bool = False) -> Folder:
    """Return a dataset's directory.

    Parameters
    ----------
    root
        Its path, without a protocol.
    filesystem
        The fsspec file system that the path belongs to; None for this machine's.
    fsync
        Whether edits outlast a loss of power.
    """
    if filesystem is None or is_local(filesystem):
        from hocket.parquet.dataset.edit.local_folder import LocalFolder  # noqa: PLC0415

        return LocalFolder(root, fsync=fsync)
    from hocket.parquet.dataset.edit.remote_folder import RemoteFolder  # noqa: PLC0415

    return RemoteFolder(root, filesystem)
