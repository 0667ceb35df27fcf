"""What the driver of many small chunks is told, and what it tells: numbers by their places."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CHUNK_CODEC",
    "CHUNK_COLUMNS",
    "CHUNK_CONVERSION",
    "CHUNK_COUNT",
    "CHUNK_DEFINITION",
    "CHUNK_DESTINATION",
    "CHUNK_DICTIONARY",
    "CHUNK_DICTIONARY_COUNT",
    "CHUNK_DICTIONARY_END",
    "CHUNK_ITEM_SIZE",
    "CHUNK_KEEPS_CODES",
    "CHUNK_NBYTES",
    "CHUNK_NULL_BITS",
    "CHUNK_PHYSICAL",
    "CHUNK_RESULT",
    "CHUNK_ROWS",
    "CHUNK_ROW_COUNT",
    "CHUNK_SOURCE",
    "CHUNK_VALID",
    "CHUNK_VALUE_SIZE",
    "WORK_DICTIONARY",
    "WORK_DICTIONARY_CAPACITY",
    "WORK_FLAGS",
    "WORK_FLAGS_CAPACITY",
    "WORK_ITEMS",
    "WORK_JOB",
    "WORK_PAGES",
    "WORK_PAGE_CAPACITY",
    "WORK_PAGE_ITEMS",
    "WORK_PAGE_ITEMS_CAPACITY",
    "WORK_PLACES",
    "WORK_ROOM",
    "WORK_ROOM_CAPACITY",
    "WORK_STACK",
    "WORK_STATE",
    "WORK_VALUES",
    "WORK_VALUES_CAPACITY",
    "WORK_VERIFY",
]

#: What is told of a chunk: where its bytes are, its codec (0 none, 1 Snappy) and how many values
#: it has; the column's types, as `job` has them; where items and flags go (0: no flags).
CHUNK_SOURCE: Final = 0
CHUNK_NBYTES: Final = 1
CHUNK_CODEC: Final = 2
CHUNK_COUNT: Final = 3
CHUNK_PHYSICAL: Final = 4
CHUNK_VALUE_SIZE: Final = 5
CHUNK_ITEM_SIZE: Final = 6
CHUNK_CONVERSION: Final = 7
CHUNK_NULL_BITS: Final = 8
CHUNK_DEFINITION: Final = 9
CHUNK_DESTINATION: Final = 10
CHUNK_VALID: Final = 11
#: What came of it: how many nulls there are, or a fault.
CHUNK_RESULT: Final = 12
#: For `selected`: the address of the numbers of rows that are wanted, and how many they are.
CHUNK_ROWS: Final = 13
CHUNK_ROW_COUNT: Final = 14
#: For `selected`: whether codes are wanted, and then where the dictionary's plain bytes are (until
#: the next chunk), their end, and how many values they are. No dictionary: 0.
CHUNK_KEEPS_CODES: Final = 15
CHUNK_DICTIONARY: Final = 16
CHUNK_DICTIONARY_END: Final = 17
CHUNK_DICTIONARY_COUNT: Final = 18
CHUNK_COLUMNS: Final = 19

#: Memory to work with: addresses, and how much is there.
WORK_JOB: Final = 0
WORK_STATE: Final = 1
WORK_STACK: Final = 2
WORK_PAGES: Final = 3
WORK_PAGE_CAPACITY: Final = 4
WORK_ROOM: Final = 5
WORK_ROOM_CAPACITY: Final = 6
WORK_DICTIONARY: Final = 7
WORK_DICTIONARY_CAPACITY: Final = 8
WORK_FLAGS: Final = 9
WORK_VALUES: Final = 10
#: Values of a page that there is space for in flags, and bytes in the other two.
WORK_FLAGS_CAPACITY: Final = 11
WORK_VALUES_CAPACITY: Final = 12
#: Whether checksums are to be verified, which is not done here.
WORK_VERIFY: Final = 13
#: For `selected`: the places of values in a page, 8 bytes for each row that is wanted of a chunk;
#: and space for the items of a page.
WORK_PLACES: Final = 14
WORK_PAGE_ITEMS: Final = 15
WORK_PAGE_ITEMS_CAPACITY: Final = 16
WORK_ITEMS: Final = 17
