"""Remote stores through fsspec: what was not written whole does not appear."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.filesystems import url_of
from hocket.parquet.io.local_sink import temporary_name
from hocket.parquet.io.sink import Sink

__all__ = ["RemoteSink"]

#: Stores whose objects appear when their upload is ended, and cannot be renamed but by a copy.
_OBJECT_STORES: Final = {
    "abfs",
    "abfss",
    "adl",
    "az",
    "gcs",
    "gs",
    "hf",
    "oci",
    "oss",
    "r2",
    "s3",
    "s3a",
    "tos",
}


class RemoteSink(Sink):
    """A file of an fsspec file system.

    Object stores show an upload when it is ended. Elsewhere a file is written under another name
    and moved.

    Parameters
    ----------
    filesystem
        An ``fsspec.AbstractFileSystem``.
    path
        The file in it, with or without the protocol.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = str(filesystem._strip_protocol(path))  # noqa: SLF001  the only spelling
        name = url_of(filesystem, self._path)
        self._file: Any = None
        protocol = getattr(filesystem, "protocol", ())
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._temporary: str | None = None
        if not names & _OBJECT_STORES:
            if filesystem.isdir(self._path):
                raise InvalidOption(
                    "this is a directory; name a file in it, or write a dataset with "
                    "file_scheme='hive'",
                    file=name,
                )
            folder, slash, last = self._path.rpartition("/")
            self._temporary = f"{folder}{slash}{temporary_name(last)}"
        self._file = filesystem.open(self._temporary or self._path, "wb")
        super().__init__(name)

    def _write(self, parts: list[bytes | memoryview]) -> None:
        for part in parts:
            self._file.write(part)

    def _commit(self) -> None:
        file, self._file = self._file, None
        try:
            file.close()
        except BaseException:
            self._file = file
            raise
        if self._temporary is not None:
            self._filesystem.mv(self._temporary, self._path)
            self._temporary = None
        with contextlib.suppress(AttributeError):
            self._filesystem.invalidate_cache(self._path.rpartition("/")[0])

    def _discard(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            _give_up(file, is_upload=self._temporary is None)
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with contextlib.suppress(Exception):
                self._filesystem.rm_file(temporary)


def _give_up(file: Any, *, is_upload: bool) -> None:
    """Close a file that is not wanted; an upload must not be ended by that."""
    if is_upload:
        with contextlib.suppress(Exception):
            file.discard()
        with contextlib.suppress(AttributeError):
            # Else fsspec's would end the upload when it is forgotten.
            file.closed = True
    else:
        with contextlib.suppress(Exception):
            file.close()
