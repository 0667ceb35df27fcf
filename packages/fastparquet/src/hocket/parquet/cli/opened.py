"""What the arguments name: datasets, row groups, columns, and all chunks of these as one table."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from hocket.parquet.cli.keys import keys_of
from hocket.parquet.dataset.collection import Collection, open_collection
from hocket.parquet.dataset.data_file import Opener
from hocket.parquet.errors import ColumnMissing, InvalidOption, ParquetError
from hocket.parquet.kernels.source import footer as layout
from hocket.parquet.metadata.chunks import ChunkTable
from hocket.parquet.metadata.schema import Schema, SchemaNode

__all__ = [
    "chosen_chunks",
    "chosen_groups",
    "chosen_leaves",
    "named_columns",
    "opened_collection",
    "opening",
    "place_of",
]


def place_of(options: Namespace) -> Any:
    """Return what the arguments name, as `ParquetFile` takes it."""
    return options.files[0] if len(options.files) == 1 else options.files


def opened_collection(options: Namespace) -> Collection:
    """Open the files that the arguments name."""
    with opening():
        return open_collection(place_of(options), Opener(keys=keys_of(options)))


@contextmanager
def opening() -> Iterator[None]:
    """Take what fsspec says of URLs that it cannot open for wrong arguments."""
    try:
        yield
    except ParquetError:
        raise
    except (ImportError, ValueError) as error:
        raise InvalidOption(str(error)) from error


def named_columns(options: Namespace, schema: Schema) -> list[str] | None:
    """Return the names that the arguments tell; None if they tell none.

    Parameters
    ----------
    options
        The arguments.
    schema
        Where the columns are: a name with commas is taken for one name if there is such a column.
    """
    if not options.columns:
        return None
    names: list[str] = []
    for text in options.columns:
        names += [text] if _is_column(schema, text) else text.split(",")
    # Each once, in the order that was asked for.
    return list(dict.fromkeys(names))


def _is_column(schema: Schema, name: str) -> bool:
    try:
        schema.find(name)
    except ColumnMissing:
        return False
    return True


def chosen_leaves(options: Namespace, schema: Schema) -> list[SchemaNode]:
    """Return the columns that the arguments name, those within groups one by one."""
    names = named_columns(options, schema)
    if names is None:
        return list(schema.leaves)
    leaves: dict[int, SchemaNode] = {}
    for name in names:
        for leaf in schema.leaves_under(schema.find(name)):
            leaves.setdefault(leaf.column_index, leaf)
    return list(leaves.values())


def chosen_groups(options: Namespace, count: int) -> list[int]:
    """Return the numbers of the row groups that the arguments name.

    Parameters
    ----------
    options
        The arguments.
    count
        How many row groups there are.
    """
    wanted = options.row_group
    if wanted is None:
        return list(range(count))
    if wanted >= count:
        there = f"there are {count}, counted from 0" if count else "there are none"
        raise InvalidOption(f"there is no row group {wanted}; {there}")
    return [wanted]


def _no_chunk() -> np.ndarray[Any, Any]:
    """Return what is told of a chunk that a file does not have: it has no place, and no bytes."""
    told = np.full((layout.CHUNK_ATTRIBUTES, 1, 1), -1, np.int64)
    told[[layout.NUM_VALUES, layout.UNCOMPRESSED_NBYTES, layout.COMPRESSED_NBYTES]] = 0
    # Nothing of it is encrypted.
    told[[layout.ENCODINGS, layout.AT_METADATA]] = 0
    return told


_NO_CHUNK: Final = _no_chunk()


def chosen_chunks(
    collection: Collection, groups: Sequence[int], leaves: Sequence[SchemaNode]
) -> ChunkTable:
    """Return what the footers say of column chunks, of the shape (row groups, columns).

    Parameters
    ----------
    collection
        The files.
    groups, leaves
        Which row groups and columns. Positions in footers mean nothing in the result, for there
        are several footers; only whether there is one. Of columns that a file does not have,
        `ChunkTable.chunk_at` is -1.
    """
    pieces = []
    at = 0
    while at < len(groups):
        number = collection.groups[groups[at]].file
        indices = []
        while at < len(groups) and collection.groups[groups[at]].file == number:
            indices.append(collection.groups[groups[at]].index)
            at += 1
        file = collection.files[number]
        own = [file.leaf(leaf.column_index) for leaf in leaves]
        columns = np.array([0 if each is None else each.column_index for each in own], np.int64)
        table = file.metadata.chunks.table[:, np.array(indices, np.int64)][:, :, columns]
        table[:, :, [each is None for each in own]] = _NO_CHUNK
        pieces.append(table)
    if not pieces:
        attributes = len(collection.summary.chunks.table)
        pieces.append(np.empty((attributes, 0, len(leaves)), np.int64))
    return ChunkTable(np.concatenate(pieces, axis=1))
