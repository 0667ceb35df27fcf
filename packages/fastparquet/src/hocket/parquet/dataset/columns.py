"""Which columns a read is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.partitions import Partition
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.nesting.fields import Field
from hocket.parquet.nesting.projection import project

__all__ = ["select_columns"]


def select_columns(
    collection: Collection, names: Sequence[Any] | str | None
) -> tuple[list[Field], list[tuple[Partition, int]]]:
    """Return the fields and partitions that a caller names, all unless told.

    Parameters
    ----------
    collection
        The files.
    names
        Names, or paths of parts of nested columns (``a.b``).

    Returns
    -------
    tuple
        Fields, and partitions with their places in the order that was asked for.
    """
    partitions = {each.name: each for each in collection.partitions}
    if names is None:
        fields = list(collection.fields)
        return fields, [(each, len(fields) + at) for at, each in enumerate(collection.partitions)]
    wanted = [names] if isinstance(names, str) else list(names)
    _check_names(wanted)
    in_files = [name for name in wanted if not (isinstance(name, str) and name in partitions)]
    try:
        fields = list(project(collection.fields, in_files))
    except ColumnMissing as error:
        if partitions:
            error.reason += f" (partitions are {', '.join(map(repr, partitions))})"
        raise error.located(file=collection.files[0].label if collection.files else None) from None
    places = [
        (partitions[name], at)
        for at, name in enumerate(wanted)
        if isinstance(name, str) and name in partitions
    ]
    return fields, places


def _check_names(wanted: Sequence[Any]) -> None:
    seen: set[Any] = set()
    for name in wanted:
        if not isinstance(name, (str, tuple, list)):
            raise InvalidOption(f"columns has {name!r}, which is no name of a column")
        key = name if isinstance(name, str) else tuple(name)
        if key in seen:
            raise InvalidOption(f"columns has {name!r} twice; leave one of them out")
        seen.add(key)
