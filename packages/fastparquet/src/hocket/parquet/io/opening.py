"""From what a caller names or hands over to a source."""

from __future__ import annotations

import builtins
import io
import os
import stat
from collections.abc import Callable
from typing import Any

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.file_object import FileObject
from hocket.parquet.io.filesystems import fsspec_filesystem, is_local
from hocket.parquet.io.local import LocalFile
from hocket.parquet.io.memory import MemorySource
from hocket.parquet.io.paths import checked_path, is_url
from hocket.parquet.io.source import Source

__all__ = ["open_source"]


def open_source(
    place: Any,
    *,
    fs: Any = None,
    open_with: Callable[..., Any] | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Source:
    """Open whatever holds the bytes of one file.

    Parameters
    ----------
    place
        A path (str or path-like), a URL that fsspec knows, an open binary file object, a buffer
        (bytes, bytearray, memoryview, mmap, NumPy array, Arrow buffer), or a source.
    fs
        The fsspec (or pyarrow) file system that paths belong to.
    open_with
        A function ``open_with(path, "rb")`` that gives a binary file object.
    storage_options
        What the file system of a URL is to be made with.
    """
    if isinstance(place, Source):
        return place
    if isinstance(place, str | os.PathLike):
        return _open_path(os.fspath(place), fs, open_with, storage_options)
    if hasattr(place, "read") or hasattr(place, "seek"):
        return _open_file_object(place)
    if hasattr(place, "fs") and hasattr(place, "path") and not getattr(place, "compression", None):
        # fsspec.open() gives this: a file still to be opened.
        return _open_in(place.fs, str(place.path))
    try:
        memoryview(place)
    except TypeError:
        raise InvalidOption(
            f"{type(place).__name__} is nothing that can be read from: give a path, a URL, an open "
            "binary file or a buffer"
        ) from None
    return MemorySource(place)


def _open_path(
    path: Any,
    filesystem: Any,
    open_with: Callable[..., Any] | None,
    storage_options: dict[str, Any] | None,
) -> Source:
    path = checked_path(path)
    if filesystem is not None:
        return _open_in(filesystem, path)
    if open_with is not None and open_with not in (builtins.open, io.open):
        return _open_with(path, open_with)
    if not is_url(path):
        return LocalFile(path)
    if path.startswith("file://"):
        return LocalFile(path.removeprefix("file://"))
    from fsspec.core import url_to_fs  # noqa: PLC0415 - remote files only

    return _open_in(*url_to_fs(path, **(storage_options or {})))


def _open_with(path: str, open_with: Callable[..., Any]) -> Source:
    return FileObject(open_with(path, "rb"), path, reopen=(_open_with, (path, open_with)))


def _open_in(filesystem: Any, path: str) -> Source:
    filesystem = fsspec_filesystem(filesystem)
    if is_local(filesystem):
        return LocalFile(str(filesystem._strip_protocol(path)))  # noqa: SLF001
    from hocket.parquet.io.remote import RemoteFile  # noqa: PLC0415 - the same

    return RemoteFile(filesystem, path)


def _open_file_object(file: Any) -> Source:
    if type(file) is io.BytesIO and not file.closed:
        # Shares the bytes; they are copied only if the caller writes to the object later.
        return MemorySource(file.getvalue(), "<BytesIO>")
    raw = file.raw if type(file) is io.BufferedReader and not file.closed else file
    if type(raw) is io.FileIO and not raw.closed and raw.readable() and isinstance(raw.name, str):
        descriptor = os.dup(raw.fileno())
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return LocalFile(os.path.realpath(raw.name), descriptor=descriptor)
        os.close(descriptor)
    return FileObject(file)
