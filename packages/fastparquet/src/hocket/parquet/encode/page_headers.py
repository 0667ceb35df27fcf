"""Headers of pages, written by hand: there may be a hundred thousand of them in a file."""

from __future__ import annotations

from typing import Final

from hocket.parquet.metadata.compact import varint

__all__ = ["DATA_PAGE", "DATA_PAGE_V2", "DICTIONARY_PAGE", "data_page_header", "dictionary_header"]

DATA_PAGE: Final = 0
DICTIONARY_PAGE: Final = 2
DATA_PAGE_V2: Final = 3

# Each byte is the step from the last field's number, and the kind of this one.
_I32: Final = b"\x15"
_END: Final = b"\x00\x00"
_LEVELS_BY_RLE: Final = b"\x15\x06\x15\x06"
_IS_COMPRESSED: Final = b"\x11"
_IS_NOT: Final = b"\x12"
#: The type, twice its number as all integers are, then the first size.
_V1_BEGINS: Final = b"\x15\x00\x15"
_DICTIONARY_BEGINS: Final = b"\x15\x04\x15"
_V2_BEGINS: Final = b"\x15\x06\x15"
#: The header of the page's own kind: behind a CRC, and without one.
_V1_IS: Final = (b"\x2c\x15", b"\x1c\x15")
_DICTIONARY_IS: Final = (b"\x4c\x15", b"\x3c\x15")
_V2_IS: Final = (b"\x5c\x15", b"\x4c\x15")


def _number(value: int) -> bytes:
    return varint(value << 1)


def _crc(value: int | None) -> bytes:
    if value is None:
        return b""
    # As a signed number.
    return _I32 + varint(value << 1 if value < 1 << 31 else (((1 << 32) - value) << 1) - 1)


def dictionary_header(plain_nbytes: int, nbytes: int, crc: int | None, count: int) -> bytes:
    """Return the header of a dictionary page, whose values are PLAIN.

    Parameters
    ----------
    plain_nbytes, nbytes
        Size of its values, and of what they were compressed (and encrypted) to.
    crc
        The checksum of the latter, if there is to be one.
    count
        How many values it has.
    """
    return b"".join(
        (
            _DICTIONARY_BEGINS,
            _number(plain_nbytes),
            _I32,
            _number(nbytes),
            _crc(crc),
            _DICTIONARY_IS[crc is not None],
            _number(count),
            b"\x15\x00",
            _END,
        )
    )


def data_page_header(
    plain_nbytes: int,
    nbytes: int,
    crc: int | None,
    encoding: int,
    entry_count: int,
    v2: tuple[int, int, int, int, bool] | None,
) -> bytes:
    """Return the header of a data page.

    Parameters
    ----------
    plain_nbytes, nbytes
        Size of its levels and values, and of what they were compressed (and encrypted) to.
    crc
        The checksum of the latter, if there is to be one.
    encoding
        Of its values.
    entry_count
        How many entries it has, missing ones counted.
    v2
        Of version 2: how many are missing, how many rows there are, the sizes of its definition
        levels and repetition levels, whether values are compressed.
    """
    if v2 is None:
        return b"".join(
            (
                _V1_BEGINS,
                _number(plain_nbytes),
                _I32,
                _number(nbytes),
                _crc(crc),
                _V1_IS[crc is not None],
                _number(entry_count),
                _I32,
                _number(encoding),
                _LEVELS_BY_RLE,
                _END,
            )
        )
    missing, rows, definition_nbytes, repetition_nbytes, is_compressed = v2
    return b"".join(
        (
            _V2_BEGINS,
            _number(plain_nbytes),
            _I32,
            _number(nbytes),
            _crc(crc),
            _V2_IS[crc is not None],
            _number(entry_count),
            _I32,
            _number(missing),
            _I32,
            _number(rows),
            _I32,
            _number(encoding),
            _I32,
            _number(definition_nbytes),
            _I32,
            _number(repetition_nbytes),
            _IS_COMPRESSED if is_compressed else _IS_NOT,
            _END,
        )
    )
