"""An edit of a dataset in terms of its data files; what describes them follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.dataset.discovery import COMMON_METADATA, METADATA, data_names
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.naming import Numbering
from hocket.parquet.dataset.edit.summary import (
    FileChanges,
    Summary,
    check_describable,
    check_mergeable,
)
from hocket.parquet.dataset.edit.transaction import Changes, Edit
from hocket.parquet.errors import EditConflict, InvalidOption
from hocket.parquet.io.sink import Sink
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.metadata.footer import FileMetadata

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection

__all__ = ["FileEdit"]


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
        #: A footer that tells the schema if there is no file that does.
        self.template: FileMetadata | None = None
        self._edit = edit
        self._opener = opener
        #: Staged files with the directories that they get into.
        self._added: list[tuple[str, str]] = []
        self._replaced: dict[str, str] = {}
        self._removed: set[str] = set()
        self._footers: dict[str, FileMetadata] = {}

    def remove(self, name: str) -> None:
        """Remove a data file."""
        self._edit.watch([name])
        self._removed.add(name)

    def expect(self, collection: Collection, files: Iterable[int]) -> None:
        """Make sure that files are, and stay, as they were when a dataset was opened.

        Parameters
        ----------
        collection
            The dataset.
        files
            Which of its files.
        """
        if collection.found.metadata is not None:
            self._expect(METADATA, collection.summary)
        for number in files:
            file = collection.files[number]
            if file.own_nbytes is None:
                # Its footer was not read: that of all files tells of it.
                self._edit.watch([file.name])
            else:
                self._expect(file.name, file.metadata)

    def _expect(self, name: str, known: FileMetadata) -> None:
        self._edit.watch([name])
        try:
            now = self._opened(name, name).metadata
        except FileNotFoundError:
            now = None
        size = known.nbytes
        if (
            now is None
            or now.nbytes != size
            or not np.array_equal(now.data[:size], known.data[:size])
        ):
            raise EditConflict(
                f"another writer replaced {name!r} since the dataset was opened; nothing was done: "
                "open it anew and repeat the edit",
                file=self.folder.root,
            )

    @contextmanager
    def replacement(self, name: str) -> Iterator[Sink]:
        """Write a data file that takes the place of another."""
        self._edit.watch([name])
        staged = self._edit.stage()
        with self._sink(staged) as sink:
            yield sink
        self._replaced[name] = staged

    def addition(self, directory: str) -> tuple[Sink, Callable[[FileMetadata], None]]:
        """Return what a new data file is to be written to.

        Parameters
        ----------
        directory
            Where it belongs; its name is found later.

        Returns
        -------
        sink : Sink
            To be committed.
        finish : callable
            To be told the file's footer then.
        """
        staged = self._edit.stage()

        def finish(footer: FileMetadata) -> None:
            self._footers[staged] = footer

        self._added.append((staged, directory))
        return self._sink(staged), finish

    def additions(self) -> list[tuple[str, str, FileMetadata]]:
        """Return what was added: staged files, their directories and their footers."""
        return [(staged, directory, self._footers[staged]) for staged, directory in self._added]

    def add(self, staged: str, directory: str, footer: FileMetadata) -> None:
        """Add a data file that was staged in another process.

        Parameters
        ----------
        staged
            Where it is.
        directory
            Where it belongs; its name is found later.
        footer
            What its footer says.
        """
        self._added.append((staged, directory))
        self._footers[staged] = footer

    def _sink(self, staged: str) -> Sink:
        return open_sink(self.folder.place(staged), fs=self.folder.filesystem)

    def commit(
        self,
        *,
        write_summary: bool | None = None,
        sort_key: Callable[[Any], Any] | None = None,
        overwritten: Callable[[FileChanges, list[str]], set[str]] | None = None,
        is_anew: bool = False,
    ) -> FileChanges:
        """Let the edit take effect, and return what it was.

        Parameters
        ----------
        write_summary
            Whether ``_metadata`` is written: True, False, or None: if there is one.
        sort_key
            The order of the row groups in it.
        overwritten
            Tells by the names of all files which of them go too.
        is_anew
            Whether all files that there were go.
        """
        done = FileChanges()

        def decide() -> Changes:
            every = self.folder.names()
            names = data_names(every)
            changes = Changes()
            numbering = Numbering(() if is_anew else names)
            for staged, directory in self._added:
                target = numbering.next(directory)
                changes.renames[staged] = target
                done.added[target] = self._footer(staged, target)
            for name, staged in self._replaced.items():
                changes.renames[staged] = name
                done.replaced[name] = self._footer(staged, name)
            done.removed = set(self._removed)
            if is_anew:
                done.removed = set(names) - set(done.added)
            elif overwritten is not None:
                done.removed |= overwritten(done, names)
            has_summary = METADATA in every
            if write_summary or (write_summary is None and has_summary):
                kept = [] if is_anew else names
                summary = self._summary(kept, done, has_base=has_summary and not is_anew)
                if sort_key is not None:
                    summary.sort(sort_key)
                contents = {METADATA: summary.file_bytes()}
                if is_anew or COMMON_METADATA not in every:
                    contents[COMMON_METADATA] = Summary(summary.base).file_bytes()
                for name, content in contents.items():
                    staged = self._edit.stage()
                    self.folder.write(staged, content)
                    changes.renames[staged] = name
            elif is_anew and has_summary:
                done.removed |= {METADATA, COMMON_METADATA} & set(every)
            changes.removals += sorted(done.removed)
            return changes

        self._edit.commit(decide)
        return done

    def _footer(self, staged: str, name: str) -> FileMetadata:
        known = self._footers.get(staged)
        return known or self._opened(staged, name).metadata

    def _described(self, name: str) -> FileMetadata:
        """Return the footer of a file that is there, if a summary can tell of it."""
        file = self._opened(name, name)
        check_describable(file)
        return file.metadata

    def _opened(self, at: str, name: str) -> DataFile:
        return read_file(name, self.folder.place(at), self._opener)

    def _summary(self, names: Sequence[str], done: FileChanges, *, has_base: bool) -> Summary:
        kept = [name for name in names if name not in done.removed and name not in done.replaced]
        new = [*done.replaced.items(), *done.added.items()]
        if has_base:
            base = read_file(METADATA, self.folder.place(METADATA), self._opener).metadata
            summary = Summary(base)
            check_mergeable(base, new)
            summary.add_changed(base, done)
            return summary
        every = {name: self._described(name) for name in kept} | done.replaced
        listed = [(name, every[name]) for name in names if name in every] + [*done.added.items()]
        first = listed[0][1] if listed else self.template
        if first is None:
            raise InvalidOption("no file would be left in the dataset", file=self.folder.root)
        check_mergeable(first, listed)
        summary = Summary(first)
        for name, metadata in listed:
            summary.add_file(metadata, name)
        return summary
