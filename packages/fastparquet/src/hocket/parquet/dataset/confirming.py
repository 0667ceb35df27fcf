"""Row counts that are too good to be true, confirmed before memory is taken for so many rows.

A damaged footer can claim billions of rows in a few bytes. That many nulls can also really be in a
few bytes; but then the headers of the pages say so, too, and those are quickly read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.dataset.plan import Part
from hocket.parquet.decode.pages import scan_chunk
from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.errors import ParquetError
from hocket.parquet.nesting.fields import Field

__all__ = ["confirm_rows"]

#: Fewer rows than this are believed.
_MANY_ROWS: Final = 1 << 24
#: So are not more rows than this for each byte of a column.
_ROWS_PER_BYTE: Final = 64


def confirm_rows(collection: Collection, parts: Sequence[Part], fields: Iterable[Field]) -> None:
    """Compare row counts that are hard to believe with the pages of a column.

    Parameters
    ----------
    collection
        The files.
    parts
        The row groups that are to be read.
    fields
        The columns that are; those of partitions are not among them.

    Raises
    ------
    CorruptFile
        There are other pages than the footer says.
    """
    many = [part for part in parts if part.count > _MANY_ROWS]
    if not many:
        return
    leaves = [leaf.column_index for field in fields for leaf in field.leaves]
    for part in many:
        file, group = collection.files[part.place.file], part.place.index
        columns = leaves or range(len(collection.schema.leaves))
        sizes = file.metadata.chunks.compressed_nbytes[group]
        own = [leaf for leaf in map(file.leaf, columns) if leaf is not None]
        if not own:
            continue
        # Of a flat column, there are as many values as rows.
        leaf = min(own, key=lambda leaf: (leaf.max_repetition > 0, int(sizes[leaf.column_index])))
        place = file.chunk(group, leaf)
        if place.num_values > _ROWS_PER_BYTE * place.nbytes:
            _confirm(file, place)


def _confirm(file: DataFile, place: ChunkPlace) -> None:
    try:
        scan_chunk(place, [(place.start, file.source.read(place.start, place.nbytes))])
    except ParquetError as error:
        raise error.located(
            file=place.file, row_group=place.row_group, column=place.leaf.dotted
        ) from error.__cause__
