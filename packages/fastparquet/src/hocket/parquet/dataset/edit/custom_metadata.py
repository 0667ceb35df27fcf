"""What writers tell beside the schema, changed in files that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.dataset.discovery import COMMON_METADATA, METADATA, data_names
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.single_file import rewriting
from hocket.parquet.dataset.edit.splicing import check_plain, copy_bytes
from hocket.parquet.dataset.edit.transaction import Changes, Edit
from hocket.parquet.dataset.stores import store_of
from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.metadata.rewriting import trailer_of_footer, with_key_values

__all__ = ["changed_key_values", "update_key_values"]

_TRAILER_NBYTES: Final = 8

KeyValues = Mapping[str | bytes, str | bytes | None]


def changed_key_values(
    before: Mapping[str, str | bytes], changes: KeyValues
) -> dict[str, str | bytes]:
    """Return key-value metadata with some values changed.

    Parameters
    ----------
    before
        The metadata.
    changes
        New values by key; None removes a key, if it is there.
    """
    result = dict(before)
    for key, value in changes.items():
        name = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else key
        if not isinstance(name, str) or not isinstance(value, (str, bytes, type(None))):
            raise InvalidOption(
                f"the metadata {key!r}: {value!r} cannot be written; keys and values are texts, or "
                "None for a key that is to go"
            )
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def update_key_values(place: Any, changes: KeyValues, opener: Opener) -> None:
    """Change the key-value metadata of a file, or of a dataset.

    Parameters
    ----------
    place
        Path or URL of a file, or of a dataset's directory: then that of ``_metadata`` and
        ``_common_metadata``, or of all its files if it has neither.
    changes
        New values by key; None removes one.
    opener
        How files are opened.
    """
    store = store_of(place, opener.filesystem)
    path = store.plain(place)
    if not store.is_directory(path):
        with rewriting(place, opener) as (file, sink):
            _rewrite(file, changes, sink)
        return
    folder = folder_at(path.rstrip("/") or "/", store.filesystem)
    with Edit(folder) as edit:
        every = folder.names()
        summaries: list[str] = [name for name in (METADATA, COMMON_METADATA) if name in every]
        names = summaries or data_names(every)
        edit.watch(names)
        done = Changes()
        for name in names:
            staged = edit.stage()
            file = read_file(name, folder.place(name), Opener(folder.filesystem, keys=opener.keys))
            with open_sink(folder.place(staged), fs=folder.filesystem) as sink:
                _rewrite(file, changes, sink)
            done.renames[staged] = name
        edit.commit(lambda: done)


def _rewrite(file: DataFile, changes: KeyValues, sink: Sink) -> None:
    metadata, source = file.metadata, file.source
    check_plain(metadata, source.name)
    data_nbytes = source.nbytes - _TRAILER_NBYTES - metadata.nbytes
    copy_bytes(source, 0, data_nbytes, sink)
    told = changed_key_values(metadata.key_value, changes)
    sink.write([trailer_of_footer(with_key_values(metadata, told))])
