"""The scheduler file: an invitation to a cluster, on a disk that its processes share.

It is for its owner only, and never half written: it is made beside its place and then renamed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import Final

from hocket.core.errors import SettingsError
from hocket.protocol.invitation import (
    INVITATION_NBYTES_MAX,
    Invitation,
    decode_invitation,
    encode_invitation,
)

__all__ = [
    "read_scheduler_file",
    "remove_scheduler_file",
    "wait_scheduler_file",
    "write_scheduler_file",
]

_NAME: Final = "scheduler file"
#: Between two looks for a file that is not there yet; network file systems are slow anyway.
_LOOK_S: Final = 0.1


def write_scheduler_file(path: str | os.PathLike[str], invitation: Invitation) -> None:
    """Write an invitation where only its owner can read it; what was there is replaced.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    target = Path(path).expanduser()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode_invitation(invitation))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unfit(target, f"the file cannot be written: {error.strerror or error}") from None


def read_scheduler_file(path: str | os.PathLike[str]) -> Invitation:
    """Return the invitation in a file.

    Raises
    ------
    SettingsError
        The file cannot be read, holds no invitation, or others than its owner may read or write it.
    """
    target = Path(path).expanduser()
    try:
        with target.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(INVITATION_NBYTES_MAX + 1)
    except OSError as error:
        raise _unfit(target, f"the file cannot be read: {error.strerror or error}") from None
    if os.name == "posix":
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _unfit(target, f"others may read or change the file; run: chmod 600 {target}")
        # (Root may act for others, and files of root may be meant for all that root starts.)
        if status.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise _unfit(target, "the file is another user's, who could lead us anywhere")
    return decode_invitation(content, str(target))


def wait_scheduler_file(path: str | os.PathLike[str], timeout_s: float) -> Invitation:
    """Return the invitation in a file, once there is one.

    Raises
    ------
    SettingsError
        As for `read_scheduler_file`; or it was not there in time.
    """
    deadline_s = time.monotonic() + timeout_s
    target = Path(path).expanduser()
    while not target.exists():
        if time.monotonic() >= deadline_s:
            raise _unfit(
                target, f"the file was not there within {timeout_s:g} s; is a scheduler up?"
            )
        time.sleep(_LOOK_S)
        # Network file systems remember that a file was not there; listing makes them look again.
        with contextlib.suppress(OSError):
            any(target.parent.iterdir())
    return read_scheduler_file(target)


def remove_scheduler_file(path: str | os.PathLike[str], cluster: str) -> None:
    """Remove the file if it is still the one of this cluster."""
    with contextlib.suppress(OSError, SettingsError):
        if read_scheduler_file(path).cluster == cluster:
            Path(path).expanduser().unlink()


def _unfit(path: Path, problem: str) -> SettingsError:
    return SettingsError(name=_NAME, value=str(path), allowed=problem, source="code")
