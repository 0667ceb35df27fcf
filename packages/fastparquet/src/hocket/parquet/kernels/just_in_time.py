"""Kernels compiled where they are used, a module at a time, and kept for later processes."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from hocket.parquet.errors import KernelsUnavailable
from hocket.parquet.kernels import cache as kept
from hocket.parquet.kernels import processor
from hocket.parquet.kernels.catalogue import digest_of_subject, kernels_of
from hocket.parquet.kernels.linking import NoLinker, link
from hocket.parquet.kernels.shared_library import function_in, suffix

__all__ = ["compiled", "find_kept", "missing", "path_of_kept"]

_REMEDY: Final = "pip install hocket-parquet[jit]"

_DISTRIBUTIONS: Final = ("numba-", "llvmlite-")

_Functions = dict[str, Callable[..., int]]


def missing() -> KernelsUnavailable | None:
    """Return an error that names the remedy if there is no compiler; nothing is imported for it."""
    return None if _versions() else KernelsUnavailable(f"Numba is not installed: {_REMEDY}")


def path_of_kept(subject: str, cpu: str = "") -> Path | None:
    """Return where a module's kernels are kept, if they were compiled earlier.

    Parameters
    ----------
    subject
        The name of the module.
    cpu
        LLVM's name of a level of processors; exactly this processor, unless told.
    """
    stem = _stem(subject, cpu)
    return kept.find(f"{stem}{suffix()}") or kept.find(f"{stem}.o")


def find_kept(subject: str) -> _Functions | None:
    """Return the kernels of a module if they were compiled earlier, for a processor like this.

    Parameters
    ----------
    subject
        The name of the module.
    """
    for cpu in ("", *processor.levels()):
        stem = _stem(subject, cpu)
        library = kept.find(f"{stem}{suffix()}")
        if library is not None:
            try:
                return _opened(library, subject)
            except (OSError, AttributeError):
                pass  # On a disk, say, that nothing is executed from.
        object_file = kept.find(f"{stem}.o")
        if object_file is not None:
            return _loaded(object_file.read_bytes(), subject)
    return None


def compiled(subject: str, cpu: str = "") -> tuple[_Functions, Path | None]:
    """Compile the kernels of a module and keep them; return them, and where they are kept.

    Parameters
    ----------
    subject
        The name of the module.
    cpu
        LLVM's name of a level of processors; exactly this processor, unless told.

    Raises
    ------
    KernelsUnavailable
        There is no compiler, or it cannot do it.
    """
    absent = missing()
    if absent is not None:
        raise absent
    try:
        from hocket.parquet.kernels import compiler  # noqa: PLC0415 - Numba takes half a second

        object_code = compiler.optimise_and_emit(compiler.assemble(kernels_of(subject)), cpu)
    except Exception as error:
        # Numba's and LLVM's errors are of many kinds, and none is the caller's.
        reason = f"the kernels of {subject!r} cannot be compiled here: {error}"
        raise KernelsUnavailable(reason) from error
    stem = _stem(subject, cpu)
    try:
        path = kept.keep(f"{stem}{suffix()}", link(object_code))
        if path is not None:
            return _opened(path, subject), path
    except (NoLinker, OSError):
        pass  # LLVM loads it, in this and in later processes.
    return _loaded(object_code, subject), kept.keep(f"{stem}.o", object_code)


def _stem(subject: str, cpu: str) -> str:
    """Return the name of a file, less its suffix, that tells all that its content depends on."""
    cpu = cpu or processor.identity()
    told = repr((cpu, digest_of_subject(subject), _versions()))
    return f"{subject}-{cpu}-{hashlib.blake2b(told.encode(), digest_size=10).hexdigest()}"


@cache
def _versions() -> tuple[str, ...]:
    """Return what compiler is there, as its folder's neighbours tell it; nothing if there is none.

    They are called ``numba-0.68.1.dist-info`` and the like. Asking `importlib.metadata` takes
    longer than all the rest.
    """
    found = importlib.util.find_spec("numba")
    if found is None or found.origin is None or importlib.util.find_spec("llvmlite") is None:
        return ()
    told = sorted(each.name for each in Path(found.origin).parents[1].iterdir())
    return tuple(each for each in told if each.startswith(_DISTRIBUTIONS)) or (found.origin,)


def _argument_counts(subject: str) -> dict[str, int]:
    return {each.__name__: each.__code__.co_argcount for each in kernels_of(subject)}


def _opened(path: Path, subject: str) -> _Functions:
    library = ctypes.CDLL(str(path))
    counts = _argument_counts(subject)
    return {name: function_in(library, name, count) for name, count in counts.items()}


def _loaded(object_code: bytes, subject: str) -> _Functions:
    from hocket.parquet.kernels import object_code as loader  # noqa: PLC0415 - LLVM, seldom needed

    return loader.functions_of(object_code, _argument_counts(subject))
