"""Pages of one column chunk: levels and values to bytes, compressed, checked and counted."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np

from hocket.parquet.codecs import compress
from hocket.parquet.encode.column import ColumnEntries
from hocket.parquet.encode.encoders import code_width, dictionary_entries, encode_values
from hocket.parquet.encode.levels import encode_hybrid, encode_levels
from hocket.parquet.encode.options import ChunkOptions
from hocket.parquet.encode.page_cuts import PageCut
from hocket.parquet.encode.page_headers import data_page_header, dictionary_header
from hocket.parquet.metadata.compact import varint
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.records import dataclass

__all__ = ["Page", "PageMaker", "Sealer"]

_Array = np.ndarray[Any, Any]
#: Whatever has the buffer protocol.
_Bytes = Any


class Sealer(Protocol):
    """What encrypts the pages of a chunk and their headers."""

    def seal_page(self, plain: Any, number: int | None) -> bytes:
        """Encrypt a page, compressed before, by its number; None: the dictionary's."""

    def seal_page_header(self, plain: bytes, number: int | None) -> bytes:
        """Encrypt the header of a page."""


_LENGTH_NBYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is written.

    Parameters
    ----------
    header, body
        Its bytes.
    plain_nbytes
        The size of the body before it was compressed.
    """

    header: bytes
    body: bytes | memoryview
    plain_nbytes: int

    @property
    def nbytes(self) -> int:
        """How many bytes are written."""
        return len(self.header) + len(self.body)


class PageMaker:
    """Makes the pages of a chunk. Several threads may make pages of one chunk.

    Parameters
    ----------
    column
        The chunk's entries; codes, if its values have a dictionary.
    encoding
        Of values without codes.
    level
        How hard the codec tries.
    options
        How else pages are made.
    seal
        What encrypts them.
    """

    def __init__(
        self,
        column: ColumnEntries,
        encoding: Encoding,
        level: int | None,
        options: ChunkOptions,
        seal: Sealer | None = None,
    ) -> None:
        self._column = column
        self._values = column.values
        self._node = column.values.node
        self._level = level
        self._options = options
        self._seal = seal
        has_codes = column.values.codes is not None
        self.encoding = Encoding.RLE_DICTIONARY if has_codes else encoding
        self._width = code_width(column.values) if has_codes else 0

    def dictionary(self, plain: _Bytes, compressed: _Bytes | None = None) -> Page:
        """Return the page of the dictionary, which has to be the first.

        Parameters
        ----------
        plain
            Its values, PLAIN.
        compressed
            The same compressed, if that was done already.
        """
        size = _nbytes(plain)
        if compressed is None:
            compressed = self._compressed(plain)
        count = dictionary_entries(self._values).count
        return self._page(
            size, compressed, None, lambda nbytes, crc: dictionary_header(size, nbytes, crc, count)
        )

    def page(self, cut: PageCut, number: int) -> Page:
        """Return a data page.

        Parameters
        ----------
        cut
            What is in it.
        number
            Which data page of its chunk it is.
        """
        node, entry_count = self._node, cut.stop_entry - cut.first_entry
        repetition = self._levels(self._column.repetition, node.max_repetition, cut)
        definition = self._levels(self._column.definition, node.max_definition, cut)
        values = self._encoded(cut)
        encoding = int(self.encoding)
        if self._options.page_version == 1:
            body = _body(repetition, definition, values)
            size = _nbytes(body)
            return self._page(
                size,
                self._compressed(body),
                number,
                lambda nbytes, crc: data_page_header(
                    size, nbytes, crc, encoding, entry_count, None
                ),
            )
        size = len(repetition) + len(definition) + _nbytes(values)
        levels = (
            entry_count - (cut.stop_value - cut.first_value),
            cut.stop_row - cut.first_row,
            len(definition),
            len(repetition),
        )
        # Nothing is not compressed: some readers take the zero bytes as they are.
        is_compressed = self._options.codec != 0 and _nbytes(values) > 0
        after = self._compressed(values) if is_compressed else values
        return self._page(
            size,
            _joined(repetition, definition, after),
            number,
            lambda nbytes, crc: data_page_header(
                size, nbytes, crc, encoding, entry_count, (*levels, is_compressed)
            ),
        )

    def _levels(self, levels: _Array | None, maximum: int, cut: PageCut) -> bytes:
        """Return the levels of a page, without their length."""
        if maximum == 0:
            return b""
        if levels is None:
            # One run of the largest level.
            return varint((cut.stop_entry - cut.first_entry) << 1) + bytes((maximum,))
        return bytes(encode_levels(levels[cut.first_entry : cut.stop_entry], maximum))

    def _encoded(self, cut: PageCut) -> _Bytes:
        values = self._values
        if values.codes is None:
            return encode_values(self.encoding, values, cut.first_value, cut.stop_value)
        codes = values.codes[cut.first_value : cut.stop_value]
        return bytes((self._width,)) + bytes(encode_hybrid(codes, self._width))

    def _compressed(self, plain: _Bytes) -> _Bytes:
        if self._options.codec == 0:
            return plain
        return compress(self._options.codec, plain, self._level)

    def _page(
        self,
        plain_nbytes: int,
        body: _Bytes,
        number: int | None,
        header_of: Callable[[int, int | None], bytes],
    ) -> Page:
        if self._seal is not None:
            body = self._seal.seal_page(body, number)
        part = body if isinstance(body, bytes) else memoryview(body).cast("B")
        crc = zlib.crc32(part) if self._options.has_checksums else None
        header = header_of(len(part), crc)
        if self._seal is not None:
            header = self._seal.seal_page_header(header, number)
        return Page(header, part, plain_nbytes)


def _nbytes(data: _Bytes) -> int:
    return len(data) if isinstance(data, bytes) else data.nbytes


def _body(repetition: bytes, definition: bytes, values: _Bytes) -> _Bytes:
    """Return the body of a page of version 1."""
    if not repetition and not definition:
        return values
    parts = [
        part
        for levels in (repetition, definition)
        if levels
        for part in (len(levels).to_bytes(_LENGTH_NBYTES, "little"), levels)
    ]
    return b"".join((*parts, values))


def _joined(repetition: bytes, definition: bytes, values: _Bytes) -> _Bytes:
    return b"".join((repetition, definition, values)) if repetition or definition else values
