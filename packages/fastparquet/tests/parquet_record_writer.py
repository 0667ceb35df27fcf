"""Whole files of rows that are Python's dicts and lists, in any schema, legal or not."""

from __future__ import annotations

from dataclasses import dataclass, field

from parquet_chunk_writer import ChunkWriter, leaf_of
from parquet_file_maker import framed

from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object

REQUIRED, OPTIONAL, REPEATED = range(3)
STRING = {"logicalType": ttypes.LogicalType(STRING=ttypes.StringType()), "converted_type": 0}
LIST = {"logicalType": ttypes.LogicalType(LIST=ttypes.ListType()), "converted_type": 3}
MAP = {"logicalType": ttypes.LogicalType(MAP=ttypes.MapType()), "converted_type": 1}


@dataclass
class Node:
    """A schema element: `what` is the physical type of a leaf, or the members of a group."""

    name: str
    repetition: int
    what: PhysicalType | list[Node]
    element: dict = field(default_factory=dict)

    def elements(self):
        told = {"name": self.name, "repetition_type": self.repetition, **self.element}
        if isinstance(self.what, list):
            yield ttypes.SchemaElement(num_children=len(self.what), **told)
            for member in self.what:
                yield from member.elements()
        else:
            yield ttypes.SchemaElement(type=int(self.what), **told)


def node(name, repetition, what, **element) -> Node:
    return Node(name, repetition, what, element)


class _Columns:
    """The chunks of one field, and the entries of each that are still to be written."""

    def __init__(self, top: Node, codec: int) -> None:
        self.chunks: dict[tuple[str, ...], ChunkWriter] = {}
        self._entries: dict[tuple[str, ...], list] = {}
        self._codec = codec
        self._learn(top, (), 0, 0)

    def _learn(self, each, path, definition, repetition):
        path = (*path, each.name)
        definition += each.repetition != REQUIRED
        repetition += each.repetition == REPEATED
        if isinstance(each.what, list):
            for member in each.what:
                self._learn(member, path, definition, repetition)
            return
        length = each.element.get("type_length", 0)
        leaf = leaf_of(each.what, type_length=length, definition=definition, repetition=repetition)
        self.chunks[path] = ChunkWriter(leaf, self._codec)
        self._entries[path] = []

    def put(self, each, value, path=(), levels=(0, 0), depth=0):
        """Note a value: `levels` are those of its first entry, `depth` that of further ones."""
        definition, repetition = levels
        if each.repetition == REQUIRED:
            self._put_one(each, value, path, levels, depth)
        elif each.repetition == OPTIONAL and value is not None:
            self._put_one(each, value, path, (definition + 1, repetition), depth)
        elif each.repetition == REPEATED and value:
            for index, item in enumerate(value):
                first = repetition if index == 0 else depth + 1
                self._put_one(each, item, path, (definition + 1, first), depth + 1)
        else:
            self._put_nothing(each, path, levels)

    def _put_one(self, each, value, path, levels, depth):
        path = (*path, each.name)
        if isinstance(each.what, list):
            for member in each.what:
                self.put(member, (value or {}).get(member.name), path, levels, depth)
        else:
            self._entries[path].append((value, *levels))

    def _put_nothing(self, each, path, levels):
        path = (*path, each.name)
        if isinstance(each.what, list):
            for member in each.what:
                self._put_nothing(member, path, levels)
        else:
            self._entries[path].append((None, *levels))

    def write(self, **page):
        for path, entries in self._entries.items():
            values, definitions, repetitions = (list(each) for each in zip(*entries, strict=True))
            self.chunks[path].add(values, definitions=definitions, repetitions=repetitions, **page)


def file_of_rows(fields, rows, *, codec=0, change=lambda _footer: None, **page) -> bytes:
    """Return a file of one row group: a page for each leaf, written as `page` says."""
    body = bytearray(b"PAR1")
    chunks = []
    for top in fields:
        columns = _Columns(top, codec)
        for row in rows:
            columns.put(top, row.get(top.name))
        columns.write(**page)
        for path, writer in columns.chunks.items():
            start = len(body)
            body += b"".join(writer.parts)
            meta = ttypes.ColumnMetaData(
                type=int(writer.leaf.physical),
                encodings=[0, 3],
                path_in_schema=list(path),
                codec=codec,
                num_values=writer.num_values,
                total_uncompressed_size=len(body) - start,
                total_compressed_size=len(body) - start,
                data_page_offset=start,
            )
            chunks.append(ttypes.ColumnChunk(file_offset=start, meta_data=meta))
    root = ttypes.SchemaElement(name="schema", num_children=len(fields))
    schema = [root, *(each for top in fields for each in top.elements())]
    group = ttypes.RowGroup(chunks, len(body), len(rows))
    footer = ttypes.FileMetaData(2, schema, len(rows), [group])
    change(footer)
    return framed(bytes_of_object(footer), bytes(body))
