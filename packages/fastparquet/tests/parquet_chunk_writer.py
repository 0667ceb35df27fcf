"""Writes column chunks for tests of what reads them: value by value, plainly, by the book."""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass, field

import cramjam
import numpy as np

from hocket.parquet.decode.place import ChunkPlace
from hocket.parquet.errors import CorruptFile
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType, Repetition
from hocket.parquet.metadata.schema import SchemaNode

PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED, DELTA, DELTA_LENGTH, DELTA_STRINGS = 0, 2, 3, 4, 5, 6, 7
RLE_DICTIONARY, SPLIT, ALP = 8, 9, 10
DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = range(4)

_COMPRESS = {
    0: bytes,
    1: lambda plain: bytes(cramjam.snappy.compress_raw(plain)),
    2: lambda plain: bytes(cramjam.gzip.compress(plain)),
    4: lambda plain: bytes(cramjam.brotli.compress(plain)),
    6: lambda plain: bytes(cramjam.zstd.compress(plain)),
    7: lambda plain: bytes(cramjam.lz4.compress_block(plain, store_size=False)),
}
_FORMATS = {
    PhysicalType.INT32: "<i",
    PhysicalType.INT64: "<q",
    PhysicalType.FLOAT: "<f",
    PhysicalType.DOUBLE: "<d",
}


def leaf_of(
    physical, *, type_length=0, definition=0, repetition=0, slot_definition=0, logical=None
) -> SchemaNode:
    """A column as the schema would have it."""
    root = SchemaNode(
        "schema", None, Repetition.REQUIRED, None, LogicalType(LogicalKind.NONE),
        None, None, 0, 0, 0, 0, -1,
    )  # fmt: skip
    return SchemaNode(
        "leaf",
        root,
        Repetition.OPTIONAL if definition else Repetition.REQUIRED,
        None,
        logical or LogicalType(LogicalKind.NONE),
        None,
        physical,
        type_length,
        definition,
        repetition,
        slot_definition,
        0,
    )


# ----------------------------------------------------------------------------------- encodings


def varint(value):
    made = bytearray()
    value &= (1 << 64) - 1
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def zigzag(value):
    return varint((value << 1) ^ (value >> 63))


def hybrid(values, width, run=8):
    """Runs where a value repeats `run` times or more, groups of eight elsewhere."""
    made = b""
    pending: list[int] = []

    def flush():
        nonlocal made
        if pending:
            groups = -(-len(pending) // 8)
            bits = sum(value << i * width for i, value in enumerate(pending))
            made += varint(groups << 1 | 1) + bits.to_bytes(groups * width, "little")
            pending.clear()

    at = 0
    while at < len(values):
        end = at
        while end < len(values) and values[end] == values[at]:
            end += 1
        if end - at >= run and len(pending) % 8 == 0:
            flush()
            made += varint((end - at) << 1) + int(values[at]).to_bytes(-(-width // 8), "little")
            at = end
        else:
            pending.append(values[at])
            at += 1
    flush()
    return made


def packed_levels(values, width):
    """The deprecated encoding: the highest bit first."""
    bits = "".join(f"{value:0{width}b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8) if bits else b""


def plain(values, leaf):
    physical = leaf.physical
    if physical is PhysicalType.BOOLEAN:
        return np.packbits(np.array(values, bool), bitorder="little").tobytes()
    if physical is PhysicalType.BYTE_ARRAY:
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    if physical in _FORMATS:
        return b"".join(struct.pack(_FORMATS[physical], value) for value in values)
    return b"".join(values)


def delta(values, block=128, miniblocks=4):
    first = values[0] if values else 0
    made = varint(block) + varint(miniblocks) + varint(len(values)) + zigzag(first)
    each = block // miniblocks
    differences = [b - a for a, b in itertools.pairwise(values)]
    for start in range(0, len(differences), block):
        part = differences[start : start + block]
        least = min(part)
        made += zigzag(least)
        widths, bodies = b"", b""
        for mini in range(miniblocks):
            fields = [value - least for value in part[mini * each : (mini + 1) * each]]
            width = max((value.bit_length() for value in fields), default=0)
            fields += [0] * (each - len(fields))
            bits = sum(value << i * width for i, value in enumerate(fields))
            widths += bytes([width])
            bodies += bits.to_bytes(each * width // 8, "little") if part[mini * each :] else b""
        made += widths + bodies
    return made


def delta_lengths(values):
    return delta([len(value) for value in values]) + b"".join(values)


def delta_strings(values):
    prefixes, suffixes, before = [], [], b""
    for value in values:
        common = 0
        while common < min(len(value), len(before)) and value[common] == before[common]:
            common += 1
        prefixes.append(common)
        suffixes.append(value[common:])
        before = value
    return delta(prefixes) + delta_lengths(suffixes)


def split(values, leaf):
    raw = np.frombuffer(plain(values, leaf), np.uint8)
    return raw.reshape(len(values), -1).T.tobytes() if values else b""


def encode(values, encoding, leaf, dictionary=()):
    """A page's values, none of them missing."""
    if encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
        codes = [dictionary.index(value) for value in values]
        width = max(len(dictionary) - 1, 0).bit_length()
        return bytes([width]) + hybrid(codes, width)
    if encoding == RLE:
        runs = hybrid([int(value) for value in values], 1)
        return struct.pack("<I", len(runs)) + runs
    if encoding == DELTA_STRINGS:
        return delta_strings(values)
    encoders = {DELTA: delta, DELTA_LENGTH: delta_lengths}
    if encoding in encoders:
        return encoders[encoding](values)
    return {PLAIN: plain, SPLIT: split}[encoding](values, leaf)


# --------------------------------------------------------------------------------------- pages


def thrift_struct(fields):
    """A struct of integers, booleans and structs (given as bytes), by field number."""
    made, before = b"", 0
    for number, value in fields.items():
        if value is None:
            continue
        kind = (
            12
            if isinstance(value, bytes)
            else (1 if value else 2)
            if value in (True, False) and isinstance(value, bool)
            else 5
        )
        made += bytes([(number - before) << 4 | kind])
        if isinstance(value, bytes):
            made += value
        elif not isinstance(value, bool):
            made += zigzag(value)
        before = number
    return made + b"\0"


@dataclass
class ChunkWriter:
    """A column chunk to which pages are added.

    `values` of a page are those of its level entries, None for each one that has no value.
    """

    leaf: SchemaNode
    codec: int = 0
    has_crc: bool = False
    dictionary: list = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    num_values: int = 0
    num_rows: int = 0

    def page(self, kind, own_field, own, body, uncompressed_nbytes):
        """Add a page with a header of its own."""
        crc = zlib.crc32(body) if self.has_crc else None
        if crc is not None and crc >= 1 << 31:
            crc -= 1 << 32
        fields = {1: kind, 2: uncompressed_nbytes, 3: len(body), 4: crc}
        fields[own_field] = own if own is None else thrift_struct(own)
        self.parts.append(thrift_struct(dict(sorted(fields.items()))) + body)
        return self

    def add_dictionary(self, values, encoding=PLAIN):
        self.dictionary = list(values)
        body = plain(values, self.leaf)
        own = {1: len(values), 2: encoding, 3: False}
        return self.page(DICTIONARY_PAGE, 7, own, _COMPRESS[self.codec](body), len(body))

    def add(
        self,
        values,
        encoding=PLAIN,
        *,
        version=1,
        definitions=None,
        repetitions=None,
        level_encoding=RLE,
        is_compressed=True,
    ):
        """Add a data page."""
        leaf = self.leaf
        present = [value for value in values if value is not None]
        if definitions is None:
            most = leaf.max_definition
            definitions = [most if value is not None else most - 1 for value in values]
        if repetitions is None:
            repetitions = [0] * len(values)
        body = encode(present, encoding, leaf, self.dictionary)
        levels = [
            _levels(each, most, level_encoding if version == 1 else RLE)
            for each, most in (
                (repetitions, leaf.max_repetition),
                (definitions, leaf.max_definition),
            )
        ]
        rows = repetitions.count(0)
        self.num_values += len(values)
        self.num_rows += rows
        if version == 1:
            parts = [
                struct.pack("<I", len(each)) + each if level_encoding == RLE and most else each
                for each, most in zip(
                    levels, (leaf.max_repetition, leaf.max_definition), strict=True
                )
            ]
            whole = b"".join(parts) + body
            own = {1: len(values), 2: encoding, 3: level_encoding, 4: level_encoding}
            return self.page(DATA_PAGE, 5, own, _COMPRESS[self.codec](whole), len(whole))
        squeezed = _COMPRESS[self.codec](body) if is_compressed and body else body
        own = {
            1: len(values),
            2: len(values) - len(present),
            3: rows,
            4: encoding,
            5: len(levels[1]),
            6: len(levels[0]),
            7: is_compressed,
        }
        whole = b"".join(levels)
        return self.page(DATA_PAGE_V2, 8, own, whole + squeezed, len(whole) + len(body))

    def place(self, **changed):
        told = {
            "file": "made.parquet",
            "row_group": 0,
            "leaf": self.leaf,
            "codec": self.codec,
            "num_values": self.num_values,
            "start": 4,
            "nbytes": sum(map(len, self.parts)),
            "num_rows": self.num_rows,
        }
        return ChunkPlace(**{**told, **changed})

    def segments(self, start=4):
        return [(start, padded(b"".join(self.parts)))]


class Cipher:
    """Stands for the cipher of a column: modules are the plain bytes, reversed, with a note.

    The note tells what the module is; a module decrypts only as what it is.
    """

    @staticmethod
    def encrypt(plain, note):
        return bytes([len(plain)]) + note.encode().ljust(8) + plain[::-1]

    @staticmethod
    def _decrypt(buffer, position, note):
        size = int(buffer[position])
        body = buffer[position + 1 : position + 9 + size].tobytes()
        if body[:8] != note.encode().ljust(8):
            raise CorruptFile(f"this is no {note}")
        return padded(body[8:][::-1]), position + 9 + size

    def decrypt_page_header(self, buffer, position, page_ordinal, *, is_dictionary=False):
        if is_dictionary is None:
            is_dictionary = bytes(buffer[position + 1 : position + 3]) == b"hd"
        note = "hd" if is_dictionary else f"h{page_ordinal}"
        return self._decrypt(buffer, position, note)

    def decrypt_page(self, buffer, position, page_ordinal, *, is_dictionary=False):
        return self._decrypt(buffer, position, "pd" if is_dictionary else f"p{page_ordinal}")


class EncryptedWriter(ChunkWriter):
    """Writes pages as the cipher wants them."""

    ordinal = 0

    def page(self, kind, own_field, own, body, uncompressed_nbytes):
        note = "d" if kind == 2 else str(self.ordinal)
        self.ordinal += kind != 2
        sealed = Cipher.encrypt(body, f"p{note}")
        super().page(kind, own_field, own, sealed, uncompressed_nbytes)
        whole = self.parts.pop()
        header = whole[: -len(sealed)]
        self.parts.append(Cipher.encrypt(header, f"h{note}") + sealed)
        return self


def _levels(levels, most, encoding):
    if most == 0:
        return b""
    width = most.bit_length()
    return packed_levels(levels, width) if encoding == BIT_PACKED else hybrid(levels, width)


def padded(data):
    """Bytes as an array with something behind its end."""
    whole = np.full(len(data) + 64, 0xA5, np.uint8)
    whole[: len(data)] = np.frombuffer(data, np.uint8)
    return whole[: len(data)]


def values_of(column):
    """A decoded column's slots as Python's values, None where there is none."""
    if column.codes is not None:
        entries = values_of(column.dictionary)
        return [None if code < 0 else entries[code] for code in column.codes.tolist()]
    if column.values is not None:
        is_bytes = column.values.dtype.kind == "V"
        found = [each.tobytes() for each in column.values] if is_bytes else column.values.tolist()
    else:
        offsets, data = column.offsets.tolist(), column.data.tobytes()
        found = [data[a:b] for a, b in itertools.pairwise(offsets)]
    if column.valid is None:
        return found
    return [value if flag else None for value, flag in zip(found, column.valid, strict=True)]
