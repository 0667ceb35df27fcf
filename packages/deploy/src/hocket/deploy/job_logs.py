"""The logs of jobs: their ends, and what they say of jobs that came to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hocket.deploy.job_script import CANNOT_START

__all__ = ["cannot_start", "read_tail"]

_TAIL_NBYTES_MAX: Final = 16 * 1024


def read_tail(path: Path, lines_count: int = 20) -> str | None:
    """Return the last lines of a log; None: there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_NBYTES_MAX))
            content = file.read(_TAIL_NBYTES_MAX)
    except OSError:
        return None
    return "\n".join(content.decode(errors="replace").splitlines()[-lines_count:])


def cannot_start(tail: str) -> str:
    """Return what a job's script said, if it knew that trying again is of no use; else empty."""
    for line in tail.splitlines():
        if line.startswith(CANNOT_START):
            return line.removeprefix(CANNOT_START)
    return ""
