"""Who writes: names of writers, from which another can tell that one is gone."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from typing import Final

__all__ = ["is_gone", "writer_name"]

#: A writer elsewhere, of which nothing can be known, is taken for gone after so long.
_LONGEST_EDIT_S: Final = 7 * 24 * 3600
_NAME: Final = re.compile(r"(\d{1,15})-(\d{1,15})-([A-Za-z0-9]*)-[0-9a-f]+", re.ASCII)


def writer_name() -> str:
    """Return a name for this writer that no other has."""
    return f"{int(time.time())}-{os.getpid()}-{_host()}-{secrets.token_hex(8)}"


def is_gone(name: str, now_s: float) -> bool:
    """Tell whether a writer cannot be at work any more.

    Parameters
    ----------
    name
        Its name.
    now_s
        The time, in seconds since 1970.
    """
    told = _NAME.fullmatch(name)
    if told is None:
        return False
    since_s, process, host = int(told[1]), int(told[2]), told[3]
    if host == _host() and not _is_alive(process):
        return True
    return now_s - since_s > _LONGEST_EDIT_S


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:40]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        # It is another user's.
        return True
    return True
