"""From what a caller names or hands over to a sink."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from typing import Any

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.filesystems import fsspec_filesystem, is_local
from hocket.parquet.io.local_sink import LocalSink
from hocket.parquet.io.paths import checked_path, is_url
from hocket.parquet.io.sink import FileObjectSink, Sink

__all__ = ["open_sink"]


def open_sink(
    place: Any,
    *,
    fs: Any = None,
    open_with: Callable[..., Any] | None = None,
    storage_options: dict[str, Any] | None = None,
    fsync: bool = False,
) -> Sink:
    """Open what one file is to be written to.

    Parameters
    ----------
    place
        A path (str or path-like), a URL that fsspec knows, an open binary file object, or a sink.
    fs
        The fsspec (or pyarrow) file system that paths belong to.
    open_with
        A function ``open_with(path, "wb")`` that gives a binary file object.
    storage_options
        What the file system of a URL is to be made with.
    fsync
        Whether files of this machine have to be on the disk before they count as written.
    """
    if isinstance(place, Sink):
        return place
    if hasattr(place, "write"):
        return FileObjectSink(place)
    if hasattr(place, "fs") and hasattr(place, "path") and not getattr(place, "compression", None):
        return _sink_in(place.fs, str(place.path), fsync=fsync)
    if not isinstance(place, str | os.PathLike):
        raise InvalidOption(
            f"{type(place).__name__} is nothing that can be written to: give a path, a URL or an "
            "open binary file"
        )
    path = checked_path(os.fspath(place))
    if fs is None and open_with is not None and open_with not in (builtins.open, io.open):
        return FileObjectSink(open_with(path, "wb"), path, is_owned=True)
    return _sink_of_path(path, fs, storage_options, fsync=fsync)


def _sink_of_path(
    path: str, filesystem: Any, storage_options: dict[str, Any] | None, *, fsync: bool
) -> Sink:
    if filesystem is not None:
        return _sink_in(filesystem, path, fsync=fsync)
    if not is_url(path) or path.startswith("file://"):
        return LocalSink(path.removeprefix("file://"), fsync=fsync)
    from fsspec.core import url_to_fs  # noqa: PLC0415 - remote files only

    return _sink_in(*url_to_fs(path, **(storage_options or {})), fsync=fsync)


def _sink_in(filesystem: Any, path: str, *, fsync: bool) -> Sink:
    filesystem = fsspec_filesystem(filesystem)
    if is_local(filesystem):
        return LocalSink(str(filesystem._strip_protocol(path)), fsync=fsync)  # noqa: SLF001
    from hocket.parquet.io.remote_sink import RemoteSink  # noqa: PLC0415 - the same

    return RemoteSink(filesystem, path)
