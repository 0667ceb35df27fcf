"""What the driver of a chunk is told, and what it tells: numbers in an array, by their places."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CHECK_UTF8",
    "CONVERSION",
    "DATA",
    "DATA_CAPACITY",
    "DATA_NBYTES",
    "DATA_WANTED",
    "DEFINITIONS",
    "DESTINATION",
    "DICTIONARY",
    "DICTIONARY_COUNT",
    "DICTIONARY_DATA",
    "FLAGS_SCRATCH",
    "HAS_DICTIONARY",
    "HAS_VALID",
    "ITEM_SIZE",
    "JOB_ITEMS",
    "KEEP_CODES",
    "KEEP_LEVELS",
    "LENGTHS_SCRATCH",
    "LEVELS",
    "MAX_DEFINITION",
    "MAX_REPETITION",
    "NEXT_PAGE",
    "NULL_BITS",
    "PAGE_ROWS",
    "PAGE_STOP",
    "PAGE_TABLE",
    "PHYSICAL",
    "PRESENT",
    "REPETITIONS",
    "ROWS_FOUND",
    "SLOTS",
    "SLOT_DEFINITION",
    "VALID",
    "VALUES_SCRATCH",
    "VALUE_SIZE",
]

#: What the column holds: the physical type, bytes of a value in the file and of an item in the
#: result, how one becomes the other, what null slots get, and whether byte strings must be UTF-8.
PHYSICAL: Final = 0
VALUE_SIZE: Final = 1
ITEM_SIZE: Final = 2
CONVERSION: Final = 3
NULL_BITS: Final = 4
CHECK_UTF8: Final = 5
MAX_DEFINITION: Final = 6
MAX_REPETITION: Final = 7
SLOT_DEFINITION: Final = 8

#: The table of pages, the next one to decode, and the one before which to stop.
PAGE_TABLE: Final = 9
NEXT_PAGE: Final = 10
PAGE_STOP: Final = 11

#: Addresses of what is written: items, or offsets of byte strings (the first is that of the first
#: slot's end), or codes; a flag for each slot (0: not wanted); levels.
DESTINATION: Final = 12
VALID: Final = 13
DEFINITIONS: Final = 14
REPETITIONS: Final = 15
#: Whether levels of all pages are kept, one after the other; else those of each page lie at the
#: beginning. Definition levels of columns without repetition are only written where they are kept.
KEEP_LEVELS: Final = 16
KEEP_CODES: Final = 17

#: The dictionary: whether there is one, how many items; their address, or that of their offsets
#: (one more than items) and of the bytes.
HAS_DICTIONARY: Final = 18
DICTIONARY_COUNT: Final = 19
DICTIONARY: Final = 20
DICTIONARY_DATA: Final = 21

#: The bytes of byte strings: their address, how many there is space for, and how many there are.
#: After ``-NO_SPACE``, `DATA_WANTED` tells for how many there has to be space.
DATA: Final = 22
DATA_CAPACITY: Final = 23
DATA_NBYTES: Final = 24
DATA_WANTED: Final = 25

#: Scratch memory, for each value of a page: a byte; what the file stores, or a code of 4 bytes; and
#: 8 bytes for lengths.
FLAGS_SCRATCH: Final = 26
VALUES_SCRATCH: Final = 27
LENGTHS_SCRATCH: Final = 33

#: How far decoding is: slots, values, level entries and rows; and whether flags are written (they
#: begin to be with the first null, all earlier ones are set then).
SLOTS: Final = 28
PRESENT: Final = 29
LEVELS: Final = 30
ROWS_FOUND: Final = 31
HAS_VALID: Final = 32
#: Rows that begin in the page whose levels were read last.
PAGE_ROWS: Final = 34

JOB_ITEMS: Final = 40
