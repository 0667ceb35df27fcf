"""Bytes of local files, file objects, memory and remote stores; and where the footer is."""

from hocket.parquet.io.buffers import PADDING_NBYTES, padded, padded_copy
from hocket.parquet.io.footer import RawFooter, find_footer
from hocket.parquet.io.opening import open_sink, open_source
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.source import Source

__all__ = [
    "PADDING_NBYTES",
    "RawFooter",
    "Sink",
    "Source",
    "find_footer",
    "open_sink",
    "open_source",
    "padded",
    "padded_copy",
]
