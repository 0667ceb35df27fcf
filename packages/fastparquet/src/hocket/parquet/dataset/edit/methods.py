"""Edits of datasets that are open, and the datasets as they are afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hocket.parquet.dataset.collection import Collection, open_collection, open_found
from hocket.parquet.dataset.data_file import Opener
from hocket.parquet.dataset.discovery import METADATA, Found, natural_order
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.layout import Layout
from hocket.parquet.dataset.edit.removal import remove_row_groups
from hocket.parquet.dataset.edit.single_file import rewriting
from hocket.parquet.dataset.edit.splicing import copy_row_groups
from hocket.parquet.dataset.edit.summary import FileChanges
from hocket.parquet.dataset.edit.transaction import Edit
from hocket.parquet.errors import InvalidOption

__all__ = ["add", "edited", "opener_of", "remove"]


def opener_of(collection: Collection) -> Opener:
    """Return how the files of a dataset are opened.

    Parameters
    ----------
    collection
        The dataset.
    """
    if collection.files:
        return collection.files[0].opener
    return Opener(collection.found.filesystem)


def remove(collection: Collection, numbers: Sequence[int], *, write_summary: bool) -> Collection:
    """Take row groups out of a dataset, and return what is left.

    Parameters
    ----------
    collection
        The dataset.
    numbers
        Which row groups.
    write_summary
        Whether to write ``_metadata``.
    """
    if not numbers:
        return collection
    if collection.found.is_single:
        return _remove_of_file(collection, set(numbers))

    def change(edit: FileEdit) -> None:
        remove_row_groups(collection, numbers, edit)

    return edited(collection, change, write_summary=write_summary)


def add(
    collection: Collection,
    data: Any,
    options: dict[str, Any],
    *,
    write_summary: bool,
    sort_key: Callable[[Any], Any] | None = None,
) -> Collection:
    """Add rows to a file or dataset, and return it as it is then.

    Parameters
    ----------
    collection
        The file or dataset.
    data, options
        As with `hocket.parquet.write`.
    write_summary
        Whether to write ``_metadata``.
    sort_key
        The order of row groups in it.
    """
    from hocket.parquet.dataset.edit import writing  # noqa: PLC0415 - takes long to import
    from hocket.parquet.intake.columns import columns_of  # noqa: PLC0415 - the same
    from hocket.parquet.writing.writer import split_options  # noqa: PLC0415 - the same

    found, opener = collection.found, opener_of(collection)
    file_options, intake, _ = split_options(options)
    columns = columns_of(data, intake)
    if found.is_single:
        place = _path_of(collection)
        if sort_key is not None:
            raise InvalidOption(
                "the row groups of a single file cannot be sorted; leave sort_key out"
            )
        writing.append_to_file(place, columns, file_options, opener)
        return open_collection(place, opener)
    keys = tuple(partition.name for partition in collection.partitions)
    if not collection.groups:
        # Without files there are no directories that tell.
        keys = tuple(_told_keys(collection))
    scheme = "drill" if collection.scheme == "drill" else "hive"
    layout = Layout(scheme, keys, append=True, write_metadata=write_summary or None)
    root = _root_of(collection)
    own = Opener(found.filesystem, keys=opener.keys)
    done = writing.write_files(root, columns, layout, file_options, own, sort_key=sort_key)
    return _reopened(collection, done, opener, has_summary=write_summary)


def _told_keys(collection: Collection) -> Iterator[str]:
    told = collection.pandas_json.get("partition_columns")
    for item in told if isinstance(told, list) else []:
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str):
            yield name


def _path_of(collection: Collection) -> str:
    place = collection.files[0].place
    if not isinstance(place, str):
        raise InvalidOption("the file was not opened by a path, so nothing can be changed")
    return place


def _root_of(collection: Collection) -> str:
    if not collection.found.root:
        raise InvalidOption(
            "the directory of the dataset is not known, so nothing can be changed; open it by its "
            "path"
        )
    return collection.found.root


def _remove_of_file(collection: Collection, numbers: set[int]) -> Collection:
    place, opener = _path_of(collection), opener_of(collection)
    kept = [place.index for at, place in enumerate(collection.groups) if at not in numbers]
    with rewriting(place, opener) as (own, sink):
        copy_row_groups(own.source, own.metadata, kept, sink)
    return open_collection(place, opener)


def edited(
    collection: Collection,
    change: Callable[[FileEdit], None],
    *,
    write_summary: bool | None,
    sort_key: Callable[[Any], Any] | None = None,
) -> Collection:
    """Edit the files of a dataset, and return it as it is afterwards.

    Parameters
    ----------
    collection
        The dataset.
    change
        Says what is to change.
    write_summary
        Whether to write ``_metadata``; None: if there is one.
    sort_key
        The order of row groups in it.
    """
    found, opener = collection.found, opener_of(collection)
    with Edit(folder_at(_root_of(collection), found.filesystem)) as edit:
        files = FileEdit(edit, Opener(found.filesystem, keys=opener.keys))
        files.template = collection.summary
        change(files)
        done = files.commit(write_summary=write_summary or None, sort_key=sort_key)
    return _reopened(collection, done, opener, has_summary=bool(write_summary))


def _reopened(
    collection: Collection, done: FileChanges, opener: Opener, *, has_summary: bool
) -> Collection:
    found = collection.found
    if has_summary or found.metadata is not None:
        summary = f"{found.root.rstrip('/')}/{METADATA}"
        return open_found(Found([], [], found.root, summary, filesystem=found.filesystem), opener)
    before = [file.name for file in collection.files if file.name not in done.removed]
    names = sorted([*before, *done.added], key=natural_order)
    places = [f"{found.root.rstrip('/')}/{name}" for name in names]
    return open_found(Found(places, names, found.root, filesystem=found.filesystem), opener)
