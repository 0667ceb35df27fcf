"""``python -m hocket.parquet warmup``: compiles all kernels, so that nobody waits later."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from hocket.parquet.errors import KernelsUnavailable
from hocket.parquet.kernels import catalogue, just_in_time, processor, shipped
from hocket.parquet.options import thread_count

__all__ = ["main"]

_NATIVE = "native"
#: With fewer, starting them takes longer than they save.
_WORTH_PROCESSES = 2


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
    paths = {each: just_in_time.path_of_kept(each, cpu) for each in catalogue.subjects()}
    kept = [path for path in paths.values() if path is not None]
    waiting = [subject for subject, path in paths.items() if path is None]
    for line in _compiled(waiting, wanted, cpu):
        _tell(line)
    if kept:
        _tell(f"{len(kept)} modules were already compiled for {wanted}: {kept[0].parent}")


def _compiled(subjects: Sequence[str], wanted: str, cpu: str) -> Iterator[str]:
    """Compile modules, and tell of each in their order."""
    processes = min(thread_count(None), len(subjects))
    if processes < _WORTH_PROCESSES or just_in_time.missing() is not None:
        yield from (_compile(subject, wanted, cpu) for subject in subjects)
        return
    # The compiler has one lock for all threads of a process.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_compile, subjects, repeat(wanted), repeat(cpu))


def _compile(subject: str, wanted: str, cpu: str) -> str:
    began = time.monotonic()
    functions, path = just_in_time.compiled(subject, cpu)
    took = f"{len(functions)} kernels compiled for {wanted} in {time.monotonic() - began:.1f} s"
    return f"{subject}: {took}: {path or 'and kept nowhere, because no folder is safe'}"


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
