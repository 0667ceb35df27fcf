"""Headers of encrypted pages, which are decrypted and read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.decode.scratch import Scratch
from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.faults import error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source import pages as layout

if TYPE_CHECKING:
    from hocket.parquet.crypto import ColumnCipher

__all__ = ["decrypted_headers"]

_Array = np.ndarray[Any, Any]


def decrypted_headers(
    place: ChunkPlace,
    segments: Sequence[tuple[int, _Array]],
    scratch: Scratch,
    *,
    is_complete: bool,
    page_offsets: _Array | None = None,
) -> _Array:
    """Return the table of an encrypted chunk's pages; see `hocket.parquet.decode.pages.scan_chunk`.

    Parameters
    ----------
    place, segments, scratch, is_complete
        As there.
    page_offsets
        Where all data pages of the chunk begin in the file: a page is decrypted by its number in
        the chunk. Needed when not all are there.
    """
    assert place.cipher is not None
    walk = _Walk(place.cipher, scratch, page_offsets)
    for index, (origin, data) in enumerate(segments):
        position = 0
        while position < len(data) and not (is_complete and walk.values >= place.num_values):
            position = walk.read(index, origin, data, position)
    if not walk.rows:
        return np.empty((0, layout.PAGE_COLUMNS), np.int64)
    return np.stack(walk.rows)


class _Walk:
    """How far the headers of a chunk were read."""

    def __init__(self, cipher: ColumnCipher, scratch: Scratch, page_offsets: _Array | None) -> None:
        self.rows: list[_Array] = []
        self.values = 0
        self._cipher = cipher
        self._scratch = scratch
        self._ordinal = 0
        self._ordinals = (
            None
            if page_offsets is None
            else {offset: ordinal for ordinal, offset in enumerate(page_offsets.tolist())}
        )

    def read(self, segment: int, origin: int, data: _Array, position: int) -> int:
        """Read one header; return the position after its page."""
        ordinal = self._ordinal
        is_dictionary: bool | None = None if not self.rows else False
        if self._ordinals is not None:
            ordinal = self._ordinals.get(origin + position, -1)
            is_dictionary = ordinal < 0
            ordinal = max(ordinal, 0)
        header, after = self._cipher.decrypt_page_header(
            data, position, ordinal, is_dictionary=is_dictionary
        )
        row = np.empty(layout.PAGE_COLUMNS, np.int64)
        answer = KERNEL.read_page_header(
            address(header), len(header), 0, address(row), self._scratch.stack_address
        )
        page, offset = len(self.rows), origin + position
        if answer < 0:
            raise error_of(answer).located(page=page, offset=offset)
        compressed = int(row[layout.COMPRESSED_NBYTES])
        if compressed > len(data) - after:
            raise CorruptFile(
                f"the page's {compressed:,} bytes reach beyond the {len(data) - after:,} that are "
                "left of the column chunk",
                page=page,
                offset=offset,
            )
        row[layout.HEADER] = offset
        row[layout.BODY] = origin + after
        row[layout.SEGMENT] = segment
        row[layout.ORDINAL] = ordinal
        row[layout.FIRST_VALUE] = self.values
        if row[layout.TYPE] in (layout.DATA_PAGE, layout.DATA_PAGE_V2):
            self.values += int(row[layout.VALUES])
            self._ordinal = ordinal + 1
        self.rows.append(row)
        return after + compressed
