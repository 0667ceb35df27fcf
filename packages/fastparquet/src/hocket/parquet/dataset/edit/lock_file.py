"""A lock that is a file, for stores that have no other kind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hocket.parquet.dataset.edit.writers import is_gone, writer_name
from hocket.parquet.errors import EditConflict

if TYPE_CHECKING:
    from hocket.parquet.dataset.edit.folder import Folder

__all__ = ["LOCK", "lock_file"]

LOCK: Final = ".hocket_lock"

_NAME_NBYTES_MAX: Final = 200
_LONGEST_PAUSE_S: Final = 0.5


@contextmanager
def lock_file(folder: Folder, timeout_s: float) -> Iterator[None]:
    """Hold a dataset's lock file.

    Parameters
    ----------
    folder
        The dataset's directory.
    timeout_s
        How long to wait for another writer.
    """
    own = writer_name()
    end = time.monotonic() + timeout_s
    pause_s = 0.001
    while not folder.create(LOCK, own.encode()):
        holder = _holder_of(folder, LOCK)
        if is_gone(holder, time.time()) and _break(folder, holder, own):
            continue
        if time.monotonic() >= end:
            raise EditConflict(
                f"another writer ({holder or 'unknown'}: time, process, host) has been changing "
                f"the dataset for {timeout_s:g} seconds; try again later, or, if it is gone, "
                f"remove the file {LOCK!r}",
                file=folder.root,
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    try:
        yield
    finally:
        folder.remove(LOCK)


def _holder_of(folder: Folder, name: str) -> str:
    return (folder.read(name, _NAME_NBYTES_MAX) or b"").decode("ascii", "replace")


def _break(folder: Folder, holder: str, own: str) -> bool:
    """Remove the lock of a writer that is gone, and tell whether to try again.

    Of several that want to, one may: else one could remove the lock that another has got by then.
    """
    right = f"{LOCK}-{holder}"
    if not folder.create(right, own.encode()):
        if not is_gone(_holder_of(folder, right), time.time()):
            return False
        folder.remove(right)
        return True
    try:
        if _holder_of(folder, LOCK) == holder:
            folder.remove(LOCK)
    finally:
        folder.remove(right)
    return True
