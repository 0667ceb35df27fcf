"""Folders of clusters that have ended: their logs are kept for a while, and not for ever."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hocket.core.settings import JobsSettings
from hocket.deploy.job_script import INVITATION

__all__ = ["OWNER", "Folder", "choose_folders", "note_owner", "prune_folders"]

#: The file that says which process has made a cluster: its host and its id.
OWNER: Final = "owner.txt"

_NAME: Final = re.compile(r"cluster-[0-9a-f]{8}")
#: What clusters write; where anything else lies, the folder stays.
_SUFFIXES: Final = frozenset({".json", ".log", ".out", ".sh", ".txt", ".yaml"})
#: In a folder that changed so lately jobs may be alive, whatever became of their cluster.
_SPARED_S: Final = 86_400.0
#: So many are removed at a time, lest anybody wait for long.
_REMOVED_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Folder:
    """What is known of the folder of a cluster.

    Attributes
    ----------
    path
        Where it is.
    changed_s
        When something in it last changed, in seconds since the epoch.
    is_alive
        Whether the cluster may not have ended.
    """

    path: Path
    changed_s: float
    is_alive: bool = False


def choose_folders(folders: Iterable[Folder], settings: JobsSettings, now_s: float) -> list[Folder]:
    """Return the folders that are to go: those of ended clusters that are too old or too many."""
    ended = [one for one in folders if not one.is_alive]
    ended.sort(key=lambda one: (-one.changed_s, one.path))
    return [
        one
        for index, one in enumerate(ended)
        if now_s - one.changed_s > _SPARED_S
        and (index >= settings.folders_max or now_s - one.changed_s > settings.folders_age_s)
    ]


def prune_folders(base: Path, settings: JobsSettings, now_s: float) -> None:
    """Remove old folders of ended clusters; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        found = [_folder(one) for one in base.iterdir() if _NAME.fullmatch(one.name)]
        for folder in choose_folders(filter(None, found), settings, now_s)[:_REMOVED_MAX]:
            _remove(folder.path)


def _folder(path: Path) -> Folder | None:
    """Return what is known of a folder; None: it is none of this user's."""
    try:
        status = path.lstat()
        if path.is_symlink() or not path.is_dir() or status.st_uid != os.getuid():
            return None
        times_s = [one.lstat().st_mtime for one in path.iterdir()]
        is_alive = (path / INVITATION).exists() and not _is_orphaned(path)
        return Folder(path, max([status.st_mtime, *times_s]), is_alive)
    except OSError:
        return None


def note_owner(folder: Path) -> None:
    """Let others know that a folder's cluster is ours, as long as this process lives."""
    (folder / OWNER).write_text(f"{socket.gethostname()} {os.getpid()}\n")


def _is_orphaned(folder: Path) -> bool:
    """Tell whether the process that made a cluster is known to be gone, which removed nothing."""
    try:
        host, pid = (folder / OWNER).read_text().split()
        if host != socket.gethostname():
            return False
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        pass
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        for file in path.iterdir():
            if file.suffix in _SUFFIXES:
                file.unlink()
        path.rmdir()
