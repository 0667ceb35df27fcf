"""Compression of pages, and decompression straight into the memory where they are decoded from.

The destination has exactly the size that the page header tells, so that no file can make more than
that: what decompresses to more, or less, is an error.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile, InvalidOption, UnsupportedFeature

__all__ = [
    "CODEC_NAMES",
    "checked_level",
    "codec_name",
    "codec_number",
    "compress",
    "decompress_into",
]

#: By the number that the format gives them.
CODEC_NAMES: Final = (
    "UNCOMPRESSED",
    "SNAPPY",
    "GZIP",
    "LZO",
    "BROTLI",
    "LZ4",
    "ZSTD",
    "LZ4_RAW",
)

#: As users write them, in any case.
_NUMBERS: Final = {
    "none": 0,
    "uncompressed": 0,
    "snappy": 1,
    "gzip": 2,
    "brotli": 4,
    "lz4": 7,
    "lz4_raw": 7,
    "zstd": 6,
}
#: The least and the largest level of each codec that has levels.
_LEVELS: Final = {2: (0, 9), 4: (0, 11), 6: (-7, 22)}
_DEFAULT_LEVELS: Final = {2: 6, 4: 5, 6: 3}

_GZIP_MAGIC: Final = b"\x1f\x8b"
#: Here each costs a copy of all that follow it; the fast decoder takes any number of good ones.
_MEMBERS_MAX: Final = 100
#: How LZ4 compresses nothing.
_EMPTY_BLOCK: Final = (1).to_bytes(4) + b"\0"

_Bytes = NDArray[np.uint8]
#: From compressed bytes and destination to the number of bytes written.
_Decompress = Callable[[Any, Any], int]
#: From plain bytes and level to compressed ones.
_Compress = Callable[[Any, int], Any]


def codec_name(codec: int) -> str:
    """Return a codec's name in the format, or its number if that is unknown."""
    return CODEC_NAMES[codec] if 0 <= codec < len(CODEC_NAMES) else f"codec {codec}"


def codec_number(name: str | None) -> int:
    """Return the number that the format gives a codec.

    Parameters
    ----------
    name
        As users write it, in any case; None for no compression.
    """
    found = 0 if name is None else _NUMBERS.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(repr(each) for each in _NUMBERS)
        if isinstance(name, str) and name.lower() == "lzo":
            raise UnsupportedFeature(
                "there is no compressor for LZO with a free licence; zstd compresses better"
            )
        raise InvalidOption(f"the codec is {name!r}; it can be {known}")
    return found


def checked_level(codec: int, level: int | None) -> int | None:
    """Return a level if a codec has it; None is the codec's own default.

    Parameters
    ----------
    codec
        Number of the codec.
    level
        How hard it tries.
    """
    if level is None:
        return None
    if codec not in _LEVELS:
        raise InvalidOption(
            f"the compression level is {level!r}, and {codec_name(codec)} has no levels; leave it "
            "out, or choose gzip, brotli or zstd"
        )
    low, high = _LEVELS[codec]
    if isinstance(level, bool) or not isinstance(level, int) or not low <= level <= high:
        raise InvalidOption(
            f"the compression level is {level!r}; that of {codec_name(codec)} is a whole number "
            f"from {low} to {high}"
        )
    return level


def compress(codec: int, source: Any, level: int | None = None) -> Any:
    """Return the compressed bytes of a page, as something with the buffer protocol.

    Parameters
    ----------
    codec
        Number of the codec. Of none, what is returned is the source.
    source
        The bytes: an array, or whatever else has the buffer protocol.
    level
        How hard the codec tries; None for its own default.
    """
    if codec == 0:
        return source
    made = _compressors().get(codec)
    if made is None:
        raise UnsupportedFeature(
            f"nothing is written in {codec_name(codec)}; choose snappy, gzip, brotli, lz4 or zstd"
        )
    chosen = checked_level(codec, level)
    return made(source, _DEFAULT_LEVELS.get(codec, 0) if chosen is None else chosen)


@functools.cache
def _compressors() -> dict[int, _Compress]:
    import cramjam  # noqa: PLC0415 - nothing light at the import of the package

    return {
        1: lambda source, _level: cramjam.snappy.compress_raw(source),
        2: cramjam.gzip.compress,
        4: cramjam.brotli.compress,
        6: cramjam.zstd.compress,
        7: lambda source, _level: cramjam.lz4.compress_block(source, store_size=False),
    }


def decompress_into(codec: int, source: _Bytes, destination: _Bytes) -> None:
    """Decompress a page.

    Parameters
    ----------
    codec
        Number of the codec in the format.
    source
        The compressed bytes.
    destination
        Where they go: an array of exactly the size that they must have.
    """
    if codec == 0:
        if source.size != destination.size:
            raise CorruptFile(
                f"a page that is not compressed has {source.size:,} bytes, and its header says "
                f"{destination.size:,}"
            )
        destination[:] = source
        return
    if not source.size and not destination.size:
        return  # nothing was compressed: the zero bytes are no valid stream of any codec
    decompress = _decompressors().get(codec)
    if decompress is None:
        raise UnsupportedFeature(_missing(codec))
    # Codecs refuse to write to no memory at all, and streams of nothing are valid.
    room = destination if destination.size else np.empty(1, np.uint8)
    try:
        written = decompress(source, room)
    except BaseException as error:
        if not _is_decoder_error(error):
            raise
        raise CorruptFile(
            f"{source.size:,} bytes compressed by {codec_name(codec)} do not decompress to the "
            f"{destination.size:,} that the page header tells: {error}"
        ) from None
    if written != destination.size:
        raise CorruptFile(
            f"{source.size:,} bytes compressed by {codec_name(codec)} decompress to {written:,}, "
            f"and the page header says {destination.size:,}"
        )


@functools.cache
def _decompressors() -> dict[int, _Decompress]:
    import cramjam  # noqa: PLC0415 - nothing light at the import of the package

    return {
        1: cramjam.snappy.decompress_raw_into,
        2: functools.partial(_gzip, cramjam.gzip.decompress_into),
        4: cramjam.brotli.decompress_into,
        5: functools.partial(_lz4, cramjam.lz4.decompress_block_into, cramjam.lz4.decompress_into),
        6: cramjam.zstd.decompress_into,
        7: functools.partial(_lz4_raw, cramjam.lz4.decompress_block_into),
    }


def _missing(codec: int) -> str:
    if codec == 3:
        return (
            "the column is compressed by LZO, for which there is no decoder with a free licence; "
            "rewrite the file with the program that made it, with zstd or snappy"
        )
    return f"the column is compressed by {codec_name(codec)}, which this version does not know"


def _is_decoder_error(error: BaseException) -> bool:
    import cramjam  # noqa: PLC0415 - as above

    # A decoder in Rust that meets what its author did not expect raises a PanicException, which is
    # no Exception.
    return (
        isinstance(error, cramjam.DecompressionError | zlib.error)
        or type(error).__name__ == "PanicException"
    )


# ---------------------------------------------------------------------------------------- gzip


def _gzip(decompress: _Decompress, source: _Bytes, destination: _Bytes) -> int:
    """Decompress gzip of one or several members; also zlib and bare deflate, which some wrote."""
    head = source[:2].tobytes()
    if head == _GZIP_MAGIC:
        try:
            return decompress(source, destination)
        except BaseException as error:
            # Perhaps only padding behind the last member; what is missing shows again.
            if not _is_decoder_error(error):
                raise
            return _inflate(source, destination, zlib.MAX_WBITS | 16)
    is_zlib = len(head) == 2 and head[0] & 15 == 8 and int.from_bytes(head) % 31 == 0
    return _inflate(source, destination, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _inflate(source: _Bytes, destination: _Bytes, window_bits: int) -> int:
    written = 0
    rest = source.data
    for _ in range(_MEMBERS_MAX):
        if written == destination.size or not rest.nbytes:
            return written
        stream = zlib.decompressobj(window_bits)
        plain = stream.decompress(rest, destination.size - written + 1)
        if written + len(plain) > destination.size:
            raise zlib.error("there is more than that")
        destination[written : written + len(plain)] = np.frombuffer(plain, np.uint8)
        written += len(plain)
        if not stream.eof:
            raise zlib.error("the stream is cut short")
        rest = memoryview(stream.unused_data)
        if rest[:2].tobytes() != _GZIP_MAGIC:
            return written  # what stands behind the last member is of no interest
    raise zlib.error("there are very many members, and then something else")


# ----------------------------------------------------------------------------------------- lz4


def _lz4_raw(block: Callable[..., int], source: _Bytes, destination: _Bytes) -> int:
    return block(source, destination, output_len=destination.size)


def _lz4(block: Callable[..., int], frame: _Decompress, source: _Bytes, destination: _Bytes) -> int:
    """Decompress what writers called LZ4 before it was specified.

    Those were Hadoop's framing, then bare blocks, and LZ4's own frames.
    """
    written = _lz4_hadoop(block, source, destination)
    if written is not None:
        return written
    if source[:4].tobytes() == b"\x04\x22\x4d\x18":
        return frame(source, destination)
    return _lz4_raw(block, source, destination)


def _lz4_hadoop(block: Callable[..., int], source: _Bytes, destination: _Bytes) -> int | None:
    """Decompress Hadoop's framing, or return None if it is something else.

    A frame is the plain size, then blocks until that many bytes are there, each behind its
    compressed size; both sizes are four bytes, big end first.
    """
    position = written = 0
    while position < source.size:
        if position + 4 > source.size:
            return None
        frame_end = written + int.from_bytes(source[position : position + 4].tobytes())
        position += 4
        if frame_end > destination.size:
            return None
        if frame_end == written and source[position : position + 5].tobytes() == _EMPTY_BLOCK:
            position += 5
        while written < frame_end:
            nbytes = int.from_bytes(source[position : position + 4].tobytes())
            position += 4
            if position + nbytes > source.size:
                return None
            try:
                made = block(
                    source[position : position + nbytes],
                    destination[written:frame_end],
                    output_len=frame_end - written,
                )
            except BaseException as error:
                if not _is_decoder_error(error):
                    raise
                return None
            if made <= 0:
                return None
            written += made
            position += nbytes
    # All of nothing is valid, and nothing of more shows as a wrong length.
    return written if written in (0, destination.size) else None
