"""Files of this machine, written beside their place and put there when they are whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.sink import Sink

__all__ = ["LocalSink", "temporary_name"]

_FLAGS: Final = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)
#: How many pieces the system takes in one call, and how many bytes, on all systems.
_MOST_PARTS: Final = 1024
_MOST_NBYTES: Final = 1 << 30
#: Less than this is collected, up to that much.
_SMALL_NBYTES: Final = 1 << 15
_BUFFER_NBYTES: Final = 1 << 19
#: Names have 255 bytes at most; this is what a temporary one keeps of the other.
_KEPT_CHARACTERS: Final = 40


def temporary_name(name: str) -> str:
    """Return a name beside a file's, for what is to become it; no dataset looks at such files.

    Parameters
    ----------
    name
        The file's own name, without its folder.
    """
    return f".{name[:_KEPT_CHARACTERS]}.{secrets.token_hex(6)}.tmp"


class LocalSink(Sink):
    """A file of this machine.

    It is written under another name in the same folder and then renamed, so that at any moment,
    whatever happens, there is the earlier file or the new one. Links are followed, permissions of
    an earlier file kept. Pipes and devices are written to as they are.

    Parameters
    ----------
    path
        Where the file is to be.
    fsync
        Whether it has to be on the disk, and its name too, before it counts as written.
    """

    def __init__(self, path: str, *, fsync: bool = False) -> None:
        self._target = Path(os.path.realpath(path))
        self._fsync = fsync
        self._temporary: Path | None = None
        self._descriptor = -1
        self._small: list[bytes] = []
        self._small_nbytes = 0
        self._open(path)
        super().__init__(path)

    def _open(self, path: str) -> None:
        earlier = _status(self._target)
        if earlier is not None and stat.S_ISDIR(earlier.st_mode):
            raise InvalidOption(
                "this is a directory; name a file in it, or write a dataset with "
                "file_scheme='hive'",
                file=path,
            )
        if earlier is not None and not os.access(self._target, os.W_OK):
            raise PermissionError(errno.EACCES, "the file may not be written", path)
        with _named(path):
            if earlier is not None and not stat.S_ISREG(earlier.st_mode):
                self._descriptor = os.open(self._target, _FLAGS)
                return
            temporary = self._target.with_name(temporary_name(self._target.name))
            self._descriptor = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
            self._temporary = temporary
            if earlier is not None:
                _take_after(self._descriptor, earlier)

    def _write(self, parts: list[bytes | memoryview]) -> None:
        nbytes = sum(map(len, parts))
        if nbytes < _SMALL_NBYTES:
            # A call for each would take longer than to copy them.
            self._small += map(bytes, parts)
            self._small_nbytes += nbytes
            if self._small_nbytes < _BUFFER_NBYTES:
                return
            parts = []
        small: list[bytes | memoryview] = [b"".join(self._small)]
        self._small, self._small_nbytes = [], 0
        with _named(self.name):
            for batch in _batches(small + parts if small[0] else parts):
                _write_all(self._descriptor, batch)

    def _commit(self) -> None:
        if self._small:
            self._small_nbytes = _BUFFER_NBYTES
            self._write([])
        with _named(self.name):
            if self._fsync and self._temporary is not None:
                os.fsync(self._descriptor)
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            if self._temporary is None:
                return
            self._temporary.replace(self._target)
            self._temporary = None
            if self._fsync:
                _sync_folder(self._target.parent)

    def _discard(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        temporary, self._temporary = self._temporary, None
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _take_after(descriptor: int, earlier: os.stat_result) -> None:
    """Give a new file the permissions of an earlier one, and its owner where that is allowed."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (earlier.st_uid, earlier.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, earlier.st_uid, earlier.st_gid)
    with contextlib.suppress(PermissionError):
        os.fchmod(descriptor, stat.S_IMODE(earlier.st_mode))


def _batches(parts: list[bytes | memoryview]) -> Iterator[list[memoryview]]:
    """Yield what goes into one call each."""
    batch: list[memoryview] = []
    nbytes = 0
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _MOST_NBYTES):
            piece = view[start : start + _MOST_NBYTES]
            if len(batch) == _MOST_PARTS or nbytes + len(piece) > _MOST_NBYTES:
                yield batch
                batch, nbytes = [], 0
            batch.append(piece)
            nbytes += len(piece)
    if batch:
        yield batch


def _write_all(descriptor: int, batch: list[memoryview]) -> None:
    while batch:
        count = os.writev(descriptor, batch)
        while batch and count >= len(batch[0]):
            count -= len(batch.pop(0))
        if count:
            batch[0] = batch[0][count:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Let errors of the system name the file that the caller named."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, path) from error
