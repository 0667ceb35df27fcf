"""What can be read from: named bytes of a known size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, InvalidOption
from hocket.parquet.io.buffers import padded

__all__ = ["Source"]


class Source(ABC):
    """Bytes that can be read at any place, from several threads at once.

    Parameters
    ----------
    name
        Path, URL or description, for messages.
    nbytes
        How many bytes there are.
    """

    def __init__(self, name: str, nbytes: int) -> None:
        self.name = name
        self.nbytes = nbytes

    def read(self, offset: int, nbytes: int) -> NDArray[np.uint8]:
        """Read bytes into a new array, which has 64 readable zeros behind its end."""
        self.check_range(offset, nbytes)
        destination = padded(nbytes)
        if nbytes:
            self._fill(offset, destination)
        return destination

    def read_into(self, offset: int, destination: NDArray[np.uint8]) -> None:
        """Read as many bytes as an array has into it."""
        self.check_range(offset, destination.size)
        if destination.size:
            self._fill(offset, destination)

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[NDArray[np.uint8]]:
        """Read several ranges, each an offset and a number of bytes; as `read`, in the same order.

        Remote stores are asked for neighbours together, and for several ranges at once.
        """
        return [self.read(offset, nbytes) for offset, nbytes in ranges]

    def check_range(self, offset: int, nbytes: int) -> None:
        """Refuse a range that is not within the bytes that are there."""
        if offset < 0 or nbytes < 0 or offset + nbytes > self.nbytes:
            raise CorruptFile(
                f"{nbytes:,} bytes at {offset:,} are wanted, and there are {self.nbytes:,}: "
                "the file is damaged or cut short",
                file=self.name,
                offset=offset,
            )

    def close(self) -> None:  # noqa: B027  most sources hold nothing
        """Let go of files and connections; reading again is an error then."""

    def beside(self, rename: Callable[[str], str]) -> Source:  # noqa: ARG002  for subclasses
        """Open another file of the same folder.

        Parameters
        ----------
        rename
            From this file's name in its folder to the other's.
        """
        raise InvalidOption(
            f"it is not known what lies beside {self.name}: it was not opened by a path",
            file=self.name,
        )

    @abstractmethod
    def _fill(self, offset: int, destination: NDArray[np.uint8]) -> None:
        """Read exactly the array's size, or raise. The range is within the bounds."""

    def _truncated(self, offset: int, wanted: int, received: int) -> CorruptFile:
        return CorruptFile(
            f"{wanted:,} bytes were wanted and {received:,} came: the file became shorter while "
            "it was read",
            file=self.name,
            offset=offset + received,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self.nbytes:,} bytes>"
