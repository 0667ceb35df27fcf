"""Values as files: their buffers, one after the other, as they would be sent.

What a file holds is known here and nowhere else: sizes and checksum stay in memory, and a file is
read only by the process that wrote it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import sleep
from typing import Final

from hocket.core.errors import LimitExceeded
from hocket.transport.data_block import allocate
from hocket.worker.errors import FileDamaged

__all__ = ["SpillFile", "read_file", "read_patiently", "write_file"]

#: Bytes that are written or read, and summed up, at once: they stay in the processor's cache.
_CHUNK_NBYTES: Final = 1 << 20
#: A file that cannot be read just now (no memory, no descriptors) is tried so many times, with such
#: pauses between.
_READS_MAX: Final = 4
_PAUSE_S: Final = 0.2


class SpillFile:
    """Where a value is, and how to know it again.

    Attributes
    ----------
    path
        The file.
    sizes
        Of the buffers in it.
    checksum
        CRC-32 of all of them.
    """

    __slots__ = ("checksum", "path", "sizes")

    def __init__(self, path: Path, sizes: Sequence[int], checksum: int) -> None:
        self.path = path
        self.sizes = tuple(sizes)
        self.checksum = checksum

    @property
    def nbytes(self) -> int:
        """The length of the file."""
        return sum(self.sizes)

    def __repr__(self) -> str:
        return f"<SpillFile {self.path.name} of {self.nbytes} bytes>"


def write_file(path: Path, buffers: Iterable[memoryview]) -> SpillFile:
    """Write a new file; if that fails, nothing is left of it.

    Raises
    ------
    OSError
        It cannot be written, or was there already.
    """
    sizes: list[int] = []
    checksum = 0
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            for buffer in buffers:
                view = buffer.cast("B")
                sizes.append(view.nbytes)
                for start in range(0, view.nbytes, _CHUNK_NBYTES):
                    chunk = view[start : start + _CHUNK_NBYTES]
                    checksum = zlib.crc32(chunk, checksum)
                    while chunk:
                        chunk = chunk[os.write(number, chunk) :]
        finally:
            # (Network file systems may say only here that there is no room.)
            os.close(number)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return SpillFile(path, sizes, checksum)


def read_file(file: SpillFile) -> list[memoryview]:
    """Read the buffers of a file into memory of their own, which can be written to.

    Raises
    ------
    FileDamaged
        It is not there, or not what was written.
    LimitExceeded
        There is no memory for it.
    OSError
        It cannot be read for another reason.
    """
    path = file.path
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise FileDamaged(path=str(path), reason="it is gone") from None
    try:
        nbytes = os.fstat(number).st_size
        if nbytes != file.nbytes:
            reason = f"it has {nbytes} bytes in place of {file.nbytes}"
            raise FileDamaged(path=str(path), reason=reason)
        buffers = allocate(file.sizes)
        checksum = 0
        with os.fdopen(number, "rb", buffering=0, closefd=False) as raw:
            for buffer in buffers:
                start = 0
                while start < buffer.nbytes:
                    count = raw.readinto(buffer[start : start + _CHUNK_NBYTES])
                    if not count:
                        raise FileDamaged(path=str(path), reason="it ends too early")
                    checksum = zlib.crc32(buffer[start : start + count], checksum)
                    start += count
    finally:
        os.close(number)
    if checksum != file.checksum:
        raise FileDamaged(path=str(path), reason="its bytes are not those that were written")
    return buffers


def read_patiently(file: SpillFile) -> list[memoryview]:
    """Read a file, and try again if that cannot be done just now.

    Raises
    ------
    FileDamaged
        It is not what was written, or cannot be read however often it is tried.
    """
    reason = ""
    for number in range(_READS_MAX):
        if number:
            sleep(_PAUSE_S)
        try:
            return read_file(file)
        except (OSError, LimitExceeded, MemoryError) as error:
            reason = str(error)
    raise FileDamaged(path=str(file.path), reason=reason)
