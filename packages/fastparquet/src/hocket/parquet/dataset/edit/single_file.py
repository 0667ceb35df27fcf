"""Edits of one file: it is made anew beside its place and put there in one step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.transaction import recover
from hocket.parquet.dataset.stores import store_of
from hocket.parquet.errors import EditConflict
from hocket.parquet.io.filesystems import is_local
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.sink_opening import open_sink

__all__ = ["rewriting"]

_TIMEOUT_S = 60.0


@contextmanager
def rewriting(
    place: str, opener: Opener, *, fsync: bool = False
) -> Iterator[tuple[DataFile, Sink]]:
    """Open a file, and what is to be put in its place when the context ends without an error.

    Parameters
    ----------
    place
        Its path or URL.
    opener
        How files are opened.
    fsync
        Whether the new file has to outlast a loss of power.
    """
    filesystem, path = _found(place, opener)
    directory, _, name = path.rpartition("/")
    folder = folder_at(directory or ("/" if path.startswith("/") else ""), filesystem)
    if filesystem is None:
        # It may be a file of a dataset, of which an edit was begun.
        with folder.lock(_TIMEOUT_S):
            recover(folder)
            before = folder.stamp(name)
    else:
        before = folder.stamp(name)
    file = read_file(name, path, Opener(filesystem, keys=opener.keys))
    sink = _ReplacingSink(open_sink(path, fs=filesystem, fsync=fsync), folder, name, before)
    try:
        yield file, sink
        if sink.is_open:
            sink.commit()
    except BaseException:
        sink.discard()
        raise
    finally:
        file.close()


class _ReplacingSink(Sink):
    """What is put in a file's place if that is still the file that was opened."""

    def __init__(self, inner: Sink, folder: Folder, name: str, before: Any) -> None:
        self._inner = inner
        self._folder = folder
        self._file = name
        self._before = before
        super().__init__(inner.name)

    def _write(self, parts: list[bytes | memoryview]) -> None:
        self._inner.write(parts)

    def _commit(self) -> None:
        is_local = self._folder.filesystem is None
        with self._folder.lock(_TIMEOUT_S) if is_local else nullcontext():
            if self._folder.stamp(self._file) != self._before:
                raise EditConflict(
                    "another writer replaced the file while this one worked on it; nothing was "
                    "done: repeat the edit",
                    file=self.name,
                )
            self._inner.commit()

    def _discard(self) -> None:
        self._inner.discard()


def _found(place: str, opener: Opener) -> tuple[Any, str]:
    """Return the file system that a path belongs to, None for this machine's, and the path."""
    if opener.filesystem is None and opener.storage_options and "://" in place:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - local files need no fsspec

        filesystem, path = url_to_fs(place, **opener.storage_options)
    else:
        store = store_of(place, opener.filesystem)
        filesystem, path = store.filesystem, store.plain(place)
    if filesystem is None or is_local(filesystem):
        return None, os.path.realpath(path).replace(os.sep, "/")
    return filesystem, str(path)
