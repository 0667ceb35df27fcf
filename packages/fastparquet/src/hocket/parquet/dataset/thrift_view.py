"""The metadata of a dataset as objects of the Thrift classes, made when someone looks at them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, overload

from hocket.parquet.dataset.collection import Collection

__all__ = ["RowGroupObjects", "file_metadata_object"]


class RowGroupObjects(Sequence[Any]):
    """Row groups as Thrift objects.

    Parameters
    ----------
    collection
        The files.
    numbers
        Which row groups.
    """

    def __init__(self, collection: Collection, numbers: Sequence[int]) -> None:
        self._collection = collection
        self._numbers = tuple(numbers)
        self._objects: list[Any] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if self._objects is None:
            self._objects = list(_row_groups(self._collection, self._numbers))
        return self._objects[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, RowGroupObjects)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} row groups>"


def _row_groups(collection: Collection, numbers: Sequence[int]) -> list[Any]:
    whole: dict[int, Any] = {}
    result = []
    for number in numbers:
        place = collection.groups[number]
        file = collection.files[place.file]
        key = id(file.metadata)
        if key not in whole:
            whole[key] = file.metadata.to_thrift()
        group = whole[key].row_groups[place.index]
        if len(collection.files) > 1 and group.columns and not group.columns[0].file_path:
            # In a file of its own it does not say which file it is in.
            group = copy.deepcopy(group)
            for column in group.columns:
                column.file_path = file.name
        result.append(group)
    return result


def file_metadata_object(collection: Collection, row_groups: Sequence[Any]) -> Any:
    """Return the metadata of some row groups as an object of the class FileMetaData.

    Parameters
    ----------
    collection
        The files.
    row_groups
        The row groups, as objects.
    """
    made = copy.copy(collection.summary.to_thrift())
    made.row_groups = list(row_groups)
    made.num_rows = sum(group.num_rows for group in made.row_groups)
    return made
