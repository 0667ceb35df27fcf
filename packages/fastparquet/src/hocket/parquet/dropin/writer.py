"""fastparquet's ``writer``: `write` and what changes datasets, with its names of arguments."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hocket.parquet import api
from hocket.parquet.dropin.api import ParquetFile
from hocket.parquet.dropin.util import filesystem_of, text_pairs

__all__ = ["merge", "overwrite", "update_file_custom_metadata", "write", "write_common_metadata"]

#: What programs set to have other pages and row groups; None: as this library thinks best.
MAX_PAGE_SIZE: int | None = None
ROW_GROUP_SIZE: int | None = None
DATAPAGE_VERSION: int = 2 if os.environ.get("FASTPARQUET_DATAPAGE_V2", "") not in ("", "0") else 1

_OPEN: Final = open


def write(  # noqa: PLR0913, PLR0917 - as many as fastparquet has
    filename: Any,
    data: Any,
    row_group_offsets: int | Sequence[int] | None = None,
    compression: Any = None,
    file_scheme: str = "simple",
    open_with: Any = _OPEN,
    mkdirs: Callable[[str], Any] | None = None,
    has_nulls: Any = True,  # noqa: FBT002  the order of fastparquet's
    write_index: bool | None = None,  # noqa: FBT001
    partition_on: str | Sequence[str] = (),
    fixed_text: Mapping[Any, int] | None = None,
    append: bool | str = False,  # noqa: FBT001, FBT002
    object_encoding: Any = "infer",
    times: str = "int64",
    custom_metadata: Mapping[str, Any] | None = None,
    stats: Any = "auto",
    **options: Any,
) -> None:
    """Write a file or dataset; see `hocket.parquet.write`.

    Parameters
    ----------
    filename
        Its path.
    data
        A frame, or an iterable of frames.
    row_group_offsets
        Rows of a row group, or at which row each begins.
    compression
        As there, but that None stands for none.
    file_scheme, has_nulls, write_index, fixed_text, append, object_encoding, times
        As there.
    open_with
        What opens files; of the method ``open`` of an fsspec file system, that is used.
    mkdirs
        Not used: directories are made where they are needed.
    partition_on
        As there; not used for a single file.
    custom_metadata
        Key-value metadata.
    stats
        As `statistics` there; "auto" stands for True.
    **options
        More of `hocket.parquet.write`.
    """
    del mkdirs
    told = {
        **_settings(row_group_offsets, compression, open_with, stats, data),
        "has_nulls": has_nulls,
        "write_index": write_index,
        "fixed_text": fixed_text,
        "object_encoding": object_encoding,
        "times": times,
        "custom_metadata": text_pairs(custom_metadata or {}),
        **options,
    }
    if file_scheme == "simple":
        partition_on = ()
    api.write(
        filename, data, file_scheme=file_scheme, partition_on=partition_on, append=append, **told
    )


def _settings(
    row_group_offsets: Any, compression: Any, open_with: Any, stats: Any, data: Any
) -> dict[str, Any]:
    """Return options that all writing takes, by their names here."""
    if row_group_offsets is None:
        row_group_offsets = ROW_GROUP_SIZE
    filesystem, opening = filesystem_of(open_with)
    told = {
        "compression": compression,
        "statistics": True if isinstance(stats, str) and stats == "auto" else stats,
        "page_version": DATAPAGE_VERSION,
        "page_nbytes": MAX_PAGE_SIZE,
        "row_group_offsets": _evened(row_group_offsets, data),
        "fs": filesystem,
        "open_with": opening,
    }
    may_be_none = ("compression", "statistics")
    return {name: value for name, value in told.items() if value is not None or name in may_be_none}


def _evened(offsets: Any, data: Any) -> Any:
    """Return about how many rows row groups get, so that all of a frame have as many."""
    rows = len(data) if hasattr(data, "columns") and hasattr(data, "__len__") else 0
    if not isinstance(offsets, int) or offsets < 1 or not rows:
        return offsets
    return -(-rows // -(-rows // offsets))


def merge(
    file_list: Any,
    verify_schema: bool = True,  # noqa: FBT001, FBT002  the order of fastparquet's
    open_with: Any = _OPEN,
    root: str | bool = False,  # noqa: FBT001, FBT002
) -> ParquetFile:
    """Make one dataset of files; see `hocket.parquet.api.merge`.

    Parameters
    ----------
    file_list, verify_schema, root
        As there.
    open_with
        What opens files.
    """
    filesystem, opening = filesystem_of(open_with)
    merged = api.merge(file_list, verify_schema, opening, root, fs=filesystem)
    return ParquetFile(merged.basepath, fs=merged._collection.found.filesystem)  # noqa: SLF001 - ours


def overwrite(  # noqa: PLR0913, PLR0917 - the same
    dirpath: Any,
    data: Any,
    row_group_offsets: int | Sequence[int] | None = None,
    sort_pnames: bool = True,  # noqa: FBT001, FBT002
    compression: Any = None,
    open_with: Any = _OPEN,
    mkdirs: Callable[[str], Any] | None = None,
    remove_with: Callable[..., Any] | None = None,
    stats: Any = True,  # noqa: FBT002
) -> None:
    """Replace those partitions of a dataset of which there are new rows.

    Parameters
    ----------
    dirpath
        The dataset.
    data
        The new rows.
    row_group_offsets, compression, open_with, stats
        As with `write`.
    sort_pnames, mkdirs, remove_with
        Not used.
    """
    del sort_pnames, mkdirs, remove_with
    there = ParquetFile(dirpath, open_with=open_with)
    scheme = "drill" if there.file_scheme == "drill" else "hive"
    api.write(
        dirpath,
        data,
        file_scheme=scheme,
        partition_on=list(there.cats),
        append="overwrite",
        **_settings(row_group_offsets, compression, open_with, stats, data),
    )


def update_file_custom_metadata(
    path: Any,
    custom_metadata: Mapping[Any, Any],
    is_metadata_file: bool | None = None,  # noqa: FBT001
) -> None:
    """Change the key-value metadata of a file; see `hocket.parquet.api`.

    Parameters
    ----------
    path, custom_metadata, is_metadata_file
        As there.
    """
    pairs: Mapping[Any, Any] = text_pairs(custom_metadata, may_remove=True)
    api.update_file_custom_metadata(path, pairs, is_metadata_file)


def write_common_metadata(
    fn: Any,
    fmd: Any,
    open_with: Any = _OPEN,
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
    from hocket.parquet.io.opening import open_sink  # noqa: PLC0415 - rarely needed
    from hocket.parquet.metadata.objects import bytes_of_object  # noqa: PLC0415
    from hocket.parquet.metadata.rewriting import file_of_footer  # noqa: PLC0415

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
