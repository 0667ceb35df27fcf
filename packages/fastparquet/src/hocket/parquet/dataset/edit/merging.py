"""Files that become one dataset: summaries of what is in them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hocket.parquet.dataset.discovery import COMMON_METADATA, METADATA
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.summary import Summary, check_describable, check_mergeable
from hocket.parquet.dataset.edit.transaction import Changes, Edit
from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.rewriting import file_of_footer

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection

__all__ = ["common_metadata", "merge", "write_common_metadata"]


def merge(collection: Collection, *, verify_schema: bool = True) -> None:
    """Write ``_metadata`` and ``_common_metadata`` of some files into their common directory.

    Parameters
    ----------
    collection
        The files.
    verify_schema
        Whether to check that all have the same schema; one summary cannot tell several.
    """
    found = collection.found
    files = [(file.name, file.metadata) for file in collection.files]
    if not all(isinstance(file.place, str) for file in collection.files):
        raise InvalidOption("files without a path cannot be merged; name them by their paths")
    for file in collection.files:
        check_describable(file)
    base = collection.summary
    if verify_schema:
        check_mergeable(base, files)
    summary = Summary(base)
    for place in collection.groups:
        file = collection.files[place.file]
        summary.add(file.metadata, [place.index], file.name)
    contents = {METADATA: summary.file_bytes(), COMMON_METADATA: common_metadata(base)}
    folder = folder_at(found.root, found.filesystem)
    with Edit(folder) as edit:
        edit.watch([METADATA, COMMON_METADATA])
        changes = Changes()
        for name, content in contents.items():
            staged = edit.stage()
            folder.write(staged, content)
            changes.renames[staged] = name
        edit.commit(lambda: changes)


def common_metadata(base: FileMetadata) -> bytes:
    """Return the content of ``_common_metadata``: a footer without row groups.

    Parameters
    ----------
    base
        The footer of one file, or of the whole dataset.
    """
    return Summary(base).file_bytes()


def write_common_metadata(
    place: Any, described: Any, *, no_row_groups: bool = True, fs: Any = None
) -> None:
    """Write a file that has a footer only.

    Parameters
    ----------
    place
        Where to.
    described
        The footer as an object of the generated class FileMetaData.
    no_row_groups
        Whether row groups are left out.
    fs
        The fsspec file system that paths belong to.
    """
    from hocket.parquet.metadata.objects import bytes_of_object  # noqa: PLC0415 - imports thrift

    whole = copy.copy(described)
    if no_row_groups:
        whole.row_groups = []
    with open_sink(place, fs=fs) as sink:
        sink.write([file_of_footer(bytes_of_object(whole))])
