"""Remote stores through fsspec: few requests, several at a time, bounded in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, InvalidOption, UnsupportedFeature
from hocket.parquet.io.buffers import padded
from hocket.parquet.io.filesystems import url_of
from hocket.parquet.io.ranges import RangePolicy, Request, deliver, plan_requests
from hocket.parquet.io.source import Source

__all__ = ["RemoteFile"]


class RemoteFile(Source):
    """A file of an fsspec file system.

    Parameters
    ----------
    filesystem
        An ``fsspec.AbstractFileSystem``.
    path
        The file in it, with or without the protocol.
    nbytes
        Its size where that is known; else the store is asked.
    policy
        How much is asked for at once.
    """

    def __init__(
        self,
        filesystem: Any,
        path: str,
        *,
        nbytes: int | None = None,
        policy: RangePolicy | None = None,
    ) -> None:
        self._filesystem = filesystem
        self._path = filesystem._strip_protocol(path)  # noqa: SLF001  the only spelling there is
        self._policy = policy or RangePolicy()
        self._in_flight = _Budget(self._policy.in_flight_nbytes)
        # Only what is asynchronous inside says that it may be asked by several threads.
        concurrent = bool(getattr(filesystem, "async_impl", False))
        self._turn: Any = nullcontext() if concurrent else threading.Lock()
        self._closed = False
        super().__init__(url_of(filesystem, path), self._size() if nbytes is None else nbytes)

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[NDArray[np.uint8]]:
        """Read several ranges, neighbours together and some at a time."""
        for offset, nbytes in ranges:
            self.check_range(offset, nbytes)
        destinations = [padded(nbytes) for _, nbytes in ranges]
        self._fetch(ranges, destinations)
        return destinations

    def close(self) -> None:
        """Read no more; the file system is shared and stays open."""
        self._closed = True

    def beside(self, rename: Callable[[str], str]) -> Source:
        """Open another file of the same folder."""
        folder, slash, name = self._path.rpartition("/")
        return RemoteFile(self._filesystem, f"{folder}{slash}{rename(name)}", policy=self._policy)

    def _fill(self, offset: int, destination: NDArray[np.uint8]) -> None:
        self._fetch([(offset, destination.size)], [destination])

    def _fetch(
        self, ranges: Sequence[tuple[int, int]], destinations: Sequence[NDArray[np.uint8]]
    ) -> None:
        if self._closed:
            raise InvalidOption("the file was closed; open it again", file=self.name)
        for batch in self._batches(plan_requests(ranges, self._policy)):
            with self._in_flight.taken(sum(request.nbytes for request in batch)):
                for request, data in zip(batch, self._ask(batch), strict=True):
                    deliver(request, self._checked(request, data), ranges, destinations)

    def _batches(self, requests: list[Request]) -> Iterator[list[Request]]:
        batch: list[Request] = []
        nbytes = 0
        for request in requests:
            if batch and nbytes + request.nbytes > self._policy.in_flight_nbytes:
                yield batch
                batch, nbytes = [], 0
            batch.append(request)
            nbytes += request.nbytes
        if batch:
            yield batch

    def _ask(self, batch: list[Request]) -> Sequence[Any]:
        with self._turn:
            if len(batch) == 1:
                only = batch[0]
                return [
                    self._filesystem.cat_file(
                        self._path, start=only.offset, end=only.offset + only.nbytes
                    )
                ]
            answers: Sequence[Any] = self._filesystem.cat_ranges(
                [self._path] * len(batch),
                [request.offset for request in batch],
                [request.offset + request.nbytes for request in batch],
                on_error="return",
            )
        return answers

    def _checked(self, request: Request, data: Any) -> NDArray[np.uint8]:
        if isinstance(data, BaseException):
            raise data
        received = np.frombuffer(data, np.uint8)
        if received.size == request.nbytes:
            return received
        if received.size == self.nbytes:
            # Servers without ranges send the whole file each time.
            return received[request.offset : request.offset + request.nbytes]
        if received.size < request.nbytes:
            raise self._truncated(request.offset, request.nbytes, received.size)
        raise CorruptFile(
            f"the store sent {received.size:,} bytes for a range of {request.nbytes:,}",
            file=self.name,
            offset=request.offset,
        )

    def _size(self) -> int:
        with self._turn:
            details = self._filesystem.info(self._path)
        name = url_of(self._filesystem, self._path)
        if details.get("type") == "directory":
            raise InvalidOption(
                "this is a directory, not a file; name the directory as a dataset, or a file in it",
                file=name,
            )
        nbytes = details.get("size")
        if nbytes is None:
            raise UnsupportedFeature(
                "the server does not tell the size of the file, and Parquet is read from its end; "
                "download it first",
                file=name,
            )
        return int(nbytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._filesystem, self._path, self.nbytes, self._policy)


def _reopen(filesystem: Any, path: str, nbytes: int, policy: RangePolicy) -> RemoteFile:
    return RemoteFile(filesystem, path, nbytes=nbytes, policy=policy)


class _Budget:
    """Bytes under way, over all threads that read one source."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, nbytes: int) -> Iterator[None]:
        with self._changed:
            # A request above the whole budget goes alone.
            self._changed.wait_for(lambda: not self._taken or self._taken + nbytes <= self._nbytes)
            self._taken += nbytes
        try:
            yield
        finally:
            with self._changed:
                self._taken -= nbytes
                self._changed.notify_all()
