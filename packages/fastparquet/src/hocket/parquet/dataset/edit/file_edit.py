"""An edit of a dataset in terms of its data files; what describes them follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hocket.parquet.dataset.data_file import Opener, read_file
from hocket.parquet.dataset.discovery import METADATA, data_names
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.naming import Numbering
from hocket.parquet.dataset.edit.summary import FileChanges, Summary, check_mergeable
from hocket.parquet.dataset.edit.transaction import Changes, Edit
from hocket.parquet.errors import InvalidOption
from hocket.parquet.io.opening import open_sink
from hocket.parquet.io.sink import Sink
from hocket.parquet.metadata.footer import FileMetadata

__all__ = ["FileEdit"]

#: Whether there is to be a summary: yes, no, or if there is one before.
WriteSummary = bool | None


class FileEdit:
    """Files that are added, replaced and removed; made within the context of an `Edit`.

    Parameters
    ----------
    edit
        The edit.
    opener
        How files are opened.
    """

    def __init__(self, edit: Edit, opener: Opener) -> None:
        self.folder: Folder = edit.folder
        self._edit = edit
        self._opener = opener
        #: Staged files with the directories that they get into.
        self._added: list[tuple[str, str]] = []
        self._replaced: dict[str, str] = {}
        self._removed: set[str] = set()

    def remove(self, name: str) -> None:
        """Remove a data file."""
        self._edit.watch([name])
        self._removed.add(name)

    @contextmanager
    def replacement(self, name: str) -> Iterator[Sink]:
        """Write a data file that takes the place of another."""
        self._edit.watch([name])
        staged = self._edit.stage()
        with open_sink(self.folder.place(staged), fs=self.folder.filesystem) as sink:
            yield sink
        self._replaced[name] = staged

    @contextmanager
    def addition(self, directory: str) -> Iterator[Sink]:
        """Write a new data file of a directory; its name is found later."""
        staged = self._edit.stage()
        with open_sink(self.folder.place(staged), fs=self.folder.filesystem) as sink:
            yield sink
        self._added.append((staged, directory))

    def commit(
        self,
        *,
        write_summary: WriteSummary = None,
        sort_key: Callable[[Any], Any] | None = None,
        overwrite: Callable[[FileChanges, list[str]], set[str]] | None = None,
    ) -> FileChanges:
        """Let the edit take effect, and return what it was.

        Parameters
        ----------
        write_summary
            Whether ``_metadata`` is written: True, False, or None: if there is one.
        sort_key
            The order of the row groups in it.
        overwrite
            Tells by the names of all files which of them go too.
        """
        done = FileChanges()

        def decide() -> Changes:
            names = data_names(self.folder.names())
            changes = Changes()
            numbering = Numbering(names)
            for staged, directory in self._added:
                target = numbering.next(directory)
                changes.renames[staged] = target
                done.added[target] = self._metadata(staged, target)
            for name, staged in self._replaced.items():
                changes.renames[staged] = name
                done.replaced[name] = self._metadata(staged, name)
            done.removed = set(self._removed)
            if overwrite is not None:
                done.removed |= overwrite(done, names)
            self._summarise(changes, done, names, write_summary, sort_key)
            changes.removals += sorted(done.removed)
            return changes

        self._edit.commit(decide)
        return done

    def _metadata(self, staged: str, name: str) -> FileMetadata:
        return read_file(name, self.folder.place(staged), self._opener).metadata

    def _summarise(
        self,
        changes: Changes,
        done: FileChanges,
        names: list[str],
        write_summary: WriteSummary,
        sort_key: Callable[[Any], Any] | None,
    ) -> None:
        there = self.folder.stamp(METADATA) is not None
        if write_summary is False or (write_summary is None and not there):
            return
        new = [*done.replaced.items(), *done.added.items()]
        if there:
            base = read_file(METADATA, self.folder.place(METADATA), self._opener).metadata
            summary = Summary(base)
            check_mergeable(base, new)
            summary.add_changed(base, done)
        else:
            summary = self._summary_of(names, done)
        if sort_key is not None:
            summary.sort(sort_key)
        staged = self._edit.stage()
        self.folder.write(staged, summary.file_bytes())
        changes.renames[staged] = METADATA

    def _summary_of(self, names: list[str], done: FileChanges) -> Summary:
        """Return a summary of files that had none."""
        kept = [name for name in names if name not in done.removed and name not in done.replaced]
        footers: dict[str, FileMetadata] = {}
        for name in kept:
            footers[name] = self._metadata(name, name)
        every = footers | done.replaced
        order = [name for name in names if name in every]
        listed = [(name, every[name]) for name in order] + list(done.added.items())
        if not listed:
            raise InvalidOption("no file would be left in the dataset", file=self.folder.root)
        base = listed[0][1]
        check_mergeable(base, listed)
        summary = Summary(base)
        for name, metadata in listed:
            summary.add_file(metadata, name)
        return summary
