"""One edit of a dataset: files are staged, then all of it takes effect at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import ExitStack, suppress
from typing import Final, Self

from hocket.parquet.dataset.commit import (
    RECORD,
    RECORD_NBYTES_MAX,
    STAGING,
    Commit,
    bytes_of_commit,
    needs_record,
    parse_commit,
)
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.errors import CorruptFile, EditConflict
from hocket.parquet.records import dataclass, field

__all__ = ["Changes", "Edit", "recover"]

_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Changes:
    """What an edit changes.

    Parameters
    ----------
    renames
        From staged files to the names that they get, in the order in which they get them.
    removals
        Names of files that go.
    """

    renames: dict[str, str] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)


class Edit:
    """An edit, as a context: what is not committed at its end leaves nothing behind.

    Parameters
    ----------
    folder
        The dataset's directory.
    timeout_s
        How long to wait for other writers.
    """

    def __init__(self, folder: Folder, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.folder = folder
        self._timeout_s = timeout_s
        self._claimed = ExitStack()
        self._own = ""
        self._count = 0
        self._seen: dict[str, Hashable | None] = {}
        self._is_recorded = False

    def __enter__(self) -> Self:
        with self.folder.lock(self._timeout_s):
            recover(self.folder)
            self._own = self._claimed.enter_context(self.folder.claim())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # If it failed half-way behind its record, the next writer needs the staged files.
            if not self._is_recorded:
                # What cannot be removed now the next writer removes.
                with suppress(EditConflict, OSError), self.folder.lock(self._timeout_s):
                    self.folder.remove_directory(self._own, only_empty=False)
                    self.folder.remove_directory(STAGING, only_empty=True)
        finally:
            self._claimed.close()

    @property
    def own_directory(self) -> str:
        """Where the files are that are staged for this edit."""
        return self._own

    def stage(self) -> str:
        """Return the name of a new file, to be written and then renamed by `commit`."""
        self._count += 1
        return f"{self._own}/{self._count}"

    def watch(self, names: Iterable[str]) -> None:
        """Remember files as they are: if others change them, the edit cannot be committed."""
        for name in names:
            self._seen.setdefault(name, self.folder.stamp(name))

    def commit(self, decide: Callable[[], Changes]) -> None:
        """Let the edit take effect.

        Parameters
        ----------
        decide
            Returns what is to change; while it runs no other writer changes the dataset.
        """
        with self.folder.lock(self._timeout_s):
            recover(self.folder, self._own)
            self._check_unchanged()
            changes = decide()
            commit = Commit(tuple(changes.renames.items()), tuple(changes.removals))
            self._check_staged(commit)
            self.folder.persist(source for source, _ in commit.renames)
            if needs_record(commit):
                record = self.stage()
                self.folder.write(record, bytes_of_commit(commit))
                self.folder.persist([record])
                self._is_recorded = True
                self.folder.rename(record, RECORD)
                self.folder.persist([RECORD])
            _apply(self.folder, commit)
            self._is_recorded = False

    def _check_unchanged(self) -> None:
        for name, seen in self._seen.items():
            if self.folder.stamp(name) != seen:
                raise EditConflict(
                    f"another writer changed {name!r} while this one worked on it; nothing was "
                    "done: open the dataset anew and repeat the edit",
                    file=self.folder.root,
                )

    def _check_staged(self, commit: Commit) -> None:
        there = set(self.folder.listed(self._own))
        for source, target in commit.renames:
            if source not in there:
                raise EditConflict(
                    f"the new file for {target!r} is gone: another writer took this one for dead, "
                    "or the disk was cleaned; nothing was done, repeat the edit",
                    file=self.folder.root,
                )


def recover(folder: Folder, own: str = "") -> None:
    """Finish what a writer that is gone has begun, and remove what it left; others are locked out.

    Parameters
    ----------
    folder
        The dataset's directory.
    own
        The caller's own directory for staged files.
    """
    raw = folder.read(RECORD, RECORD_NBYTES_MAX + 1)
    if raw is not None:
        _apply(folder, parse_commit(raw, folder.place(RECORD)))
    abandoned = [name for name in folder.abandoned() if name != own]
    for name in abandoned:
        folder.remove_directory(name, only_empty=False)
    if abandoned:
        folder.remove_directory(STAGING, only_empty=True)


def _apply(folder: Folder, commit: Commit) -> None:
    """Do what a record says, some of which may be done already."""
    for source, target in commit.renames:
        try:
            folder.rename(source, target)
        except FileNotFoundError:
            if folder.stamp(target) is None:
                raise CorruptFile(
                    f"an edit was not finished, and its file for {target!r} is gone; restore the "
                    f"dataset from a copy, or remove {RECORD!r} to go on without the edit",
                    file=folder.root,
                ) from None
    for name in commit.removals:
        folder.remove(name)
    folder.persist([target for _, target in commit.renames] + list(commit.removals))
    for directory in _directories(commit.removals):
        folder.remove_directory(directory, only_empty=True)
    folder.remove(RECORD)


def _directories(names: Iterable[str]) -> list[str]:
    """Return the directories that files were in, inner ones first, which may be empty now."""
    found = set()
    for name in names:
        parts = name.split("/")[:-1]
        found |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    return sorted(found, key=lambda name: (-name.count("/"), name))
