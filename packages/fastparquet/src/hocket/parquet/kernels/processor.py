"""What processor this is: which compiled code runs on it, and a name for this kind of it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from functools import cache
from typing import Final

__all__ = ["LEVELS", "identity", "known_levels", "levels", "machine"]

#: Levels of x86-64, LLVM's names for them, best first: what each needs, in Linux's words.
LEVELS: Final = {
    "x86-64-v4": frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    "x86-64-v3": frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}),
    "x86-64-v2": frozenset({"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}),
}

#: The same in macOS' words, where they differ.
_WORDS_OF_MACOS: Final = {
    "avx1.0": "avx",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
}

#: Lines of Linux's description that belong to the kind of processor, not to one or its clock.
_LINES_OF_KIND: Final = {
    "CPU architecture",
    "CPU implementer",
    "CPU part",
    "CPU variant",
    "Features",
    "cpu family",
    "flags",
    "model",
    "model name",
    "stepping",
    "vendor_id",
}


def machine() -> str:
    """Return the architecture, as the operating system calls it, in small letters."""
    told = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE")
    return (told or "unknown").lower()


def known_levels() -> tuple[str, ...]:
    """Return LLVM's names of the levels of this architecture, best first."""
    return tuple(LEVELS) if machine() in {"x86_64", "amd64"} else ("generic",)


@cache
def levels() -> tuple[str, ...]:
    """Return LLVM's names of the processors whose code runs on this one, best first.

    There are none for processors of 32 bits, for very old ones, and where nobody says what the
    processor can do.
    """
    if sys.maxsize < 1 << 32 or sys.byteorder != "little":
        return ()
    if known_levels() == ("generic",):
        return known_levels()
    kind = _kind()
    has = set((kind.get("flags") or "").split())
    found: list[str] = []
    # Each level has all that the lower ones have.
    for level in reversed(LEVELS):
        if not has >= LEVELS[level]:
            break
        found.insert(0, level)
    return tuple(found)


@cache
def identity() -> str:
    """Return a word for exactly this kind of processor: code compiled for it runs on equal ones."""
    told = repr((sys.platform, machine(), sys.maxsize, sorted(_kind().items())))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


@cache
def _kind() -> dict[str, str]:
    """Return what the operating system tells of the first processor; nothing if it does not."""
    if sys.platform == "darwin":
        return _kind_by_sysctl()
    try:
        descriptor = os.open("/proc/cpuinfo", os.O_RDONLY)
    except OSError:
        return {}
    try:
        # One read: the rest is about its siblings, and takes long where there are hundreds.
        text = os.read(descriptor, 8192).decode(errors="replace")
    finally:
        os.close(descriptor)
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    kind = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: value for name, value in kind.items() if name in _LINES_OF_KIND}


def _kind_by_sysctl() -> dict[str, str]:
    words: list[str] = []
    for name in ("features", "leaf7_features", "extfeatures"):
        words += _sysctl(f"machdep.cpu.{name}").lower().split()
    flags = " ".join(_WORDS_OF_MACOS.get(word, word) for word in words)
    return {"model name": _sysctl("machdep.cpu.brand_string"), "flags": flags}


def _sysctl(name: str) -> str:
    """Return a text that the system keeps under a name; nothing if it has none."""
    ask = ctypes.CDLL(None).sysctlbyname
    room = ctypes.create_string_buffer(4096)
    length = ctypes.c_size_t(len(room))
    if ask(name.encode(), room, ctypes.byref(length), None, ctypes.c_size_t(0)):
        return ""
    return room.value.decode(errors="replace")
