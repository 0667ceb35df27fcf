"""Files of this machine, read by position: threads share one descriptor and no seek state."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, InvalidOption
from hocket.parquet.io.source import Source

__all__ = ["LocalFile"]

#: Linux reads at most this many bytes in one call.
_LARGEST_READ_NBYTES: Final = 1 << 30


class _Descriptor:
    """An open file that closes when its last user lets go of it.

    A thread that is reading keeps it open, so that the number cannot come to mean another file.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.number)


class LocalFile(Source):
    """A file of this machine.

    Parameters
    ----------
    path
        Where it lies.
    descriptor
        An open file to take over in place of opening the path.
    nbytes
        The size it must have, if it was seen before (in another process).
    """

    def __init__(
        self, path: str, *, descriptor: int | None = None, nbytes: int | None = None
    ) -> None:
        if descriptor is None:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._descriptor: _Descriptor | None = _Descriptor(descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise InvalidOption(
                "this is a directory, not a file; name the directory as a dataset, or a file in it",
                file=path,
            )
        if not stat.S_ISREG(status.st_mode):
            raise InvalidOption(
                "this is no ordinary file (a pipe or a device), and Parquet is read from its end; "
                "read it into memory first and pass the bytes",
                file=path,
            )
        if nbytes is not None and nbytes != status.st_size:
            raise CorruptFile(
                f"the file has {status.st_size:,} bytes now and had {nbytes:,} when it was opened "
                "first: it was replaced meanwhile; open it anew",
                file=path,
            )
        super().__init__(path, status.st_size)
        self._path = str(Path(path).absolute())

    def close(self) -> None:
        """Close the file, once no thread reads from it any more."""
        self._descriptor = None

    def beside(self, rename: Callable[[str], str]) -> Source:
        """Open another file of the same folder."""
        path = Path(self._path)
        return LocalFile(str(path.with_name(rename(path.name))))

    def _fill(self, offset: int, destination: NDArray[np.uint8]) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise InvalidOption("the file was closed; open it again", file=self.name)
        view = destination.data
        received = 0
        while received < destination.size:
            count = os.preadv(
                descriptor.number,
                [view[received : received + _LARGEST_READ_NBYTES]],
                offset + received,
            )
            if count == 0:
                raise self._truncated(offset, destination.size, received)
            received += count

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._path, self.nbytes)


def _reopen(path: str, nbytes: int) -> LocalFile:
    return LocalFile(path, nbytes=nbytes)
