"""What object code calls that is not in it, read from the tables of its file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["undefined_symbols"]

_ELF: Final = b"\x7fELF\x02\x01"
_ELF_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_ELF_SYMBOL: Final = struct.Struct("<IBBHQQ")
_ELF_SYMBOL_TABLE: Final = 2
#: The linker makes it.
_ELF_OWN: Final = "_GLOBAL_OFFSET_TABLE_"

_MACHO: Final = b"\xcf\xfa\xed\xfe"
_MACHO_HEADER_NBYTES: Final = 32
_MACHO_SYMBOL: Final = struct.Struct("<IBBHQ")
_MACHO_SYMBOL_TABLE: Final = 2
#: Of a symbol's kind: that it is for debuggers; its type; that others see it.
_MACHO_DEBUG, _MACHO_TYPE, _MACHO_EXTERNAL = 0xE0, 0x0E, 0x01


def undefined_symbols(object_code: bytes) -> set[str]:
    """Return the names that object code expects others to define, as C has them.

    None of a kind of file that is neither ELF nor Mach-O of 64 bits: nothing is told of those.

    Parameters
    ----------
    object_code
        The bytes of the file.
    """
    if object_code.startswith(_ELF):
        return {name for name in _elf(object_code) if name and name != _ELF_OWN}
    if object_code.startswith(_MACHO):
        # C's names have an underscore in front there.
        return {name.removeprefix("_") for name in _macho(object_code)}
    return set()


def _elf(code: bytes) -> Iterator[str]:
    (at,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [_ELF_SECTION.unpack_from(code, at + index * size) for index in range(count)]
    for section in sections:
        _, kind, _, _, start, nbytes, names, _, _, entry_nbytes = section
        if kind != _ELF_SYMBOL_TABLE:
            continue
        names_start = sections[names][4]
        for place in range(start, start + nbytes, entry_nbytes):
            name_at, _, _, owner, _, _ = _ELF_SYMBOL.unpack_from(code, place)
            if owner == 0:
                yield _text(code, names_start + name_at)


def _macho(code: bytes) -> Iterator[str]:
    (count,) = struct.unpack_from("<I", code, 16)
    at = _MACHO_HEADER_NBYTES
    for _ in range(count):
        kind, nbytes = struct.unpack_from("<II", code, at)
        if kind == _MACHO_SYMBOL_TABLE:
            start, symbols, names, _ = struct.unpack_from("<IIII", code, at + 8)
            for index in range(symbols):
                place = start + index * _MACHO_SYMBOL.size
                name_at, told, _, _, _ = _MACHO_SYMBOL.unpack_from(code, place)
                if told & _MACHO_EXTERNAL and not told & (_MACHO_DEBUG | _MACHO_TYPE):
                    yield _text(code, names + name_at)
        at += nbytes


def _text(code: bytes, at: int) -> str:
    return code[at : code.index(b"\0", at)].decode("utf-8", "replace")
