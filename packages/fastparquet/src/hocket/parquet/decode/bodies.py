"""The bodies of pages, made ready to be decoded: checked, decrypted, decompressed.

What is not compressed stays where it is; what is goes to the scratch memory, a few pages at a time,
so that they are still in the processor's cache when they are decoded.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np

from hocket.parquet.codecs import codec_name, decompress_into
from hocket.parquet.decode.pages import PageTable
from hocket.parquet.decode.place import ChunkPlace, DecodeOptions
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.errors import ChecksumMismatch, CorruptFile, LimitExceeded, ParquetError
from hocket.parquet.kernels.library import AS_WRITTEN, KERNEL, address, origin
from hocket.parquet.kernels.source import pages as layout

__all__ = ["BATCH_NBYTES", "PageBodies"]

_Array = np.ndarray[Any, Any]

#: Pages are decompressed until there are so many bytes, then decoded together.
BATCH_NBYTES: Final = 1 << 20
#: Readable bytes behind each page.
_SPARE_NBYTES: Final = 64

#: Not compressed, and Snappy.
_PLAIN_CODECS: Final = (0, 1)

#: How many times larger than its input the output of a codec can be (rounded up): the densest
#: copies of Snappy are 64 bytes by 3; LZ4's lengths grow by 255 a byte; Deflate's by 258 bytes each
#: 2 bits; a block of Zstandard makes 128 KiB of 4 bytes. Brotli has no useful bound.
_RATIOS: Final = {1: 22, 2: 1040, 5: 256, 6: 1 << 16, 7: 256}
#: What a stream of any codec can be larger than its ratio says.
_SLACK_NBYTES: Final = 1 << 17


class PageBodies:
    """Makes the pages of one chunk ready, in batches.

    Parameters
    ----------
    place, table, options, scratch
        What to decode, and how.
    """

    def __init__(
        self, place: ChunkPlace, table: PageTable, options: DecodeOptions, scratch: Scratch
    ) -> None:
        self._place = place
        self._table = table
        self._options = options
        self._scratch = scratch
        self._addresses = [address(data) for _, data in table.segments]
        self._segments = np.array(
            [(origin, address(data)) for origin, data in table.segments], np.int64
        )
        # As it is written, in Python, the kernel would take longer than a codec's library.
        self._is_plain = (
            place.codec in _PLAIN_CODECS
            and place.cipher is None
            and origin("place_pages") != AS_WRITTEN
        )
        #: The headers as Python's numbers.
        self.headers: list[list[int]] = table.rows.tolist()
        self._plain: list[_Array] = []

    def prepare(self, first: int, stop: int) -> int:
        """Make pages ready, from `first` on, until a batch is full.

        Where they are is written into the table. Earlier ones are no longer ready.

        Returns
        -------
        int
            The first page that is not ready any more: more than `first`, at most `stop`.
        """
        after = self._ready_at_once(first, stop)
        if after > first:
            return after
        self._plain.clear()
        headers = self.headers
        total = 0
        last = first
        while last < stop:
            header = headers[last]
            size = header[layout.UNCOMPRESSED_NBYTES] if _is_wanted(header) else 0
            if total and total + size > BATCH_NBYTES:
                break
            self._check_size(last, size)
            total += size + 2 * _SPARE_NBYTES
            last += 1
        is_compressed = self._place.codec != 0
        room, room_address = self._scratch.buffer("pages", total) if is_compressed else (None, 0)
        at = 0
        addresses = []
        for page in range(first, last):
            try:
                levels, values, end, at = self._ready(page, room, room_address, at)
            except ParquetError as error:
                error.located(**self.place_of(page))
                raise
            addresses.append((levels, values, end))
        self._table.rows[first:last, layout.LEVELS_ADDRESS : layout.END_ADDRESS + 1] = addresses
        return last

    def _ready_at_once(self, first: int, stop: int) -> int:
        """Make pages ready by one call; return the first one that is not."""
        if not self._is_plain:
            return first
        codec, room, capacity = self._place.codec, 0, 0
        if codec:
            # The first page in any case.
            header = self.headers[first]
            size = header[layout.UNCOMPRESSED_NBYTES] if _is_wanted(header) else 0
            self._check_size(first, size)
            capacity = max(BATCH_NBYTES, size)
            room = self._scratch.buffer("pages", capacity + _SPARE_NBYTES)[1]
        return KERNEL.place_pages(
            address(self._table.rows),
            first,
            stop,
            address(self._segments),
            codec,
            self._options.verify_checksums,
            room,
            capacity,
        )

    def place_of(self, page: int) -> dict[str, int]:
        """Return where a page is, for errors: its number in the chunk, and its offset."""
        numbers = self._table.numbers
        number = page if numbers is None else int(numbers[page])
        return {"page": number, "offset": self.headers[page][layout.HEADER]}

    def _check_size(self, page: int, size: int) -> None:
        header = self.headers[page]
        limit = self._options.page_limit_nbytes
        if size > limit:
            raise LimitExceeded(
                f"the page has {size:,} bytes when decompressed, and the limit (page_limit_nbytes) "
                f"is {limit:,}"
            ).located(**self.place_of(page))
        codec, compressed = self._place.codec, header[layout.COMPRESSED_NBYTES]
        ratio = _RATIOS.get(codec)
        if ratio is not None and size > compressed * ratio + _SLACK_NBYTES:
            raise CorruptFile(
                f"the page's {compressed:,} bytes cannot decompress to the {size:,} that its "
                f"header says: {codec_name(codec)} makes at most {ratio} times as much"
            ).located(**self.place_of(page))

    def _ready(
        self, page: int, room: _Array | None, room_address: int, at: int
    ) -> tuple[int, int, int, int]:
        """Return the addresses of a page's levels, values and end, and the next free place."""
        header = self.headers[page]
        if not _is_wanted(header):
            return 0, 0, 0, at
        segment = header[layout.SEGMENT]
        origin, data = self._table.segments[segment]
        begin = header[layout.BODY] - origin
        compressed = header[layout.COMPRESSED_NBYTES]
        size = header[layout.UNCOMPRESSED_NBYTES]
        source = self._addresses[segment] + begin
        if header[layout.CRC] >= 0 and self._options.verify_checksums:
            _check_crc(data[begin : begin + compressed], header[layout.CRC])
        if self._place.cipher is not None:
            data = self._decrypted(data, begin, header)
            begin, compressed, source = 0, len(data), address(data)
        levels = 0
        is_compressed = room is not None
        if header[layout.TYPE] == layout.DATA_PAGE_V2:
            levels = header[layout.DEFINITION_NBYTES] + header[layout.REPETITION_NBYTES]
            is_compressed = is_compressed and header[layout.IS_COMPRESSED] != 0
            if levels > min(compressed, size):
                raise CorruptFile(
                    f"the levels take {levels:,} bytes, and the page has {min(compressed, size):,}"
                )
        if room is None or not is_compressed:
            if compressed != size:
                raise CorruptFile(
                    f"the page is not compressed and has {compressed:,} bytes, and its header says "
                    f"{size:,}"
                )
            return source, source + levels, source + size, at
        after = at + size - levels
        if after > at:
            decompress_into(
                self._place.codec,
                data[begin + levels : begin + compressed],
                room[at:after],
            )
        values = room_address + at
        end = room_address + after
        after = (after + 2 * _SPARE_NBYTES - 1) & -_SPARE_NBYTES
        return (
            (source if header[layout.TYPE] == layout.DATA_PAGE_V2 else values),
            values,
            end,
            after,
        )

    def _decrypted(self, data: _Array, begin: int, header: list[int]) -> _Array:
        cipher = self._place.cipher
        assert cipher is not None
        compressed = header[layout.COMPRESSED_NBYTES]
        plain, after = cipher.decrypt_page(
            data,
            begin,
            header[layout.ORDINAL],
            is_dictionary=header[layout.TYPE] == layout.DICTIONARY_PAGE,
        )
        if after - begin != compressed:
            raise CorruptFile(
                f"the encrypted page has {after - begin:,} bytes, and its header says "
                f"{compressed:,}"
            )
        # Kept until the next batch: what is not compressed is decoded where it is.
        self._plain.append(plain)
        return plain


def _is_wanted(header: list[int]) -> bool:
    """Whether a page is looked into: not index pages, unknown ones, and data pages of no values."""
    kind = header[layout.TYPE]
    if kind == layout.DICTIONARY_PAGE:
        return True
    return kind in (layout.DATA_PAGE, layout.DATA_PAGE_V2) and header[layout.VALUES] > 0


def _check_crc(body: _Array, stated: int) -> None:
    found = zlib.crc32(body.data)
    if found != stated:
        raise ChecksumMismatch(
            f"the page's CRC is {found:#010x}, and its header says {stated:#010x}: it was changed "
            "or damaged after it was written (verify_checksums=False reads it all the same)"
        )
