"""Damaged files, each made of a seed file by a few random changes, and each named by a number."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fuzz_dissection import Dissected, Page, liar
from fuzz_seeds import Seed

__all__ = ["Mutant", "change_body", "change_bytes", "change_structure", "mutant"]

_INTERESTING: Final = (0, 1, 2, 0x0F, 0x10, 0x15, 0x1C, 0x20, 0x40, 0x7F, 0x80, 0xFE, 0xFF)
_COUNTS: Final = (1, 1, 1, 2, 2, 3, 5, 8)


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Parameters
    ----------
    seed
        What it was made of.
    data
        Its bytes.
    way
        A number that says how to read it.
    """

    seed: Seed
    data: bytes
    way: int


def mutant(files: Sequence[Seed], seed: int, index: int) -> Mutant:
    """Return the damaged file of a number."""
    chance = random.Random(f"{seed}:{index}")  # noqa: S311
    source = files[chance.randrange(len(files))]
    parts = source.dissected() if chance.random() < 0.5 else None
    if parts is None or not parts.chunks:
        data = _changed_bytes(source, chance, files)
    else:
        for _ in range(chance.choice(_COUNTS)):
            change_structure(parts, chance, files)
        data = parts.written()
        if chance.random() < 0.1:
            raw = bytearray(data)
            change_bytes(raw, chance.randrange(len(raw)), chance, files)
            data = bytes(raw)
    return Mutant(source, data, chance.randrange(1 << 30))


def _changed_bytes(source: Seed, chance: random.Random, files: Sequence[Seed]) -> bytes:
    data = bytearray(source.data)
    footer_nbytes = int.from_bytes(data[-8:-4], "little")
    footer_start = max(4, len(data) - 8 - footer_nbytes)
    for _ in range(chance.choice(_COUNTS)):
        low, high = (4, footer_start) if chance.random() < 0.55 else (footer_start, len(data) - 8)
        if high - low < 8:
            low, high = 0, len(data)
        at = chance.randrange(low, max(high, low + 1)) if high > low else 0
        change_bytes(data, at, chance, files)
    return bytes(data)


def change_bytes(
    data: bytearray, at: int, chance: random.Random, files: Sequence[Seed], *, is_file: bool = True
) -> None:
    """Change some bytes at a place, in one of many ways."""
    kind = chance.random() * (1.0 if is_file else 0.94)
    if kind < 0.35:
        data[at : at + 1] = bytes([chance.choice(_INTERESTING)])
    elif kind < 0.6:
        if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    elif kind < 0.7:
        data[at : at + 5] = b"\xff" * chance.randrange(1, 6)
    elif kind < 0.76:
        del data[at : at + chance.randrange(1, 24)]
    elif kind < 0.82:
        data[at:at] = data[at : at + chance.randrange(1, 24)]
    elif kind < 0.88:
        other = chance.choice(files).data
        start = chance.randrange(len(other))
        piece = other[start : start + chance.randrange(1, 64)]
        data[at : at + len(piece)] = piece
    elif kind < 0.94:
        words = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, chance.randrange(1 << 32))
        data[at : at + 4] = struct.pack("<I", chance.choice(words))
    elif kind < 0.97 and len(data) > 12:
        sizes = (0, len(data) - 12, len(data), chance.randrange(1 << 16))
        data[-8:-4] = struct.pack("<I", chance.choice(sizes))
    else:
        del data[at:]
        data += b"PAR1"


def change_structure(parts: Dissected, chance: random.Random, files: Sequence[Seed]) -> None:
    """Change something in a file that was taken apart."""
    chunk = chance.choice(parts.chunks)
    kind = chance.random()
    lie = liar(chance.randrange(1 << 60))
    if kind < 0.3 and chunk.pages:
        change_body(chance.choice(chunk.pages), parts.meta(chunk).codec, chance, files)
    elif kind < 0.5 and chunk.pages:
        chance.choice(chunk.pages).lies.append(lie)
    elif kind < 0.58:
        chunk.places_lies.append(lie)
    elif kind < 0.66:
        chunk.index_lies.append(lie)
    elif kind < 0.7 and chunk.bloom:
        raw = bytearray(chunk.bloom)
        change_bytes(raw, chance.randrange(len(raw)), chance, files, is_file=False)
        chunk.bloom = bytes(raw)
    elif kind < 0.8 and chunk.pages:
        _change_pages(chunk.pages, chance.choice(parts.chunks).pages, chance)
    elif kind < 0.85:
        chunk.pages = chance.choice(parts.chunks).pages
    else:
        parts.lies.append(lie)


def change_body(page: Page, codec: int, chance: random.Random, files: Sequence[Seed]) -> None:
    """Change the bytes of a page before they were compressed."""
    plain = page.plain(codec)
    raw = bytearray(page.body if plain is None else plain)
    if not raw:
        return
    # Levels, lengths and widths are at the front.
    at = chance.randrange(min(len(raw), chance.choice((8, 40, 1 << 30))))
    change_bytes(raw, at, chance, files, is_file=False)
    if plain is None:
        page.body = bytes(raw)
    else:
        page.put(bytes(raw), codec)


def _change_pages(pages: list[Page], others: list[Page], chance: random.Random) -> None:
    at = chance.randrange(len(pages))
    kind = chance.random()
    if kind < 0.3:
        del pages[at]
    elif kind < 0.6:
        pages.insert(at, chance.choice(pages))
    elif kind < 0.8 and others:
        pages.insert(at, chance.choice(others))
    else:
        other = chance.randrange(len(pages))
        pages[at], pages[other] = pages[other], pages[at]
