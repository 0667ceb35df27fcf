"""Extension types in the schema that Arrow writers leave in the footer, and texts without end."""

from __future__ import annotations

import base64
import struct

import pytest

from hocket.parquet.assemble.arrow_hints import parse_arrow_schema


class Message:
    """A Flatbuffers message written forwards: what is pointed at follows what points."""

    def __init__(self):
        self.data = bytearray(b"\xff\xff\xff\xff" + bytes(4))
        self._pointers = [len(self.data)]
        self.data += bytes(4)

    def table(self, *fields):
        """Add a table with fields of four bytes, or none where one is None; point at it."""
        layout = len(self.data)
        offsets = [0 if each is None else 4 + 4 * at for at, each in enumerate(fields)]
        self.data += struct.pack(f"<{len(fields) + 2}H", 4 + 2 * len(fields), 0, *offsets)
        self.data += bytes(-len(self.data) % 4)
        start = self._point()
        self.data += struct.pack("<i", start - layout)
        for each in fields:
            self.data += struct.pack("<I", each or 0)
        return [start + 4 + 4 * at for at in range(len(fields))]

    def vector(self, at, count):
        self._pointers = [at]
        self._point()
        self.data += struct.pack("<I", count)
        first = len(self.data)
        self.data += bytes(4 * count)
        return [first + 4 * each for each in range(count)]

    def text(self, pointers, words):
        self._pointers = pointers
        self._point()
        self.data += struct.pack("<I", len(words)) + words
        self.data += bytes(-len(self.data) % 4)

    def at(self, *pointers):
        self._pointers = list(pointers)
        return self

    def _point(self):
        here = len(self.data)
        for each in self._pointers:
            struct.pack_into("<I", self.data, each, here - each)
        return here


def schema_with(pairs, key, value):
    """Return the text of a schema with one column, with one key and value again and again."""
    message = Message()
    header = message.table(0, 1, 0)
    fields = message.at(header[2]).table(0, 0)
    (field,) = message.vector(fields[1], 1)
    column = message.at(field).table(0, None, 2, 0, None, None, 0)
    message.text([column[0]], b"x")
    message.at(column[3]).table(0)
    pair = message.at(*message.vector(column[6], pairs)).table(0, 0)
    message.text([pair[0]], key)
    message.text([pair[1]], value)
    return base64.b64encode(bytes(message.data))


def test_an_extension_type():
    found = parse_arrow_schema(schema_with(1, b"ARROW:extension:name", b"mine"))
    assert found["x"].extension == ("mine", "")
    assert found["x"].type_id == 2
    assert parse_arrow_schema(schema_with(1, b"other", b"mine"))["x"].extension is None


@pytest.mark.timeout(20)
def test_one_text_that_is_pointed_at_again_and_again():
    long = b"a" * 1_000_000
    assert parse_arrow_schema(schema_with(3, b"key", long))["x"].extension is None
    # More than the message holds: told so many times it would take an hour.
    assert parse_arrow_schema(schema_with(100_000, b"key", long)) == {}


def test_extension_types_that_pyarrow_writes():
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    storage = pa.array([1, 2])
    kind = type("Mine", (pa.ExtensionType,), {"__arrow_ext_serialize__": lambda _: b"told"})
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table({"x": pa.ExtensionArray.from_storage(kind(pa.int64(), "mine"), storage)}), sink
    )
    metadata = pq.read_metadata(pa.BufferReader(sink.getvalue())).metadata
    assert parse_arrow_schema(metadata[b"ARROW:schema"])["x"].extension == ("mine", "told")
