"""Locks of a host's GPUs, for where no batch system says who has which.

A lock is a file, one for each device, held by `flock` as long as the process lives that took it, or
one that it forked: the kernel releases it, whatever they die of. What stands in it is for people.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from time import sleep
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.settings import WorkerSettings
from hocket.transport.clock import monotonic
from hocket.worker.gpus import Choice

try:
    import fcntl
except ImportError:  # not on Windows, where there are no locks of this kind
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock_directory", "take_gpus"]

_logger: Final = logging.getLogger("hocket.worker")

#: Directories of a host. (Not what TMPDIR names: batch systems give each job one of its own.)
_PLACES: Final = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108 - made there for the owner alone
#: How often it is tried again, while others have what is wanted.
_RETRY_S: Final = 0.25
#: What is read of a file that says who holds it.
_HOLDER_NBYTES_MAX: Final = 500
_PLAIN: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)

#: Files of what this process holds: closing one would give it back.
_held: Final[list[int]] = []


def take_gpus(
    choice: Choice,
    settings: WorkerSettings,
    *,
    holder: str,
    aliases: Mapping[str, str] | None = None,
) -> list[str]:
    """Lock GPUs until this process ends; return their names.

    Parameters
    ----------
    choice
        Which, and how many of them.
    settings
        Where locks are, and how long to wait for what others have.
    holder
        Who locks them.
    aliases
        Other names of some, under which they are locked.

    Raises
    ------
    SettingsError
        Others have them, and kept them for as long as may be waited; or locks cannot be had.
    """
    if fcntl is None:
        return choice.names[: choice.count]
    directory = lock_directory(settings.gpu_lock_directory)
    known = aliases or {}
    files = {name: directory / f"{_plain(known.get(name, name))}.lock" for name in choice.names}
    deadline_s = monotonic() + settings.gpu_wait_s
    is_told = False
    while True:
        taken, holders = _try(files, choice.count, directory)
        if choice.count is None or len(taken) == choice.count:
            break
        # Who kept some while it waits for others could wait for ever.
        for descriptor in taken.values():
            os.close(descriptor)
        told = "; ".join(f"{name} is held by {who}" for name, who in holders.items())
        if monotonic() >= deadline_s:
            raise SettingsError(
                name="worker.gpus",
                value=settings.gpus,
                allowed=f"{len(taken)} of {len(files)} are free, and {choice.count} wanted: {told}"
                f" (see {directory}; worker.gpu_wait_s is how long to wait)",
                source="the settings",
            )
        if not is_told:
            is_told = True
            _logger.warning("waiting for a GPU: %s", told)
        sleep(_RETRY_S)
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    _held.extend(taken.values())
    for descriptor in taken.values():
        with contextlib.suppress(OSError):  # They are locked, also where there is no room for this.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder} since {since}\n".encode(errors="replace"), 0)
    for name, who in holders.items():
        _logger.info("GPU %s is not used here, since it is held by %s", name, who)
    return list(taken)


def _try(
    files: Mapping[str, Path], count: int | None, directory: Path
) -> tuple[dict[str, int], dict[str, str]]:
    """Lock as many as are wanted; return their open files, and who holds the others."""
    taken: dict[str, int] = {}
    holders: dict[str, str] = {}
    try:
        for name, path in files.items():
            if count is not None and len(taken) == count:
                break
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = os.pread(descriptor, _HOLDER_NBYTES_MAX, 0).decode(errors="replace")
                os.close(descriptor)
                # (Anybody may have written it who shares the directory.)
                plain = "".join(one if one.isprintable() else "?" for one in text.strip())
                holders[name] = plain or "somebody who does not say who it is"
            except BaseException:
                os.close(descriptor)
                raise
            else:
                taken[name] = descriptor
    except OSError as error:
        for descriptor in taken.values():
            os.close(descriptor)
        raise _unfit(directory, f"GPUs cannot be locked there: {error}") from None
    return taken, holders


def _open(path: Path) -> int:
    """Open a file, which others may have made for those who share the directory."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    # (Where another is quicker, its file will do.)
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    if stat.S_IMODE(path.parent.stat().st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)
    return descriptor


def lock_directory(asked: str) -> Path:
    """Return the directory of the locks; make the user's own if it is that.

    Parameters
    ----------
    asked
        As in the setting ``worker.gpu_lock_directory``.

    Raises
    ------
    SettingsError
        There is no such directory, or it is another user's.
    """
    if asked != "auto":
        directory = Path(asked).expanduser()
        if not directory.is_dir():
            raise _unfit(directory, "there is no such directory; make one that its users share")
        return directory
    user = os.getuid()
    places = [Path(place) for place in _PLACES if os.access(place, os.W_OK | os.X_OK)]
    if not places:
        raise _unfit("auto", f"none of {', '.join(_PLACES)} can be written to; name a directory")
    directory = places[0] / f"hocket-gpus-{user}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise _unfit(directory, f"it cannot be made: {error.strerror or error}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user:
        raise _unfit(directory, "it is another user's")
    return directory


def _plain(name: str) -> str:
    """Return a name for a file: as it is, or a digest of it."""
    if _PLAIN.fullmatch(name):
        return name
    return blake2b(name.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _unfit(directory: Path | str, problem: str) -> SettingsError:
    return SettingsError(
        name="worker.gpu_lock_directory",
        value=str(directory),
        allowed=problem,
        source="the settings",
    )
