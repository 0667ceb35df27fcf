"""The record of an edit: what makes many changes of a dataset take effect at once.

New files are written where no reader looks, below `STAGING`. Then one file, `RECORD`, says what is
to be done: which of them get which name, and which others go. From the moment that it is there the
dataset is as if all that was done already, and whoever finds it can do it, any number of times.
When it is done, the record goes.

Nothing here touches a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable
from typing import Any, Final

from hocket.parquet.errors import CorruptFile
from hocket.parquet.records import dataclass

__all__ = [
    "RECORD",
    "RECORD_NBYTES_MAX",
    "STAGING",
    "Commit",
    "bytes_of_commit",
    "check_name",
    "is_staged",
    "needs_record",
    "parse_commit",
    "view",
]

#: In the directory of the dataset. Names that begin so are no data to any reader.
RECORD: Final = "_hocket_commit.json"
STAGING: Final = ".hocket"
#: More than the names of a million files.
RECORD_NBYTES_MAX: Final = 256 << 20

_VERSION: Final = 1
_STAGED: Final = re.compile(rf"{re.escape(STAGING)}/\w[\w.-]*/\d+", re.ASCII)
_DRIVE: Final = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Commit:
    """What an edit does, in this order.

    Parameters
    ----------
    renames
        Pairs of names below the dataset's directory: a staged file, and what it becomes. A file of
        that name is replaced.
    removals
        Names of files that go.
    """

    renames: tuple[tuple[str, str], ...] = ()
    removals: tuple[str, ...] = ()


def needs_record(commit: Commit) -> bool:
    """Tell whether an edit is more than one step, which the file system makes whole by itself."""
    return len(commit.renames) + len(commit.removals) > 1


def bytes_of_commit(commit: Commit) -> bytes:
    """Return the content of the record."""
    document = {
        "version": _VERSION,
        "rename": [list(pair) for pair in commit.renames],
        "remove": list(commit.removals),
    }
    return json.dumps(document, indent=0, ensure_ascii=True).encode()


def parse_commit(raw: bytes, file: str) -> Commit:
    """Return what a record says, of which nothing may lead out of the dataset's directory.

    Parameters
    ----------
    raw
        Its content.
    file
        What errors call it.
    """
    if len(raw) > RECORD_NBYTES_MAX:
        raise _wrong(f"has more than {RECORD_NBYTES_MAX:,} bytes", file)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"is no JSON: {error}", file) from None
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise _wrong(f"is not of version {_VERSION}, which this library knows", file)
    commit = Commit(
        tuple((source, target) for source, target in _pairs(document.get("rename"), file)),
        tuple(_strings(document.get("remove"), file)),
    )
    _check(commit, file)
    return commit


def _pairs(value: Any, file: str) -> list[list[str]]:
    if not isinstance(value, list):
        raise _wrong("has no list of files to rename", file)
    for pair in value:
        if len(_strings(pair, file)) != 2:
            raise _wrong(f"renames {str(pair)[:80]!r}, which is no pair", file)
    return value


def _strings(value: Any, file: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(f"has {str(value)[:80]!r} in place of a list of names", file)
    return value


def _check(commit: Commit, file: str) -> None:
    for source, _ in commit.renames:
        if not _STAGED.fullmatch(source):
            raise _wrong(f"renames {source!r}, which is no staged file", file)
    changed = [target for _, target in commit.renames] + list(commit.removals)
    for name in changed:
        check_name(name, file)
    if len(set(changed)) < len(changed) or len(dict(commit.renames)) < len(commit.renames):
        raise _wrong("names a file twice", file)


def check_name(name: str, file: str) -> None:
    """Refuse a name that stands for no data file below the dataset's directory.

    Parameters
    ----------
    name
        A path with ``/``.
    file
        The record that has it.
    """
    parts = name.split("/")
    is_odd = any(part in ("", ".", "..") for part in parts)
    if is_odd or "\\" in name or "\0" in name or "://" in name or _DRIVE.match(name):
        raise _wrong(f"names {name!r}, which is not in the dataset's directory", file)
    if parts[0] in (STAGING, RECORD):
        raise _wrong(f"names {name!r}, which is no file of data", file)
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _wrong(f"names {name!r}, which is no text", file) from None


def _wrong(reason: str, file: str) -> CorruptFile:
    return CorruptFile(
        f"the record of an edit {reason}; look at the dataset, and remove the record if it is none "
        "of this library's",
        file=file,
    )


def is_staged(name: str) -> bool:
    """Tell whether a file below the dataset's directory is not yet part of it."""
    return name.startswith(f"{STAGING}/")


def view(commit: Commit, names: Iterable[str], staged: Container[str]) -> dict[str, str]:
    """Return the files of a dataset as they are once the record's edit is done.

    Parameters
    ----------
    commit
        What is being done; any part of it may be done already.
    names
        The files that are below the dataset's directory.
    staged
        Those of the staged files that still have their first name.

    Returns
    -------
    dict
        From the name that each has then to the one that it has now.
    """
    gone = set(commit.removals)
    result = {name: name for name in names if name not in gone and not is_staged(name)}
    result.pop(RECORD, None)
    for source, target in commit.renames:
        result[target] = source if source in staged else target
    return result
