"""From what a user names to the files of a dataset, in their order."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hocket.parquet.dataset.commit import (
    RECORD,
    RECORD_NBYTES_MAX,
    Commit,
    parse_commit,
    view,
)
from hocket.parquet.dataset.stores import LocalStore, store_of
from hocket.parquet.errors import InvalidOption
from hocket.parquet.records import dataclass, field

__all__ = [
    "COMMON_METADATA",
    "METADATA",
    "NULL_DIRECTORY",
    "Found",
    "common_root",
    "data_names",
    "discover",
    "has_suffix",
    "name_below",
    "natural_order",
]

METADATA: Final = "_metadata"
COMMON_METADATA: Final = "_common_metadata"
#: What Hive and Spark call the directory of rows whose value is null.
NULL_DIRECTORY: Final = "__HIVE_DEFAULT_PARTITION__"

_SUFFIXES: Final = (".parquet", ".parq", ".pq", ".pqt")
_PATTERN: Final = r"[*?\[]"
_DIGITS: Final = r"(\d+)"
#: Others may write to a directory all the time.
_MOST_LOOKS: Final = 5


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
    moved
        From names of files to the paths where they still are, because an edit of the dataset is
        not finished.
    """

    places: list[Any]
    names: list[str]
    root: str = ""
    metadata: str | None = None
    is_single: bool = False
    filesystem: Any = field(default=None, repr=False)
    moved: Mapping[str, str] = field(default_factory=dict)


def natural_order(path: str) -> list[Any]:
    """Return what sorts ``part.10`` behind ``part.9``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(_DIGITS, path)]


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
    store = store_of(place, filesystem)
    path = store.plain(place)
    if store.is_directory(path):
        return _discover_directory(store, path, root)
    return _discover_files(store, path, root)


def _discover_files(store: LocalStore, path: str, root: str | None) -> Found:
    """Find one file, or what a pattern stands for."""
    if re.search(_PATTERN, path) and not store.exists(path):
        matches = sorted(store.matches(path), key=natural_order)
        matches = [match for match in matches if not _is_hidden(_base_name(match))]
        if not matches:
            raise FileNotFoundError(errno.ENOENT, "no file matches the pattern", path)
        return _listed(store, matches, root)
    name = _base_name(path)
    if name in (METADATA, COMMON_METADATA):
        parent = _parent(path)
        commit = _pending(store, parent)
        moved = {} if commit is None else _moved(store, parent, commit)[1]
        return Found([], [], parent, path, filesystem=store.filesystem, moved=moved)
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
    store = store_of(places[0], filesystem)
    return _listed(store, [store.plain(each) for each in places], root)


def _discover_directory(store: LocalStore, path: str, root: str | None) -> Found:
    base = path.rstrip("/") or "/"
    for _ in range(_MOST_LOOKS):
        # What is listed while an edit takes effect can be a part of it.
        before = store.stamp(base)
        found = _look_through(store, base, root)
        if store.stamp(base) == before:
            break
    return found


def _look_through(store: LocalStore, base: str, root: str | None) -> Found:
    summary = _below(base, METADATA)
    commit = _pending(store, base)
    if commit is None and store.is_file(summary):
        return Found([], [], base, summary, filesystem=store.filesystem)
    now, moved = _moved(store, base, commit)
    if METADATA in now:
        return Found([], [], base, summary, filesystem=store.filesystem, moved=moved)
    names = data_names(now)
    if not names:
        if COMMON_METADATA in now:
            common = _below(base, COMMON_METADATA)
            return Found([], [], base, common, filesystem=store.filesystem, moved=moved)
        raise FileNotFoundError(errno.ENOENT, "no Parquet files in the directory", base)
    places = [now[name] for name in names]
    if root:
        here, base = base, store.plain(str(root)).rstrip("/")
        names = _names_below([_below(here, name) for name in names], base)
    return Found(places, names, base, filesystem=store.filesystem, moved=moved)


def data_names(names: Iterable[str]) -> list[str]:
    """Return the files that are data, of all that are below a dataset's directory, in order.

    Parameters
    ----------
    names
        Of all files.
    """
    shown = [name for name in names if not any(_is_hidden(part) for part in name.split("/"))]
    known = [name for name in shown if has_suffix(name)]
    return sorted(known or shown, key=natural_order)


def has_suffix(name: str) -> bool:
    """Tell whether a file is called as Parquet files are.

    Parameters
    ----------
    name
        Its name.
    """
    return name.lower().endswith(_SUFFIXES)


def _pending(store: LocalStore, base: str) -> Commit | None:
    """Return the edit that is being done, or that a writer did not finish."""
    record = _below(base, RECORD)
    raw = store.read(record, RECORD_NBYTES_MAX + 1)
    return None if raw is None else parse_commit(raw, record)


def _moved(
    store: LocalStore, base: str, commit: Commit | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the paths of all files by their names, and of those that have not got theirs yet."""
    base = base or "."
    names = [name_below(each, base) for each in store.files_below(base)]
    now = view(commit or Commit(), names, set(names))
    places = {name: _below(base, at) for name, at in now.items()}
    return places, {name: places[name] for name, at in now.items() if at != name}


def _listed(store: LocalStore, paths: Sequence[str], root: str | None) -> Found:
    base = common_root(paths) if not root else store.plain(str(root)).rstrip("/")
    return Found(list(paths), _names_below(paths, base), base, filesystem=store.filesystem)


def _names_below(paths: Sequence[str], base: str) -> list[str]:
    for path in paths:
        if base and not path.startswith(base.rstrip("/") + "/"):
            raise InvalidOption(f"the file {path!r} is not below the root {base!r}")
    return [name_below(path, base) for path in paths]


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


def _below(base: str, name: str) -> str:
    return f"{base.rstrip('/')}/{name}" if base else name


def _base_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0]


def _is_hidden(part: str) -> bool:
    # A directory can be a partition whose name begins with an underscore, or the value null.
    is_partition = "=" in part or part == NULL_DIRECTORY
    return part.startswith(".") or (part.startswith("_") and not is_partition)
