"""The libraries that a wheel brings: made ahead of time, one for each level of processors."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hocket.parquet.kernels import processor
from hocket.parquet.kernels.catalogue import digest_of_texts, kernels_of, subjects
from hocket.parquet.kernels.shared_library import function_in, suffix

__all__ = ["FOLDER", "ShippedLibrary", "build"]

#: Where they lie in an installed package.
FOLDER: Final = Path(__file__).parent / "_compiled"

_MANIFEST: Final = "kernels.json"


class ShippedLibrary:
    """The kernels of the library for one level.

    Parameters
    ----------
    path
        The shared library.
    argument_counts
        How many arguments each of its kernels takes.
    level
        LLVM's name of the processors that it is for.
    """

    def __init__(self, path: Path, argument_counts: dict[str, int], level: str) -> None:
        self._library = ctypes.CDLL(str(path))
        self._argument_counts = argument_counts
        self.level = level
        self.path = path

    @classmethod
    def find(cls, folder: Path = FOLDER) -> ShippedLibrary | None:
        """Return the library for this processor, unless it is of other sources or not there.

        Parameters
        ----------
        folder
            What `build` wrote into.
        """
        try:
            manifest = json.loads((folder / _MANIFEST).read_bytes())
            if manifest["system"] != [sys.platform, processor.machine()]:
                return None
            for level in processor.levels():
                if level in manifest["libraries"] and manifest["digest"] == digest_of_texts():
                    path = folder / manifest["libraries"][level]
                    return cls(path, dict(manifest["kernels"]), level)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # Not there, or not whole: the other ways do without it.
        return None

    def function(self, name: str) -> Callable[..., int] | None:
        """Return a kernel, if it is in the library."""
        count = self._argument_counts.get(name)
        return None if count is None else function_in(self._library, name, count)


def build(folder: Path, levels: Sequence[str] = (), chosen: Sequence[str] = ()) -> dict[str, Any]:
    """Compile kernels into a folder, one library for each level; return the manifest.

    Parameters
    ----------
    folder
        It is made, and has the libraries and the manifest afterwards.
    levels
        LLVM's names of processors; those that wheels are made for, unless told.
    chosen
        The names of the modules whose kernels are compiled; all, unless told.

    Raises
    ------
    NoLinker
        Nothing here makes a shared library.
    RuntimeError
        The sources were changed meanwhile.
    """
    digest = digest_of_texts()
    # What only building needs, Numba above all.
    from importlib import metadata  # noqa: PLC0415

    from hocket.parquet.kernels import compiler  # noqa: PLC0415
    from hocket.parquet.kernels.linking import link  # noqa: PLC0415

    kernels = [kernel for subject in chosen or subjects() for kernel in kernels_of(subject)]
    counts = {each.__name__: each.__code__.co_argcount for each in kernels}
    assembly = compiler.assemble(kernels)
    folder.mkdir(parents=True, exist_ok=True)
    libraries = {}
    for level in levels or processor.known_levels()[-2:]:
        path = folder / f"{level}{suffix()}"
        path.write_bytes(link(compiler.optimise_and_emit(assembly, level)))
        libraries[level] = path.name
        # Opening it tells whether all that it calls is in every process.
        opened = ShippedLibrary(path, counts, level)
        for name in counts:
            opened.function(name)
    if digest_of_texts() != digest:
        raise RuntimeError("the sources of the kernels were changed while they were compiled")
    manifest = {
        "system": [sys.platform, processor.machine()],
        "digest": digest,
        "libraries": libraries,
        "kernels": counts,
        "made_with": {name: metadata.version(name) for name in ("numba", "llvmlite")},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest
