"""The metadata of a Variant: the names that its objects' fields have."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import Final

from hocket.parquet.errors import CorruptFile, UnsupportedFeature

__all__ = ["Names", "integers", "names_of"]

_VERSION: Final = 1
_FORMATS: Final = {2: "H", 4: "I"}


class Names:
    """The dictionary of names, each decoded when it is first asked for.

    Parameters
    ----------
    metadata
        The bytes of the column ``metadata``.
    """

    __slots__ = ("_data", "_decoded", "_indices", "_offsets", "_start", "count")

    def __init__(self, metadata: bytes) -> None:
        if not metadata:
            raise CorruptFile("the metadata of a Variant has no bytes")
        header = metadata[0]
        if header & 15 != _VERSION:
            raise UnsupportedFeature(
                f"a Variant has metadata of version {header & 15}; only {_VERSION} is known"
            )
        width = (header >> 6) + 1
        table = 1 + width
        if table > len(metadata):
            raise CorruptFile("the metadata of a Variant ends before its number of names")
        count = int.from_bytes(metadata[1:table], "little")
        start = table + (count + 1) * width
        if start > len(metadata):
            raise CorruptFile(
                f"the metadata of a Variant claims {count:,} names in {len(metadata):,} bytes"
            )
        self.count = count
        self._data = metadata
        self._start = start
        self._offsets = integers(metadata, table, count + 1, width)
        self._decoded: dict[int, str] = {}
        self._indices: dict[str, int] | None = None
        if self._offsets[-1] > len(metadata) - start:
            raise CorruptFile(
                f"the names of a Variant end at {self._offsets[-1]:,} of "
                f"{len(metadata) - start:,} bytes"
            )

    def __getitem__(self, index: int) -> str:
        name = self._decoded.get(index)
        if name is None:
            name = self._decode(index)
            self._decoded[index] = name
        return name

    def index(self, name: str) -> int:
        """Return a name's number."""
        if self._indices is None:
            self._indices = {self[index]: index for index in reversed(range(self.count))}
        found = self._indices.get(name)
        if found is None:
            raise CorruptFile(f"a Variant has a field {name!r}, which its metadata does not name")
        return found

    def _decode(self, index: int) -> str:
        if index >= self.count:
            raise CorruptFile(f"a Variant's field has name {index:,} of {self.count:,}")
        start, stop = self._offsets[index], self._offsets[index + 1]
        if start > stop or stop > len(self._data) - self._start:
            raise CorruptFile(f"a Variant's name {index:,} lies outside the names' bytes")
        try:
            return self._data[self._start + start : self._start + stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorruptFile(f"a Variant's name {index:,} is not UTF-8") from error


@functools.lru_cache(maxsize=64)
def names_of(metadata: bytes) -> Names:
    """Return the names; the metadata of one row is mostly that of the next."""
    return Names(metadata)


def integers(data: bytes, start: int, count: int, width: int) -> Sequence[int]:
    """Return unsigned little-endian integers of 1 to 4 bytes. The caller checked the bounds."""
    if width == 1:
        return data[start : start + count]
    if width == 3:
        stop = start + 3 * count
        return [int.from_bytes(data[at : at + 3], "little") for at in range(start, stop, 3)]
    return struct.unpack_from(f"<{count}{_FORMATS[width]}", data, start)
