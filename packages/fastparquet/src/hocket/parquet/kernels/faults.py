"""What kernels answer when something is wrong: small negative numbers, and their words.

A kernel that fails returns ``-code``. Numbers below `PLACE` also carry where: a kernel that works
through pages returns ``-(page * PLACE + code)``, so that the caller can name the page.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.errors import (
    CorruptFile,
    LimitExceeded,
    ParquetError,
    UnsupportedFeature,
    ValueOutOfRange,
)

__all__ = ["PLACE", "error_of", "fault_of", "page_of"]

#: Codes are below this.
PLACE: Final = 256

TRUNCATED: Final = 1
VARINT_TOO_LONG: Final = 2
NEGATIVE_LENGTH: Final = 3
BIT_WIDTH: Final = 4
LEVEL_ABOVE_MAXIMUM: Final = 5
FIRST_REPETITION: Final = 6
DICTIONARY_INDEX: Final = 7
DICTIONARY_MISSING: Final = 8
COUNT_MISMATCH: Final = 9
DELTA_HEADER: Final = 10
DELTA_PREFIX: Final = 11
STRING_LENGTH: Final = 12
INVALID_UTF8: Final = 13
ENCODING_UNKNOWN: Final = 14
ENCODING_UNFIT: Final = 15
VALUE_RANGE: Final = 16
THRIFT_TYPE: Final = 17
THRIFT_DEPTH: Final = 18
THRIFT_FIELD_MISSING: Final = 19
SIZE_OUTSIDE: Final = 20
NO_SPACE: Final = 21
ALP_HEADER: Final = 22
RUN_EMPTY: Final = 23
LEVEL_LENGTHS: Final = 24
PAGE_TYPE: Final = 25
LIST_SHAPE: Final = 26
LEFTOVER: Final = 27
NEEDLESS_LENGTHS: Final = 28
NEGATIVE_TYPE: Final = 29

_WORDS: Final = {
    TRUNCATED: "the bytes end before the values do",
    VARINT_TOO_LONG: "a variable-length integer is longer than 10 bytes",
    NEGATIVE_LENGTH: "a length is negative",
    BIT_WIDTH: "a bit width is larger than its values can have",
    LEVEL_ABOVE_MAXIMUM: "a level is larger than the schema allows",
    FIRST_REPETITION: "the first repetition level is not 0",
    DICTIONARY_INDEX: "an index is outside of the dictionary",
    DICTIONARY_MISSING: "values refer to a dictionary, and the column chunk has none",
    COUNT_MISMATCH: "there are not as many values as the page says",
    DELTA_HEADER: "the header of a delta encoding makes no sense",
    DELTA_PREFIX: "a prefix is longer than the value before it",
    STRING_LENGTH: "a byte string is longer than what is left of the page",
    INVALID_UTF8: "a string is not UTF-8",
    ENCODING_UNKNOWN: "the encoding is not known",
    ENCODING_UNFIT: "the encoding cannot hold values of this type",
    VALUE_RANGE: "a value does not fit into the type that was asked for",
    THRIFT_TYPE: "a Thrift field has a type that it cannot have",
    THRIFT_DEPTH: "Thrift structures are nested too deeply",
    THRIFT_FIELD_MISSING: "a required Thrift field is missing",
    SIZE_OUTSIDE: "a size points outside of what is there",
    NO_SPACE: "the space for the result is too small",
    ALP_HEADER: "the header of an ALP page makes no sense",
    RUN_EMPTY: "a run of values has no length",
    LEVEL_LENGTHS: "the lengths of levels and values do not fit the page",
    PAGE_TYPE: "the page is of a type that cannot stand here",
    LIST_SHAPE: "levels of the columns of one list or map do not agree",
    LEFTOVER: "bytes are left over after the last value",
    NEGATIVE_TYPE: "a physical type is negative",
    NEEDLESS_LENGTHS: "values of fixed length were written as byte strings, with their lengths",
}

_UNSUPPORTED: Final = {ENCODING_UNKNOWN}
_LIMITS: Final = {NO_SPACE}
_RANGES: Final = {VALUE_RANGE}


def fault_of(answer: int) -> int:
    """Return the code in a kernel's negative answer."""
    return -answer % PLACE


def page_of(answer: int) -> int:
    """Return the number of the page in a kernel's negative answer."""
    return -answer // PLACE


def error_of(answer: int) -> ParquetError:
    """Return the error that a kernel's negative answer stands for, not yet located."""
    code = fault_of(answer)
    words = _WORDS.get(code, f"a kernel failed with code {code}")
    if code in _UNSUPPORTED:
        return UnsupportedFeature(words)
    if code in _LIMITS:
        return LimitExceeded(words)
    if code in _RANGES:
        return ValueOutOfRange(words)
    return CorruptFile(words)
