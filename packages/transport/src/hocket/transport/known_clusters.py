"""The clusters of this user: the invitations that schedulers leave in a directory of its own.

So a client or a worker needs no more than the address, and often not even that; and no secret is
ever put where others see it. The directory is its owner's alone (0700), and so is each file (0600).
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Final

import psutil

from hocket.core.cluster_identity import CLUSTER_ID
from hocket.core.errors import SettingsError
from hocket.protocol.invitation import Invitation
from hocket.transport.address import parse
from hocket.transport.scheduler_file import (
    read_scheduler_file,
    remove_scheduler_file,
    write_scheduler_file,
)

__all__ = ["find_cluster_of", "forget_cluster", "known_clusters", "remember_cluster"]

_SUFFIX: Final = ".cluster.json"
#: Files looked at; schedulers that were killed leave theirs behind.
_FILES_MAX: Final = 200


def remember_cluster(directory: str, invitation: Invitation) -> Path:
    """Leave an invitation for what the same user starts; return its file.

    Raises
    ------
    SettingsError
        The directory cannot be made or written, or is not for its owner only.
    """
    folder = Path(directory).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise _unfit(folder, f"it cannot be made: {error.strerror or error}") from None
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            raise _unfit(folder, "it is another user's")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _unfit(folder, f"others may look into it; run: chmod 700 {folder}")
    path = _file(folder, invitation.cluster)
    write_scheduler_file(path, invitation)
    return path


def forget_cluster(directory: str, cluster: str) -> None:
    """Remove what `remember_cluster` left."""
    if directory:
        remove_scheduler_file(_file(Path(directory).expanduser(), cluster), cluster)


def known_clusters(directory: str) -> list[Invitation]:
    """Return the invitations of this user that can be read, the youngest first."""
    if not directory:
        return []
    found: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for path in Path(directory).expanduser().glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path))
    invitations = []
    for _, path in sorted(found, reverse=True)[:_FILES_MAX]:
        with contextlib.suppress(SettingsError):
            invitation = read_scheduler_file(path)
            if _is_dead(invitation):
                # Killed, it could not take its file along.
                path.unlink(missing_ok=True)
            else:
                invitations.append(invitation)
    return invitations


def _is_dead(invitation: Invitation) -> bool:
    """Whether a scheduler was a process of this host, and is none any more."""
    if not invitation.pid or invitation.host != socket.gethostname():
        return False
    return not psutil.pid_exists(invitation.pid)


def find_cluster_of(directory: str, address: str) -> Invitation | None:
    """Return the youngest invitation to a cluster that has an address; None if there is none."""
    with contextlib.suppress(SettingsError):
        wanted = _place(address)
        for invitation in known_clusters(directory):
            if wanted in map(_place, invitation.addresses):
                return invitation
    return None


def _place(address: str) -> tuple[str, int, str]:
    """Return where an address is, whether TLS is spoken there or not."""
    parsed = parse(address)
    return parsed.host, parsed.port, parsed.path


def _file(folder: Path, cluster: str) -> Path:
    if not CLUSTER_ID.fullmatch(cluster):
        raise _unfit(folder, f"{cluster!r} is no cluster's id")
    return folder / f"{cluster}{_SUFFIX}"


def _unfit(folder: Path, problem: str) -> SettingsError:
    return SettingsError(
        name="security.directory",
        value=str(folder),
        allowed=f"{problem}; name another directory, or leave it empty",
        source="the settings",
    )
