"""Which columns a read is about."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.errors import ColumnMissing, InvalidOption
from hocket.parquet.nesting.fields import Field
from hocket.parquet.nesting.projection import project

if TYPE_CHECKING:
    from hocket.parquet.dataset.partitions import Partition

__all__ = ["check_whole_columns", "select_columns"]


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
    wanted = _wanted(names)
    in_files = [name for name in wanted if not (isinstance(name, str) and name in partitions)]
    try:
        fields = list(project(collection.fields, in_files))
    except ColumnMissing as error:
        raise _told(error, collection) from None
    places = [
        (partitions[name], at)
        for at, name in enumerate(wanted)
        if isinstance(name, str) and name in partitions
    ]
    return fields, places


def check_whole_columns(collection: Collection, names: Iterable[Any], option: str) -> None:
    """Refuse names that are not those of columns or partitions.

    Parameters
    ----------
    collection
        The files.
    names
        What a caller named.
    option
        The name of the argument.
    """
    known = set(collection.names)
    for name in names:
        if not isinstance(name, Hashable) or name not in known:
            if not isinstance(name, str):
                raise InvalidOption(f"{option} has {name!r}, which is no name of a column")
            try:
                node = collection.schema.find(name)
            except ColumnMissing as error:
                error.reason = f"{option} has {name!r}: {error.reason}"
                raise _told(error, collection) from None
            raise InvalidOption(
                f"{option} has {name!r}, which is a part of the column {node.path[0]!r}; only "
                "whole columns can be named there"
            )


def _told(error: ColumnMissing, collection: Collection) -> ColumnMissing:
    if collection.partitions:
        names = ", ".join(repr(each.name) for each in collection.partitions)
        error.reason += f" (partitions are {names})"
    return error.located(file=collection.files[0].label if collection.files else None)


def _wanted(names: Any) -> list[Any]:
    if isinstance(names, str):
        return [names]
    if isinstance(names, (bytes, bytearray)) or not isinstance(names, Iterable):
        raise InvalidOption(f"columns is {names!r}; it has to be a list of names, or None for all")
    wanted = list(names)
    seen: set[Any] = set()
    for name in wanted:
        if not isinstance(name, (str, tuple, list)):
            raise InvalidOption(f"columns has {name!r}, which is no name of a column")
        key = name if isinstance(name, str) else tuple(name)
        if key in seen:
            raise InvalidOption(f"columns has {name!r} twice; leave one of them out")
        seen.add(key)
    return wanted
