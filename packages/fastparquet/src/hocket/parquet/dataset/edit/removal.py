"""Row groups taken out of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hocket.parquet.dataset.data_file import DataFile, read_file
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.splicing import copy_row_groups

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection

__all__ = ["remove_row_groups"]


def remove_row_groups(collection: Collection, numbers: Sequence[int], edit: FileEdit) -> None:
    """Let an edit take row groups out of a dataset.

    A file that has others too is written anew without them.

    Parameters
    ----------
    collection
        The dataset.
    numbers
        Which row groups.
    edit
        The edit, to be committed.
    """
    chosen: dict[int, list[int]] = {}
    for number in numbers:
        place = collection.groups[number]
        chosen.setdefault(place.file, []).append(place.index)
    edit.expect(collection, chosen)
    kept = {place.file for at, place in enumerate(collection.groups) if at not in set(numbers)}
    for at, indices in chosen.items():
        file = collection.files[at]
        if at not in kept:
            edit.remove(file.name)
            continue
        own = read_file(file.name, file.place, file.opener)
        left = _left(own, file, indices)
        with edit.replacement(file.name) as sink:
            copy_row_groups(own.source, own.metadata, left, sink)


def _left(own: DataFile, file: DataFile, removed: Sequence[int]) -> list[int]:
    """Return the row groups that stay in a file, as its own footer counts them."""
    if own.metadata.column_count == 0:
        return [at for at in range(own.metadata.row_group_count) if at not in removed]
    starts = set(file.metadata.chunks.start[list(removed), 0].tolist())
    own_starts = own.metadata.chunks.start[:, 0].tolist()
    return [at for at, start in enumerate(own_starts) if start not in starts]
