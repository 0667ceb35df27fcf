"""Files that have metadata only: ``_metadata`` and ``_common_metadata``."""

from __future__ import annotations

import copy
from typing import Any

from hocket.parquet.dropin.file_systems import filesystem_of
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.metadata.rewriting import file_of_footer

__all__ = ["write_common_metadata"]


def write_common_metadata(
    fn: Any,
    fmd: Any,
    open_with: Any = open,
    no_row_groups: bool = True,  # noqa: FBT001, FBT002
) -> None:
    """Write a file that has metadata only.

    Parameters
    ----------
    fn
        Its path.
    fmd
        The metadata, such as `ParquetFile.fmd`.
    open_with
        What opens it.
    no_row_groups
        Whether to leave out the row groups.
    """
    from hocket.parquet.metadata.objects import bytes_of_object  # noqa: PLC0415 - imports Thrift

    told = copy.copy(fmd)
    if no_row_groups:
        told.row_groups = []
    filesystem, opening = filesystem_of(open_with)
    sink = open_sink(fn, fs=filesystem, open_with=opening)
    try:
        sink.write([file_of_footer(bytes_of_object(told))])
        sink.commit()
    except BaseException:
        sink.discard()
        raise
