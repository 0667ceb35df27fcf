"""What a writer may be told about the file: row groups, pages, encodings, codecs, indexes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any, Final

from hocket.parquet.codecs import checked_level, codec_number
from hocket.parquet.crypto.encryption_keys import EncryptionKeys
from hocket.parquet.encode.options import DICTIONARY_NBYTES, PAGE_NBYTES, PAGE_ROWS
from hocket.parquet.errors import InvalidOption
from hocket.parquet.metadata.encodings import Encoding
from hocket.parquet.options import ReadOptions, check_switch
from hocket.parquet.records import dataclass, field, fields

__all__ = ["DEFAULT_KEY", "WriteOptions", "check_names"]

#: In options by column: what holds for the columns that are not named.
DEFAULT_KEY: Final = "_default"

_ROW_GROUP_ROWS: Final = 1 << 20
_ROW_GROUP_NBYTES: Final = 512 << 20
_PAGE_NBYTES_MOST: Final = 1 << 30

#: Names of encodings as users write them.
_ENCODINGS: Final = {each.name: each for each in Encoding if each is not Encoding.BIT_PACKED}

_Path = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a file is written.

    Options by column are dicts by name: of a column, of a field with columns in it (with dots
    between names, or as a tuple of names), or ``"_default"`` for all others.

    Parameters
    ----------
    compression
        The codec: "zstd", "snappy", "gzip", "brotli", "lz4", or None; or by column. In a dict by
        column, ``{"type": "gzip", "args": {"compresslevel": 6}}`` gives a level too.
    compression_level
        How hard the codec tries, or that by column. None: as the codec thinks best.
    encoding
        What values are encoded as, or that by column: "PLAIN", "DELTA_BINARY_PACKED",
        "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT", "RLE" (of booleans),
        "RLE_DICTIONARY", "ALP". None: what makes the file smallest.
    dictionary
        Whether values go into a dictionary; or a list of the columns whose do; or that by column.
        None: where that is smaller.
    dictionary_nbytes
        How large a dictionary may become.
    row_group_rows, row_group_nbytes
        Where row groups end: after so many rows, or bytes of values in memory.
    row_group_offsets
        In place of them, rows of each row group, or the row at which each begins.
    page_version
        Data pages of version 1 or 2.
    page_nbytes, page_rows
        Where pages end: after so many bytes, not compressed, or rows.
    statistics
        Whether bounds and counts of each column chunk are written; or a list of the columns.
    page_index
        Whether those of each page are, and where it is. None: in row groups in which there is a
        column of several pages.
    checksums
        Whether each page has its CRC.
    bloom_filters
        Columns that get a Bloom filter: a list, or a dict to the rate at which it may be wrong, or
        to ``{"fpp": rate, "ndv": number of different values}``. True: all that can have one.
    sorting_columns
        By what the rows are sorted already, the first one first: names; or (name, descending), or
        (name, descending, nulls first). It is told, not done.
    custom_metadata
        Key-value metadata of the file.
    fsync
        Whether the file has to be on the disk before it counts as written.
    encryption
        `hocket.parquet.EncryptionKeys`.
    threads
        How many threads may encode at once; None for as many as the process may use processors.
    """

    compression: Any = "zstd"
    compression_level: Any = None
    encoding: Any = None
    dictionary: Any = None
    dictionary_nbytes: int = DICTIONARY_NBYTES
    row_group_rows: int = _ROW_GROUP_ROWS
    row_group_nbytes: int = _ROW_GROUP_NBYTES
    row_group_offsets: int | Sequence[int] | None = None
    page_version: int = 1
    page_nbytes: int = PAGE_NBYTES
    page_rows: int = PAGE_ROWS
    statistics: bool | Collection[_Path] = True
    page_index: bool | None = None
    checksums: bool = True
    bloom_filters: Any = None
    sorting_columns: Sequence[Any] = ()
    custom_metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    fsync: bool = False
    encryption: EncryptionKeys | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        ReadOptions(threads=self.threads)
        for name, most in (
            ("dictionary_nbytes", _PAGE_NBYTES_MOST),
            ("row_group_rows", 1 << 62),
            ("row_group_nbytes", 1 << 62),
            ("page_nbytes", _PAGE_NBYTES_MOST),
            ("page_rows", 1 << 31),
        ):
            _check_count(name, getattr(self, name), most)
        if self.page_version not in (1, 2):
            raise InvalidOption(f"page_version is {self.page_version!r}; it has to be 1 or 2")
        for name in ("checksums", "fsync"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidOption(f"{name} is {getattr(self, name)!r}; it has to be a bool")
        check_switch("page_index", self.page_index, may_be_none=True)
        _check_offsets(self.row_group_offsets)
        for value in _values(self.compression):
            codec_of(value)
        for value in _values(self.encoding):
            encoding_of(value)
        if self.encryption is not None and not isinstance(self.encryption, EncryptionKeys):
            raise InvalidOption(
                f"encryption is {type(self.encryption).__name__}; it has to be "
                "hocket.parquet.EncryptionKeys(footer_key=...)"
            )
        if isinstance(self.custom_metadata, Mapping):
            _check_pairs(self.custom_metadata)
        else:
            raise InvalidOption(
                f"custom_metadata is {self.custom_metadata!r}; it has to be a dict of strings"
            )


def codec_of(value: Any) -> tuple[int, int | None]:
    """Return the number of a codec, and the level if one came with its name."""
    if not isinstance(value, Mapping):
        return codec_number(value), None
    codec = codec_number(value.get("type"))
    arguments = dict(value.get("args") or {})
    for name in ("compresslevel", "compression_level", "level", "quality", "compression"):
        level = arguments.pop(name, None)
        if isinstance(level, int) and not isinstance(level, bool):
            return codec, checked_level(codec, level)
    return codec, None


def encoding_of(value: Any) -> Encoding | None:
    """Return an encoding by its name; None stands for whichever is best."""
    if value is None:
        return None
    found = _ENCODINGS.get(value.upper()) if isinstance(value, str) else None
    if found is None:
        raise InvalidOption(
            f"the encoding is {value!r}; it has to be one of {', '.join(_ENCODINGS)}, or None"
        )
    return found


def _values(told: Any) -> Iterable[Any]:
    """Return what an option by column says, of whichever columns."""
    if isinstance(told, Mapping) and "type" not in told:
        return told.values()
    return (told,)


def _is_number(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_count(name: str, value: Any, most: int) -> None:
    if not _is_number(value) or not 1 <= value <= most:
        raise InvalidOption(f"{name} is {value!r}; it has to be a whole number from 1 to {most:,}")


def _check_offsets(offsets: Any) -> None:
    if offsets is None or (_is_number(offsets) and offsets > 0):
        return
    rows = list(offsets) if isinstance(offsets, Iterable) else []
    if not rows or not all(map(_is_number, rows)) or rows[0] != 0 or not _rises(rows):
        raise InvalidOption(
            f"row_group_offsets is {offsets!r}; it has to be a number of rows, or a list of rows "
            "that begins with 0 and rises"
        )


def _rises(rows: list[int]) -> bool:
    return all(before < after for before, after in pairwise(rows))


def _check_pairs(pairs: Mapping[Any, Any]) -> None:
    for key, value in pairs.items():
        if not isinstance(key, str) or not isinstance(value, (str, bytes)):
            raise InvalidOption(
                f"custom_metadata has {key!r}: {value!r}; names have to be strings, and values "
                "strings or bytes"
            )
        for text in (key, value):
            if isinstance(text, str) and any("\ud800" <= each <= "\udfff" for each in text):
                raise InvalidOption(
                    f"custom_metadata has {key!r}: {value!r}, and half a surrogate pair is nothing "
                    "that UTF-8 can hold; give bytes"
                )


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names of options that there are not.

    Parameters
    ----------
    names
        What the caller wrote.
    known
        What there is.
    """
    known = sorted(known)
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3)
            meant = (
                f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
            )
            raise InvalidOption(f"there is no option {name!r} for writing; {meant}")


#: Names of all options.
OPTION_NAMES: Final = frozenset(each.name for each in fields(WriteOptions))
