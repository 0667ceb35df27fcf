"""From what a user names to the files of a dataset, in their order."""

from __future__ import annotations

import errno
import glob as local_glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.opening import is_url

__all__ = [
    "COMMON_METADATA",
    "METADATA",
    "NULL_DIRECTORY",
    "Found",
    "common_root",
    "discover",
    "name_below",
    "natural_order",
]

METADATA: Final = "_metadata"
COMMON_METADATA: Final = "_common_metadata"
#: What Hive and Spark call the directory of rows whose value is null.
NULL_DIRECTORY: Final = "__HIVE_DEFAULT_PARTITION__"

_SUFFIXES: Final = (".parquet", ".parq", ".pq", ".pqt")
_PATTERN: Final = re.compile(r"[*?\[]")
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a dataset.

    Parameters
    ----------
    places
        What can be opened: paths, URLs, file objects, buffers.
    names
        Path of each from the root of the dataset, with ``/``.
    root
        The directory that the names start from; empty for things without a path.
    metadata
        The path of the file that describes all others, if there is one.
    is_single
        Whether one file was named, and not a dataset that may have one.
    filesystem
        The fsspec file system that the paths belong to; None for local ones.
    """

    places: list[Any]
    names: list[str]
    root: str = ""
    metadata: str | None = None
    is_single: bool = False
    filesystem: Any = field(default=None, repr=False)


def natural_order(path: str) -> list[Any]:
    """Return what sorts ``part.10`` behind ``part.9``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in _DIGITS.split(path)]


def discover(place: Any, *, filesystem: Any = None, root: str | None = None) -> Found:
    """Find the files of a dataset.

    Parameters
    ----------
    place
        A path or URL of a file, a directory or a pattern; a list of paths; a file object or a
        buffer.
    filesystem
        The fsspec file system that paths belong to.
    root
        The directory that partitions are below, if a list of paths does not tell.
    """
    if isinstance(place, os.PathLike):
        place = os.fspath(place)
    if isinstance(place, (set, frozenset)):
        place = sorted(map(str, place), key=natural_order)
    if isinstance(place, (list, tuple)) or _is_iterator(place):
        return _discover_list(list(place), filesystem, root)
    if not isinstance(place, str):
        return Found([place], [""], is_single=True)
    if not place:
        raise InvalidOption("the path is empty; '.' is the directory of the process")
    store = _store(place, filesystem)
    path = store.plain(place)
    if store.is_directory(path):
        return _discover_directory(store, path, root)
    return _discover_files(store, path, root)


def _discover_files(store: _LocalStore, path: str, root: str | None) -> Found:
    """Find one file, or what a pattern stands for."""
    if _PATTERN.search(path) and not store.exists(path):
        matches = sorted(store.matches(path), key=natural_order)
        matches = [match for match in matches if not _is_hidden(_base_name(match))]
        if not matches:
            raise FileNotFoundError(errno.ENOENT, "no file matches the pattern", path)
        return _listed(store, matches, root)
    name = _base_name(path)
    if name in (METADATA, COMMON_METADATA):
        return Found([], [], _parent(path), path, filesystem=store.filesystem)
    if root:
        return _listed(store, [path], root)
    return Found([path], [name], _parent(path), is_single=True, filesystem=store.filesystem)


def _is_iterator(place: Any) -> bool:
    """Tell whether something gives paths one by one, as `Path.glob` does; files give lines."""
    return isinstance(place, Iterator) and not hasattr(place, "read")


def _discover_list(places: list[Any], filesystem: Any, root: str | None) -> Found:
    if not places:
        raise InvalidOption("the list of files is empty")
    places = [os.fspath(each) if isinstance(each, os.PathLike) else each for each in places]
    if not all(isinstance(each, str) for each in places):
        return Found(places, ["" for _ in places])
    store = _store(places[0], filesystem)
    return _listed(store, [store.plain(each) for each in places], root)


def _discover_directory(store: _LocalStore, path: str, root: str | None) -> Found:
    base = path.rstrip("/") or "/"
    summary = f"{base.rstrip('/')}/{METADATA}"
    if store.is_file(summary):
        return Found([], [], base, summary, filesystem=store.filesystem)
    files = store.files_below(base)
    names = [name_below(each, base) for each in files]
    shown = [
        (name, each)
        for name, each in zip(names, files, strict=True)
        if not any(_is_hidden(part) for part in name.split("/"))
    ]
    known = [(name, each) for name, each in shown if name.lower().endswith(_SUFFIXES)]
    chosen = sorted(known or shown, key=lambda item: natural_order(item[0]))
    if not chosen:
        common = f"{base.rstrip('/')}/{COMMON_METADATA}"
        if store.is_file(common):
            return Found([], [], base, common, filesystem=store.filesystem)
        raise FileNotFoundError(errno.ENOENT, "no Parquet files in the directory", path)
    if root:
        return _listed(store, [each for _, each in chosen], root)
    return Found(
        [each for _, each in chosen],
        [name for name, _ in chosen],
        base,
        filesystem=store.filesystem,
    )


def _listed(store: _LocalStore, paths: Sequence[str], root: str | None) -> Found:
    base = common_root(paths) if not root else store.plain(str(root)).rstrip("/")
    names = []
    for path in paths:
        if base and not path.startswith(base.rstrip("/") + "/"):
            raise InvalidOption(f"the file {path!r} is not below the root {base!r}")
        names.append(name_below(path, base))
    return Found(list(paths), names, base, filesystem=store.filesystem)


def common_root(paths: Sequence[str]) -> str:
    """Return the directory that all files are below, before any ``name=value`` at its end."""
    parents = [path.split("/")[:-1] for path in paths]
    common = parents[0]
    for parts in parents[1:]:
        length = 0
        while length < min(len(common), len(parts)) and common[length] == parts[length]:
            length += 1
        common = common[:length]
    common = list(common)
    while common and common[-1].find("=") > 0:
        common.pop()
    return "/".join(common) or ("/" if paths[0].startswith("/") else "")


def name_below(path: str, base: str) -> str:
    """Return a path from a directory that it is below."""
    return path[len(base.rstrip("/")) + 1 :] if base else path


def _base_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0]


def _is_hidden(part: str) -> bool:
    # A directory can be a partition whose name begins with an underscore, or the value null.
    is_partition = "=" in part or part == NULL_DIRECTORY
    return part.startswith(".") or (part.startswith("_") and not is_partition)


class _LocalStore:
    """Directories of this machine."""

    filesystem: Any = None

    def plain(self, path: str) -> str:
        return path.removeprefix("file://").replace(os.sep, "/")

    def is_directory(self, path: str) -> bool:
        return Path(path).is_dir()

    def is_file(self, path: str) -> bool:
        return Path(path).is_file()

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def matches(self, pattern: str) -> Iterable[str]:
        # Path.glob cannot take a pattern with a root.
        found = local_glob.glob(pattern, recursive=True)  # noqa: PTH207
        return [path.replace(os.sep, "/") for path in found if self.is_file(path)]

    def files_below(self, path: str) -> list[str]:
        found = []
        for directory, _, files in os.walk(path, followlinks=True):
            found += [f"{directory.replace(os.sep, '/').rstrip('/')}/{name}" for name in files]
        return found


class _RemoteStore(_LocalStore):
    """Directories of an fsspec file system."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def plain(self, path: str) -> str:
        return str(self.filesystem._strip_protocol(path))  # noqa: SLF001

    def is_directory(self, path: str) -> bool:
        return bool(self.filesystem.isdir(path))

    def is_file(self, path: str) -> bool:
        return bool(self.filesystem.isfile(path))

    def exists(self, path: str) -> bool:
        return bool(self.filesystem.exists(path))

    def matches(self, pattern: str) -> Iterable[str]:
        return [path for path in self.filesystem.glob(pattern) if self.is_file(path)]

    def files_below(self, path: str) -> list[str]:
        return [str(each) for each in self.filesystem.find(path)]


def _store(path: str, filesystem: Any) -> _LocalStore:
    if filesystem is None:
        if not is_url(path) or path.startswith("file://"):
            return _LocalStore()
        from fsspec.core import url_to_fs  # noqa: PLC0415 - local files need no fsspec

        try:
            filesystem, _ = url_to_fs(path)
        except ValueError as error:
            raise InvalidOption(
                f"{path!r} cannot be opened: {error}; give fs, or a path"
            ) from error
    if hasattr(filesystem, "open_input_file"):
        from fsspec.implementations.arrow import ArrowFSWrapper  # noqa: PLC0415 - the same

        filesystem = ArrowFSWrapper(filesystem)
    return _RemoteStore(filesystem)
