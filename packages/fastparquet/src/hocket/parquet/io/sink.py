"""What can be written to: bytes one after the other, which appear as a whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final, Self

from hocket.parquet.errors import InvalidOption

__all__ = ["FileObjectSink", "Sink"]

_Bytes = bytes | memoryview


class Sink(ABC):
    """A file in the making.

    Whoever makes one either commits it or discards it; one that is forgotten discards itself.

    Parameters
    ----------
    name
        Path, URL or description, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name: Final = name
        #: How many bytes were written.
        self.position = 0
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether it was neither committed nor discarded yet."""
        return self._is_open

    def write(self, parts: Iterable[_Bytes]) -> None:
        """Write bytes behind those that were written before."""
        if not self._is_open:
            raise InvalidOption("the file was closed; write a new one", file=self.name)
        kept = [part for part in parts if len(part)]
        self._write(kept)
        self.position += sum(map(len, kept))

    def commit(self) -> None:
        """Let the file appear, with all that was written."""
        if not self._is_open:
            raise InvalidOption("the file was closed already", file=self.name)
        try:
            self._commit()
        except BaseException:
            self.discard()
            raise
        self._is_open = False

    def discard(self) -> None:
        """Let nothing appear. What was committed stays; to discard twice is no error."""
        if self._is_open:
            self._is_open = False
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    @abstractmethod
    def _write(self, parts: list[_Bytes]) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _discard(self) -> None: ...

    def __del__(self) -> None:
        if self.__dict__.get("_is_open"):
            self.discard()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self.position:,} bytes>"


class FileObjectSink(Sink):
    """An open binary file object, which gets bytes as they come: it is the caller's to throw away.

    Parameters
    ----------
    file
        An object with ``write``. The caller closes it.
    name
        Its description.
    is_owned
        It was opened for this alone, and is to be closed.
    """

    def __init__(self, file: Any, name: str | None = None, *, is_owned: bool = False) -> None:
        told = getattr(file, "name", None)
        name = name or (told if isinstance(told, str) else f"<{type(file).__name__}>")
        if getattr(file, "closed", False):
            raise InvalidOption("the file object is closed already; open it again", file=name)
        if hasattr(file, "encoding"):
            raise InvalidOption(
                "the file object takes text; open it in binary mode, with 'wb'", file=name
            )
        writable = getattr(file, "writable", None)
        if callable(writable) and not writable():
            raise InvalidOption("the file object is not open for writing; use 'wb'", file=name)
        self._file = file
        #: Whether it is written from its beginning, so that nothing may be left of what it was.
        self._is_whole = _is_at_beginning(file)
        self._is_owned = is_owned
        super().__init__(name)

    def _write(self, parts: list[_Bytes]) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                # Unbuffered files may take less than they are given.
                count = self._file.write(rest)
                rest = rest[count:] if isinstance(count, int) and count < len(rest) else rest[:0]

    def _commit(self) -> None:
        flush = getattr(self._file, "flush", None)
        if callable(flush):
            flush()
        if self._is_whole and callable(getattr(self._file, "truncate", None)):
            self._file.truncate()
        self._let_go()

    def _discard(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if self._is_owned and file is not None:
            file.close()


def _is_at_beginning(file: Any) -> bool:
    try:
        return bool(file.seekable()) and file.tell() == 0
    except (AttributeError, OSError, ValueError):
        return False
