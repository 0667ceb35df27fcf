"""How one column is to be encoded."""

from __future__ import annotations

from typing import Final

from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.records import dataclass

__all__ = ["DICTIONARY_NBYTES", "PAGE_NBYTES", "PAGE_ROWS", "ChunkOptions"]

#: Data pages are about that large before they are compressed, and no larger.
PAGE_NBYTES: Final = 1 << 20
#: Rows of a data page at most.
PAGE_ROWS: Final = 50_000
#: Larger dictionaries fall out of the caches of who reads them.
DICTIONARY_NBYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How the chunks of a column are encoded.

    Parameters
    ----------
    codec
        Number of the codec.
    level
        How hard it tries; None for its own default.
    encoding
        Of values that are in no dictionary; None to measure which is best.
    dictionary
        Whether values go into a dictionary, if that becomes no larger than allowed; None if it
        makes the chunk smaller.
    dictionary_nbytes
        The largest dictionary that is made.
    page_version
        Data pages V1 or V2.
    page_nbytes, page_rows
        Where pages end. A row is always in one page.
    has_checksums
        Whether each page has its CRC.
    has_statistics
        Whether bounds and counts of the whole chunk are made out.
    has_page_index
        Whether those of each page are.
    bloom_rate
        How often the Bloom filter may be wrong; None for no filter.
    bloom_distinct
        For how many different values it is made; None for as many as there are.
    """

    codec: int = 0
    level: int | None = None
    encoding: Encoding | None = None
    dictionary: bool | None = None
    dictionary_nbytes: int = DICTIONARY_NBYTES
    page_version: int = 1
    page_nbytes: int = PAGE_NBYTES
    page_rows: int = PAGE_ROWS
    has_checksums: bool = True
    has_statistics: bool = True
    has_page_index: bool = True
    bloom_rate: float | None = None
    bloom_distinct: int | None = None
