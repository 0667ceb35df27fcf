"""Reading bytes: from local files, file objects, memory and remote stores, and the footer."""

from hocket.parquet.io.buffers import PADDING_NBYTES, padded, padded_copy
from hocket.parquet.io.footer import RawFooter, find_footer
from hocket.parquet.io.opening import open_source
from hocket.parquet.io.source import Source

__all__ = [
    "PADDING_NBYTES",
    "RawFooter",
    "Source",
    "find_footer",
    "open_source",
    "padded",
    "padded_copy",
]
