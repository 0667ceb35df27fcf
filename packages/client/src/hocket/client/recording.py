"""Recordings of the feed in files: written while a block of code runs, and read back."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from hocket.client.following import Following
from hocket.client.shell.callbacks import call_soon
from hocket.protocol.feed.recording import MAGIC, encode_frame
from hocket.protocol.messages import Events
from hocket.transport.feed_file import read_recording

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession

__all__ = ["Recording", "read_recording"]


class Recording:
    """Writes the feed to a file; made by `Client.record_feed`.

    Attributes
    ----------
    events_count, dropped
        How many events were written, and how many lost, since they came faster than the disk took
        them.
    """

    def __init__(self, session: ClientSession, path: str | Path, kinds: int, *, past: bool) -> None:
        self._path = Path(path)
        self._following = Following(
            session, kinds, position=0 if past else -1, on_events=self._hear, interval_s=0.2
        )
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._error: OSError | None = None
        #: Batches that are on their way to the file.
        self._coming: list[Events] = []
        self.events_count = 0
        self.dropped = 0

    def __enter__(self) -> Self:
        self._open()
        self._following.begin()
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, traceback
        try:
            self._following.end()
        finally:
            self._close(raises=error is None)

    async def __aenter__(self) -> Self:
        self._open()
        await self._following.begin()
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, traceback
        try:
            await self._following.end()
        finally:
            self._close(raises=error is None)

    def _open(self) -> None:
        self._file = self._path.open("wb")
        self._file.write(MAGIC)

    def _begin(self) -> None:
        assert self._file is not None
        assert self._following.snapshot is not None
        with self._lock:
            self._file.write(encode_frame([self._following.snapshot]))

    def _hear(self, events: Events) -> None:
        """Put events aside; called on the loop's thread."""
        with self._lock:
            self._coming.append(events)
        call_soon(self._write, None)

    def _write(self, _nothing: Any) -> None:
        with self._lock:
            count = self._write_coming()
        if count:
            self._following.grant(count)

    def _write_coming(self) -> int:
        """Write what was put aside; return how many events. The lock must be held."""
        coming, self._coming = self._coming, []
        if self._file is None or self._following.snapshot is None:
            self._coming = coming if self._file is not None else []
            return 0
        count = 0
        for events in coming:
            count += len(events.events)
            self.dropped += events.dropped
            if self._error is not None or not (events.events or events.dropped):
                continue
            try:
                self._file.write(encode_frame([events]))
                self.events_count += len(events.events)
            except OSError as error:
                self._error = error
        return count

    def _close(self, *, raises: bool) -> None:
        with self._lock:
            self._write_coming()
            file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._error = self._error or error
        if raises and self._error is not None:
            raise self._error
