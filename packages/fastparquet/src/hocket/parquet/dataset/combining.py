"""Datasets that were opened one by one, as one."""

from __future__ import annotations

from collections.abc import Sequence

from hocket.parquet.dataset.collection import Collection, RowGroupPlace, partitions_of
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.discovery import Found, common_root, name_below

__all__ = ["combine"]


def combine(collections: Sequence[Collection], chosen: Sequence[Sequence[int]]) -> Collection:
    """Return several datasets as one, which have to have one schema.

    Parameters
    ----------
    collections
        The datasets.
    chosen
        Which row groups of each.
    """
    first = collections[0]
    if len(collections) == 1 and len(chosen[0]) == len(first.groups):
        return first
    files: list[DataFile] = []
    groups: list[RowGroupPlace] = []
    for collection, numbers in zip(collections, chosen, strict=True):
        start = len(files)
        files += [file.copy() for file in collection.files]
        groups += [
            RowGroupPlace(start + collection.groups[at].file, collection.groups[at].index)
            for at in numbers
        ]
    paths = [str(file.place) if isinstance(file.place, str) else "" for file in files]
    root = common_root(paths) if all(paths) else ""
    names = [name_below(path, root) if all(paths) else "" for path in paths]
    found = Found([file.place for file in files], names, root, is_single=len(files) == 1)
    partitions, scheme = partitions_of(names, first.summary)
    if found.is_single:
        partitions, scheme = [], "simple"
    return Collection(files, groups, first.summary, found, partitions, scheme)
