"""Shared libraries of kernels: linking them, opening them, and calling what is in them."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["SYMBOL_PREFIX", "NoLinker", "function_at", "function_in", "link", "suffix"]

#: Exported functions are called this and the kernel's name.
SYMBOL_PREFIX: Final = "hocket_"

_TIMEOUT_S: Final = 120


class NoLinker(Exception):
    """No program here makes a shared library."""


def suffix() -> str:
    """Return what the names of shared libraries end with here."""
    return ".dylib" if sys.platform == "darwin" else ".so"


def link(object_code: bytes) -> bytes:
    """Make a shared library of object code.

    It depends on no other library: of what the object code calls, all (the C library's `memcpy`,
    `memset` and `memmove`) is in every process that runs Python. So it fits every C library.

    Raises
    ------
    NoLinker
        There is no C compiler and no linker, or none that can do it.
    """
    failures = []
    with tempfile.TemporaryDirectory(prefix="hocket-parquet-") as scratch:
        source, made = Path(scratch) / "kernels.o", Path(scratch) / f"kernels{suffix()}"
        source.write_bytes(object_code)
        for command in _commands():
            if shutil.which(command[0]) is None:
                continue
            try:
                done = subprocess.run(  # noqa: S603 - a compiler, and a path of our own
                    [*command, "-o", str(made), str(source)],
                    check=False,
                    capture_output=True,
                    text=True,
                    timeout=_TIMEOUT_S,
                )
                if done.returncode == 0:
                    return made.read_bytes()
                failures.append(f"{command[0]}: {done.stderr.strip()}")
            except (OSError, subprocess.TimeoutExpired) as error:
                failures.append(f"{command[0]}: {error}")
    raise NoLinker("; ".join(failures) or "there is neither a C compiler nor a linker")


def function_in(library: ctypes.CDLL, name: str, argument_count: int) -> Callable[..., int]:
    """Return a kernel of an open library; calling it releases the GIL."""
    function = library[f"{SYMBOL_PREFIX}{name}"]
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_int64] * argument_count
    return function


def function_at(address: int, argument_count: int) -> Callable[..., int]:
    """Return a kernel whose code lies at an address; calling it releases the GIL."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * argument_count)(address)


def _commands() -> Iterator[list[str]]:
    """Yield what may link, without the names of files."""
    if sys.platform == "darwin":
        wanted = ["-dynamiclib", "-undefined", "dynamic_lookup"]
    else:
        wanted = ["-shared", "-nostdlib", "-s"]
    told = os.environ.get("CC")
    for compiler in (told, "cc", "gcc", "clang"):
        if compiler:
            yield [*shlex.split(compiler), *wanted]
    if sys.platform != "darwin":
        for linker in ("ld", "ld.lld"):
            yield [linker, "-shared", "-s"]
