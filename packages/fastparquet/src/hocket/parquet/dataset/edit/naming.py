"""Names of new data files: ``part.7.parquet`` where there are ``part.0`` to ``part.6``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hocket.parquet.dataset.discovery import has_suffix

__all__ = ["Numbering"]

_PART: Final = re.compile(r"part[.-](\d{1,15})\b", re.ASCII)


class Numbering:
    """Gives names to files, in each directory one number after the other.

    Parameters
    ----------
    names
        Of the files that are there; new numbers are larger than those of all of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        found = [_PART.match(name.rpartition("/")[2]) for name in self._names]
        self._first = max((int(each[1]) + 1 for each in found if each), default=0)
        self._next: dict[str, int] = {}
        # Readers leave files without the suffix aside where there are others that have it.
        is_bare = bool(self._names) and not any(map(has_suffix, self._names))
        self._suffix = "" if is_bare else ".parquet"

    def next(self, directory: str) -> str:
        """Return the name of a new file.

        Parameters
        ----------
        directory
            From the directory of the dataset; empty: that one.
        """
        number = self._next.get(directory, self._first)
        self._next[directory] = number + 1
        name = f"part.{number}{self._suffix}"
        return f"{directory}/{name}" if directory else name
