"""Parquet files taken apart into objects, and put together again with lies in some of them.

A change to a byte breaks the length, the checksum or the compression around it, and a reader looks
no further. Here all of these are made again after a change, so that it is found where it lies: in
the level, the index or the header that was changed.
"""

from __future__ import annotations

import contextlib
import pickle
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import cramjam
from thrift.protocol.TCompactProtocol import TCompactProtocolAcceleratedFactory
from thrift.transport.TTransport import TMemoryBuffer

from hocket.parquet.metadata.generated import ttypes

__all__ = ["Chunk", "Dissected", "Page", "dissected", "liar", "write_object"]

_MAGIC: Final = b"PAR1"
_PROTOCOLS: Final = TCompactProtocolAcceleratedFactory()
_PAGES_MAX: Final = 400

#: From compressed bytes and the size of the plain ones to these.
_DECOMPRESS: Final[dict[int, Callable[[bytes, int], Any]]] = {
    1: lambda raw, _: cramjam.snappy.decompress_raw(raw),
    2: lambda raw, _: cramjam.gzip.decompress(raw),
    4: lambda raw, _: cramjam.brotli.decompress(raw),
    6: lambda raw, _: cramjam.zstd.decompress(raw),
    7: lambda raw, nbytes: cramjam.lz4.decompress_block(raw, output_len=nbytes),
}
_COMPRESS: Final[dict[int, Callable[[bytes], Any]]] = {
    1: cramjam.snappy.compress_raw,
    2: cramjam.gzip.compress,
    4: cramjam.brotli.compress,
    6: cramjam.zstd.compress,
    7: lambda plain: cramjam.lz4.compress_block(plain, store_size=False),
}

_FLAG, _BYTE, _I16, _I32, _I64, _TEXT, _STRUCT, _LIST = 2, 3, 6, 8, 10, 11, 12, 15
_BITS: Final = {_BYTE: 8, _I16: 16, _I32: 32, _I64: 64}

#: What does something to an object before it is written.
Lie = Callable[[Any], None]


@dataclass
class Page:
    """A page: its header as an object, and its body as it lies in the file."""

    header: Any
    body: bytes
    lies: list[Lie] = field(default_factory=list)

    @property
    def levels_nbytes(self) -> int:
        """Bytes in front of the values that are never compressed."""
        own = self.header.data_page_header_v2
        if own is None:
            return 0
        return int(own.definition_levels_byte_length + own.repetition_levels_byte_length)

    def plain(self, codec: int) -> bytes | None:
        """Return the body decompressed; None if this cannot."""
        own = self.header.data_page_header_v2
        if codec == 0 or (own is not None and own.is_compressed is False):
            return self.body
        if codec not in _DECOMPRESS:
            return None
        at = self.levels_nbytes
        try:
            size = self.header.uncompressed_page_size - at
            return self.body[:at] + bytes(_DECOMPRESS[codec](self.body[at:], size))
        except (cramjam.DecompressionError, OverflowError, MemoryError):
            return None

    def put(self, plain: bytes, codec: int) -> None:
        """Take another body, and make sizes and checksum fit it."""
        own = self.header.data_page_header_v2
        at = min(self.levels_nbytes, len(plain))
        if codec in _COMPRESS and not (own is not None and own.is_compressed is False):
            self.body = plain[:at] + bytes(_COMPRESS[codec](plain[at:]))
        else:
            self.body = plain
        self.header.uncompressed_page_size = len(plain)

    def written(self) -> bytes:
        """Return header and body."""
        header = self.header
        header.compressed_page_size = len(self.body)
        if header.crc is not None:
            crc = zlib.crc32(self.body)
            header.crc = crc - (1 << 32) if crc >= 1 << 31 else crc
        return _written(header, self.lies) + self.body


@dataclass
class Chunk:
    """A column chunk and its indexes."""

    row_group: int
    column: int
    pages: list[Page]
    column_index: Any = None
    offset_index: Any = None
    bloom: bytes = b""
    index_lies: list[Lie] = field(default_factory=list)
    places_lies: list[Lie] = field(default_factory=list)


@dataclass
class Dissected:
    """A file as objects."""

    footer: Any
    chunks: list[Chunk]
    lies: list[Lie] = field(default_factory=list)

    def meta(self, chunk: Chunk) -> Any:
        """Return the metadata of a chunk."""
        return self.footer.row_groups[chunk.row_group].columns[chunk.column].meta_data

    def written(self) -> bytes:
        """Return the file, with all offsets and sizes as they are now, and then the lies."""
        data = bytearray(_MAGIC)
        for chunk in self.chunks:
            self._write_chunk(data, chunk)
        for chunk in self.chunks:
            self._write_indexes(data, chunk)
        footer = _written(self.footer, self.lies)
        return bytes(data + footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _write_chunk(self, data: bytearray, chunk: Chunk) -> None:
        meta = self.meta(chunk)
        start = len(data)
        places = []
        meta.dictionary_page_offset = None
        meta.data_page_offset = start
        for page in chunk.pages:
            at = len(data)
            data += page.written()
            if page.header.dictionary_page_header is not None:
                meta.dictionary_page_offset = at
                meta.data_page_offset = len(data)
            else:
                places.append((at, len(data) - at))
        meta.total_compressed_size = len(data) - start
        if chunk.offset_index is not None:
            for location, (at, nbytes) in zip(
                chunk.offset_index.page_locations, places, strict=False
            ):
                location.offset, location.compressed_page_size = at, nbytes

    def _write_indexes(self, data: bytearray, chunk: Chunk) -> None:
        column = self.footer.row_groups[chunk.row_group].columns[chunk.column]
        column.column_index_offset = column.column_index_length = None
        column.offset_index_offset = column.offset_index_length = None
        if chunk.column_index is not None:
            raw = _written(chunk.column_index, chunk.index_lies)
            column.column_index_offset, column.column_index_length = len(data), len(raw)
            data += raw
        if chunk.offset_index is not None:
            raw = _written(chunk.offset_index, chunk.places_lies)
            column.offset_index_offset, column.offset_index_length = len(data), len(raw)
            data += raw
        if chunk.bloom:
            column.meta_data.bloom_filter_offset = len(data)
            column.meta_data.bloom_filter_length = len(chunk.bloom)
            data += chunk.bloom


def dissected(data: bytes) -> Dissected | None:
    """Take a file apart; None if it is encrypted, or broken in ways that this does not follow."""
    with contextlib.suppress(Exception):  # A reader without checks fails in every way there is.
        return _dissected(data)
    return None


def _dissected(data: bytes) -> Dissected | None:
    nbytes = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != _MAGIC or nbytes > len(data) - 12:
        return None
    footer, _ = _read("FileMetaData", data[-8 - nbytes : -8])
    if footer.encryption_algorithm is not None:
        return None
    chunks = []
    for row_group, group in enumerate(footer.row_groups):
        for number, column in enumerate(group.columns):
            meta = column.meta_data
            if column.file_path is not None or meta is None:
                return None
            start = meta.data_page_offset
            if meta.dictionary_page_offset and 0 < meta.dictionary_page_offset < start:
                start = meta.dictionary_page_offset
            chunk = Chunk(row_group, number, _pages(data, start, meta.total_compressed_size))
            if column.offset_index_offset:
                at = column.offset_index_offset
                chunk.offset_index, _ = _read("OffsetIndex", data[at:])
            if column.column_index_offset:
                at = column.column_index_offset
                chunk.column_index, _ = _read("ColumnIndex", data[at:])
            if meta.bloom_filter_offset:
                at = meta.bloom_filter_offset
                header, end = _read("BloomFilterHeader", data[at:])
                chunk.bloom = data[at : at + end + header.numBytes]
            chunks.append(chunk)
    return Dissected(footer, chunks)


def _pages(data: bytes, start: int, nbytes: int) -> list[Page]:
    pages: list[Page] = []
    at, stop = start, start + nbytes
    while at < stop and len(pages) < _PAGES_MAX:
        header, end = _read("PageHeader", data[at : min(stop, at + 4096)])
        at += end
        pages.append(Page(header, data[at : at + header.compressed_page_size]))
        at += header.compressed_page_size
    return pages


def _read(name: str, raw: bytes) -> tuple[Any, int]:
    made = getattr(ttypes, name)()
    buffer = TMemoryBuffer(raw)
    made.read(_PROTOCOLS.getProtocol(buffer))
    return made, buffer._buffer.tell()  # noqa: SLF001 - it tells nowhere else how far it read


def write_object(thing: Any) -> bytes:
    """Return an object in the compact protocol."""
    buffer = TMemoryBuffer()
    thing.write(_PROTOCOLS.getProtocol(buffer))
    return bytes(buffer.getvalue())


def _written(thing: Any, lies: list[Lie]) -> bytes:
    if not lies:
        return write_object(thing)
    changed = pickle.loads(pickle.dumps(thing))
    for lie in lies:
        lie(changed)
    try:
        return write_object(changed)
    except Exception:  # noqa: BLE001 - what no Thrift can write is no lie
        return write_object(thing)


# ------------------------------------------------------------------------------------------ lies


def liar(seed: int) -> Lie:
    """Return what changes one field somewhere in an object, always in the same way."""

    def lie(thing: Any) -> None:
        chance = random.Random(seed)  # noqa: S311
        fields = list(_fields(thing, 0))
        if fields:
            _change(*chance.choice(fields), chance, fields)

    return lie


def _fields(thing: Any, depth: int) -> list[tuple[Any, str, int, Any]]:
    """Return all fields of an object and of those inside it: the owner, the name, the type."""
    found = []
    for each in type(thing).thrift_spec or ():
        if each is None:
            continue
        _, kind, name, more, _ = each
        found.append((thing, name, kind, more))
        value = getattr(thing, name)
        if kind == _STRUCT and value is not None:
            found += _fields(value, depth + 1)
        elif kind == _LIST and value and more[0] == _STRUCT:
            for item in value:
                found += _fields(item, depth + 1)
    return found


def _change(
    owner: Any,
    name: str,
    kind: int,
    more: Any,
    chance: random.Random,
    fields: list[tuple[Any, str, int, Any]],
) -> None:
    value = getattr(owner, name)
    if value is not None and chance.random() < 0.06:
        setattr(owner, name, None)
    elif kind in _BITS:
        setattr(owner, name, _number(value, _BITS[kind], chance, fields))
    elif kind == _FLAG:
        setattr(owner, name, not value)
    elif kind == _TEXT:
        setattr(owner, name, _text(value, more, chance))
    elif kind == _LIST:
        setattr(owner, name, _list(value, more, chance))
    elif kind == _STRUCT:
        others = [each for each in fields if each[2] == _STRUCT and each[3][0] is more[0]]
        other = getattr(*chance.choice(others)[:2])
        setattr(owner, name, more[0]() if other is None else other)


def _number(
    value: int | None,
    bits: int,
    chance: random.Random,
    fields: list[tuple[Any, str, int, Any]],
) -> int:
    known = value or 0
    top = 1 << (bits - 1)
    kind = chance.random()
    if kind < 0.35:
        made = known + chance.choice((-64, -9, -2, -1, 1, 2, 8, 100))
    elif kind < 0.55:
        made = chance.randrange(24)
    elif kind < 0.75:
        made = chance.choice((0, -1, top - 1, -top, 1 << 31, (1 << 31) - 1, 1 << 20, 1 << 12))
    elif kind < 0.85:
        made = chance.choice((known * 2, known // 2, -known, known ^ 1 << chance.randrange(bits)))
    else:
        numbers = [getattr(*each[:2]) for each in fields if each[2] in _BITS]
        made = chance.choice(numbers or [known]) or 0
    return (made + top) % (2 * top) - top


def _text(value: Any, more: Any, chance: random.Random) -> Any:
    is_bytes = more == "BINARY"
    raw = value if isinstance(value, bytes) else (value or "").encode("utf-8", "replace")
    kind = chance.random()
    if kind < 0.25:
        raw = b""
    elif kind < 0.5:
        raw = raw[: chance.randrange(len(raw) + 1)]
    elif kind < 0.7:
        raw += chance.choice((b"\0", b"x", b".", b"\xff" * 8, b"y" * 300))
    elif raw:
        at = chance.randrange(len(raw))
        raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    return raw if is_bytes else raw.decode("utf-8", "replace")


def _list(value: Any, more: Any, chance: random.Random) -> list[Any]:
    made = list(value or ())
    kind = chance.random()
    if kind < 0.15 or not made:
        return [] if made or more[0] == _STRUCT else [chance.randrange(3)] * chance.randrange(5)
    at, other = chance.randrange(len(made)), chance.randrange(len(made))
    if kind < 0.4:
        del made[at]
    elif kind < 0.65:
        made.insert(other, made[at])
    elif kind < 0.85 or more[0] not in _BITS:
        made[at], made[other] = made[other], made[at]
    else:
        made[at] = _number(made[at], _BITS[more[0]], chance, [])
    return made
