"""Whole files of hand-written column chunks, whose footer can be lied in before it is written."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import dataclass, field

import pytest
from parquet_chunk_writer import ChunkWriter, leaf_of

from hocket.parquet import ParquetError, ParquetFile
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object

#: What refusing a file of a few hundred bytes may take: working memory of one thread.
PEAK_NBYTES = 48 << 20


@dataclass
class FileMaker:
    """A file of one row group. Each column is a `ChunkWriter` with the schema elements it needs."""

    rows: int
    columns: list[tuple[list[ttypes.SchemaElement], ChunkWriter]] = field(default_factory=list)
    #: Bytes between the last chunk and the footer, by what the footer calls them.
    indexes: list[tuple[int, str, bytes]] = field(default_factory=list)

    def add(self, name, writer: ChunkWriter, **element) -> FileMaker:
        """Add a flat column."""
        leaf = writer.leaf
        told = {
            "name": name,
            "type": int(leaf.physical),
            "repetition_type": 1 if leaf.max_definition else 0,
            "type_length": leaf.type_length or None,
        }
        return self.add_nested([ttypes.SchemaElement(**{**told, **element})], writer)

    def add_nested(self, elements, writer: ChunkWriter) -> FileMaker:
        """Add a column that is the leaf of groups: each element is the only child of the last."""
        self.columns.append((elements, writer))
        return self

    def written(self, change=lambda _footer: None) -> bytes:
        """Return the file; `change` gets the footer as an object, right in all but its lies."""
        body = bytearray(b"PAR1")
        chunks = []
        for elements, writer in self.columns:
            chunks.append(self._chunk([each.name for each in elements], writer, len(body)))
            body += b"".join(writer.parts)
        for column, name, raw in self.indexes:
            _tell_place(chunks[column], name, len(body), len(raw))
            body += raw
        schema = [ttypes.SchemaElement(name="schema", num_children=len(self.columns))]
        schema += [each for elements, _ in self.columns for each in elements]
        group = ttypes.RowGroup(chunks, len(body), self.rows)
        orders = [ttypes.ColumnOrder(TYPE_ORDER=ttypes.TypeDefinedOrder()) for _ in chunks]
        footer = ttypes.FileMetaData(2, schema, self.rows, [group], column_orders=orders)
        change(footer)
        return framed(bytes_of_object(footer), bytes(body))

    def _chunk(self, path, writer, start) -> ttypes.ColumnChunk:
        nbytes = sum(map(len, writer.parts))
        first = len(writer.parts[0]) if writer.dictionary and writer.parts else 0
        meta = ttypes.ColumnMetaData(
            type=int(writer.leaf.physical),
            encodings=[0, 3, 8],
            path_in_schema=path,
            codec=writer.codec,
            num_values=writer.num_values,
            total_uncompressed_size=nbytes,
            total_compressed_size=nbytes,
            data_page_offset=start + first,
            dictionary_page_offset=start if first else None,
        )
        return ttypes.ColumnChunk(file_offset=0, meta_data=meta)


def _tell_place(chunk, name, offset, nbytes) -> None:
    owner = chunk.meta_data if name == "bloom_filter" else chunk
    setattr(owner, f"{name}_offset", offset)
    setattr(owner, f"{name}_length", nbytes)


def framed(footer: bytes, body: bytes = b"PAR1") -> bytes:
    """Return a file with a footer of these bytes."""
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def numbers(values=(1, 2, 3), **options) -> ChunkWriter:
    """Return a chunk of int64."""
    definition = int(any(value is None for value in values))
    return ChunkWriter(leaf_of(PhysicalType.INT64, definition=definition), **options).add(
        list(values)
    )


def one_column(writer: ChunkWriter, change=lambda _meta: None, **element) -> bytes:
    """Return a file of one column; `change` gets the metadata of its chunk."""
    made = FileMaker(writer.num_rows).add("a", writer, **element)
    return made.written(lambda footer: change(footer.row_groups[0].columns[0].meta_data))


def readings(raw):
    """Yield functions that read a file, each in a way of its own."""
    yield lambda: ParquetFile(raw).to_pandas()
    yield lambda: ParquetFile(raw).to_arrow()
    yield lambda: ParquetFile(raw, threads=1).to_numpy()
    yield lambda: list(ParquetFile(raw).iter_row_groups())


def refused(raw: bytes, words: str, kind: type[ParquetError] = ParquetError, **places) -> None:
    """Assert that no way reads a file: each says where and why, and takes little memory."""
    for read in readings(raw):
        tracemalloc.start()
        try:
            with pytest.raises(kind, match=words) as caught:
                read()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        error = caught.value
        assert peak < PEAK_NBYTES
        assert error.file == "<bytes>"
        assert str(error).startswith("<bytes>")
        assert re.search(words, error.reason)
        for place, value in places.items():
            assert getattr(error, place) == value


def values_of_file(raw: bytes, name="a"):
    """Return a column's values as Python's, None where there is none."""
    column = ParquetFile(raw).to_pandas()[name].astype(object)
    return column.where(column.notna(), None).tolist()
