"""The few small Thrift structures that say how a file and its columns are encrypted.

They are read by hand: they come before anything else of the file can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, UnsupportedFeature
from hocket.parquet.records import dataclass

__all__ = [
    "Algorithm",
    "ColumnCrypto",
    "parse_algorithm",
    "parse_column_crypto",
    "parse_file_crypto",
]

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(
    1, 14
)
_FIXED_NBYTES: Final = {_BYTE: 1, _DOUBLE: 8, _UUID: 16}
_DEEPEST: Final = 16
_LONGEST_PATH: Final = 1000


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a file is encrypted.

    Parameters
    ----------
    pages_by_ctr
        Pages are encrypted by AES-CTR, which cannot tell tampering; all else by AES-GCM.
    aad_prefix
        The identity of the file as it says itself; empty if none is stored.
    aad_file_unique
        The random part that tells this file's modules from another's.
    supply_aad_prefix
        There is an identity, and the reader must know it.
    """

    pages_by_ctr: bool
    aad_prefix: bytes
    aad_file_unique: bytes
    supply_aad_prefix: bool


@dataclass(frozen=True, slots=True)
class ColumnCrypto:
    """Which key a column chunk is encrypted with.

    Parameters
    ----------
    path
        The column, if it has a key of its own; None if it has the footer's.
    key_metadata
        What tells a key service which key it is.
    """

    path: tuple[str, ...] | None
    key_metadata: bytes | None


def parse_file_crypto(data: NDArray[np.uint8]) -> tuple[Algorithm, bytes | None, int]:
    """Read what stands before an encrypted footer.

    Returns
    -------
    tuple
        The algorithm, the key's metadata and the position after the structure.
    """
    reader = _Reader(data, 0)
    algorithm = None
    key_metadata = None
    for number, kind in reader.fields():
        if number == 1 and kind == _STRUCT:
            algorithm = _algorithm(reader)
        elif number == 2 and kind == _BINARY:
            key_metadata = reader.binary()
        else:
            reader.skip(kind)
    if algorithm is None:
        raise CorruptFile("the encrypted footer does not say by which algorithm")
    return algorithm, key_metadata, reader.at


def parse_algorithm(footer: NDArray[np.uint8], position: int) -> Algorithm:
    """Read the algorithm at a position of a plain footer."""
    return _algorithm(_Reader(footer, position))


def parse_column_crypto(footer: NDArray[np.uint8], position: int) -> ColumnCrypto:
    """Read a column chunk's crypto metadata at a position of the footer."""
    reader = _Reader(footer, position)
    found = None
    for number, kind in reader.fields():
        if number == 1 and kind == _STRUCT:
            reader.skip(kind)
            found = ColumnCrypto(None, None)
        elif number == 2 and kind == _STRUCT:
            found = _column_key(reader)
        else:
            reader.skip(kind)
    if found is None:
        raise UnsupportedFeature("the column is encrypted in a way that this version does not know")
    return found


def _algorithm(reader: _Reader) -> Algorithm:
    found = None
    for number, kind in reader.fields():
        if number in (1, 2) and kind == _STRUCT:
            found = _algorithm_details(reader, pages_by_ctr=number == 2)
        else:
            reader.skip(kind)
    if found is None:
        raise UnsupportedFeature(
            "the file is encrypted by an algorithm that is neither AES_GCM_V1 nor AES_GCM_CTR_V1"
        )
    return found


def _algorithm_details(reader: _Reader, *, pages_by_ctr: bool) -> Algorithm:
    prefix = unique = b""
    supply = False
    for number, kind in reader.fields():
        if number == 1 and kind == _BINARY:
            prefix = reader.binary()
        elif number == 2 and kind == _BINARY:
            unique = reader.binary()
        elif number == 3 and kind in (_TRUE, _FALSE):
            supply = kind == _TRUE
        else:
            reader.skip(kind)
    return Algorithm(pages_by_ctr, prefix, unique, supply)


def _column_key(reader: _Reader) -> ColumnCrypto:
    path: tuple[str, ...] | None = None
    key_metadata = None
    for number, kind in reader.fields():
        if number == 1 and kind == _LIST:
            element, count = reader.list_header()
            if element != _BINARY or count > _LONGEST_PATH:
                raise CorruptFile("a column's path in its crypto metadata is no list of names")
            path = tuple(reader.text() for _ in range(count))
        elif number == 2 and kind == _BINARY:
            key_metadata = reader.binary()
        else:
            reader.skip(kind)
    if path is None:
        raise CorruptFile("a column's crypto metadata does not say which column it is")
    return ColumnCrypto(path, key_metadata)


class _Reader:
    """The compact protocol, as far as these structures need it. Every length is checked."""

    def __init__(self, data: NDArray[np.uint8], position: int) -> None:
        self._data = data.data
        self._depth = 0
        self.at = position
        if not 0 <= position <= len(self._data):
            raise CorruptFile("crypto metadata lies outside the footer")

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and kind of each field; the caller reads or skips the value."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CorruptFile("crypto metadata is nested too deeply")
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            if not _TRUE <= kind <= _UUID:
                raise CorruptFile(f"crypto metadata has a field of the unknown kind {kind}")
            yield number, kind
        self._depth -= 1

    def binary(self) -> bytes:
        return self._take(self._varint()).tobytes()

    def text(self) -> str:
        try:
            return self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorruptFile("a name in the crypto metadata is not UTF-8") from error

    def list_header(self) -> tuple[int, int]:
        head = self._byte()
        count = head >> 4 if head >> 4 != 15 else self._varint()
        if count > len(self._data) - self.at:
            raise CorruptFile(f"a list in the crypto metadata claims {count:,} elements")
        return head & 15, count

    def skip(self, kind: int, *, in_list: bool = False) -> None:
        if kind in (_TRUE, _FALSE):
            self._take(int(in_list))
        elif kind in _FIXED_NBYTES:
            self._take(_FIXED_NBYTES[kind])
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _BINARY:
            self._take(self._varint())
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind in (_LIST, _SET):
            element, count = self.list_header()
            self._skip_several((element,), count)
        elif kind == _MAP:
            count = self._varint()
            if count:
                kinds = self._byte()
                self._skip_several((kinds >> 4, kinds & 15), count)
        else:
            raise CorruptFile(f"crypto metadata has a value of the unknown kind {kind}")

    def _skip_several(self, kinds: tuple[int, ...], count: int) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CorruptFile("crypto metadata is nested too deeply")
        for _ in range(count):
            for kind in kinds:
                self.skip(kind, in_list=True)
        self._depth -= 1

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> memoryview:
        end = self.at + count
        if end > len(self._data):
            raise CorruptFile("crypto metadata ends in the middle of a value")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise CorruptFile("a number in the crypto metadata has more than ten bytes")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
