"""Makes shared libraries of object code, with the C compiler or the linker that is there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hocket.parquet.errors import KernelsUnavailable
from hocket.parquet.kernels.shared_library import suffix
from hocket.parquet.kernels.symbols import undefined_symbols

__all__ = ["NoLinker", "link"]

_TIMEOUT_S: Final = 120

#: What every process that runs Python has. (The last is what LLVM calls for zeros on a Mac.)
_EVERYWHERE: Final = frozenset({"memcpy", "memmove", "memset", "bzero"})


class NoLinker(Exception):
    """No program here makes a shared library."""


def link(object_code: bytes) -> bytes:
    """Make a shared library of object code.

    It depends on no other library: of what the object code calls, all (the C library's `memcpy`,
    `memset` and `memmove`) is in every process that runs Python. So it fits every C library.

    Raises
    ------
    NoLinker
        There is no C compiler and no linker, or none that can do it.
    KernelsUnavailable
        The object code calls something else, which is nowhere: once loaded, it would crash.
    """
    missing = sorted(undefined_symbols(object_code) - _EVERYWHERE)
    if missing:
        raise KernelsUnavailable(
            f"the compiled kernels call {', '.join(missing[:5])}, and nothing defines "
            f"{'it' if len(missing) == 1 else 'them'}"
        )
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
