"""``python -m hocket.parquet warmup``: compiles all kernels, so that nobody waits later."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from hocket.parquet.errors import KernelsUnavailable
from hocket.parquet.kernels import catalogue, just_in_time, processor, shipped

__all__ = ["main"]

_NATIVE = "native"


def main(arguments: Sequence[str], program: str = "python -m hocket.parquet warmup") -> int:
    """Compile what is not compiled, tell what was done and where it is; return the exit code.

    Parameters
    ----------
    arguments
        Those behind the verb.
    program
        How it was called, for its help.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Compile the kernels of the Parquet library into the user's cache.",
    )
    parser.add_argument(
        "--cpu",
        choices=[_NATIVE, *processor.known_levels()],
        help="compile for this one (native), or for all processors of a level; "
        "unless told, for this one, and only if no library came with the package",
    )
    wanted = parser.parse_args(arguments).cpu
    library = shipped.ShippedLibrary.find()
    if wanted is None and library is not None:
        _tell(f"the library for {library.level} that came with the package fits: {library.path}")
        return 0
    try:
        _compile_all(wanted or _NATIVE)
    except KernelsUnavailable as error:
        _tell(str(error))
        return 1
    return 0


def _compile_all(wanted: str) -> None:
    cpu = "" if wanted == _NATIVE else wanted
    kept = []
    for subject in catalogue.subjects():
        began = time.monotonic()
        path = just_in_time.path_of_kept(subject, cpu)
        if path is not None:
            kept.append(path)
            continue
        functions, path = just_in_time.compiled(subject, cpu)
        took = f"{len(functions)} kernels compiled for {wanted} in {time.monotonic() - began:.1f} s"
        _tell(f"{subject}: {took}: {path or 'and kept nowhere, because no folder is safe'}")
    if kept:
        _tell(f"{len(kept)} modules were already compiled for {wanted}: {kept[0].parent}")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
