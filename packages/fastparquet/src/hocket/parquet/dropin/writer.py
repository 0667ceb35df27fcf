"""fastparquet's ``writer``: `write` and what changes datasets, with its names of arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hocket.parquet import api
from hocket.parquet.dropin.api import ParquetFile
from hocket.parquet.dropin.common_metadata import write_common_metadata
from hocket.parquet.dropin.custom_metadata import text_pairs
from hocket.parquet.dropin.file_systems import filesystem_of
from hocket.parquet.dropin.frames import check_columns, offsets_of, with_named_index
from hocket.parquet.errors import InvalidOption
from hocket.parquet.writing.options import DEFAULT_KEY

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
    named = {"has_nulls": has_nulls, "fixed_text": fixed_text, "object_encoding": object_encoding}
    check_columns(data, {**named, "partition_on": partition_on})
    if append:
        write_index = _index_of_existing(filename, file_scheme, open_with, write_index)
    data = with_named_index(data, write_index)
    told = {
        **_settings(row_group_offsets, compression, open_with, stats, data),
        **named,
        "write_index": write_index,
        "times": times,
        "custom_metadata": text_pairs(custom_metadata or {}),
        **options,
    }
    if file_scheme == "simple":
        partition_on = ()
    api.write(
        filename, data, file_scheme=file_scheme, partition_on=partition_on, append=append, **told
    )


def _index_of_existing(
    place: Any,
    file_scheme: str,
    open_with: Any,
    write_index: bool | None,  # noqa: FBT001
) -> bool | None:
    """Return whether what is there has columns for the index of frames that are added to it."""
    try:
        there = ParquetFile(place, open_with=open_with)
    except FileNotFoundError:
        return write_index
    if there.file_scheme == "simple" and file_scheme != "simple":
        raise InvalidOption(
            f"file_scheme is {file_scheme!r}, and the existing file scheme is 'simple': this is "
            "one file",
            file=there.fn,
        )
    return bool(there._get_index())  # noqa: SLF001 - our own


def _settings(
    row_group_offsets: Any, compression: Any, open_with: Any, stats: Any, data: Any
) -> dict[str, Any]:
    """Return options that all writing takes, by their names here."""
    if row_group_offsets is None:
        row_group_offsets = ROW_GROUP_SIZE
    if isinstance(compression, Mapping) and "type" not in compression:
        compression = {DEFAULT_KEY: None, **compression}
    filesystem, opening = filesystem_of(open_with)
    told = {
        "compression": compression,
        "statistics": True if isinstance(stats, str) and stats == "auto" else stats,
        "page_version": DATAPAGE_VERSION,
        "page_nbytes": MAX_PAGE_SIZE,
        "row_group_offsets": offsets_of(row_group_offsets, data),
        "fs": filesystem,
        "open_with": opening,
    }
    may_be_none = ("compression", "statistics")
    return {name: value for name, value in told.items() if value is not None or name in may_be_none}


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
    data = with_named_index(data, bool(there._get_index()))  # noqa: SLF001 - our own
    scheme = "drill" if there.file_scheme == "drill" else "hive"
    api.write(
        dirpath,
        data,
        file_scheme=scheme,
        partition_on=list(there.cats),
        append="overwrite",
        write_index=bool(there._get_index()),  # noqa: SLF001
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
