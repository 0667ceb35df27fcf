"""The modules that kernels are written in: finding them, and telling whether they have changed."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from hocket.parquet.kernels import language
from hocket.parquet.kernels.translation import fingerprint

__all__ = ["digest_of_subject", "digest_of_texts", "kernels_of", "subject_of", "subjects"]

_FOLDER: Final = Path(__file__).parent

_KERNEL: Final = r"(?m)^@kernel\ndef (\w+)\("

#: What decides, beside the kernels themselves, about the code that is made of them.
_TOOLCHAIN: Final = (
    "compiler.py",
    "instructions.py",
    "language.py",
    "numba_target.py",
    "translation.py",
)


def subjects() -> tuple[str, ...]:
    """Return the names of the modules that have kernels."""
    return tuple(sorted(set(_subject_by_name().values())))


def subject_of(name: str) -> str | None:
    """Return the name of the module that a kernel is written in, if there is such a kernel."""
    return _subject_by_name().get(name)


def kernels_of(subject: str) -> list[Callable[..., int]]:
    """Import a module, and return its kernels in the order of their names."""
    module = importlib.import_module(f"{__package__}.source.{subject}").__name__
    return [each for _, each in sorted(language.KERNELS.items()) if each.__module__ == module]


def digest_of_subject(subject: str) -> str:
    """Return a digest of all that the machine code of a module's kernels depends on here.

    It is of their code as this Python has it, not of texts: what is compiled is what was digested,
    whatever has been written into the file meanwhile.
    """
    digest = hashlib.blake2b(_digest_of_toolchain(), digest_size=16)
    for kernel in kernels_of(subject):
        digest.update(kernel.__name__.encode() + fingerprint(kernel))
    return digest.hexdigest()


def digest_of_texts() -> str:
    """Return a digest of the files that kernels and their compiler are written in.

    It imports none of them, and is the same for every version of Python.
    """
    digest = hashlib.blake2b(_digest_of_toolchain(), digest_size=16)
    for path in [_FOLDER / "faults.py", *sorted((_FOLDER / "source").glob("*.py"))]:
        digest.update(path.name.encode() + hashlib.blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _subject_by_name() -> dict[str, str]:
    """Find the kernels in the texts, so that only those used have to be imported."""
    return {
        found.group(1): path.stem
        for path in sorted((_FOLDER / "source").glob("*.py"))
        for found in re.finditer(_KERNEL, path.read_text(encoding="utf-8"))
    }


@cache
def _digest_of_toolchain() -> bytes:
    digest = hashlib.blake2b()
    for name in _TOOLCHAIN:
        digest.update(hashlib.blake2b((_FOLDER / name).read_bytes()).digest())
    return digest.digest()
