"""Open file objects of any kind: one seek and read at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.source import Source

__all__ = ["FileObject"]


class FileObject(Source):
    """An object with ``seek`` and ``read``.

    Parameters
    ----------
    file
        The object. It stays the caller's: closing the source does not close it.
    name
        Its description, for messages.
    reopen
        Function and arguments that make the source again in another process.
    """

    def __init__(
        self,
        file: Any,
        name: str | None = None,
        reopen: tuple[Callable[..., Source], tuple[Any, ...]] | None = None,
    ) -> None:
        name = name or _name_of(file)
        if getattr(file, "closed", False):
            raise InvalidOption("the file object is closed already; open it again", file=name)
        if hasattr(file, "encoding"):
            raise InvalidOption(
                "the file object gives text; open it in binary mode, with 'rb'", file=name
            )
        if not (hasattr(file, "seek") and hasattr(file, "tell")) or not _seekable(file):
            raise InvalidOption(
                "the file object cannot seek, and Parquet is read from its end; read it into "
                "memory first and pass the bytes",
                file=name,
            )
        self._file = file
        self._owned = reopen is not None
        self._reopen = reopen
        self._lock = threading.Lock()
        file.seek(0, 2)
        super().__init__(name, int(file.tell()))

    def close(self) -> None:
        """Let go of the object; what was opened here is closed."""
        with self._lock:
            if self._owned and self._file is not None:
                self._file.close()
            self._file = None

    def __del__(self) -> None:
        # Whoever opens files with a function does not get to see them.
        file = self.__dict__.get("_file")
        if file is not None and self._owned:
            file.close()

    def _fill(self, offset: int, destination: NDArray[np.uint8]) -> None:
        with self._lock:
            file = self._file
            if file is None or getattr(file, "closed", False):
                raise InvalidOption(
                    "the file object was closed while it is still read from; keep it open",
                    file=self.name,
                )
            file.seek(offset)
            into = getattr(file, "readinto", None)
            received = 0
            while received < destination.size:
                rest = destination[received:]
                count = _read_into(into, rest) if into else _read(file, rest, self.name)
                if not count:
                    raise self._truncated(offset, destination.size, received)
                received += count

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopen is None:
            raise TypeError(
                f"{self.name}: an open file object cannot be sent to another process; "
                "open the file by its path or URL"
            )
        return self._reopen


def _read_into(into: Callable[[memoryview], int | None], rest: NDArray[np.uint8]) -> int:
    return into(rest.data) or 0


def _read(file: Any, rest: NDArray[np.uint8], name: str) -> int:
    data = file.read(rest.size)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidOption(
            f"the file object gives {type(data).__name__}, not bytes; open it in binary mode",
            file=name,
        )
    received = np.frombuffer(data, np.uint8)
    if received.size > rest.size:
        raise InvalidOption(
            f"the file object gave {received.size:,} bytes when asked for {rest.size:,}", file=name
        )
    rest[: received.size] = received
    return received.size


def _seekable(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if callable(seekable) else True


def _name_of(file: Any) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else f"<{type(file).__name__}>"
