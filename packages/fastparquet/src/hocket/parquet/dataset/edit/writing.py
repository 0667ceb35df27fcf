"""Writing to what is there: rows behind those of a file, files beside those of a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hocket.parquet.dataset.collection import Collection, open_collection
from hocket.parquet.dataset.data_file import DataFile, Opener
from hocket.parquet.dataset.edit.dataset_writer import DatasetWriter, Keys
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.fitting_schema import Fitted, fitted
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.layout import Layout
from hocket.parquet.dataset.edit.pandas_keys import partitioned
from hocket.parquet.dataset.edit.single_file import rewriting
from hocket.parquet.dataset.edit.sorting import sort_keys, sorted_columns
from hocket.parquet.dataset.edit.splicing import check_plain, copy_bytes
from hocket.parquet.dataset.edit.summary import FileChanges
from hocket.parquet.dataset.edit.transaction import Edit
from hocket.parquet.dataset.stores import store_of
from hocket.parquet.errors import InvalidOption, SchemaMismatch
from hocket.parquet.intake.arrow_schema import arrow_schema_value, needs_arrow_schema
from hocket.parquet.intake.columns import Columns, columns_of
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.records import fields, replace
from hocket.parquet.writing.file_writer import FileWriter
from hocket.parquet.writing.options import WriteOptions
from hocket.parquet.writing.writer import split_options, write_file

__all__ = [
    "append_to_file",
    "check_layout",
    "existing_dataset",
    "key_values_of",
    "keys_of",
    "root_of",
    "same_directories",
    "without_columns",
    "write_data",
    "write_files",
]

_TRAILER_NBYTES: Final = 8
_UNITS: Final = {"tDs": "s", "tDm": "ms", "tDu": "us", "tDn": "ns"}


def write_data(
    path: Any, data: Any, layout: Layout, options: dict[str, Any], sort_by: Any = None
) -> None:
    """Write data as a file, or to a file or dataset that may be there.

    Parameters
    ----------
    path
        Where to.
    data
        Whatever `hocket.parquet.write` takes.
    layout
        How files lie, and what becomes of those that are there.
    options
        The others of `hocket.parquet.write`.
    sort_by
        By what rows are sorted first: names, or tuples of a name and whether it is descending.
    """
    order = sort_keys(sort_by)
    if order:
        told = [key for key in order if key[0] not in layout.keys]
        options = {**options, "sorting_columns": told}
    file_options, intake, place = split_options(options)

    def taken() -> Columns:
        columns = columns_of(data, intake)
        return sorted_columns(columns, order) if order else columns

    if layout.file_scheme == "simple" and not layout.append:
        if order:
            _write_columns(
                open_sink(path, fsync=file_options.fsync, **place), taken(), file_options
            )
        else:
            write_file(path, data, **options)
        return
    path = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(path, str):
        raise InvalidOption(
            f"{type(path).__name__} is no path; files are added to, and datasets are written, by "
            "their path or URL"
        )
    opener = Opener(place.get("fs"), storage_options=place.get("storage_options"))
    if layout.file_scheme != "simple":
        write_files(path, taken(), layout, file_options, opener)
    elif _is_there(path, opener):
        append_to_file(path, taken(), file_options, opener)
    else:
        _write_columns(open_sink(path, fsync=file_options.fsync, **place), taken(), file_options)


def _write_columns(sink: Sink, columns: Columns, options: WriteOptions) -> None:
    try:
        writer = FileWriter(sink, columns.fields, options, columns.key_value)
        for batch in columns.batches:
            writer.write_batch(batch, batch[0].length if batch else 0)
        writer.finish()
    except BaseException:
        sink.discard()
        raise


def _is_there(path: str, opener: Opener) -> bool:
    root, filesystem = root_of(path, opener)
    store = store_of(root, filesystem)
    if store.is_directory(root):
        raise InvalidOption(
            "this is a directory; give file_scheme='hive' or 'drill' to add files to a dataset",
            file=path,
        )
    return store.is_file(root)


def append_to_file(place: str, columns: Columns, options: WriteOptions, opener: Opener) -> None:
    """Write rows behind those of a file, which is replaced by a longer one.

    Parameters
    ----------
    place
        Its path or URL.
    columns
        The rows.
    options
        How they are written.
    opener
        How files are opened.
    """
    if options.encryption is not None:
        raise InvalidOption(
            "a file that is there cannot be continued with encryption; write it anew", file=place
        )
    with rewriting(place, opener, fsync=options.fsync) as (file, sink):
        check_plain(file.metadata, file.label)
        _append(file, sink, columns, options)


def _append(file: DataFile, sink: Sink, columns: Columns, options: WriteOptions) -> None:
    metadata, source = file.metadata, file.source
    fit = fitted(metadata.schema, columns.fields, (), file.label)
    copy_bytes(source, 0, source.nbytes - _TRAILER_NBYTES - metadata.nbytes, sink)
    writer = FileWriter(sink, fit.fields, options)
    for batch in columns.batches:
        writer.write_batch(fit.arranged(batch), batch[0].length if batch else 0)
    writer.finish(metadata)


def write_files(
    place: str,
    columns: Columns,
    layout: Layout,
    options: WriteOptions,
    opener: Opener,
    *,
    sort_key: Callable[[Any], Any] | None = None,
) -> FileChanges:
    """Write rows to new files of a dataset, and return what became of its files.

    Parameters
    ----------
    place
        The dataset's directory, or its URL.
    columns
        The rows.
    layout
        How files lie.
    options
        How files are written.
    opener
        How files are opened.
    sort_key
        The order of row groups in ``_metadata``.
    """
    root, filesystem = root_of(place, opener)
    if store_of(root, filesystem).is_file(root):
        raise InvalidOption(
            f"this is a file, and a dataset of file_scheme {layout.file_scheme!r} is a directory; "
            "file_scheme='simple' adds rows to a file",
            file=place,
        )
    folder = folder_at(root, filesystem, fsync=options.fsync)
    opener = Opener(filesystem, keys=opener.keys)
    keys = keys_of(columns, layout)
    before = existing_dataset(folder, opener) if layout.append else None
    if before is None:
        fit = Fitted(columns.fields, tuple(range(len(columns.fields))))
    else:
        check_layout(before, layout)
        fit = fitted(before.summary.schema, columns.fields, keys.names, folder.root)
    is_new = not layout.append or before is None
    write_summary = layout.write_metadata
    if write_summary is None and is_new:
        write_summary = options.encryption is None
    has_summary = before is not None and before.found.metadata is not None
    if options.encryption is not None and (write_summary or (has_summary and not is_new)):
        raise InvalidOption(
            "files that are encrypted cannot be described by _metadata; give write_metadata=False "
            "for a new dataset",
            file=place,
        )
    with Edit(folder) as edit:
        files = FileEdit(edit, opener)
        own = without_columns(options, keys.names)
        writer = DatasetWriter(files, fit.fields, keys, own, key_values_of(columns, keys.names))
        for batch in columns.batches:
            writer.write(fit.arranged(batch), batch[0].length if batch else 0)
        writer.finish()
        if not writer.file_count:
            files.template = writer.empty_file()
            write_summary = write_summary or is_new
        return files.commit(
            write_summary=write_summary,
            sort_key=sort_key,
            overwritten=same_directories if layout.append == "overwrite" else None,
            is_anew=not layout.append,
        )


def root_of(place: str, opener: Opener) -> tuple[str, Any]:
    """Return a dataset's directory, and the file system that it belongs to; None: this machine's.

    Parameters
    ----------
    place
        Its path or URL.
    opener
        How files are opened.
    """
    if opener.filesystem is None and opener.storage_options and "://" in place:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - local files need no fsspec

        filesystem, path = url_to_fs(place, **opener.storage_options)
        return str(path).rstrip("/"), filesystem
    store = store_of(place, opener.filesystem)
    return store.plain(place).rstrip("/") or "/", store.filesystem


def existing_dataset(folder: Folder, opener: Opener) -> Collection | None:
    """Return the dataset that is there; None if there is none.

    Parameters
    ----------
    folder
        Its directory.
    opener
        How files are opened.
    """
    try:
        return open_collection(folder.root, opener)
    except FileNotFoundError:
        return None


def keys_of(columns: Columns, layout: Layout) -> Keys:
    """Return the columns that tell directories.

    Parameters
    ----------
    columns
        All columns.
    layout
        How files lie.
    """
    units = {
        field.name: _UNITS[told.format]
        for field, told in zip(columns.fields, columns.types, strict=True)
        if told.format in _UNITS
    }
    return Keys(layout.keys, layout.file_scheme == "hive", units)


def check_layout(before: Collection, layout: Layout) -> None:
    """Refuse to add files to a dataset whose files lie otherwise.

    Parameters
    ----------
    before
        The dataset.
    layout
        How the new files are to lie.
    """
    if not before.groups:
        return
    names = [partition.name for partition in before.partitions]
    is_drill = layout.file_scheme == "drill"
    wanted = [f"dir{at}" for at in range(len(layout.keys))] if is_drill else list(layout.keys)
    scheme = layout.file_scheme if layout.keys else "flat"
    if names != wanted or (names and before.scheme != scheme):
        raise SchemaMismatch(
            f"the files are to lie in directories by {list(layout.keys)} ({layout.file_scheme}), "
            f"and those of the dataset lie in directories by {names} ({before.scheme}); write as "
            "it is, or elsewhere",
            file=before.found.root,
        )


def same_directories(done: FileChanges, names: list[str]) -> set[str]:
    """Return the files that lie where new ones are added.

    Parameters
    ----------
    done
        What becomes of files.
    names
        All files that there are.
    """
    directories = {name.rpartition("/")[0] for name in done.added}
    return {name for name in names if name.rpartition("/")[0] in directories}


def key_values_of(columns: Columns, keys: Sequence[str]) -> Mapping[str, str]:
    """Return what is written beside the columns of each file.

    Parameters
    ----------
    columns
        All columns.
    keys
        Those that are in no file.
    """
    if not keys:
        return columns.key_value
    pairs = dict(columns.key_value)
    stored = tuple(
        told
        for field, told in zip(columns.fields, columns.types, strict=True)
        if field.name not in keys
    )
    if "pandas" in pairs:
        pairs["pandas"] = partitioned(pairs["pandas"], keys)
    if pairs.pop("ARROW:schema", None) is not None and needs_arrow_schema(stored):
        pairs["ARROW:schema"] = arrow_schema_value(stored)
    return pairs


def without_columns(options: WriteOptions, keys: Sequence[str]) -> WriteOptions:
    """Return options that do not name columns which are in no file.

    Parameters
    ----------
    options
        As the caller gave them.
    keys
        These columns.
    """
    changed: dict[str, Any] = {}
    for each in fields(options):
        value = getattr(options, each.name)
        if isinstance(value, Mapping) and each.name != "custom_metadata":
            changed[each.name] = {key: told for key, told in value.items() if key not in keys}
        elif isinstance(value, (list, set, frozenset)) and each.name != "row_group_offsets":
            changed[each.name] = [told for told in value if told not in keys]
    return replace(options, **changed) if keys else options
